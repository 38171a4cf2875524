"""What Linux tells of processes, and what a process tells Linux of itself.

Nothing but the standard library: kernels are forked from a process that has imported this.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

# Threads that polars and its allocator start when they are imported. They do nothing, and forks
# without them were seen to compute as well.
_IDLE_THREADS = ("jemalloc_bg_thd", "polars-ooc")
_PDEATHSIG, _SUBREAPER = 1, 36  # linux/prctl.h


def adopt_orphans(yes: bool) -> None:
    """Whether what lost its parent below us becomes our child instead of init's."""
    _prctl(_SUBREAPER, int(yes))


def end_with_parent() -> None:
    """End this process when its parent ends."""
    _prctl(_PDEATHSIG, int(signal.SIGKILL))


def parent_of(pid: int) -> int:
    """The parent of a process. OSError when there is none of this number."""
    # The name, in parentheses, may hold anything; state and parent come after it.
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def children_of(pid: int) -> set[int]:
    """The children of a process, those that have ended and were not waited for included."""
    with contextlib.suppress(OSError):  # not every kernel is built with it
        return {
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        }
    found = set()
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):  # it has ended
            if name.isdigit() and parent_of(int(name)) == pid:
                found.add(int(name))
    return found


def working_threads() -> list[str]:
    """The names of our threads but the main one, without those that are known to do nothing."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        if task.name != str(os.getpid()):
            with contextlib.suppress(OSError):  # it has ended
                names.append((task / "comm").read_text().strip())
    return [name for name in names if not name.startswith(_IDLE_THREADS)]


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
