"""What the checks know of a value while they follow the data through the blocks.

Everything in a ``Value`` is a fact that holds for sure; the empty value knows nothing. So each
operation that is not understood gives a value with fewer facts, and a check that speaks only of
facts stays silent about code that it does not understand.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Const = str | int | float | bool | None
#: ``frame`` has columns, ``column`` is one of them, ``names`` are the column names of a frame,
#: ``groups`` comes from groupby, ``folds`` from the split method of a splitter.
Kind = Literal["", "frame", "column", "names", "groups", "folds", "sample"]

#: Stands in a string for a piece that is not known: "/kaggle/input/\0.csv".
UNKNOWN = "\0"
#: Stands for the value of a parameter, which a run may replace: "<data_dir>/stores.csv".
PARAMETER = re.compile(r"<(\w+_path|data_dir)>")
_SERIAL = itertools.count()


@dataclass(frozen=True)
class Place:
    """A line of a block."""

    block: str
    line: int


@dataclass(frozen=True)
class GroupStatistic:
    """Statistics of the target by group, and the part of the training rows they come from."""

    part: tuple[str, ...]
    certain: bool = True


@dataclass(eq=False)
class Scope:
    """The names of a notebook or of a function call, and the scope around it."""

    names: dict[str, Value]
    outer: Scope | None = None

    def find(self, name: str) -> Value | None:
        """The value of a name, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None


@dataclass(eq=False)
class Function:
    """A function or lambda that the solution defines, and where."""

    tree: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    block: str
    called: bool = False


@dataclass(eq=False)
class Value:
    """The facts about one value. Values are shared and changed as the objects they stand for.

    ``rows`` says whose rows it holds, of "train", "test" and "other" (rows that are not known,
    put together with known ones); ``sure`` is False when that is so only on some path.
    ``part`` names the subset of the training rows.

    ``leaky`` are the columns it holds that must not be features (the target, what is made of it,
    columns that only train has); ``exact`` says that it holds no others of them. ``wide`` means
    that any column of train may be in it; ``broad`` are columns made of what is wide ("*" for
    one whose name is not known).

    ``statistic`` is set on a table of statistics of the target by group, ``encoded`` on what was
    looked up in one for each row. An estimator that learns from every column it is given
    ``takes_all``; one that picks columns by name is ``narrow``; ``fitted`` is the part of the
    training rows that it was fitted on.
    """

    rows: frozenset[str] = frozenset()
    sure: bool = True
    part: tuple[str, ...] = ()
    kind: Kind = ""
    const: Const = None
    leaky: frozenset[str] = frozenset()
    exact: bool = False
    is_target: bool = False
    is_mask: bool = False
    predicted: bool = False
    wide: bool = False
    broad: frozenset[str] = frozenset()
    literal: bool = False
    is_none: bool = False
    statistic: GroupStatistic | None = None
    encoded: GroupStatistic | None = None
    items: dict[Any, Value] | None = None
    rest: Value | None = None
    symbol: str = ""
    made: str = ""
    takes_all: bool = False
    narrow: bool = False
    fitted: tuple[str, ...] | None = None
    function: Function | None = None
    serial: int = field(default_factory=lambda: next(_SERIAL))

    @property
    def is_container(self) -> bool:
        """Whether it is a list, tuple, set or dict whose items are followed."""
        return self.items is not None

    @property
    def is_mixed(self) -> bool:
        """Whether rows of test stand in it together with others."""
        return len(self.rows) > 1 and "test" in self.rows

    @property
    def text(self) -> str | None:
        """The string that it is, or None."""
        return self.const if isinstance(self.const, str) else None

    def but(self, **changes: Any) -> Value:
        """A new value with the same facts except these."""
        if self.items is not None:
            changes.setdefault("items", dict(self.items))
        return dataclasses.replace(self, serial=next(_SERIAL), **changes)

    def become(self, other: Value) -> None:
        """Take over the facts of another value: the object was changed in place."""
        for entry in dataclasses.fields(self):
            if entry.name != "serial":
                setattr(self, entry.name, getattr(other, entry.name))


def container(values: Iterable[Value] | Mapping[Any, Value], rest: Value | None = None) -> Value:
    """A list (by position) or a dict (by key); ``rest`` stands for items at unknown places."""
    items = dict(values) if isinstance(values, Mapping) else dict(enumerate(values))
    return Value(items=items, rest=rest)


def parts_of(value: Value) -> list[Value]:
    """The items of a container, nested ones too, or the value itself."""
    if value.items is None:
        return [value]
    inner = [*value.items.values(), *([value.rest] if value.rest else [])]
    return [part for item in inner for part in parts_of(item)]


