"""A session puts the parts together for every surface: run, cast, executor, notebooks, delivery."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from mlestar_jupyter.algorithm import ablation, pipeline
from mlestar_jupyter.algorithm.budget import Budget, Stopped
from mlestar_jupyter.algorithm.ensemble import ensemble
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.finalize import Final, final_solution, finalize, unseal
from mlestar_jupyter.algorithm.refine import refine
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import BudgetError, MlestarError, SettingsError
from mlestar_jupyter.events import Listener
from mlestar_jupyter.inference import from_folder, from_frames, from_table, reopen
from mlestar_jupyter.interfaces import Agents, Executor, Limits
from mlestar_jupyter.run import RUNS, Run
from mlestar_jupyter.settings import Settings, parse_seconds
from mlestar_jupyter.task import Overrides, Task

if TYPE_CHECKING:
    import pandas as pd

#: Reproducing may differ by so much, relatively: threads sum in another order.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Result:
    """What a run delivered: the best candidate and where everything lies."""

    run: Run
    best: Candidate
    submission: Path | None
    notebook: Path | None
    reproduced: bool
    seconds: float

    @property
    def score(self) -> float:
        """The validation score of the best candidate."""
        assert self.best.score is not None
        return self.best.score.value


class Session:
    """A run that is being worked on in this process. Close it (or use ``with``) at the end."""

    def __init__(self, run: Run, *, agents: Agents | None = None, executor: Executor | None = None):
        from mlestar_jupyter.notebook.run_notebook import RunNotebook

        self.run = run
        self.agents = agents or make_agents(run.settings.agents)
        self.executor = executor or make_executor(run.settings.jobs)
        self.notebook = RunNotebook(run)
        run.listeners.append(self.notebook)
        self.context = self._context(run.settings.seconds)

    @classmethod
    def start(
        cls,
        task: Task,
        settings: Settings,
        folder: Path,
        *,
        began: float | None = None,
        frames: Mapping[str, pd.DataFrame] | None = None,
        listeners: tuple[Listener, ...] = (),
        agents: Agents | None = None,
        executor: Executor | None = None,
    ) -> Session:
        """Begin a new run in ``folder``."""
        agents = agents or make_agents(settings.agents)  # a wrong name leaves nothing behind
        run = Run.create(folder, task, settings, began=began, frames=frames)
        run.listeners.extend(listeners)
        return cls(run, agents=agents, executor=executor)

    @classmethod
    def resume(
        cls,
        folder: Path,
        *,
        listeners: tuple[Listener, ...] = (),
        agents: Agents | None = None,
        executor: Executor | None = None,
    ) -> Session:
        """Go on with the run in ``folder``. What was judged before is not run again."""
        run = open_run(folder, write=True)
        run.listeners.extend(listeners)
        return cls(run, agents=agents, executor=executor)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, write run.ipynb and give the run's lock back."""
        self.context.close()
        self.executor.close()
        self.notebook.flush()
        self.run.close()

    def stop(self) -> None:
        """Stop softly, from any thread: nothing more begins, what is under way is ended."""
        self.context.budget.stop()
        self.executor.cancel()

    def solve(self) -> Result:
        """The whole of it, search and delivery. KeyboardInterrupt stops softly and is raised."""
        try:
            best = self._in_background(lambda: pipeline.search(self.context))
            return self.deliver(best)
        except KeyboardInterrupt:
            self.stop()
            self.run.emit("run_finished", reason="stopped")
            raise
        except Stopped:
            self.run.emit("run_finished", reason="stopped")
            raise BudgetError(f"stopped; go on with `mlestar resume {self.run.folder}`") from None

    def deliver(self, best: Candidate) -> Result:
        """Fit the winner on all rows, execute the finished notebook beside it, and compare."""
        run = self.run
        self.run.emit("stage_started", stage="finalize", branch=None)
        with ThreadPoolExecutor(1, thread_name_prefix="mlestar-finish") as pool:
            solution = final_solution(self.context, best)
            finishing = pool.submit(self._finish, best, solution)
            final = finalize(self.context, best)
            finished = finishing.result()
        if final is None:
            run.emit("run_finished", reason="no submission")
            raise BudgetError(
                f"{best.id} was found but could not be fitted on all rows in time; "
                f"resume with more time: mlestar resume {run.folder} --time 10m"
            )
        if final.solution.key != solution.key:
            finished = self._finish(final.candidate, final.solution)
        reproduced = self._write_finished(final, finished)
        run.emit("run_finished", reason="finished")
        self.notebook.flush()
        submission = run.folder / "submission.csv" if run.task.source.test else None
        notebook = run.folder / "finished.ipynb"
        return Result(run, final.candidate, submission, notebook, reproduced, run.elapsed)

    def refine(
        self, *, outer: int = 1, inner: int | None = None, block: str | None = None
    ) -> Candidate:
        """Refine the best candidate by some outer steps more; gives the best afterwards."""
        best = pipeline.require_best(self.context)
        self.run.emit("stage_started", stage="refine", branch=best.branch)
        refine(self.context, best, best.branch, outer_steps=outer, inner_steps=inner, block=block)
        return pipeline.require_best(self.context)

    def ablate(self) -> dict[str, Any] | None:
        """One ablation study of the best candidate, as the journal has it."""
        best = pipeline.require_best(self.context)
        self.run.emit("stage_started", stage="refine", branch=best.branch)
        ablation.study(self.context, best, [], best.branch)
        studies = [s for s in self.run.state.studies if s["candidate"] == best.id]
        return studies[-1] if studies else None

    def ensemble(self, *, rounds: int | None = None) -> Candidate:
        """Combine the branches' incumbents; gives the best of the run afterwards."""
        pipeline.require_best(self.context)
        self.run.emit("stage_started", stage="ensemble", branch=None)
        candidates = self.run.state.candidates
        finals = [candidates[i] for b, i in self.run.state.incumbents.items() if b >= 0]
        ensemble(self.context, finals, rounds=rounds)
        return pipeline.require_best(self.context)

    def unseal(self) -> tuple[float, float]:
        """Grade the best candidate on the sealed rows, once: (score, optimism)."""
        if not self.run.validation.has_sealed:
            raise SettingsError("this run has no sealed rows; start one with --sealed 0.2")
        if self.run.state.unsealed is not None:
            raise MlestarError("the sealed rows were used before; a second look is not honest")
        graded = unseal(self.context, pipeline.require_best(self.context))
        if graded is None:
            raise MlestarError("the best candidate could not be executed without the sealed rows")
        return graded

    def extend(self, seconds: float) -> None:
        """Give the run so many seconds from now on, for what the user asks of it next."""
        self.context.jobs.shutdown(wait=False)
        self.context = self._context(self.run.elapsed + seconds)

    def _context(self, total: float) -> Context:
        budget = Budget(total, lambda: self.run.elapsed)
        return Context(self.run, self.agents, self.executor, budget)

    def _in_background(self, work: Callable[[], Candidate]) -> Candidate:
        """Work in a thread while this one waits, so that an interrupt is always heard."""
        with ThreadPoolExecutor(1, thread_name_prefix="mlestar-search") as pool:
            future = pool.submit(work)
            try:
                return future.result()
            except BaseException:
                self.stop()
                raise

    def _finish(
        self, candidate: Candidate, solution: Any
    ) -> tuple[nbformat.NotebookNode, Path | None, float | None]:
        """Build the finished notebook and execute it elsewhere: (notebook, submission, score)."""
        from mlestar_jupyter.notebook.finished import build_finished

        notebook = build_finished(self.run, candidate, solution)
        left = self.context.budget.left - 1
        if not self.run.settings.reproduce or left < pipeline.NOTEBOOK_SECONDS:
            return notebook, None, None
        output = self.run.folder / "final"
        limits = Limits(left, self.context.threads)
        outcome = self.executor.run_notebook(notebook, limits, output, "finished")
        self.run.emit("candidate_executed", id="final", purpose="finished", **outcome.to_json())
        executed = output / "finished.ipynb"
        if executed.is_file():
            notebook = nbformat.read(executed, as_version=4)
        if outcome.status != "ok":
            return notebook, None, None
        return notebook, output / "finished.csv", outcome.printed

    def _write_finished(
        self, final: Final, finished: tuple[nbformat.NotebookNode, Path | None, float | None]
    ) -> bool:
        """Stamp the finished notebook with what its execution showed, and put it in place."""
        from mlestar_jupyter.notebook.finished import stamp

        run = self.run
        notebook, submission, printed = finished
        verdict, detail = self._compare(final, submission, printed)
        stamped = stamp(notebook, verdict, detail)
        partial = run.folder / "final" / "stamped.ipynb"
        partial.parent.mkdir(exist_ok=True)
        nbformat.write(stamped, partial)
        partial.replace(run.folder / "finished.ipynb")
        run.emit(
            "finished_notebook_written", id=final.candidate.id, path="finished.ipynb",
            verdict=verdict, detail=detail,
        )  # fmt: skip
        return bool(verdict == "reproduced")

    def _compare(
        self, final: Final, submission: Path | None, printed: float | None
    ) -> tuple[Any, str]:
        """Whether the finished notebook gave the same score and the same predictions."""
        score = final.candidate.score
        assert score is not None
        if printed is None:
            return "not verified", "it was not executed to its end within the time limit"
        if abs(printed - score.value) > TOLERANCE * max(1.0, abs(score.value)):
            return "differs", f"score {printed!r} instead of {score.value!r}"
        if self.run.task.source.test is not None:
            if submission is None or not submission.is_file():
                return "differs", "it wrote no submission"
            difference = compare_tables(submission, self.run.folder / "submission.csv")
            if difference:
                return "differs", difference
            return "reproduced", "a fresh kernel gave the same score and the same predictions"
        return "reproduced", "a fresh kernel gave the same score"


