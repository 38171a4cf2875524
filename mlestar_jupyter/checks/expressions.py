"""The facts about an expression, from the facts about its parts."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import calls, comprehensions, paths, selection
from mlestar_jupyter.checks.values import (
    PARAMETER,
    UNKNOWN,
    GroupStatistic,
    Value,
    any_of,
    container,
    either,
    is_literal,
    mixed,
    names_in,
    united,
)
from mlestar_jupyter.checks.vocabulary import ALIASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlestar_jupyter.checks.dataflow import Flow


def evaluate(flow: Flow, tree: ast.expr) -> Value:
    """The facts about one expression; an empty value for what is not understood."""
    match tree:
        case ast.Name(id=name):
            found = flow.scope.find(name)
            return found if found is not None else Value(symbol=ALIASES.get(name, name))
        case ast.Constant(value=const):
            known = const if isinstance(const, str | int | float) else None
            return Value(const=known, is_none=const is None)
        case ast.JoinedStr(values=pieces):
            return _formatted(flow, pieces)
        case ast.FormattedValue(value=inner):
            return flow.value(inner)
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return _listed(flow, elts)
        case ast.Dict(keys=keys, values=values):
            return _mapped(flow, keys, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(flow.value(left), op, flow.value(right))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return Value(const=-number)
        case ast.UnaryOp(op=op, operand=operand):
            value = flow.value(operand)
            return Value() if isinstance(op, ast.Not) else value.but(const=None)
        case ast.BoolOp(values=choices):
            return any_of([flow.value(choice) for choice in choices])
        case ast.Compare(left=left, comparators=others):
            whole = united([flow.value(left), *(flow.value(other) for other in others)])
            return Value(
                rows=whole.rows, sure=whole.sure, part=whole.part,
                is_mask=bool(whole.rows), is_target=flow.value(left).is_target,
            )  # fmt: skip
        case ast.IfExp(test=test, body=body, orelse=orelse):
            flow.value(test)
            known = truth(flow, test)
            if known is not None:
                return flow.value(body if known else orelse)
            return either(flow.value(body), flow.value(orelse))
        case ast.Call():
            return calls.call(flow, tree)
        case ast.Attribute():
            return selection.attribute(flow, tree)
        case ast.Subscript():
            return selection.select(flow, tree)
        case ast.Lambda():
            return flow.define(tree)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return comprehensions.evaluate(flow, tree)
        case ast.NamedExpr(target=target, value=inner):
            value = flow.value(inner)
            flow.assign(target, value)
            return value
        case ast.Await(value=inner) | ast.Starred(value=inner):
            return flow.value(inner)
        case ast.Yield(value=ast.expr() as inner) | ast.YieldFrom(value=inner):
            flow.yields(flow.value(inner))
            return Value()
        case ast.Slice(lower=lower, upper=upper, step=step):
            for bound in (lower, upper, step):
                if bound is not None:
                    flow.value(bound)
            return Value()
        case _:
            return Value()


def element(value: Value) -> Value:
    """What a loop over the value gives, whichever item it is."""
    if value.items is not None:
        return any_of([*value.items.values(), *([value.rest] if value.rest else [])])
    match value.kind:
        case "groups":  # (key, rows of that group): the rows of a group are a group still
            return container([Value(), value.but()])
        case "folds":
            return container([Value(), Value()])
        case "frame" | "names" | "sample":  # iterating over a frame gives its column names
            return Value(wide=value.wide)
    return value.but(
        kind="", const=None, symbol="", made="", function=None, is_mask=False, literal=False
    )


def unrolled(value: Value, most: int) -> list[Value] | None:
    """The items of a short list that is known in full, else None. A dict gives its keys."""
    if value.items is None or value.rest is not None or not 0 < len(value.items) <= most:
        return None
    if list(value.items) != list(range(len(value.items))):
        return [Value(const=key) for key in value.items]
    return list(value.items.values())


def unpacked(value: Value, count: int) -> list[Value]:
    """The values that ``a, b, ... = value`` binds."""
    if value.items is not None and len(value.items) == count and value.rest is None:
        return list(value.items.values())
    return [element(value).but() for _ in range(count)]


def truth(flow: Flow, tree: ast.expr) -> bool | None:
    """Whether a condition holds, where constants and known lists of names tell."""
    match tree:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Name():
            return _truth_of(flow.value(tree))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            known = truth(flow, operand)
            return None if known is None else not known
        case ast.BoolOp(op=op, values=values):
            all_known = [truth(flow, value) for value in values]
            decisive = isinstance(op, ast.Or)
            if decisive in all_known:
                return decisive
            return None if None in all_known else not decisive
        case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=None)]):
            nothing = _is_none(flow.value(left))
            return None if nothing is None else nothing == isinstance(op, ast.Is | ast.Eq)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(flow.value(left), op, flow.value(right))
    return None


def _truth_of(value: Value) -> bool | None:
    if value.is_none or value.made or value.function is not None:
        return not value.is_none
    return value.const if isinstance(value.const, bool) else None


def _is_none(value: Value) -> bool | None:
    """Whether a value is None, where it is known: what holds rows for sure is not."""
    if value.is_none:
        return True
    known = value.made or value.function or value.const is not None or value.items is not None
    return False if known or value.kind or (value.rows and value.sure) else None


def _compared(left: Value, op: ast.cmpop, right: Value) -> bool | None:
    known = left.const is not None and UNKNOWN not in str(left.const)
    if isinstance(op, ast.Eq | ast.NotEq) and known and right.const is not None:
        if UNKNOWN in str(right.const) or PARAMETER.search(f"{left.const}{right.const}"):
            return None
        return (left.const == right.const) == isinstance(op, ast.Eq)
    if isinstance(op, ast.In | ast.NotIn) and known:
        complete = right.items is not None and is_literal(right) and not right.literal
        if complete and right.items is not None and right.rest is None:
            # A dict is asked for its keys, a list for its items.
            listed = {v.text for v in unrolled(right, 10**6) or []}
        elif right.kind in ("names", "frame") and right.exact:
            listed = set(right.leaky)
        else:
            return None
        return (left.const in listed) == isinstance(op, ast.In)
    return None


def _formatted(flow: Flow, pieces: Sequence[ast.expr]) -> Value:
    values = [flow.value(piece) for piece in pieces]
    text = "".join(UNKNOWN if v.const is None else str(v.const) for v in values)
    whole = mixed(values)
    return Value(const=text, rows=whole.rows, sure=whole.sure, part=whole.part)


def _listed(flow: Flow, elts: Sequence[ast.expr]) -> Value:
    values: list[Value] = []
    rests: list[Value] = []
    for tree in elts:
        value = flow.value(tree)
        if not isinstance(tree, ast.Starred):
            values.append(value)
        elif value.items is not None:
            values += unrolled(value, 10**6) or []
            rests += [value.rest] if value.rest else []
        else:
            rests.append(element(value))
    return container(values, any_of(rests) if rests else None)


def _mapped(flow: Flow, keys: Sequence[ast.expr | None], values: Sequence[ast.expr]) -> Value:
    items: dict[object, Value] = {}
    rests: list[Value] = []
    for key, tree in zip(keys, values, strict=True):
        value = flow.value(tree)
        const = None if key is None else flow.value(key).const
        if key is None and value.items is not None:
            items |= value.items
            rests += [value.rest] if value.rest else []
        elif const is not None and UNKNOWN not in str(const):
            items[const] = value
        else:
            rests.append(value)
    return container(items, any_of(rests) if rests else None)


def _combined(left: Value, op: ast.operator, right: Value) -> Value:
    if isinstance(op, ast.Add | ast.BitOr) and left.items is not None and right.items is not None:
        return _appended(left, right)
    if isinstance(op, ast.Add) and (left.items is not None or right.items is not None):
        if not any(v.rows for v in (left, right)):  # a list plus names that are not known
            return any_of([left, right]).but(items=None, rest=None)
        return united([left, right])
    if isinstance(op, ast.Sub) and (left.kind == "names" or left.items is not None):
        return selection.without(left, names_in(right), known=is_literal(right))
    if left.text is not None or (right.text is not None and isinstance(op, ast.Add | ast.Div)):
        return paths.combined(left, op, right)
    whole = mixed([left, right])
    rows = whole.rows or left.rows or right.rows
    if isinstance(op, ast.Add | ast.BitOr) and not (left.is_mask or right.is_mask):
        rows = left.rows | right.rows
    encoded = whole.encoded
    if encoded and (left.is_target or right.is_target):
        # (sum - own) / (count - 1): leaving one row out is better, but trees still see through it.
        encoded = GroupStatistic(encoded.part, certain=False)
    return whole.but(
        rows=rows, kind=left.kind or right.kind, leaky=left.leaky, exact=left.exact,
        part=(left if left.rows else right).part, encoded=encoded,
        is_target=left.is_target or right.is_target,
        is_mask=left.is_mask or right.is_mask,
    )  # fmt: skip


def _appended(left: Value, right: Value) -> Value:
    assert left.items is not None
    assert right.items is not None
    rests = [v.rest for v in (left, right) if v.rest]
    rest = any_of(rests) if rests else None
    if any(isinstance(key, str) for key in (*left.items, *right.items)):
        return container({**left.items, **right.items}, rest)
    return container([*left.items.values(), *right.items.values()], rest)
