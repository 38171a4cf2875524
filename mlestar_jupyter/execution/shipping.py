"""Shipping: each parcel goes once to each worker, from this machine or from another worker."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import cluster_worker
from mlestar_jupyter.execution.cluster_link import Link, WorkerLost
from mlestar_jupyter.execution.cluster_worker import Job
from mlestar_jupyter.execution.parcels import Parcel, read


class Shipping:
    """Knows which worker has which parcel.

    The first worker gets a parcel from here, the others from those that have it: this machine's
    line to the cluster is used once, however many workers there are.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def value(self, parcels: Collection[Parcel]) -> Callable[[str], int]:
        """Tells how many bytes of these a worker has."""
        known = {parcel.key: parcel.size for parcel in parcels}
        return lambda worker: sum(n for k, n in known.items() if worker in self._holders[k])

    def forget(self, worker: str, keys: Collection[str] | None = None) -> None:
        """A worker does not have these (any more), by default nothing at all."""
        with self._lock:
            for key in list(self._holders) if keys is None else keys:
                self._holders[key].discard(worker)

    def deliver(
        self, job: Job, parcel: Parcel, source: Path, worker: str, is_given_up: Callable[[], bool]
    ) -> None:
        """Let a worker have a parcel. WorkerLost when it is gone, GivenUp when told to stop."""
        with self._lock:
            here, first = self._locks[parcel.key, worker], self._locks[parcel.key, ""]
        with here:
            if worker in self._holders[parcel.key]:
                return
            shipment = _Shipment(self._link, job, parcel, source, worker, is_given_up)
            with first:  # nobody has it: one after the other, until somebody has
                peer = self._peer(parcel.key)
                if not peer:
                    shipment.from_here()
                    with self._lock:  # the next one asks this worker
                        self._holders[parcel.key].add(worker)
            if peer:
                try:
                    shipment.from_worker(peer)
                except (WorkerLost, ExecutionError) as error:
                    if isinstance(error, WorkerLost) and error.worker == worker:
                        raise
                    self.forget(peer, [parcel.key])
                    shipment.from_here()
            with self._lock:
                self._holders[parcel.key].add(worker)

    def _peer(self, key: str) -> str:
        """Some worker that has it: what many ask for is spread over those that have it."""
        with self._lock:
            there = [worker for worker in self._holders[key] if worker in self._link.workers]
        return random.choice(there) if there else ""


@dataclass(frozen=True)
class _Shipment:
    """One parcel on its way to one worker."""

    link: Link
    job: Job
    parcel: Parcel
    source: Path
    worker: str
    is_given_up: Callable[[], bool]

    def from_here(self) -> None:
        """Read here, and through the scheduler: workers need not reach this machine."""
        for number, piece in enumerate(self.parcel.pieces()):
            name = f"mlestar-sent-{self.job.id}-{self.parcel.key}-{number}"
            parts = read(self.source, piece)
            self._take(number, self.link.send(self.worker, name, parts))

    def from_worker(self, peer: str) -> None:
        """Read by a worker that has it. Those that ask at the same time share what it reads."""
        job, parcel = self.job, self.parcel
        for number in range(len(parcel.pieces())):
            name = f"mlestar-given-{job.tenant}-{parcel.key}-{number}-{peer}"
            piece = self.link.promise(peer, name, cluster_worker.give, job.tenant, parcel, number)
            self._take(number, piece, needs=peer)

    def _take(self, number: int, parts: object, needs: str = "") -> None:
        self.link.call(
            self.worker, cluster_worker.take, self.job, self.parcel, number, parts,
            needs=needs, is_given_up=self.is_given_up,
        )  # fmt: skip
