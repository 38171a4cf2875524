"""Every verb once, in one notebook with a small run; and what is refused before it costs time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from notebooks import Notebook, open_notebook

from mlestar_jupyter.demo import write_demo_task

RUN = (
    "%%mlestar trial --data task --time 90s --models 2 --solutions 1 --outer 1 --inner 1 "
    "--ensemble-rounds 0 --folds 1 --no-reproduce --sealed 0.2\nPredict how far diabetes goes."
)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Notebook, Path]]:
    folder = tmp_path_factory.mktemp("verbs")
    write_demo_task(folder / "task")
    with open_notebook(folder) as opened:
        solved = opened.run(RUN)
        assert not solved.error, solved.error
        yield opened, folder


def test_looking_takes_no_time_and_gives_objects(notebook: tuple[Notebook, Path]) -> None:
    opened, _ = notebook
    for verb, words in {
        "status": "best", "tree": "★", "show 1": "# %% model", "diff": "---", "why": "decision",
        "check": "leakage", "cost": "executions", "runs": "trial", "task": "progression",
        "config": "jobs", "doctor": "papermill", "help": "usage: %%mlestar",
        "merge --help": "usage: %mlestar merge", "card --help": "usage: %mlestar card",
    }.items():  # fmt: skip
        cell = opened.run(f"%mlestar {verb}")
        assert not cell.error, cell.error
        assert words in cell.text, verb
        assert cell.html, f"{verb} shows itself as HTML, too"
    computed = opened.run(
        "run = %mlestar status\nprint(sorted(run.candidates['status'].unique()), run.best.id)"
    )
    assert "'ok'" in computed.text


def test_a_candidate_is_inserted_as_the_next_cell_which_adopts_what_is_made_of_it(
    notebook: tuple[Notebook, Path],
) -> None:
    opened, _ = notebook
    inserted = opened.run("%mlestar insert 1")
    (payload,) = inserted.payload
    assert payload["source"] == "set_next_input"
    assert not payload["replace"]
    text = payload["text"]
    assert text.startswith("%%mlestar adopt 0001\n# %% load\n")
    (payload,) = opened.run("%mlestar insert best --all").payload
    unchanged = opened.run(payload["text"])
    assert unchanged.error.endswith("which is the best already; edit a block and adopt it again")
    edited = text.replace("# %% model", "# %% model\nnote = f'{seed} is left alone'")
    opened.run("seed = 'nothing'")
    adopted = opened.run(edited)
    assert not adopted.error, adopted.error
    assert "+note = f'{seed} is left alone'" in adopted.text
    assert "new blocks" not in adopted.text


def test_an_edited_notebook_is_adopted_with_the_cells_that_were_added(
    notebook: tuple[Notebook, Path],
) -> None:
    opened, folder = notebook
    run = folder / "mlestar_runs" / "trial"
    edited = nbformat.read(run / "candidates" / "0001" / "solution.ipynb", as_version=4)
    edited.cells.insert(-1, nbformat.v4.new_code_cell("mine = 1"))
    edited.cells[-2].metadata["mlestar"] = {"block": "mine"}
    nbformat.write(edited, folder / "edited.ipynb")
    adopted = opened.run("%mlestar adopt edited.ipynb --candidate 1")
    assert not adopted.error, adopted.error
    assert "new blocks, before the last one: mine" in adopted.text


def test_what_is_asked_for_beside_the_loops_is_judged(notebook: tuple[Notebook, Path]) -> None:
    opened, _ = notebook
    merged = opened.run("%mlestar merge 1 2 --time 60s")
    assert "merge" in merged.text or "no model" in merged.error
    searched = opened.run("%mlestar search --time 60s")
    assert not searched.error, searched.error
    undone = opened.run("%mlestar undo")
    assert "is undone; the best is" in undone.text
    submitted = opened.run("%mlestar submit mine.csv --time 90s")
    assert not submitted.error, submitted.error
    assert "mine.csv" in submitted.text


def test_any_candidate_can_be_accepted_and_taken_back(notebook: tuple[Notebook, Path]) -> None:
    opened, folder = notebook
    journal = folder / "mlestar_runs" / "trial" / "journal.jsonl"
    best = opened.run("best = %mlestar show best\nprint(best.id)").text.split()[-1]
    other = "0001" if best != "0001" else "0002"
    accepted = opened.run(f"%mlestar adopt {other}")
    assert not accepted.error, accepted.error
    assert f"the best by your word, until a better one is found: {other}" in accepted.text
    assert '"reason": "accepted by you"' in journal.read_text(encoding="utf-8")
    undone = opened.run(f"%mlestar undo {other}")
    assert f"{other} is undone; the best is {best}" in undone.text
    assert f"{other} is undone already" in opened.run(f"%mlestar undo {other}").error


def test_the_sealed_rows_are_graded_once(notebook: tuple[Notebook, Path]) -> None:
    opened, _ = notebook
    unsealed = opened.run("%mlestar unseal --time 60s")
    assert not unsealed.error, unsealed.error
    assert unsealed.text.splitlines()[-1].startswith("sealed rmse ")
    assert "a second look is not honest" in opened.run("%mlestar unseal").error


def test_what_cannot_be_is_said_in_one_line_before_anything_is_spent(
    notebook: tuple[Notebook, Path],
) -> None:
    opened, folder = notebook
    journal = folder / "mlestar_runs" / "trial" / "journal.jsonl"
    before = journal.read_bytes()
    for line, words in {
        "merge 1 1": "0001 cannot be merged into itself",
        "submit nowhere/a.csv": "no folder nowhere; make it or choose another",
        "export a.xyz": "a.xyz",
        "show 99": "no candidate '99'",
        "pause": "nothing to pause or to stop",
        "adopt": "adopt what?",
        "refine --time soon": "cannot read the time 'soon'",
    }.items():
        error = opened.run(f"%mlestar {line}").error
        assert words in error, line
        assert "\n" not in error
    assert journal.read_bytes() == before


def test_what_cannot_be_shown_does_not_end_a_run(notebook: tuple[Notebook, Path]) -> None:
    opened, _ = notebook
    opened.run(
        "from mlestar_jupyter.jupyter import display\n"
        "def broken(*_, **__): raise RuntimeError('no chart')\n"
        "kept, display.progress = display.progress, broken"
    )
    ablated = opened.run("%mlestar ablate --time 60s")
    opened.run("display.progress = kept")
    assert not ablated.error, ablated.error
    assert "Ablation study of" in ablated.text
