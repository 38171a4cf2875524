"""Blocks as syntax trees."""

from __future__ import annotations

import ast
import re

from mlestar_jupyter.parsing import parse_python

_RUNS_PYTHON = re.compile(r"^%%(time|timeit|capture|prun)\b.*")
_SHELL = re.compile(r"^(\s*)(\w[\w, ]*=)\s*[!%].*$")
_MAGIC = re.compile(r"^(\s*)([%!?].*|[\w.]+\?{1,2}\s*)$")


def parse(source: str) -> ast.Module | None:
    """The block as a tree, magics made harmless with lines kept; None when it is not Python."""
    lines = source.split("\n")
    if _RUNS_PYTHON.match(lines[0]):
        lines[0] = "pass"
    elif lines[0].startswith("%%"):
        return parse_python("")
    plain = [_MAGIC.sub(r"\1pass", _SHELL.sub(r"\1\2 None", line)) for line in lines]
    # As it stands first: a line of a long expression may begin with %, too.
    for text in ("\n".join(lines), "\n".join(plain)):
        try:
            return parse_python(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None
