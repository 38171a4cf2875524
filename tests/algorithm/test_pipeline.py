"""The whole algorithm with a small cast, real kernels and real files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from cast import SmallCast

from mlestar_jupyter.delivery import Result
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.errors import BudgetError, MlestarError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings

SETTINGS = Settings(
    seconds=500, models=3, outer_steps=2, inner_steps=2, solutions=2, ensemble_rounds=2, folds=2
)


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, SmallCast]:
    """One whole run; the tests below look at what it left."""
    folder = tmp_path_factory.mktemp("whole")
    task = from_folder(write_demo_task(folder / "task"))
    agents = SmallCast(broken="tree")
    with Session.start(task, SETTINGS, folder / "run", agents=agents) as session:
        return session.solve(), agents


def events(result: Result) -> list[dict[str, object]]:
    lines = (result.run.folder / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_run_ends_with_a_checked_submission_for_every_row_of_test(
    solved: tuple[Result, SmallCast],
) -> None:
    result, _ = solved
    task = result.run.task
    submission = pd.read_csv(result.submission)
    assert list(submission.columns) == ["patient", "progression"]
    assert list(submission["patient"]) == list(task.test["patient"])
    assert submission["progression"].between(25, 346).all()
    assert submission["progression"].nunique() > 20


def test_the_best_candidate_beats_every_initial_solution(
    solved: tuple[Result, SmallCast],
) -> None:
    result, _ = solved
    initial = [c.score for c in result.run.scored if c.stage == "initialize"]
    assert len(initial) == 3
    assert all(not score.is_better_than(result.best.score) for score in initial)


def test_every_stage_of_the_paper_was_gone_through(solved: tuple[Result, SmallCast]) -> None:
    result, agents = solved
    stages = Counter(c.stage for c in result.run.state.candidates.values())
    assert {"initialize", "merge", "ablate", "refine", "ensemble"} <= set(stages)
    assert stages["ensemble"] == 2
    assert agents.calls["retrieve"] == 1
    assert agents.calls["check_data_usage"] == 2, "once in each branch"


def test_the_debugger_mends_a_broken_candidate_and_its_rounds_are_recorded(
    solved: tuple[Result, SmallCast],
) -> None:
    result, agents = solved
    tree = next(c for c in result.run.scored if c.solution.title == "tree")
    assert tree.debug_rounds == 1
    assert agents.calls["debug"] == 1
    assert "undefined_name" not in tree.solution.source("model")


def test_ablations_are_measured_runs_with_a_gain_for_each_block(
    solved: tuple[Result, SmallCast],
) -> None:
    study = solved[0].run.state.studies[0]
    by_block = {r["block"]: r["gain"] for r in study["results"]}
    assert by_block["model"] > 5, "a constant is far worse than a model"
    assert all(r["score"] is not None for r in study["results"])


def test_every_event_is_in_the_journal_in_order(solved: tuple[Result, SmallCast]) -> None:
    recorded = events(solved[0])
    assert [e["seq"] for e in recorded] == list(range(len(recorded)))
    assert recorded[0]["kind"] == "run_started"
    assert recorded[-1]["kind"] == "run_finished"
    judged = [e["id"] for e in recorded if e["kind"] == "candidate_judged"]
    assert len(judged) == len(set(judged))


def test_the_finished_notebook_is_reproduced_in_a_fresh_kernel(
    solved: tuple[Result, SmallCast],
) -> None:
    result, _ = solved
    assert result.reproduced, result.run.state.finished
    notebook = nbformat.read(result.notebook, as_version=4)
    assert notebook.metadata["mlestar"]["reproduced"] == "reproduced"
    assert all(c.execution_count for c in notebook.cells if c.cell_type == "code" and c.source)


def test_no_candidate_saw_the_answers(solved: tuple[Result, SmallCast]) -> None:
    result, _ = solved
    staged = result.run.folder / "folds"
    for fold in result.run.validation.purposes:
        held = pd.read_csv(staged / f"fold-{fold}" / "test.csv")
        assert "progression" not in held.columns
        train = pd.read_csv(staged / f"fold-{fold}" / "train.csv")
        assert not set(held["patient"]) & set(train["patient"])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores(
    solved: tuple[Result, SmallCast], tmp_path: Path
) -> None:
    first, _ = solved
    task = from_folder(write_demo_task(tmp_path / "task"))
    settings = SETTINGS.replace(outer_steps=0, solutions=1, ensemble_rounds=0, reproduce=False)
    with Session.start(
        task, settings, tmp_path / "run", agents=SmallCast(broken="tree")
    ) as session:
        second = session.solve()
    before = {c.solution.key: c.score for c in first.run.scored}
    shared = [c for c in second.run.scored if c.solution.key in before]
    assert len(shared) >= 3
    assert all(c.score == before[c.solution.key] for c in shared)


def test_a_leaking_candidate_is_turned_away_before_it_runs(tmp_path: Path) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))
    settings = SETTINGS.replace(
        models=2, solutions=1, outer_steps=0, ensemble_rounds=0, reproduce=False
    )
    with Session.start(
        task, settings, tmp_path / "run", agents=SmallCast(leaking="ridge")
    ) as session:
        result = session.solve()
    leaked = [c for c in result.run.state.candidates.values() if c.status == "leaked"]
    assert [c.solution.title for c in leaked if c.stage == "initialize"] == ["ridge"]
    assert "test_path" in leaked[0].reason
    assert not list(result.run.candidate_folder(leaked[0].id).glob("fold-*"))
    assert result.best.solution.title == "tree"


def test_a_run_in_which_nothing_works_says_why(tmp_path: Path) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))

    class Broken(SmallCast):
        def debug(self, *_: object) -> None:
            return None

    settings = SETTINGS.replace(models=1)
    with (
        Session.start(task, settings, tmp_path / "run", agents=Broken(broken="ridge")) as session,
        pytest.raises(MlestarError, match="undefined_name"),
    ):
        session.solve()


def test_a_time_too_short_for_one_candidate_is_said_plainly(tmp_path: Path) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))

    class Slow(SmallCast):
        def initialize(self, brief, card):  # type: ignore[no-untyped-def]
            solution = super().initialize(brief, card)
            return solution.replace(
                "load", f"import time\ntime.sleep(60)\n{solution.source('load')}"
            )

    with (
        Session.start(task, Settings(seconds=12), tmp_path / "run", agents=Slow()) as session,
        pytest.raises((BudgetError, MlestarError), match="time"),
    ):
        session.solve()
