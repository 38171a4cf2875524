"""The facts about a call: functions of the solution, of pandas, numpy and scikit-learn."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import estimators, expressions, frames, paths, selection
from mlestar_jupyter.checks.values import Value, any_of, container, mixed, stacked, united
from mlestar_jupyter.checks.vocabulary import (
    BOOSTERS,
    CONCATS,
    COUNTS,
    CROSS_FITS,
    DATASETS,
    ELEMENTWISE,
    REDUCTIONS,
    SHOWS,
    STACKS,
    WRAPPERS,
)

if TYPE_CHECKING:
    from mlestar_jupyter.checks.dataflow import Flow


@dataclass(frozen=True)
class Arguments:
    """A call with its arguments looked up. ``name`` is the last part of what is called."""

    tree: ast.Call
    name: str
    args: list[Value]
    keywords: dict[str, Value]

    def get(self, position: int, *names: str) -> Value | None:
        """The argument at a position or under one of these names."""
        if 0 <= position < len(self.args):
            return self.args[position]
        return next((self.keywords[name] for name in names if name in self.keywords), None)

    @property
    def values(self) -> list[Value]:
        """All arguments."""
        return [*self.args, *self.keywords.values()]

    def along_rows(self) -> bool:
        """Whether ``axis`` says that columns are meant: axis=1."""
        axis = self.keywords.get("axis")
        return axis is not None and axis.const in (1, -1, "columns")


def call(flow: Flow, tree: ast.Call) -> Value:
    """What a call gives."""
    base: Value | None = None
    match tree.func:
        case ast.Attribute(value=inner, attr=name):
            base = flow.value(inner)
            callee = Value(symbol=f"{base.symbol}.{name}") if base.symbol else Value()
        case ast.Name(id=name):
            callee = flow.value(tree.func)
        case _:
            callee, name = flow.value(tree.func), ""
    flow.quiet += name in SHOWS
    arguments = _arguments(flow, tree, name)
    flow.quiet -= name in SHOWS
    if callee.function is not None:
        return flow.call(callee.function, arguments.args, arguments.keywords)
    if callee.made and base is None:  # an instance is called: Parallel(...)(...), a keras layer
        return arguments.args[0] if callee.made.endswith("Parallel") else mixed(arguments.values)
    found = paths.call(flow, callee.symbol, base, arguments)
    if found is not None:
        return found
    if base is not None and not callee.symbol:
        return frames.method(flow, base, arguments)
    return _function(flow, callee.symbol, arguments)


def _arguments(flow: Flow, tree: ast.Call, name: str) -> Arguments:
    args: list[Value] = []
    for given in tree.args:
        value = flow.value(given)
        if not isinstance(given, ast.Starred):
            args.append(value)
        elif value.items is not None:
            args += expressions.unrolled(value, 100) or [expressions.element(value)]
        else:
            args.append(value)
    keywords: dict[str, Value] = {}
    for keyword in tree.keywords:
        value = flow.value(keyword.value)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        else:
            keywords |= {str(k): v for k, v in (value.items or {}).items()}
    return Arguments(tree, name, args, keywords)


def _function(flow: Flow, symbol: str, arguments: Arguments) -> Value:
    """A function or class that the solution imports, or a builtin."""
    name = symbol.rsplit(".", 1)[-1] or arguments.name
    args = arguments.args
    root = symbol.split(".")[0]
    first = args[0] if args else None
    # A module has no fit; a name that no block binds may be an estimator all the same.
    if estimators.is_fit(name) and symbol.count(".") == 1 and symbol[0].islower():
        return estimators.fit(flow, Value(symbol=symbol), arguments)
    if name in CROSS_FITS or (name in ("train", "cv") and root in BOOSTERS):
        return estimators.fit_by_function(flow, name, arguments)
    if name in DATASETS and root in BOOSTERS:
        return estimators.wrap(flow, arguments)
    match name:
        case "train_test_split":
            return _split(arguments)
        case "concat" | "chain" if first is not None and first.text is None:
            beside = arguments.along_rows()
            whole = united(args) if beside else stacked(args)
            return whole.but(kind="frame" if name == "concat" else "")
        case "merge" if len(args) > 1 or "right" in arguments.keywords:
            left, right = arguments.get(0, "left"), arguments.get(1, "right")
            return frames.merged(flow, arguments, left or Value(), right or Value())
        case "get_dummies" if first is not None:
            kept = first.leaky if flow.task.kind == "regression" else frozenset[str]()
            return first.but(kind="frame", leaky=kept, exact=False)
        case "factorize" if first is not None:
            return container([first.but(kind="", leaky=frozenset(), exact=False), Value()])
        case "unique" if first is not None:
            return frames.distinct(first)
        case "zip":
            return _zipped(args)
        case "enumerate" if first is not None:
            return _numbered(first)
        case "range" | "len" | "isinstance" | "type" | "hash" | "id":
            return Value()
        case "next" if first is not None:
            return expressions.element(first)
        case "delayed" | "partial" | "clone" | "FunctionTransformer" if first is not None:
            return first.but(fitted=None)
        case "map" if first is not None and first.function is not None and len(args) > 1:
            items = expressions.unrolled(args[1], 12)
            if items is None:
                rest = flow.call(first.function, [expressions.element(args[1])], {})
                return container([], rest)
            return container([flow.call(first.function, [item], {}) for item in items])
        case "dict":
            given = first.items if first is not None and first.items is not None else {}
            return container({**given, **arguments.keywords})
        case "defaultdict" | "OrderedDict":
            return container({})
        case "crosstab" | "pivot_table" if first is not None:
            return frames.method(flow, first, arguments)
    if name in STACKS and first is not None and not arguments.along_rows():
        return stacked(args)
    if name in CONCATS and first is not None:
        return united(args)
    if name in REDUCTIONS and root in ("numpy", "scipy", "statistics") and first is not None:
        return _reduced(flow, name, arguments)
    if name in WRAPPERS:
        return _wrapped(flow, name, arguments)
    if name in ELEMENTWISE and args:
        main = next((v for v in args if v.rows), first) or Value()
        return united([main]).but(kind="", const=None, encoded=united(args).encoded)
    if name[:1].isupper() or name in ("make_pipeline", "make_column_transformer"):
        return estimators.made(symbol, arguments)
    if estimators.makes_estimator(name):
        return estimators.made(symbol, arguments)
    # A function that we do not know may do anything with the functions it is given.
    for value in arguments.values:
        if value.function is not None and not value.function.called:
            flow.call(value.function, [], {})
    return mixed(arguments.values)


def _split(arguments: Arguments) -> Value:
    left, right = f"#{Value().serial}", f"#{Value().serial}"
    halves = [
        value.but(part=(*value.part, side)) for value in arguments.args for side in (left, right)
    ]
    return container(halves)


def _zipped(args: list[Value]) -> Value:
    columns = [expressions.unrolled(value, 48) for value in args]
    if args and all(column is not None for column in columns):
        known = [column for column in columns if column is not None]
        return container([container(row) for row in zip(*known, strict=False)])
    if any(value.kind == "folds" for value in args):
        return Value(kind="folds")
    return container([], rest=container([expressions.element(value) for value in args]))


def _numbered(first: Value) -> Value:
    if first.kind == "folds":
        return first
    items = expressions.unrolled(first, 48)
    if items is not None:
        return container([container([Value(const=i), v]) for i, v in enumerate(items)])
    return container([], rest=container([Value(), expressions.element(first)]))


def _reduced(flow: Flow, name: str, arguments: Arguments) -> Value:
    first = arguments.args[0]
    value = united([first])
    if first.items is not None or arguments.along_rows():
        return value.but(kind="")  # the mean of several arrays, or over columns: rows remain
    return frames.reduced(flow, value, name, arguments.tree) if name not in COUNTS else Value()


def _wrapped(flow: Flow, name: str, arguments: Arguments) -> Value:
    if not arguments.values:
        return Value(kind="frame") if name == "DataFrame" else container([])
    first = arguments.get(0, "data") or arguments.values[0]
    if name in ("list", "tuple", "sorted", "set", "frozenset", "reversed", "iter", "tqdm"):
        if first.items is not None:
            rest = [first.rest] if first.rest else []
            items = expressions.unrolled(first, 10**6)
            return container(items or [], any_of(rest) if rest else None)
        if first.kind == "frame":
            return selection.column_names(flow, first)
        return first.but(kind=first.kind if first.kind in ("names", "folds") else "")
    if first.kind == "names" or (first.items is not None and name in ("copy", "deepcopy")):
        return first.but()
    if name == "DataFrame":
        return _frame(flow, first, arguments)
    return united([first]).but(const=None)


def _frame(flow: Flow, first: Value, arguments: Arguments) -> Value:
    """``pd.DataFrame(data)``: of a dict, its keys are the columns."""
    if first.items is None or not any(isinstance(key, str) for key in first.items):
        kept = first.leaky if first.kind == "frame" and "columns" not in arguments.keywords else ()
        return united([first]).but(kind="frame", leaky=frozenset(kept), is_target=False)
    frame = mixed([first]).but(kind="frame", exact=first.rest is None)
    for key, value in first.items.items():
        selection.write_column(flow, arguments.tree, frame, Value(const=key), value)
    return frame
