"""What a front end may ask for besides commands: runs, snapshots, cells, candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.checks.data_usage import find_unused
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.journal import is_locked, read_events
from mlestar_jupyter.jupyter import casts, messages
from mlestar_jupyter.jupyter.completion import columns_of
from mlestar_jupyter.jupyter.namespace import frame_names, function_names
from mlestar_jupyter.notebook.cells import executed_cells, id_prefix
from mlestar_jupyter.notebook.telling import tellings
from mlestar_jupyter.reading import calls
from mlestar_jupyter.reading import pages as found_pages
from mlestar_jupyter.run import RUNS, Run
from mlestar_jupyter.session import open_run

#: Cells of so many candidates may be asked for at once: each may carry pictures.
AT_ONCE = 50


class AttachedRun(Protocol):
    """A run at work, or that was, in this kernel."""

    name: str
    run: Run
    anchor: str | None


class Requests:
    """Answers to requests, from the runs of this kernel and those on disk."""

    def __init__(
        self,
        attached: Callable[[], list[Any]],
        command: Callable[[Path | None, Any, Any], Any],
        namespace: Callable[[], Mapping[str, Any]],
        defaults: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._attached = attached
        self._command = command
        self._namespace = namespace  # DataFrames, and metrics of the user's own
        self._defaults = defaults

    def answer(self, data: Mapping[str, Any]) -> Any:
        """The result of a request; MlestarError says what is wrong with it."""
        match data.get("type"):
            case "runs":
                return self.runs()
            case "snapshot":
                return self._snapshot(data.get("run"))
            case "cells":
                return self._cells(data.get("run"), data.get("headings"))
            case "candidate":
                return self._candidate(data.get("run"), data.get("candidate"))
            case "form":
                return self._form(data.get("data"), data.get("train"))
            case "command":
                folder = self._folder(data.get("run"), is_needed=False)
                return self._command(folder, data.get("verb"), data.get("arguments") or {})
            case other:
                known = ", ".join(messages.REQUESTS)
                raise MlestarError(f"unknown request {other!r}; known are: {known}")

    def runs(self) -> messages.Message:
        """The runs of this kernel, the last one first, then those on disk below it."""
        found: dict[Path, dict[str, Any]] = {}
        for entry in reversed(self._attached()):
            found[entry.run.folder] = _item(entry.name, entry.run.folder, entry.run)
        journals = sorted(RUNS.absolute().glob("*/journal.jsonl"), key=_changed, reverse=True)
        for path in journals:
            name = (RUNS / path.parent.name).as_posix()
            found.setdefault(path.parent, _item(name, path.parent, None))
        return messages.runs(found.values())

    def _snapshot(self, name: Any) -> messages.Message:
        entry = self._entry(name)
        if entry is not None:
            run = entry.run
            return messages.snapshot(
                entry.name, run.folder, list(run.events), is_at_work=is_at_work(run),
                elapsed=run.elapsed, anchor=entry.anchor,
            )  # fmt: skip
        folder = self._folder(name)
        journal = folder / "journal.jsonl"
        return messages.snapshot(name, folder, read_events(journal), is_at_work=is_locked(journal))

    def _cells(self, name: Any, headings: Any) -> list[messages.Message]:
        if not isinstance(headings, list) or not all(isinstance(h, str) for h in headings):
            raise MlestarError("cells: give headings, a list of the ids in a snapshot's tellings")
        if len(headings) > AT_ONCE:
            raise MlestarError(f"cells: ask for at most {AT_ONCE} headings at once")
        run, shown, anchor = self._run(name)
        prefix = id_prefix(run.folder.name, run.events)
        return [messages.cells(shown, prefix, anchor, t) for t in tellings(run, set(headings))]

    def _candidate(self, name: Any, candidate: Any) -> messages.Message:
        run, shown, _ = self._run(name)
        found = run.state.candidates.get(candidate) if isinstance(candidate, str) else None
        if found is None:
            raise MlestarError(f"no candidate {candidate!r} in {shown}")
        parent = run.state.candidates.get(found.parents[0]) if found.parents else None
        cells = executed_cells(run, found)
        outputs = {block: cell.outputs for block, cell in cells.items()}
        spent, pages = calls(run).of(found.id), found_pages(run, found.id)
        checks = _checks(run, found)
        return messages.candidate(shown, found, parent, outputs, checks, spent, pages)

    def _form(self, data: Any, train: Any) -> messages.Message:
        namespace = self._namespace()
        words = ["--train", str(train)] if train else ["--data", str(data)] if data else []
        frames = []
        for name in frame_names(namespace):
            value = namespace[name]
            # A LazyFrame has no length, and asking for one would compute it.
            rows = len(value) if hasattr(value, "__len__") else None
            frames.append(
                {"name": name, "rows": rows, "columns": columns_of(["--train", name], namespace)}
            )
        return messages.form(
            frames, columns_of(words, namespace), function_names(namespace), casts.choices(),
            self._defaults(),
        )  # fmt: skip

    def _entry(self, name: Any) -> AttachedRun | None:
        """The run of this kernel that is meant: the last one if none is named."""
        attached: list[AttachedRun] = self._attached()
        if name is None:
            return attached[-1] if attached else None
        return next((entry for entry in attached if entry.name == name), None)

    def _run(self, name: Any) -> tuple[Run, str, str | None]:
        entry = self._entry(name)
        if entry is not None:
            return entry.run, entry.name, entry.anchor
        return open_run(self._folder(name), functions=self._namespace()), str(name), None

    def _folder(self, name: Any, *, is_needed: bool = True) -> Any:
        entry = self._entry(name)
        if entry is not None:
            return entry.run.folder
        if name is None:
            if is_needed:
                raise MlestarError("no run in this kernel yet: start one with %%mlestar")
            return None
        folder = Path(str(name)).expanduser().absolute()
        if not (folder / "journal.jsonl").is_file():
            raise MlestarError(f"no run {name}; ask for runs to see which there are")
        return folder


def is_at_work(run: Run) -> bool:
    """Whether some process is at work on a run of this kernel."""
    # To ask for the lock is to take it for a moment: not while the run is being opened again.
    return not run.state.ended and run.is_busy


def _checks(run: Run, found: Candidate) -> dict[str, Any] | None:
    """What the checks see in a candidate's source; None when they cannot read it."""
    try:
        leaks = find_leaks(found.solution, run.task)
        usage = find_unused(found.solution, run.task)
    except Exception:  # the user asks to see a candidate: what is known of it is shown all the same
        return None
    return {"leakage": [asdict(leak) for leak in leaks], **asdict(usage)}


def _item(name: str, folder: Path, run: Run | None) -> dict[str, Any]:
    journal = folder / "journal.jsonl"
    return {
        "run": name,
        "name": folder.name,
        "folder": str(folder),
        "attached": run is not None,
        "at_work": is_locked(journal) if run is None else is_at_work(run),
        "changed": round(_changed(journal), 3),
    }


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
