"""A data scientist at work: runs in the background, pauses, interrupts, restarts, two notebooks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from notebooks import Notebook, open_notebook

from mlestar_jupyter.demo import write_demo_task

SMALL = (
    "--data task --time 90s --models 2 --solutions 1 --outer 1 --inner 1 --ensemble-rounds 0 "
    "--folds 1 --no-reproduce"
)
RUN = f"%%mlestar trial {SMALL}"
FOLDER = "mlestar_runs/trial"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_demo_task(tmp_path / "task")
    return tmp_path


@pytest.fixture
def notebook(folder: Path) -> Iterator[Notebook]:
    with open_notebook(folder) as opened:
        yield opened


def journal(folder: Path) -> list[dict[str, object]]:
    """The events of the run so far; a line that is being written is left out."""
    path = folder / FOLDER / "journal.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def kinds(folder: Path) -> Counter[object]:
    return Counter(event["kind"] for event in journal(folder))


def executed_twice(folder: Path) -> list[object]:
    scored = [
        e for e in journal(folder) if e["kind"] == "candidate_executed" and e["id"] != "final"
    ]
    ok = Counter((e["id"], e["purpose"]) for e in scored if e["status"] == "ok")
    return [which for which, count in ok.items() if count > 1]


def test_a_run_in_the_background_gives_the_kernel_back_and_the_same_cell_attaches_to_it(
    notebook: Notebook, folder: Path
) -> None:
    cell = f"{RUN} --background\nPredict how far diabetes progresses."
    first = notebook.run(cell)
    assert not first.error, first.error
    assert "progression" in first.text, "what was understood is shown at once"
    assert kinds(folder)["run_finished"] == 0, "the kernel is free while the run goes on"
    assert notebook.run("print(6 * 7)").text.strip() == "42"
    status = notebook.run("run = %mlestar status\nprint(type(run).__name__, run.task.target)")
    assert "RunView progression" in status.text

    again = notebook.run(cell)
    assert not again.error, again.error
    refused = notebook.run("%mlestar ensemble")
    assert "the run is at work in this kernel (solve)" in refused.error
    before = first.updates
    notebook.until(lambda: "finished" in first.text and "finished" in again.text)
    assert first.updates > before, "both displays were kept up to date by the work itself"
    assert [p.name for p in (folder / "mlestar_runs").iterdir()] == ["trial"]
    assert notebook.run("%mlestar stop").error.endswith("nothing to pause or to stop")


def test_a_second_client_pauses_a_run_while_its_cell_is_busy(
    notebook: Notebook, folder: Path
) -> None:
    cell = notebook.begin(f"{RUN}\nPredict how far diabetes progresses.")
    notebook.until(lambda: kinds(folder)["candidate_proposed"] >= 1)
    with notebook.second_client() as second:
        subshell = second.subshell()
        paused = second.run("%mlestar pause", subshell=subshell)
        assert not paused.error, paused.error
        assert "paused" in paused.text
        assert not cell.is_idle
        notebook.until(lambda: "paused" in cell.text)
        assert kinds(folder)["paused"] == 1
        pinned = second.run("%mlestar pin model", subshell=subshell)
        assert not pinned.error, pinned.error
        suggested = second.run('%mlestar suggest "more trees"', subshell=subshell)
        resumed = second.run("%mlestar resume --background", subshell=subshell)
        assert not resumed.error, resumed.error
        assert suggested.text or suggested.error
    notebook.wait(cell)
    assert not cell.error, cell.error
    assert kinds(folder)["resumed"] == 1
    targets = [e for e in journal(folder) if e["kind"] == "target_chosen"]
    assert [t["block"] for t in targets] == ["model"]
    assert "submission.csv" in cell.text


def test_an_interrupt_stops_softly_and_the_cell_says_how_to_go_on(
    notebook: Notebook, folder: Path
) -> None:
    cell = notebook.begin(f"{RUN}\nPredict how far diabetes progresses.")
    notebook.until(lambda: kinds(folder)["candidate_judged"] >= 1)
    notebook.manager.interrupt_kernel()
    notebook.wait(cell)
    assert "RunStopped: stopped after" in cell.error
    assert "%mlestar resume" in cell.error
    assert "Traceback" not in cell.error
    assert journal(folder)[-1]["kind"] == "run_finished"
    assert journal(folder)[-1]["reason"] == "stopped"
    resumed = notebook.run("%mlestar resume")
    assert not resumed.error, resumed.error
    assert journal(folder)[-1]["reason"] == "finished"
    assert executed_twice(folder) == []
    again = notebook.run("%mlestar resume")
    assert again.error.endswith("give it more time: %mlestar resume --time 20m")


@pytest.mark.slow
def test_a_restarted_kernel_goes_on_with_the_run(notebook: Notebook, folder: Path) -> None:
    notebook.run(f"{RUN} --background\nPredict how far diabetes progresses.")
    notebook.until(lambda: kinds(folder)["candidate_judged"] >= 1)
    notebook.restart()
    notebook.run("%load_ext mlestar_jupyter")
    assert "no run yet" in notebook.run("%mlestar status").error
    resumed = notebook.run(f"%mlestar resume --run {FOLDER}")
    assert not resumed.error, resumed.error
    assert journal(folder)[-1]["reason"] == "finished"
    assert executed_twice(folder) == []


@pytest.mark.slow
def test_two_notebooks_work_on_two_runs_and_the_second_is_refused_on_the_same_one(
    notebook: Notebook, folder: Path
) -> None:
    first = notebook.begin(f"{RUN}\nPredict how far diabetes progresses.")
    notebook.until(lambda: kinds(folder)["candidate_proposed"] >= 1)
    with open_notebook(folder) as other:
        refused = other.run(f"%mlestar refine --run {FOLDER}")
        assert "in use by another process" in refused.error
        assert refused.error.count("\n") == 0
        looked = other.run(f"%mlestar tree --run {FOLDER}")
        assert not looked.error, "looking is always possible"
        second = other.run(f"{RUN}\nPredict how far diabetes progresses.")
        assert not second.error, second.error
        assert "mlestar_runs/trial-2" in second.text
    notebook.wait(first)
    assert not first.error, first.error
    assert "mlestar_runs/trial/submission.csv" in first.text


def test_step_by_step_a_run_waits_and_every_cell_takes_it_one_step_further(
    notebook: Notebook, folder: Path
) -> None:
    cell = notebook.run(f"{RUN} --step\nPredict how far diabetes progresses.")
    assert not cell.error, cell.error
    assert "outer step 1 of 1" in cell.text
    assert kinds(folder)["ablation_measured"] == 0
    assert "the next outer step refines model" in notebook.run("%mlestar pin model").text
    inserted = notebook.run("%mlestar insert best")
    assert "in the next cell" in inserted.text
    best = notebook.run("best = %mlestar show best\nprint(best.source('model'))").text
    adopted = notebook.run(f"%%mlestar adopt best\n# %% model\n{best}\nextra = 1")
    assert not adopted.error, adopted.error
    assert "+extra = 1" in adopted.text

    known = kinds(folder)
    slow = notebook.begin(f"%%mlestar adopt best\n# %% model\nimport time\ntime.sleep(3)\n{best}")
    notebook.until(lambda: kinds(folder)["candidate_proposed"] > known["candidate_proposed"])
    notebook.manager.interrupt_kernel()
    assert "this cell no longer waits; the run goes on" in notebook.wait(slow).error

    step = notebook.run("%mlestar refine --block model")
    assert not step.error, step.error
    assert kinds(folder)["ablation_measured"] == 1
    assert kinds(folder)["step_waiting"] == 1
    assert journal(folder)[-1]["reason"] == "finished", "that was the only step"
    events = journal(folder)
    delivery = next(n for n, e in enumerate(events) if e.get("stage") == "finalize")
    judged = {event["id"] for event in events[:delivery] if event["kind"] == "candidate_judged"}
    asked = {e["id"] for e in events if e.get("stage") == "adopt"}
    assert len(asked) == 2
    assert asked <= judged, "what the interrupted cell asked for may be the winner all the same"
    why = notebook.run("%mlestar why best")
    assert not why.error, why.error
