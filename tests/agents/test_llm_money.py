"""Prices and the limit of money."""

from __future__ import annotations

from datetime import date

import pytest

from mlestar_jupyter.agents.llm.llm import Request, Usage
from mlestar_jupyter.agents.llm.money import LONGEST, SHORTEST, Money
from mlestar_jupyter.agents.llm.prices import PRICES, RISE, RISEN, cost_of, price_of
from mlestar_jupyter.endings import OutOfMeans
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.events import Event
from mlestar_jupyter.settings import Settings

OWN = {"m": [1.0, 10.0, 0.1]}
MILLION = 1_000_000


def money(cost: float | None, *, slots: int = 2, events: tuple[Event, ...] = ()) -> Money:
    return Money(Settings(cost=cost, prices=OWN, calls_at_once=slots), events, local=False)


def request(size: int = 600, role: str = "plan") -> Request:
    return Request(role, "m-large", "", "x" * size)


def test_tokens_are_paid_by_their_kind():
    usage = Usage(prompt=MILLION, cached=400_000, output=100_000, thoughts=50_000)
    assert cost_of(usage, "m-1", OWN) == pytest.approx(0.6 + 0.04 + 1.5)


def test_the_longest_beginning_of_a_name_holds():
    assert price_of("gemini-2.5-flash-lite-001", {}) == PRICES["gemini-2.5-flash-lite"]
    assert price_of("models/gemini-2.5-flash", {}) == PRICES["gemini-2.5-flash"]


def test_the_users_own_prices_go_before():
    assert price_of("gemini-2.5-pro", {"gemini": [7.0, 8.0]}) == (7.0, 8.0, 7.0)


def test_a_price_that_is_not_known_is_none_and_a_server_of_ones_own_is_free():
    assert price_of("llama3", {}) is None
    assert cost_of(Usage(1, 0, 1, 0), "llama3", {}) is None
    assert cost_of(Usage(1, 0, 1, 0), "llama3", {}, local=True) == 0
    assert cost_of(Usage(MILLION), "llama3", {"llama3": [0.5, 1.0]}, local=True) == 0.5


def test_a_price_that_ends_on_a_known_day_rises_then():
    last = date.fromordinal(RISE.toordinal() - 1)
    for model in RISEN:
        assert price_of(model, {}, on=last) == (0.75, 3.75, 0.075)
        assert price_of(model, {}, on=RISE) == (1.5, 7.5, 0.15)
    assert price_of("gemini-2.5-pro", {}, on=RISE) == PRICES["gemini-2.5-pro"]


def test_more_cached_than_asked_costs_nothing_negative():
    assert cost_of(Usage(prompt=10, cached=20), "m", {"m": [1.0, 1.0, 0.0]}) == 0


def test_without_a_limit_nothing_is_held():
    purse = money(None)
    hold = purse.hold(request())
    assert hold is not None
    assert (hold.amount, hold.most) == (0.0, None)
    purse.settle(hold, "plan", 0.25)
    assert purse.paid == 0.25


def test_with_plenty_an_answer_may_be_as_long_as_any():
    hold = money(100.0).hold(request())
    assert hold is not None
    assert hold.most is None
    assert hold.amount < 1


def test_what_is_held_and_paid_never_exceeds_the_limit():
    purse = money(0.30, slots=4)
    holds = []
    while (hold := purse.hold(request())) is not None:
        assert hold.most is not None
        assert SHORTEST <= hold.most < LONGEST
        holds.append(hold)
    assert 3 <= len(holds) <= 5
    assert sum(hold.amount for hold in holds) <= 0.30
    worst = [cost_of(Usage(300, 0, hold.most or 0, 0), "m", OWN) or 0 for hold in holds]
    assert sum(worst) <= 0.30


def test_when_calls_in_flight_hold_all_another_waits_and_then_goes_on():
    purse = money(0.05, slots=1)
    first = purse.hold(request())
    assert first is not None
    assert purse.hold(request()) is None
    purse.settle(first, "plan", 0.001)
    assert purse.hold(request()) is not None


def test_when_all_is_paid_it_says_how_much():
    purse = money(0.05)
    hold = purse.hold(request())
    assert hold is not None
    purse.settle(hold, "plan", 0.0499)
    with pytest.raises(OutOfMeans, match=r"the limit of \$0.05 is reached: \$0.0499 is paid"):
        purse.hold(request())


def test_a_prompt_that_is_too_dear_is_not_sent():
    with pytest.raises(OutOfMeans):
        money(0.05).hold(request(size=10**6))


def test_a_role_that_is_dear_needs_what_it_usually_takes():
    purse = money(1.0)
    for _ in range(3):
        hold = purse.hold(request(role="code"))
        assert hold is not None
        purse.settle(hold, "code", 0.3)
    with pytest.raises(OutOfMeans):
        purse.hold(request(role="code"))
    assert purse.hold(request(role="plan")) is not None


def test_what_earlier_sessions_paid_counts():
    data = [
        {"role": "plan", "cost": 0.04},
        {"role": "plan", "cost": None},
        {"role": "plan", "cost": 0.0, "replayed": True},
    ]
    events = tuple(Event(n, "llm_called", 0.0, 0.0, each) for n, each in enumerate(data))
    purse = money(0.05, events=events)
    assert purse.paid == 0.04
    with pytest.raises(OutOfMeans):
        purse.hold(request())
    assert money(1.0, events=events).hold(request()) is not None


def test_a_limit_needs_a_price_to_hold_it_by():
    purse = Money(Settings(cost=1.0), (), local=False)
    with pytest.raises(SettingsError, match="--cost needs the price of llama3"):
        purse.check_price("llama3")
    Money(Settings(cost=1.0), (), local=True).check_price("llama3")
    Money(Settings(), (), local=False).check_price("llama3")
