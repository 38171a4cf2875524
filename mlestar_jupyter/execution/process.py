"""The process of a kernel: what it is told to be, and how it is started from nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from mlestar_jupyter.execution import launch
from mlestar_jupyter.execution.enclosure import Enclosure


class Process(Protocol):
    """A started process, as far as a kernel needs it."""

    pid: int

    def poll(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. ``subprocess.TimeoutExpired`` after so many seconds."""


@dataclass(frozen=True)
class Order:
    """What a process is to be: a kernel with these arguments, in a folder, within an enclosure.

    What holds of the enclosure is written into ``scratch``.
    """

    arguments: list[str]
    work: Path
    scratch: Path
    environment: Mapping[str, str]
    enclosure: Enclosure | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a process that is to become it."""
        return {
            "arguments": self.arguments,
            "work": str(self.work),
            "scratch": str(self.scratch),
            "environment": dict(self.environment),
            "enclosure": None if self.enclosure is None else self.enclosure.to_json(),
        }


#: Starts the process of a kernel, which writes to the log.
Start = Callable[[Order, IO[bytes]], Process]


def start_process(order: Order, log: IO[bytes]) -> Process:
    """Start a kernel from nothing. OSError when that cannot be."""
    from jupyter_client.launcher import launch_kernel

    arguments = ["-m", launch.KERNEL, *order.arguments]
    process: subprocess.Popen[bytes] = launch_kernel(
        launch.command(order.scratch, order.enclosure, arguments),
        stdin=subprocess.DEVNULL,
        stdout=log.fileno(),
        stderr=log.fileno(),
        cwd=str(order.work),
        env=dict(order.environment),
    )
    return process
