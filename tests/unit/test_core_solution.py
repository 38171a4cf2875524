"""A solution is a notebook: nothing is lost between blocks, notebooks and scripts."""

from __future__ import annotations

import random
import warnings

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.solution import (
    DEFAULT_PARAMETERS,
    Block,
    Solution,
    block_cell,
    normalise,
    prefixed,
)

AWKWARD = [
    "x = 1",
    "",
    "\n",
    "x = 1\n",
    "\n\nx = 1\n\n",
    "# %% load\nx = 1",
    "## %% load",
    "### %% [markdown]\n# %%",
    "#  %% no marker",
    '"""\n# %% in a string\n"""',
    "s = 'é ü 漢字 🎉'",
    "%matplotlib inline\n!pip list",
    "%%time\nx = 1",
    "   indented = 1",
    "tab\t= 1\t",
    "# %%",
    "x = 1  # %% not at the start",
    "a = '\\n'\r\nb = 2",
    "line\u2028separator\x0cfeed",
    "# %% parameters\nseed = 1",
]


def random_solution(seed: int) -> Solution:
    rng = random.Random(seed)
    alphabet = ["x", " ", "\n", "#", "%", "# %% ", "\t", "é", "\r\n", "'", '"', "##", "\\", "[x]"]

    def source() -> str:
        if rng.random() < 0.4:
            return rng.choice(AWKWARD)
        return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 25)))

    names = rng.sample(["load", "features", "model", "predict", "s1_load", "A", "x9", "cell_1"], 4)
    blocks = [Block(name, source()) for name in names[: rng.randint(1, 4)]]
    return Solution(tuple(blocks), rng.choice(["", "a title", "ü: # %%"]))


def through_notebook(solution: Solution) -> Solution:
    """Written to notebook text and read again."""
    text = nbformat.writes(solution.to_notebook())
    return Solution.from_notebook(nbformat.reads(text, as_version=4))


# Round trips


@pytest.mark.parametrize("source", AWKWARD)
def test_an_awkward_source_survives_the_notebook(source):
    solution = Solution((Block("load", source), Block("model", "y = 2")), "title")
    assert through_notebook(solution).blocks == solution.blocks
    assert through_notebook(solution).title == "title"


@pytest.mark.parametrize("source", AWKWARD)
def test_an_awkward_source_survives_the_script(source):
    solution = Solution((Block("load", source), Block("model", "y = 2")))
    assert Solution.from_script(solution.to_script()).blocks == solution.blocks


def test_random_solutions_survive_notebook_and_script():
    for seed in range(300):
        solution = random_solution(seed)
        assert through_notebook(solution).blocks == solution.blocks, f"notebook, seed {seed}"
        assert through_notebook(solution).key == solution.key, f"key, seed {seed}"
        again = Solution.from_script(solution.to_script())
        assert again.blocks == solution.blocks, f"script, seed {seed}"
        both = through_notebook(Solution.from_script(through_notebook(solution).to_script()))
        assert both.blocks == solution.blocks, f"both, seed {seed}"


def test_the_notebook_is_valid_and_says_which_cell_is_which_block():
    notebook = Solution((Block("load", "x = 1"), Block("model", "y = x"))).to_notebook()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nbformat.validate(notebook)
    first, load, model = notebook.cells
    assert first.metadata.tags == ["parameters"]
    assert load.metadata.mlestar == {"block": "load"}
    assert load.metadata.tags == ["mlestar:load"]
    assert model.source == "y = x"
    assert len({cell.id for cell in notebook.cells}) == 3


def test_the_parameters_cell_runs_and_gives_the_values_of_the_contract():
    values: dict[str, object] = {}
    exec(Solution((Block("a", ""), Block("b", "x"))).to_notebook().cells[0].source, values)
    assert {name: values[name] for name in DEFAULT_PARAMETERS} == dict(DEFAULT_PARAMETERS)
    given = Solution((Block("b", "x"),)).to_notebook({"train_path": "train.parquet", "seed": 7})
    exec(given.cells[0].source, values)
    assert (values["train_path"], values["seed"]) == ("train.parquet", 7)


