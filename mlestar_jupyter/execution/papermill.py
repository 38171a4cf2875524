"""The executor: runs solutions through papermill, a fixed number of them side by side."""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat

from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.errors import ExecutionError, SettingsError
from mlestar_jupyter.execution.confinement import Confinement
from mlestar_jupyter.execution.job import THREAD, Job, NotebookJob
from mlestar_jupyter.execution.memory import available_memory
from mlestar_jupyter.execution.starting import Starter
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.settings import Settings

_CLOSE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class PapermillExecutor:
    """Executes each solution with papermill in a fresh kernel of this interpreter.

    ``run`` may be called from many threads; at most ``jobs`` executions are under way at once,
    in the order in which they were asked for. None starts beside others when the memory that is
    left is less than what earlier ones took. Each may use ``memory`` bytes (None: its share of the
    machine's) and is enclosed as far as the platform can, unless ``sandbox`` is "off". Kernels are
    ``warm`` where that works, and begin with snapshots of cells that were executed before
    (``reuse``). ``tell`` is called, seldom, with what a user should know of it.
    """

    def __init__(
        self,
        jobs: int = 2,
        sandbox: str = "auto",
        memory: int | None = None,
        *,
        warm: bool = True,
        reuse: bool = True,
        tell: Callable[[str], None] = _log.warning,
    ) -> None:
        if jobs < 1:
            raise SettingsError(f"jobs is {jobs}; give at least 1")
        self.jobs = jobs
        self.tell = tell
        self.starter = Starter(jobs=jobs, warm=warm, reuse=reuse, tell=lambda text: self.tell(text))
        self.confinement = Confinement.for_jobs(jobs, sandbox, memory)
        self._peak = 0  # bytes
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._is_closed = False
        atexit.register(self.close)

    @classmethod
    def from_settings(cls, settings: Settings, jobs: int) -> PapermillExecutor:
        """The executor that these settings ask for, with so many jobs side by side."""
        return cls(
            jobs,
            settings.sandbox,
            settings.memory,
            warm=settings.warm_kernels,
            reuse=settings.reuse,
        )

    def prepare(self, settings: Settings) -> None:
        """Begin, without waiting, to make ready for what a run of these settings executes."""
        self.starter.prepare_in_advance(self.confinement.common(settings.threads_here))

    def run(self, execution: Execution) -> Outcome:
        """Execute and wait. ExecutionError when nothing can be executed here at all."""
        return self._queue(Job(execution, self.starter, self.confinement))

    def run_notebook(
        self,
        notebook: nbformat.NotebookNode,
        limits: Limits,
        output: Path,
        label: str,
        read: Sequence[Path] = (),
    ) -> Outcome:
        """Execute any notebook in an empty working folder, in a kernel started from nothing.

        ``read`` are folders and files that it reads where they lie.
        """
        job = NotebookJob(notebook, limits, output, label, self.starter, self.confinement, read)
        return self._queue(job)

    def _queue(self, job: Job) -> Outcome:
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

    def stop_reusing(self, reason: str) -> None:
        """Execute every cell from now on, because of a difference that should not be."""
        self.starter.stop_reusing(reason)

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
        self.starter.close()
        atexit.unregister(self.close)

    def _end(self, jobs: list[Job]) -> None:
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
                target=context.run, args=(self._work, job), name=THREAD, daemon=True
            ).start()

    def _has_memory(self) -> bool:
        """Whether one more would do with what those that run will leave; one always runs."""
        if not self._running:
            return True
        still = sum(max(0, self._peak - job.watcher.now) for job in self._running)
        return available_memory() - still >= self._peak

    def _work(self, job: Job) -> None:
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
