"""The magics in a real kernel, driven by nbclient as any headless front end would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from mlestar_jupyter.demo import write_demo_task

LOAD = "%load_ext mlestar_jupyter"
RUN = (
    "%%mlestar trial --data task --time 75s --solutions 1 --outer 1 --inner 1 --models 2 "
    "--folds 2 --ensemble-rounds 1 --out run"
)


def execute(folder: Path, *sources: str, allow_errors: bool = False) -> list[Any]:
    """Execute these cells in a fresh kernel in ``folder``; gives the executed cells."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    client = NotebookClient(
        notebook, kernel_name="python3", allow_errors=allow_errors,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    return list(client.execute().cells)


def shown(cell: Any) -> str:
    """All text of a cell's outputs."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts.append(output.get("data", {}).get("text/plain", ""))
        parts.append(output.get("data", {}).get("text/markdown", ""))
        parts.append("\n".join(output.get("traceback", [])))
    return "\n".join(parts)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """One notebook that solves the demo's task and then asks for every verb."""
    folder = tmp_path_factory.mktemp("magics")
    write_demo_task(folder / "task")
    return folder, execute(
        folder,
        LOAD,
        f"{RUN}\nPredict how far diabetes progresses.",
        "%mlestar status",
        "%mlestar show best",
        "%mlestar refine --block model --inner 1 --time 40s",
        "%mlestar ablate --time 40s",
        "%mlestar ensemble --rounds 1 --time 40s",
        "%mlestar submit mine.csv",
        "%mlestar export mine.py",
        "%mlestar help",
        "print(sorted(n for n in globals() if not n.startswith('_')))",
    )


def test_the_cell_magic_shows_what_was_understood_then_solves_the_task(
    cells: tuple[Path, list[Any]],
) -> None:
    folder, executed = cells
    text = shown(executed[1])
    for word in ("progression", "rmse (lower is better)", "patient", "validation", "submission"):
        assert word in text
    assert (folder / "run" / "submission.csv").is_file()
    assert (folder / "run" / "finished.ipynb").is_file()


def test_nothing_is_printed_to_stderr(cells: tuple[Path, list[Any]]) -> None:
    for cell in cells[1]:
        assert not [o for o in cell.outputs if o.get("name") == "stderr"], cell.source


def test_the_live_display_is_one_output_that_updates_in_place(
    cells: tuple[Path, list[Any]],
) -> None:
    texts = [str(o.get("data", {}).get("text/plain", "")) for o in cells[1][1].outputs]
    lives = [text for text in texts if text.startswith("run solve: ")]
    assert len(lives) == 1
    assert lives[0].startswith("run solve: finished; ")
    assert "█" not in lives[0], "nobody looks on: it is plain"


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (2, ["finished", "scored", "best"]),
        (3, ["model", "predict"]),
        (4, ["refine"]),
        (5, ["Ablation study of"]),
        (6, ["best"]),
        (7, ["mine.csv"]),
        (8, ["mine.py"]),
        (9, ["refine", "ablate", "ensemble", "status", "show", "export", "submit", "--data"]),
    ],
)
def test_each_verb_answers(cells: tuple[Path, list[Any]], index: int, words: list[str]) -> None:
    text = shown(cells[1][index])
    for word in words:
        assert word in text


def test_the_users_namespace_is_left_as_it_was(cells: tuple[Path, list[Any]]) -> None:
    assert shown(cells[1][10]).strip() == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit']"


def test_dataframes_of_the_notebook_are_a_task_too(tmp_path: Path) -> None:
    write_demo_task(tmp_path / "task")
    executed = execute(
        tmp_path,
        f"{LOAD}\nimport pandas as pd\ntrain = pd.read_csv('task/train.csv')\n"
        "test = pd.read_csv('task/test.csv')\nbefore = train.copy()",
        "%%mlestar frames --train train --test test --metric mae --time 40s --solutions 1 "
        "--outer 0 --models 1 --out run --no-reproduce\nPredict `progression`.",
        "assert train.equals(before)\npd.read_csv('run/submission.csv').shape",
    )
    assert "mae (lower is better)" in shown(executed[1])
    assert "(92, 2)" in shown(executed[2])


def test_errors_are_one_line_that_names_the_thing_and_the_mend(tmp_path: Path) -> None:
    executed = execute(
        tmp_path,
        LOAD,
        "%mlestar status",
        "%mlestar dance",
        "%%mlestar --train nothing_here --target y\nthe task",
        "%%mlestar --data nowhere\nthe task",
        "%%mlestar 'open quote\nthe task",
        allow_errors=True,
    )
    expected = ["no run yet", "unknown verb 'dance'", "nothing_here", "nowhere", "close the quotes"]
    for cell, words in zip(executed[1:], expected, strict=True):
        (error,) = [o for o in cell.outputs if o.output_type == "error"]
        assert words in "\n".join(error.traceback)
        assert len("\n".join(error.traceback).splitlines()) == 1
