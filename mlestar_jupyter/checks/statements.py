"""Walking through statements: loops over known lists are unrolled, other loops walked twice.

Both sides of an ``if`` are walked and then put together, unless the condition is a constant.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import expressions, selection
from mlestar_jupyter.checks.values import Value, container, either
from mlestar_jupyter.checks.vocabulary import ACTS

if TYPE_CHECKING:
    from mlestar_jupyter.checks.dataflow import Flow

#: Longer lists are not unrolled; one pass stands for all their items.
_UNROLLED = 12


def walk(flow: Flow, body: Sequence[ast.stmt]) -> bool:
    """Walk statements; whether the path ends there (return, raise, break, continue)."""
    return any(_statement(flow, tree) for tree in body)


def _statement(flow: Flow, tree: ast.stmt) -> bool:
    match tree:
        case ast.Assign(targets=targets, value=value):
            given = flow.value(value)
            for target in targets:
                assign(flow, target, given)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            assign(flow, target, flow.value(value))
        case ast.AugAssign(target=target, op=op, value=value):
            whole = ast.BinOp(left=target, op=op, right=value)
            assign(flow, target, flow.value(ast.copy_location(whole, tree)))
        case ast.Expr(value=value):
            _expression(flow, value)
        case ast.If(test=test, body=body, orelse=orelse):
            return _branch(flow, test, body, orelse)
        case ast.For() | ast.AsyncFor():
            _loop(flow, tree)
        case ast.While(test=test, body=body, orelse=orelse):
            for _ in range(2):
                flow.value(test)
                walk(flow, body)
            walk(flow, orelse)
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            for item in items:
                opened = flow.value(item.context_expr)
                if item.optional_vars is not None:
                    assign(flow, item.optional_vars, opened)
            return walk(flow, body)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            _attempt(flow, [*body, *orelse], handlers)
            return walk(flow, final)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            flow.scope.names[name] = flow.define(tree)
        case ast.ClassDef(name=name, body=body):
            # Methods are walked at the end, with arguments that are not known.
            for inner in body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    flow.define(inner)
            flow.scope.names[name] = Value()
        case ast.Import(names=names):
            for alias in names:
                module = alias.name if alias.asname else alias.name.split(".")[0]
                flow.scope.names[alias.asname or module] = Value(symbol=module)
        case ast.ImportFrom(module=module, names=names):
            for alias in names:
                symbol = f"{module or ''}.{alias.name}"
                flow.scope.names[alias.asname or alias.name] = Value(symbol=symbol)
        case ast.Return(value=value):
            if value is not None:
                flow.returns(flow.value(value))
            return True
        case ast.Delete(targets=targets):
            for target in targets:
                selection.delete(flow, target)
        case ast.Global(names=shared) | ast.Nonlocal(names=shared):
            flow.shared.update(shared)
        case ast.Match(subject=subject, cases=cases):
            flow.value(subject)
            for case in cases:
                _branch(flow, ast.Tuple([], ast.Load()), case.body, [])
        case ast.Assert(test=test):
            _quietly(flow, test)
        case ast.Raise() | ast.Continue() | ast.Break():
            return True
    return False


def assign(flow: Flow, target: ast.expr, value: Value) -> None:
    """Bind names, unpack tuples, write into columns and items."""
    match target:
        case ast.Name(id=name):
            scope = flow.scope
            while name in flow.shared and scope.outer is not None:
                scope = scope.outer
            scope.names[name] = value
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            items = expressions.unpacked(value, len(targets))
            for inner, item in zip(targets, items, strict=True):
                assign(flow, inner, item)
        case ast.Starred(value=inner):
            assign(flow, inner, container([], rest=value))
        case ast.Subscript():
            selection.store(flow, target, value)
        case ast.Attribute():
            selection.store_attribute(flow, target, value)


def _expression(flow: Flow, tree: ast.expr) -> None:
    # The value of a bare expression is shown at most, unless the call does something.
    match tree:
        case ast.Call(func=ast.Attribute(attr=name), keywords=keywords):
            if name in ACTS or any(keyword.arg == "inplace" for keyword in keywords):
                flow.value(tree)
            else:
                _quietly(flow, tree)
        case ast.Call() | ast.Yield() | ast.YieldFrom() | ast.Await() | ast.NamedExpr():
            flow.value(tree)
        case _:
            _quietly(flow, tree)


def _quietly(flow: Flow, tree: ast.expr) -> None:
    flow.quiet += 1
    flow.value(tree)
    flow.quiet -= 1


def _branch(
    flow: Flow, test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]
) -> bool:
    _quietly(flow, test)
    known = expressions.truth(flow, test)
    if known is not None:
        return walk(flow, body if known else orelse)
    before = dict(flow.scope.names)
    # What a function does with one caller's arguments it need not do with another's.
    flow.doubts += flow.in_function
    ended = walk(flow, body)
    after, flow.scope.names = flow.scope.names, before
    ended_too = walk(flow, orelse)
    flow.doubts -= flow.in_function
    if ended_too and not ended:
        flow.scope.names = after
    elif not ended:
        _put_together(flow, after)
    return ended and ended_too


def _put_together(flow: Flow, other: dict[str, Value]) -> None:
    here = flow.scope.names
    for name, value in other.items():
        here[name] = either(here[name], value) if name in here else value


def _loop(flow: Flow, tree: ast.For | ast.AsyncFor) -> None:
    values = flow.value(tree.iter)
    items = expressions.unrolled(values, _UNROLLED)
    passes = [expressions.element(values)] * 2 if items is None else items
    flow.split_loops += values.kind == "folds"
    for item in passes:
        assign(flow, tree.target, item)
        walk(flow, tree.body)
    flow.split_loops -= values.kind == "folds"
    walk(flow, tree.orelse)


def _attempt(flow: Flow, body: Sequence[ast.stmt], handlers: Sequence[ast.ExceptHandler]) -> None:
    before = dict(flow.scope.names)
    walk(flow, body)
    for handler in handlers:
        after, flow.scope.names = flow.scope.names, dict(before)
        if walk(flow, handler.body):
            flow.scope.names = after
        else:
            _put_together(flow, after)
