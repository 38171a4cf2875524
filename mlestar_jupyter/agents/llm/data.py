"""Replies that are data: their schemas, and reading them without trust in the schema's power."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlestar_jupyter.agents.llm.replies import fences
from mlestar_jupyter.errors import ReplyError

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_BLOCKS = _list(_object(name=_TEXT, source=_TEXT))
CARDS = _object(
    models=_list(_object(name=_TEXT, reason=_TEXT, example=_TEXT, pages=_list({"type": "integer"})))
)
ABLATIONS = _object(variants=_list(_object(block=_TEXT, change=_TEXT, source=_TEXT)))
TARGET = _object(block=_TEXT, plan=_TEXT, reason=_TEXT)
LEAKAGE = _object(leaks=_FLAG, reason=_TEXT, blocks=_BLOCKS)
DATA_USAGE = _object(complete=_FLAG, reason=_TEXT, blocks=_BLOCKS)

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "object": (dict,), "array": (list,),
}  # fmt: skip


def read(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object in a reply, as the schema wants it; ReplyError naming what is wrong."""
    value = _decode(text)
    properties = schema["properties"]
    if isinstance(value, list) and len(properties) == 1:  # the list without the object around it
        value = {next(iter(properties)): value}
    _check(value, schema, "it")
    assert isinstance(value, dict)
    return value


def _decode(text: str) -> Any:
    parts = [part.text for part in fences(text) if part.language in ("", "json")]
    begun = [text[text.index(mark) :] for mark in "{[" if mark in text]
    problem = "there is no { in it"
    for part in map(str.strip, (text, *parts, *begun)):
        if not part.startswith(("{", "[")):
            continue
        try:
            # Newlines inside strings are let pass: code in JSON often has them.
            value = json.JSONDecoder(strict=False).raw_decode(part)[0]
        except json.JSONDecodeError as error:
            problem = f"{error.msg}, line {error.lineno}, column {error.colno}"
            continue
        if isinstance(value, dict) or (value and isinstance(value[0], dict)):
            return value
    raise ReplyError(f"it is no JSON: {problem}")


def _check(value: Any, schema: Mapping[str, Any], where: str) -> None:
    kind = schema["type"]
    is_right = isinstance(value, _TYPES[kind])
    if kind == "integer" and isinstance(value, bool):
        is_right = False
    if not is_right:
        raise ReplyError(f"{where} must be {_article(kind)} {kind}, not {type(value).__name__}")
    if kind == "object":
        for name, inner in schema["properties"].items():
            if name not in value:
                raise ReplyError(f"{where} lacks {name!r}")
            _check(value[name], inner, name if where == "it" else f"{where}.{name}")
    elif kind == "array":
        for number, item in enumerate(value):
            _check(item, schema["items"], f"{where}[{number}]")


def _article(kind: str) -> str:
    return "an" if kind[0] in "aio" else "a"