def compare_tables(ours: Path, theirs: Path) -> str:
    """What differs between two submissions, "" when they are equal up to TOLERANCE."""
    import numpy as np
    import pandas as pd

    first, second = pd.read_csv(ours), pd.read_csv(theirs)
    if list(first.columns) != list(second.columns) or len(first) != len(second):
        return "its submission has another form"
    for column in first.columns:
        a, b = first[column], second[column]
        if a.dtype.kind == "f" and b.dtype.kind in "fi":
            same = np.isclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        else:
            same = (a.astype(str) == b.astype(str)).to_numpy()
        if not same.all():
            return f"{int((~same).sum())} predictions of {column} differ"
    return ""


def make_agents(name: str) -> Agents:
    """The cast of this name; SettingsError when there is none."""
    if name == "playbook":
        from mlestar_jupyter.agents.playbook import Playbook

        return Playbook()
    raise SettingsError(f"unknown agents {name!r}; known are: playbook")


def make_executor(jobs: int) -> Executor:
    """The executor of this machine."""
    from mlestar_jupyter.execution.papermill import PapermillExecutor

    return PapermillExecutor(jobs + 1)  # one more: the finished notebook beside the last fit


def open_run(folder: Path, *, write: bool = False) -> Run:
    """An existing run with its task; JournalError or TaskError in one line if it cannot be."""
    folder = folder.expanduser().absolute()
    return Run.open(folder, reopen(folder), write=write)


