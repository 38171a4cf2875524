"""Whole runs with a language model: the real client over real HTTP, real kernels, real data.

The model is scripted (``gemini_model``), and so is what goes wrong.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from gemini_model import GoodModel, Model
from gemini_server import BAD_KEY, GeminiServer

from mlestar_jupyter.agents.llm import calls
from mlestar_jupyter.casting import check_agents
from mlestar_jupyter.delivery import Result
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.endings import OutOfMeans
from mlestar_jupyter.errors import BudgetError, SettingsError
from mlestar_jupyter.events import Event
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.journal import read_events
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.task import Task

KEY = "the-key-that-must-not-be-seen-anywhere-5f1c"
SMALL = Settings(
    seconds=500, models=3, outer_steps=1, inner_steps=1, solutions=1, ensemble_rounds=1, folds=1,
    agents="gemini-only",
)  # fmt: skip


@dataclass
class Lived:
    """A run that is over, the server that it talked to, and how often that was asked."""

    result: Result
    server: GeminiServer
    model: Model
    requests: int

    @property
    def folder(self) -> Path:
        return self.result.run.folder

    @property
    def events(self) -> list[Event]:
        return read_events(self.folder / "journal.jsonl")


def called(events: list[Event], *, replayed: bool | None = None) -> list[Event]:
    found = [e for e in events if e.kind == "llm_called"]
    return [e for e in found if replayed is None or e.data["replayed"] == replayed]


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", KEY)
        patch.delenv("GOOGLE_API_KEY", raising=False)
        patch.setattr(calls, "FIRST_DELAY", 0.02)
        patch.setattr(calls, "MOST_DELAY", 0.1)
        yield patch


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return from_folder(write_demo_task(tmp_path_factory.mktemp("demo") / "task"))


def serve(patch: pytest.MonkeyPatch, model: Model) -> GeminiServer:
    server = GeminiServer(model)
    patch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    return server


def solve(task: Task, settings: Settings, folder: Path) -> Result:
    with Session.start(task, settings, folder) as session:
        return session.solve()


@pytest.fixture(scope="module")
def rough(
    task: Task, environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    """A run in which 30 % of the calls fail, many replies are bad, and solutions break and leak."""
    model = Model(GoodModel({"forest": "error", "neighbours": "leak"}), bad=0.3, faults=0.3, seed=1)
    with serve(environment, model) as server:
        result = solve(task, SMALL, tmp_path_factory.mktemp("rough") / "run")
        lived = Lived(result, server, model, server.count)
        yield lived


def test_a_run_with_many_failures_ends_with_submission_and_finished_notebook(rough: Lived) -> None:
    task, result = rough.result.run.task, rough.result
    assert task.test is not None
    assert list(pd.read_csv(result.submission)["patient"]) == list(task.test["patient"])
    assert result.reproduced
    assert result.score < 70


def test_the_journal_counts_as_many_calls_as_the_server(rough: Lived) -> None:
    calls = called(rough.events, replayed=False)
    assert len(calls) == rough.requests
    assert [e.data["number"] for e in called(rough.events)] == list(
        range(1, len(called(rough.events)) + 1)
    )
    failed = [e for e in calls if e.data["status"] != "ok"]
    assert len({e.data["status"] for e in failed}) >= 3, "calls failed in several ways"
    assert rough.model.kinds, "replies were bad"


def test_what_is_paid_can_be_told_for_each_role_and_candidate(rough: Lived) -> None:
    numbers = {e.data["number"] for e in called(rough.events)}
    answered = [e.data for e in rough.events if e.kind == "role_answered"]
    assert {a["role"] for a in answered} >= {"retrieve", "initialize", "merge", "ablate", "extract"}
    assert all(set(a["calls"]) <= numbers for a in answered)
    plans = {e.data["plan"] for e in rough.events if e.kind == "candidate_proposed"}
    ours = {a["plan"] for a in answered if a["role"] in ("initialize", "merge") and not a["error"]}
    assert ours <= plans
    debugged = [a for a in answered if a["role"] in ("debug", "check_leakage")]
    assert {a["candidate"] for a in debugged} <= set(rough.result.run.state.candidates)
    assert all(a["candidate"] for a in debugged)


def test_web_pages_are_kept_with_the_cards(rough: Lived) -> None:
    (retrieved,) = [e.data for e in rough.events if e.kind == "cards_retrieved"]
    by_name = {card["name"]: card for card in retrieved["cards"]}
    assert len(by_name) == 3
    pages = [page for card in by_name.values() for page in card["pages"]]
    searched = any(e.data["pages"] for e in called(rough.events))
    assert bool(pages) == searched


def test_the_key_is_nowhere_in_what_a_run_leaves(rough: Lived) -> None:
    files = [path for path in rough.folder.rglob("*") if path.is_file()]
    assert any(path.parent.name == "replies" for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_resumed_run_pays_nothing_twice(
    rough: Lived, environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = len(called(rough.events))
    candidates = len(rough.result.run.state.candidates)
    with Session.resume(rough.folder) as session:
        again = session.solve()
    new = called(rough.events)[before:]
    assert new
    assert all(e.data["replayed"] and e.data["cost"] == 0 for e in new)
    assert rough.server.count == rough.requests
    assert (again.best.id, len(again.run.state.candidates)) == (rough.result.best.id, candidates)
    said = capfd.readouterr()
    assert KEY not in said.out + said.err


def test_a_run_that_is_opened_again_without_a_key_is_steered_and_goes_by_its_record(
    rough: Lived,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GEMINI_API_KEY")
        with Session.resume(rough.folder) as session:
            session.pin("model")
            session.pin(None)
            brief = session.context.brief()
            assert session.agents.retrieve(brief, session.run.settings.models)
            with pytest.raises(OutOfMeans, match="no key for Gemini"):
                session.agents.retrieve(brief, 1)


@pytest.mark.slow
def test_a_run_is_repeated_from_its_replies_without_key_or_network(
    rough: Lived, task: Task, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GEMINI_API_KEY")
        patch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
        again = solve(task, SMALL.replace(replay=str(rough.folder)), tmp_path / "run")
    assert again.best.solution.key == rough.result.best.solution.key
    assert called(read_events(again.run.folder / "journal.jsonl"), replayed=False) == []


def test_a_run_lands_with_what_it_has_when_the_money_is_spent(
    task: Task, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = SMALL.replace(cost=0.012, models=2, reproduce=False)
    with serve(environment, Model()) as server:
        result = solve(task, settings, tmp_path / "run")
    events = read_events(result.run.folder / "journal.jsonl")
    paid = sum(e.data["cost"] for e in called(events))
    assert 0 < paid <= 0.012
    assert server.count == len(called(events, replayed=False)) >= 3
    (changed,) = [e.data for e in events if e.kind == "agents_changed"]
    assert "the limit of $0.012 is reached" in changed["reason"]
    assert result.submission is not None
    assert result.submission.is_file()


def test_a_key_that_is_not_valid_is_said_in_one_line_and_not_shown(
    task: Task, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serve(environment, Model()) as server:
        server.answer = lambda asked: BAD_KEY
        with pytest.raises(BudgetError, match=r"no solution could be proposed: .*key") as caught:
            solve(task, SMALL, tmp_path / "run")
    assert server.count == 1
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_goes_on_with_the_playbook_when_the_model_is_gone(
    task: Task, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = SMALL.replace(agents="gemini", models=2, reproduce=False)
    with serve(environment, Model()) as server:
        server.answer = lambda asked: BAD_KEY
        result = solve(task, settings, tmp_path / "run")
    events = read_events(result.run.folder / "journal.jsonl")
    (changed,) = [e.data for e in events if e.kind == "agents_changed"]
    assert (changed["from"], changed["to"]) == ("gemini", "playbook")
    assert server.count == 1, "a key that is refused is not tried again"
    assert {c.stage for c in result.run.scored} >= {"initialize", "merge", "ablate"}


@pytest.mark.slow
def test_the_playbook_takes_over_in_the_middle_of_a_models_run(
    task: Task, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = SMALL.replace(agents="gemini", cost=0.02, outer_steps=2, reproduce=False)
    with serve(environment, Model()):
        result = solve(task, settings, tmp_path / "run")
        events = read_events(result.run.folder / "journal.jsonl")
        (changed,) = [e.data for e in events if e.kind == "agents_changed"]
        assert changed["to"] == "playbook"
        candidates = dict(result.run.state.candidates)
        with Session.resume(result.run.folder) as session:
            again = session.solve()
    assert set(again.run.state.candidates) == set(candidates), "it took the same turns"
    events = read_events(result.run.folder / "journal.jsonl")
    assert len([e for e in events if e.kind == "agents_changed"]) == 1


@pytest.mark.slow
def test_a_server_of_the_users_own_plays_all_roles(
    task: Task, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with GeminiServer(Model()) as server:
        settings = SMALL.replace(
            agents="openai-only", endpoint=f"{server.url}/v1", model="local", reproduce=False
        )
        result = solve(task, settings, tmp_path / "run")
    events = read_events(result.run.folder / "journal.jsonl")
    assert len(called(events, replayed=False)) == server.count
    notes = [e.data["text"] for e in events if e.kind == "note"]
    assert "openai cannot search the web: models come from the catalogue" in notes


RUN = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
settings = Settings.from_json({settings!r})
with Session.start(from_folder(Path({task!r})), settings, Path({run!r})) as s:
    s.solve()
"""


