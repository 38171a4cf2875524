"""Python source as a syntax tree, also where several threads read some at once."""

from __future__ import annotations

import ast
import gc
import threading

_one_at_a_time = threading.Lock()


def parse_python(source: str) -> ast.Module:
    """The tree of a source, as ``ast.parse`` gives it. SyntaxError, ValueError as there."""
    # Until 3.11.8 and 3.12.2, Python has one counter for the depth of all trees that are being made
    # (python/cpython#106905): where threads make some at once, one of them gets a SystemError. A
    # thread gives way there only to collect garbage.
    with _one_at_a_time:
        collects = gc.isenabled()
        gc.disable()
        try:
            return ast.parse(source)
        finally:
            if collects:
                gc.enable()