def united(values: Iterable[Value]) -> Value:
    """All of these put together into one table or array: concat, stack, a list of rows."""
    flat = [part for value in values for part in parts_of(value)]
    if len(flat) == 1:
        return flat[0]
    holding = [v for v in flat if v.rows]
    places = {v.part for v in holding}
    return Value(
        rows=frozenset().union(*(v.rows for v in flat)),
        sure=all(v.sure for v in flat),
        part=places.pop() if len(places) == 1 else (),
        leaky=frozenset().union(*(v.leaky for v in flat)),
        exact=all(v.exact for v in flat),
        is_target=bool(holding) and all(v.is_target for v in holding),
        predicted=bool(holding) and all(v.predicted for v in holding),
        is_mask=bool(flat) and all(v.is_mask for v in flat),
        wide=any(v.wide for v in flat),
        broad=frozenset().union(*(v.broad for v in flat)),
        statistic=_first(v.statistic for v in flat),
        encoded=_first(v.encoded for v in flat),
    )


def stacked(values: Iterable[Value]) -> Value:
    """Rows of one below those of the other; rows that are not known are others."""
    flat = [part for value in values for part in parts_of(value)]
    whole = united(flat)
    unknown = any(not v.rows and v.const is None and not v.is_none for v in flat)
    return whole.but(rows=whole.rows | {"other"}) if unknown and whole.rows else whole


def mixed(values: Iterable[Value]) -> Value:
    """What an unknown function makes of these: rows only when they do not contradict."""
    values = list(values)
    whole = united(values)
    if len({v.rows for value in values for v in parts_of(value) if v.rows}) > 1:
        return whole.but(rows=frozenset(), leaky=frozenset(), exact=False)
    return whole.but(
        kind="", const=None, leaky=frozenset(), exact=False, is_target=False, is_mask=False,
        literal=False, symbol="", made="", function=None, items=None, rest=None,
        takes_all=False, narrow=False, fitted=None, is_none=False,
    )  # fmt: skip


def any_of(values: Iterable[Value]) -> Value:
    """One of these, not known which: only the facts that all of them share."""
    values = list(values)
    if not values:
        return Value()
    first, *others = values
    if not others:
        return first
    if all(v.items is not None and v.items.keys() == (first.items or {}).keys() for v in values):
        keys = first.items or {}
        rests = [v.rest for v in values if v.rest]
        return container(
            {k: any_of([v.items[k] for v in values if v.items]) for k in keys},
            any_of(rests) if rests else None,
        )
    shared: dict[str, Any] = {}
    for entry in dataclasses.fields(Value):
        facts = [getattr(v, entry.name) for v in values]
        if entry.name in ("serial", "items", "rest"):
            continue
        if all(fact is facts[0] or fact == facts[0] for fact in facts):
            shared[entry.name] = facts[0]
    shared["wide"] = any(v.wide for v in values)
    shared["broad"] = frozenset().union(*(v.broad for v in values))
    shared["literal"] = all(is_literal(v) for v in values)
    shared["leaky"] = frozenset.intersection(*(v.leaky for v in values))
    return Value(**shared)


def either(one: Value, other: Value) -> Value:
    """The value after a branch: rows of both paths, but not for sure."""
    if one is other:
        return one
    value = any_of([one, other])
    if not value.is_container and one.rows != other.rows:
        value.rows, value.sure = one.rows | other.rows, False
        value.part = one.part if one.part == other.part else ()
    encoded = _first((one.encoded, other.encoded))
    if encoded is not None and value.encoded is None:
        value.encoded = GroupStatistic(encoded.part, certain=False)
    return value


def names_in(value: Value) -> frozenset[str]:
    """The column names that are certainly in a string or a list of names."""
    if value.text is not None:
        return frozenset({value.text})
    if value.items is not None:
        return frozenset(v.text for v in value.items.values() if v.text is not None)
    return value.leaky if value.kind == "names" else frozenset()


def is_literal(value: Value) -> bool:
    """Whether it is a name, or a list of names, that stands word for word in the source."""
    if value.literal:
        return True
    if value.items is not None:
        inner = [*value.items.values(), *([value.rest] if value.rest else [])]
        return all(is_literal(v) for v in inner)
    return value.const is not None and UNKNOWN not in str(value.const)


def holds(outer: tuple[str, ...], inner: tuple[str, ...]) -> bool:
    """Whether the rows of the part ``inner`` are all in the part ``outer``."""
    return inner[: len(outer)] == outer


def _first(statistics: Iterable[GroupStatistic | None]) -> GroupStatistic | None:
    return next((s for s in statistics if s is not None), None)
