"""Score: what a candidate is worth, as the harness measured it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Score:
    """The row-weighted mean of a metric over the folds. No score is ``None``, never a number.

    ``folds`` are the values of the folds in order, ``rows`` how many rows judged each of them,
    ``spread`` the standard error of ``value`` in the metric's own unit. A score that the notebook
    printed itself, because its task cannot be graded by rows, is ``self_scored``.
    """

    value: float
    folds: tuple[float, ...]
    rows: tuple[int, ...]
    spread: float
    metric: str
    greater_is_better: bool
    self_scored: bool = False

    def gain_over(self, other: Score) -> float:
        """How much better this score is, in the metric's unit; positive is better."""
        gain = self.value - other.value
        return gain if self.greater_is_better else -gain

    def is_better_than(self, other: Score | None) -> bool:
        """Strictly better in the point value (the paper's rule); anything beats no score."""
        return other is None or self.gain_over(other) > 0

    def __str__(self) -> str:
        mark = " (self-scored)" if self.self_scored else ""
        spread = f" ± {format_number(self.spread)}" if self.spread > 0 else ""
        return f"{format_number(self.value)}{spread}{mark}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        return {
            "value": self.value,
            "folds": list(self.folds),
            "rows": list(self.rows),
            "spread": self.spread,
            "metric": self.metric,
            "greater_is_better": self.greater_is_better,
            "self_scored": self.self_scored,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Score:
        """The inverse of ``to_json``."""
        return cls(**{**data, "folds": tuple(data["folds"]), "rows": tuple(data["rows"])})


def weighted_mean(values: Sequence[float], rows: Sequence[int]) -> float:
    """Mean of ``values`` weighted by ``rows``."""
    total = sum(rows)
    return sum(v * n for v, n in zip(values, rows, strict=True)) / total


def format_number(value: float) -> str:
    """Five significant digits and no exponent for the sizes that metrics have."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 10_000 else 5
    return f"{value:,.0f}" if digits == 0 else f"{value:.5g}"
