"""Columns of the task: those that a person's words name, and those that a section lists."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from mlestar_jupyter.agents.playbook.literals import Places
from mlestar_jupyter.agents.playbook.rendering import written
from mlestar_jupyter.parsing import parse_python

#: Column names of a plan, as ``quoted`` writes them.
QUOTED = r'"(?:[^"\\]|\\.)*"(?:, "(?:[^"\\]|\\.)*")*'
#: What may follow a column whose name is a word by itself, such as "a".
_ENDS = r"(?=\s*(?:$|[\"'`,.;:*/+&)-]|(?:and|or|by|to|with|per|over|times|divided|is)\b))"
_SPACE = r"[\s_.-]+"


def quoted(names: Iterable[str]) -> str:
    """Column names as a plan carries them."""
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in names)


def unquoted(text: str) -> list[str]:
    """The inverse of ``quoted``."""
    return [str(name) for name in json.loads(f"[{text}]")]


def mentioned(words: str, names: Iterable[str]) -> tuple[list[str], str]:
    """The columns that the words name, in their order, and the words without them.

    Case, and whether spaces or underscores are written, do not matter.
    """
    low = words.lower()
    found: list[tuple[int, bool, int, str]] = []
    for name in names:
        parts = [part for part in re.split(_SPACE, name) if part]
        if not parts or not all(part.lower() in low for part in parts):
            continue
        pattern = r"(?<!\w)" + rf"(?:{_SPACE})?".join(re.escape(part) for part in parts)
        pattern += r"(?!\w)" + (_ENDS if name.lower() in ("a", "i") else "")
        hits = re.finditer(pattern, words, re.IGNORECASE)
        found += [(len(hit[0]), hit[0] == name, hit.start(), name) for hit in hits]
    # The longest name wins where several fit, then the one that is written exactly so.
    found.sort(key=lambda one: (-one[0], not one[1], one[2]))
    taken: list[tuple[int, int, str]] = []
    for length, _, start, name in found:
        if all(start + length <= begin or end <= start for begin, end, _ in taken):
            taken.append((start, start + length, name))
    rest = words
    for begin, end, _ in sorted(taken, reverse=True):
        rest = rest[:begin] + " " + rest[end:]
    return list(dict.fromkeys(name for _, _, name in sorted(taken))), rest


def listed(section: str) -> list[Any]:
    """What the first list of column names (or of pairs of them) in a section holds."""
    for part in _literals(section):
        value = ast.literal_eval(part)
        if isinstance(value, list) and value and all(_names(item) for item in value):
            return value
    return []


def united(present: str, new: str) -> str:
    """A new section that lists what the present one lists, too."""
    before, added = listed(present), listed(new)
    if not before or not added:
        return new
    first = next(part for part in _literals(new) if ast.literal_eval(part) == added)
    begin, end = Places(new).of(first)
    return new[:begin] + written([*before, *(n for n in added if n not in before)]) + new[end:]


def without(source: str, names: Collection[str], least: int = 1) -> str | None:
    """Source whose lists lack these columns; None when fewer than ``least`` are left in one.

    None, too, when the source names one of the columns in another way.
    """
    place = Places(source)
    changes: list[tuple[int, int, str]] = []
    for part in _literals(source):
        value = ast.literal_eval(part)
        kept = [item for item in value if not set(_names(item)) & set(names)]
        if len(kept) < len(value):
            if len(kept) < least:
                return None
            left = {key: value[key] for key in kept} if isinstance(value, dict) else kept
            changes.append((*place.of(part), written(left)))
    for begin, end, text in sorted(changes, reverse=True):
        source = source[:begin] + text + source[end:]
    return None if _strings(source) & set(names) else source


def _literals(source: str) -> list[ast.List | ast.Dict]:
    """The lists and dicts of a source that are written out, in order."""
    found = [p for p in _parts(source) if isinstance(p, ast.List | ast.Dict)]
    plain = []
    for part in found:
        try:
            ast.literal_eval(part)
        except ValueError:
            continue
        plain.append(part)
    return sorted(plain, key=lambda part: (part.lineno, part.col_offset))


def _parts(source: str) -> list[ast.AST]:
    """The parts of a source; none when a person's edits left it no Python."""
    try:
        return list(ast.walk(parse_python(source)))
    except (SyntaxError, ValueError):
        return []


def _names(item: object) -> Sequence[str]:
    """The names in an item of a list: itself, or those of a pair; none if it is neither."""
    if isinstance(item, str):
        return (item,)
    if isinstance(item, tuple) and all(isinstance(name, str) for name in item):
        return item
    return ()


def _strings(source: str) -> set[str]:
    """Strings that may name a column: in brackets, and assigned as they are."""
    found: list[ast.expr] = []
    for part in _parts(source):
        if isinstance(part, ast.Subscript):
            found.append(part.slice)
        elif isinstance(part, ast.Assign):
            value = part.value
            found += value.elts if isinstance(value, ast.Tuple) else [value]
    return {p.value for p in found if isinstance(p, ast.Constant) and isinstance(p.value, str)}
