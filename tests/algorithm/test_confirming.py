"""What would be accepted on the word of a snapshot is executed from clean kernels first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cast import SmallCast
from scripted import PATIENCE, Scripted, solution

from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.confirming import is_same
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.finalize import fit
from mlestar_jupyter.algorithm.incumbent import replace_incumbent
from mlestar_jupyter.candidate import Candidate, Failure, Outcome, Proposal, Stage
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.grading import Graded
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Execution
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings


class FromSnapshots(Scripted):
    """All but clean executions begin with a snapshot, which does as it is told.

    ``differs`` is what it adds to the noise of predictions, ``clean`` how clean executions end, and
    ``restless`` whether they differ among themselves.
    """

    differs = 0.0
    clean = "ok"
    restless = False
    held = ""  # the fold whose clean execution goes on until it is cancelled

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.fresh: list[tuple[str, int]] = []
        self.stopped: list[str] = []
        self.least: dict[str, float] = {}

    def run(self, execution: Execution) -> Outcome:
        if not execution.fresh:
            self.least[execution.solution.title] = execution.least_saved
        if execution.fresh and execution.label == self.held:
            self.hold(execution.solution.title, int(self.held.removeprefix("fold-")))
        outcome = super().run(execution)
        if not execution.fresh:
            return replace(outcome, reused=2, saved=7.0)
        if outcome.status == "cancelled":
            return outcome
        self.fresh.append(self.begun[-1])
        if self.clean == "failed":
            return replace(outcome, status="failed", failure=Failure("model", "ValueError", "no"))
        return replace(outcome, status=self.clean)  # type: ignore[arg-type]

    def until_fresh(self, wanted: tuple[str, int]) -> None:
        """Come back when this fold is executed for the second time."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.begun.count(wanted) == 2, PATIENCE)

    def _predict(self, execution: Execution, fold: int, says: dict[str, Any]) -> None:
        bias = 0.0 if execution.fresh else self.differs
        if self.restless and execution.fresh:
            bias = 0.001 * len(self.fresh)
        super()._predict(execution, fold, {**says, "bias": says["bias"] + bias})
        execution.executed.write_text("clean" if execution.fresh else "from a snapshot")

    def stop_reusing(self, reason: str) -> None:
        self.stopped.append(reason)


Open = Callable[[], tuple[Context, FromSnapshots]]


@pytest.fixture
def opened(build, tmp_path) -> Iterator[tuple[Context, FromSnapshots]]:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"id": range(700), "x": rng.normal(size=700), "y": rng.normal(size=700)})
    train, test = rows[:600], rows[600:].drop(columns="y")
    task = from_folder(build(train, test, test[["id"]].assign(y=0.5)))
    settings = Settings(folds=2, jobs=1, bootstrap=50, solutions=1)
    run = Run.create(tmp_path / "run", task, settings)
    executor = FromSnapshots(run)
    context = Context(run, SmallCast(), executor, Budget(600, lambda: run.elapsed))
    yield context, executor
    context.close()
    run.close()


def judge(context: Context, title: str, noise: float, *parents: Candidate) -> Candidate:
    ids = tuple(parent.id for parent in parents)
    stage: Stage = "refine" if ids else "initialize"
    found = context.judge(Proposal(stage, solution(title, noise), title, ids, "model"))
    if not ids and found.score is not None:
        replace_incumbent(context.run, 0, found, "the first")
    return found


def test_what_would_be_accepted_counts_as_it_is_in_clean_kernels(opened) -> None:
    context, executor = opened
    first = judge(context, "first", 1.0)
    worse = judge(context, "worse", 1.05, first)
    better = judge(context, "better", 0.5, first)
    assert executor.fresh == [(t, fold) for t in ("first", "better") for fold in (1, 2)]
    assert executor.stopped == []
    folder = context.run.candidate_folder(better.id)
    assert (folder / "fold-1.ipynb").read_text() == "clean"
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == []
    folder = context.run.candidate_folder(worse.id)
    assert (folder / "fold-1.ipynb").read_text() == "from a snapshot"


def test_time_that_a_snapshot_saved_counts_for_what_the_candidate_takes(opened) -> None:
    context, _ = opened
    first = judge(context, "first", 1.0)
    worse = judge(context, "worse", 1.05, first)
    assert worse.slowest == 8.0
    assert worse.seconds == 2.0


def test_a_snapshot_must_save_more_than_confirming_costs_on_average(opened) -> None:
    context, executor = opened
    first = judge(context, "first", 1.0)
    judge(context, "worse", 1.05, first)
    assert executor.least == {"first": math.inf, "worse": pytest.approx(0.2 * first.slowest)}


