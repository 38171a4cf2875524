"""Calls, tokens and money: added up from the journal, by role, by model and by candidate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from cast import SmallCast
from searched import FIRST, search
from spent import answer, call, spend

from mlestar_jupyter import accounts, reading, report
from mlestar_jupyter.agents.llm.relay import Relay
from mlestar_jupyter.cli import main
from mlestar_jupyter.endings import OutOfMeans
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Brief
from mlestar_jupyter.jupyter import views
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.spending import Spending, dollars
from mlestar_jupyter.terminal import Progress

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture
def run(build: Callable[..., Path], diabetes: Frames, tmp_path: Path) -> Run:
    settings = Settings(folds=2, solutions=2, seconds=100, agents="gemini", cost=2.0)
    made = Run.create(tmp_path / "runs" / "first", from_folder(build(*diabetes)), settings)
    search(made)
    return made


def test_calls_are_counted_with_those_that_failed_and_those_sent_again(run: Run) -> None:
    spend(run)
    total = reading.calls(run).total
    assert (total.calls, total.failed, total.retries, total.replayed) == (6, 1, 1, 1)
    assert (total.prompt, total.cached, total.output, total.thoughts) == (5000, 500, 1000, 1500)
    assert total.tokens == 7500
    assert total.money == pytest.approx(0.09)
    assert total.seconds == 12.0
    assert run.state.spending == total


def test_what_was_replayed_is_counted_and_paid_nothing(run: Run) -> None:
    call(run, 1, "plan", replayed=True, cost=0.0)
    call(run, 2, "code", replayed=True, cost=0.0)
    total = reading.calls(run).total
    assert (total.tokens, total.money, total.calls) == (0, 0.0, 0)
    assert total.words() == "paid nothing: 2 replies replayed"


def test_calls_are_grouped_by_role_in_the_papers_order_and_by_model(run: Run) -> None:
    spend(run)
    found = reading.calls(run)
    assert [role for role, _ in found.roles] == [
        "retrieve", "initialize", "summarize", "plan", "code", "debug",
    ]  # fmt: skip
    assert {model: s.calls for model, s in found.models} == {
        "gemini-2.5-flash": 5, "gemini-2.5-pro": 1,
    }  # fmt: skip
    assert dict(found.roles)["initialize"].failed == 1


def test_calls_belong_to_the_candidate_that_their_answer_became(run: Run) -> None:
    spend(run)
    found = reading.calls(run)
    assert [name for name, _ in found.candidates] == ["0006", "0001"]
    ratios = found.of("0006")  # its plan, its code and its debugger
    assert ratios is not None
    assert (ratios.calls, ratios.money) == (3, pytest.approx(0.07))
    ridge = found.of("0001")
    assert ridge is not None
    assert (ridge.calls, ridge.failed) == (2, 1)
    assert found.of("0005") is None


def test_an_answer_belongs_to_the_next_candidate_with_its_plan_in_its_branch(run: Run) -> None:
    from mlestar_jupyter.candidate import Proposal
    from mlestar_jupyter.solution import Block, Solution

    def propose(branch: int, source: str) -> str:
        solution = Solution((Block("features", source),))
        return run.propose(Proposal("refine", solution, "bins", (), "features", branch))

    call(run, 1, "code", branch=1)
    answer(run, "code", [1], branch=1, plan="bins", block="features")
    assert reading.calls(run).candidates == ()
    propose(0, "1")
    second = propose(1, "2")
    propose(1, "3")
    assert [name for name, _ in reading.calls(run).candidates] == [second]


def test_a_call_of_unknown_price_is_said_and_never_guessed(run: Run) -> None:
    call(run, 1, "plan", cost=None)
    assert reading.calls(run).total.words() == "1 call, 1,500 tokens, unknown price"
    call(run, 2, "plan")
    words = reading.calls(run).total.money_words(2.0)
    assert words == "$0.0100 of $2.00 and some calls of unknown price"


def test_a_call_that_failed_without_tokens_has_no_price_to_know() -> None:
    spending = Spending()
    spending.add({"status": "503", "cost": None, "try": 1})
    assert (spending.unpriced, spending.failed) == (0, 1)


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "$0.00"), (1234.5, "$1,234.50"), (0.0123, "$0.0123"), (1e-6, "less than $0.0001")],
)
def test_small_amounts_keep_the_digits_that_it_takes_to_see_them(amount: float, words: str) -> None:
    assert dollars(amount) == words


def test_a_resumed_run_knows_what_was_paid_before(run: Run) -> None:
    spend(run)
    run.close()
    assert Run.open(run.folder, run.task).state.spending.money == pytest.approx(0.09)


def test_the_cost_view_has_tables_by_role_model_and_candidate(run: Run) -> None:
    spend(run)
    view = views.CostView(run)
    assert view.money == pytest.approx(0.09)
    assert list(view.candidates["id"]) == ["0006", "0001"]
    assert next(iter(view.roles["role"])) == "retrieve"
    assert list(view.models["money"]) == [pytest.approx(0.04), pytest.approx(0.05)]
    for told in ("gemini: 6 calls (1 failed), 1 replayed, 7,500 tokens, $0.0900 of $2.00",
                 "12s in calls, 1 retry", "planner",
                 "gemini-2.5-pro", "By role"):  # fmt: skip
        assert told.lower() in (view.text + view.markup).lower(), told


def test_the_cost_view_names_the_change_of_the_cast_and_escapes_its_reason(run: Run) -> None:
    run.emit("agents_changed", **{"from": "gemini", "to": "playbook", "reason": "<b>no quota</b>"})
    view = views.CostView(run)
    assert "playbook goes on for gemini: <b>no quota</b>" in view.text
    assert "<b>" not in view.markup


def test_status_says_what_was_paid_and_which_cast_is_at_work(run: Run) -> None:
    assert "gemini: nothing was asked yet" in report.status(run)
    spend(run)
    changed = run.emit("agents_changed", **{"from": "gemini", "to": "playbook", "reason": "gone"})
    assert "agents      playbook: 6 calls (1 failed)" in report.status(run)
    assert "agents: playbook: 6 calls (1 failed)" in views.run_view(run).markup
    assert "(at first gemini)" in " ".join(report.status(run).split())
    line = report.event_line(run, changed)
    assert line is not None
    assert line.endswith("agents: playbook goes on for gemini: gone")


def test_a_session_in_which_the_first_cast_answers_again_says_so(run: Run) -> None:
    change = {"from": "gemini", "to": "playbook", "reason": "no network"}
    run.emit("agents_changed", **change)
    call(run, 1, "plan")  # it was in flight
    assert run.state.agents == "playbook"
    run.emit("session_started")
    call(run, 2, "plan", replayed=True, cost=0.0)
    call(run, 3, "plan", status="unreachable")
    assert run.state.agents == "playbook"
    call(run, 4, "plan")
    assert run.state.agents == "gemini"
    run.emit("agents_changed", **{**change, "to": ""})
    assert "nobody: 3 calls" in report.status(run)
    assert "gemini cannot go on: no network" in accounts.text(run)


def test_an_answer_that_became_an_ensemble_is_found_by_its_plan(run: Run) -> None:
    call(run, 1, "ensemble")
    answer(run, "ensemble", [1], branch=0, plan="average", block="combine")
    assert [name for name, _ in reading.calls(run).candidates] == ["0007"]


def test_a_run_of_the_playbook_says_nothing_of_money(
    build: Callable[..., Path], diabetes: Frames, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "run", from_folder(build(*diabetes)), Settings(folds=2))
    assert "agents" not in report.status(run)
    assert "agents" not in accounts.text(run)
    assert "$" not in report.pairs(report.understood(run))


def test_the_command_line_tells_where_the_money_went(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    spend(run)
    run.close()
    assert main(["cost", str(run.folder)]) == 0
    said = capsys.readouterr().out
    assert "by role" in said
    assert "dearest candidates" in said


def test_pages_of_a_candidate_are_those_of_its_card_and_of_its_debugger(run: Run) -> None:
    assert reading.pages(run, "0001") == (("https://ridge.org", ""),)
    spend(run)
    assert reading.pages(run, "0006") == (("https://example.org/a", "A page"),)
    assert reading.pages(run, "0005") == ()


def test_the_pages_of_a_card_begin_with_its_source() -> None:
    card = {"name": "x", "source": "https://a.org", "pages": [["https://b.org", "B"]]}
    assert list(reading.card_pages(card).items()) == [("https://a.org", ""), ("https://b.org", "B")]
    card = {
        "name": "x",
        "source": "https://b.org",
        "pages": [{"url": "https://b.org", "title": "B"}],
    }
    assert reading.card_pages(card) == {"https://b.org": "B"}
    assert reading.card_pages({"name": "x", "source": "the docs of scikit-learn"}) == {}


def test_a_terminal_shows_what_was_paid_and_the_end_of_what_is_written(run: Run) -> None:
    progress = Progress(100.0)
    assert progress.line(run, 100) == "6 scored, best 57 ± 1.5"
    spend(run)
    progress.watch(Writing("plan", 0, "First of all,\nuse bins of the target " * 9))
    line = progress.line(run, 120)
    assert line.startswith("6 scored, best 57 ± 1.5, $0.0900 of $2.00, planner: …")
    assert line.endswith("use bins of the target")
    assert len(line) <= 120
    assert "planner" not in progress.line(run, 80)
    progress.watch(Writing("plan", 0, ""))
    assert "planner" not in progress.line(run, 120)


def test_a_change_of_the_cast_is_said_again_when_the_first_has_answered_meanwhile(run: Run) -> None:
    class Tired(SmallCast):
        name = "gemini"

        def summarize(self, *_: object) -> str:
            raise OutOfMeans("the limit of $1 is reached")

    def ask() -> list[str]:
        means = SimpleNamespace(search_left=10.0, is_stopped=False)
        relay = Relay(Tired(), SmallCast(), run, means)
        relay.summarize(Brief(run.task, 1.0), FIRST, [])
        return [e.data["to"] for e in run.events if e.kind == "agents_changed"]

    assert ask() == ["small"]
    run.emit("session_started")
    assert ask() == ["small"]  # nothing is new
    run.emit("session_started")
    call(run, 1, "plan")  # there was more money
    assert run.state.agents == "gemini"
    assert ask() == ["small", "small"]
    assert run.state.agents == "small"
