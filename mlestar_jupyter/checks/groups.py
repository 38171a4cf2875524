"""Groups of rows and the statistics taken of them (target encoding by hand)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import selection
from mlestar_jupyter.checks.values import BOTH, GroupStatistic, Value, names_in, parts_of
from mlestar_jupyter.checks.vocabulary import COUNTS, EARLIER_ROWS, REDUCTIONS, SAME

if TYPE_CHECKING:
    from mlestar_jupyter.checks.calls import Arguments
    from mlestar_jupyter.checks.dataflow import Flow


def method(flow: Flow, base: Value, arguments: Arguments) -> Value:
    """A method of ``frame.groupby(...)`` or of one column of it."""
    name, first = arguments.name, arguments.get(0)
    rows = Value(rows=base.rows, sure=base.sure, part=base.part, wide=base.wide)
    if base.rows >= BOTH and not base.is_target and name in (*REDUCTIONS, "transform"):
        flow.see_statistic(arguments.tree, f"groupby(...).{name}")
    if name == "get_group":
        return selection.subset(flow, base.but(kind="frame"), None)
    if name == "transform" and first is not None:
        return _transformed(flow, base, first, rows)
    if name in ("agg", "aggregate"):
        return _statistic(base, _summarises_target(flow, base, arguments))
    if name == "apply" and first is not None:
        if first.function is not None:
            flow.call(first.function, [base.but()], {})
        certain = _looks_at(first)
        return _statistic(base, certain is not None and _has_target(flow, base, first))
    if name in REDUCTIONS:
        target = base.is_target or flow.task.target in base.leaky
        return _statistic(base, target and name not in COUNTS)
    if name in SAME or name == "groupby":
        return base.but()
    return rows


def pivoted(flow: Flow, base: Value, arguments: Arguments) -> Value:
    """``frame.pivot_table(values=target, index=...)``."""
    values = names_in(arguments.get(0, "values") or Value())
    how = arguments.keywords.get("aggfunc")
    counts = how is not None and how.const in COUNTS
    return _statistic(base, flow.task.target in values & base.leaky and not counts)


def _statistic(base: Value, of_target: bool) -> Value:
    return Value(statistic=GroupStatistic(base.part)) if of_target else Value()


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


def _summarises_target(flow: Flow, base: Value, arguments: Arguments) -> bool:
    """Whether ``agg`` takes a statistic of the target that is more than a count."""
    target = flow.task.target
    whole = base.is_target or target in base.leaky
    asked: list[Value] = []
    for value in arguments.args:
        if value.items is not None and target in value.items:
            asked.append(value.items[target])
        elif value.items is None or not any(isinstance(key, str) for key in value.items):
            asked += [value] if whole else []
    for value in arguments.keywords.values():
        items = list(value.items.values()) if value.items is not None else []
        if len(items) == 2 and items[0].text == target:  # name=(column, function)
            asked.append(items[1])
        elif base.is_target:
            asked.append(value)
    hows = [how for value in asked for how in parts_of(value)]
    names = {how.text or how.symbol.rsplit(".", 1)[-1] for how in hows}
    return any(how.function is not None for how in hows) or bool(names - COUNTS - {""})
