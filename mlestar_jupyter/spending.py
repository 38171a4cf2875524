"""What language models have cost: calls, tokens and money, added up from events ``llm_called``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Spending:
    """Calls and what they used.

    ``calls`` are requests that were sent, ``failed`` those of them that gave no reply, ``retries``
    those that were sent once more. ``replayed`` questions were answered from recorded replies:
    they were not sent, and neither their tokens nor their money count. ``cached`` tokens are part
    of ``prompt``; ``thoughts`` are paid like ``output``. ``unpriced`` calls used tokens of a model
    whose price is not known, so that ``money`` (dollars) is less than what was paid.
    """

    calls: int = 0
    failed: int = 0
    retries: int = 0
    replayed: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0
    money: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0
    models: list[str] = field(default_factory=list)

    def add(self, called: Mapping[str, Any]) -> None:
        """Take the data of one event ``llm_called`` into account."""
        model = str(called.get("model") or "")
        if model and model not in self.models:
            self.models.append(model)
        if called.get("replayed"):
            self.replayed += 1
            return
        self.calls += 1
        self.failed += called.get("status") != "ok"
        self.retries += int(called.get("try") or 1) > 1
        self.prompt += int(called.get("prompt") or 0)
        self.cached += int(called.get("cached") or 0)
        self.output += int(called.get("output") or 0)
        self.thoughts += int(called.get("thoughts") or 0)
        self.seconds += float(called.get("seconds") or 0.0)
        price = called.get("cost")
        self.money += float(price or 0.0)
        used = sum(int(called.get(name) or 0) for name in ("prompt", "output", "thoughts"))
        self.unpriced += price is None and used > 0

    @property
    def tokens(self) -> int:
        """All tokens that were paid for."""
        return self.prompt + self.output + self.thoughts

    @property
    def is_none(self) -> bool:
        """Whether no model was asked, and no recorded reply used."""
        return not self.calls and not self.replayed

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a front end."""
        return {
            "calls": self.calls, "failed": self.failed, "retries": self.retries,
            "replayed": self.replayed, "prompt": self.prompt, "cached": self.cached,
            "output": self.output, "thoughts": self.thoughts, "tokens": self.tokens,
            "money": round(self.money, 6), "unpriced": self.unpriced,
        }  # fmt: skip

    def money_words(self, limit: float | None = None) -> str:
        """``$0.12 of $2.00``; what is not known of a price is said."""
        if self.unpriced and not self.money:
            return "unknown price"
        above = " and some calls of unknown price" if self.unpriced else ""
        of = "" if limit is None else f" of {dollars(limit)}"
        return f"{dollars(self.money)}{of}{above}"

    def words(self, limit: float | None = None) -> str:
        """All of it in a line: ``34 calls (2 failed), 120,345 tokens, $0.12 of $2.00``."""
        if not self.calls and self.replayed:
            return f"paid nothing: {counted(self.replayed, 'reply', 'replies')} replayed"
        failed = f" ({self.failed} failed)" if self.failed else ""
        replayed = f", {self.replayed} replayed" if self.replayed else ""
        calls = f"{counted(self.calls, 'call')}{failed}{replayed}"
        return f"{calls}, {counted(self.tokens, 'token')}, {self.money_words(limit)}"


def change_words(change: Mapping[str, Any]) -> str:
    """A change of the cast: ``playbook goes on for gemini: no money is left``."""
    gone, come = change.get("from", ""), change.get("to", "")
    who = f"{come} goes on for {gone}" if come else f"{gone} cannot go on"
    return f"{who}: {change.get('reason', '')}"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 call``, ``1,200 calls``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def dollars(amount: float) -> str:
    """``$0.12``; small amounts with as many digits as it takes to see them."""
    if amount == 0 or amount >= 0.1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= 0.0001 else "less than $0.0001"
