"""Placing: which worker executes what, in the order in which it was asked for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator

from mlestar_jupyter.execution.cluster_link import Link

#: Seconds to wait for workers when all of them are gone.
NOBODY_SECONDS = 60.0


class Places:
    """The threads of all workers, and what waits for some of them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._free = threading.Condition()
        self._queue: deque[object] = deque()
        self._busy: Counter[str] = Counter()  # threads in use, by worker

    @contextlib.contextmanager
    def place(
        self,
        threads: int,
        value: Callable[[str], int],
        is_over: Callable[[], bool],
        avoid: Collection[str] = (),
    ) -> Iterator[str]:
        """A worker with so many threads free, the one of most ``value``; "" when ``is_over``.

        One to ``avoid`` is taken only if there is no other; whoever has some to avoid was begun
        before those that wait. ExecutionError when the cluster is gone.
        """
        worker = self._wait(threads, value, is_over, avoid)
        try:
            yield worker
        finally:
            with self._free:
                self._busy[worker] -= threads if worker else 0
                self._free.notify_all()

    def wake(self) -> None:
        """Let those that wait see whether it is over."""
        with self._free:
            self._free.notify_all()

    def _wait(
        self,
        threads: int,
        value: Callable[[str], int],
        is_over: Callable[[], bool],
        avoid: Collection[str],
    ) -> str:
        ticket, since = object(), time.monotonic()
        with self._free:
            self._queue.appendleft(ticket) if avoid else self._queue.append(ticket)
            try:
                while not is_over():
                    workers = self._link.workers
                    if workers:
                        since = time.monotonic()
                    elif time.monotonic() - since > NOBODY_SECONDS:
                        raise self._link.nobody()
                    others = {w: n for w, n in workers.items() if w not in avoid} or workers
                    free = [w for w, n in others.items() if self._has_room(w, n, threads)]
                    if free and self._queue[0] is ticket:
                        best = max(free, key=lambda w: (value(w), others[w] - self._busy[w]))
                        self._busy[best] += threads
                        return best
                    self._free.wait(1.0)
                return ""
            finally:
                self._queue.remove(ticket)
                self._free.notify_all()

    def _has_room(self, worker: str, has: int, threads: int) -> bool:
        # One that asks for more threads than there are still gets a whole worker.
        return not self._busy[worker] or self._busy[worker] + threads <= has
