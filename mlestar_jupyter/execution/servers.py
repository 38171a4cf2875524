"""Where warm kernels come from: a server that forks them, or processes that wait to be one.

Both have imported what candidates import. The server is for Linux (``fork_server``); elsewhere,
and where a fork is not safe, processes wait with their imports done, and each becomes one kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from mlestar_jupyter.execution.process import Order, Process
from mlestar_jupyter.execution.wire import Line

_READY_SECONDS = 120.0
_END_SECONDS = 5.0
_LOST = -9  # what a process without a server has ended with
# Makes this very package importable, also from a source tree, and takes it away again: candidates
# begin without it, and without the folder that we were started in.
_BOOT = """
import importlib, importlib.util, sys
sys.path[:] = [path for path in sys.path if path]
spec = importlib.util.spec_from_file_location("mlestar_jupyter", {init!r})
sys.modules["mlestar_jupyter"] = importlib.util.module_from_spec(spec)
main = importlib.import_module("mlestar_jupyter.execution.{module}").main
for name in [name for name in sys.modules if name.partition(".")[0] == "mlestar_jupyter"]:
    del sys.modules[name]
main()
"""
# They would start threads when they are imported, or when the first array is made.
_ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "_RJEM_MALLOC_CONF": "background_thread:false",
}


class WarmError(Exception):
    """No warm kernel can be had, and why."""


class ServedProcess:
    """A process that the fork server started. Closing the line ends it."""

    stdin = stdout = stderr = None  # they go to the log

    def __init__(self, line: Line) -> None:
        self.line = line
        self.is_parking = False  # what comes on the line is then for who waits for it to be parked
        self._lock = threading.Lock()
        self._code: int | None = None
        answer = line.receive()
        if answer is None or "pid" not in answer:
            line.close()
            raise WarmError((answer or {}).get("error", "the server of warm kernels is gone"))
        self.pid: int = answer["pid"]

    def poll(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs."""
        with self._lock:
            while self._code is None and (
                self.line.has_message or select.select([self.line], [], [], 0)[0]
            ):
                self._take(self.line.receive())
            return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. ``subprocess.TimeoutExpired`` after so many seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
            with contextlib.suppress(OSError, ValueError):  # closed by another thread meanwhile
                select.select([self.line], [], [], left)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _take(self, message: dict[str, Any] | None) -> None:
        if message is None or "exit" in message:
            self._code = _LOST if message is None else message["exit"]
            self.line.close()


class ForkServer:
    """A server process of our own. ``start`` may be called from many threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._started: weakref.WeakSet[ServedProcess] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="mlestar-server-"))
        self._address = str(self.folder / "s")
        self._log = (self.folder / "log").open("wb")
        try:
            self._process = _start("fork_server", [self._address], environment, self._log)
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise WarmError(f"it cannot be started: {error.strerror or error}") from error
        try:
            ready = json.loads(_first_line(self._process))
            if ready["threads"]:
                raise WarmError("what candidates import starts threads, so it cannot be forked")
        except (ValueError, KeyError) as error:
            self.close()
            raise WarmError(f"it did not start: {_last_line(self.folder / 'log')}") from error
        except WarmError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def start(self, order: Mapping[str, Any], log: IO[bytes]) -> ServedProcess:
        """Start what is ordered (see ``fork_server``). WarmError when that cannot be."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line = Line(end)
        try:
            end.connect(self._address)
            line.send(dict(order), [log.fileno()])
        except OSError as error:
            line.close()
            raise WarmError("the server of warm kernels is gone") from error
        process = ServedProcess(line)
        process.is_parking = order["do"] == "park"
        with self._lock:
            self._started.add(process)
        return process

    @property
    def is_idle(self) -> bool:
        """Whether no process of it is left that somebody may still use."""
        with self._lock:
            started = list(self._started)
        return all(not p.is_parking and p.poll() is not None for p in started)

    def close(self) -> None:
        """End the server and everything that it started."""
        _end(self._process)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Spares:
    """Processes that have done their imports; each becomes one kernel, and is replaced."""

    def __init__(self, environment: Mapping[str, str], count: int) -> None:
        self._environment = dict(environment)
        self._count = count
        self._lock = threading.Lock()
        self._waiting: list[subprocess.Popen[bytes]] = []
        self._refill(1)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return True

    @property
    def is_idle(self) -> bool:
        """Whether nobody uses what it started: those are no matter of its any more."""
        return True

    def start(self, order: Mapping[str, Any], log: IO[bytes]) -> Process:
        """Let one of them become the kernel that is ordered."""
        with self._lock:
            process = self._waiting.pop(0) if self._waiting else None
        if process is None:
            process = self._new()
        try:
            if _first_line(process) != "ready\n":
                raise WarmError("a warm kernel did not start")
            assert process.stdin is not None
            line = json.dumps({**order, "log": log.name}) + "\n"
            process.stdin.write(line.encode())
            process.stdin.flush()
        except (OSError, WarmError) as error:
            _end(process)
            raise WarmError(f"a warm kernel did not start: {error}") from error
        finally:
            # Beside the candidate that was waited for, never before it.
            threading.Thread(target=self._refill, args=(self._count,), daemon=True).start()
        return process

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            self._count = 0
            waiting, self._waiting = self._waiting, []
        for process in waiting:
            _end(process)

    def _new(self) -> subprocess.Popen[bytes]:
        return _start("kernel_process", [], self._environment, subprocess.DEVNULL)

    def _refill(self, count: int) -> None:
        with self._lock:
            while len(self._waiting) < min(count, self._count):
                self._waiting.append(self._new())


def start_kernel(
    server: ForkServer | Spares, order: Order, log: IO[bytes], number: int | None = None
) -> Process:
    """Let a server start a kernel, on from the parked process of this number if one is named."""
    return server.start({"do": "kernel", "from": number, **order.to_json()}, log)


def _start(
    module: str, arguments: list[str], environment: Mapping[str, str], log: Any
) -> subprocess.Popen[bytes]:
    boot = _BOOT.format(init=str(Path(__file__).parents[1] / "__init__.py"), module=module)
    return subprocess.Popen(
        [sys.executable, "-c", boot, *arguments],
        cwd=tempfile.gettempdir(),
        env={**environment, **_ONE_THREAD},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """What it says when it is ready; "" when it has ended instead."""
    assert process.stdout is not None
    timer = threading.Timer(_READY_SECONDS, process.kill)
    timer.start()
    try:
        return process.stdout.readline().decode(errors="replace")
    finally:
        timer.cancel()


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
    return "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends by itself when we hang up; else it is killed."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
