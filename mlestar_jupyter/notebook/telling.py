"""What the user's own notebook is told of a run: candidates and ablation studies, as cells.

Variants of an ablation study are rows of its table, and candidates that were cut off will be
judged again: neither has cells here. ``run.ipynb`` tells more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from mlestar_jupyter.events import Event
from mlestar_jupyter.notebook.cells import candidate_cells, id_of, id_prefix, verdict_words
from mlestar_jupyter.notebook.study import study_cells
from mlestar_jupyter.run import Run

_UNTOLD_STAGES, _UNTOLD_STATUS = ("ablate",), "cancelled"


@dataclass(frozen=True)
class Telling:
    """Cells that belong together: a heading and what is below it.

    ``seq`` is that of the event that brought them. ``replaces`` has, for a cell that an earlier
    telling had, the sources which it had then: where the user has not changed it, it is to be
    replaced.
    """

    seq: int
    cells: list[NotebookNode]
    replaces: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """A telling that can be had: its event, and the id of its heading."""

    seq: int
    heading: str
    candidate: str
    is_study: bool


def told_by(run: Run, event: Event) -> Telling | None:
    """The cells that an event brings or changes; None when it brings none."""
    if event.kind == "ablation_measured":
        return Telling(event.seq, study_cells(run, event))
    if event.kind == "candidate_judged":
        return _candidate(run, event, ()) if _is_told(event.data) else None
    if verdict_words(run, event) is None:
        return None
    # A verdict comes soon after the judgement, so this looks at a few events only.
    verdicts = [event]
    for earlier in reversed(run.events[: event.seq]):
        if earlier.data.get("id") != event.data["id"]:
            continue
        if earlier.kind == "candidate_judged":
            if not _is_told(earlier.data):
                return None
            telling = _candidate(run, earlier, verdicts[::-1])
            return Telling(event.seq, telling.cells[:1], telling.replaces)
        if verdict_words(run, earlier) is not None:
            verdicts.append(earlier)
    return None


def places(name: str, events: Sequence[Event]) -> list[Place]:
    """All tellings of a run so far, told from its journal alone: quick, however long it is.

    ``name`` is that of the run folder.
    """
    prefix = id_prefix(name, events)
    found: dict[str, Place] = {}
    for event in events:
        data = event.data
        if event.kind == "ablation_measured":
            heading = id_of(prefix, f"e{event.seq}")
            found[heading] = Place(event.seq, heading, data["candidate"], True)
        elif event.kind == "candidate_judged" and _is_told(data):
            heading = id_of(prefix, data["id"])
            found[heading] = Place(event.seq, heading, data["id"], False)
    return sorted(found.values(), key=lambda place: place.seq)


def tellings(run: Run, headings: Collection[str]) -> Iterator[Telling]:
    """The tellings with these headings, in order, each with the last word on its candidate."""
    events = list(run.events)
    verdicts: dict[str, list[Event]] = {}
    judged: dict[str, Event] = {}
    for event in events:
        if event.kind == "candidate_judged":
            judged[event.data["id"]] = event
            verdicts[event.data["id"]] = []
        elif event.kind in ("incumbent_changed", "plan_lost", "undone"):
            verdicts.setdefault(event.data["id"], []).append(event)
    by_seq = {event.seq: event for event in events}
    for place in places(run.folder.name, events):
        if place.heading not in headings:
            continue
        if place.is_study:
            yield Telling(place.seq, study_cells(run, by_seq[place.seq]))
        else:
            event = judged[place.candidate]
            yield _candidate(run, event, verdicts[place.candidate])


def _candidate(run: Run, event: Event, verdicts: Sequence[Event]) -> Telling:
    candidate = run.state.candidates[event.data["id"]]
    parent = run.state.candidates.get(candidate.parents[0]) if candidate.parents else None
    cells = candidate_cells(run, candidate, parent)
    heading = cells[0]
    before = []
    for verdict in verdicts:
        before.append(heading.source)
        heading.source += f"\n\n{verdict_words(run, verdict)}"
    return Telling(event.seq, cells, {heading.id: before} if before else {})


def _is_told(judged: Mapping[str, Any]) -> bool:
    return judged["stage"] not in _UNTOLD_STAGES and judged["status"] != _UNTOLD_STATUS
