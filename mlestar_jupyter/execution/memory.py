"""Memory and processes: what the machine has, and a watcher that keeps to limits."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from mlestar_jupyter.execution.limits import ProcessTree, Watchdog

#: The share of the machine's memory that all jobs together may use, unless something else is said.
SHARE = 0.8
#: Processes that one execution may have.
PROCESSES = 512

_INTERVAL = 0.2  # seconds between two looks
_REST = 20  # a look that costs much is followed by a rest so many times as long
# What limits a container, of the two generations of control groups: limit and use.
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def machine_memory() -> int:
    """Bytes that this machine, or the container that we are in, has."""
    total = int(psutil.virtual_memory().total)
    return min([total, *(limit for limit, _ in _container())])


def available_memory() -> int:
    """Bytes that could be taken now without swapping."""
    available = int(psutil.virtual_memory().available)
    return min([available, *(max(0, limit - used) for limit, used in _container())])


def default_memory(jobs: int) -> int:
    """Bytes for one of so many jobs: an equal part of what is there, some left to the user."""
    return int(SHARE * machine_memory()) // jobs


def used_memory(processes: Iterable[psutil.Process]) -> int:
    """Bytes that these processes use together; what they share with others counts in part."""
    return sum(_used(process) for process in processes)


class Watcher:
    """Ends an execution whose processes use too much memory together, or are too many.

    ``now`` and ``peak`` are bytes, as far as they were seen.
    """

    def __init__(self, tree: ProcessTree, watchdog: Watchdog, memory: int) -> None:
        self.now = self.peak = 0
        self._tree = tree
        self._watchdog = watchdog
        self._memory = memory
        self._is_over = threading.Event()

    def start(self) -> None:
        """Look again and again, in a thread of its own, until ``stop``."""
        threading.Thread(target=self._watch, name="mlestar-memory", daemon=True).start()

    def stop(self) -> None:
        """The execution is over."""
        self._is_over.set()

    def _watch(self) -> None:
        rest = _INTERVAL
        while not self._is_over.wait(rest):
            # Our own time: that the machine is busy is no reason to look away.
            began = time.thread_time()
            self._look()
            rest = max(_INTERVAL, _REST * (time.thread_time() - began))

    def _look(self) -> None:
        processes = self._tree.members()
        if len(processes) > PROCESSES:
            self._watchdog.end(
                "too_many_processes", f"{len(processes)} processes, {PROCESSES} are allowed"
            )
            return
        self.now = used_memory(processes)
        self.peak = max(self.peak, self.now)
        if self.now > self._memory:
            self._watchdog.end(
                "out_of_memory",
                f"its processes used {_size(self.now)} together and {_size(self._memory)} are "
                "allowed: use less, or allow more with --memory",
            )


def _used(process: psutil.Process) -> int:
    try:
        fields = {}
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, value = line.partition(":")
            fields[name] = int(value.split()[0]) * 1024
        return fields["Pss"] + fields.get("SwapPss", 0)
    except (OSError, ValueError, KeyError, IndexError):
        pass  # another system, or a process that has just ended
    try:
        return int(process.memory_info().rss)
    except (psutil.Error, OSError):
        return 0


def _container() -> list[tuple[int, int]]:
    """Limit and use of the container, in bytes; nothing where there is no limit."""
    found = []
    for limit, used in _GROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            cache = 0
            for line in used.with_name("memory.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name in ("inactive_file", "total_inactive_file"):
                    cache = int(value)  # given back when it is needed
            found.append((int(limit.read_text()), int(used.read_text()) - cache))
    return found


def _size(count: int) -> str:
    return f"{count / 2**30:.1f}G" if count >= 2**30 else f"{count / 2**20:.0f}M"
