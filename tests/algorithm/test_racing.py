"""Racing: what is almost surely worse is ended, and what would be accepted hardly ever is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from cast import SmallCast
from scripted import Scripted, solution

from mlestar_jupyter.algorithm.acceptance import decide
from mlestar_jupyter.algorithm.asked import debug_again, finish
from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import replace_incumbent
from mlestar_jupyter.algorithm.racing import (
    BETWEEN_FOLDS,
    WRONGLY_ENDED,
    FoldGain,
    chance_ahead,
    fold_gain,
)
from mlestar_jupyter.candidate import Candidate, Failure, Proposal
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.executors import make_executor
from mlestar_jupyter.grading import Graded
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Brief, ModelCard
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.reading import standings, why
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.task import Overrides, Task

SETTINGS = Settings(folds=5, jobs=1, bootstrap=50, solutions=1)
Open = Callable[..., tuple[Context, Scripted]]


@pytest.fixture
def task(build) -> Task:
    """600 rows, judged by rmse."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"id": range(700), "x": rng.normal(size=700), "y": rng.normal(size=700)})
    train, test = rows[:600], rows[600:].drop(columns="y")
    return from_folder(build(train, test, test[["id"]].assign(y=0.5)))


@pytest.fixture
def opened(task, tmp_path) -> Iterator[Open]:
    """A function that opens a run with a scripted executor; more runs, more folders."""
    contexts: list[Context] = []

    def open_context(
        settings: Settings = SETTINGS, agents: SmallCast | None = None, of: Task = task
    ) -> tuple[Context, Scripted]:
        run = Run.create(tmp_path / f"run{len(contexts)}", of, settings)
        executor = Scripted(run)
        budget = Budget(settings.seconds, lambda: run.elapsed)
        contexts.append(Context(run, agents or SmallCast(), executor, budget))
        return contexts[-1], executor

    yield open_context
    for context in contexts:
        context.close()
        context.run.close()


def begin(context: Context, noise: float = 10.0) -> Candidate:
    """The incumbent, judged on all folds."""
    first = context.judge(Proposal("initialize", solution("first", noise)))
    assert first.score is not None
    return first


def refined(of: Candidate, title: str, noise: float, **more: object) -> Proposal:
    return Proposal("refine", solution(title, noise, **more), title, (of.id,), "model")  # type: ignore[arg-type]


# What is ended


def test_a_candidate_that_is_far_worse_is_ended_after_its_first_fold(opened) -> None:
    context, executor = opened()
    first = begin(context)
    executor.hold("worse", 2)  # for it may begin while the first is looked at
    worse = context.judge(refined(first, "worse", 30.0))
    assert (worse.status, worse.score) == ("stopped_early", None)
    assert executor.folds_of("worse") in ([1], [1, 2])
    assert worse.reason.startswith("after 1 fold of 5 it is worse than the incumbent by ")
    assert "(rmse); the chance that it would be better after all is below 0.01 %" in worse.reason
    decision = decide(context.run, worse, first)
    assert not decision.accepted
    assert decision.reason == f"ended early: {worse.reason}"


def test_folds_that_are_under_way_are_cancelled(opened) -> None:
    context, executor = opened(SETTINGS.replace(jobs=3))
    first = begin(context)
    executor.hold("worse", 1, 2, 3, 4)
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(context.judge, refined(first, "worse", 30.0))
        executor.until_begun(("worse", 1), ("worse", 2), ("worse", 3))
        executor.release("worse", 1)  # nobody releases the others
        assert judged.result().status == "stopped_early"
    ended = {
        e.data["purpose"]: e.data["status"]
        for e in context.run.events
        if e.kind == "candidate_executed" and e.data["id"] == judged.result().id
    }
    assert ended["fold-1"] == "ok"
    assert ended["fold-2"] == ended["fold-3"] == "cancelled"
    assert "fold-5" not in ended


def test_a_little_worse_needs_more_folds_before_it_is_ended(opened) -> None:
    context, executor = opened()
    first = begin(context)
    executor.hold("a little worse", 4)
    worse = context.judge(refined(first, "a little worse", 12.5))
    assert worse.status == "stopped_early"
    assert worse.reason.startswith(("after 2 folds of 5", "after 3 folds of 5"))
    assert 5 not in executor.folds_of("a little worse")


