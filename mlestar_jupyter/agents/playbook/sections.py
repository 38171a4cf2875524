"""A features block in sections: ``# -- name: what it adds`` may be left out, ``# ==`` may not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_HEADING = re.compile(r"^# (--|==) (?P<name>[^:\n]+): (?P<words>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A part of a block under its heading; ``optional`` when it may be left out."""

    name: str
    words: str
    source: str
    optional: bool


def split(source: str) -> tuple[str, list[Section]]:
    """What stands above the first heading, and the sections in order."""
    headings = list(_HEADING.finditer(source))
    if not headings:
        return source, []
    ends = [h.start() for h in headings[1:]] + [len(source)]
    sections = [
        Section(h["name"], h["words"], source[h.start() : end].strip("\n"), h[1] == "--")
        for h, end in zip(headings, ends, strict=True)
    ]
    return source[: headings[0].start()].rstrip("\n"), sections


def unite(start: str, sections: Iterable[Section]) -> str:
    """The inverse of ``split``."""
    return "\n\n".join(part for part in (start, *(s.source for s in sections)) if part)


def without(source: str, name: str) -> str:
    """The block without the section ``name``."""
    start, sections = split(source)
    return unite(start, [s for s in sections if s.name != name])


def names(source: str) -> list[str]:
    """The names of the sections, in order."""
    return [section.name for section in split(source)[1]]


def optional(source: str) -> list[Section]:
    """The sections that may be left out."""
    return [section for section in split(source)[1] if section.optional]


def add(source: str, section: str, order: list[str]) -> str:
    """The block with one more section, where ``order`` puts it; a section of its name goes."""
    start, sections = split(source)
    (new,) = split(section)[1]
    kept = [s for s in sections if s.name != new.name]
    place = order.index(new.name) if new.name in order else len(order)
    later = [
        number
        for number, s in enumerate(kept)
        if (order.index(s.name) if s.name in order else len(order)) > place
    ]
    kept.insert(later[0] if later else len(kept), new)
    return unite(start, kept)
