"""The messages between a kernel and a front end, as plain JSON. ``docs/protocol.md`` says all.

Pure functions: what happened goes in, a message comes out. ``channel.py`` carries them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlestar_jupyter._version import __version__
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.events import Event
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.notebook.cells import id_prefix
from mlestar_jupyter.notebook.telling import Telling, places
from mlestar_jupyter.run import Writing
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.spending import Spending
from mlestar_jupyter.state import State

#: Raised when a front end that knows only the former version would go wrong.
PROTOCOL = 1
#: What the front end may ask for over ``mlestar.control``.
REQUESTS = ("hello", "snapshot", "cells", "candidate", "runs", "form", "command")
#: So much of the end of what an agent writes is sent.
WRITTEN = 2000

Message = dict[str, Any]


def hello(kernel: Mapping[str, Any], verbs: Iterable[str]) -> Message:
    """Who speaks: the protocol, the package, the kernel, and the verbs that a command may have."""
    return {
        "type": "hello", "protocol": PROTOCOL, "version": __version__,
        "kernel": plain(kernel), "verbs": sorted(verbs),
    }  # fmt: skip


def event(run: str, happened: Event) -> Message:
    """One record of the journal, as it happened."""
    return {"type": "event", "run": run, "seq": happened.seq, "event": record(happened)}


def record(happened: Event) -> dict[str, Any]:
    """An event as the journal has it, but for tracebacks: they are long, and in the notebooks."""
    data: dict[str, Any] = plain(happened.to_json())
    failure = data.get("failure")
    if isinstance(failure, dict):
        data["failure"] = {k: v for k, v in failure.items() if k != "traceback"}
    return data


def cells(run: str, prefix: str, anchor: str | None, told: Telling) -> Message:
    """Cells to insert into the notebook, or to renew where the user left them as they were."""
    return {
        "type": "cells", "run": run, "seq": told.seq, "prefix": prefix, "anchor": anchor,
        "cells": [_cell(cell, told.seq) for cell in told.cells], "replaces": plain(told.replaces),
    }  # fmt: skip


def status(run: str, state: State, seq: int, *, elapsed: float, is_at_work: bool) -> Message:
    """Where a run stands, in a few fields."""
    best = None if state.best is None else state.candidates.get(state.best)
    return {
        "type": "status", "run": run, "seq": seq,
        "state": _standing(state, is_at_work), "reason": state.ended,
        "stage": state.stage,
        "elapsed": round(elapsed, 3), "limit": state.settings.seconds,
        "best": None if best is None else _summary(best),
        "counts": _counts(state),
        "pinned": state.pinned, "waiting": plain(state.waiting),
        "agents": state.agents,
        "spent": _spent(state),
    }  # fmt: skip


def writing(run: str, written: Writing) -> Message:
    """What an agent has written so far of its answer; "" when it is done."""
    return {
        "type": "writing", "run": run, "role": written.role, "branch": written.branch,
        "text": written.text[-WRITTEN:],
    }  # fmt: skip


def snapshot(
    run: str,
    folder: Path,
    events: Sequence[Event],
    *,
    is_at_work: bool,
    elapsed: float | None = None,
    anchor: str | None = None,
) -> Message:
    """A whole run: its journal, where it stands, and which cells can be had."""
    state = read_state(events)
    seconds = state.elapsed if elapsed is None else elapsed
    last = events[-1].seq if events else -1
    return {
        "type": "snapshot", "run": run, "seq": last, "name": folder.name, "folder": str(folder),
        "prefix": id_prefix(folder.name, events), "anchor": anchor,
        "status": status(run, state, last, elapsed=seconds, is_at_work=is_at_work),
        "events": [record(happened) for happened in events],
        "tellings": [
            {"seq": p.seq, "heading": p.heading, "candidate": p.candidate, "study": p.is_study}
            for p in places(folder.name, events)
        ],
    }  # fmt: skip


def candidate(
    run: str,
    found: Candidate,
    parent: Candidate | None,
    outputs: Mapping[str, Sequence[Any]],
    checks: Mapping[str, Any] | None,
    spent: Spending | None = None,
    pages: Iterable[tuple[str, str]] = (),
) -> Message:
    """A candidate's blocks beside those of its parent, for a comparison cell by cell.

    ``outputs`` are those of its blocks by name, ``checks`` what the checks see in its source,
    ``spent`` what language models have cost for it, ``pages`` those of the web behind it.
    """
    before = {} if parent is None else {b.name: b.source for b in parent.solution.blocks}
    names = set(found.solution.names)
    return {
        "type": "candidate", "run": run, **_summary(found),
        "parent": None if parent is None else parent.id,
        "blocks": [
            {
                "name": b.name, "source": b.source, "before": before.get(b.name),
                "outputs": plain(outputs.get(b.name, [])),
            }
            for b in found.solution.blocks
        ],
        "gone": [{"name": n, "before": source} for n, source in before.items() if n not in names],
        "checks": plain(checks),
        "spent": None if spent is None else plain(spent.to_json()),
        "pages": [{"url": url, "title": title} for url, title in pages],
    }  # fmt: skip


def runs(items: Iterable[Mapping[str, Any]]) -> Message:
    """The runs that can be asked for."""
    return {"type": "runs", "runs": [plain(item) for item in items]}


def form(
    frames: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    functions: Sequence[str],
    agents: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
) -> Message:
    """What the form of a new task may offer."""
    return {
        "type": "form", "frames": plain(frames), "columns": plain(columns),
        "metrics": [
            {"name": metric.name, "greater_is_better": metric.greater_is_better}
            for metric in METRICS.values()
        ],
        "functions": plain(functions), "agents": plain(agents), "defaults": plain(defaults),
    }  # fmt: skip


def reply(request: Any, result: Any = None) -> Message:
    """The answer to a request that was done. ``result`` is plain: that of a long run is large."""
    return {"type": "reply", "id": plain(request), "ok": True, "result": result}


def refusal(request: Any, error: BaseException | str) -> Message:
    """The answer to a request that could not be done, in one line."""
    words = str(error) or type(error).__name__
    if isinstance(error, BaseException) and not isinstance(error, MlestarError):
        words = f"{type(error).__name__}: {error}"
    line = " ".join(words.split())
    return {"type": "reply", "id": plain(request), "ok": False, "error": line[:500]}


def version_mismatch(protocol: Any) -> str | None:
    """What to tell a front end that speaks another version; None when all is well."""
    if protocol == PROTOCOL:
        return None
    is_newer = isinstance(protocol, int) and protocol > PROTOCOL
    older = "the package in this kernel" if is_newer else "the JupyterLab extension"
    return (
        f"the front end speaks protocol {protocol}, mlestar-jupyter {__version__} in this kernel "
        f"speaks {PROTOCOL}; bring {older} up to date (pip install -U mlestar-jupyter), then "
        + ("restart the kernel" if is_newer else "restart JupyterLab and reload the page")
    )


def read_state(events: Iterable[Event]) -> State:
    """The state that events add up to, without reading a single notebook."""
    state = State()
    unread = Solution((Block("unread", ""),))
    for happened in events:
        state.apply(happened, lambda _: unread)
    return state


def plain(value: Any) -> Any:
    """The value as JSON can have it. What is no number becomes null, what is unknown its text."""
    # What a journal gave is plain but for numbers that are none; a long one has a million values.
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {k if type(k) is str else str(k): plain(v) for k, v in value.items()}
    if kind is list:
        return [plain(v) for v in value]
    return _made_plain(value)


def _made_plain(value: Any) -> Any:
    """What is of no type that JSON knows."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, int | float):
        try:
            value = value.item()
        except (TypeError, ValueError):
            return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str(value)