@pytest.mark.parametrize("noise", [9.0, 10.3])
def test_what_is_better_or_a_tie_is_finished(opened, noise) -> None:
    context, executor = opened()
    first = begin(context)
    candidate = context.judge(refined(first, "near", noise))
    assert candidate.score is not None
    assert executor.folds_of("near") == [1, 2, 3, 4, 5]


def test_folds_are_looked_at_in_their_order_whichever_is_faster(opened) -> None:
    context, executor = opened(SETTINGS.replace(jobs=2))
    first = begin(context)
    executor.hold("worse", 1, 5)
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(context.judge, refined(first, "worse", 30.0))
        executor.until_begun(("worse", 5))  # three are done, and it goes on for want of the first
        assert not judged.done()
        executor.release("worse", 1)
        assert judged.result().reason.startswith("after 1 fold of 5")


@pytest.mark.parametrize("stage", ["ablate", "initialize", "adopt", "debug", "ensemble"])
def test_other_stages_are_not_raced(opened, stage) -> None:
    context, executor = opened()
    first = begin(context)
    worse = Proposal(stage, solution("worse", 30.0), "worse", (first.id,), "model", branch=-1)
    assert context.judge(worse).score is not None
    assert executor.folds_of("worse") == [1, 2, 3, 4, 5]


def test_an_ensemble_is_raced_against_the_one_before_and_not_its_members(opened) -> None:
    context, executor = opened()
    first = begin(context)

    def ensemble(title: str, noise: float) -> Candidate:
        proposal = Proposal("ensemble", solution(title, noise), title, (first.id,), branch=-1)
        return context.judge(proposal)

    before = ensemble("worse than its member", 30.0)
    context.run.emit("incumbent_changed", branch=-1, id=before.id, best=False, reason="first")
    assert ensemble("better than the one before", 20.0).score is not None
    executor.hold("worse than the one before", 2)
    assert ensemble("worse than the one before", 90.0).status == "stopped_early"


def test_what_the_user_asked_for_is_not_raced(opened) -> None:
    context, _ = opened()
    first = begin(context)
    assert context.judge(refined(first, "worse", 30.0), is_asked=True).score is not None


def test_no_early_stop_finishes_every_candidate_also_one_that_fails(opened) -> None:
    context, executor = opened(SETTINGS.replace(early_stop=False))
    first = begin(context)
    assert context.judge(refined(first, "worse", 30.0)).score is not None
    assert context.judge(refined(first, "broken", 10.0, raises="no")).status == "failed"
    assert executor.folds_of("broken") == [1, 2, 3, 4, 5]


def test_one_fold_is_no_race(opened) -> None:
    context, _ = opened(SETTINGS.replace(folds=1))
    assert context.judge(refined(begin(context), "worse", 30.0)).score is not None


def test_folds_in_the_order_of_time_are_not_raced(opened, build) -> None:
    days = pd.date_range("2024-01-01", periods=700).astype(str)
    rows = pd.DataFrame({"id": range(700), "day": days, "y": np.arange(700.0)})
    train, test = rows[:600], rows[600:].drop(columns="y")
    folder = build(train, test, test[["id"]].assign(y=0.5), name="in time")
    context, _ = opened(of=from_folder(folder, Overrides(time="day")))
    assert context.run.validation.ordered
    assert context.judge(refined(begin(context), "worse", 300.0)).score is not None


def test_a_fold_that_fails_ends_the_others_and_goes_to_the_debugger(opened) -> None:
    class Mending(SmallCast):
        def debug(self, brief: Brief, broken: Solution, failure: Failure) -> Solution | None:
            self.failure = failure
            return solution("mended", 9.0)

    agents = Mending()
    context, executor = opened(SETTINGS.replace(jobs=2), agents)
    first = begin(context)
    executor.hold("broken", 1, 3)
    mended = context.judge(refined(first, "broken", 10.0, raises="no such column"))
    assert agents.failure.message == "no such column"
    assert executor.folds_of("broken") in ([1, 2], [1, 2, 3])
    assert (mended.status, mended.debug_rounds) == ("ok", 1)


