"""The executor: runs solutions through papermill, a fixed number of them side by side."""

from __future__ import annotations

import atexit
import contextvars
import copy
import dataclasses
import importlib.util
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.errors import ExecutionError, SettingsError
from mlestar_jupyter.execution.confinement import Confinement
from mlestar_jupyter.execution.engine import NAME, CellError, MlestarEngine, Progress
from mlestar_jupyter.execution.folder import (
    WorkingFolder,
    copy_file,
    execution_error,
    replace_file,
)
from mlestar_jupyter.execution.judgement import judge, stamp
from mlestar_jupyter.execution.limits import ProcessTree, Watchdog
from mlestar_jupyter.execution.memory import Watcher, available_memory
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Solution

_CLOSE_SECONDS = 10.0
_KILLED = (-9, -15)  # exit codes of a process that another one ended
_THREAD = "mlestar-execution"


class PapermillExecutor:
    """Executes each solution with papermill in a fresh kernel of this interpreter.

    ``run`` may be called from many threads; at most ``jobs`` executions are under way at once,
    in the order in which they were asked for. None starts beside others when the memory that is
    left is less than what earlier ones took. Each may use ``memory`` bytes (None: its share of the
    machine's) and is enclosed as far as the platform can, unless ``sandbox`` is "off".
    """

    def __init__(self, jobs: int = 2, sandbox: str = "auto", memory: int | None = None) -> None:
        if jobs < 1:
            raise SettingsError(f"jobs is {jobs}; give at least 1")
        self.jobs = jobs
        self.confinement = Confinement.for_jobs(jobs, sandbox, memory)
        self._peak = 0  # bytes
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._is_closed = False
        atexit.register(self.close)

    @classmethod
    def from_settings(cls, settings: Settings, jobs: int) -> PapermillExecutor:
        """The executor that these settings ask for, with so many jobs side by side."""
        return cls(jobs, settings.sandbox, settings.memory)

    def run(self, execution: Execution) -> Outcome:
        """Execute and wait. ExecutionError when nothing can be executed here at all."""
        return self._queue(_Job(execution, self.confinement))

    def run_notebook(
        self,
        notebook: nbformat.NotebookNode,
        limits: Limits,
        output: Path,
        label: str,
        read: Sequence[Path] = (),
    ) -> Outcome:
        """Execute any notebook in an empty working folder, without parameters.

        ``read`` are folders and files that it reads where they lie.
        """
        return self._queue(_NotebookJob(notebook, limits, output, label, self.confinement, read))

    def _queue(self, job: _Job) -> Outcome:
        try:
            with self._lock:
                if self._is_closed:
                    raise ExecutionError("this executor is closed; make a new one")
                self._waiting.append(job)
                self._start_waiting()
            return job.result()
        except KeyboardInterrupt:
            self._end([job])
            job.done.wait(_CLOSE_SECONDS)
            raise

    def cancel(self, execution: Execution | None = None) -> None:
        """End this execution, or every one that is under way or waits; the outcome is cancelled."""
        with self._lock:
            jobs = [*self._waiting, *self._running]
        self._end([job for job in jobs if execution is None or job.execution is execution])

    def close(self) -> None:
        """End what is under way, wait for it to clear up, and refuse to run anything more."""
        with self._lock:
            self._is_closed = True
            jobs = [*self._waiting, *self._running]
        self._end(jobs)
        until = time.monotonic() + _CLOSE_SECONDS
        for job in jobs:
            job.done.wait(max(0.0, until - time.monotonic()))
        atexit.unregister(self.close)

    def _end(self, jobs: list[_Job]) -> None:
        with self._lock:
            for job in jobs:
                if job in self._waiting:
                    self._waiting.remove(job)
                    job.outcome = Outcome("cancelled", 0.0)
                    job.done.set()
        for job in jobs:
            if not job.done.is_set():
                job.watchdog.end("cancelled")

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self.jobs and self._has_memory():
            job = self._waiting.popleft()
            self._running.add(job)
            # A thread of its own, with a context of its own: where ``run`` is called there may be
            # an event loop, as in a Jupyter kernel. A daemon, because a run must not keep the
            # interpreter from exiting; ``close`` then ends it.
            context = contextvars.Context()
            threading.Thread(
                target=context.run, args=(self._work, job), name=_THREAD, daemon=True
            ).start()

    def _has_memory(self) -> bool:
        """Whether one more would do with what those that run will leave; one always runs."""
        if not self._running:
            return True
        still = sum(max(0, self._peak - job.watcher.now) for job in self._running)
        return available_memory() - still >= self._peak

    def _work(self, job: _Job) -> None:
        try:
            job.outcome = job.execute()
        except BaseException as error:
            job.error = error
        finally:
            with self._lock:
                self._running.discard(job)
                self._peak = max(self._peak, job.watcher.peak)
                self._start_waiting()
            job.done.set()


