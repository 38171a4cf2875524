"""What runs on a Dask worker: its store of data, its executor, and one candidate.

A worker keeps one tenant for each executor that uses it. All of it can be lost at any time: what
is missing is said, and sent again.
"""

from __future__ import annotations

import atexit
import contextlib
import platform
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from mlestar_jupyter._version import __version__
from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.parcels import PIECE, Parcel, Store, read
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution

if TYPE_CHECKING:
    from mlestar_jupyter.execution.papermill import PapermillExecutor

#: Packages that decide what a candidate predicts: they must be the same everywhere.
_SAME = ("numpy", "pandas", "scikit-learn", "lightgbm", "skrub", "pyarrow", "papermill")
#: Bytes of data that a worker keeps for one tenant.
STORE_BYTES = 8 * 2**30
#: Seconds after which a tenant that was not heard of is given up: its client was killed.
_IDLE_SECONDS = 900.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """One execution as it travels; ``inputs`` maps names in the working folder to parcels."""

    id: str
    tenant: str
    settings: Mapping[str, Any]
    solution: Solution
    inputs: Mapping[str, str]
    parameters: Mapping[str, str | int]
    limits: Limits
    label: str
    fresh: bool
    least_saved: float


@dataclass(frozen=True)
class Done:
    """What came of a job. ``missing`` are parcels without which it did not begin.

    ``sizes`` are the bytes of the files that were written, by suffix; ``files`` has them, unless
    they are more than a piece: then they are fetched.
    """

    outcome: Outcome | None = None
    missing: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


class _Tenant:
    """What one executor has on this worker: data, and the executor that does the work here."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        self.store = Store(STORE_BYTES)
        self.outputs = WorkingFolder()
        self.used = time.monotonic()
        self.closed = threading.Event()
        self.stops: dict[str, threading.Event] = {}  # by job: set to end it
        self._settings, self._jobs = settings, jobs
        self._executor: PapermillExecutor | None = None
        self._lock = threading.Lock()

    @property
    def executor(self) -> PapermillExecutor:
        """Made with the first candidate, and kept: its kernels are warm for the next."""
        from mlestar_jupyter.execution.papermill import PapermillExecutor

        with self._lock:
            if self._executor is None:
                self._executor = PapermillExecutor.from_settings(self._settings, self._jobs)
            return self._executor

    def close(self) -> None:
        """End what is under way, and remove everything."""
        self.closed.set()
        with self._lock:
            if self._executor is not None:
                self._executor.close()
        self.store.close()
        self.outputs.remove()


_tenants: dict[str, _Tenant] = {}
_cancelled: set[str] = set()  # jobs that are to be ended, also before they begin
_lock = threading.Lock()


def describe() -> dict[str, str]:
    """The versions on which it depends that two machines give the same result."""
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    versions["mlestar-jupyter"] = __version__
    for name in _SAME:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions


def take(job: Job, parcel: Parcel, number: int, parts: Sequence[bytes]) -> None:
    """Take in one piece of a parcel."""
    _tenant(job).store.put(parcel, number, parts, keep=job.inputs.values())


def give(tenant: str, parcel: Parcel, number: int) -> list[bytes]:
    """One piece of a parcel for another worker; ExecutionError when it is not here."""
    here = _tenants.get(tenant)
    path = here.store.path(parcel.key) if here is not None else None
    if path is None:
        raise ExecutionError("the data is not here any more; send it again")
    return read(path, parcel.pieces()[number])


def execute(job: Job) -> Done:
    """Execute a candidate here, as on any machine. What it wrote is in the answer, or fetched."""
    tenant = _tenant(job)
    keys = set(job.inputs.values())
    with tenant.store.holding(keys) as missing:
        paths = {name: tenant.store.path(key) for name, key in job.inputs.items()}
        if missing:
            return Done(missing=tuple(missing))
        execution = Execution(
            solution=job.solution,
            inputs={name: path for name, path in paths.items() if path is not None},
            parameters=job.parameters,
            limits=job.limits,
            output=tenant.outputs.work / job.id,
            label=job.label,
            fresh=job.fresh,
            least_saved=job.least_saved,
        )
        if job.id in _cancelled:
            return Done(Outcome("cancelled", 0.0))
        with _ended_on_demand(tenant, job.id, execution):
            outcome = tenant.executor.run(execution)
    written = (execution.executed, execution.predictions, execution.model)
    sizes = {path.suffix: path.stat().st_size for path in written if path.is_file()}
    files = {}
    if sum(sizes.values()) <= PIECE:
        files = {path.suffix: path.read_bytes() for path in written if path.suffix in sizes}
        discard(job.tenant, job.id)
    return Done(outcome, sizes=sizes, files=files)


def fetch(job: Job, suffix: str, offset: int) -> bytes:
    """A piece of a file that a job wrote."""
    path = _tenant(job).outputs.work / job.id / f"{job.label}{suffix}"
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(PIECE)
    except OSError as error:
        raise ExecutionError(f"the worker lost {path.name}: {error.strerror}; run again") from error


def discard(tenant: str, job: str) -> None:
    """Remove the files that a job wrote."""
    if tenant in _tenants:
        shutil.rmtree(_tenants[tenant].outputs.work / job, ignore_errors=True)


def cancel(jobs: Collection[str]) -> None:
    """End these jobs at once, if they are under way here, and else when they come."""
    with _lock:
        _cancelled.update(jobs)
        tenants = list(_tenants.values())
    for tenant in tenants:
        for job, stop in list(tenant.stops.items()):
            if job in _cancelled:
                stop.set()


def leave(tenant: str) -> None:
    """Close a tenant. Beside the worker's own loop, which must not wait for processes to end."""
    with _lock:
        gone = _tenants.pop(tenant, None)
        _cancelled.difference_update([job for job in _cancelled if job.startswith(tenant)])
    if gone is not None:
        threading.Thread(target=gone.close, name="mlestar-leave", daemon=True).start()


