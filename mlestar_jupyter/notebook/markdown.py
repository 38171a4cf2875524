"""Markdown for notebook cells: tables, quotes and signed numbers, safe for any text in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*|<\[\]]|(?<!\w)_|_(?!\w))")
_RIGHT = ">"


def one_line(text: object, most: int = 300) -> str:
    """The text without line breaks, cut off with an ellipsis after ``most`` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def escape(text: object, most: int = 300) -> str:
    """One line that Markdown shows as it is: no formula, no markup, no new table column."""
    # A backslash alone is not enough for a dollar: JupyterLab looks for formulas in the result.
    return _SPECIAL.sub(r"\\\1", one_line(text, most)).replace("$", r"<span>\$</span>")


def code(text: object) -> str:
    """A name in code letters, fit for a table."""
    line = one_line(text).replace("`", "'").replace("|", "¦")
    return f"`{line}`" if line else ""


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A header that begins with ``>`` aligns its column to the right.

    Cells are Markdown already: use ``escape`` for text of others.
    """
    rules = ["---:" if header.startswith(_RIGHT) else ":---" for header in headers]
    lines = [[header.removeprefix(_RIGHT) for header in headers], rules, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def quote(text: str) -> str:
    """A paragraph of somebody's words, as a block quote."""
    return "\n".join(f"> {escape(line, 2_000)}" for line in text.strip().splitlines())


def link(address: str, title: str = "") -> str:
    """A link when it is a web address, else the words alone."""
    if re.fullmatch(r"https?://[^\s<>()|]+", address):
        host = re.sub(r"^https?://(www\.)?", "", address).rstrip("/")
        return f"[{escape(title or host, 100 if title else 60)}]({address})"
    return f"{escape(title)} ({escape(address)})" if title else escape(address)


def without_headings(text: str) -> str:
    """Somebody's Markdown with its headings in bold: they must not cut our sections."""
    return re.sub(r"^#{1,6}\s+(.+?)\s*#*$", r"**\1**\n", text.strip(), flags=re.MULTILINE)


def signed(number: float | None) -> str:
    """A gain with its sign; a dash when there is none."""
    if number is None:
        return "–"
    return "±0" if number == 0 else f"{number:+.4g}".replace("-", "−")
