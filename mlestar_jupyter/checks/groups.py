"""Groups of rows and the statistics taken of them (target encoding by hand)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import selection
from mlestar_jupyter.checks.values import GroupStatistic, Value, names_in, parts_of
from mlestar_jupyter.checks.vocabulary import COUNTS, EARLIER_ROWS, REDUCTIONS, SAME

if TYPE_CHECKING:
    from mlestar_jupyter.checks.calls import Arguments
    from mlestar_jupyter.checks.dataflow import Flow


def method(flow: Flow, base: Value, arguments: Arguments) -> Value:
    """A method of ``frame.groupby(...)`` or of one column of it."""
    name, first = arguments.name, arguments.get(0)
    rows = Value(rows=base.rows, sure=base.sure, part=base.part, wide=base.wide)
    if base.is_mixed and not base.is_target and name in (*REDUCTIONS, "transform"):
        flow.see_statistic(arguments.tree, f"groupby(...).{name}")
    if name == "get_group":
        return selection.subset(flow, base.but(kind="frame"), None)
    if name == "transform" and first is not None:
        return _transformed(flow, base, first, rows)
    if name in ("agg", "aggregate"):
        return _aggregated(flow, base, arguments)
    if name == "apply" and first is not None:
        if first.function is not None:
            flow.call(first.function, [base.but()], {})
        certain = _looks_at(first)
        return _statistic(flow, base, certain is not None and _has_target(flow, base, first))
    if name in REDUCTIONS:
        return _statistic(flow, base, name not in COUNTS)
    if name in SAME or name == "groupby":
        return base.but()
    return rows


def pivoted(flow: Flow, base: Value, arguments: Arguments) -> Value:
    """``frame.pivot_table(values=target, index=...)``."""
    values = names_in(arguments.get(0, "values") or Value())
    how = arguments.keywords.get("aggfunc")
    counts = how is not None and how.const in COUNTS
    return _statistic(flow, base, flow.task.target in values & base.leaky and not counts)


def _statistic(flow: Flow, base: Value, summarises: bool) -> Value:
    """A table by group. ``leaky`` are its columns that tell of the target; all if is_target."""
    target = flow.task.target
    if not summarises or not (base.is_target or target in base.leaky):
        return Value()
    return _told(base, frozenset() if base.is_target else frozenset({target}))


def _told(base: Value, names: frozenset[str]) -> Value:
    statistic = GroupStatistic(base.part)
    return Value(statistic=statistic, leaky=names, exact=True, is_target=not names)


def _transformed(flow: Flow, base: Value, how: Value, rows: Value) -> Value:
    """``groups.transform(...)``: a statistic written onto the rows of its group."""
    if not base.is_target:
        return rows
    named = how.text or how.symbol.rsplit(".", 1)[-1]
    if named:
        if named not in REDUCTIONS or named in COUNTS:
            return rows
        return selection.encoded(flow, GroupStatistic(base.part), rows)
    certain = _looks_at(how)
    if certain is None:
        return rows
    return selection.encoded(flow, GroupStatistic(base.part, certain), rows)


def _looks_at(how: Value) -> bool | None:
    """Whether a lambda summarises all rows of its group: None for no, False for perhaps."""
    if how.function is None:
        return None
    text = ast.unparse(how.function.tree)
    if EARLIER_ROWS.search(text):
        return None
    named = {t.attr for t in ast.walk(how.function.tree) if isinstance(t, ast.Attribute)}
    return False if named & (REDUCTIONS - COUNTS) else None


def _has_target(flow: Flow, base: Value, how: Value) -> bool:
    if base.is_target:
        return True
    assert how.function is not None
    texts = {t.value for t in ast.walk(how.function.tree) if isinstance(t, ast.Constant)}
    return flow.task.target in base.leaky and flow.task.target in texts


def _aggregated(flow: Flow, base: Value, arguments: Arguments) -> Value:
    """``groups.agg(...)``: which columns of the result say more of the target than a count."""
    target = flow.task.target
    whole = base.is_target or target in base.leaky
    named = set()
    for name, how in arguments.keywords.items():
        items = list(how.items.values()) if how.items is not None else []
        if len(items) == 2 and items[0].text == target:  # name=(column, function)
            named |= {name} if _tells(items[1]) else set()
        elif base.is_target and _tells(how):
            named.add(name)
    if named:
        return _told(base, frozenset(named))
    for how in arguments.args:
        if how.items is not None and any(isinstance(key, str) for key in how.items):
            if target in how.items and _tells(how.items[target]):
                return _told(base, frozenset({target}))
        elif whole and _tells(how):
            return _statistic(flow, base, summarises=True)
    return Value()


def _tells(how: Value) -> bool:
    """Whether a function, or one of a list of them, is more than a count."""
    hows = parts_of(how)
    names = {part.text or part.symbol.rsplit(".", 1)[-1] for part in hows}
    return any(part.function is not None for part in hows) or bool(names - COUNTS - {""})
