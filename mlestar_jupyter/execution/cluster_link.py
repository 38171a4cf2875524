"""The link to a Dask cluster: who is there, and calls to one worker that end when it is gone.

The one module beside ``cluster_worker`` that knows Dask.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mlestar_jupyter.errors import ExecutionError, MlestarError, SettingsError
from mlestar_jupyter.execution import cluster_worker

#: Seconds to find the scheduler and a first worker.
CONNECT_SECONDS = 10.0
#: Seconds without a heartbeat after which a worker counts as lost. Dask itself waits for minutes.
SILENT_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_WORKERS_A_SECOND = 100  # asking after each costs the scheduler: less often where there are many


class WorkerLost(Exception):  # noqa: N818
    """A worker ended, or does not answer, while it was to do something."""

    def __init__(self, worker: str) -> None:
        super().__init__(worker)
        self.worker = worker


class GivenUp(Exception):  # noqa: N818
    """Nobody waits any more for what a worker was to do."""


class Link:
    """A connection to the scheduler at ``address``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._threads: Mapping[str, int] = {}
        self._misfits: dict[str, str] = {}  # why a worker cannot be used
        self._seen: dict[str, tuple[object, float]] = {}
        self._closed = threading.Event()
        self._client = self._connect()
        try:
            self._greet()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._watch, name="mlestar-cluster", daemon=True).start()

    def _connect(self) -> Any:
        if importlib.util.find_spec("distributed") is None:
            raise SettingsError(
                "--dask needs the package distributed; "
                "install it with `pip install 'mlestar-jupyter[dask]'`"
            )
        from distributed import Client

        make: Any = Client

        try:
            return make(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError):
            raise ExecutionError(
                f"no Dask scheduler answers at {self.address}; start one with `dask scheduler`, "
                f"and workers with `dask worker {self.address}`, or leave --dask out"
            ) from None
        except (ValueError, TypeError, ImportError) as error:
            raise SettingsError(
                f"cannot use the Dask address {self.address!r}: {error}; "
                "write for example tcp://host:8786"
            ) from error

    def _greet(self) -> None:
        """Wait for workers, and see that each can do what we ask."""
        until = time.monotonic() + CONNECT_SECONDS
        self._look()
        while not self._threads and not self._misfits and time.monotonic() < until:
            time.sleep(0.1)
            self._look()
        for worker, why in self._misfits.items():
            raise ExecutionError(f"the Dask worker {worker} cannot execute candidates: {why}")
        if not self._threads:
            raise self.nobody()

    def nobody(self) -> ExecutionError:
        """The error of a cluster without workers."""
        return ExecutionError(
            f"no worker is at the Dask scheduler {self.address}; "
            f"start some with `dask worker {self.address}`"
        )

    @property
    def workers(self) -> Mapping[str, int]:
        """The threads of each worker that can be used now, by address. ExecutionError when the
        scheduler is gone.
        """
        if self._client.status != "running":
            raise ExecutionError(
                f"the Dask scheduler at {self.address} is gone; start it and its workers again, "
                "then go on with `mlestar resume`"
            )
        return self._threads

    def call(
        self, worker: str, function: Callable[..., Any], *arguments: Any, needs: str = "",
        is_given_up: Callable[[], bool] = lambda: False,
    ) -> Any:  # fmt: skip
        """Let a worker do this as a task, and wait; what it raises is raised here.

        WorkerLost when it, or the worker that it ``needs``, is gone first, GivenUp when told so.
        """
        future = self._client.submit(
            function, *arguments, workers=[worker], allow_other_workers=False,
            key=f"mlestar-{function.__name__}-{uuid.uuid4().hex}",
        )  # fmt: skip
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        try:
            while not done.wait(0.5):
                for one in (worker, needs or worker):
                    if one not in self.workers:
                        raise WorkerLost(one)
                if is_given_up():
                    raise GivenUp
            return self._result(future, worker)
        finally:
            with contextlib.suppress(Exception):  # nobody hears it where there is no scheduler
                future.cancel() if not done.is_set() else future.release()

    def _result(self, future: Any, worker: str) -> Any:
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        try:
            return future.result(SILENT_SECONDS)
        except MlestarError:
            raise
        except (Exception, CancelledError) as error:
            if future.status == "error" and not isinstance(error, KilledWorker):
                text = " ".join(f"{type(error).__name__}: {error}".split())
                raise ExecutionError(f"{text}; look at the log of the worker") from error
            _ = self.workers  # is it the scheduler?
            raise WorkerLost(worker) from error

    def promise(self, worker: str, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Something that a worker will have, to be an argument of calls; one for each name."""
        return self._client.submit(
            function, *arguments, workers=[worker], allow_other_workers=False, key=name
        )

    def send(self, worker: str, name: str, value: Any) -> Any:
        """Put something into a worker's memory, to be an argument of calls."""
        try:
            return self._client.scatter({name: value}, workers=[worker])[name]
        except (OSError, TimeoutError, ValueError) as error:
            _ = self.workers
            raise WorkerLost(worker) from error

    def tell(
        self, function: Callable[..., Any], *arguments: Any, workers: Collection[str] | None = None
    ) -> None:
        """Let workers (all, if none are named) do this at once, beside their tasks.

        Nothing is said of those that do not answer.
        """
        there = [w for w in self._threads if workers is None or w in workers]
        if there and self._client.status == "running":
            with contextlib.suppress(OSError, TimeoutError):
                self._client.run(function, *arguments, workers=there, on_error="ignore")

    def close(self) -> None:
        """Leave the cluster, which goes on without us."""
        self._closed.set()
        # Where the scheduler is gone, Dask would print how it tried to find it again.
        log = logging.getLogger("distributed.client")
        log.addFilter(_is_silent)
        try:
            with contextlib.suppress(Exception):
                self._client.close(timeout=5)
        finally:
            log.removeFilter(_is_silent)

    def _watch(self) -> None:
        while not self._closed.wait(max(_LOOK_SECONDS, len(self._threads) / _WORKERS_A_SECOND)):
            with contextlib.suppress(Exception):  # of a scheduler that is gone: ``workers`` says so
                self._look()

    def _look(self) -> None:
        """See which workers are there, and look over those that are new."""
        now = time.monotonic()
        # Not ``scheduler_info``, which Dask refreshes itself meanwhile, without any workers.
        identity = self._client.sync(self._client.scheduler.identity, n_workers=-1)
        there = {
            address: worker
            for address, worker in identity["workers"].items()
            if worker.get("status") in ("running", "paused")
        }
        seen = {a: (w["last_seen"], now) for a, w in there.items()}
        for address in seen.keys() & self._seen.keys():
            if self._seen[address][0] == seen[address][0]:
                seen[address] = self._seen[address]
        self._seen = seen
        alive = {a: w for a, w in there.items() if now - seen[a][1] < SILENT_SECONDS}
        self._misfits = {a: why for a, why in self._misfits.items() if a in there}
        fresh = [a for a in alive if a not in self._threads and a not in self._misfits]
        self._misfits |= self._look_over(fresh)
        self._threads = {a: int(w["nthreads"]) for a, w in alive.items() if a not in self._misfits}

    def _look_over(self, workers: list[str]) -> dict[str, str]:
        """Why some of these workers cannot be used, by address."""
        if not workers:
            return {}
        here = cluster_worker.describe()
        answers = self._client.run(cluster_worker.describe, workers=workers, on_error="return")
        found = {address: _misfit(here, answer) for address, answer in answers.items()}
        return {address: why for address, why in found.items() if why}


def _is_silent(_: logging.LogRecord) -> bool:
    return False


def _misfit(here: Mapping[str, str], there: Any) -> str:
    """Why a worker with these versions cannot be used; "" when it can."""
    if isinstance(there, BaseException):
        # Dask hands over a worker's trouble with reading a message as text.
        text = " ".join(str(there).split())
        missing = re.search(r"No module named '(\w+)", text)
        why = f"it has no {missing[1].replace('_', '-')}" if missing else text
        return f"{why}; install the same packages there as here"
    for name, version in here.items():
        if there.get(name) != version:
            other = there.get(name) or "missing"
            return f"{name} is {other} there and {version} here; install the same version there"
    return ""
