"""Columns and rows taken out of values, and written into them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import paths
from mlestar_jupyter.checks.values import (
    GroupStatistic,
    Value,
    any_of,
    container,
    holds,
    is_literal,
    names_in,
    united,
)
from mlestar_jupyter.checks.vocabulary import COUNTS, SAME

if TYPE_CHECKING:
    from mlestar_jupyter.checks.dataflow import Flow

_LOCATORS = ("loc", "iloc", "at", "iat")
_ABOUT = frozenset({"shape", "dtypes", "dtype", "size", "ndim", "name", "empty", "index"})


def attribute(flow: Flow, tree: ast.Attribute) -> Value:
    """``base.name``: of a module, a path, a frame, groups or an estimator."""
    base, name = flow.value(tree.value), tree.attr
    if base.symbol:
        return Value(symbol=f"{base.symbol}.{name}")
    if base.text is not None:
        return paths.attribute(base, name)
    if base.statistic is not None and name not in _ABOUT and name not in SAME:
        return base if name in _LOCATORS else _of_statistic(flow, base, Value(const=name))
    if name in _ABOUT or base.items is not None:
        return Value()
    if name == "columns":
        return column_names(flow, base)
    if name in SAME or name in _LOCATORS:
        return base.but(kind="" if name in ("values", "array") else base.kind)
    if name == "T":
        return base.but(kind="", leaky=frozenset(), exact=False)
    if base.kind == "groups" or (base.kind == "frame" and base.rows):
        return columns(flow, base, Value(const=name))
    if base.made and name.startswith("best_"):
        return base
    return Value(rows=base.rows, sure=base.sure, part=base.part) if base.rows else Value()


def column_names(flow: Flow, base: Value) -> Value:
    """The names of a frame's columns."""
    if base.kind == "sample":
        return container([Value(const=name) for name in flow.task.sample_columns])
    return Value(kind="names", leaky=base.leaky, exact=base.exact, wide=base.wide)


def select(flow: Flow, tree: ast.Subscript) -> Value:
    """``base[...]``, ``base.loc[...]`` and ``base.iloc[...]``."""
    located = isinstance(tree.value, ast.Attribute) and tree.value.attr in _LOCATORS
    by_position = isinstance(tree.value, ast.Attribute) and tree.value.attr.startswith("i")
    if isinstance(tree.value, ast.Attribute) and located:
        base = flow.value(tree.value.value)
    else:
        base = flow.value(tree.value)
    if base.symbol.split(".")[-1] in ("r_", "c_"):
        return united([flow.value(tree.slice)])
    if base.items is not None:
        return _item(flow, base, tree.slice)
    index = flow.value(tree.slice)
    if base.statistic is not None:
        return _of_statistic(flow, base, index)
    if base.kind == "groups":
        return columns(flow, base, index)
    if base.kind == "names":
        return base.but(leaky=frozenset(), exact=False, kind="names" if index.const is None else "")
    if not (base.rows or base.leaky or base.wide or base.kind):
        return Value()
    if isinstance(tree.slice, ast.Tuple) and len(tree.slice.elts) == 2:
        rows, chosen = tree.slice.elts
        base = base if _is_everything(rows) else subset(flow, base, rows)
        if _is_everything(chosen):
            return base
        return columns(flow, base, Value() if by_position else flow.value(chosen))
    if located or isinstance(tree.slice, ast.Slice) or index.is_mask or base.kind != "frame":
        return base if _is_everything(tree.slice) else subset(flow, base, tree.slice)
    if index.rows or isinstance(tree.slice, ast.Compare):
        return subset(flow, base, tree.slice)
    if _names_columns(index):
        return columns(flow, base, index)
    # An index that is not known may be names or a mask: no fact may rest on either.
    return columns(flow, subset(flow, base, tree.slice), index)


def columns(flow: Flow, base: Value, names: Value) -> Value:
    """One column, or a frame of some columns."""
    asked = names_in(names)
    single = names.text is not None or (names.items is None and names.kind != "names")
    ours = "train" in base.rows or bool(base.leaky)
    target = flow.task.target
    of_target = (base.leaky - set(flow.task.train_only)) | ({target} if ours else set())
    if base.exact:
        of_target = of_target & base.leaky
    is_target = bool(asked) and asked <= of_target and names.kind != "names"
    if base.kind == "groups":
        kept = base.leaky & asked if asked else frozenset[str]()
        return base.but(is_target=is_target, leaky=kept, wide=False)
    literal = is_literal(names)
    return base.but(
        kind="column" if single and names.const is not None else "frame",
        leaky=base.leaky & asked,
        exact=base.exact and (literal or (names.kind == "names" and names.exact)),
        is_target=is_target,
        wide=base.wide and (not literal or bool(base.broad & (asked | {"*"}))),
    )


def without(base: Value, dropped: frozenset[str], *, known: bool) -> Value:
    """Names, a list of them, or a frame, without these columns."""
    if base.items is not None:
        kept = [v for v in base.items.values() if v.text not in dropped]
        return container(kept, base.rest) if known else Value(wide=not is_literal(base))
    if not known:
        return base.but(leaky=frozenset(), exact=False)
    return base.but(leaky=base.leaky - dropped)


def subset(flow: Flow, base: Value, index: ast.expr | None) -> Value:
    """Some of the rows. Of train and test put together, it may be either: no rows are known."""
    # The same condition twice gives the same part; anything else gives another one.
    name = f"#{Value().serial}" if index is None else _fingerprint(flow, index)
    rows = frozenset[str]() if len(base.rows) > 1 else base.rows
    return base.but(rows=rows, part=(*base.part, name), const=None)