@pytest.mark.slow
@pytest.mark.parametrize("replies", [1, 7])
def test_a_run_killed_in_the_middle_pays_only_for_what_was_in_flight(
    environment: pytest.MonkeyPatch, tmp_path: Path, replies: int
) -> None:
    folder, run = write_demo_task(tmp_path / "task"), tmp_path / "run"
    settings = SMALL.replace(reproduce=False)
    tests = str(Path(__file__).parents[1])
    values = {"tests": tests, "task": str(folder), "run": str(run), "settings": settings.to_json()}
    with serve(environment, Model()) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN.format(**values)], start_new_session=True
        )
        try:
            end = time.monotonic() + 120
            while len(list(run.glob("replies/*.json"))) < replies and time.monotonic() < end:
                assert process.poll() is None, "the run ended before it could be killed"
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with Session.resume(run) as session:
            result = session.solve()
        prompts = [(asked.system, asked.prompt) for asked in server.asked]
    at_once = settings.calls_at_once
    assert len(prompts) - len(set(prompts)) <= at_once, "only what was in flight is asked again"
    assert result.submission is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agents": "oracle"}, "unknown agents 'oracle'; known are: playbook, gemini"),
        ({"role_models": {"planner": "x"}}, "unknown role 'planner'; did you mean plan"),
        ({"model": "own-model", "cost": 1.0}, "price of own-model"),
        ({"agents": "openai", "endpoint": "http://127.0.0.1:9/v1"}, "--model NAME"),
    ],
)
def test_what_cannot_work_is_said_before_a_folder_is_made(
    task: Task, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Session.start(task, SMALL.replace(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_a_key_gemini_says_how_to_get_one_and_the_playbook_needs_none() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GEMINI_API_KEY")
        with pytest.raises(SettingsError, match="set GEMINI_API_KEY"):
            check_agents(SMALL)
        check_agents(SMALL.replace(agents="playbook"))
        check_agents(SMALL.replace(replay="some-run"))