def test_what_papermill_injects_is_no_block():
    solution = Solution((Block("load", "x = 1"),))
    notebook = solution.to_notebook()
    cell = new_code_cell("seed = 3")
    cell.metadata["tags"] = ["injected-parameters"]
    notebook.cells.insert(1, cell)
    assert Solution.from_notebook(notebook).blocks == solution.blocks


# Foreign notebooks and scripts


def test_cells_of_a_foreign_notebook_are_named_by_the_heading_above():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# My title\nwords\n## Load the Data!"),
            new_code_cell("import pandas"),
            new_code_cell("x = 1"),
            new_code_cell("   \n"),
            new_markdown_cell("no heading"),
            new_code_cell("y = 1"),
            new_markdown_cell("# Model"),
            new_code_cell("z = 1"),
            new_markdown_cell("## model"),
            new_code_cell("w = 1"),
            new_markdown_cell("## 3. Übung"),
            new_code_cell("v = 1"),
        ]
    )
    solution = Solution.from_notebook(notebook, "mine")
    assert [block.source for block in solution.blocks] == [
        "import pandas", "x = 1", "y = 1", "z = 1", "w = 1", "v = 1",
    ]  # fmt: skip
    assert solution.names[1:5] == ("cell_2", "cell_3", "model", "model_2")
    assert solution.title == "mine"
    assert len(set(solution.names)) == 6


def test_a_cell_that_a_user_put_among_ours_does_not_clash_with_a_later_block():
    notebook = Solution((Block("load", "x = 1"), Block("model", "y = 1"))).to_notebook()
    notebook.cells[1:1] = [new_markdown_cell("# Model"), new_code_cell("z = 1")]
    solution = Solution.from_notebook(notebook)
    assert [block.source for block in solution.blocks] == ["z = 1", "x = 1", "y = 1"]
    assert solution.names[1:] == ("load", "model")


def test_a_foreign_cell_under_the_heading_parameters_is_not_lost_in_the_script():
    notebook = new_notebook(cells=[new_markdown_cell("# Parameters"), new_code_cell("depth = 3")])
    solution = Solution.from_notebook(notebook)
    again = Solution.from_script(solution.to_script())
    assert [block.source for block in again.blocks] == ["depth = 3"]


def test_a_notebook_without_code_is_refused():
    with pytest.raises(ReplyError, match="at least one block"):
        Solution.from_notebook(new_notebook(cells=[new_markdown_cell("# words")]))


def test_a_script_of_any_editor_is_read():
    text = "import os\n# %% Load the data\nx = 1\n# %%\ny = 2\n# %% [markdown] Model\nz = 3\n"
    solution = Solution.from_script(text)
    assert solution.names == ("cell_1", "load_the_data", "cell_3", "Model")
    assert solution.source("load_the_data") == "x = 1"


def test_the_parameters_of_a_script_are_no_block():
    solution = Solution.from_script("# %% parameters\nseed = 0\n# %% load\nx = 1\n")
    assert solution.names == ("load",)


# Blocks


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a-b", "é", "_x", "load\n", "a.b"], ids=lambda name: repr(name)
)
def test_a_block_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(ReplyError, match="identifier"):
        Block(name, "x = 1")


def test_duplicated_names_are_refused():
    with pytest.raises(ReplyError, match="two blocks are named 'a'"):
        Solution((Block("a", "x"), Block("b", "y"), Block("a", "z")))


def test_a_notebook_with_one_of_our_cells_copied_is_refused():
    notebook = Solution((Block("a", "x"),)).to_notebook()
    notebook.cells.append(block_cell(Block("a", "y")))
    with pytest.raises(ReplyError, match="two blocks are named 'a'"):
        Solution.from_notebook(notebook)


def test_an_empty_solution_is_refused():
    with pytest.raises(ReplyError, match="at least one block"):
        Solution(())


