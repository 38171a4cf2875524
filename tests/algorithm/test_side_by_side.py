"""Jobs keep busy: folds, candidates and plans fill them, and a slow one holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cast import SmallCast
from scripted import Scripted, solution

from mlestar_jupyter.algorithm import ablation
from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.evaluate import LEAST_LIMIT, Context
from mlestar_jupyter.algorithm.initialize import initialize
from mlestar_jupyter.algorithm.refine import refine
from mlestar_jupyter.candidate import Candidate, Outcome, Proposal
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.endings import OutOfMeans
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Ablation, Attempt, Brief, ModelCard, Target
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution

SETTINGS = Settings(
    jobs=4, folds=1, models=6, solutions=1, outer_steps=1, inner_steps=6, bootstrap=20, seconds=600
)
Open = Callable[..., tuple[Context, Scripted]]


class Numbered(SmallCast):
    """Plans 1, 2, 3, ...; each is better than the one before. What planners were told is kept."""

    def __init__(self, plans: int = 6) -> None:
        super().__init__()
        self.plans = plans
        self.told: dict[str, list[tuple[str, str]]] = {}

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        return [ModelCard(f"model {number}", "") for number in range(count)]

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        return solution(card.name, 40.0)

    def ablate(self, brief, of, earlier):  # type: ignore[no-untyped-def]
        sources = [solution(f"variant {n}", 50.0 + n).source("model") for n in range(5)]
        return [Ablation("model", f"change {n}", source) for n, source in enumerate(sources)]

    def extract(self, brief, of, results, earlier):  # type: ignore[no-untyped-def]
        return Target("model", "plan 1", "the only block")

    def plan(self, brief, of, target, attempts):  # type: ignore[no-untyped-def]
        next_one = f"plan {len(attempts) + 1}"
        if len(attempts) >= self.plans:
            return None
        self.told[next_one] = [(a.plan, a.status) for a in attempts]
        return next_one

    def code(self, brief: Brief, of: Solution, target: Target, plan: str) -> str:
        return solution(plan, 40.0 * 0.6 ** int(plan.split()[1])).source("model")


@pytest.fixture
def opened(tmp_path) -> Iterator[Open]:
    task = from_folder(write_demo_task(tmp_path / "task"))
    contexts: list[Context] = []

    def open_context(
        settings: Settings = SETTINGS, agents: SmallCast | None = None
    ) -> tuple[Context, Scripted]:
        run = Run.create(tmp_path / f"run{len(contexts)}", task, settings)
        executor = Scripted(run)
        budget = Budget(settings.seconds, lambda: run.elapsed)
        contexts.append(Context(run, agents or Numbered(), executor, budget))
        return contexts[-1], executor

    yield open_context
    for context in contexts:
        context.close()
        context.run.close()


def begin(context: Context, **more: object) -> Candidate:
    return context.judge(Proposal("initialize", solution("first", 40.0, **more)))  # type: ignore[arg-type]


# Jobs are full


def test_the_folds_of_one_candidate_fill_the_jobs(opened) -> None:
    context, executor = opened(SETTINGS.replace(jobs=3, folds=5))
    executor.hold("first", 1, 2, 3)
    with ThreadPoolExecutor(1) as pool:
        judged = pool.submit(begin, context)
        executor.until_begun(("first", 1), ("first", 2), ("first", 3))
        executor.release("first", 1, 2, 3)
        assert judged.result().score is not None
    assert executor.most == 3


def test_a_slow_first_solution_does_not_hold_up_the_others(opened) -> None:
    context, executor = opened(SETTINGS.replace(jobs=2))
    executor.hold("model 0", 1)
    with ThreadPoolExecutor(1) as pool:
        ranked = pool.submit(initialize, context)
        executor.until_begun(*[(f"model {number}", 1) for number in range(6)])
        executor.release("model 0", 1)
        assert len(ranked.result()) == 6
    assert executor.most == 2


def test_the_variants_of_a_study_fill_the_jobs(opened) -> None:
    context, executor = opened()
    first = begin(context)
    variants = [f"variant {number}" for number in range(4)]
    for name in variants:
        executor.hold(name, 1)
    with ThreadPoolExecutor(1) as pool:
        results = pool.submit(ablation.study, context, first, [])
        executor.until_begun(*[(name, 1) for name in variants])  # all four at once
        for name in variants[1:]:
            executor.release(name, 1)
        executor.until_begun(("variant 4", 1))  # while the first is under way
        executor.release("variant 0", 1)
        assert len(results.result()) == 5


@pytest.mark.parametrize(
    ("jobs", "folds", "branches", "plans"), [(1, 1, 1, 1), (2, 5, 2, 1), (4, 1, 2, 2), (4, 3, 1, 2)]
)
def test_so_many_plans_are_tried_at_once_that_no_job_idles(
    opened, jobs, folds, branches, plans
) -> None:
    context, _ = opened(SETTINGS.replace(jobs=jobs, folds=folds))
    assert context.side_by_side(branches) == plans


# A window of plans


def test_a_slow_plan_does_not_hold_up_those_after_it(opened) -> None:
    agents = Numbered()
    context, executor = opened(SETTINGS.replace(jobs=2), agents)
    first = begin(context)
    executor.hold("plan 1", 1)
    with ThreadPoolExecutor(1) as pool:
        refined = pool.submit(refine, context, first)
        executor.until_begun(("plan 6", 1))
        executor.release("plan 1", 1)
        best = refined.result()
    assert best.plan == "plan 6"
    assert agents.told["plan 2"] == [("plan 1", "pending")]
    assert agents.told["plan 3"] == [("plan 2", "ok"), ("plan 1", "pending")]
    assert agents.told["plan 6"][-1] == ("plan 1", "pending")


def test_a_resumed_run_asks_its_planners_the_same_questions(opened) -> None:
    agents = Numbered()
    context, executor = opened(SETTINGS.replace(jobs=3), agents)
    first = begin(context)
    executor.hold("plan 1", 1)
    executor.hold("plan 3", 1)
    with ThreadPoolExecutor(1) as pool:
        refined = pool.submit(refine, context, first)
        executor.until_begun(("plan 4", 1), ("plan 5", 1))
        executor.release("plan 3", 1)
        executor.until_begun(("plan 6", 1))
        executor.release("plan 1", 1)
        refined.result()
    told, judged = dict(agents.told), dict(context.run.state.candidates)
    agents.told.clear()
    refine(context, first)
    assert agents.told == told
    assert context.run.state.candidates == judged


def test_what_gives_no_block_is_an_attempt_and_the_window_goes_on(opened) -> None:
    class Stumbling(Numbered):
        def code(self, brief: Brief, of: Solution, target: Target, plan: str) -> str:
            if plan == "plan 2":
                raise ReplyError("no code")
            return super().code(brief, of, target, plan)

    agents = Stumbling()
    context, _ = opened(SETTINGS.replace(jobs=2), agents)
    refine(context, begin(context))
    assert ("plan 2", "") in agents.told["plan 3"]
    assert {c.plan for c in context.run.scored} >= {
        "plan 1",
        "plan 3",
        "plan 4",
        "plan 5",
        "plan 6",
    }


def test_an_idea_that_comes_with_a_result_is_waited_for(opened) -> None:
    class Patient(Numbered):
        def plan(self, brief, of, target, attempts: list[Attempt]):  # type: ignore[no-untyped-def]
            if any(attempt.status == "pending" for attempt in attempts):
                return None  # it wants to see what comes of it
            return super().plan(brief, of, target, attempts)

    context, _ = opened(SETTINGS.replace(inner_steps=3), Patient())
    refine(context, begin(context))
    assert {c.plan for c in context.run.scored} >= {"plan 1", "plan 2", "plan 3"}


def test_what_was_begun_is_still_judged_when_the_means_end(opened) -> None:
    class Poor(Numbered):
        def plan(self, brief, of, target, attempts):  # type: ignore[no-untyped-def]
            if len(attempts) == 2:
                raise OutOfMeans("no money")
            return super().plan(brief, of, target, attempts)

    context, _ = opened(SETTINGS.replace(jobs=2, outer_steps=3), Poor())
    best = refine(context, begin(context))
    assert best.plan == "plan 2"
    assert list(context.run.state.steps) == ["0/0"], "there is nothing to begin another step with"


# The limit of one execution


def test_what_is_made_of_a_quick_one_may_not_take_a_quarter_of_the_time(opened) -> None:
    context, executor = opened()
    assert begin(context).slowest == 1.0
    context.judge(Proposal("refine", solution("child", 30.0), "", ("0001",), "model"))
    executor.seconds = 9.0
    context.judge(Proposal("refine", solution("slow", 20.0), "", ("0001",), "model"))
    context.judge(Proposal("refine", solution("slower", 10.0), "", ("0003",), "model"))
    context.judge(Proposal("ensemble", solution("all", 5.0), "", ("0002", "0003"), branch=-1))
    assert executor.limits == {
        "first": 150, "child": 5 + 30, "slow": 5 + 30, "slower": 45 + 30, "all": 5 * (1 + 9) + 30,
    }  # fmt: skip
    executor.seconds = 100.0
    context.judge(Proposal("refine", solution("slowest", 3.0), "", ("0003",), "model"))
    context.judge(Proposal("refine", solution("last", 2.0), "", ("0006",), "model"))
    assert executor.limits["last"] == context.limit == 150


def test_cells_that_had_not_to_be_executed_count_as_if_they_had(opened) -> None:
    context, executor = opened()
    executor.seconds = 20.0
    begin(context)
    executor.seconds, executor.saved = 0.5, 19.5  # all but its last cell was there
    context.judge(Proposal("refine", solution("child", 30.0), "", ("0001",), "model"))
    assert context.limit_of(["0002"]) == context.limit_of(["0001"]) == 130


def test_a_short_run_leaves_every_execution_its_seconds(opened) -> None:
    context, _ = opened(SETTINGS.replace(seconds=40))
    begin(context)
    assert context.limit_of(["0001"]) == context.limit == LEAST_LIMIT


def test_a_limit_of_the_users_own_and_what_the_user_asked_for_are_not_cut(opened) -> None:
    context, executor = opened()
    begin(context)
    context.judge(Proposal("adopt", solution("mine", 30.0), "", ("0001",)), is_asked=True)
    assert executor.limits["mine"] == context.limit
    own, theirs = opened(SETTINGS.replace(candidate_seconds=300))
    begin(own)
    own.judge(Proposal("refine", solution("child", 30.0), "", ("0001",), "model"))
    assert theirs.limits["child"] == 300


def test_agents_are_told_the_limit_of_what_they_make(opened) -> None:
    context, _ = opened()
    begin(context)
    assert context.brief().limit == 150
    assert context.brief(made_of=("0001",)).limit == 35
    assert context.brief(made_of=("0001",)).seconds == context.brief().seconds


def test_the_planner_is_told_what_took_too_long(opened) -> None:
    agents = Numbered()
    context, executor = opened(SETTINGS.replace(jobs=1), agents)
    first, run = begin(context), executor.run

    def too_long(execution):  # type: ignore[no-untyped-def]
        outcome = run(execution)
        is_first = "'plan 1'" in execution.solution.source("model")
        return Outcome("timed_out", execution.limits.seconds) if is_first else outcome

    executor.run = too_long  # type: ignore[method-assign]
    refine(context, first)
    assert agents.told["plan 2"] == [("plan 1", "timed_out")]


def test_what_the_end_of_the_search_cuts_off_did_not_take_too_long(opened) -> None:
    context, executor = opened(SETTINGS.replace(seconds=60))
    begin(context)
    context.budget.total = context.run.elapsed + context.budget.reserve + 10
    executor.run = lambda execution: Outcome("timed_out", execution.limits.seconds)  # type: ignore[method-assign]
    cut = context.judge(Proposal("refine", solution("late", 30.0), "", ("0001",), "model"))
    assert (cut.status, cut.reason) == ("cancelled", "there was no time left for it")
    assert context.run.find(cut.solution.key) is None