def test_what_is_executed_again_is_graded_again(opened) -> None:
    class Mending(SmallCast):
        def debug(self, brief: Brief, broken: Solution, failure: Failure) -> Solution | None:
            return solution("mended", 1.0)

    context, executor = opened(agents=Mending())
    first = begin(context)
    good = executor._predict

    def fold_two_is_empty(execution, fold, says):
        good(execution, fold, says)
        if says["title"] == "broken" and fold == 2:
            execution.predictions.write_text("id,y\n")

    executor._predict = fold_two_is_empty
    executor.hold("broken", 3)
    mended = context.judge(refined(first, "broken", 10.0))
    assert 4 not in executor.folds_of("broken")
    assert mended.debug_rounds == 1
    assert max(mended.score.folds) < 2, "no fold is graded by what the broken one predicted"


def test_a_stop_by_the_user_is_no_early_stop(opened) -> None:
    context, executor = opened(SETTINGS.replace(jobs=2))
    first = begin(context)
    executor.hold("slow", 1, 2)
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(context.judge, refined(first, "slow", 10.0))
        executor.until_begun(("slow", 1), ("slow", 2))
        context.close()
        with pytest.raises(Stopped):
            judged.result()
    assert len(context.run.state.candidates) == 1


def test_one_that_was_ended_is_finished_when_the_user_asks_for_it(opened) -> None:
    context, executor = opened()
    first = begin(context)
    replace_incumbent(context.run, 0, first, "the first")
    executor.hold("worse", 2)
    worse = context.judge(refined(first, "worse", 30.0))
    with pytest.raises(MlestarError, match=f"%mlestar adopt {worse.id}"):
        debug_again(context, worse)
    executor.release("worse", 2)
    whole = finish(context, worse)
    assert (whole.id, whole.status, len(whole.score.folds)) == (worse.id, "ok", 5)
    assert context.run.state.candidates[worse.id] == whole
    assert context.run.best == first


@pytest.mark.slow
def test_real_kernels_are_ended_with_the_race(tmp_path) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))
    settings = SETTINGS.replace(jobs=2)
    run = Run.create(tmp_path / "run", task, settings)
    budget = Budget(settings.seconds, lambda: run.elapsed)
    agents = SmallCast()
    context = Context(run, agents, make_executor(settings), budget)
    try:
        start = agents.initialize(context.brief(), ModelCard("ridge", ""))
        first = context.judge(Proposal("initialize", start))
        source = start.source("predict").replace("(X_test)", "(X_test) + 1000")
        far = start.replace("predict", source)
        worse = context.judge(Proposal("refine", far, "far off", (first.id,), "predict"))
    finally:
        context.close()
        context.executor.close()
        run.close()
    assert worse.status == "stopped_early"
    ended = {
        e.data["purpose"]: e.data["status"]
        for e in run.events
        if e.kind == "candidate_executed" and e.data["id"] == worse.id
    }
    assert ended["fold-1"] == "ok"
    assert "cancelled" in ended.values()
    assert "fold-5" not in ended


# What is told of it


def test_a_resumed_run_knows_what_was_ended_and_does_not_judge_it_again(opened, task) -> None:
    context, executor = opened()
    first = begin(context)
    executor.hold("worse", 2)
    worse = context.judge(refined(first, "worse", 30.0))
    context.run.close()
    run = Run.open(context.run.folder, task, write=True)
    executor = Scripted(run)
    again = Context(run, SmallCast(), executor, Budget(600, lambda: run.elapsed))
    assert again.judge(refined(first, "worse", 30.0)) == worse
    assert executor.begun == []
    again.close()
    run.close()


def test_it_stands_as_rejected_and_why_says_so(opened) -> None:
    context, executor = opened()
    first = begin(context)
    executor.hold("worse", 2)
    worse = context.judge(refined(first, "worse", 30.0))
    assert standings(context.run)[worse.id] == "rejected"
    told = why(context.run, worse.id)
    assert (told.standing, told.candidate.reason) == ("rejected", worse.reason)


