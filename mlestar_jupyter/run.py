"""A run: its folder, its journal, and what the journal says has happened so far."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from mlestar_jupyter._version import __version__
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.errors import JournalError
from mlestar_jupyter.events import Event, Kind, Listener
from mlestar_jupyter.grading import Graded, grade
from mlestar_jupyter.journal import Journal, is_locked, read_events
from mlestar_jupyter.settings import NOT_ISOLATED, Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.staging import Staging
from mlestar_jupyter.state import State
from mlestar_jupyter.tables import keep_frame
from mlestar_jupyter.task import Task, write_json
from mlestar_jupyter.validation import Validation, freeze

if TYPE_CHECKING:
    import pandas as pd

#: Folder (beside the notebook or the shell) under which runs are kept.
RUNS = Path("mlestar_runs")


@dataclass(frozen=True)
class Writing:
    """What an agent has written so far of its answer. ``text`` is "" when it is done."""

    role: str
    branch: int
    text: str


class Run:
    """One run folder. Opened to read by anyone, to write by one process at a time."""

    def __init__(
        self, folder: Path, task: Task, validation: Validation, journal: Journal | None
    ) -> None:
        self.folder = folder
        self.task = task
        self.validation = validation
        self.state = State()
        self.events: list[Event] = []
        self.listeners: list[Listener] = []
        self.watchers: list[Callable[[Writing], None]] = []
        self.staging = Staging(task, validation, folder / "folds")
        self._journal = journal
        self.lock = threading.RLock()
        self._graded: dict[tuple[str, int], Graded] = {}
        self._began = time.monotonic()
        self._held: float | None = None  # when the clock was stopped

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.state.settings

    @property
    def elapsed(self) -> float:
        """Seconds at work, over all sessions; while the user has paused the run they stand."""
        if self._journal is None:
            return self.state.elapsed
        now = time.monotonic() if self._held is None else self._held
        return self._base + now - self._began

    def hold_clock(self) -> None:
        """Stop counting time: the run waits for the user."""
        with self.lock:
            if self._held is None:
                self._held = time.monotonic()

    def release_clock(self) -> None:
        """Count time again."""
        with self.lock:
            if self._held is not None:
                self._began += time.monotonic() - self._held
                self._held = None

    @property
    def isolation(self) -> tuple[bool, str]:
        """Whether files and network were closed to all candidates; and in words, the worst case."""
        told = [e.data for e in self.events if "isolated" in e.data]
        worst = min(told, key=lambda data: bool(data["isolated"]), default={})
        return bool(worst.get("isolated")), str(worst.get("isolation", NOT_ISOLATED))

    @property
    def best(self) -> Candidate | None:
        """The best candidate that was accepted so far."""
        return None if self.state.best is None else self.state.candidates[self.state.best]

    @property
    def scored(self) -> list[Candidate]:
        """All candidates with a score, in the order of their ids."""
        return sorted(
            (c for c in list(self.state.candidates.values()) if c.score), key=lambda c: c.id
        )

    @classmethod
    def create(
        cls,
        folder: Path,
        task: Task,
        settings: Settings,
        *,
        began: float | None = None,
        frames: Mapping[str, pd.DataFrame] | None = None,
        files: Mapping[str, str] | None = None,
        isolated: bool = False,
        isolation: str = NOT_ISOLATED,
    ) -> Run:
        """A new run in an empty or new folder; nothing is left behind when it cannot begin.

        ``began`` is the ``time.monotonic()`` at which the user's clock started. ``frames`` are
        DataFrames to keep as ``data/NAME.parquet``, for a task that did not come from files;
        ``files`` are texts to keep by name. ``isolated`` and, in words, ``isolation`` tell whether
        files and the network are closed to candidates.
        """
        folder = folder.expanduser().resolve()
        if (folder / "journal.jsonl").exists():
            raise JournalError(
                f"{folder} holds another run; resume it with `mlestar resume {folder}`, "
                f"or choose another folder"
            )
        if folder.is_dir() and any(folder.iterdir()):
            raise JournalError(f"{folder} is not empty; choose another folder for the run")
        if folder.exists() and not folder.is_dir():
            raise JournalError(f"{folder} is a file; choose a folder for the run")
        validation = freeze(task, settings)
        is_new, ours = not folder.exists(), False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "candidates").mkdir()
            ours = True  # of two that begin at once, the other fails above and clears nothing
            for name, frame in (frames or {}).items():
                (folder / "data").mkdir(exist_ok=True)
                keep_frame(frame, folder / "data" / f"{name}.parquet")
            for name, text in (files or {}).items():
                (folder / name).write_text(text, encoding="utf-8")
            write_json(folder / "task.json", task.to_json())
            validation.save(folder / "folds")
            journal = Journal.create(folder / "journal.jsonl")
        except BaseException as error:
            if ours:
                shutil.rmtree(folder, ignore_errors=True)
                if not is_new:
                    folder.mkdir(exist_ok=True)
            if isinstance(error, OSError):
                raise JournalError(
                    f"cannot write the run folder {folder}: {error.strerror}; choose another folder"
                ) from error
            raise
        run = cls(folder, task, validation, journal)
        run._base = 0.0
        if began is not None:
            run._began = began
        try:
            run.emit(
                "run_started", version=__version__, task=task.name, settings=settings.to_json(),
                metric=task.metric.name, greater_is_better=task.metric.greater_is_better,
                validation=validation.describe(), isolated=isolated, isolation=isolation,
            )  # fmt: skip
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def open(cls, folder: Path, task: Task, *, write: bool = False) -> Run:
        """An existing run, rebuilt from its journal. ``write`` takes the lock, to go on with it."""
        folder = folder.expanduser().resolve()
        path = folder / "journal.jsonl"
        if write:
            journal, events = Journal.open(path)
        else:
            journal, events = None, read_events(path)
        try:
            run = cls(folder, task, Validation.load(folder / "folds"), journal)
            for event in events:
                run.events.append(event)
                run.state.apply(event, run.read_solution)
        except BaseException:
            if journal is not None:
                journal.close()
            raise
        run._base = run.state.elapsed
        if write:
            run.emit("session_started")
        return run

    @property
    def is_busy(self) -> bool:
        """Whether some process is at work on this run now."""
        return is_locked(self.folder / "journal.jsonl")

    def close(self) -> None:
        """Give the lock back; the run can still be read."""
        if self._journal is not None:
            self.state.elapsed = self.elapsed
            self._journal.close()
            self._journal = None

    def emit(self, kind: Kind, **data: Any) -> Event:
        """Write an event to the journal, then take it into account and tell the listeners."""
        with self.lock:
            if self._journal is None:
                raise JournalError(f"{self.folder} is open for reading only; resume the run")
            event = self._journal.append(kind, time.time(), self.elapsed, data)
            self.events.append(event)
            self.state.apply(event, self.read_solution)
            for listener in list(self.listeners):
                listener(event)
            return event

    def change_settings(self, **changes: Any) -> None:
        """Change settings from now on, also for those who resume the run later."""
        changed = self.settings.replace(**changes)
        self.emit("settings_changed", settings=changed.to_json())

    def show(self, writing: Writing) -> None:
        """Tell the watchers what an agent is writing just now; nothing of it is kept."""
        for watcher in list(self.watchers):
            watcher(writing)

    def candidate_folder(self, candidate: str) -> Path:
        """Where a candidate's notebooks and predictions lie."""
        return self.folder / "candidates" / candidate

    def read_solution(self, candidate: str) -> Solution:
        """A candidate's solution, from its notebook."""
        path = self.candidate_folder(candidate) / "solution.ipynb"
        try:
            return Solution.from_notebook(nbformat.read(path, as_version=4))
        except (OSError, ValueError) as error:
            raise JournalError(
                f"{path} is damaged or gone; put it back to read this run"
            ) from error

    def write_solution(self, candidate: str, solution: Solution) -> None:
        """Keep a candidate's solution as a notebook that can be read without us."""
        folder = self.candidate_folder(candidate)
        folder.mkdir(parents=True, exist_ok=True)
        parameters = {**self.staging.parameters, "seed": self.settings.seed}
        nbformat.write(solution.to_notebook(parameters), folder / "solution.ipynb")

    def find(self, key: str) -> Candidate | None:
        """The candidate that was judged with this source; not one that was cut off."""
        candidate = self.state.candidates.get(self.state.proposed.get(key, ""))
        return None if candidate is None or candidate.status == "cancelled" else candidate

    def propose(self, proposal: Proposal) -> str:
        """Give a proposal its id: that which it had, if it was begun and cut off before."""
        with self.lock:
            key = proposal.solution.key
            known = self.state.proposed.get(key)
            if known is not None and self.find(key) is None:
                self.write_solution(known, proposal.solution)
                return known
            number = 1 + max((int(c) for c in self.state.proposed.values()), default=0)
            candidate = f"{number:04d}"
            self.write_solution(candidate, proposal.solution)
            self.emit(
                "candidate_proposed", id=candidate, key=key, stage=proposal.stage,
                title=proposal.solution.title, plan=proposal.plan, parents=list(proposal.parents),
                block=proposal.block, branch=proposal.branch,
            )  # fmt: skip
            return candidate

    def record(self, candidate: Candidate) -> Candidate:
        """Write a judgement to the journal."""
        self.write_solution(candidate.id, candidate.solution)
        data = {
            "id": candidate.id, "stage": candidate.stage, "title": candidate.solution.title,
            "plan": candidate.plan, "parents": list(candidate.parents), "block": candidate.block,
            "branch": candidate.branch, "status": candidate.status,
            "score": None if candidate.score is None else candidate.score.to_json(),
            "seconds": round(candidate.seconds, 3), "slowest": round(candidate.slowest, 3),
            "reason": candidate.reason, "debug_rounds": candidate.debug_rounds,
            "findings": [asdict(finding) for finding in candidate.findings],
        }  # fmt: skip
        write_json(self.candidate_folder(candidate.id) / "outcome.json", data)
        self.emit("candidate_judged", **data)
        return candidate

    def graded(self, candidate: str) -> list[Graded]:
        """A scored candidate's graded folds, read from its predictions and kept in memory."""
        return [self.graded_fold(candidate, fold) for fold in self.validation.purposes]

    def graded_fold(self, candidate: str, fold: int) -> Graded:
        """One fold of a candidate, graded. Raises InvalidPredictions with the reason."""
        graded = self._graded.get((candidate, fold))
        if graded is None:
            path = self.candidate_folder(candidate) / f"fold-{fold}.csv"
            rows = self.validation.held_rows(fold)
            graded = self._graded[candidate, fold] = grade(self.task, rows, path)
        return graded

    def forget_grades(self, candidate: str) -> None:
        """Its predictions are about to be written anew."""
        for fold in self.validation.purposes:
            self._graded.pop((candidate, fold), None)

    _base: float = 0.0
