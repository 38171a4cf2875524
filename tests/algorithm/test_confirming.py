"""What would be accepted on the word of a snapshot is executed from clean kernels first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cast import SmallCast
from scripted import PATIENCE, Scripted, solution

from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.confirming import confirmed, is_same
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.finalize import fit
from mlestar_jupyter.algorithm.incumbent import decide_confirmed, replace_incumbent
from mlestar_jupyter.algorithm.refine import refine
from mlestar_jupyter.candidate import Candidate, Failure, Outcome, Proposal, Stage
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.grading import Graded
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Ablation, Attempt, Execution
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
    spoilt = False  # whether clean executions write no table
    flattered = ""  # the solution whose predictions are better with snapshots than without
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
        if says["title"] == self.flattered and not execution.fresh:
            says = {**says, "noise": says["noise"] / 10}
        if self.restless and execution.fresh:
            bias = 0.001 * len(self.fresh)
        super()._predict(execution, fold, {**says, "bias": says["bias"] + bias})
        if self.spoilt and execution.fresh:
            execution.predictions.write_text("nothing")
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


class Planner(SmallCast):
    """Tries models of these names, whose predictions are off so much, on the block of the model."""

    def __init__(self, **noise: float) -> None:
        super().__init__()
        self.noise = noise

    def ablate(self, *_: Any) -> list[Ablation]:
        return []

    def plan(self, _: Any, __: Any, ___: Any, attempts: Sequence[Attempt]) -> str | None:
        return next(iter(list(self.noise)[len(attempts) :]), None)

    def code(self, _: Any, __: Any, ___: Any, plan: str) -> str:
        return solution(plan, self.noise[plan]).source("model")


def judge(
    context: Context, title: str, noise: float, *parents: Candidate, branch: int = 0
) -> Candidate:
    ids = tuple(parent.id for parent in parents)
    stage: Stage = "refine" if ids else "initialize"
    proposal = Proposal(stage, solution(title, noise), title, ids, "model", branch)
    return context.judge(proposal)


def offer(
    context: Context, title: str, noise: float, *parents: Candidate, branch: int = 0
) -> Candidate:
    """Judge it, and make it the incumbent if it is better."""
    run = context.run
    incumbent = run.state.candidates.get(run.state.incumbents.get(branch, ""))
    found = judge(context, title, noise, *parents, branch=branch)
    found, decision = decide_confirmed(context, found, incumbent)
    if decision.accepted:
        replace_incumbent(run, branch, found, decision.reason, incumbent)
    return found


def notes(context: Context) -> list[str]:
    return [event.data["text"] for event in context.run.events if event.kind == "note"]


def test_what_would_be_accepted_counts_as_it_is_in_clean_kernels(opened) -> None:
    context, executor = opened
    first = offer(context, "first", 1.0)
    worse = offer(context, "worse", 1.05, first)
    better = offer(context, "better", 0.5, first)
    assert executor.fresh == [(t, fold) for t in ("first", "better") for fold in (1, 2)]
    assert executor.stopped == []
    folder = context.run.candidate_folder(better.id)
    assert (folder / "fold-1.ipynb").read_text() == "clean"
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == []
    folder = context.run.candidate_folder(worse.id)
    assert (folder / "fold-1.ipynb").read_text() == "from a snapshot"


def test_each_gain_of_an_inner_loop_is_confirmed_before_it_counts(opened) -> None:
    context, executor = opened
    first = offer(context, "first", 1.0)
    executor.fresh.clear()
    executor.flattered = "lucky"
    context.agents = Planner(good=0.7, worse=0.9, lucky=2.0, better=0.4)
    best = refine(context, first, outer_steps=1, inner_steps=4, block="model")
    assert [title for title, fold in executor.fresh if fold == 2] == ["good", "lucky", "better"]
    state = context.run.state
    assert [state.candidates[c].plan for _, c, _ in state.accepted] == ["first", "good", "better"]
    assert best.id == state.best == state.incumbents[0]
    begun = len(executor.begun)
    assert confirmed(context, best) is best
    assert len(executor.begun) == begun, "once is enough"


def test_what_does_not_hold_has_the_score_of_clean_kernels_and_lost(opened) -> None:
    context, executor = opened
    first = offer(context, "first", 1.0)
    executor.flattered = "lucky"
    context.agents = Planner(lucky=2.0)
    assert refine(context, first, outer_steps=1, inner_steps=1, block="model").id == first.id
    lucky = context.run.state.candidates["0002"]
    assert lucky.score is not None
    assert lucky.score.value > 1.5
    assert executor.stopped == [f"predictions of {lucky.id} differ from those of a clean kernel"]
    lost = [e.data for e in context.run.events if e.kind == "plan_lost"]
    assert [(data["id"], data["reason"]) for data in lost] == [
        (lucky.id, "worse: better with probability 0.00")
    ]


def test_what_was_confirmed_by_halves_is_not_confirmed(opened) -> None:
    context, executor = opened
    executor.held = "fold-2"
    first = judge(context, "first", 1.0)
    with ThreadPoolExecutor(1) as pool:
        offered = pool.submit(confirmed, context, first)
        executor.until_fresh(("first", 2))
        context.budget.stop()
        executor.cancel()
        with pytest.raises(Stopped):
            offered.result()
    assert executor.fresh == [("first", 1)]
    again = Run.open(context.run.folder, context.run.task)
    assert again.state.unconfirmed == {first.id: {"fold-1", "fold-2"}}


def test_what_clean_executions_take_is_learned(opened) -> None:
    context, executor = opened
    first = judge(context, "first", 1.0)
    executor.seconds = 11.0
    confirmed(context, first)
    assert context.run.state.candidates[first.id].slowest == 11.0


def test_what_was_asked_for_may_take_as_long_once_more(opened) -> None:
    context, executor = opened
    first = offer(context, "first", 1.0)
    made = solution("slow", 0.5)
    proposal = Proposal("adopt", made, "", (first.id,), "model")
    slow = context.judge(proposal, is_asked=True)
    allowed = executor.limits["slow"]
    confirmed(context, slow, is_asked=True)
    assert executor.limits["slow"] == allowed > context.limit_of(slow.parents)


def test_a_pause_holds_back_what_nobody_waits_for(opened) -> None:
    context, executor = opened
    first = judge(context, "first", 1.0)
    second = judge(context, "second", 1.0)
    context.gate.pause()
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(confirmed, context, first)
        confirmed(context, second, is_asked=True)
        assert {title for title, _ in executor.fresh} == {"second"}
        context.gate.open()
        held.result()
    assert {title for title, _ in executor.fresh} == {"first", "second"}


def test_two_branches_that_come_upon_one_candidate_confirm_it_once(opened) -> None:
    context, executor = opened
    executor.held = "fold-1"
    first = judge(context, "first", 1.0)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(confirmed, context, first) for _ in range(2)]
        executor.until_fresh(("first", 1))
        executor.release("first", 1)
        assert {future.result().score for future in both} == {first.score}
    assert executor.begun.count(("first", 1)) == 2


def test_who_opens_the_run_again_knows_what_is_not_confirmed(opened) -> None:
    context, _ = opened
    judge(context, "unconfirmed", 1.1)
    offer(context, "first", 1.0)
    again = Run.open(context.run.folder, context.run.task)
    assert again.state.unconfirmed == {"0001": {"fold-1", "fold-2"}, "0002": set()}


def test_time_that_a_snapshot_saved_counts_for_what_the_candidate_takes(opened) -> None:
    context, _ = opened
    first = offer(context, "first", 1.0)
    worse = judge(context, "worse", 1.05, first)
    assert worse.slowest == 8.0
    assert worse.seconds == 2.0


def test_a_snapshot_must_save_more_than_confirming_costs_on_average(opened) -> None:
    context, executor = opened
    first = offer(context, "first", 1.0)
    judge(context, "worse", 1.05, first)
    assert executor.least == {"first": math.inf, "worse": pytest.approx(0.15 * first.slowest)}


def test_the_last_fit_is_executed_whole(opened, monkeypatch) -> None:
    context, executor = opened
    asked: list[Execution] = []

    def run(execution: Execution) -> Outcome:
        asked.append(execution)
        return Outcome("ok", 1.0)

    monkeypatch.setattr(executor, "run", run)
    fit(context, solution("first", 1.0), "all")
    assert [execution.fresh for execution in asked] == [True]


def test_a_difference_turns_reuse_off_and_the_clean_score_counts(opened) -> None:
    context, executor = opened
    executor.differs = 0.3
    first = offer(context, "first", 1.0)
    assert executor.stopped == [f"predictions of {first.id} differ from those of a clean kernel"]
    executor.differs = 0.0
    assert first.score is not None
    graded = [fold.value for fold in context.run.graded(first.id)]
    assert list(first.score.folds) == graded
    assert (context.run.candidate_folder(first.id) / "fold-1.ipynb").read_text() == "clean"


def test_a_candidate_that_is_random_by_itself_is_not_held_against_reuse(opened) -> None:
    context, executor = opened
    executor.differs, executor.restless = 0.3, True
    first = offer(context, "first", 1.0)
    assert executor.stopped == []
    assert notes(context) == [
        f"{first.id} gives other predictions each time; seed what is random in it",
    ]


def test_what_fails_in_a_clean_kernel_has_failed_and_turns_reuse_off(opened) -> None:
    context, executor = opened
    executor.clean = "failed"
    first = offer(context, "first", 1.0)
    assert (first.status, first.score) == ("failed", None)
    assert executor.stopped == [f"{first.id} fails in a clean kernel (block model: ValueError: no)"]


def test_a_fold_that_is_ended_because_another_fails_is_no_lack_of_time(opened) -> None:
    narrow, executor = opened
    narrow.run.change_settings(jobs=2)
    budget = Budget(600, lambda: narrow.run.elapsed)
    context = Context(narrow.run, SmallCast(), executor, budget)
    executor.clean, executor.held = "failed", "fold-1"
    first = offer(context, "first", 1.0)
    context.close()
    assert (first.status, first.score) == ("failed", None)
    assert executor.stopped == [f"{first.id} fails in a clean kernel (block model: ValueError: no)"]


def test_clean_predictions_that_cannot_be_graded_are_told_with_their_executions(opened) -> None:
    context, executor = opened
    executor.spoilt = True
    first = offer(context, "first", 1.0)
    assert (first.status, first.score) == ("invalid_predictions", None)
    (why,) = executor.stopped
    assert why.startswith(f"predictions of {first.id} from a clean kernel cannot be graded (")
    executed = [e.data for e in context.run.events if e.kind == "candidate_executed"]
    assert [data.get("confirms") for data in executed] == [None, None, False, False]
    assert context.run.state.unconfirmed == {first.id: {"fold-1", "fold-2"}}


def test_what_takes_too_long_in_a_clean_kernel_says_nothing_against_snapshots(opened) -> None:
    context, executor = opened
    executor.clean = "timed_out"
    first = offer(context, "first", 1.0)
    assert (first.status, first.score) == ("timed_out", None)
    assert executor.stopped == []


def test_what_is_stopped_while_it_is_confirmed_is_not_accepted(opened) -> None:
    context, executor = opened
    executor.held = "fold-1"
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(offer, context, "first", 1.0)
        executor.until_fresh(("first", 1))
        context.budget.stop()
        executor.cancel()
        with pytest.raises(Stopped):
            judged.result()
    assert context.run.state.incumbents == {}


def test_without_time_to_confirm_it_what_there_is_stays(opened) -> None:
    context, executor = opened
    executor.clean = "cancelled"
    first = offer(context, "first", 1.0)
    assert first.score is not None
    assert (context.run.candidate_folder(first.id) / "fold-1.csv").exists()
    assert (context.run.candidate_folder(first.id) / "fold-1.ipynb").read_text() != "clean"
    assert notes(context) == [
        f"no time is left to execute {first.id} from clean kernels; "
        "the finished notebook tells whether it holds"
    ]


def test_what_could_not_be_confirmed_in_time_is_not_begun(opened) -> None:
    context, executor = opened
    first = judge(context, "first", 1.0)
    context.budget.total = context.run.elapsed + context.budget.reserve + 10
    assert confirmed(context, first).score == first.score
    assert executor.fresh == []
    assert len(notes(context)) == 1


def test_predictions_are_compared_as_numbers_or_word_by_word() -> None:
    def graded(*values: object) -> Graded:
        return Graded(np.zeros(len(values)), np.asarray(values), 0.0)

    assert is_same(graded(1.0, 2.0), graded(1.0, 2.0 + 1e-12))
    assert not is_same(graded(1.0, 2.0), graded(1.0, 2.0001))
    assert not is_same(graded(1.0), graded(1.0, 2.0))
    assert is_same(graded("a", "b"), graded("a", "b"))
    assert not is_same(graded("a", "b"), graded("a", "c"))
