"""Methods of tables, columns and arrays."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mlestar_jupyter.checks import containers, estimators, expressions, groups, selection
from mlestar_jupyter.checks.values import (
    Value,
    container,
    is_literal,
    mixed,
    names_in,
    stacked,
    united,
)
from mlestar_jupyter.checks.vocabulary import (
    COUNTS,
    MASKS,
    REDUCTIONS,
    ROW_BY_ROW,
    SAME,
    SUBSETS,
)

if TYPE_CHECKING:
    from mlestar_jupyter.checks.calls import Arguments
    from mlestar_jupyter.checks.dataflow import Flow


def method(flow: Flow, base: Value, arguments: Arguments) -> Value:
    """``base.name(...)`` for anything that is no module and no path."""
    name = arguments.name
    if estimators.is_fit(name):
        return estimators.fit(flow, base, arguments)
    if base.items is not None:
        return containers.method(base, arguments)
    if base.kind == "groups":
        return groups.method(flow, base, arguments)
    if base.kind == "names":
        return _of_names(base, arguments)
    if base.statistic is not None:
        return _of_statistic(flow, base, arguments)
    if base.kind in ("frame", "column", "sample") or base.rows or base.leaky or base.wide:
        if base.made and name.startswith(("transform", "predict", "inverse")):
            return estimators.method(flow, base, arguments)
        result = _of_table(flow, base, arguments)
        inplace = arguments.keywords.get("inplace")
        if inplace is not None and inplace.const is True:
            base.become(result)
        return result
    return estimators.method(flow, base, arguments)


def reduced(flow: Flow, base: Value, name: str, tree: ast.expr) -> Value:
    """A statistic over all rows; over train and test together it is worth a mention."""
    tells = name not in COUNTS and name not in ("describe", "first", "last", "corr", "cov")
    if base.is_mixed and tells and not base.is_mask and not base.is_target:
        flow.see_statistic(tree, name)
    return Value()


def merged(flow: Flow, arguments: Arguments, left: Value, right: Value) -> Value:
    """Two tables joined by a key. A table of target statistics encodes the rows it is joined to."""
    for table, other in ((left, right), (right, left)):
        if other.statistic is not None and selection.encoded(flow, other.statistic, table).encoded:
            flow.see_encoded(arguments.tree, None, other.statistic)
    if not (left.rows or right.rows):
        return mixed([left, right]).but(kind="frame")
    if not left.rows:
        left, right = right, left
    # Test rows joined to train rows by a key: neither can be said to be held.
    clash = right.rows and left.rows != right.rows and "train" not in left.rows
    return left.but(
        kind="frame", rows=frozenset() if clash else left.rows, statistic=None,
        sure=left.sure and right.sure, wide=left.wide or right.wide,
        leaky=left.leaky | (right.leaky if right.rows else frozenset()),
        exact=left.exact and (right.exact or not right.rows),
    )  # fmt: skip


def distinct(base: Value) -> Value:
    """The values that occur. Those of train alone belong to no row any more."""
    rows = base.rows if "test" in base.rows else frozenset[str]()
    return base.but(kind="", rows=rows, leaky=frozenset(), exact=False, is_target=False)


def _of_table(flow: Flow, base: Value, arguments: Arguments) -> Value:
    name, first = arguments.name, arguments.get(0)
    match name:
        case "drop":
            return _dropped(flow, base, arguments)
        case "pop" | "get" if first is not None:
            taken = selection.columns(flow, base, first)
            if name == "pop":
                base.become(selection.without(base, names_in(first), known=is_literal(first)))
            return taken
        case "groupby":
            keys = names_in(arguments.get(0, "by") or Value())
            by_target = bool(keys) and keys == {flow.task.target}
            return base.but(
                kind="groups",
                is_target=base.is_target and not by_target,
                leaky=frozenset() if by_target else base.leaky,
            )
        case "pivot_table":
            return groups.pivoted(flow, base, arguments)
        case "merge" | "join" | "merge_asof" if first is not None:
            return merged(flow, arguments, base, first)
        case "append" if first is not None:
            return stacked([base, first]).but(kind="frame")
        case "align" if first is not None:
            return container([base.but(), first.but()])
        case "insert" if len(arguments.args) > 2:
            selection.write_column(flow, arguments.tree, base, arguments.args[1], arguments.args[2])
            return Value()
        case "assign":
            return _assigned(flow, base, arguments)
        case "map" | "replace" if first is not None:
            return _mapped(flow, base, first, arguments)
        case "apply" | "pipe" | "transform" | "progress_apply" if first is not None:
            return _applied(flow, base, first, arguments)
        case "reindex" if "columns" in arguments.keywords:
            wanted = arguments.keywords["columns"]
            chosen = selection.columns(flow, base, wanted)
            return chosen.but(kind="frame", is_target=False, wide=base.wide and chosen.wide)
        case "select_dtypes":
            # A target of a regression is numeric; whether others are chosen is not known.
            kept = base.leaky & {flow.task.target} if flow.task.kind == "regression" else set()
            numeric = "number" in [v.text for a in arguments.values for v in a_list(a)]
            return base.but(leaky=frozenset(kept if numeric else ()), exact=False)
        case "rename":
            return _renamed(base, arguments)
        case "keys":
            return selection.column_names(flow, base)
        case "unique":
            return distinct(base)
        case "items" | "iterrows" | "iteritems" | "iter_rows":
            return container([], container([Value(), base.but(leaky=frozenset(), exact=False)]))
        case "sample" if _whole(arguments):
            return base.but()
        case "filter" if "like" in arguments.keywords or "regex" in arguments.keywords:
            return base.but(leaky=frozenset(), exact=False)
    if name in SUBSETS:
        return selection.subset(flow, base, None)
    if name in MASKS:
        return base.but(kind="", is_mask=True, leaky=frozenset(), exact=False, const=None)
    if name in SAME:
        kind = "" if name in ("to_numpy", "values", "tolist") else base.kind
        return base.but(kind="frame" if name == "to_frame" else kind, const=None)
    if name == "rank":
        reduced(flow, base, name, arguments.tree)
    elif name in REDUCTIONS and not arguments.along_rows():
        return reduced(flow, base, name, arguments.tree)
    rows = frozenset[str]() if base.is_mixed and name not in ROW_BY_ROW else base.rows
    return base.but(
        kind="", rows=rows, leaky=frozenset(), exact=False, const=None,
        is_target=base.is_target and name in ROW_BY_ROW,
    )  # fmt: skip


def a_list(value: Value) -> list[Value]:
    """The items of a list, or the one value."""
    return list(value.items.values()) if value.items is not None else [value]


def _dropped(flow: Flow, base: Value, arguments: Arguments) -> Value:
    labels = arguments.get(0, "labels")
    chosen = arguments.keywords.get("columns")
    axis = arguments.get(1, "axis")
    if chosen is None and (axis is None or axis.const not in (1, "columns")):
        return selection.subset(flow, base, None)
    dropped = chosen or labels or Value()
    known = is_literal(dropped) or (dropped.kind == "names" and dropped.exact)
    return selection.without(base, names_in(dropped), known=known).but(const=None)


def _renamed(base: Value, arguments: Arguments) -> Value:
    renames = arguments.keywords.get("columns")
    if base.kind != "frame":
        return base.but()
    if renames is None or renames.items is None or renames.rest is not None:
        return base.but(leaky=frozenset(), exact=False)
    new = {v.text for k, v in renames.items.items() if k in base.leaky and v.text is not None}
    return base.but(leaky=(base.leaky - set(renames.items)) | new)


def _assigned(flow: Flow, base: Value, arguments: Arguments) -> Value:
    result = base.but()
    for key, value in arguments.keywords.items():
        if value.function is not None:
            value = flow.call(value.function, [base], {})
        selection.write_column(flow, arguments.tree, result, Value(const=key), value)
    return result


def _mapped(flow: Flow, base: Value, first: Value, arguments: Arguments) -> Value:
    statistic = united([first]).statistic
    if statistic is not None:
        return selection.encoded(flow, statistic, base).but(wide=base.wide)
    if first.function is not None:
        return _applied(flow, base, first, arguments)
    return base.but(const=None)


def _applied(flow: Flow, base: Value, first: Value, arguments: Arguments) -> Value:
    if first.function is None:
        return base.but(kind="", leaky=frozenset(), exact=False)
    given = base if arguments.name == "pipe" or base.kind == "frame" else expressions.element(base)
    args = [given, *arguments.args[1:]] if arguments.name == "pipe" else [given]
    result = flow.call(first.function, args, arguments.keywords if len(args) > 1 else {})
    if arguments.name == "pipe":
        return result
    whole = united([result])
    return base.but(
        kind=base.kind if base.kind == "column" else "", const=None, leaky=frozenset(),
        exact=False, encoded=whole.encoded or base.encoded,
        is_target=base.is_target and whole.is_target,
    )  # fmt: skip


def _whole(arguments: Arguments) -> bool:
    share = arguments.keywords.get("frac")
    return share is not None and share.const in (1, 1.0)


def _of_names(base: Value, arguments: Arguments) -> Value:
    name, first = arguments.name, arguments.get(0)
    if name in ("drop", "difference", "remove") and first is not None:
        left = selection.without(base, names_in(first), known=is_literal(first))
        if name == "remove":
            base.become(left)
        return left
    if name in ("tolist", "to_list", "copy", "to_numpy", "unique"):
        return base.but()
    if name in ("append", "extend") and first is not None:
        base.leaky = base.leaky | names_in(first)
        return Value()
    if name in ("intersection", "isin") and first is not None:
        return base.but(leaky=base.leaky & names_in(first), exact=False)
    return base.but(leaky=frozenset(), exact=False)


def _of_statistic(flow: Flow, base: Value, arguments: Arguments) -> Value:
    first = arguments.get(0)
    assert base.statistic is not None
    if arguments.name in ("get", "reindex", "loc") and first is not None and first.rows:
        return selection.encoded(flow, base.statistic, first)
    if arguments.name in ("merge", "join") and first is not None:
        return merged(flow, arguments, base, first)
    if arguments.name == "rename" and "columns" in arguments.keywords:
        return _renamed(base.but(kind="frame"), arguments)
    if arguments.name == "drop" and first is None and "columns" in arguments.keywords:
        dropped = arguments.keywords["columns"]
        left = selection.without(base, names_in(dropped), known=is_literal(dropped))
        return left if left.leaky or left.is_target or not left.exact else Value()
    return Value() if arguments.name in COUNTS else base
