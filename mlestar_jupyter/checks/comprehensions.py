"""Comprehensions: lists of columns, dicts of means, one table for each of several."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import expressions
from mlestar_jupyter.checks.values import Value, any_of, container

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlestar_jupyter.checks.dataflow import Flow

Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp

#: So many items of a list are followed one by one.
_UNROLLED = 12


def evaluate(flow: Flow, tree: Comprehension) -> Value:
    """The list, set or dict that a comprehension gives."""
    outer = flow.scope
    flow.scope = type(outer)({}, outer)
    listed: list[Value] = []
    mapped: dict[object, Value] = {}
    rests: list[Value] = []

    def keep(certain: bool) -> None:
        if isinstance(tree, ast.DictComp):
            key, value = flow.value(tree.key), flow.value(tree.value)
            if certain and key.const is not None:
                mapped[key.const] = value
            else:
                rests.append(value)
        elif certain:
            listed.append(flow.value(tree.elt))
        else:
            rests.append(flow.value(tree.elt))

    try:
        first, *others = tree.generators
        values = flow.value(first.iter)
        if values.kind in ("names", "frame") and not others and _copies(tree, first):
            return _filtered(flow, values, first)
        _each(flow, tree.generators, True, keep)
    finally:
        flow.scope = outer
    if isinstance(tree, ast.DictComp):
        return container(mapped, any_of(rests) if rests else None)
    return container(listed, any_of(rests) if rests else None)


def _each(
    flow: Flow, generators: Sequence[ast.comprehension], certain: bool, keep: Callable[[bool], None]
) -> None:
    if not generators:
        keep(certain)
        return
    first, *others = generators
    values = flow.value(first.iter)
    items = expressions.unrolled(values, _UNROLLED if others else 4 * _UNROLLED)
    for item in [expressions.element(values)] if items is None else items:
        flow.assign(first.target, item)
        held = [_holds(flow, test) for test in first.ifs]
        if False not in held:
            _each(flow, others, certain and items is not None and None not in held, keep)


def _holds(flow: Flow, test: ast.expr) -> bool | None:
    flow.value(test)
    return expressions.truth(flow, test)


def _copies(tree: ast.expr, first: ast.comprehension) -> bool:
    """Whether it is ``[c for c in names if ...]``: some of the names, unchanged."""
    match tree, first.target:
        case (ast.ListComp(elt=ast.Name(id=one)) | ast.SetComp(elt=ast.Name(id=one))
              | ast.GeneratorExp(elt=ast.Name(id=one))), ast.Name(id=other):  # fmt: skip
            return one == other
    return False


def _filtered(flow: Flow, values: Value, first: ast.comprehension) -> Value:
    """Of the names of a frame, those that pass; the forbidden ones are tried one by one."""
    kept = set()
    exact = values.exact
    for name in values.leaky:
        flow.assign(first.target, Value(const=name))
        held = [expressions.truth(flow, test) for test in first.ifs]
        if all(held):
            kept.add(name)
        elif False not in held:
            exact = False  # a condition on the data: it may be there or not
    flow.assign(first.target, Value())
    for test in first.ifs:
        flow.value(test)
    return Value(kind="names", leaky=frozenset(kept), exact=exact, wide=values.wide)
