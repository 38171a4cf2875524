"""What the magics show: one output that updates in place, and views that are also plain text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from IPython.display import DisplayHandle, display

from mlestar_jupyter import report
from mlestar_jupyter.events import Event
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds

#: How many of the last candidates the live display lists.
LAST = 5
_STYLE = "font-family:var(--jp-code-font-family,monospace);font-size:90%;line-height:1.45"


class View:
    """Something to look at: HTML where the front end has it, else the same as text."""

    def __init__(self, text: str, markup: str | None = None) -> None:
        self.text = text
        self.markup = markup or f'<pre style="{_STYLE}">{html.escape(text)}</pre>'

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.markup}


class Live:
    """The live display of a run. Updated only in the thread that owns the cell."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._recent: list[str] = []
        self._handle: DisplayHandle | None = None
        self._shown = ""

    def listen(self, event: Event) -> None:
        """Remember the last lines; called from any thread."""
        line = report.event_line(self.run, event)
        if line is not None:
            self._recent = [*self._recent[-LAST:], line]

    def refresh(self) -> None:
        """Show the present state, if it changed."""
        text = self._text()
        if text == self._shown:
            return
        self._shown = text
        view = View(text)
        if self._handle is None:
            self._handle = display(view, display_id=True)
        else:
            self._handle.update(view)

    def _text(self) -> str:
        run = self.run
        total = run.settings.seconds
        share = min(1.0, run.elapsed / total)
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        best = run.best
        score = "no score yet" if best is None else f"best {run.task.metric.name} {best.score}"
        counted = f"{len(run.scored)} scored"
        times = f"{format_seconds(run.elapsed)} of {format_seconds(total)}"
        return "\n".join([f"{bar}  {times}   {counted}   {score}", *self._recent])


def pairs_view(rows: Sequence[tuple[str, str]]) -> View:
    """Pairs of words and values."""
    body = "".join(
        f'<tr><th style="text-align:left">{html.escape(word)}</th>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for word, value in rows
    )
    return View(report.pairs(rows, 100), f"<table>{body}</table>")


def run_view(run: Run) -> View:
    """Where a run stands, its best candidates, and where the results lie."""
    parts = [report.status(run), report.score_table(run), report.delivered(run)]
    return View("\n\n".join(part for part in parts if part))
