"""Agents whose replies cannot be used, or who cannot go on: the search lands with what it has.

Control flow alone is looked at here, many times over: blocks are executed in this process.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cast import SmallCast

from mlestar_jupyter.algorithm import asked, pipeline
from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.finalize import finalize
from mlestar_jupyter.candidate import Failure, Outcome
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import BudgetError, ReplyError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import AblationResult, Attempt, Brief, Execution, ModelCard, Target
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution

SETTINGS = Settings(
    models=3, outer_steps=1, inner_steps=2, solutions=1, ensemble_rounds=2, folds=2, jobs=1,
    bootstrap=20,
)  # fmt: skip
ROLES = (
    "initialize", "merge", "ablate", "summarize", "extract", "plan", "code", "plan_ensemble",
    "ensemble", "debug", "check_leakage", "check_data_usage", "finalize",
)  # fmt: skip


class InThisProcess:
    """Executes blocks one after another in a working folder, as a kernel would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, execution: Execution) -> Outcome:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for name, path in execution.inputs.items():
            copy: Callable[..., Any] = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, self.folder / name)
        before, names = Path.cwd(), dict(execution.parameters)
        os.chdir(self.folder)
        try:
            for block in execution.solution.blocks:
                try:
                    exec(block.source, names)
                except Exception as error:
                    failure = Failure(block.name, type(error).__name__, str(error))
                    return Outcome("failed", 0.1, failure=failure)
            execution.output.mkdir(parents=True, exist_ok=True)
            shutil.copy("predictions.csv", execution.predictions)
        finally:
            os.chdir(before)
        return Outcome("ok", 0.1)

    def run_notebook(self, *_: Any) -> Outcome:
        raise NotImplementedError

    def cancel(self, execution: Execution | None = None) -> None:
        pass

    def prepare(self, settings: Settings) -> None:
        pass

    def stop_reusing(self, reason: str) -> None:
        raise AssertionError(reason)

    def close(self) -> None:
        pass


class Failing(SmallCast):
    """A cast that raises an error in one role, from the ``after``-th question on."""

    def __init__(self, role: str, error: Exception, after: int = 0) -> None:
        super().__init__(broken="tree", leaking="neighbours")
        self.failing, self.error, self.after = role, error, after

    def _count(self, role: str) -> None:
        super()._count(role)
        if self.failing in (role, "any") and sum(self.calls.values()) > self.after:
            raise self.error


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Callable[..., Context]]:
    task = from_folder(write_demo_task(tmp_path / "task"))
    opened: list[Context] = []

    def open_context(agents: SmallCast, settings: Settings = SETTINGS) -> Context:
        run = Run.create(tmp_path / f"run{len(opened)}", task, settings)
        budget = Budget(settings.seconds, lambda: run.elapsed)
        opened.append(Context(run, agents, InThisProcess(tmp_path / "work"), budget))
        return opened[-1]

    yield open_context
    for each in opened:
        each.close()
        each.run.close()


def notes(run: Run) -> list[str]:
    return [e.data["text"] for e in run.events if e.kind == "note"]


@pytest.mark.parametrize("error", [ReplyError("bad reply"), OutOfMeans("no money")], ids=str)
@pytest.mark.parametrize("role", ROLES[1:])
def test_a_role_that_fails_costs_its_work_and_not_the_run(context, role, error) -> None:
    agents = Failing(role, error)
    here = context(agents)
    best = pipeline.search(here)
    final = finalize(here, best)
    assert final is not None
    assert (here.run.folder / "submission.csv").is_file()
    assert agents.calls[role] >= 1, "it was asked"


@pytest.mark.parametrize("after", [1, 3, 6, 9, 13])
def test_a_cast_that_cannot_go_on_lands_wherever_it_is(context, after) -> None:
    here = context(Failing("any", OutOfMeans("no money"), after))
    if after < 2:  # one card, no solution
        with pytest.raises(BudgetError, match="no solution could be proposed: no money"):
            pipeline.search(here)
        return
    best = pipeline.search(here)
    assert finalize(here, best) is not None


@pytest.mark.parametrize("role", ["retrieve", "initialize"])
@pytest.mark.parametrize("error", [ReplyError("bad reply"), OutOfMeans("no money")], ids=str)
def test_without_any_solution_the_cause_is_named(context, role, error) -> None:
    with pytest.raises(BudgetError, match=f"no solution could be proposed: {error}"):
        pipeline.search(context(Failing(role, error)))


@pytest.mark.parametrize("role", ["merge", "ablate", "code", "debug", "finalize"])
def test_a_stop_is_never_taken_for_a_failure(context, role) -> None:
    here = context(Failing(role, Stopped()))
    with pytest.raises(Stopped):
        finalize(here, pipeline.search(here))