def test_replacing_a_block_changes_it_alone():
    solution = Solution((Block("a", "x"), Block("b", "y")), "title")
    changed = solution.replace("b", "z")
    assert changed.blocks == (Block("a", "x"), Block("b", "z"))
    assert changed.title == "title"
    assert solution.replace("b", "z", title="new").title == "new"
    assert changed.changed(solution) == ("b",)
    assert changed.changed(None) == ("a", "b")
    with pytest.raises(ReplyError, match="'c'; the blocks are a, b"):
        solution.replace("c", "z")


def test_members_of_an_ensemble_carry_a_prefix():
    blocks = prefixed(Solution((Block("load", "x"), Block("model", "y"))), "s1_")
    assert blocks == (Block("s1_load", "x"), Block("s1_model", "y"))


# Keys


def key(*sources: str) -> str:
    return Solution(tuple(Block(f"b{n}", s) for n, s in enumerate(sources))).key


@pytest.mark.parametrize(
    "same",
    [
        "x = f(1)  # a comment\ny = 2",
        "# a comment\n\n\nx = f(1)\n\ny = 2",
        "x = f(1)   \ny = 2\n\n",
        "x = f(1)\ny = 2\n",
        "x = f(1)\ny = 2\n# the end",
        "x  =  f( 1 )\ny = 2",
        "x = f(1)\r\ny = 2\r\n",
    ],
)
def test_the_key_ignores_comments_and_blank_lines(same):
    assert key(same) == key("x = f(1)\ny = 2")


@pytest.mark.parametrize(
    "other",
    [
        "x = f(2)\ny = 2",
        "y = 2\nx = f(1)",
        "x = f(1)",
        "x = f('1')\ny = 2",
        "x = f(1)\nif y:\n    y = 2",
        "x = f(1); y = '# 2'",
    ],
)
def test_the_key_tells_code_apart(other):
    assert key(other) != key("x = f(1)\ny = 2")


def test_the_key_tells_strings_with_blank_lines_and_signs_apart():
    assert key('s = """a\n\nb"""') != key('s = """a\nb"""')
    assert key('s = "# one"') != key('s = "# two"')
    assert key("if a:\n    b\n    c") != key("if a:\n    b\nc")


def test_the_key_ignores_names_and_title_but_not_the_order_of_blocks():
    one = Solution((Block("a", "x = 1"), Block("b", "y = 1")), "one")
    two = Solution((Block("c", "x = 1"), Block("d", "y = 1")), "two")
    swapped = Solution((Block("a", "y = 1"), Block("b", "x = 1")))
    assert one.key == two.key
    assert one.key != swapped.key


def test_a_source_with_magics_has_a_key_that_ignores_blank_lines():
    assert key("!pip list\n\nx = 1") == key("!pip list\nx = 1")
    assert key("!pip list\nx = 1") != key("!pip list\nx = 2")
    assert normalise("x = (") == "x = ("


# Compiling


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "",
        "%matplotlib inline\nx = 1",
        "if True:\n    %time x = 1\n",
        "!ls\nx = 1",
        "%%bash\necho $HOME (",
        'text = (\n    "%d rows"\n    % 3\n)',
        's = """\n!not a magic\n% nor this\n"""',
        "import asyncio\nawait asyncio.sleep(0)",
    ],
)
def test_python_with_magics_compiles(source):
    Solution((Block("load", "x = 1"), Block("model", source))).check_compiles()


@pytest.mark.parametrize(
    ("source", "line"),
    [("x = 1\ny = (", 2), ("def f(:\n  pass", 1), ("x = 1\n  y = 2", 2), ("a b", 1)],
)
def test_what_does_not_compile_is_named_by_block_and_line(source, line):
    with pytest.raises(ReplyError) as caught:
        Solution((Block("load", "x = 1"), Block("model", source))).check_compiles()
    assert f"block 'model', line {line}:" in str(caught.value)
    assert "\n" not in str(caught.value)
