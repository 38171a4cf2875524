"""An enclosure: what a kernel's process, and all that it starts, may still do.

Standard library alone: the process calls ``enclose`` on itself, before it has a second thread.
Each step holds as far as the system offers it, and what holds is told.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlestar_jupyter.execution import installation, landlock, seccomp
from mlestar_jupyter.execution.system import adopt_orphans
from mlestar_jupyter.settings import NOT_ISOLATED

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 24, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION = 0x20080522
_CAPABILITIES = 64  # more than there are
# What allocators keep in reserve without using it counts for the system's limit, not for ours.
_RESERVE = 2**29


@dataclass(frozen=True)
class Enclosure:
    """What is asked for.

    ``read`` and ``write`` are folders or files, beside the Python installation and the system's
    libraries, which are always readable. Without ``walls`` only the limits hold. ``memory`` is in
    bytes for each process, ``processes`` how many processes and threads this user may have beyond
    those that the machine has now, ``file_size`` in bytes; None is no limit.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    walls: bool = True
    memory: int | None = None
    processes: int | None = None
    file_size: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Enclosure:
        """The inverse of ``to_json``, from values that were JSON."""
        return cls(**{**data, "read": tuple(data["read"]), "write": tuple(data["write"])})


@dataclass(frozen=True)
class Enclosed:
    """What holds.

    ``landlock`` is the version of Landlock that keeps files, 0 for none; ``network`` says whether
    it is closed for all, "tcp" only or not at all (""); ``signals`` whether other processes cannot
    be signalled, ``processes`` whether their insides cannot be read. ``problems`` tells what was
    tried in vain.
    """

    landlock: int = 0
    network: str = ""
    signals: bool = False
    processes: bool = False
    problems: tuple[str, ...] = ()

    @property
    def is_isolated(self) -> bool:
        """Whether files and the network are closed."""
        return bool(self.landlock) and self.network == "all"

    @property
    def words(self) -> str:
        """In one line for people."""
        walls = {
            "files": bool(self.landlock),
            "network": self.network == "all",
            "other processes": self.signals and self.processes,
        }
        closed = [name for name, holds in walls.items() if holds]
        open_ = [name for name, holds in walls.items() if not holds]
        if not closed:
            return "; ".join([NOT_ISOLATED, *self.problems])
        parts = [f"closed: {', '.join(closed)}"]
        parts += [f"open: {', '.join(open_)}"] if open_ else []
        parts += [f"Landlock {self.landlock}"] if self.landlock else []
        return "; ".join([*parts, *self.problems])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Enclosed:
        """The inverse of ``to_json``, from values that were JSON."""
        return cls(**{**data, "problems": tuple(data["problems"])})


def enclose(enclosure: Enclosure) -> Enclosed:
    """Enclose this process and all that it will start. It can be called again, to allow less.

    It must have one thread. Never raises: what could not be done is a problem of the result.
    """
    _limit(enclosure)
    if sys.platform != "linux":
        return Enclosed(problems=(f"there are no walls for {sys.platform} yet",))
    libc = ctypes.CDLL(None, use_errno=True)
    adopt_orphans(True)  # so that they are found by descent
    if not enclosure.walls:
        return Enclosed(problems=("switched off",))
    problems: list[str] = []
    with _told(problems, "capabilities"):
        _drop_capabilities(libc)
    version, network = 0, ""
    if not landlock.version():
        problems.append("this system has no Landlock (Linux 5.13 and later can have it)")
    with _told(problems, "Landlock"):
        if landlock.version():
            landlock.restrict(_paths(enclosure))
            version = landlock.version()
            network = "tcp" if version >= landlock.TCP_SINCE else ""
    has_calls = False
    if not seccomp.is_known():
        problems.append("system calls of this machine are not known")
    with _told(problems, "seccomp"):
        if seccomp.is_known():
            seccomp.refuse()
            has_calls, network = True, "all"
    signals = version >= landlock.SIGNALS_SINCE
    return Enclosed(version, network, signals, bool(version) or has_calls, tuple(problems))


@contextlib.contextmanager
def _told(problems: list[str], what: str) -> Any:
    try:
        yield
    except OSError as error:
        problems.append(f"{what}: {error.strerror or error}")


def _paths(enclosure: Enclosure) -> dict[str, int]:
    return landlock.together(
        [
            *installation.rules(),
            *((path, landlock.READ) for path in enclosure.read),
            *((path, landlock.WRITE) for path in enclosure.write),
        ]
    )


def _limit(enclosure: Enclosure) -> None:
    """Set the system's own limits, where it has them."""
    if resource is None:
        return
    limits = {resource.RLIMIT_CORE: 0}
    if enclosure.file_size is not None:
        limits[resource.RLIMIT_FSIZE] = enclosure.file_size
    if sys.platform == "linux":
        if enclosure.memory is not None:
            limits[resource.RLIMIT_DATA] = enclosure.memory + _RESERVE
        if enclosure.processes is not None:
            limits[resource.RLIMIT_NPROC] = _threads() + enclosure.processes
    for kind, limit in limits.items():
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(kind)[1]
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (limit, limit))


def _threads() -> int:
    """How many threads the machine has: no user has more, and counting those of one takes long."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 2**15


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root is no exception: the files and processes of others are closed to it as well."""
    header = ctypes.create_string_buffer(struct.pack("II", _CAPABILITY_VERSION, 0))
    have = ctypes.create_string_buffer(24)
    landlock.check(libc.capget(header, have))
    if not any(have.raw):
        return
    for capability in range(_CAPABILITIES):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    landlock.check(libc.capset(header, ctypes.create_string_buffer(24)))
