"""What to expect of a run, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mlestar_jupyter import accounts
from mlestar_jupyter.agents.llm.estimate import SIZES, calls_by_role, estimate
from mlestar_jupyter.cli import main
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.settings import ROLES, Settings
from mlestar_jupyter.task import Task

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
LONG = Settings(agents="gemini", seconds=100_000.0)


@pytest.fixture(autouse=True)
def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(build: Callable[..., Path], diabetes: Frames) -> Path:
    return build(*diabetes)


@pytest.fixture
def task(folder: Path) -> Task:
    return from_folder(folder)


def test_every_role_of_a_cast_is_reckoned_with() -> None:
    assert set(SIZES) == set(ROLES)
    assert set(calls_by_role(LONG, searches=True)) == set(ROLES)


def test_with_time_for_all_the_loops_are_those_of_the_paper() -> None:
    counts = calls_by_role(LONG, searches=True)  # M=4, T=4, K=4, L=2, R=5
    low = {role: span[0] for role, span in counts.items()}
    assert low["retrieve"] == 2  # one that searches, one for the cards
    assert low["initialize"] == 4
    assert low["ablate"] == low["extract"] == 2 * 4
    assert low["code"] == 2 * 4 * 4
    assert low["plan"] == 2 * 4 * 3  # the extractor gives the first plan
    assert low["ensemble"] == 5
    assert all(span[0] <= span[1] for span in counts.values())


def test_little_time_means_fewer_steps_and_other_loops_other_counts() -> None:
    short = calls_by_role(LONG.replace(seconds=60), searches=True)
    assert short["code"][1] < calls_by_role(LONG, searches=True)["code"][0]
    assert short["initialize"][0] == 4
    alone = calls_by_role(LONG.replace(solutions=1, outer_steps=0), searches=False)
    assert alone["ensemble"] == alone["code"] == (0, 0)
    assert alone["retrieve"][0] == 0  # a model that cannot search has its cards from the catalogue


def test_money_follows_the_price_the_thinking_and_the_data(task: Task) -> None:
    settings = LONG.replace(model="mine", prices={"mine": [1.0, 10.0]})
    found = estimate(task, settings)
    assert found.money is not None
    assert 0 < found.money[0] < found.money[1]
    dear = estimate(task, settings.replace(prices={"mine": [2.0, 20.0]})).money
    assert dear is not None
    assert dear[1] == pytest.approx(2 * found.money[1])
    quiet = estimate(task, settings.replace(thinking=0)).money
    assert quiet is not None
    assert quiet[1] < found.money[1]


def test_a_model_that_knows_levels_of_thinking_thinks_at_the_lowest_too(task: Task) -> None:
    prices = {"gemini": [1.0, 10.0]}
    settings = LONG.replace(thinking=0, prices=prices)
    older = estimate(task, settings.replace(model="gemini-2.5-flash")).tokens
    newer = estimate(task, settings.replace(model="gemini-3.8-flash")).tokens
    assert older[1] < newer[1]


def test_a_role_may_have_a_model_and_a_price_of_its_own(task: Task) -> None:
    settings = LONG.replace(
        model="small", role_models={"plan": "big"}, prices={"small": [1, 1], "big": [9, 9]}
    )
    found = {role.role: role for role in estimate(task, settings).roles}
    assert found["plan"].model == "big"
    assert found["code"].model == "small"


def test_a_limit_of_calls_a_minute_bounds_the_calls(task: Task) -> None:
    slow = estimate(task, LONG.replace(seconds=600, calls_per_minute=2))
    assert slow.calls[1] == pytest.approx(20)


def test_an_unknown_price_is_said_and_refused_where_there_is_a_limit(task: Task) -> None:
    settings = LONG.replace(model="unheard-of")
    found = estimate(task, settings)
    assert found.money is None
    assert found.unpriced == ("unheard-of",)
    assert "the price of unheard-of is not known" in accounts.expected(task, settings)
    with pytest.raises(SettingsError, match="--price unheard-of=INPUT,OUTPUT"):
        estimate(task, settings.replace(cost=1.0))


def test_a_local_server_costs_nothing_and_needs_a_models_name(task: Task) -> None:
    settings = LONG.replace(agents="openai", endpoint="http://localhost:11434/v1", cost=1.0)
    with pytest.raises(SettingsError, match="--model NAME"):
        estimate(task, settings)
    assert estimate(task, settings.replace(model="qwen")).money == (0.0, 0.0)


def test_the_command_line_says_it_without_a_key_and_makes_no_folder(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    words = ["run", str(folder), "--dry-run", "--time", "5m"]
    assert main([*words, "--agents", "gemini", "--cost", "0.01"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the limit is $0.0100, and the run lands when it is reached" in said
    assert "our prices of 20" in said
    assert "nothing was asked, no run begun" in said
    assert main([*words, "--agents", "playbook"]) == 0
    assert "nothing is paid; the run ends after 5m 00s" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before
