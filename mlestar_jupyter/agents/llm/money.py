"""The limit of money: what is paid and what calls in flight may still cost never exceed it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from mlestar_jupyter.agents.llm.llm import Request, Usage
from mlestar_jupyter.agents.llm.prices import cost_of, price_of
from mlestar_jupyter.endings import OutOfMeans
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.events import Event
from mlestar_jupyter.settings import Settings

#: The longest answers of today's models, thoughts included, in tokens.
LONGEST = 65_536
#: An answer of less than so many tokens is of no use, so it is not asked for.
SHORTEST = 1024
#: Characters of a token, at least and at most: English and code have three to four.
DENSE, SPARSE = 2.0, 6.0


@dataclass
class Hold:
    """Money set aside for one call, in dollars; ``most`` is what its answer may have, in tokens."""

    amount: float
    most: int | None


class Money:
    """What a run pays for its calls. Used from many threads.

    ``paid`` is in dollars, over all sessions; calls whose price is not known count as nothing, and
    with a limit there are none: SettingsError.
    """

    def __init__(self, settings: Settings, events: Iterable[Event], *, local: bool) -> None:
        self._limit = settings.cost
        self._prices = settings.prices
        self._local = local
        self._slots = settings.calls_at_once
        self._lock = threading.Lock()
        self._holds: list[Hold] = []
        self._costs: dict[str, list[float]] = defaultdict(list)
        self.paid = 0.0
        for event in events:
            if event.kind == "llm_called" and event.data.get("cost"):
                self._pay(str(event.data.get("role", "")), float(event.data["cost"]))

    def check_price(self, model: str) -> None:
        """Raise SettingsError when there is a limit but no price to hold it by."""
        if self._limit is not None and self._price(model) is None:
            raise SettingsError(
                f"--cost needs the price of {model}, which is not known; "
                f"give it with --price {model}=INPUT,OUTPUT (dollars a million tokens)"
            )

    def cost_of(self, usage: Usage, model: str) -> float | None:
        """What a call costs, in dollars; None: its price is not known."""
        return cost_of(usage, model, self._prices, local=self._local)

    def hold(self, request: Request) -> Hold | None:
        """Set money aside for a call; None: wait, calls in flight hold what is left.

        Raises OutOfMeans when there is not enough for this call.
        """
        self.check_price(request.model)
        price = self._price(request.model)
        with self._lock:
            if self._limit is None or price is None or price[1] <= 0:
                return self._taken(Hold(0.0, None))
            fresh, out, cached = (dollars / 1e6 for dollars in price)
            size = len((request.system + request.prompt).encode(errors="replace"))
            enough = max(fresh * size / SPARSE + out * SHORTEST, self._usual(request.role))
            left = self._limit - self.paid - sum(hold.amount for hold in self._holds)
            if left < enough:
                if self._holds:
                    return None
                raise OutOfMeans(
                    f"the limit of ${self._limit:g} is reached: ${self.paid:.4f} is paid, and "
                    f"another call may cost ${enough:.4f}"
                )
            # An answer is cut off rather than paid for beyond the limit. So that calls can be side
            # by side, each has its share of what is left, and more than is usual for its role.
            asked = max(fresh, cached) * size / DENSE
            share = max(left / max(1, self._slots - len(self._holds)), 2 * enough + asked)
            amount = min(left, share, asked + LONGEST * out)
            most = int((amount - asked) / out)
            if most >= LONGEST:
                return self._taken(Hold(amount, None))
            if most >= SHORTEST:
                return self._taken(Hold(amount, most))
            if self._holds:
                return None
            raise OutOfMeans(
                f"the limit of ${self._limit:g} is reached: ${self.paid:.4f} is paid, and what is "
                f"left pays for no whole answer"
            )

    def settle(self, hold: Hold, role: str, cost: float | None) -> None:
        """Give back what was set aside; ``cost`` is what is paid."""
        with self._lock:
            self._holds = [each for each in self._holds if each is not hold]
            if cost:
                self._pay(role, cost)

    def guess(self, request: Request) -> Usage:
        """What a call that broke off has at least taken: the prompt, by its length."""
        return Usage(prompt=int(len(request.system + request.prompt) / 4))

    def _pay(self, role: str, cost: float) -> None:
        self.paid += cost
        self._costs[role].append(cost)

    def _usual(self, role: str) -> float:
        costs = self._costs.get(role)
        return sum(costs) / len(costs) if costs else 0.0

    def _price(self, model: str) -> tuple[float, float, float] | None:
        return price_of(model, self._prices, local=self._local)

    def _taken(self, hold: Hold) -> Hold:
        self._holds.append(hold)
        return hold
