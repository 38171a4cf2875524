"""The budget is hard: nothing begins that cannot land, and a stop stops everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from cast import SmallCast
from scripted import Scripted, solution
from waiting import wait_for

from mlestar_jupyter.algorithm.budget import STAGE_ENDS, Budget
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import replace_incumbent
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def begins(budget: Budget, stage: str, expected: float = 0.0) -> bool:
    try:
        budget.check(stage, expected)
    except OutOfMeans:
        return False
    return True


def test_time_runs_down(clock):
    budget = Budget(600, clock)
    assert budget.left == 600
    assert budget.reserve == 60
    assert budget.search_left == 540
    clock.now = 200
    assert (budget.left, budget.search_left) == (400, 340)
    clock.now = 700
    assert budget.left == -100


def test_a_short_run_keeps_back_some_seconds_all_the_same(clock):
    assert Budget(20, clock).reserve == 6


def test_each_stage_ends_before_the_next_and_all_before_the_reserve(clock):
    budget = Budget(1000, clock)
    order = ["initialize", "merge", "refine", "ensemble"]
    assert list(STAGE_ENDS) == order
    ends = []
    for stage in order:
        clock.now = 0.0
        while begins(budget, stage):
            clock.now += 1
        ends.append(clock.now)
    assert ends == sorted(set(ends))
    assert ends[-1] == 1000 - budget.reserve


def test_a_stage_of_another_name_may_use_the_whole_search(clock):
    budget = Budget(100, clock)
    clock.now = 89.9
    assert begins(budget, "elsewhere")
    clock.now = 90
    assert not begins(budget, "elsewhere")


def test_what_would_surely_be_cut_off_does_not_begin(clock):
    budget = Budget(600, clock)
    clock.now = 400
    assert begins(budget, "refine", expected=100)
    assert begins(budget, "refine", expected=155)
    assert not begins(budget, "refine", expected=157)


def test_nothing_begins_in_the_reserved_slice(clock):
    budget = Budget(600, clock)
    clock.now = 541
    for stage in STAGE_ENDS:
        assert not begins(budget, stage)
        assert budget.stage_left(stage) < 0


def test_a_slow_incumbent_moves_the_end_of_the_search_forward(clock):
    budget = Budget(600, clock)
    budget.keep_back(120)
    assert budget.reserve == 120
    assert budget.search_left == 480
    clock.now = 490
    assert not begins(budget, "ensemble")


def test_a_fast_incumbent_gives_time_back_but_never_all(clock):
    budget = Budget(600, clock)
    budget.keep_back(1)
    assert budget.reserve == 30
    short = Budget(40, clock)
    short.keep_back(0)
    assert short.reserve == 6


def test_never_more_than_half_is_kept_back(clock):
    budget = Budget(600, clock)
    budget.keep_back(10_000)
    assert budget.reserve == 300
    tiny = Budget(10, clock)
    tiny.keep_back(1)
    assert tiny.reserve == 5


def test_a_budget_without_stages_is_all_for_what_was_asked(clock):
    budget = Budget(100, clock, staged=False)
    budget.keep_back(40)
    assert budget.reserve == 0
    clock.now = 99
    assert begins(budget, "initialize")
    clock.now = 100
    assert not begins(budget, "initialize")


def test_a_stop_ends_every_stage_at_once(clock):
    budget = Budget(600, clock)
    assert not budget.is_stopped
    assert begins(budget, "initialize")
    budget.stop()
    assert budget.is_stopped
    for stage in STAGE_ENDS:
        with pytest.raises(Stopped):
            budget.check(stage)


def test_a_stop_is_told_apart_from_the_end_of_the_time(clock):
    budget = Budget(600, clock)
    clock.now = 1000
    with pytest.raises(OutOfMeans) as caught:
        budget.check("refine")
    assert not isinstance(caught.value, Stopped)


def test_work_with_which_landing_takes_longer_leaves_time_for_that(clock):
    budget = Budget(100, clock)
    budget.keep_back(10)
    clock.now = 80
    budget.check("elsewhere", expected=5, landing=5)
    with pytest.raises(OutOfMeans):
        budget.check("elsewhere", expected=5, landing=6)


def test_no_more_than_half_of_the_time_is_kept_back_however_long_landing_takes(clock):
    budget = Budget(100, clock)
    budget.keep_back(10)
    clock.now = 44
    budget.check("elsewhere", expected=5, landing=1000)
    clock.now = 46
    with pytest.raises(OutOfMeans):
        budget.check("elsewhere", expected=5, landing=1000)


def test_work_that_the_user_asked_for_is_not_held_back_by_landing(clock):
    budget = Budget(100, clock, staged=False)
    clock.now = 90
    budget.check("refine", expected=5, landing=1000)


def test_there_is_room_after_a_stage_for_what_fits_between_its_end_and_that_of_the_search(clock):
    budget = Budget(1000, clock)
    kept = 0.2 * (1000 - budget.reserve)
    assert budget.has_room_after("refine", kept, 0.0)
    assert not budget.has_room_after("refine", kept, 0.2 * kept)
    assert not budget.has_room_after("refine", 1.2 * kept, 0.0)


Opened = Callable[..., Context]


@pytest.fixture
def opened(build, tmp_path, clock) -> Iterator[Opened]:
    """A run of 100 seconds whose two branches have incumbents that take so many seconds a fold."""
    rows = pd.DataFrame({"id": range(40), "x": range(40), "y": [0.5 * n for n in range(40)]})
    test = rows[30:].drop(columns="y")
    task = from_folder(build(rows[:30], test, test[["id"]].assign(y=0.5)))
    contexts: list[Context] = []

    def open_run(seconds: float, **settings: int) -> Context:
        wanted = Settings(seconds=100, folds=2, jobs=2, reproduce=False, **settings)
        run = Run.create(tmp_path / "run", task, wanted)
        budget = Budget(100, clock)
        context = Context(run, SmallCast(), Scripted(run, seconds=seconds), budget)
        contexts.append(context)
        for branch in (0, 1):
            proposal = Proposal("initialize", solution(f"{branch}", 1.0), "", branch=branch)
            replace_incumbent(run, branch, context.judge(proposal), "the first")
        return context

    yield open_run
    for context in contexts:
        context.close()
        context.run.close()


def refines_at(context: Context, clock: Clock, share: float) -> bool:
    clock.now = share * (100 - context.budget.reserve)
    try:
        context.check("refine")
    except OutOfMeans:
        return False
    return True


def test_refinement_ends_early_for_an_ensemble_that_would_fit(clock, opened):
    context = opened(2.0)
    assert refines_at(context, clock, 0.75)
    assert not refines_at(context, clock, 0.85)


def test_refinement_has_the_time_of_an_ensemble_that_would_not_fit(clock, opened):
    context = opened(9.0)
    assert refines_at(context, clock, 0.85)
    assert not refines_at(context, clock, 1.0)


def test_refinement_has_all_the_time_when_no_ensemble_is_wanted(clock, opened):
    assert refines_at(opened(2.0, ensemble_rounds=0), clock, 0.99)


def test_an_execution_that_waited_too_long_for_its_turn_is_not_begun(clock, opened):
    context = opened(9.0)
    executor = context.executor
    executor.hold("slow", 1, 2)
    best = context.run.state.best

    def judge(title: str) -> Candidate:
        made = solution(title, 1.0)
        return context.judge(Proposal("refine", made, title, (best,), "model"))

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(judge, "slow")
        executor.until_begun(("slow", 1), ("slow", 2))
        second = pool.submit(judge, "waits")
        wait_for(lambda: len(context.run.state.proposed) == 4)
        clock.now = 100 - context.budget.reserve - 7.0
        executor.release("slow", 1, 2)
        assert first.result().status == "ok"
        assert second.result().status == "cancelled"
    assert executor.folds_of("waits") == []