def _tenant(job: Job) -> _Tenant:
    with _lock:
        tenant = _tenants.get(job.tenant)
        if tenant is None:
            settings, jobs = _local(Settings.from_json(job.settings), job.limits.threads)
            tenant = _tenants[job.tenant] = _Tenant(settings, jobs)
            threading.Thread(
                target=_leave_when_idle, args=(job.tenant, tenant), name="mlestar-idle", daemon=True
            ).start()
        tenant.used = time.monotonic()
        return tenant


def _local(settings: Settings, threads: int) -> tuple[Settings, int]:
    """The settings for this worker's share of its machine, and how many candidates it takes."""
    from distributed import get_worker

    worker = get_worker()
    jobs = max(1, worker.state.nthreads // threads)
    limit = worker.memory_manager.memory_limit  # bytes, of this worker
    if settings.memory is None and limit:
        settings = settings.replace(memory=max(2**28, limit // jobs))
    return settings, jobs


@contextlib.contextmanager
def _ended_on_demand(tenant: _Tenant, job: str, execution: Execution) -> Iterator[None]:
    """End the execution when it is cancelled, and when nobody waits for it any more."""
    from distributed import get_worker

    worker = get_worker()
    task, stop, over = worker.get_current_task(), threading.Event(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stop.wait(_LOOK_SECONDS) or not _is_wanted(worker, task):
                tenant.executor.cancel(execution)
                over.wait(_LOOK_SECONDS)  # it may not have begun: once more

    tenant.stops[job] = stop
    if job in _cancelled:
        stop.set()
    threading.Thread(target=watch, name="mlestar-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        stop.set()
        del tenant.stops[job]
        tenant.used = time.monotonic()
        _cancelled.discard(job)


def _is_wanted(worker: Any, task: Any) -> bool:
    """Whether the scheduler still wants this task: not when its client was killed.

    Dask takes such a task off the list and lets it run on.
    """
    state = worker.state.tasks.get(task)
    return state is not None and state.state != "cancelled"


def _leave_when_idle(name: str, tenant: _Tenant) -> None:
    while not tenant.closed.wait(30.0):
        if not tenant.stops and time.monotonic() - tenant.used > _IDLE_SECONDS:
            leave(name)


@atexit.register
def _leave_all() -> None:
    for tenant in list(_tenants.values()):
        tenant.close()
