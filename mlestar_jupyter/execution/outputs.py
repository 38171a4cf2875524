"""What cells say: how much of it is kept, and the score that a notebook prints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from nbformat.v4 import new_output

#: Characters of text, and of displayed data, that are kept of one cell, and of the text's end.
HEAD = 1_000_000
DATA = 20_000_000
TAIL = 20_000

_SCORE = re.compile(
    r"Final Validation Performance\s*:\s*(?:np\.float\d*\()?"
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?!\w|\.\w|,\d)|\S*)",
    re.IGNORECASE,
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")


class OutputLimit:
    """Keeps the beginning and the end of what a cell says.

    A loop that prints for as long as it may would otherwise fill the memory of the user's kernel.
    """

    def __init__(self) -> None:
        self._reset()

    def admits(self, message: Any) -> bool:
        """Whether the message is to be kept as it is; the end of the rest is remembered."""
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                text = content["text"]
                self._text += len(text)
                if self._text <= HEAD:
                    return True
                self._cut += len(text)
                tail = self._tails.get(content["name"], "") + text
                self._tails[content["name"]] = tail[-TAIL:]
                return False
            case "display_data" | "execute_result" | "update_display_data":
                self._data += sum(len(str(value)) for value in content["data"].values())
                return self._data <= DATA
            case "clear_output":
                self._reset()
                return True
            case _:
                return True

    def finish(self) -> list[Any]:
        """The cell has ended: the outputs to add, if something was cut."""
        tails, cut = self._tails, self._cut
        self._reset()
        kept = sum(map(len, tails.values()))
        note = f"\n[... {cut - kept} characters are left out here ...]\n" if cut > kept else ""
        return [
            new_output("stream", name=name, text=(note if not index else "") + tail)
            for index, (name, tail) in enumerate(tails.items())
        ]

    def _reset(self) -> None:
        self._text = self._data = self._cut = 0
        self._tails: dict[str, str] = {}


def printed_score(notebook: Any) -> float | None:
    """The number in the last ``Final Validation Performance: <number>`` that cells printed.

    None when there is no such line, or when the last one has no finite number: an earlier line
    would speak of something else.
    """
    text = "\n".join(_printed(notebook.cells))
    found = list(_SCORE.finditer(text))
    if not found:
        return None
    try:
        value = float(found[-1]["number"])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def plain(text: str) -> str:
    """Text without terminal colours."""
    return _ANSI.sub("", text)


def _printed(cells: Iterable[Any]) -> Iterable[str]:
    for cell in cells:
        outputs = cell.get("outputs", [])
        yield "".join(
            output.text
            for output in outputs
            if output.output_type == "stream" and output.name == "stdout"
        )