def encoded(flow: Flow, statistic: GroupStatistic, onto: Value) -> Value:
    """A statistic of the target looked up for each row of ``onto``."""
    same = "train" in onto.rows and holds(statistic.part, onto.part) and not flow.split_loops
    return Value(
        rows=onto.rows, sure=onto.sure, part=onto.part, encoded=statistic if same else None
    )


def store(flow: Flow, tree: ast.Subscript, value: Value) -> None:
    """``base[...] = value``: a new column, rows of an array, an item of a list or dict."""
    match tree.value:
        case ast.Attribute(value=inner, attr=name) if name in _LOCATORS:
            base, located = flow.value(inner), True
        case _:
            base, located = flow.value(tree.value), False
    index = tree.slice
    rows_only = located or base.kind != "frame"
    if isinstance(index, ast.Tuple) and len(index.elts) == 2:
        key = flow.value(index.elts[1])
    else:
        key = Value() if rows_only and base.items is None else flow.value(index)
    if base.items is not None:
        _put(base, key, value)
        return
    write_column(flow, tree, base, key, value, located=located)


def write_column(
    flow: Flow, tree: ast.expr, base: Value, key: Value, value: Value, *, located: bool = False
) -> None:
    """Write a column (its name may be unknown) and see statistics of the target come in."""
    whole = united([value])
    statistic = whole.encoded or whole.statistic
    if base.kind == "frame" and base.rows:
        # Filling gaps of the target, and weights of rows, are no features.
        feature = key.text != flow.task.target and "weight" not in (key.text or "").lower()
        if statistic is not None and feature:
            seen = whole.encoded or (located and encoded(flow, statistic, base).encoded)
            if seen and "train" in base.rows and not flow.split_loops:
                flow.see_encoded(tree, key.text, seen)
    elif base.kind != "sample":
        base.rows, base.part = base.rows | whole.rows, base.part or whole.part
        base.encoded = base.encoded or whole.encoded
        base.sure = base.sure and whole.sure
    base.wide = base.wide or whole.wide
    if whole.wide:
        base.broad = base.broad | {"*" if key.text is None else key.text}
    forbidden = key.text in flow.forbidden and base.kind == "frame"
    made_of_it = whole.is_target and base.kind != "sample" and whole.part == base.part
    if key.text is not None and (made_of_it or forbidden):
        base.leaky = base.leaky | {key.text}


def store_attribute(flow: Flow, tree: ast.Attribute, value: Value) -> None:
    """``frame.columns = names`` renames: which columns it has is not known any more."""
    base = flow.value(tree.value)
    if tree.attr == "columns":
        base.leaky, base.exact = frozenset(), False
    elif base.kind == "frame" and base.rows and tree.attr != "index":
        write_column(flow, tree, base, Value(const=tree.attr), value)


def delete(flow: Flow, tree: ast.expr) -> None:
    """``del frame["column"]`` and ``del name``."""
    match tree:
        case ast.Subscript(value=inner, slice=index):
            base, key = flow.value(inner), flow.value(index)
            if base.items is not None:
                base.items.pop(key.const, None)
            else:
                base.become(without(base, names_in(key), known=is_literal(key)))
        case ast.Name(id=name):
            flow.scope.names.pop(name, None)
        case ast.Tuple(elts=elts):
            for inner in elts:
                delete(flow, inner)


def _item(flow: Flow, base: Value, index: ast.expr) -> Value:
    items = base.items or {}
    everything = [*items.values(), *([base.rest] if base.rest else [])]
    if isinstance(index, ast.Slice):
        if base.rest is None:
            known = _slice(flow, index)
            if known is not None:
                return container(list(items.values())[known])
        return container([], any_of(everything) if everything else None)
    key = flow.value(index).const
    if isinstance(key, int) and key < 0 and base.rest is None:
        key += len(items)
    if key is not None and key in items:
        return items[key]
    return any_of(everything)


def _slice(flow: Flow, tree: ast.Slice) -> slice | None:
    bounds: list[int | None] = []
    for part in (tree.lower, tree.upper, tree.step):
        const = None if part is None else flow.value(part).const
        if part is not None and not isinstance(const, int):
            return None
        bounds.append(const if isinstance(const, int) else None)
    return slice(*bounds)


def _put(base: Value, key: Value, value: Value) -> None:
    assert base.items is not None
    if key.const is not None and "\0" not in str(key.const):
        base.items[key.const] = value
    else:
        base.rest = any_of([base.rest, value]) if base.rest else value


def _of_statistic(flow: Flow, base: Value, index: Value) -> Value:
    assert base.statistic is not None
    if index.rows:
        return encoded(flow, base.statistic, index)
    names = names_in(index)
    if not names:
        return base
    if base.is_target:  # every column is a statistic of the target, but for counts
        return base.but() if names - COUNTS else Value()
    kept = base.leaky & names
    single = index.text is not None
    return base.but(leaky=kept, is_target=single) if kept else Value()


def _names_columns(index: Value) -> bool:
    if index.kind == "names" or index.text is not None or is_literal(index):
        return True
    return index.items is not None and not any(v.rows for v in index.items.values())


def _is_everything(tree: ast.expr) -> bool:
    match tree:
        case ast.Slice(lower=None, upper=None):
            return True
        case ast.Constant(value=value):
            return value is ...
    return False


def _fingerprint(flow: Flow, tree: ast.expr) -> str:
    names = sorted({t.id for t in ast.walk(tree) if isinstance(t, ast.Name)})
    told = []
    for name in names:
        value = flow.scope.find(name)
        if value is not None:
            told.append(f"{name}={value.serial if value.const is None else value.const}")
    return f"{ast.unparse(tree)} {' '.join(told)}"
