"""Execution on the workers of a Dask cluster, each of which does what this machine would."""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import nbformat

from mlestar_jupyter.candidate import Failure, Outcome
from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import cluster_worker
from mlestar_jupyter.execution.cluster_link import GivenUp, Link, WorkerLost
from mlestar_jupyter.execution.cluster_worker import Done, Job
from mlestar_jupyter.execution.folder import execution_error, replace_file
from mlestar_jupyter.execution.judgement import stamp
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.execution.parcels import Parcel, Weighing
from mlestar_jupyter.execution.placing import Places
from mlestar_jupyter.execution.shipping import Shipping
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import DEFAULT_PARAMETERS

_log = logging.getLogger(__name__)
#: Workers that may be lost with a candidate before it is given up.
ATTEMPTS = 3
_CANCEL_SECONDS = 10.0
#: What workers need not know: it is for agents, and may say where your servers are.
_PRIVATE = (
    "agents", "start", "dask", "cost", "model", "role_models", "prices", "endpoint", "replay",
)  # fmt: skip


class DaskExecutor:
    """Executes solutions on the workers of the cluster at ``settings.dask``.

    Each goes to a worker that has the threads that it may use, if possible to one that has its
    data. If the worker is lost, it is executed on another. Nothing is connected before it is used.
    """

    def __init__(self, settings: Settings) -> None:
        self.address = settings.dask or ""
        self._tenant = uuid.uuid4().hex
        self._settings = settings.replace(**{n: getattr(Settings(), n) for n in _PRIVATE})
        self._weighing = Weighing()
        self._numbers = itertools.count(1)
        self._lock = threading.Condition()
        self._works: set[_Work] = set()
        self._is_closed = False
        self._reuses = settings.reuse
        self.tell: Callable[[str], None] = _log.warning
        self._connecting = threading.Lock()
        self._cluster: _Cluster | None = None
        atexit.register(self.close)

    def connect(self) -> _Cluster:
        """The cluster, found when it is first needed.

        SettingsError or ExecutionError, in one line, when it cannot be used.
        """
        with self._connecting:
            if self._cluster is None:
                self._cluster = _Cluster(Link(self.address))
            return self._cluster

    @cached_property
    def threads(self) -> int:
        """Threads of one candidate: all of a worker's, of the smallest when the run began."""
        return min(self.connect().link.workers.values())

    @property
    def room(self) -> int:
        """Candidates that the cluster executes at once."""
        return sum(max(1, n // self.threads) for n in self.connect().link.workers.values())

    def run(self, execution: Execution) -> Outcome:
        """Execute on some worker and wait. ExecutionError when the cluster is gone."""
        cluster = self.connect()
        work = _Work(execution, f"{self._tenant}-{next(self._numbers)}")
        with self._lock:
            if self._is_closed:
                raise ExecutionError("this executor is closed; make a new one")
            self._works.add(work)
        try:
            return self._run(cluster, work)
        except KeyboardInterrupt:
            self._end([work])
            raise
        finally:
            with self._lock:
                self._works.discard(work)
                self._lock.notify_all()

    def prepare(self, settings: Settings) -> None:
        """Nothing: workers begin, and are connected to, when something is executed."""

    def run_notebook(
        self,
        notebook: nbformat.NotebookNode,
        limits: Limits,
        output: Path,
        label: str,
        read: Sequence[Path] = (),
    ) -> Outcome:
        """Execute any notebook on this machine: it says itself where its data lies, namely here."""
        # The threads are those that a worker has.
        limits = replace(limits, threads=min(limits.threads, os.cpu_count() or 1))
        return self._here.run_notebook(notebook, limits, output, label, read)

    def stop_reusing(self, reason: str) -> None:
        """Execute every cell from now on, because of a difference that should not be."""
        if self._reuses:
            self._reuses = False
            self.tell(f"unchanged cells are executed again from now on: {reason}")

    def cancel(self, execution: Execution | None = None) -> None:
        """End this execution, or every one that is under way or waits; the outcome is cancelled."""
        with self._lock:
            works = list(self._works)
        self._end([work for work in works if execution is None or work.execution is execution])
        if execution is None and "_here" in vars(self):
            self._here.cancel()

    def close(self) -> None:
        """End what is under way, have the workers clear up, and leave the cluster to others."""
        with self._lock:
            self._is_closed = True
        self.cancel()
        with self._lock:
            self._lock.wait_for(lambda: not self._works, _CANCEL_SECONDS)
        if "_here" in vars(self):
            self._here.close()
        if self._cluster is not None:
            self._cluster.link.tell(cluster_worker.leave, self._tenant)
            self._cluster.link.close()
        atexit.unregister(self.close)

    @cached_property
    def _here(self) -> PapermillExecutor:
        return PapermillExecutor.from_settings(self._settings, 1)

    def _end(self, works: list[_Work]) -> None:
        for work in works:
            work.cancel()
        if self._cluster is None or not works:
            return
        self._cluster.places.wake()
        workers = {work.worker for work in works} - {""}
        self._cluster.link.tell(cluster_worker.cancel, [w.id for w in works], workers=workers)

    def _run(self, cluster: _Cluster, work: _Work) -> Outcome:
        """Try one worker after another."""
        execution = work.execution
        _clear(execution)
        parcels = {n: self._weighing.parcel(n, path) for n, path in execution.inputs.items()}
        lost: list[str] = []
        error: Exception | None = None
        while len(lost) < ATTEMPTS:
            threads = execution.limits.threads
            held = cluster.shipping.value(parcels.values())
            with cluster.places.place(threads, held, work.is_cancelled, lost) as worker:
                if work.is_cancelled() or work.seconds_left <= 0:
                    return Outcome("cancelled", work.seconds)
                work.worker = worker
                try:
                    outcome = self._execute(cluster, work, parcels, worker)
                except GivenUp:
                    return Outcome("cancelled", work.seconds)
                except _UnwritableError:
                    raise
                except (WorkerLost, ExecutionError) as problem:
                    _ = cluster.link.workers  # without a scheduler there is nothing more to try
                    lost.append(worker)
                    cluster.shipping.forget(worker)
                    error = problem
                    continue
                finally:
                    work.worker = ""
            if lost and outcome.status == "timed_out":
                # It had less than its time: the rest went by on the worker that was lost.
                return Outcome("cancelled", outcome.seconds, outcome.cell_seconds)
            return outcome
        if isinstance(error, ExecutionError):
            raise ExecutionError(f"on the Dask worker {lost[-1]}: {error}")
        return _given_up(work, lost)

    def _execute(
        self, cluster: _Cluster, work: _Work, parcels: dict[str, Parcel], worker: str
    ) -> Outcome:
        """Send what the worker lacks, let it execute, and take in what it wrote."""
        execution = work.execution
        job = Job(
            id=work.id,
            tenant=self._tenant,
            settings=self._settings.to_json(),
            solution=execution.solution,
            inputs={name: parcel.key for name, parcel in parcels.items()},
            parameters=dict(execution.parameters),
            limits=replace(execution.limits, seconds=work.seconds_left, until=None),
            label=execution.label,
            fresh=execution.fresh or not self._reuses,
            least_saved=execution.least_saved,
        )
        for _ in range(ATTEMPTS):
            for name, parcel in parcels.items():
                source = execution.inputs[name]
                cluster.shipping.deliver(job, parcel, source, worker, work.is_cancelled)
            work.begin()
            done: Done = cluster.link.call(
                worker, cluster_worker.execute, job, is_given_up=work.is_overdue
            )
            if done.outcome is not None:
                _take_in(cluster.link, job, done, worker, execution)
                return done.outcome
            # It had to make room for other data meanwhile.
            cluster.shipping.forget(worker, done.missing)
        raise ExecutionError("it has no room for the data; give it a larger temporary folder")


class _UnwritableError(ExecutionError):
    """What a worker wrote cannot be kept here: no other worker would do better."""


class _Cluster:
    """A cluster as one executor uses it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.places = Places(link)
        self.shipping = Shipping(link)


class _Work:
    """One execution, from the queue to its outcome."""

    def __init__(self, execution: Execution, name: str) -> None:
        self.execution = execution
        self.id = name
        self.worker = ""
        self._began: float | None = None
        self._cancelled: float | None = None

    def begin(self) -> None:
        """Start the clock, which goes on when it is begun again on another worker."""
        self._began = self._began or time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall clock since it was begun."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def seconds_left(self) -> float:
        """What is left of its limit."""
        limits = self.execution.limits
        return min(limits.seconds - self.seconds, limits.left)

    def cancel(self) -> None:
        """It is not wanted any more."""
        self._cancelled = self._cancelled or time.monotonic()

    def is_cancelled(self) -> bool:
        """Whether it is not wanted any more."""
        return self._cancelled is not None

    def is_overdue(self) -> bool:
        """Whether the worker took too long to end it."""
        return self._cancelled is not None and time.monotonic() - self._cancelled > _CANCEL_SECONDS


def _take_in(link: Link, job: Job, done: Done, worker: str, execution: Execution) -> None:
    """Put what a worker wrote into the output folder."""
    targets = {p.suffix: p for p in (execution.executed, execution.predictions, execution.model)}
    try:
        for suffix, size in done.sizes.items():

            def write(path: Path, suffix: str = suffix, size: int = size) -> None:
                with path.open("wb") as file:
                    if suffix in done.files:
                        file.write(done.files[suffix])
                    while file.tell() < size:
                        part = link.call(worker, cluster_worker.fetch, job, suffix, file.tell())
                        file.write(part)

            replace_file(targets[suffix].absolute(), write)
    except OSError as error:
        problem = execution_error("write to", execution.output, error)
        raise _UnwritableError(str(problem)) from error
    finally:
        if not done.files:
            link.tell(cluster_worker.discard, job.tenant, job.id, workers=[worker])


def _clear(execution: Execution) -> None:
    """Make the output folder, without what an earlier execution of this label left there."""
    try:
        execution.output.mkdir(parents=True, exist_ok=True)
        for path in (execution.executed, execution.predictions, execution.model):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise execution_error("write to", execution.output, error) from error


def _given_up(work: _Work, lost: list[str]) -> Outcome:
    """The outcome of an execution with which one worker after another was lost."""
    text = (
        f"{len(lost)} workers were lost while they executed it, {', '.join(lost)}; "
        "it may need more memory than they have"
    )
    outcome = Outcome("failed", work.seconds, failure=Failure("", "WorkersLost", text))
    execution = work.execution
    notebook = execution.solution.to_notebook({**DEFAULT_PARAMETERS, **execution.parameters})
    stamp(notebook, outcome)
    try:
        replace_file(execution.executed.absolute(), lambda path: nbformat.write(notebook, path))
    except OSError as error:
        raise execution_error("write to", execution.output, error) from error
    return outcome