class _Job:
    """One execution, from the queue to its outcome."""

    def __init__(
        self, execution: Execution, confinement: Confinement, read: Sequence[Path] = ()
    ) -> None:
        self.execution = execution
        self.output = execution.output.absolute()
        memory = execution.limits.memory or confinement.memory
        self.confinement = dataclasses.replace(confinement, memory=memory)
        self.read = read
        self.tree = ProcessTree()
        self.watchdog = Watchdog(self.tree.kill)
        self.watcher = Watcher(self.tree, self.watchdog, memory)
        self.done = threading.Event()
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None

    def result(self) -> Outcome:
        """Wait for the outcome. In short pieces: Ctrl-C does not end a wait on Windows."""
        while not self.done.wait(1.0):
            pass
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        return self.outcome

    def execute(self) -> Outcome:
        """Stage, run, judge, hand over, clear up."""
        _check_installation()
        self._clear_output()
        began = time.monotonic()
        execution, progress = self.execution, Progress()
        self.watchdog.start(execution.limits.seconds)
        try:
            with WorkingFolder() as folder:
                folder.stage(execution.inputs, lambda: self.watchdog.reason)
                if self.watchdog.reason is None:
                    self._run(folder, progress)
                reason, limit = self.watchdog.release(), execution.limits.seconds
                seconds, words = time.monotonic() - began, self.watchdog.words
                outcome = judge(progress, reason, words, limit=limit, seconds=seconds)
                self._hand_over(folder, progress.notebook, outcome)
                return outcome
        finally:
            self.watchdog.release()
            self.watcher.stop()

    def _run(self, folder: WorkingFolder, progress: Progress) -> None:
        """Let papermill execute the notebook; what goes wrong in it is told by ``progress``."""
        from nbclient.exceptions import DeadKernelError
        from papermill import PapermillExecutionError, execute_notebook
        from papermill.engines import papermill_engines

        from mlestar_jupyter.execution.kernels import Kernel

        logging.getLogger("papermill").addFilter(_is_not_ours)
        papermill_engines.register(NAME, MlestarEngine)  # also when we run from a source tree
        execution, confinement = self.execution, self.confinement
        environment = confinement.environment(folder, execution.limits.threads)
        enclosure = confinement.enclosure(folder, self.read)
        kernel = Kernel(folder.scratch, folder.work, environment, self.tree, enclosure)
        self.watcher.start()
        try:
            execute_notebook(
                self._notebook(),
                None,  # with a path, papermill would change the folder of our process to write it
                parameters=dict(execution.parameters),
                engine_name=NAME,
                kernel_name="python3",  # the kernel is ours; a notebook need not name one
                language="python",
                progress_bar=False,
                kernel=kernel,
                progress=progress,
            )
        except (PapermillExecutionError, DeadKernelError):
            pass
        except ExecutionError:
            raise
        except Exception as error:
            if progress.block is None:
                raise ExecutionError(
                    f"no notebook can be executed here: {type(error).__name__}: {error}; "
                    "check the installation of papermill and ipykernel"
                ) from error
            # The kernel said something that nobody can read: the notebook's doing, too.
            progress.error = CellError(type(error).__name__, str(error))
        finally:
            kernel.close()
        code = progress.exit_code
        # One that was killed before its first cell is one execution lost, not a broken machine.
        ended_itself = code is not None and code not in _KILLED
        if progress.block is None and ended_itself and not self.watchdog.reason:
            last = progress.log.splitlines()[-1:] or [f"exit code {code}"]
            raise ExecutionError(
                f"the kernel did not start: {last[0]}; try `{sys.executable} -m ipykernel_launcher`"
            )

    def _notebook(self) -> Any:
        """The solution as a notebook, whose parameters cell names all that will be injected."""
        parameters = dict(DEFAULT_PARAMETERS)
        for name, value in self.execution.parameters.items():
            parameters.setdefault(name, value)
        return self.execution.solution.to_notebook(parameters)

    def _written(self) -> tuple[str, str]:
        """The names under which the notebook writes predictions and model."""
        parameters = {**DEFAULT_PARAMETERS, **self.execution.parameters}
        return str(parameters["predictions_path"]), str(parameters["model_path"])

    def _clear_output(self) -> None:
        """Make the output folder, without what an earlier execution of this label left there."""
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            for path in self._results:
                (self.output / path.name).unlink(missing_ok=True)
        except OSError as error:
            raise execution_error("write to", self.output, error) from error

    @property
    def _results(self) -> tuple[Path, Path, Path]:
        execution = self.execution
        return execution.executed, execution.predictions, execution.model

    def _hand_over(self, folder: WorkingFolder, notebook: Any, outcome: Outcome) -> None:
        """Put the executed notebook and what it wrote into the output folder."""
        notebook = self._notebook() if notebook is None else notebook
        stamp(notebook, outcome)
        text = nbformat.v4.writes(notebook)
        executed, predictions, model = (self.output / path.name for path in self._results)
        names = self._written()
        written = {predictions: folder.work / names[0], model: folder.work / names[1]}
        try:
            replace_file(executed, partial(_write, text))
            for target, source in written.items():
                if source.is_file():
                    replace_file(target, partial(copy_file, source))
        except OSError as error:
            raise execution_error("write to", self.output, error) from error


class _NotebookJob(_Job):
    """One execution of a notebook that is no solution: it says itself where its data lies."""

    def __init__(
        self,
        notebook: nbformat.NotebookNode,
        limits: Limits,
        output: Path,
        label: str,
        confinement: Confinement,
        read: Sequence[Path],
    ) -> None:
        solution = Solution.from_notebook(notebook)
        super().__init__(Execution(solution, {}, {}, limits, output, label), confinement, read)
        self._given = notebook

    def _notebook(self) -> Any:
        return copy.deepcopy(self._given)

    def _written(self) -> tuple[str, str]:
        return "submission.csv", str(DEFAULT_PARAMETERS["model_path"])


def _check_installation() -> None:
    if not sys.executable or importlib.util.find_spec("ipykernel") is None:
        raise ExecutionError(
            f"ipykernel is missing in {sys.executable or 'this Python'}; "
            "install it with `pip install ipykernel`"
        )
    # papermill takes a second or two to import, once: not on the clock of the first candidate.
    importlib.import_module("mlestar_jupyter.execution.client")


def _is_not_ours(_: logging.LogRecord) -> bool:
    # What papermill logs while it works for us would end up in the user's cell.
    return threading.current_thread().name != _THREAD


def _write(text: str, path: Path) -> None:
    # A cell can print half a surrogate pair, which is no text.
    path.write_bytes(text.encode(errors="replace"))
