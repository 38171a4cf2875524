"""Whether a fork of this process would equal it, and what makes it so.

A fork has one thread and its own numbers of processes; it shares open files, their positions and
mapped memory. What it could not have, or would have in common with other forks, is a hindrance.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import random
import re
import signal
import stat
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar_jupyter.execution.system import working_threads

_OPENMP = re.compile(r"/(libgomp|libomp|libiomp5)[^/]*\.so[^/]*$")
_RELEASE_ALL = 2  # omp_pause_hard
_SETTLE_SECONDS = 0.2
_MOST_ITEMS = 1000  # of a container that is searched for paths

_arrow_threads: tuple[int, int] | None = None


@dataclass(frozen=True)
class Before:
    """What a process had before it executed cells."""

    files: set[int]
    generators: object
    handlers: list[Any]
    written: int  # bytes of its log

    @classmethod
    def now(cls) -> Before:
        """What this process has now."""
        return cls(_open_files(), _generators(), _handlers(), os.fstat(1).st_size)

    @property
    def has_drawn(self) -> bool:
        """Whether a generator that everybody shares was seeded or drawn from since."""
        return _generators() != self.generators

    def hindrance(self, order: dict[str, Any]) -> str:
        """Why a fork would not equal this process; "" when it would. Makes it so if it can."""
        printed = os.fstat(1).st_size != self.written  # ending workers may print as well
        _end_workers()
        _pause_openmp()
        gc.collect()
        if printed:
            return "a library printed past Python"
        if _handlers() != self.handlers:
            return "a signal is handled"
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            return "an alarm is set"
        return (
            _folders(order)
            or _processes()
            or _threads()
            or _files(self.files)
            or _maps()
            or _comms()
            or _paths(order["work"])
        )


def use_own_files(keep: set[int]) -> None:
    """In a fork: have positions of one's own in the files that are read."""
    for file in _open_files() - keep:
        with contextlib.suppress(OSError):
            flags = fcntl.fcntl(file, fcntl.F_GETFL)
            if stat.S_ISREG(os.fstat(file).st_mode) and flags & os.O_ACCMODE == os.O_RDONLY:
                position = os.lseek(file, 0, os.SEEK_CUR)
                again = os.open(os.readlink(f"/proc/self/fd/{file}"), os.O_RDONLY | os.O_CLOEXEC)
                os.lseek(again, position, os.SEEK_SET)
                os.dup2(again, file, inheritable=False)
                os.close(again)


def use_all_threads() -> None:
    """In a fork: let Arrow have the threads again that were taken from it."""
    if _arrow_threads is not None:
        pyarrow = sys.modules["pyarrow"]
        pyarrow.set_cpu_count(_arrow_threads[0])
        pyarrow.set_io_thread_count(_arrow_threads[1])


def _generators() -> object:
    """The state of the generators that everybody shares."""
    numpy = sys.modules.get("numpy")
    legacy = None if numpy is None else numpy.random.get_state()
    return random.getstate(), None if legacy is None else (legacy[1].tobytes(), *legacy[2:])


def _handlers() -> list[Any]:
    numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    return [signal.getsignal(number) for number in sorted(numbers)]


def _end_workers() -> None:
    """Joblib keeps its workers for the next time; they would be shared by all forks."""
    executors = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(executors, "_executor", None)
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)
    # So would be the processes that look after shared memory; they are started again when needed.
    for name in ("joblib.externals.loky.backend", "multiprocessing"):
        tracker = getattr(sys.modules.get(f"{name}.resource_tracker"), "_resource_tracker", None)
        if tracker is not None:
            with contextlib.suppress(Exception):  # what is left of it is a hindrance
                tracker._stop()


def _pause_openmp() -> None:
    """Let every OpenMP runtime give back its threads: a fork would wait for them for ever."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    for path in {line.split()[-1] for line in maps if _OPENMP.search(line)}:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(path).omp_pause_resource_all(_RELEASE_ALL)


def _folders(order: dict[str, Any]) -> str:
    if os.getcwd() != order["work"]:
        return "the working folder was changed"
    # A fork has folders of its own for these.
    home, temporary = (Path(order["environment"].get(name, "/")) for name in ("HOME", "TMPDIR"))
    if any(temporary.iterdir()) or (home.parent == temporary.parent and any(home.iterdir())):
        return "files were left outside of the working folder"
    return ""


def _processes() -> str:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # it had ended
        return "processes were started"
    return ""


def _threads() -> str:
    """What other threads there are."""
    python = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    if python:
        return f"a thread is at work: {python[0]}"
    most = _shrink_arrow()
    until = time.monotonic() + _SETTLE_SECONDS
    while True:
        others = working_threads()
        named = [name for name in others if name != _own_name()]
        if not named and len(others) <= most:
            return ""
        if time.monotonic() > until:
            return f"threads of a library are at work: {(named or others)[0]}"
        time.sleep(0.01)


def _own_name() -> str:
    """The name that threads have which were not given one."""
    return Path("/proc/self/comm").read_text().strip()


def _shrink_arrow() -> int:
    """How many threads Arrow keeps at the least. It makes its pools anew in a fork."""
    global _arrow_threads
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None:
        return 0
    _arrow_threads = _arrow_threads or (pyarrow.cpu_count(), pyarrow.io_thread_count())
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    return 2


def _open_files() -> set[int]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            os.fstat(int(name))
            found.add(int(name))
    return found


def _files(before: set[int]) -> str:
    """What is open that cannot be shared: all but regular files that are only read."""
    for file in sorted(_open_files() - before):
        target, mode = os.readlink(f"/proc/self/fd/{file}"), os.fstat(file).st_mode
        flags = fcntl.fcntl(file, fcntl.F_GETFL)
        is_read = flags & os.O_ACCMODE == os.O_RDONLY
        if stat.S_ISREG(mode) and is_read and os.path.exists(target):
            continue
        if target in ("/dev/null", "/dev/urandom", "/dev/random") or target.startswith("/proc/"):
            continue
        return f"{target} is open"
    return ""


def _maps() -> str:
    """Whether memory is shared with others, and written to."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        permissions, path = fields[1], fields[5] if len(fields) > 5 else ""
        if permissions[1] == "w" and permissions[3] == "s" and path and path != "/dev/zero":
            return f"{path} is mapped"
    return ""


def _comms() -> str:
    comm = sys.modules.get("comm")
    if comm is not None and comm.get_comm_manager().comms:
        return "widgets are shown"
    return ""


def _paths(work: str) -> str:
    """Whether a variable names this process' own folder, which is not that of its forks."""
    from ipykernel.zmqshell import ZMQInteractiveShell

    shell = ZMQInteractiveShell.instance()
    folder = str(Path(work).parent)
    hidden = {*shell.user_ns_hidden, "In", "Out", "_dh"}
    for name, value in shell.user_ns.items():
        if name not in hidden and _names(value, folder, depth=3):
            return f"{name} holds the path of the working folder"
    return ""


def _names(value: Any, folder: str, depth: int) -> bool:
    if isinstance(value, str | os.PathLike):
        return folder in str(value)
    if type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        value = vars(value)
    if depth == 0 or not isinstance(value, list | tuple | set | dict) or len(value) > _MOST_ITEMS:
        return False
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    return any(_names(part, folder, depth - 1) for part in parts)