def test_the_last_fit_is_executed_whole(opened, monkeypatch) -> None:
    context, executor = opened
    asked: list[Execution] = []

    def run(execution: Execution) -> Outcome:
        asked.append(execution)
        return Outcome("ok", 1.0)

    monkeypatch.setattr(executor, "run", run)
    fit(context, solution("first", 1.0), "all")
    assert [execution.fresh for execution in asked] == [True]


def test_the_first_ensemble_is_confirmed_whatever_it_was_made_of(opened) -> None:
    context, executor = opened
    first = judge(context, "first", 1.0)
    worse = Proposal("ensemble", solution("worse", 1.5), "", (first.id,), branch=-1)
    context.judge(worse)
    assert ("worse", 1) in executor.fresh


def test_a_difference_turns_reuse_off_and_the_clean_score_counts(opened) -> None:
    context, executor = opened
    executor.differs = 0.3
    first = judge(context, "first", 1.0)
    assert executor.stopped == [f"predictions of {first.id} differ from those of a clean kernel"]
    executor.differs = 0.0
    assert first.score is not None
    graded = [fold.value for fold in context.run.graded(first.id)]
    assert list(first.score.folds) == graded
    assert (context.run.candidate_folder(first.id) / "fold-1.ipynb").read_text() == "clean"


def test_a_candidate_that_is_random_by_itself_is_not_held_against_reuse(opened) -> None:
    context, executor = opened
    executor.differs, executor.restless = 0.3, True
    first = judge(context, "first", 1.0)
    assert executor.stopped == []
    notes = [e.data["text"] for e in context.run.events if e.kind == "note"]
    assert notes == [
        f"{first.id} gives other predictions each time; seed what is random in it",
    ]


def test_what_fails_in_a_clean_kernel_has_failed_and_turns_reuse_off(opened) -> None:
    context, executor = opened
    executor.clean = "failed"
    first = judge(context, "first", 1.0)
    assert (first.status, first.score) == ("failed", None)
    assert executor.stopped == [f"{first.id} fails in a clean kernel (block model: ValueError: no)"]


def test_a_fold_that_is_ended_because_another_fails_is_no_lack_of_time(opened) -> None:
    narrow, executor = opened
    narrow.run.change_settings(jobs=2)
    budget = Budget(600, lambda: narrow.run.elapsed)
    context = Context(narrow.run, SmallCast(), executor, budget)
    executor.clean, executor.held = "failed", "fold-1"
    first = judge(context, "first", 1.0)
    context.close()
    assert (first.status, first.score) == ("failed", None)
    assert executor.stopped == [f"{first.id} fails in a clean kernel (block model: ValueError: no)"]


def test_what_takes_too_long_in_a_clean_kernel_says_nothing_against_snapshots(opened) -> None:
    context, executor = opened
    executor.clean = "timed_out"
    first = judge(context, "first", 1.0)
    assert (first.status, first.score) == ("timed_out", None)
    assert executor.stopped == []


def test_what_is_stopped_while_it_is_confirmed_is_not_judged(opened) -> None:
    context, executor = opened
    executor.held = "fold-1"
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(judge, context, "first", 1.0)
        executor.until_fresh(("first", 1))
        context.budget.stop()
        executor.cancel()
        with pytest.raises(Stopped):
            judged.result()
    assert context.run.state.candidates == {}


def test_without_time_to_confirm_it_what_there_is_stays(opened) -> None:
    context, executor = opened
    executor.clean = "cancelled"
    first = judge(context, "first", 1.0)
    assert first.score is not None
    assert (context.run.candidate_folder(first.id) / "fold-1.csv").exists()
    assert (context.run.candidate_folder(first.id) / "fold-1.ipynb").read_text() != "clean"
    notes = [e.data["text"] for e in context.run.events if e.kind == "note"]
    assert notes == [f"{first.id} could not be executed from clean kernels in time"]


def test_predictions_are_compared_as_numbers_or_word_by_word() -> None:
    def graded(*values: object) -> Graded:
        return Graded(np.zeros(len(values)), np.asarray(values), 0.0)

    assert is_same(graded(1.0, 2.0), graded(1.0, 2.0 + 1e-12))
    assert not is_same(graded(1.0, 2.0), graded(1.0, 2.0001))
    assert not is_same(graded(1.0), graded(1.0, 2.0))
    assert is_same(graded("a", "b"), graded("a", "b"))
    assert not is_same(graded("a", "b"), graded("a", "c"))