def test_a_planner_without_a_plan_uses_up_an_attempt_and_is_asked_again(context) -> None:
    class Planner(SmallCast):
        tried: tuple[list[Attempt], ...] = ()

        def plan(
            self, brief: Brief, solution: Solution, target: Target, attempts: Any
        ) -> str | None:
            self.tried = (*self.tried, list(attempts))
            if len(self.tried) == 1:
                raise ReplyError("prose without end")
            return super().plan(brief, solution, target, attempts)

    agents = Planner()
    pipeline.search(context(agents, SETTINGS.replace(inner_steps=3)))
    assert [attempt.reason for attempt in agents.tried[1]] == ["", "prose without end"]


def test_without_an_extractor_the_figures_choose_the_block(context) -> None:
    agents = Failing("extract", ReplyError("bad reply"))
    here = context(agents)
    pipeline.search(here)
    (study,) = here.run.state.studies
    gains = {r["block"]: abs(r["gain"]) for r in study["results"]}
    (target,) = here.run.state.targets
    assert target["block"] == max(gains, key=lambda name: gains[name])


def test_without_a_verdict_what_is_certain_is_a_leak(context) -> None:
    here = context(Failing("check_leakage", ReplyError("bad reply")))
    pipeline.search(here)
    leaked = [c for c in here.run.state.candidates.values() if c.status == "leaked"]
    assert [c.solution.title for c in leaked] == ["neighbours"]
    assert f"{leaked[0].id} has no verdict on leakage: bad reply" in notes(here.run)


def test_initial_solutions_are_asked_for_side_by_side(context) -> None:
    together = threading.Barrier(3, timeout=60)

    class Slow(SmallCast):
        def initialize(self, brief: Brief, card: ModelCard) -> Solution:
            together.wait()  # comes back only when all three are asked at once
            return super().initialize(brief, card)

    here = context(Slow(), SETTINGS.replace(calls_at_once=3, outer_steps=0, ensemble_rounds=0))
    pipeline.search(here)
    assert [c.solution.title for c in here.run.scored[:3]] == ["ridge", "tree", "neighbours"]


def test_agents_who_judge_a_candidate_are_told_which(context) -> None:
    seen: dict[str, str] = {}

    class Telling(SmallCast):
        def debug(self, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
            seen["debug"] = brief.candidate
            return super().debug(brief, solution, failure)

        def ablate(self, brief: Brief, solution: Solution, earlier: Any) -> Any:
            seen["ablate"] = brief.candidate
            return super().ablate(brief, solution, earlier)

    here = context(Telling(broken="tree"))
    pipeline.search(here)
    assert here.run.state.candidates[seen["debug"]].debug_rounds == 1
    assert seen["ablate"] == ""


def test_a_repeated_proposal_is_recognised_and_not_run_again(context) -> None:
    class Repeating(SmallCast):
        def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
            return f"# {plan}\n{solution.source('model')}\n\n"  # the same but for comments

    here = context(Repeating())
    pipeline.search(here)
    assert [c for c in here.run.state.candidates.values() if c.stage == "refine"] == []


def test_what_the_user_asks_for_says_why_it_cannot_be_done(context) -> None:
    agents = Failing("merge", OutOfMeans("the limit of $1 is reached"))
    here = context(agents)
    pipeline.search(here)
    first, second = here.run.scored[:2]
    with pytest.raises(BudgetError, match="the limit of \\$1 is reached"):
        asked.merge_two(here, first, second)


def test_what_came_later_does_not_change_a_decision_when_a_run_goes_on(context) -> None:
    agents = SmallCast()
    here = context(agents)
    pipeline.search(here)
    run = here.run
    turns = [(e.data["branch"], e.data["id"]) for e in run.events if e.kind == "incumbent_changed"]
    lost = [e.data["id"] for e in run.events if e.kind == "plan_lost"]
    pipeline.search(here)
    again = [(e.data["branch"], e.data["id"]) for e in run.events if e.kind == "incumbent_changed"]
    assert again == turns
    assert len(run.state.candidates) == len(run.state.proposed)
    assert {e.data["id"] for e in run.events if e.kind == "plan_lost"} == set(lost)


def test_studies_are_kept_without_a_summary(context) -> None:
    here = context(Failing("summarize", OutOfMeans("no money")))
    pipeline.search(here)
    (study,) = here.run.state.studies
    assert study["summary"] == "(no summary: no money)"
    assert study["results"]


def test_time_is_not_spent_on_plans_that_could_not_be_judged(context) -> None:
    class Late(SmallCast):
        def extract(
            self, brief: Brief, solution: Solution, results: list[AblationResult], earlier: Any
        ) -> Target | None:
            self.end()
            return super().extract(brief, solution, results, earlier)

        def end(self) -> None: ...

    agents = Late()
    here = context(agents)
    agents.end = lambda: setattr(here.budget, "total", here.run.elapsed)  # type: ignore[method-assign]
    pipeline.search(here)
    assert "code" not in agents.calls
