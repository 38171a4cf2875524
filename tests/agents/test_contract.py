"""The contract that every cast keeps: the same questions to the playbook and to a model's cast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gemini_model import GoodModel
from llm import PAGES, FakeLLM, PlentyOfMeans

from mlestar_jupyter.agents.llm.calls import Calls
from mlestar_jupyter.agents.llm.cast import LlmAgents
from mlestar_jupyter.agents.llm.llm import Reply, Request
from mlestar_jupyter.agents.llm.relay import Relay
from mlestar_jupyter.agents.playbook import Playbook
from mlestar_jupyter.candidate import Candidate, Failure
from mlestar_jupyter.checks.data_usage import find_unused
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import AblationResult, Agents, Attempt, Brief
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution

SETTINGS = Settings(folds=3)
SCORE = Score(55.0, (55.0,), (10,), 1.0, "rmse", False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("contract")
    run = Run.create(folder / "run", from_folder(write_demo_task(folder / "task")), SETTINGS)
    yield run
    run.close()


@pytest.fixture(scope="module")
def brief(run: Run) -> Brief:
    return Brief(run.task, 4.0, 1)


def say(request: Request) -> Reply:
    said = GoodModel().answer(request.prompt)
    return Reply(said.text, pages=PAGES if said.pages else ())


@pytest.fixture(scope="module", params=["playbook", "model", "relay"])
def cast(request: pytest.FixtureRequest, run: Run) -> Agents:
    if request.param == "playbook":
        return Playbook()
    means = PlentyOfMeans()
    model = LlmAgents(Calls(FakeLLM(say=say), run, means, SETTINGS), run, SETTINGS, Playbook())
    return model if request.param == "model" else Relay(model, Playbook(), run, means)


@pytest.fixture(scope="module")
def solutions(cast: Agents, brief: Brief) -> list[Solution]:
    return [cast.initialize(brief, card) for card in cast.retrieve(brief, 2)]


def results(cast: Agents, brief: Brief, solution: Solution) -> list[AblationResult]:
    return [
        AblationResult(ablation, f"{number:04d}", SCORE, float(number), 1.0)
        for number, ablation in enumerate(cast.ablate(brief, solution, []), start=1)
    ]


def members(solutions: list[Solution]) -> list[Candidate]:
    return [
        Candidate(f"{number:04d}", "refine", solution, score=SCORE, slowest=1.0)
        for number, solution in enumerate(solutions, start=1)
    ]


def is_sound(solution: Solution, brief: Brief) -> bool:
    solution.check_compiles()
    assert any("predictions_path" in block.source for block in solution.blocks)
    return not any(finding.certain for finding in find_leaks(solution, brief.task))


def test_cards_are_no_more_than_wanted_and_have_names_of_their_own(cast, brief) -> None:
    cards = cast.retrieve(brief, 2)
    assert 1 <= len(cards) <= 2
    assert len({card.name for card in cards}) == len(cards)
    assert all(card.reason for card in cards)


def test_first_solutions_differ_run_and_are_graded(cast, brief, solutions, play) -> None:
    assert len({solution.key for solution in solutions}) == 2
    assert all(solution.title for solution in solutions)
    for solution in solutions:
        assert is_sound(solution, brief)
        assert play(brief, solution) < 75, "the mean alone is off by 77"


def test_a_merge_has_something_of_both_and_runs(cast, brief, solutions, play) -> None:
    merged = cast.merge(brief, *solutions)
    assert merged.key not in {solution.key for solution in solutions}
    assert is_sound(merged, brief)
    assert play(brief, merged) < 75


def test_each_ablation_changes_one_block_and_runs(cast, brief, solutions, play) -> None:
    variants = cast.ablate(brief, solutions[0], [])
    assert variants
    for ablation in variants:
        changed = solutions[0].replace(ablation.block, ablation.source)
        assert changed.changed(solutions[0]) == (ablation.block,)
        assert is_sound(changed, brief)
    play(brief, solutions[0].replace(variants[0].block, variants[0].source))


def test_what_was_measured_is_not_proposed_again_as_it_was(cast, brief, solutions) -> None:
    known = results(cast, brief, solutions[0])[:1]
    again = cast.ablate(brief, solutions[0], known)
    assert known[0].ablation not in again


def test_a_study_is_put_into_words(cast, brief, solutions) -> None:
    study = results(cast, brief, solutions[0])
    assert cast.summarize(brief, solutions[0], study).strip()


def test_plans_follow_one_another_without_repetition_and_give_new_blocks(
    cast, brief, solutions, play
) -> None:
    solution = solutions[0]
    target = cast.extract(brief, solution, results(cast, brief, solution), [])
    assert target is not None
    solution.source(target.block)
    attempts: list[Attempt] = []
    plan: str | None = target.plan
    while plan is not None and len(attempts) < 3:
        assert plan not in {attempt.plan for attempt in attempts}
        source = cast.code(brief, solution, target, plan)
        changed = solution.replace(target.block, source)
        assert changed.key != solution.key
        assert is_sound(changed, brief)
        attempts.append(Attempt(plan, SCORE, -0.5, 1.0))
        plan = cast.plan(brief, solution, target, attempts)
    assert len(attempts) >= 2
    play(brief, changed)


def test_an_ensemble_is_a_solution_like_any_other(cast, brief, solutions, play) -> None:
    combined = members(solutions)
    plan = cast.plan_ensemble(brief, combined, [])
    assert plan
    assert cast.plan_ensemble(brief, combined, [Attempt(plan, SCORE, -0.5, 1.0)]) != plan
    ensemble = cast.ensemble(brief, combined, plan)
    assert {name[:3] for name in ensemble.names} >= {"s1_", "s2_"}
    assert is_sound(ensemble, brief)
    assert play(brief, ensemble) < 75


def test_the_debugger_offers_another_solution_or_none(cast, brief, solutions) -> None:
    broken = solutions[0].replace("model", solutions[0].source("model") + "\nundefined_name")
    failure = Failure("model", "NameError", "name 'undefined_name' is not defined")
    corrected = cast.debug(brief, broken, failure)
    assert corrected is None or corrected.key != broken.key


def test_a_sure_leak_is_a_leak_and_its_correction_compiles(cast, brief, solutions) -> None:
    added = "from sklearn.preprocessing import MinMaxScaler\nMinMaxScaler().fit(X_test)\n"
    source = solutions[0].source("model")
    leaking = solutions[0].replace("model", f"{added}{source}")
    findings = find_leaks(leaking, brief.task)
    assert any(finding.certain for finding in findings)
    verdict = cast.check_leakage(brief, leaking, findings)
    assert verdict.leaks
    assert verdict.reason
    for name, block in verdict.blocks.items():
        leaking = leaking.replace(name, block)
    leaking.check_compiles()


def test_where_all_data_is_used_the_solution_is_complete(cast, brief, solutions) -> None:
    evidence = find_unused(solutions[0], brief.task)
    assert cast.check_data_usage(brief, solutions[0], evidence).complete


def test_the_last_step_leaves_alone_what_saves_no_time(cast, brief, solutions) -> None:
    assert cast.finalize(brief, solutions[0]).key == solutions[0].key


def test_equal_questions_have_equal_answers(cast, brief, solutions) -> None:
    assert cast.retrieve(brief, 2) == cast.retrieve(brief, 2)
    assert cast.merge(brief, *solutions) == cast.merge(brief, *solutions)


def test_a_cast_has_a_name(cast: Agents, tmp_path: Path) -> None:
    assert cast.name
