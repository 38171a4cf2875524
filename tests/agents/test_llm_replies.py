"""Replies: code and data are read through what models like to put around them, or refused."""

from __future__ import annotations

import json

import pytest

from mlestar_jupyter.agents.llm import contract, data, replies
from mlestar_jupyter.agents.llm.llm import Reply
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.solution import Block, Solution

BASE = Solution(
    (
        Block("load", "train = 1"),
        Block("model", "model = train + 1"),
        Block("predict", "open(predictions_path, 'w').write(str(model))"),
    )
)
CODE = "model = train + 2"
SCRIPT = "# %% load\ntrain = 1\n# %% model\nmodel = 2\n# %% predict\nprint(predictions_path)"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{CODE}\n```",
        f"Sure, here it is:\n\n```py\n{CODE}\n```\n\nIt adds two.",
        f"```\n{CODE}\n```",
        f"~~~python\n{CODE}\n~~~",
        f"````python\n{CODE}\n````",
        f"```python\n# %% model\n{CODE}\n```",
        f"```python\n#%% Model\n\n{CODE}\n\n```",
        f"```python\n{CODE}",
        CODE,
        f"Instead of\n```python\nx\n```\nwrite\n```python\n{CODE}\n```",
        f"```python\n# %% load\ntrain = 1\n# %% model\n{CODE}\n# %% predict\nx = 1\n```",
        f"```bash\nls\n```\n```python\n{CODE}\n```",
    ],
)
def test_a_block_is_found_in_what_stands_around_it(text: str) -> None:
    assert replies.block_source(text, "model") == CODE


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I cannot do this.", "no fenced block"),
        ("ok", "no fenced block"),
        ("```python\nx = 1\n```\nthen\n```python\ny = 2\n```", "2 fenced blocks"),
        ("```python\n# %% load\nx = 1\n# %% predict\ny = 2\n```", "load, predict"),
        ("```json\n{}\n```", "no fenced block"),
    ],
)
def test_what_is_plainly_no_block_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(ReplyError, match=problem):
        replies.block_source(text, "model")


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{SCRIPT}\n```",
        f"Here:\n```python\n{SCRIPT}\n```\nDone.",
        SCRIPT,
        f"```python\n# %% parameters\nseed = 0\n{SCRIPT}\n```",
        SCRIPT.replace("# %% ", "#%% [").replace("\ntrain", "]\ntrain").replace("[m", "m")
        .replace("[p", "p"),
        SCRIPT.replace("# %% load", "# %% Block: load - reads the files"),
        "Load:\n```python\n# %% load\ntrain = 1\n```\nRest:\n```python\n# %% model\nmodel = 2\n"
        "# %% predict\nprint(predictions_path)\n```",
        "## load\n```python\ntrain = 1\n```\n**`model`**\n```python\nmodel = 2\n```\n"
        "Block `predict`:\n\n```python\nprint(predictions_path)\n```",
    ],
)  # fmt: skip
def test_a_solution_is_found_in_what_stands_around_it(text: str) -> None:
    found = replies.solution(text, "t")
    assert found.names == ("load", "model", "predict")
    assert found.key == Solution.from_script(SCRIPT).key


def test_imports_above_the_first_marker_belong_to_the_first_block() -> None:
    found = replies.solution(f"```python\nimport os\n\n{SCRIPT}\n```", "t")
    assert found.names[0] == "load"
    assert found.source("load") == "import os\ntrain = 1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```python\nx = 1\ny = 2\n```", "no names"),
        ("```python\n# %% a\nx = 1\n# %% a\ny = 1\n```", "unique"),
        ("nothing", "no fenced block"),
        ("```python\n# %% 1st\nx = 1\n```", "identifier"),
    ],
)
def test_a_script_without_proper_blocks_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ReplyError, match=problem):
        replies.solution(text, "t")


def test_changed_blocks_take_the_names_that_the_solution_has() -> None:
    assert replies.changed_blocks(f"```python\n# %% Model\n{CODE}\n```", BASE) == {"model": CODE}
    with pytest.raises(ReplyError, match="no block train; its blocks are load, model, predict"):
        replies.changed_blocks("```python\n# %% train\nx = 1\n```", BASE)


@pytest.mark.parametrize("text", ["NONE", "None.", "**NONE**", "`none`\n", " none "])
def test_none_is_none_in_any_dress(text: str) -> None:
    assert replies.is_none(text)


