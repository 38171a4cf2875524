"""The difference between two solutions, block by block and line by line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlestar_jupyter.solution import Block, Solution

#: Lines that two blocks must share, as a share of all, for one to be the other under a new name.
ALIKE = 0.5
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Line:
    """A line of a block's two versions: its number before and after, and what it says.

    ``mark`` is "+" for a new line, "-" for one that is gone, " " for one that stays; ``spans`` are
    the stretches of the text that differ from the line that it replaces, or is replaced by.
    """

    mark: Literal[" ", "+", "-"]
    text: str
    before: int | None
    after: int | None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class BlockChange:
    """What became of one block. ``old_name`` differs from ``name`` where it was renamed.

    ``is_moved`` says that it stands at another place among the blocks that both have.
    """

    name: str
    kind: Literal["same", "changed", "added", "removed", "renamed"]
    lines: tuple[Line, ...]
    old_name: str | None = None
    is_moved: bool = False

    @property
    def added(self) -> int:
        """How many lines are new."""
        return sum(line.mark == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        """How many lines are gone."""
        return sum(line.mark == "-" for line in self.lines)


@dataclass(frozen=True)
class Difference:
    """What is different between two solutions. ``blocks`` are in the order of the later one."""

    before: str
    after: str
    blocks: tuple[BlockChange, ...]

    @property
    def changed(self) -> tuple[BlockChange, ...]:
        """The blocks that are not the same."""
        return tuple(b for b in self.blocks if b.kind != "same" or b.is_moved)

    def unified(self, context: int = 3) -> str:
        """The difference as a unified diff, with a file's name for each block; "" if none."""
        parts = []
        for block in self.changed:
            old, new = f"{self.before}/{block.old_name}", f"{self.after}/{block.name}"
            parts.append(f"--- {'/dev/null' if block.kind == 'added' else old}")
            parts.append(f"+++ {'/dev/null' if block.kind == 'removed' else new}")
            if block.is_moved:
                parts.append(f"# {block.name} stands at another place")
            for hunk in hunks(block.lines, context):
                parts.append(_place(hunk))
                parts += [f"{line.mark}{line.text}" for line in hunk]
        return "\n".join(parts)


def difference(
    before: Solution | None,
    after: Solution,
    before_name: str = "before",
    after_name: str = "after",
) -> Difference:
    """What changes from one solution (or none) to another; renamed blocks are recognised."""
    earlier = () if before is None else before.blocks
    old = {block.name: block for block in earlier}
    new = {block.name: block for block in after.blocks}
    renamed = _renamed(
        [b for b in earlier if b.name not in new],
        [b for b in after.blocks if b.name not in old],
    )
    moved = _moved([n for n in old if n in new], [n for n in new if n in old])
    changes: list[BlockChange] = []
    for block in after.blocks:
        origin = old.get(block.name) or renamed.get(block.name)
        lines = _lines(origin.source if origin else None, block.source)
        if origin is None:
            changes.append(BlockChange(block.name, "added", lines))
        elif origin.name != block.name:
            changes.append(BlockChange(block.name, "renamed", lines, origin.name))
        else:
            kind: Literal["same", "changed"] = "same" if origin == block else "changed"
            changes.append(BlockChange(block.name, kind, lines, block.name, block.name in moved))
    gone = {b.name for b in renamed.values()}
    for number, block in enumerate(earlier):
        if block.name not in new and block.name not in gone:
            removed = BlockChange(block.name, "removed", _lines(block.source, None), block.name)
            changes.insert(_place_of_removed(earlier[:number], changes), removed)
    return Difference(before_name, after_name, tuple(changes))


def hunks(lines: Sequence[Line], context: int = 3) -> list[list[Line]]:
    """The changed lines with so many unchanged ones around them, in groups that do not touch."""
    keep: set[int] = set()
    for number, line in enumerate(lines):
        if line.mark != " ":
            keep.update(range(max(0, number - context), min(len(lines), number + context + 1)))
    groups: list[list[Line]] = []
    last = -2
    for number in sorted(keep):
        if number != last + 1:
            groups.append([])
        groups[-1].append(lines[number])
        last = number
    return groups


def _lines(before: str | None, after: str | None) -> tuple[Line, ...]:
    old = [] if before is None else before.split("\n")
    new = [] if after is None else after.split("\n")
    found: list[Line] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            found += [Line(" ", old[a + n], a + n + 1, c + n + 1) for n in range(b - a)]
            continue
        spans = [_spans(old[a + n], new[c + n]) for n in range(min(b - a, d - c))]
        none = ((), ())
        for n in range(b - a):
            words = spans[n] if n < len(spans) else none
            found.append(Line("-", old[a + n], a + n + 1, None, words[0]))
        for n in range(d - c):
            words = spans[n] if n < len(spans) else none
            found.append(Line("+", new[c + n], None, c + n + 1, words[1]))
    return tuple(found)


Spans = tuple[tuple[int, int], ...]


def _spans(old: str, new: str) -> tuple[Spans, Spans]:
    """Where two lines differ, word by word; nothing when they have little in common."""
    a, b = _WORD.findall(old), _WORD.findall(new)
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < ALIKE:
        return (), ()
    ours: list[tuple[int, int]] = []
    theirs: list[tuple[int, int]] = []
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind != "equal":
            ours.append((len("".join(a[:i])), len("".join(a[:j]))))
            theirs.append((len("".join(b[:k])), len("".join(b[:m]))))
    return tuple(s for s in ours if s[0] < s[1]), tuple(s for s in theirs if s[0] < s[1])


def _renamed(gone: Sequence[Block], come: Sequence[Block]) -> dict[str, Block]:
    """Which of the blocks that are new is one that is gone, under another name."""
    likeness = []
    for i, old in enumerate(gone):
        for j, new in enumerate(come):
            lines = old.source.split("\n"), new.source.split("\n")
            ratio = difflib.SequenceMatcher(None, *lines, autojunk=False).ratio()
            if ratio >= ALIKE:
                likeness.append((-ratio, i, j))
    found: dict[str, Block] = {}
    taken: set[int] = set()
    for _, i, j in sorted(likeness):
        if i not in taken and come[j].name not in found:
            taken.add(i)
            found[come[j].name] = gone[i]
    return found


def _moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Names that stand in another order; as few as explain it."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    kept = {name for a, _, n in matcher.get_matching_blocks() for name in before[a : a + n]}
    return set(after) - kept


def _place_of_removed(above: Sequence[Block], changes: Sequence[BlockChange]) -> int:
    """Behind the nearest of the blocks above it that is still there."""
    places = {change.old_name: place for place, change in enumerate(changes) if change.old_name}
    for block in reversed(above):
        if block.name in places:
            return places[block.name] + 1
    return 0


def _place(hunk: Sequence[Line]) -> str:
    def span(numbers: list[int]) -> str:
        return f"{numbers[0]},{len(numbers)}" if numbers else "0,0"

    old = [line.before for line in hunk if line.before is not None]
    new = [line.after for line in hunk if line.after is not None]
    return f"@@ -{span(old)} +{span(new)} @@"
