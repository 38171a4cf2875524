"""What code that a model wrote must keep, told before an execution is spent on it (section 3.4).

Every problem is a ReplyError in one line that the model is told, so that it can correct itself.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from functools import cache

from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Block, Solution

#: Set above the first block; to set them again would cut a solution off from its fold.
FIXED = frozenset(DEFAULT_PARAMETERS) - {"predictions_path", "model_path"}
#: What the last block of a notebook prints that scores itself.
PRINTED = "Final Validation Performance"


def check_block(block: Block, before: str = "") -> None:
    """Raise ReplyError when a block is no code that could run. ``before`` is its old source."""
    if not block.source.strip():
        raise ReplyError(f"block {block.name} is empty")
    try:
        tree = parse_python(block.source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        text = getattr(error, "msg", error)
        raise ReplyError(f"block {block.name}, line {line}: {text} (plain Python only)") from error
    for statement in tree.body:
        match statement:
            case ast.Expr(value=ast.Constant(value=value)) if value is Ellipsis:
                line = statement.lineno
                raise ReplyError(f"block {block.name}, line {line}: code is left out (...)")
    again = sorted((_assigned(tree) - _assigned_before(before)) & FIXED)
    if again:
        raise ReplyError(
            f"block {block.name} sets {again[0]}, which is set above the first block: leave it"
        )
    absent = sorted({name for name in _imported(tree) if not _is_installed(name)})
    if absent:
        raise ReplyError(
            f"block {block.name} imports {', '.join(absent)}, which is not installed; "
            f"use the packages that are listed"
        )


def check_solution(solution: Solution, *, self_scored: bool = False) -> None:
    """Raise ReplyError when a block is no code, or when nothing is predicted in the end."""
    for block in solution.blocks:
        check_block(block)
    wanted = PRINTED if self_scored else "predictions_path"
    if not any(wanted in block.source for block in solution.blocks):
        raise ReplyError(
            f"no block prints {PRINTED}: <number>; the last block must"
            if self_scored
            else "no block writes predictions_path; the last block must"
        )


def check_change(solution: Solution, name: str, source: str) -> None:
    """Raise ReplyError when a block's new source is no code, changes nothing, or writes nothing."""
    before = solution.source(name)
    check_block(Block(name, source), before)
    if solution.replace(name, source).key == solution.key:
        raise ReplyError(f"block {name} is the same as before; it must change")
    for duty in ("predictions_path", PRINTED):
        others = [b.source for b in solution.blocks if b.name != name]
        if duty in before and duty not in source and not any(duty in other for other in others):
            raise ReplyError(f"block {name} must go on to write {duty}, as it did")


def _assigned(tree: ast.Module) -> set[str]:
    return {
        part.id
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _assigned_before(source: str) -> set[str]:
    try:
        return _assigned(parse_python(source))
    except (SyntaxError, ValueError):
        return set()


def _imported(tree: ast.Module) -> Iterator[str]:
    """Top-level names of what is imported for certain: not inside try, where it may fail."""
    tried = {
        id(inner)
        for part in ast.walk(tree)
        if isinstance(part, ast.Try)
        for statement in part.body
        for inner in ast.walk(statement)
    }
    for part in ast.walk(tree):
        if id(part) in tried:
            continue
        match part:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str() as module, level=0):
                yield module.partition(".")[0]


@cache
def _is_installed(name: str) -> bool:
    """Whether a kernel can import it: ours is the same interpreter. Notebooks do without us."""
    if name == "mlestar_jupyter":
        return False
    if name in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