def test_a_plan_is_prose_without_its_heading_or_fence() -> None:
    for text in ("Use logs.", "## Plan\n\nUse logs.", "**Plan:** Use logs.", "```\nUse logs.\n```"):
        assert replies.plain(text) == "Use logs."
    assert not replies.is_none("None of the plans gained, so use logs.")
    with pytest.raises(ReplyError):
        replies.plain("...")


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(""), "empty"),
        (Reply("  \n", "other", reason="MALFORMED"), "empty \\(MALFORMED\\)"),
        (Reply("x = 1", "length"), "cut off"),
        (Reply("x", "blocked", reason="SAFETY"), "refused to answer \\(SAFETY\\)"),
    ],
)
def test_a_reply_that_is_not_whole_says_why(reply: Reply, problem: str) -> None:
    with pytest.raises(ReplyError, match=problem):
        replies.usable(reply)


TARGET = {"block": "model", "plan": "use logs", "reason": "it matters"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TARGET),
        f"```json\n{json.dumps(TARGET, indent=2)}\n```",
        f"Here you are: {json.dumps(TARGET)} I hope it helps.",
        json.dumps({**TARGET, "confidence": 0.9}),
        json.dumps(TARGET).replace("use logs", "use logs"),
    ],
)
def test_data_is_found_in_what_stands_around_it(text: str) -> None:
    found = data.read(text, data.TARGET)
    assert {name: found[name] for name in TARGET} == TARGET


def test_newlines_in_strings_and_a_list_without_its_object_are_let_pass() -> None:
    variant = '{"block": "model", "change": "it", "source": "a = 1\nb = 2"}'
    assert data.read(f"[{variant}]", data.ABLATIONS)["variants"][0]["source"] == "a = 1\nb = 2"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no data", "no JSON: there is no {"),
        ('{"block": "model", "plan": ', "no JSON: Expecting value"),
        ('{"block": "model", "plan": "p"}', "it lacks 'reason'"),
        ('{"block": 3, "plan": "p", "reason": ""}', "block must be a string, not int"),
        ('{"answer": 42}', "it lacks 'block'"),
        ('see [1] and {"block": "model",}', "no JSON"),
    ],
)
def test_wrong_data_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ReplyError, match=problem):
        data.read(text, data.TARGET)


def test_wrong_data_deep_inside_is_named_by_its_place() -> None:
    text = json.dumps({"leaks": True, "reason": "", "blocks": [{"name": "model"}]})
    with pytest.raises(ReplyError, match=r"blocks\[0\] lacks 'source'"):
        data.read(text, data.LEAKAGE)


@pytest.mark.parametrize("schema", [data.CARDS, data.ABLATIONS, data.TARGET, data.LEAKAGE])
def test_schemas_are_strict_so_that_every_provider_takes_them(schema) -> None:
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "empty"),
        ("x = (1", "line 1: '\\(' was never closed"),
        ("%pip install torch", "plain Python only"),
        ("import no_such_package_here", "no_such_package_here, which is not installed"),
        ("from mlestar_jupyter import solve", "not installed"),
        ("x = 1\n...\ny = 2", "line 2: code is left out"),
        ("train_path = 'train.csv'", "sets train_path"),
        ("for seed in range(3):\n    pass", "sets seed"),
    ],
)
def test_code_that_cannot_be_right_is_refused_before_it_is_run(source: str, problem: str) -> None:
    with pytest.raises(ReplyError, match=problem):
        contract.check_block(Block("model", source))


def test_an_import_that_may_fail_and_what_was_set_before_are_let_pass() -> None:
    contract.check_block(Block("load", "try:\n    import no_such\nexcept ImportError:\n    pass"))
    contract.check_block(Block("load", "import os, sklearn.svm\nfrom pandas import Series"))
    contract.check_block(Block("load", "seed = 3"), before="seed = 2")


def test_a_changed_block_must_change_and_go_on_to_write() -> None:
    with pytest.raises(ReplyError, match="same as before"):
        contract.check_change(BASE, "model", "model = train + 1  # just so")
    with pytest.raises(ReplyError, match="predictions_path"):
        contract.check_change(BASE, "predict", "print(model)")
    contract.check_change(BASE, "model", CODE)


def test_a_solution_must_write_predictions_or_print_its_score() -> None:
    solution = Solution((Block("model", "x = 1"),))
    with pytest.raises(ReplyError, match="predictions_path"):
        contract.check_solution(solution)
    printing = Solution((Block("model", "print('Final Validation Performance:', 1.0)"),))
    contract.check_solution(printing, self_scored=True)
    with pytest.raises(ReplyError, match="Final Validation Performance"):
        contract.check_solution(solution, self_scored=True)
