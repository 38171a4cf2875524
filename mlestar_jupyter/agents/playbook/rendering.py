"""Recipes: packaged cell sources, with parts for some tasks only and places for values.

A line ``#? word word`` begins a part that is kept when all its words hold (``not word``: does not
hold); ``#?`` alone ends it. ``{{name}}`` is replaced by a value, written as Python. Rendering is
strict: a value that is missing, or one that no part of the recipe knows, is an error of ours.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources

_PLACE = re.compile(r"\{\{(\w+)\}\}")


class Code(str):
    """A value that is Python already and stands in the recipe word for word."""

    __slots__ = ()


@cache
def recipe(name: str) -> str:
    """The text of a packaged recipe such as ``models/lightgbm``."""
    root = resources.files("mlestar_jupyter.agents.playbook") / "recipes"
    return (root / f"{name}.py").read_text(encoding="utf-8")


def render(name: str, words: Collection[str], values: Mapping[str, object] | None = None) -> str:
    """The source of a recipe for these words and values. KeyError names what is missing."""
    values = values or {}
    text = recipe(name)
    unknown = set(values) - set(_PLACE.findall(text))
    if unknown:
        raise KeyError(f"recipe {name} has no place for {sorted(unknown)}")
    kept = [_fill(line, values) for line in _lines(text, words)]
    source = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept))
    return source.strip("\n")


def _lines(text: str, words: Collection[str]) -> list[str]:
    kept, wanted = [], True
    for line in text.splitlines():
        if line.lstrip().startswith("#?"):
            wanted = _holds(line.lstrip()[2:].split(), words)
        elif wanted:
            kept.append(line)
    return kept


def _holds(condition: list[str], words: Collection[str]) -> bool:
    asked = True
    for word in condition:
        if word == "not":
            asked = False
        elif (word in words) != asked:
            return False
        else:
            asked = True
    return True


def _fill(line: str, values: Mapping[str, object]) -> str:
    def value(match: re.Match[str]) -> str:
        given = values[match[1]]
        return str(given) if isinstance(given, Code) else written(given, width=96 - match.start())

    return _PLACE.sub(value, line)


def written(value: object, width: int = 80) -> str:
    """A plain value as Python, on several lines when it is long."""
    if isinstance(value, dict):
        items = [f"{written(k)}: {written(v)}" for k, v in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list | tuple):
        items = [written(item) for item in value]
        opening, closing = "[]" if isinstance(value, list) else "()"
    elif isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value.isprintable() else repr(value)
    else:
        return repr(value)
    line = opening + ", ".join(items) + ("," if opening == "(" and len(items) == 1 else "")
    if len(line) < width:
        return line + closing
    body = textwrap.fill(
        "\0".join(f"{item}," for item in items).replace(" ", "\1").replace("\0", " "),
        width=96, initial_indent="    ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"{opening}\n{body.replace(chr(1), ' ')}\n{closing}"