def _cell(cell: Mapping[str, Any], seq: int) -> dict[str, Any]:
    made: dict[str, Any] = plain(cell)
    made["metadata"]["mlestar"]["seq"] = seq
    if made["cell_type"] == "code":
        # They come from the user's own kernel; without this a front end hides HTML outputs.
        made["metadata"]["trusted"] = True
    return made


def _standing(state: State, is_at_work: bool) -> str:
    if state.ended:
        return "finished" if state.ended == "finished" else "stopped"
    if not is_at_work:
        return "cut off"
    if state.waiting:
        return "waiting"
    return "paused" if state.paused else "working"


def _spent(state: State) -> dict[str, Any] | None:
    """What language models have cost; null while none was asked."""
    if state.spending.is_none:
        return None
    return {**state.spending.to_json(), "limit": state.settings.cost}


def _summary(found: Candidate) -> dict[str, Any]:
    return {
        "id": found.id, "stage": found.stage, "status": found.status,
        "score": None if found.score is None else plain(found.score.to_json()),
    }  # fmt: skip


def _counts(state: State) -> dict[str, int]:
    known = [c for c in state.candidates.values() if c.stage != "ablate"]
    return {
        "candidates": len(known),
        "scored": sum(1 for c in known if c.is_scored),
        "ablations": len(state.candidates) - len(known),
        # What was cut off when a run ended is not under way any more.
        "under_way": 0
        if state.ended
        else len(set(state.proposed.values()) - set(state.candidates)),
    }