def new_folder(name: str, runs: Path = RUNS) -> Path:
    """A folder for a new run: ``mlestar_runs/NAME``, numbered if there is one already."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    folder, number = runs / base, 2
    while folder.exists():
        folder, number = runs / f"{base}-{number}", number + 1
    return folder


def solve(
    task: Task | str | Path | pd.DataFrame,
    *,
    test: pd.DataFrame | None = None,
    sample: pd.DataFrame | None = None,
    description: str = "",
    out: str | Path | None = None,
    time_limit: str | float = 600.0,
    overrides: Overrides | None = None,
    listeners: tuple[Listener, ...] = (),
    **options: Any,
) -> Result:
    """Solve a task from end to end and give the result.

    ``task`` is a folder in Kaggle's form, one table (with ``target=``), a DataFrame of training
    rows (with ``target=`` or ``test=``), or a Task. ``options`` are fields of Overrides
    (``target``, ``metric``, ...) and of Settings (``jobs``, ``seed``, ``models``, ...).
    ``time_limit`` is hard, in seconds or as ``"5m"``. Raises MlestarError, in one line.
    """
    began = time.monotonic()
    understood, frames, settings, folder = prepare(
        task, test, sample, description, out, time_limit, overrides or Overrides(), options
    )
    with Session.start(
        understood, settings, folder, began=began, frames=frames, listeners=listeners
    ) as session:
        return session.solve()


def prepare(
    task: Any,
    test: pd.DataFrame | None,
    sample: pd.DataFrame | None,
    description: str,
    out: str | Path | None,
    time_limit: str | float,
    overrides: Overrides,
    options: Mapping[str, Any],
) -> tuple[Task, dict[str, pd.DataFrame] | None, Settings, Path]:
    """Turn what a user gives into a task, its DataFrames, settings and a folder."""
    import dataclasses

    asked = {f.name for f in dataclasses.fields(Overrides)}
    told = {name: value for name, value in options.items() if name in asked}
    rest = {name: value for name, value in options.items() if name not in asked}
    overrides = dataclasses.replace(overrides, **told)
    settings = Settings.from_json({**rest, "seconds": parse_seconds(time_limit)})
    if isinstance(task, Task):
        return task, None, settings, Path(out) if out else new_folder(task.name)
    if isinstance(task, str | Path):
        path = Path(task)
        understood = (
            from_table(path, overrides, description)
            if path.is_file()
            else from_folder(path, overrides, description)
        )
        return understood, None, settings, Path(out) if out else new_folder(understood.name)
    given = {"train": task, "test": test, "sample": sample}
    frames = {name: frame for name, frame in given.items() if frame is not None}
    folder = Path(out) if out else new_folder(overrides.target or "task")
    data = folder.expanduser().absolute() / "data"
    understood = from_frames(frames, data, overrides, description=description)
    kept = {name: understood.__dict__[name] for name in frames}
    return understood, kept, settings, folder
