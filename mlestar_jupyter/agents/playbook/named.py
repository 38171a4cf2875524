"""The values of a section for columns that a person names; None when they do not suit it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.rendering import Code

Values = dict[str, Any]
OfColumns = Callable[[Facts, list[str]], Values | None]


def target_type(facts: Facts) -> str:
    """What scikit-learn's target encoder calls the target."""
    return "continuous" if facts.classes == 1 else facts.task.kind


def is_encodable(facts: Facts) -> bool:
    """Whether the target has few enough classes for a mean of each."""
    return facts.classes <= 10


def answers(facts: Facts) -> Code:
    """What quick models learn."""
    return Code("np.log1p(y)" if facts.log else "y")


def columns(*kinds: str, least: int = 1) -> OfColumns:
    """Any columns of these kinds."""
    return lambda facts, names: (
        {"columns": names} if _are(facts, names, *kinds, least=least) else None
    )


def means(least: int = 1) -> OfColumns:
    """Columns with values that repeat, whose mean target is taken."""

    def values(facts: Facts, names: list[str]) -> Values | None:
        fitting = _are(facts, names, "category", "boolean", "numeric", least=least)
        if not fitting or not is_encodable(facts):
            return None
        return {"columns": names, "target_type": target_type(facts)}

    return values


def dates(facts: Facts, names: list[str]) -> Values | None:
    """Dates, and the form of each."""
    if not all(name in facts.formats for name in names):
        return None
    return {"formats": {name: facts.formats[name] for name in names}}


def ratio(facts: Facts, names: list[str]) -> Values | None:
    """The first number divided by the second."""
    pair = len(names) == 2 and _are(facts, names, "numeric")
    return {"pairs": [(names[0], names[1])]} if pair else None


def gaps(facts: Facts, names: list[str]) -> Values | None:
    """Numbers, and the categories beside whose mean they are put."""
    numbers = [n for n in names if facts.columns[n].kind == "numeric"]
    kinds = [n for n in names if facts.columns[n].kind in ("category", "boolean")]
    return {"categories": kinds, "numbers": numbers} if kinds and numbers else None


def place(facts: Facts, names: list[str]) -> Values | None:
    """Two numbers that tell where something is."""
    pair = len(names) == 2 and _are(facts, names, "numeric")
    return {"latitude": names[0], "longitude": names[1]} if pair else None


def texts(facts: Facts, names: list[str]) -> Values | None:
    """Texts, and what quick models of their words learn."""
    if not _are(facts, names, "text", "category") or facts.classes > 60:
        return None
    return {"columns": names, "answers": answers(facts)}


def _are(facts: Facts, names: list[str], *kinds: str, least: int = 1) -> bool:
    return len(names) >= least and all(facts.columns[name].kind in kinds for name in names)
