"""The view of the runs in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlestar_jupyter import report
from mlestar_jupyter.jupyter.views import frames, words
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.reading import RunEntry, runs
from mlestar_jupyter.settings import format_seconds

if TYPE_CHECKING:
    import pandas as pd


class RunsView(View):
    """The runs of a folder, the latest first. ``runs`` is a DataFrame; iterate for the entries."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder.expanduser().absolute()
        self.entries: list[RunEntry] = runs(self.folder)

    @property
    def runs(self) -> pd.DataFrame:
        """The runs as a DataFrame."""
        return frames.runs_frame(self.entries)

    def __iter__(self) -> Iterator[RunEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> RunEntry:
        return self.entries[number]

    @property
    def text(self) -> str:
        """The view as plain text."""
        if not self.entries:
            return f"no runs in {self.folder}"
        heads = ["run", "state", "task", "metric", "best", "candidates", "time", "when"]
        rows = [
            [
                e.name, e.state, e.task, e.metric, "" if e.score is None else str(e.score),
                str(e.candidates), format_seconds(e.seconds), _when(e),
            ]
            for e in self.entries
        ]  # fmt: skip
        return f"{self.folder}\n\n{report.table(heads, rows)}"

    @property
    def markup(self) -> str:
        """The view as HTML."""
        if not self.entries:
            return m.frame(m.line(f"no runs in {m.mono(self.folder)}"))
        heads = ["run", "state", "task", ">best", ">candidates", ">time", "when"]
        rows = []
        for e in self.entries:
            name = words.link(e.folder / "run.ipynb", e.name) or m.esc(e.name)
            score = "" if e.score is None else m.esc(f"{e.metric} {e.score}")
            rows.append(
                [
                    name, words.state_pill(e.state), m.esc(e.task), score,
                    str(e.candidates), format_seconds(e.seconds), m.esc(_when(e)),
                ]
            )  # fmt: skip
        return m.frame(m.line(m.muted(m.mono(self.folder))), m.table(heads, rows))


def _when(entry: RunEntry) -> str:
    return "" if entry.last is None else entry.last.strftime("%Y-%m-%d %H:%M")
