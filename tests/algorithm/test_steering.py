"""Steering: a run waits for its user, does what was said, and knows it again when it is resumed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cast import MODELS, SmallCast

from mlestar_jupyter.algorithm.ensemble import members
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.errors import BudgetError, MlestarError, SettingsError
from mlestar_jupyter.events import Event
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Brief, ModelCard, Target
from mlestar_jupyter.run import Run
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution

SETTINGS = Settings(
    seconds=300, models=1, outer_steps=2, inner_steps=1, solutions=1, ensemble_rounds=1, folds=1,
    reproduce=False, step=True,
)  # fmt: skip
PATIENCE = 120.0


class WeakCast(SmallCast):
    """Begins with a ridge regression that is close to a constant: easy to be better than."""

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        solution = super().initialize(brief, card)
        weak = solution.source("model").replace("alpha=10.0", "alpha=1e9")
        return solution.replace("model", weak)


class ListeningCast(WeakCast):
    """Remembers what the user had suggested whenever a target block was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, ...]] = []

    def extract(self, brief: Brief, *args: Any) -> Target | None:
        self.heard.append(brief.suggestions)
        return super().extract(brief, *args)


class Driver:
    """A session that works in a thread, as the magics have it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.run = session.run
        self.error: BaseException | None = None
        self._changed = threading.Condition()
        self.run.listeners.append(self._listen)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.session.solve()
        except BaseException as error:
            self.error = error

    def _listen(self, event: Event) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, condition: Callable[[Run], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.run), PATIENCE), "it never came"

    def until_it_waits(self) -> list[dict[str, Any]]:
        self.until(lambda run: bool(run.state.waiting))
        return self.run.state.waiting

    def end(self) -> None:
        self.session.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.session.close()

    def finish(self) -> None:
        """Go on at each stop, to the end."""
        while not self.run.state.ended:
            self.until(lambda run: bool(run.state.waiting or run.state.ended))
            if self.run.state.waiting:
                self.session.resume_work()
                self.until(lambda run: not run.state.waiting)
        self._thread.join(PATIENCE)


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """A function that begins or resumes a run in step mode."""
    begun: list[Driver] = []

    def start(settings: Settings = SETTINGS, agents: SmallCast | None = None) -> Driver:
        agents = agents or WeakCast()
        if (tmp_path / "run").exists():
            session = Session.resume(tmp_path / "run", agents=agents)
        else:
            task = from_folder(write_demo_task(tmp_path / "task"))
            session = Session.start(task, settings, tmp_path / "run", agents=agents)
        begun.append(Driver(session))
        return begun[-1]

    yield start
    for driver in begun:
        driver.end()


def kinds(run: Run, kind: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in run.events if event.kind == kind]


def test_a_run_in_step_mode_waits_before_each_outer_step_and_before_the_ensemble(
    drive: Callable[..., Driver],
) -> None:
    driver = drive()
    (report,) = driver.until_it_waits()
    assert report["number"] == 0
    assert report["incumbent"] in report["found"]
    assert report["next"].startswith("outer step 1 of 2: measure what the blocks of")
    assert not [c for c in driver.run.state.candidates.values() if c.stage == "ablate"]
    before = driver.run.elapsed
    assert driver.run.elapsed == before, "the clock stands while the run waits"
    driver.session.resume_work()
    driver.until(lambda run: not run.state.waiting)
    (report,) = driver.until_it_waits()
    assert report["number"] == 1
    assert "plans were tried on block model" in report["found"]
    assert "the last study: " in report["next"]
    driver.finish()
    assert driver.error is None
    waits = kinds(driver.run, "step_waiting")
    assert [w["reports"][0]["branch"] for w in waits] == [0, 0, -1]
    assert waits[-1]["reports"][0]["next"] == "combine the solutions of all branches"
    assert driver.run.state.ended == "finished"


def test_a_pinned_block_is_the_target_of_one_outer_step(drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.until_it_waits()
    driver.session.pin("features")
    with pytest.raises(SettingsError, match="has no block 'nowhere'; it has load, features"):
        driver.session.pin("nowhere")
    assert driver.run.state.pinned == "features"
    driver.session.resume_work()
    driver.until(lambda run: not run.state.waiting)
    driver.until_it_waits()
    (target,) = driver.run.state.targets
    assert (target["block"], target["reason"]) == ("features", "pinned by you")
    assert driver.run.state.pinned is None
    assert [c.block for c in driver.run.state.candidates.values() if c.stage == "refine"] == [
        "features"
    ]


def test_a_suggestion_is_told_to_the_agents_in_one_step_of_the_branch(
    drive: Callable[..., Driver],
) -> None:
    agents = ListeningCast()
    driver = drive(agents=agents)
    driver.until_it_waits()
    driver.session.suggest("  try a \n tree ")
    driver.session.suggest("and ratios")
    driver.finish()
    assert agents.heard == [("try a tree", "and ratios"), ()]
    (first, second, last) = kinds(driver.run, "step_begun")
    assert first["suggestions"] == ["try a tree", "and ratios"]
    assert second["suggestions"] == []
    assert last["branch"] == -1


def test_blocks_of_the_users_own_are_judged_and_the_next_step_starts_from_them(
    drive: Callable[..., Driver],
) -> None:
    driver = drive()
    driver.until_it_waits()
    best = driver.run.best
    assert best is not None
    with pytest.raises(MlestarError, match=f"nothing differs from {best.id}, which is the best"):
        driver.session.adopt({"model": best.solution.source("model") + "\n# a comment"}, best)
    mine = MODELS["ridge"].format(x=0.05)
    adopted = driver.session.adopt({"model": mine}, best)
    assert (adopted.stage, adopted.parents, adopted.block) == ("adopt", (best.id,), "model")
    assert adopted.score is not None
    assert driver.run.best is not None
    assert driver.run.best.id == adopted.id
    driver.session.resume_work()
    driver.until(lambda run: not run.state.waiting)
    driver.until_it_waits()
    assert kinds(driver.run, "step_begun")[0]["incumbent"] == adopted.id
    assert all(s["candidate"] == adopted.id for s in driver.run.state.studies)


@pytest.mark.slow
def test_what_is_adopted_in_the_middle_of_a_step_gives_way_only_to_something_better(
    drive: Callable[..., Driver],
) -> None:
    driver = drive(settings=SETTINGS.replace(step=False, inner_steps=4))
    driver.until(lambda run: any(c.stage == "refine" for c in run.state.candidates.values()))
    base = driver.run.state.candidates["0001"]
    adopted = driver.session.adopt({"model": MODELS["ridge"].format(x=0.05)}, base)
    assert adopted.score is not None
    driver.until(lambda run: len(kinds(run, "step_begun")) >= 2)
    after = driver.run.state.candidates[str(kinds(driver.run, "step_begun")[1]["incumbent"])]
    assert after.score is not None
    assert after.id == adopted.id or after.score.value < adopted.score.value


def test_a_worse_solution_of_the_users_own_is_not_accepted(drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.until_it_waits()
    best = driver.run.best
    assert best is not None
    constant = "from sklearn.dummy import DummyRegressor\nmodel = DummyRegressor().fit(X, y)"
    adopted = driver.session.adopt({"model": constant}, best)
    assert adopted.score is not None
    assert driver.run.best == best
    assert kinds(driver.run, "plan_lost")[-1]["id"] == adopted.id


def test_what_is_undone_is_not_the_best_and_never_comes_back(
    drive: Callable[..., Driver],
) -> None:
    driver = drive()
    driver.until_it_waits()
    first = driver.run.best
    assert first is not None
    mine = {"model": MODELS["ridge"].format(x=0.05)}
    adopted = driver.session.adopt(mine, first)
    assert driver.session.undo().id == first.id
    with pytest.raises(MlestarError, match=f"{adopted.id} is the same, and was undone; change"):
        driver.session.adopt(mine, first)
    assert driver.run.best == first
    with pytest.raises(MlestarError, match="nothing to undo"):
        driver.session.undo()
    driver.finish()
    assert driver.run.best is not None
    assert driver.run.best.id != adopted.id
    assert adopted.id not in driver.run.state.incumbents.values()


def test_a_candidate_is_accepted_as_it_is_by_the_users_word(drive: Callable[..., Driver]) -> None:
    driver = drive()
    driver.until_it_waits()
    run, session = driver.run, driver.session
    first = run.best
    assert first is not None
    better = session.adopt({"model": MODELS["ridge"].format(x=0.05)}, first)
    assert run.state.best == better.id
    unchanged = {"model": first.solution.source("model") + "\n# a comment"}
    assert session.adopt(unchanged, first) == first, "nothing differs: it is accepted, not judged"
    assert run.best == first
    assert run.state.incumbents[0] == first.id
    assert kinds(run, "incumbent_changed")[-1]["reason"] == "accepted by you"
    with pytest.raises(MlestarError, match=f"{first.id}, which is the best already"):
        session.accept(first)
    broken = session.adopt({"model": "model = nowhere"}, first)
    with pytest.raises(MlestarError, match=f"{broken.id} has no score .*; %mlestar insert"):
        session.accept(broken)
    session.resume_work()
    driver.until(lambda run: not run.state.waiting)
    driver.until_it_waits()
    assert kinds(run, "step_begun")[0]["incumbent"] == first.id
    driver.end()
    again = drive()
    again.until_it_waits()
    assert again.run.state.best == run.state.best, "it holds when the run is resumed"


def test_any_candidate_can_be_undone_and_no_ensemble_is_made_of_it(
    drive: Callable[..., Driver],
) -> None:
    driver = drive(settings=SETTINGS.replace(models=2))
    driver.until_it_waits()
    run, session = driver.run, driver.session
    best, other = run.best, run.state.candidates["0002"]
    assert best is not None
    if best.id == other.id:
        other = run.state.candidates["0001"]
    assert session.undo(other) == best, "the best stays who it was"
    assert run.best == best
    assert kinds(run, "undone") == [{"branch": 0, "id": other.id, "to": None}]
    with pytest.raises(MlestarError, match=f"{other.id} is undone already"):
        session.undo(other)
    assert [c.id for c in members(session.context, [best])] == [best.id]
    session.accept(other)
    assert run.best == other, "who is accepted after all is undone no more"
    assert other.id not in run.state.rejected
    assert session.undo().id == best.id


def test_a_pause_lets_nothing_begin_until_the_run_is_resumed(drive: Callable[..., Driver]) -> None:
    driver = drive(settings=SETTINGS.replace(step=False, outer_steps=4, models=3))
    driver.until(lambda run: len(run.scored) >= 1)
    driver.session.pause()
    begun = {e["id"] for e in kinds(driver.run, "candidate_proposed")}
    driver.until(lambda run: begun <= set(run.state.candidates))
    assert {e["id"] for e in kinds(driver.run, "candidate_proposed")} == begun
    assert driver.run.state.paused
    driver.session.resume_work()
    driver.until(lambda run: len(run.state.candidates) > len(begun))
    assert [e.kind for e in driver.run.events if e.kind in ("paused", "resumed")] == [
        "paused", "resumed",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_stop_while_the_run_waits_is_heard_at_once_and_resuming_waits_there_again(
    drive: Callable[..., Driver],
) -> None:
    driver = drive()
    driver.until_it_waits()
    driver.session.resume_work()
    driver.until(lambda run: not run.state.waiting)
    driver.until_it_waits()
    driver.session.suggest("deeper trees")
    best = driver.run.best
    assert best is not None
    driver.session.adopt({"model": MODELS["ridge"].format(x=0.05)}, best)
    best = driver.run.best
    driver.end()
    assert isinstance(driver.error, BudgetError)
    executed = len(kinds(driver.run, "candidate_executed"))
    accepted = list(driver.run.state.accepted)

    agents = ListeningCast()
    again = drive(agents=agents)
    (report,) = again.until_it_waits()
    assert report["number"] == 1, "the first step was begun before, so it is not waited for"
    assert report["incumbent"] == again.run.state.incumbents[0]
    assert len(kinds(again.run, "candidate_executed")) == executed, "nothing is executed twice"
    assert again.run.state.accepted == accepted, "nothing is decided twice"
    assert again.run.best is not None
    assert again.run.best.id == best.id
    again.session.resume_work()
    again.until(lambda run: not run.state.waiting)
    again.until_it_waits()
    assert agents.heard[-1] == ("deeper trees",)


@pytest.mark.slow
def test_a_model_card_of_the_users_own_is_judged_beside_the_run(
    drive: Callable[..., Driver],
) -> None:
    driver = drive()
    driver.until_it_waits()
    candidate = driver.session.try_card(ModelCard("neighbours", "near rows are alike"))
    assert candidate.stage == "initialize"
    assert candidate.score is not None
    assert [card["name"] for card in driver.run.state.own_cards] == ["neighbours"]
    (other,) = driver.session.search_more(1)
    assert other.plan.startswith("tree")
    with pytest.raises(MlestarError, match="no further model is known"):
        driver.session.search_more(1)


@pytest.mark.slow
def test_two_candidates_are_merged_when_the_user_asks(drive: Callable[..., Driver]) -> None:
    driver = drive(settings=SETTINGS.replace(models=2))
    driver.until_it_waits()
    ridge, tree = driver.run.scored[:2]
    merged = driver.session.merge(ridge, tree)
    assert merged.parents == (ridge.id, tree.id)
    assert merged.score is not None
    with pytest.raises(MlestarError, match="ran without an error"):
        driver.session.debug(merged)
