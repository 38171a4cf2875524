"""Fences around what others wrote, so that a model can tell material from instruction."""

from __future__ import annotations

import re


def material(kind: str, text: str, most: int = 8_000) -> str:
    """Text of the web, of data files or of a program, in a fence that it cannot close.

    ``kind`` says what it is. Of more than ``most`` characters the first are shown.
    """
    shown = text.strip()
    if len(shown) > most:
        shown = f"{shown[:most].rstrip()}\n[{len(shown) - most} more characters are left out]"
    longest = max((len(run) for run in re.findall(r"~+", shown)), default=0)
    fence = "~" * max(6, longest + 1)
    return f"{fence} material: {kind}\n{shown}\n{fence}"


def code(text: str) -> str:
    """Python in a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{text.strip()}\n{fence}"
