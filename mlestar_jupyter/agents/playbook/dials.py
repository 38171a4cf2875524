"""Dials: the numbers of a model that are worth turning, which way, and how far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlestar_jupyter.agents.playbook import literals

Number = int | float
Turn = Callable[[Number], Number]


@dataclass(frozen=True)
class Dial:
    """Numbers of one meaning in several libraries, and turns of it, the more promising first.

    ``with_trees`` is how the number of trees goes along with each turn.
    """

    meaning: str
    names: tuple[str, ...]
    turns: tuple[Turn, ...]
    priors: tuple[float, ...]
    with_trees: tuple[float, ...] = ()
    at_most: float = 1e9


def times(factor: float, low: Number, high: Number) -> Turn:
    """Multiply, rounded as a person would write it, within bounds."""

    def turn(value: Number) -> Number:
        turned = min(high, max(low, (value or 0.1) * factor))
        if isinstance(value, int) and factor >= 0.05 and turned >= 1:
            return round(turned)
        return float(f"{turned:.2g}")

    return turn


def plus(step: int, low: int, high: int) -> Turn:
    """Add a step, within bounds."""
    return lambda value: min(high, max(low, round(value) + step))


def to(number: Number) -> Turn:
    """Go to a number."""
    return lambda _: number


TREES = ("n_estimators", "iterations", "max_iter", "trees")
DIALS = (
    Dial(
        "pace", ("learning_rate",),
        (times(0.5, 0.005, 0.3), times(2.0, 0.01, 0.4)), (0.5, 0.15), (1.8, 0.6),
    ),
    Dial(
        "size of trees", ("num_leaves", "max_leaf_nodes"),
        (times(0.5, 3, 512), times(2.0, 3, 512)), (0.35, 0.4),
    ),
    Dial("depth of trees", ("max_depth", "depth"), (plus(1, 2, 10), plus(-1, 2, 10)), (0.35, 0.35)),
    Dial(
        "columns for a tree", ("colsample_bytree", "max_features", "rsm"),
        (times(0.5, 0.1, 1.0), times(1.5, 0.1, 1.0)), (0.4, 0.25), at_most=1.0,
    ),
    Dial(
        "rows of a leaf", ("min_child_samples", "min_child_weight", "min_samples_leaf"),
        (times(3.0, 1, 500), times(0.34, 1, 500)), (0.35, 0.25),
    ),
    Dial(
        "penalty", ("reg_lambda", "l2_leaf_reg", "l2_regularization", "alpha"),
        (times(5.0, 0.0001, 1000), times(0.2, 0.0001, 1000)), (0.3, 0.25),
    ),
    Dial("strength", ("C",), (times(3.0, 0.001, 1000), times(0.33, 0.001, 1000)), (0.35, 0.35)),
    Dial(
        "neighbours", ("n_neighbors", "nearest"),
        (times(2.0, 1, 200), times(0.5, 1, 200)), (0.4, 0.3),
    ),
    Dial(
        "components", ("components", "topics"),
        (times(2.0, 5, 200), times(0.5, 5, 200)), (0.3, 0.2),
    ),
    Dial("rows for a tree", ("subsample",), (to(0.6), to(1.0)), (0.2, 0.15)),
)  # fmt: skip
#: A number that no dial knows is doubled, and halved.
OTHER = Dial("other", (), (times(2.0, -1e9, 1e9), times(0.5, -1e9, 1e9)), (0.15, 0.15))
#: Numbers that change how a block works rather than how well.
FIXED = frozenset({
    "seed", "random_state", "random_seed", "n_jobs", "thread_count", "verbose", "axis", "cv",
    "test_size", "n_splits", "subsample_freq", "validation_fraction", "low_memory", "nrows",
    "header", "index_col", "max_iter", "max_rows", "most_rows", "rounds", "shift", "periods",
    "early_stopping_rounds", "n_iter_no_change", "n_init", "maxsplit", "fill_value",
    "most_categories", "tol", "directions", "cells", "least", "degrees",
})  # fmt: skip


@dataclass(frozen=True)
class Turned:
    """One turn of a dial as a plan: its text, the dial's meaning, which turn, how promising."""

    text: str
    meaning: str
    number: int
    prior: float


def turns(source: str) -> list[Turned]:
    """Every turn of every dial that the block has, as plans."""
    present: dict[str, Number] = {}
    for literal in literals.numbers(source):
        present.setdefault(literal.name, literal.value)
    trees = next((name for name in TREES if name in present), None)
    has_pace = "learning_rate" in present
    found: list[Turned] = []
    for name, value in present.items():
        if isinstance(value, bool) or (name in FIXED and name not in TREES):
            continue
        if name in TREES:
            if not has_pace and name in ("n_estimators", "trees"):
                text = f"set {name} to {round(value * 2)}"
                found.append(Turned(text, "number of trees", 0, 0.3))
            continue
        dial = next((d for d in DIALS if name in d.names and value <= d.at_most), None)
        if dial is None and not (1 < value < 10_000 or 0 < value < 1):
            continue
        found += _of_dial(dial or OTHER, name, value, trees, present)
    return found


def _of_dial(
    dial: Dial, name: str, value: Number, trees: str | None, present: dict[str, Number]
) -> list[Turned]:
    found = []
    for number, turn in enumerate(dial.turns):
        turned = turn(value)
        if turned == value:
            continue
        pairs = [f"{name} to {turned}"]
        if dial.with_trees and trees is not None:
            pairs.append(f"{trees} to {round(present[trees] * dial.with_trees[number])}")
        meaning = dial.meaning if dial is not OTHER else name
        found.append(Turned(f"set {', '.join(pairs)}", meaning, number, dial.priors[number]))
    return found
