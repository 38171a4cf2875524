"""Limits: an execution ends when its time is up, and no process of it is left behind."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import psutil

from mlestar_jupyter.execution.system import parent_of

#: Environment variable by which the processes of one execution are told.
MARK = "MLESTAR_EXECUTION"

Reason = Literal["timed_out", "cancelled", "out_of_memory", "too_many_processes"]


class ProcessTree:
    """A kernel and every process that it started, told by descent and by a mark.

    The mark is inherited with the environment, so that processes which changed their session or
    lost their parent are found as well. On Linux, orphans become children of an enclosed kernel
    (``enclosure``), so that those which cleared their environment are found by descent; and one
    that was seen once stays known when the kernel dies.
    """

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._known: set[psutil.Process] = set()
        self._spared: set[int] = set()
        self._lock = threading.Lock()  # it is watched in one thread and planted in another
        self._is_felled = False

    def plant(self, pid: int) -> None:
        """Say which process is a kernel, as soon as it was started."""
        process = _process(pid)
        with self._lock:
            self._known |= {process} if process is not None else set()
        if self._is_felled:  # while it was being started, so that it could not be seen yet
            self.kill()

    def spare(self, pid: int) -> None:
        """This process, planted before, and what it starts are of the tree no more."""
        with self._lock:
            self._spared.add(pid)

    def members(self) -> set[psutil.Process]:
        """The processes of the tree that are alive."""
        with self._lock:
            self._known = self._look()
            return set(self._known)

    def _look(self) -> set[psutil.Process]:
        pids = [pid for pid in psutil.pids() if pid not in self._spared]
        found = {pid for pid in pids if self._is_marked(pid)}
        found |= {process.pid for process in self._known if _is_alive(process)}
        children: dict[int, list[int]] = {}
        for pid in pids:
            children.setdefault(_parent(pid), []).append(pid)
        unseen = list(found)
        while unseen:
            fresh = [child for child in children.get(unseen.pop(), ()) if child not in found]
            found.update(fresh)
            unseen += fresh
        found -= self._spared
        processes = {process for pid in found if (process := _process(pid)) is not None}
        return {process for process in processes if _is_alive(process)}

    def fell(self) -> None:
        """End them all, and whatever is planted later."""
        self._is_felled = True
        self.kill()

    def kill(self) -> None:
        """End them all. They are stopped first, so that none can start another meanwhile."""
        stopped: set[psutil.Process] = set()
        while fresh := self.members() - stopped:
            _signal(fresh, psutil.Process.suspend)
            stopped |= fresh
        # Trackers of multiprocessing and loky remove shared memory and semaphores as soon as
        # nobody uses them any more, then end: killed at once, they would leave those for ever.
        trackers = {process for process in stopped if _is_tracker(process)}
        _signal(stopped - trackers, psutil.Process.kill)
        _signal(trackers, psutil.Process.resume)
        _wait(trackers, 1.0)
        _signal(trackers, psutil.Process.kill)
        _wait(stopped, 5.0)

    def _is_marked(self, pid: int) -> bool:
        try:
            if sys.platform == "linux":  # several times as fast as psutil's way
                mark = f"{MARK}={self.mark}".encode()
                return mark in Path(f"/proc/{pid}/environ").read_bytes()
            return bool(psutil.Process(pid).environ().get(MARK) == self.mark)
        except (psutil.Error, OSError):
            return False  # of another user, or gone


class Watchdog:
    """Ends an execution when its time is up, or when told to. The first reason counts."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self.reason: Reason | None = None
        self.words = ""
        self._kill = kill
        self._lock = threading.Lock()
        self._is_over = False
        self._timer: threading.Timer | None = None

    def start(self, seconds: float) -> None:
        """Start the clock."""
        limit = min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        self._timer = threading.Timer(limit, self.end, ["timed_out"])
        self._timer.daemon = True
        self._timer.start()

    def end(self, reason: Reason, words: str = "") -> None:
        """End the execution for this reason, told in ``words``, unless it is over."""
        with self._lock:
            if self._is_over:
                return
            if self.reason is None:
                self.reason, self.words = reason, words
        self._kill()

    def release(self) -> Reason | None:
        """The execution is over: stop the clock, and say why it was ended, if it was."""
        with self._lock:
            self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        return self.reason


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def _parent(pid: int) -> int:
    try:
        if sys.platform == "linux":
            return parent_of(pid)
        return int(psutil.Process(pid).ppid())
    except (psutil.Error, OSError):
        return -1


def _is_alive(process: psutil.Process) -> bool:
    # A zombie has ended, unless it only ended its first thread and others go on; only its parent,
    # which need not be us, can make it go away.
    try:
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return bool(process.is_running() and (not is_zombie or process.num_threads() > 1))
    except psutil.Error:
        return False


def _is_tracker(process: psutil.Process) -> bool:
    try:
        return any("resource_tracker" in argument for argument in process.cmdline())
    except (psutil.Error, OSError):
        return False


def _signal(processes: Iterable[psutil.Process], send: Callable[[psutil.Process], object]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            send(process)


def _wait(processes: Iterable[psutil.Process], seconds: float) -> None:
    until = time.monotonic() + seconds
    left = list(processes)
    while (
        left := [process for process in left if _is_alive(process)]
    ) and time.monotonic() < until:
        time.sleep(0.005)