# How often it errs


def test_of_what_is_level_in_the_end_no_more_is_ended_than_is_stated() -> None:
    """The worst case: exactly level after all rows, and folds as different as is allowed for."""
    rng = np.random.default_rng(1)
    for folds in (2, 5, 9):
        gains = rng.normal(0, 1, (3_000, folds))
        gains -= gains.mean(axis=1, keepdims=True)
        ended = 0
        for candidate in gains:
            told = [FoldGain(gain, 1 / BETWEEN_FOLDS, 200) for gain in candidate]
            ended += is_ended(told, folds)
        error = 3 * np.sqrt(WRONGLY_ENDED / len(gains))  # of the simulation
        assert 0 < ended / len(gains) <= WRONGLY_ENDED + error


def is_ended(gains: list[FoldGain], folds: int) -> bool:
    rows = folds * gains[0].rows
    threshold = WRONGLY_ENDED / (folds - 1)
    return any(chance_ahead(gains[:done], rows) < threshold for done in range(1, folds))


def heavy(rng, size):
    """Errors of which a few are very large."""
    return rng.standard_t(3, size)


def normal(rng, size):
    return rng.normal(0, 1, size)


@pytest.mark.parametrize(
    ("metric", "draw", "better", "worse"),
    [
        ("rmse", normal, 0.97, 1.2), ("rmse", heavy, 0.97, 1.4), ("mae", heavy, 0.97, 1.3),
        ("auc", normal, 0.95, 2.0),
    ],
)  # fmt: skip
def test_what_is_accepted_is_hardly_ever_ended_and_most_of_what_is_worse_is(
    metric, draw, better, worse
) -> None:
    """``better`` and ``worse`` are the sizes of errors where the incumbent's are 1."""
    accepted = ended = ended_worse = 0
    count = 100 if metric != "auc" else 16
    for number in range(count):
        rng = np.random.default_rng((number, len(metric)))
        gains = drawn_gains(rng, METRICS[metric], draw, better)
        mean = np.mean([gain.value for gain in gains])
        error = np.sqrt(np.sum([gain.variance for gain in gains])) / 5
        if mean / error > 0.52:  # better in 7 of 10 resamples
            accepted += 1
            ended += is_ended(gains, 5)
        ended_worse += is_ended(drawn_gains(rng, METRICS[metric], draw, worse), 5)
    assert accepted > count / 3
    assert ended / accepted <= WRONGLY_ENDED
    assert ended_worse / count > 0.6


def drawn_gains(rng, metric, draw, size: float) -> list[FoldGain]:
    """Five folds of 100 rows: errors of this size, and the luck of fits on each fold's rows."""
    gains = []
    for _ in range(5):
        truth = rng.integers(0, 2, 100) if metric.name == "auc" else rng.normal(0, 3, 100)
        graded = []
        for scale in (size, 1.0):
            predicted = truth + scale * rng.normal(1, 0.03) * draw(rng, 100)
            graded.append(Graded(truth, predicted, metric(truth, predicted)))
        gain = fold_gain(metric, *graded, count=100, seed=0)
        assert gain is not None
        gains.append(gain)
    return gains


def test_fewer_rows_than_say_anything_end_nothing() -> None:
    assert chance_ahead([FoldGain(-100.0, 1e-9, 20)], 100) == 1.0


def test_folds_that_disagree_count_for_more_than_their_rows_say() -> None:
    agreed = [FoldGain(-3.0, 0.5, 100), FoldGain(-3.1, 0.5, 100)]
    disagreeing = [FoldGain(-6.0, 0.5, 100), FoldGain(-0.1, 0.5, 100)]
    assert chance_ahead(agreed, 500) < 0.002 < 0.05 < chance_ahead(disagreeing, 500)


def test_a_gain_that_cannot_be_resampled_is_not_judged_by() -> None:
    truth = np.zeros(100, dtype=int)
    one_class = Graded(truth, np.linspace(0, 1, 100), 0.5)
    assert fold_gain(METRICS["auc"], one_class, one_class, count=50, seed=0) is None
