"""The runs under a folder, read from their journals alone: their data may be gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlestar_jupyter.errors import JournalError
from mlestar_jupyter.events import Event
from mlestar_jupyter.journal import is_locked, read_events
from mlestar_jupyter.score import Score


@dataclass(frozen=True)
class RunEntry:
    """One run folder. ``began`` and ``last`` are local times; None when its journal is damaged.

    ``state`` is "at work", "waiting for you", "paused", "cut off", the reason of its end
    ("finished", "stopped", ...), or "damaged".
    """

    folder: Path
    state: str
    task: str = ""
    metric: str = ""
    best: str | None = None
    score: Score | None = None
    candidates: int = 0
    seconds: float = 0.0
    began: datetime | None = None
    last: datetime | None = None

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name


def runs(folder: Path) -> list[RunEntry]:
    """The runs in the folders of ``folder`` (and itself, if it is one), the latest first."""
    folder = folder.expanduser().absolute()
    places = [folder] if folder.is_dir() else []
    places += sorted(path for path in folder.glob("*") if path.is_dir())
    found = [_entry(place) for place in places if (place / "journal.jsonl").is_file()]
    return sorted(found, key=lambda run: run.last.timestamp() if run.last else 0.0, reverse=True)


def _entry(folder: Path) -> RunEntry:
    path = folder / "journal.jsonl"
    try:
        events = read_events(path)
        started = next(event for event in events if event.kind == "run_started")
    except (JournalError, OSError, StopIteration):
        return RunEntry(folder, "damaged")
    scores: dict[str, Score] = {}
    judged: set[str] = set()
    best: str | None = None
    for event in events:
        if event.kind == "candidate_judged":
            judged.add(event.data["id"])
            if event.data["score"] is not None:
                scores[event.data["id"]] = Score.from_json(event.data["score"])
        elif event.kind == "incumbent_changed" and event.data["best"]:
            best = event.data["id"]
        elif event.kind == "undone":
            best = event.data["to"] or best
    return RunEntry(
        folder=folder,
        state=_state(events, is_busy=is_locked(path)),
        task=str(started.data["task"]),
        metric=str(started.data["metric"]),
        best=best,
        score=scores.get(best or ""),
        candidates=len(judged),
        seconds=events[-1].elapsed,
        began=_local(started),
        last=_local(events[-1]),
    )


def _state(events: Sequence[Event], *, is_busy: bool) -> str:
    state, ended = "at work", ""
    for event in events:
        match event.kind:
            case "session_started":
                state, ended = "at work", ""
            case "paused":
                state = "paused"
            case "step_waiting":
                state = "waiting for you"
            case "resumed" | "step_begun":
                state = "at work"
            case "run_finished":
                ended = str(event.data["reason"])
            case _:
                pass
    if is_busy:
        return state
    return ended or "cut off"


def _local(event: Event) -> datetime:
    return datetime.fromtimestamp(event.at).astimezone()
