"""The live display: one output that is brought up to date, and not too often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from searched import FIRST, judged, search
from spent import spend

from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter import display as module
from mlestar_jupyter.jupyter.display import Live
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.settings import Settings

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
REPORT = {
    "branch": 0, "number": 1, "of": 4, "incumbent": "0005",
    "found": "4 plans were tried on <b>features</b>", "next": "measure the blocks of 0005",
}  # fmt: skip


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """What a front end shows: each output's states, in order."""

    def __init__(self) -> None:
        self.outputs: list[list[Any]] = []

    def display(self, view: Any, *, display_id: bool) -> Screen._Handle:
        assert display_id
        self.outputs.append([view])
        return self._Handle(self.outputs[-1])

    class _Handle:
        def __init__(self, states: list[Any]) -> None:
            self.states = states

        def update(self, view: Any) -> None:
            self.states.append(view)

    @property
    def states(self) -> list[Any]:
        (output,) = self.outputs
        return output

    @property
    def text(self) -> str:
        return str(self.states[-1])

    @property
    def html(self) -> str:
        return str(self.states[-1]._repr_mimebundle_()["text/html"])


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(module, "display", screen.display)
    return screen


@pytest.fixture
def run(build: Callable[..., Path], diabetes: Frames, tmp_path: Path) -> Run:
    settings = Settings(folds=2, solutions=2, seconds=1000)
    return Run.create(tmp_path / "runs" / "<first>", from_folder(build(*diabetes)), settings)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def live(run: Run, clock: Clock, **more: Any) -> Live:
    shown = Live(run, title="solve", clock=clock, **more)
    run.listeners.append(shown.listen)
    return shown


def test_it_begins_with_the_stages_the_time_and_no_score(
    run: Run, screen: Screen, clock: Clock
) -> None:
    live(run, clock).refresh()
    assert "<first> solve: at work" in screen.text
    assert "no score yet" in screen.text
    assert "of 16m 40s" in screen.text
    assert "&lt;first&gt;" in screen.html
    assert "initialize" in screen.html


def test_it_shows_best_last_candidates_and_the_chart_in_one_output(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock)
    shown.refresh()
    search(run)
    shown.refresh()
    assert len(screen.states) == 2
    for told in ("best rmse 57 ± 1.5 (0007)", "6 scored (2 ablations), 1 without a score",
                 "[ensemble]", "0006 refine features", "−3"):  # fmt: skip
        assert told in screen.text, told
    assert "0001 initialize" not in screen.text  # only the last five
    assert "data:image/svg+xml" in screen.html
    assert "57" in screen.html
    assert "fill with medians" in screen.html


def test_what_comes_from_the_data_is_escaped(run: Run, screen: Screen, clock: Clock) -> None:
    shown = live(run, clock)
    judged(run, "initialize", FIRST, None, plan="<script>alert(1)</script>", reason='"<b>"')
    run.emit("step_waiting", reports=[REPORT])
    shown.refresh()
    shown.finish("<b>ended</b> with `code <i>`")
    for state in screen.states:
        html = state._repr_mimebundle_()["text/html"]
        assert "<script>" not in html
        assert "<b>" not in html
        assert "<i>" not in html


def test_nothing_is_sent_while_nothing_happens_but_time_now_and_then(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock)
    for _ in range(5):
        shown.refresh()
    assert len(screen.states) == 1
    clock.now = module.TIME_EVERY
    shown.refresh()
    shown.refresh()
    assert len(screen.states) == 2
    shown.refresh(force=True)
    assert len(screen.states) == 3
    run.emit("note", text="something")
    shown.refresh()
    assert len(screen.states) == 4


