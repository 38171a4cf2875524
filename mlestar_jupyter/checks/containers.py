"""Methods of lists, sets and dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlestar_jupyter.checks import expressions, selection
from mlestar_jupyter.checks.values import Value, any_of, container, is_literal, mixed, names_in

if TYPE_CHECKING:
    from mlestar_jupyter.checks.calls import Arguments


def method(base: Value, arguments: Arguments) -> Value:
    """A method of a list, set or dict whose items are followed."""
    name, first = arguments.name, arguments.get(0)
    items = base.items
    assert items is not None
    everything = [*items.values(), *([base.rest] if base.rest else [])]
    match name:
        case "append" | "add" if first is not None:
            # In a loop that is walked twice the second item is like the first.
            items[len(items)] = first
        case "insert" if len(arguments.args) > 1:
            base.become(container([arguments.args[1], *items.values()], base.rest))
        case "extend" | "update" if first is not None:
            if first.items is not None:
                more = first.items if name == "update" else dict(
                    enumerate(first.items.values(), start=len(items))
                )  # fmt: skip
                items.update(more)
            rests = [v for v in (base.rest, first.rest) if v]
            if first.items is None:
                rests.append(expressions.element(first))
            base.rest = any_of(rests) if rests else None
        case "remove" if first is not None:
            base.become(selection.without(base, names_in(first), known=is_literal(first)))
        case "items":
            pairs = [container([Value(const=k), v]) for k, v in items.items()]
            return container(pairs, container([Value(), base.rest]) if base.rest else None)
        case "values":
            return container(list(items.values()), base.rest)
        case "keys":
            return container([Value(const=key) for key in items])
        case "copy":
            return base.but()
        case "get" | "setdefault" | "pop" if first is not None and first.const in items:
            return items.pop(first.const) if name == "pop" else items[first.const]
        case "get" | "setdefault" | "pop":
            return any_of(everything) if everything else Value()
        case _:
            return mixed(everything)
    return Value()
