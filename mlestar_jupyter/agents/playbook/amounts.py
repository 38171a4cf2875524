"""Numbers of a block in a person's words: "more trees", "learning rate 0.05", "depth 8"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlestar_jupyter.agents.playbook import literals
from mlestar_jupyter.agents.playbook.dials import Number, Turn, plus, times

_NUMBER = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?![\w.]*\w)"
_MORE = r"(?:more|higher|larger|bigger|greater|longer|stronger|increas\w+|rais\w+|doubl\w+|twice)"
_LESS = r"(?:fewer|less|lower|smaller|shorter|weaker|reduc\w+|decreas\w+|lower\w*|halv\w+|half)"
_BETWEEN = r"(?:\s+(?:the|a|an|of|as|many|number|value|in))*\s+"
_TREES = r"(?:trees|estimators|boosting rounds|rounds)"


@dataclass(frozen=True)
class Amount:
    """What people call a number, its names in libraries, and what more and less of it are.

    ``up`` and ``down`` are further words for more and less. ``trees`` is how the number of trees
    goes along with more and with less.
    """

    called: str
    names: tuple[str, ...]
    more: Turn
    less: Turn
    up: str = ""
    down: str = ""
    trees: tuple[float, float] | None = None


#: Those first that leave fewer words to the others: "larger trees" are not "more trees".
AMOUNTS = (
    Amount(
        r"learning[ _-]?rate|lr|eta|step size", ("learning_rate", "learning_rate_init"),
        times(2.0, 0.0002, 0.4), times(0.5, 0.0001, 0.3),
        r"(?:learn\w* (?:faster|quicker)|faster learning)",
        r"(?:learn\w* (?:more slowly|slower)|slower learning)", (0.6, 1.8),
    ),
    Amount(
        r"(?:max(?:imum|imal)?[ _-]?)?depth", ("max_depth", "depth"),
        plus(2, 1, 16), plus(-2, 1, 16), "deeper", r"(?:shallower|less deep)",
    ),
    Amount(
        r"(?:num(?:ber)?[ _-]?(?:of )?)?(?:max[ _-]?)?(?:leaves|leaf[ _-]?nodes)",
        ("num_leaves", "max_leaf_nodes"), times(2.0, 3, 512), times(0.5, 2, 512),
        r"(?:(?:larger|bigger|deeper) trees|deeper)",
        r"(?:(?:smaller|simpler|shallower) trees|shallower)",
    ),
    Amount(
        r"(?:max[ _-]?)?depth", ("max_depth", "depth"), plus(2, 1, 16), plus(-2, 1, 16),
        r"(?:larger|bigger) trees", r"(?:smaller|simpler) trees",
    ),
    Amount(
        r"(?:columns|features) (?:for|of|per|in) (?:each |every |a )?tree|column sampling",
        ("colsample_bytree", "rsm", "max_features"), times(1.5, 0.05, 1.0), times(0.5, 0.05, 1.0),
    ),
    Amount(
        r"(?:rows|samples) (?:in|per|of|for) (?:a |each |every )?leaf|min(?:imum)?[ _-]?samples",
        ("min_child_samples", "min_child_weight", "min_samples_leaf"),
        times(3.0, 1, 1000), times(0.34, 1, 1000), r"larger leaves", r"smaller leaves",
    ),
    Amount(
        r"rows (?:for|of|per) (?:each |every |a )?tree|row sampling", ("subsample",),
        times(1.25, 0.1, 1.0), times(0.75, 0.1, 1.0),
    ),
    Amount(
        r"regulari[sz]ation|penalt(?:y|ies)|l2", ("reg_lambda", "l2_leaf_reg", "l2_regularization",
        "alpha"), times(5.0, 0.0001, 1e6), times(0.2, 0.0001, 1e6),
        r"regulari[sz]e (?:it |them )?more", r"regulari[sz]e (?:it |them )?less",
    ),
    # The C of scikit-learn is the inverse of a penalty.
    Amount(
        r"regulari[sz]ation|penalt(?:y|ies)|l2", ("C",), times(0.2, 0.0001, 1e6),
        times(5.0, 0.0001, 1e6), r"regulari[sz]e (?:it |them )?more",
        r"regulari[sz]e (?:it |them )?less",
    ),
    Amount(
        r"(?:nearest )?neighbou?rs", ("n_neighbors", "nearest"), times(2.0, 1, 500),
        times(0.5, 1, 500),
    ),
    Amount(
        r"topics|components|dimensions", ("topics", "components", "n_components"),
        times(2.0, 2, 500), times(0.5, 2, 500),
    ),
    Amount(
        r"(?:iterations|epochs|passes)", ("iterations", "max_iter"), times(2.0, 1, 20_000),
        times(0.5, 1, 20_000), r"train(?:s|ed|ing)? (?:it )?longer",
    ),
    Amount(
        _TREES, ("n_estimators", "iterations", "trees", "max_iter"), times(2.0, 10, 20_000),
        times(0.5, 10, 20_000),
    ),
)  # fmt: skip


def settings(words: str, source: str) -> list[tuple[str, Number]]:
    """The numbers of a block that the words name, and their new values; [] when there are none.

    A number's own name goes first ("num_leaves 63", "lower alpha"), then what people call it.
    """
    present: dict[str, Number] = {}
    for literal in literals.numbers(source):
        present.setdefault(literal.name, literal.value)
    found: dict[str, Number] = {}
    text = words
    for name in sorted(present, key=len, reverse=True):
        text = _read(_own(name), name, text, present, found)
    for amount in AMOUNTS:
        usable = [n for n in amount.names if n in present and _is_meant(n, amount, present)]
        if usable and usable[0] not in found:
            text = _read(amount, usable[0], text, present, found)
    return [(name, value) for name, value in found.items() if value != present[name]]


def _own(name: str) -> Amount:
    """A number under its own name, spaces for underscores allowed."""
    known = next((amount for amount in AMOUNTS if name in amount.names), None)
    more, less = (known.more, known.less) if known else (times(2, -1e9, 1e9), times(0.5, -1e9, 1e9))
    if name == "C":
        more, less = less, more
    called = re.escape(name).replace("_", "[ _-]?")
    # A short name is a letter of the alphabet as well: it counts only as it is written.
    called = rf"(?-i:{called})" if len(name) < 3 else called
    return Amount(called, (name,), more, less, trees=known.trees if known else None)


def _is_meant(name: str, amount: Amount, present: dict[str, Number]) -> bool:
    """Whether the library's name means that here: what is a share elsewhere may be a count."""
    if name == "max_iter" and amount.called == _TREES:
        return "learning_rate" in present
    if name in ("max_features", "rsm", "colsample_bytree", "subsample"):
        return present[name] <= 1
    return True