def test_the_chart_is_drawn_anew_only_for_new_scores_and_not_too_often(
    run: Run, screen: Screen, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    original = module.charts.score_chart
    monkeypatch.setattr(
        module.charts, "score_chart", lambda *a, **k: (drawn.append(1), original(*a, **k))[1]
    )
    shown = live(run, clock)
    search(run)
    shown.refresh()
    assert len(drawn) == 1
    judged(run, "refine", FIRST.replace("model", "other"), 59.0)
    shown.refresh()
    assert len(drawn) == 1  # too early
    clock.now = module.CHART_EVERY
    shown.refresh(force=True)
    assert len(drawn) == 2
    clock.now *= 2
    run.emit("note", text="no score")
    shown.refresh()
    assert len(drawn) == 2
    judged(run, "refine", FIRST.replace("model", "another"), 59.5)
    shown.finish()
    assert len(drawn) == 3  # the last state is whole, however early


def test_a_run_that_waits_says_what_it_found_and_how_to_go_on(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock)
    run.emit("step_waiting", reports=[REPORT])
    shown.refresh()
    for said in (screen.text, screen.html):
        assert "waiting for you" in said
        assert "branch 1, step 1 of 4 done" in said
        assert "measure the blocks of 0005" in said
        assert "%mlestar resume" in said
    run.emit("resumed")
    shown.refresh()
    assert "waiting for you" not in screen.html


def test_a_paused_run_says_so_and_its_time_stands_still(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock)
    run.emit("paused")
    shown.refresh()
    assert "paused" in screen.text
    assert "go on with" in screen.html
    clock.now = 100.0
    shown.refresh()
    assert len(screen.states) == 1


def test_the_end_is_shown_once_with_its_words(run: Run, screen: Screen, clock: Clock) -> None:
    shown = live(run, clock)
    search(run)
    run.emit("run_finished", reason="finished")
    shown.finish("go on with `%mlestar refine`")
    assert "solve: finished" in screen.text
    assert screen.text.endswith("go on with `%mlestar refine`")
    assert "✓ finalize" in screen.html
    shown.refresh(force=True)
    shown.finish("again")
    assert len(screen.states) == 1


def test_plain_is_text_and_changes_with_the_stage_only(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock, plain=True)
    shown.refresh()
    run.emit("stage_started", stage="initialize", branch=None)
    shown.refresh()
    judged(run, "initialize", FIRST, 60.0)
    clock.now = 500.0
    shown.refresh()
    assert len(screen.states) == 2
    shown.finish("that is all")
    assert len(screen.states) == 3
    assert all(set(s._repr_mimebundle_()) == {"text/plain"} for s in screen.states)
    assert "best rmse 60 ± 1.5 (0001)" in screen.text
    assert screen.text.endswith("that is all")
    assert len(screen.text.splitlines()) == 2


def test_work_beside_the_whole_run_shows_its_own_time(
    run: Run, screen: Screen, clock: Clock
) -> None:
    live(run, clock, start=run.elapsed, limit=run.elapsed + 90).refresh()
    assert "0s of 1m 30s, 1m 30s left" in screen.text


def test_it_may_be_refreshed_from_many_threads_while_the_run_goes_on(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock)
    shown.refresh()
    done = threading.Event()
    failures: list[BaseException] = []

    def watch() -> None:
        try:
            while not done.is_set():
                shown.refresh(force=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=watch) for _ in range(3)]
    for thread in threads:
        thread.start()
    search(run)
    done.set()
    for thread in threads:
        thread.join()
    shown.finish()
    assert failures == []
    assert "best rmse 57 ± 1.5 (0007)" in screen.text


def test_a_front_end_that_shows_nothing_is_no_error(
    run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "display", lambda *args, **more: None)
    shown = live(run, clock)
    shown.refresh()
    shown.refresh(force=True)
    shown.finish()


def watched(run: Run, clock: Clock) -> Live:
    shown = live(run, clock)
    run.watchers.append(shown.watch)
    return shown


def test_what_an_agent_writes_is_shown_by_its_end_until_it_is_done(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = watched(run, clock)
    run.show(Writing("plan", 1, "Target encoding for <b>city</b>,\nwith " + "many " * 30 + "words"))
    shown.refresh()
    assert "✎ planner, branch 2: …" in screen.text
    assert "many words" in screen.text
    assert "Target encoding" not in screen.text
    run.show(Writing("plan", 1, "Target <b>encoding</b>"))
    shown.refresh()
    assert "encoding" not in screen.text  # too early: words come in by the dozen
    clock.now += module.WRITING_EVERY
    shown.refresh()
    assert "✎ planner, branch 2: Target <b>encoding</b>" in screen.text
    assert "<b>" not in screen.html
    run.show(Writing("plan", 1, ""))
    clock.now += module.WRITING_EVERY
    shown.refresh()
    assert "✎" not in screen.text


def test_agents_that_write_at_once_have_a_line_each_and_only_the_last_are_shown(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = watched(run, clock)
    for role in ("retrieve", "plan", "code", "debug"):
        run.show(Writing(role, 0, f"by {role}"))
    run.show(Writing("plan", 0, "by plan again"))
    shown.refresh()
    lines = [line for line in screen.text.splitlines() if "✎" in line]
    assert [line.split(":")[0] for line in lines] == [
        "✎ coder, branch 1", "✎ debugger, branch 1", "✎ planner, branch 1",
    ]  # fmt: skip


def test_nothing_is_being_written_any_more_at_the_end(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = watched(run, clock)
    run.show(Writing("plan", 0, "half a sent"))
    shown.refresh()
    shown.finish("stopped")
    assert "half a sent" not in screen.text


def test_what_language_models_have_cost_is_shown_beside_the_limit(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown = live(run, clock)
    shown.refresh()
    assert "agents" not in screen.text
    search(run)
    run.emit("settings_changed", settings=run.settings.replace(agents="gemini", cost=2.0).to_json())
    spend(run)
    shown.refresh()
    told = "agents: gemini, 6 calls (1 failed), 1 replayed, 7,500 tokens, $0.0900 of $2.00"
    assert told in screen.text
    assert "7,500 tokens, $0.0900 of $2.00" in screen.html


def test_a_change_of_the_cast_is_said_also_where_nobody_looks_on(
    run: Run, screen: Screen, clock: Clock
) -> None:
    shown, plain = live(run, clock), live(run, clock, plain=True)
    reason = "the quota of <today> is used up"
    run.emit("agents_changed", **{"from": "gemini", "to": "playbook", "reason": reason})
    for one in (shown, plain):
        one.refresh()
    told = f"playbook goes on for gemini: {reason}"
    assert told in str(screen.outputs[0][-1])
    assert told in str(screen.outputs[1][-1])
    assert "<today>" not in screen.outputs[0][-1].markup
