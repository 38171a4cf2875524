"""Warm kernels: which servers there are, for whom, and how long."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping

from mlestar_jupyter.execution.environment import PER_EXECUTION
from mlestar_jupyter.execution.servers import ForkServer, Spares, WarmError

#: Elsewhere, libraries of the system do not survive a fork.
CAN_FORK = sys.platform == "linux"

_MOST_SERVERS = 2
_IDLE_SECONDS = 300.0


class WarmKernels:
    """One server for each environment that kernels are asked for; made anew as packages change.

    ``spares`` processes wait where forks are not safe. ``shared`` are those of this process.
    """

    def __init__(self, spares: int = 2) -> None:
        self._spares = spares
        self._users = 0
        self._idle: threading.Timer | None = None
        self._lock = threading.Lock()
        self._servers: OrderedDict[frozenset[tuple[str, str]], ForkServer | Spares] = OrderedDict()
        self._retired: list[ForkServer | Spares] = []
        self._packages = _packages()

    def server(self, environment: Mapping[str, str]) -> ForkServer | Spares:
        """The one for kernels of this environment. WarmError when there can be none."""
        kept = {name: value for name, value in environment.items() if name not in PER_EXECUTION}
        key = frozenset(kept.items())
        with self._lock:
            packages = _packages()
            if packages != self._packages:
                self._retired += self._servers.values()
                self._servers.clear()
                self._packages = packages
            server = self._servers.get(key)
            if server is None or not server.is_alive:
                if server is not None:
                    server.close()
                server = self._servers[key] = self._make(kept)
            self._servers.move_to_end(key)
            while len(self._servers) > _MOST_SERVERS:
                self._retired.append(self._servers.popitem(last=False)[1])
            self._end_retired()
            return server

    def _end_retired(self) -> None:
        """Kernels of those that are asked no more may be at work still: they end with the last."""
        for server in [server for server in self._retired if server.is_idle]:
            self._retired.remove(server)
            server.close()

    def borrow(self) -> WarmKernels:
        """From now on, one more needs them."""
        with self._lock:
            self._users += 1
            if self._idle is not None:
                self._idle.cancel()
        return self

    def give_back(self) -> None:
        """One less needs them. What nobody needs is ended after some minutes."""
        with self._lock:
            self._users -= 1
            if not self._users and (self._servers or self._retired):
                self._end_when_idle()

    def _end_when_idle(self) -> None:
        self._idle = threading.Timer(_IDLE_SECONDS, self._close_if_idle)
        self._idle.daemon = True
        self._idle.start()

    def _close_if_idle(self) -> None:
        with self._lock:
            if self._users:
                return
            if not all(s.is_idle for s in (*self._servers.values(), *self._retired)):
                self._end_when_idle()  # kernels of the provisioner are at work
            else:
                self._end_all()

    @property
    def servers(self) -> list[ForkServer | Spares]:
        """Those that are used."""
        with self._lock:
            return list(self._servers.values())

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            self._end_all()

    def _end_all(self) -> None:
        for server in (*self._servers.values(), *self._retired):
            server.close()
        self._servers.clear()
        self._retired.clear()

    def _make(self, environment: Mapping[str, str]) -> ForkServer | Spares:
        if CAN_FORK:
            with contextlib.suppress(WarmError):
                return ForkServer(environment)
        return Spares(environment, self._spares)


def _packages() -> tuple[tuple[str, int], ...]:
    """What changes when a package is installed or taken away."""
    found = []
    for path in sys.path:
        if path.endswith("-packages"):  # other folders change for other reasons
            with contextlib.suppress(OSError):
                found.append((path, os.stat(path).st_mtime_ns))
    return tuple(found)


#: A server takes some seconds to start, so the runs of a process have it in common.
shared = WarmKernels()
atexit.register(shared.close)