def _read(
    amount: Amount, name: str, text: str, present: dict[str, Number], found: dict[str, Number]
) -> str:
    """Note what the text says of one number; gives the text without those words."""
    called = rf"(?<!\w)(?:{amount.called})s?(?!\w)"
    valued = rf"{called}\s*(?:=|:|to|of|is|at|with)?\s*{_NUMBER}|(?<![\w.]){_NUMBER}\s+{called}"
    match = re.search(rf"{called}[^.;,]*?\bto\s+{_NUMBER}|{valued}", text, re.IGNORECASE)
    if match is not None:
        number = next(group for group in match.groups() if group is not None)
        found[name] = float(number) if re.search(r"[.e]", number) else int(number)
        return _cut(text, match)
    for words, turn, number_of_trees in (
        (rf"{_MORE}{_BETWEEN}{called}|{called}\s+(?:up|higher|larger)", amount.more, 0),
        (rf"{_LESS}{_BETWEEN}{called}|{called}\s+(?:down|lower|smaller)", amount.less, 1),
    ):
        other = (amount.up, amount.down)[number_of_trees]
        pattern = rf"(?<!\w)(?:{words}{f'|{other}' if other else ''})(?!\w)"
        match = re.search(pattern, text, re.IGNORECASE)
        if match is None:
            continue
        found[name] = turn(present[name])
        trees = next((n for n in AMOUNTS[-1].names if n in present), None)
        if amount.trees is not None and trees is not None and trees not in found:
            found[trees] = round(present[trees] * amount.trees[number_of_trees])
        return _cut(text, match)
    return text


def _cut(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"
