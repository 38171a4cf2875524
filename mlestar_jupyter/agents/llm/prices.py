"""What tokens cost, in dollars a million. The user's own prices go before those known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from mlestar_jupyter.agents.llm.llm import Usage

#: The day on which the prices below were looked up.
AS_OF = date(2026, 10, 7)
#: (input, output, cached input) by the beginning of a model's name; the longest that fits holds.
#: Source: https://ai.google.dev/gemini-api/docs/pricing, paid tier, text, prompts up to 200 000
#: tokens. Thoughts are paid like output. What searches cost beyond the free ones is not counted.
PRICES: dict[str, tuple[float, float, float]] = {
    "gemini-2.5-flash": (0.30, 2.50, 0.03),
    "gemini-2.5-flash-lite": (0.10, 0.40, 0.01),
    "gemini-2.5-pro": (1.25, 10.00, 0.125),
    "gemini-3-flash": (0.50, 3.00, 0.05),
    "gemini-3-pro": (2.00, 12.00, 0.20),
    "gemini-3.1-pro": (2.00, 12.00, 0.20),
    "gemini-3.1-flash-lite": (0.25, 1.50, 0.025),
    "gemini-3.5-flash": (1.50, 9.00, 0.15),
    "gemini-3.5-flash-lite": (0.30, 2.50, 0.03),
    "gemini-3.6-flash": (0.75, 3.75, 0.075),
    "gemini-3.7-flash": (0.75, 3.75, 0.075),
    "gemini-3.8-flash": (0.75, 3.75, 0.075),
}
#: The half price of the newest Flash models ends before this day.
RISE = date(2027, 1, 1)
RISEN = ("gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash")

Prices = Mapping[str, Sequence[float]]


def price_of(
    model: str, prices: Prices, *, local: bool = False, on: date | None = None
) -> tuple[float, float, float] | None:
    """Dollars a million tokens of (input, output, cached input); None: unknown.

    ``prices`` are the user's: (input, output) or (input, output, cached) by the beginning of a
    model's name. A ``local`` server takes nothing unless they say so. ``on`` is the day, today by
    default.
    """
    name = model.removeprefix("models/")
    given = _longest(name, prices)
    if given is not None:
        fresh, out, *rest = prices[given]
        return fresh, out, rest[0] if rest else fresh
    if local:
        return 0.0, 0.0, 0.0
    known = _longest(name, PRICES)
    if known is None:
        return None
    times = 2 if known in RISEN and (on or datetime.now(UTC).date()) >= RISE else 1
    fresh, out, cached = PRICES[known]
    return times * fresh, times * out, times * cached


def cost_of(usage: Usage, model: str, prices: Prices, *, local: bool = False) -> float | None:
    """What a call costs, in dollars; None when the model's price is not known."""
    price = price_of(model, prices, local=local)
    if price is None:
        return None
    fresh, out, cached = price
    return (
        max(0, usage.prompt - usage.cached) * fresh
        + usage.cached * cached
        + (usage.output + usage.thoughts) * out
    ) / 1e6


def _longest(name: str, table: Prices) -> str | None:
    return max((prefix for prefix in table if name.startswith(prefix)), key=len, default=None)
