"""run.ipynb tells what happened, and never disturbs what happens."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.events import Event
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.notebook import run_notebook
from mlestar_jupyter.notebook import study as study_module
from mlestar_jupyter.notebook.cells import candidate_cells
from mlestar_jupyter.notebook.run_notebook import RunNotebook
from mlestar_jupyter.notebook.study import study_cells
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
SOLUTION = Solution((Block("load", "x = 1"), Block("model", "x + 1")), "a | first $try$")


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run(build: Callable[..., Path], diabetes: Frames, tmp_path: Path) -> Run:
    settings = Settings(folds=2, solutions=2)
    return Run.create(tmp_path / "runs" / "first", from_folder(build(*diabetes)), settings)


def judged(
    run: Run,
    solution: Solution = SOLUTION,
    value: float | None = 60.0,
    *,
    parents: tuple[str, ...] = (),
    **more: Any,
) -> Candidate:
    """Record a candidate, with an executed notebook of its first fold if it has a score."""
    fields = {"stage": "refine", "plan": "a plan", "block": "model", **more}
    name = run.propose(Proposal("refine", solution, parents=parents))
    score = None if value is None else Score(value, (value,), (10,), 1.5, "rmse", False)
    if score is not None:
        notebook = solution.to_notebook()
        for number, cell in enumerate(notebook.cells):
            cell.execution_count = number + 1
            cell.outputs = [new_output("stream", name="stdout", text=f"said by {cell.id}")]
        nbformat.write(notebook, run.candidate_folder(name) / "fold-1.ipynb")
    status = "ok" if score is not None else "failed"
    return run.record(
        Candidate(
            **{"id": name, "solution": solution, "parents": parents, "status": status,
               "score": score, "seconds": 65.0, **fields}
        )
    )  # fmt: skip


def story(run: Run, clock: Callable[[], float] = time.monotonic) -> RunNotebook:
    notebook = RunNotebook(run, clock=clock)
    run.listeners.append(notebook)
    return notebook


def read(run: Run) -> NotebookNode:
    notebook = nbformat.read(run.folder / "run.ipynb", as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    return notebook


def text(run: Run) -> str:
    return "\n\n".join(cell.source for cell in read(run).cells)


def test_it_begins_with_what_was_understood(run: Run) -> None:
    story(run).flush()
    assert "120 rows to learn from, 40 to predict" in text(run)
    assert "2 folds of about 60 rows" in text(run)


def test_a_candidate_is_a_heading_and_its_changed_cells_with_their_outputs(run: Run) -> None:
    notebook = story(run)
    first = judged(run)
    second = SOLUTION.replace("model", "x + 2", title="second")
    judged(run, second, 58.0, parents=(first.id,))
    notebook.flush()
    cells = read(run).cells
    ours = [c for c in cells if c.metadata.get("mlestar", {}).get("candidate") == "0002"]
    heading, *code = ours
    assert heading.source.startswith("### 0002 · refine `model` · second")
    assert "rmse 58 ± 1.5" in heading.source
    assert "gain +2 over 0001 · 1m 05s · ok" in heading.source
    assert [c.source for c in code] == ["x + 2"]
    assert code[0].metadata.mlestar == {"run": "first", "candidate": "0002", "block": "model"}
    assert code[0].outputs[0].text == "said by model"
    assert code[0].execution_count == 3


def test_a_candidate_that_failed_says_why_in_one_line(run: Run) -> None:
    notebook = story(run)
    judged(run, value=None, reason="block model: NameError: name 'y'\nis not defined")
    notebook.flush()
    assert "Reason: block model: NameError: name 'y' is not defined" in text(run)
    assert "no score" in text(run)


def test_outputs_of_another_source_are_not_shown(run: Run) -> None:
    candidate = judged(run)
    changed = Candidate(
        **{**vars(candidate), "solution": SOLUTION.replace("model", "x + 3")}  # corrected later
    )
    cells = candidate_cells(run, changed, None)
    assert [bool(c.outputs) for c in cells[1:]] == [True, False]


def test_the_same_candidate_has_the_same_cell_ids_and_another_run_has_others(
    run: Run, tmp_path: Path
) -> None:
    candidate = judged(run)
    ids = [cell.id for cell in candidate_cells(run, candidate, None)]
    assert ids == [cell.id for cell in candidate_cells(run, candidate, None)]
    run.close()  # opened again, it has only what the journal keeps
    again = Run.open(run.folder, run.task)
    assert ids == [cell.id for cell in candidate_cells(again, candidate, None)]
    other = Run.create(tmp_path / "other", run.task, Settings(folds=2))
    assert not set(ids) & {cell.id for cell in candidate_cells(other, candidate, None)}


def test_very_long_block_names_have_ids_of_their_own(run: Run) -> None:
    names = ["s1_" + "x" * 55, "s1_" + "x" * 55 + "_y"]
    candidate = judged(run, Solution(tuple(Block(name, "1") for name in names)))
    ids = [cell.id for cell in candidate_cells(run, candidate, None)]
    assert len(set(ids)) == 3
    assert max(map(len, ids)) <= 64


def test_outputs_too_large_for_a_notebook_are_cut(run: Run) -> None:
    candidate = judged(run)
    path = run.candidate_folder(candidate.id) / "fold-1.ipynb"
    executed = nbformat.read(path, as_version=4)
    executed.cells[1].outputs = [
        new_output("stream", name="stdout", text="a" * 50_000 + "the end"),
        new_output("display_data", data={"image/png": "x" * 3_000_000, "text/plain": "figure"}),
        new_output("display_data", data={"image/png": "x" * 3_000_000}),
    ]
    nbformat.write(executed, path)
    printed, figure, nothing = candidate_cells(run, candidate, None)[1].outputs
    assert len(printed.text) < 11_000
    assert printed.text.endswith("the end")
    assert figure.data == {"text/plain": "figure"}
    assert "too large" in nothing.data["text/plain"]


def test_stages_come_once_and_in_order(run: Run) -> None:
    notebook = story(run)
    run.emit("stage_started", stage="initialize", branch=None)
    run.emit("stage_started", stage="refine", branch=0)
    run.emit("stage_started", stage="refine", branch=1)
    run.emit("stage_started", stage="ensemble", branch=None)
    notebook.flush()
    headings = [c.source for c in read(run).cells if c.source.startswith("## ")]
    assert headings == ["## Initial solutions", "## Refinement", "## Ensemble"]


def test_verdicts_stand_below_the_heading_of_their_candidate(run: Run) -> None:
    notebook = story(run)
    first, other = judged(run), judged(run, SOLUTION.replace("model", "x * 2"))
    run.emit("incumbent_changed", branch=0, id=first.id, best=True, reason="the first")
    run.emit("plan_lost", branch=-1, id=other.id, reason="a tie")
    run.emit("plan_lost", branch=0, id="0099", reason="nobody knows it")
    notebook.flush()
    sources = [c.source for c in read(run).cells]
    assert any(
        "### 0001" in s and "accepted in branch 1, **the best so far**" in s for s in sources
    )
    assert any("### 0002" in s and "rejected among the ensembles: a tie" in s for s in sources)
    assert any("0099" in s and "nobody knows it" in s for s in sources)


def test_an_ablation_study_is_a_table_with_the_largest_gain_first(run: Run) -> None:
    notebook = story(run)
    candidate = judged(run)
    results = [
        {"block": "load", "change": "small", "candidate": "0002", "score": 61.0, "gain": 1.0,
         "seconds": 3.0},
        {"block": "model", "change": "broken", "candidate": "0003", "score": None, "gain": None,
         "seconds": 3.0},
        {"block": "model", "change": "large | odd", "candidate": "0004", "score": 80.0,
         "gain": 20.0, "seconds": 3.0},
    ]  # fmt: skip
    run.emit(
        "ablation_measured", candidate=candidate.id, branch=1, results=results, summary="So it is."
    )
    notebook.flush()
    told = text(run)
    assert "### Ablation study of 0001 in branch 2" in told
    places = [told.index(words) for words in ("large \\| odd", "small", "broken", "> So it is.")]
    assert places == sorted(places)
    assert "+20" in told
    assert "failed" in told


def study(run: Run, *gains: float | None) -> Event:
    results = [
        {"block": "model", "change": f"variant {n} of $x$", "candidate": f"{n + 2:04d}",
         "score": None if gain is None else 60.0 + gain, "gain": gain, "seconds": 3.0}
        for n, gain in enumerate(gains)
    ]  # fmt: skip
    return run.emit("ablation_measured", candidate="0001", branch=0, results=results, summary="So.")


def test_a_study_has_bars_that_are_drawn_already_below_its_table(run: Run) -> None:
    notebook = story(run)
    judged(run)
    event = study(run, 20.0, -1.0, None, 0.0)
    notebook.flush()
    heading, chart = read(run).cells[-2:]
    assert heading.source.startswith("### Ablation study of 0001")
    assert chart.metadata.mlestar == {"run": "first", "candidate": "0001", "chart": "gains"}
    assert chart.metadata.jupyter.source_hidden
    (output,) = chart.outputs
    image = base64.b64decode(output.data["image/png"])
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20]) == 2 * output.metadata["image/png"]["width"]
    bars = output.data["text/plain"].splitlines()
    assert [line.split()[-2:] for line in bars[:1]] == [["+20", "█" * 24]]
    assert bars[1].endswith("±0")
    assert bars[2].endswith("−1  ░")
    assert [c.id for c in study_cells(run, event)] == [heading.id, chart.id]
    assert "block" not in chart.metadata.mlestar  # it is no part of a solution


def test_the_source_of_the_bars_draws_what_is_shown(run: Run, tmp_path: Path) -> None:
    judged(run)
    chart = study_cells(run, study(run, 20.0, 1.0))[-1]
    code = f"import matplotlib; matplotlib.use('Agg')\n{chart.source}\nprint(len(ax.patches))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "2", done.stderr


def test_a_study_without_a_gain_or_that_cannot_be_drawn_is_its_table(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(run)
    assert len(study_cells(run, study(run, None))) == 1

    def broken(source: str) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(study_module, "_draw", broken)
    (table,) = study_cells(run, study(run, 3.0))
    assert "+3" in table.source


def test_the_end_is_told(run: Run) -> None:
    notebook = story(run)
    card = {"name": "Ridge", "reason": "few rows", "example": "", "source": "https://ridge.org/a"}
    run.emit("cards_retrieved", cards=[card])
    judged(run)
    run.emit("target_chosen", candidate="0001", branch=0, block="model", plan="do it", reason="why")
    run.emit("note", text="by the way")
    run.emit("agents_changed", **{"from": "gemini", "to": "playbook", "reason": "no quota"})
    run.emit("submission_written", id="0001", path="submission.csv", seconds=2.0)
    run.emit("unsealed", id="0001", value=61.0, optimism=1.0, rows=20)
    run.emit(
        "finished_notebook_written", id="0001", path="finished.ipynb", verdict="reproduced",
        detail="the same score",
    )  # fmt: skip
    run.emit("run_finished", reason="finished")
    notebook.flush()
    for words in (
        "[ridge.org/a](https://ridge.org/a)", "### Target block `model` in branch 1", "> do it",
        "*by the way*", "*Agents: playbook goes on for gemini: no quota*",
        "[submission.csv](submission.csv)", "**reproduced**: the same score",
        "0001 on 20 rows: 61; validation had looked better by +1", "## End: finished",
    ):  # fmt: skip
        assert words in text(run), words


def test_a_run_that_is_opened_again_has_its_whole_story(run: Run) -> None:
    judged(run)
    run.close()
    again = Run.open(run.folder, run.task, write=True)
    notebook = story(again)
    judged(again, SOLUTION.replace("model", "x + 5"))
    notebook.flush()
    told = text(again)
    assert told.index("### 0001") < told.index("*Resumed after") < told.index("### 0002")


def test_a_candidate_that_is_judged_again_replaces_its_cells(run: Run) -> None:
    notebook = story(run)
    judged(run, value=None, status="cancelled", reason="no time was left")
    judged(run)
    notebook.flush()
    assert text(run).count("### 0001") == 1
    assert "no time was left" not in text(run)


def test_it_is_written_at_most_every_two_seconds(run: Run) -> None:
    clock = Clock()
    story(run, clock)
    run.emit("note", text="at once")
    run.emit("note", text="too early")
    assert "at once" in text(run)
    assert "too early" not in text(run)
    clock.now = 2.0
    run.emit("note", text="late enough")
    assert "too early" in text(run)


def test_flush_writes_at_once(run: Run) -> None:
    notebook = story(run, Clock())
    run.emit("note", text="first")
    run.emit("note", text="second")
    notebook.flush()
    assert "second" in text(run)


def test_nothing_new_is_not_written_again(run: Run) -> None:
    clock = Clock()
    story(run, clock)
    run.emit("note", text="first")
    before = (run.folder / "run.ipynb").stat().st_ino
    clock.now = 10.0
    run.emit("branch_finished", branch=0, id="0001")
    assert (run.folder / "run.ipynb").stat().st_ino == before


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("candidate_judged", {"id": "0077"}),
        ("ablation_measured", {"results": [{"gain": "x"}]}),
        ("cards_retrieved", {"cards": [None]}),
        ("incumbent_changed", {}),
        ("stage_started", {"stage": ["?"]}),
        ("submission_written", {"id": None}),
        ("something_of_tomorrow", {"a": object()}),
    ],
)
def test_odd_data_never_raises_and_the_story_goes_on(run: Run, kind: Any, data: Any) -> None:
    notebook = story(run)
    notebook(Event(50, kind, 0.0, 0.0, data))
    run.emit("note", text="and so on")
    notebook.flush()
    assert "and so on" in text(run)


def test_a_full_disk_keeps_the_last_whole_file_and_the_run_going(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = story(run)
    run.emit("note", text="before")
    notebook.flush()

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run_notebook, "write_whole", full)
        run.emit("note", text="meanwhile")
        notebook.flush()
        assert "meanwhile" not in text(run)
    notebook.flush()
    assert "meanwhile" in text(run)


def test_a_file_that_cannot_be_put_in_place_leaves_no_remains(run: Run) -> None:
    (run.folder / "run.ipynb").mkdir()
    story(run).flush()
    assert not list(run.folder.glob(".run.ipynb*"))


def test_an_event_costs_no_more_late_in_a_long_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    original = nbformat.read

    def counted(path: Any, **more: Any) -> Any:
        reads.append(str(path))
        return original(path, **more)

    story(run, Clock())
    for number in range(20):
        judged(run, SOLUTION.replace("model", f"x + {number}"))
    monkeypatch.setattr(nbformat, "read", counted)
    judged(run, SOLUTION.replace("model", "x + 100"))
    assert len([path for path in reads if path.endswith("fold-1.ipynb")]) == 1
