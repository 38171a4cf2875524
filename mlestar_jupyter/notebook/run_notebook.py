"""run.ipynb: the story of a run, written as it goes. It can be opened at any time."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from nbformat import NotebookNode

from mlestar_jupyter.events import Event
from mlestar_jupyter.notebook.cells import (
    candidate_cells,
    cards_words,
    in_branch,
    score_words,
    text_cell,
    verdict_words,
)
from mlestar_jupyter.notebook.markdown import code, escape, quote, signed, table
from mlestar_jupyter.notebook.study import study_cells
from mlestar_jupyter.notebook.writing import write_whole
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.solution import notebook_metadata
from mlestar_jupyter.spending import change_words

__all__ = ["RunNotebook", "candidate_cells"]

#: Seconds between two writings while events stream in.
EVERY = 2.0
_STAGES = {
    "initialize": "Initial solutions",
    "merge": "Merging",
    "check": "Use of the data",
    "refine": "Refinement",
    "ensemble": "Ensemble",
    "finalize": "The final fit",
}


class RunNotebook:
    """A listener that keeps ``run.ipynb`` in the run folder up to date.

    An event changes a cell or adds some, and only those are made anew; the file is put together
    from cells that are JSON already. What cannot be shown or written never disturbs the run.
    """

    def __init__(self, run: Run, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self.path = run.folder / "run.ipynb"
        self._clock = clock
        self._lock = threading.RLock()
        self._cells: dict[str, str] = {}  # id of a cell -> the cell as JSON, in order
        self._candidates: dict[str, list[NotebookNode]] = {}
        self._stage = ""
        self._taken = 0  # how many of the run's events were looked at
        self._last = -1  # the highest seq that was told
        self._written: float | None = None
        self._is_written = False  # whether the file says what the cells say

    def __call__(self, event: Event) -> None:
        """Take an event (and those before it) into the story."""
        with self._lock:
            self._catch_up()
            if event.seq > self._last:
                self._tell(event)
            is_time = self._written is None or self._clock() - self._written >= EVERY
            if is_time and not self._is_written:
                self._write()

    def flush(self) -> None:
        """Write now, whatever was written when."""
        with self._lock:
            self._catch_up()
            self._write()

    def _catch_up(self) -> None:
        """Tell what is in the journal and was not told: all of it when a run is opened again."""
        while self._taken < len(self.run.events):
            self._tell(self.run.events[self._taken])
            self._taken += 1

    def _write(self) -> None:
        metadata = {**notebook_metadata(), "mlestar": {"run": self.run.folder.name, "story": True}}
        cells = ",\n".join(self._cells.values())
        text = (
            f'{{\n"cells": [\n{cells}\n],\n"metadata": {json.dumps(metadata)},\n'
            '"nbformat": 4,\n"nbformat_minor": 5\n}\n'
        )
        self._written = self._clock()
        # A full disk must not end a run: the last whole file stays, the next event tries again.
        with contextlib.suppress(OSError):
            write_whole(self.path, text)
            self._is_written = True

    def _put(self, *cells: NotebookNode) -> None:
        for cell in cells:
            self._cells[cell.id] = json.dumps(cell, ensure_ascii=False, indent=1)
            self._is_written = False

    def _say(self, text: str, *parts: str, **metadata: Any) -> None:
        self._put(text_cell(self.run, text, *parts, **metadata))

    def _tell(self, event: Event) -> None:
        self._last = max(self._last, event.seq)
        # Data of another version, or half of it: the story goes on without this event.
        with contextlib.suppress(Exception):
            if not self._cells:
                self._begin()
            self._tell_known(event, event.data, f"e{event.seq}")

    def _begin(self) -> None:
        task = self.run.task
        pairs = [*task.describe(), ("validation", self.run.validation.describe())]
        understood = table(["what was understood", ""], [[k, escape(v, 500)] for k, v in pairs])
        heading = f"# {escape(task.name)}: the story of run {escape(self.run.folder.name)}"
        self._say(f"{heading}\n\n{understood}", "begin")

    def _tell_known(self, event: Event, data: Mapping[str, Any], key: str) -> None:
        match event.kind:
            case "session_started":
                self._say(f"*Resumed after {format_seconds(event.elapsed)} of work.*", key)
            case "stage_started":
                self._stage_started(data, key)
            case "cards_retrieved":
                self._say(f"### Models that were found\n\n{cards_words(data['cards'])}", key)
            case "candidate_judged":
                self._candidate_judged(data["id"])
            case "incumbent_changed" | "plan_lost" | "undone":
                self._verdict(data["id"], verdict_words(self.run, event) or "", key)
            case "ablation_measured":
                self._put(*study_cells(self.run, event))
            case "target_chosen":
                heading = f"### Target block {code(data['block'])}{in_branch(self.run, data)}"
                reason = escape(data.get("reason", ""))
                self._say(f"{heading}\n\n{reason}\n\n{quote(data['plan'])}", key)
            case "submission_written":
                self._submission_written(data, key)
            case "finished_notebook_written":
                words = f"**{escape(data['verdict'])}**: {escape(data['detail'])}"
                self._say(f"### [Finished notebook](finished.ipynb)\n\n{words}", key)
            case "unsealed":
                words = f"{data['id']} on {data['rows']:,} rows: {format_number(data['value'])}"
                optimism = f"validation had looked better by {signed(data['optimism'])}"
                self._say(f"### Sealed rows\n\n{words}; {optimism}", key)
            case "note":
                self._say(f"*{escape(data['text'], 500)}*", key)
            case "agents_changed":
                self._say(f"*Agents: {escape(change_words(data), 500)}*", key)
            case "run_finished":
                took = format_seconds(event.elapsed)
                self._say(f"## End: {escape(data['reason'])}, after {took}", key)
            case _:
                pass

    def _stage_started(self, data: Mapping[str, Any], key: str) -> None:
        # Branches go through the same stages side by side: one heading serves them all.
        if data["stage"] != self._stage:
            self._stage = data["stage"]
            self._say(f"## {_STAGES.get(self._stage, escape(self._stage))}", key)

    def _candidate_judged(self, candidate_id: str) -> None:
        candidate = self.run.state.candidates[candidate_id]
        parent = self.run.state.candidates.get(candidate.parents[0]) if candidate.parents else None
        for cell in self._candidates.get(candidate_id, []):
            self._cells.pop(cell.id, None)  # cut off in an earlier session, and judged again
        cells = candidate_cells(self.run, candidate, parent)
        self._candidates[candidate_id] = cells
        self._put(*cells)

    def _verdict(self, candidate_id: str, words: str, key: str) -> None:
        """Put a verdict below the heading of its candidate, where a reader looks for it."""
        cells = self._candidates.get(candidate_id)
        if not cells:
            self._say(f"{candidate_id} {words}", key)
            return
        cells[0].source += f"\n\n{words}"
        self._put(cells[0])

    def _submission_written(self, data: Mapping[str, Any], key: str) -> None:
        candidate = self.run.state.candidates[data["id"]]
        where = (
            f"[{escape(data['path'])}]({data['path']})" if data["path"] else "no test to predict"
        )
        words = f"{candidate.id}, {score_words(self.run, candidate)}, fitted on all rows: {where}"
        self._say(f"### Submission\n\n{words} ({format_seconds(data['seconds'])})", key)
