"""Numbers in a block's source: found by their keyword, changed without touching anything else."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.parsing import parse_python

Number = int | float


@dataclass(frozen=True)
class Literal:
    """A number behind a keyword, a key of a dict or a name: ``n_estimators=300``."""

    name: str
    value: Number
    start: int
    end: int


def numbers(source: str) -> list[Literal]:
    """The named numbers of a block, in order; none when it is not Python."""
    try:
        tree = parse_python(source)
    except (SyntaxError, ValueError):
        return []
    place = Places(source)
    found: list[Literal] = []

    def note(name: str, value: ast.expr) -> None:
        number = value.value if isinstance(value, ast.Constant) else None
        if isinstance(number, int | float) and not isinstance(number, bool):
            found.append(Literal(name, number, *place.of(value)))

    for part in ast.walk(tree):
        match part:
            case ast.keyword(arg=str() as name, value=value):
                note(name, value)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        note(key.value, value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                note(name, value)
    return sorted(found, key=lambda literal: literal.start)


def set_numbers(source: str, values: dict[str, Number]) -> str:
    """The block with these numbers changed. ReplyError when it has no number of such a name."""
    present = numbers(source)
    missing = sorted(set(values) - {literal.name for literal in present})
    if missing:
        names = ", ".join(sorted({literal.name for literal in present})) or "none"
        raise ReplyError(f"the block has no number named {missing[0]}; it has {names}")
    for literal in reversed(present):
        if literal.name in values:
            text = repr(values[literal.name])
            source = source[: literal.start] + text + source[literal.end :]
    return source


def current(source: str, name: str) -> Number | None:
    """The number of this name, the first if there are several; None when there is none."""
    return next((literal.value for literal in numbers(source) if literal.name == name), None)


def without_keywords(source: str, names: frozenset[str]) -> str:
    """The block without these numeric keyword arguments, so that a library's own values hold."""
    try:
        tree = parse_python(source)
    except (SyntaxError, ValueError):
        return source
    place = Places(source)
    spans = []
    for part in ast.walk(tree):
        if not isinstance(part, ast.Call):
            continue
        for keyword in part.keywords:
            number = isinstance(keyword.value, ast.Constant) and isinstance(
                keyword.value.value, int | float
            )
            if keyword.arg in names and number:
                spans.append(_with_comma(source, *place.of(keyword)))
    for begin, end in sorted(spans, reverse=True):
        source = source[:begin] + source[end:]
    return source


def _with_comma(source: str, begin: int, end: int) -> tuple[int, int]:
    """The span of an argument, with the comma after it and its line if it stands alone."""
    rest = source[end:]
    stripped = rest.lstrip()
    if stripped.startswith(","):
        end += len(rest) - len(stripped) + 1
    line = source.rfind("\n", 0, begin) + 1
    if not source[line:begin].strip() and source[end : end + 1] == "\n":
        return line, end + 1
    if source[end : end + 1] == " ":
        end += 1
    return begin, end


class Places:
    """Where the parts of a syntax tree stand in the text (a tree counts lines and bytes)."""

    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def of(self, part: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """The first place of a part, and the first one behind it."""
        begin = self._place(part.lineno, part.col_offset)
        return begin, self._place(part.end_lineno or 0, part.end_col_offset or 0)

    def _place(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())
