"""A server that has imported what candidates import, and forks a kernel for each that asks.

It never computes, so that it has one thread and forking it is safe. Parked processes (``parked``)
have executed the first cells of a notebook and are forked in its stead. All of them are children
of the server: it tells how each ended, and ends what a dead kernel left behind. When the process
that started the server is gone, everything ends.

One connection for each process that was asked for. The first message is the order::

    {"do": "kernel", "from": null or a number, "arguments", "environment", "enclosure", "work",
     "scratch"}
    {"do": "park", "from": null or a number, "number", "cells", "seeds", "report", and these}

with the log as an open file. The answers: ``{"pid": 7}``, from a process that is being parked
``{"began": 2}`` and ``{"parked": ...}``, at the end ``{"exit": 0}``; ``{"error": "..."}`` if it
cannot be. Whoever closes the connection ends the process.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar_jupyter.execution import installation, parked
from mlestar_jupyter.execution.kernel_process import (
    become_kernel,
    draw_new_randomness,
    preload,
    settle,
)
from mlestar_jupyter.execution.system import (
    adopt_orphans,
    children_of,
    end_with_parent,
    parent_of,
    working_threads,
)
from mlestar_jupyter.execution.wire import Line

_TRACKER_SECONDS = 2.0
_ANSWER_SECONDS = 20.0  # a parked process forks in some milliseconds


@dataclass
class _Child:
    """A process of ours, the line to who asked for it, and that to itself if it is parked."""

    pid: int
    asker: Line
    line: Line | None = None
    number: int | None = None


class Server:
    """The loop of the server; one thread, no time of its own."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._children: dict[int, _Child] = {}
        self._trackers: dict[int, float] = {}  # those that are left behind, and how long they may
        self._woken, self._waker = os.pipe()
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._watch(0, self._owner_left)
        self._watch(self._woken, self._reap)
        self._watch(listener.fileno(), self._accept)

    def serve(self) -> None:
        """Serve until our owner is gone."""
        while True:
            if self._trackers:
                self._end_orphans()
            # In milliseconds.
            events = self._poll.poll(1000 * _TRACKER_SECONDS if self._trackers else None)
            for file, handler in [(file, self._handlers.get(file)) for file, _ in events]:
                # Another one may have closed it just now, and a new one have got its number.
                if handler is not None and self._handlers.get(file) is handler:
                    handler()

    def _watch(self, file: int, handler: Callable[[], None]) -> None:
        self._handlers[file] = handler
        self._poll.register(file, select.POLLIN)

    def _forget(self, file: int) -> None:
        if self._handlers.pop(file, None) is not None:
            self._poll.unregister(file)

    def _owner_left(self) -> None:
        if os.read(0, 1):
            return
        for child in self._children.values():
            _kill(child.pid)
        shutil.rmtree(Path(self._listener.getsockname()).parent, ignore_errors=True)
        os._exit(0)

    def _accept(self) -> None:
        asker = Line(self._listener.accept()[0])
        order = asker.receive()
        files = asker.take_files()
        if order is None:
            asker.close()
            return
        try:
            child = self._start(order, files, asker)
        except (OSError, KeyError, ValueError) as error:
            with contextlib.suppress(OSError):
                asker.send({"error": f"{type(error).__name__}: {error}"})
            asker.close()
            return
        finally:
            for file in files:
                os.close(file)
        self._children[child.pid] = child
        self._watch(asker.fileno(), lambda: self._hung_up(child))
        if child.line is not None:
            self._watch(child.line.fileno(), lambda: self._relay(child))
        with contextlib.suppress(OSError):  # it hung up already: the next poll says so
            asker.send({"pid": child.pid})

    def _start(self, order: dict[str, Any], files: list[int], asker: Line) -> _Child:
        """Fork ourselves, or let a parked process fork."""
        ours, theirs = socket.socketpair() if order["do"] == "park" else (None, None)
        try:
            sent = files + ([theirs.fileno()] if theirs is not None else [])
            if order["from"] is None:
                pid = self._fork(order, sent, asker)
            else:
                pid = self._ask(order, sent)
        except BaseException:
            if ours is not None:
                ours.close()
            raise
        finally:
            if theirs is not None:
                theirs.close()
        line = None if ours is None else Line(ours)
        return _Child(pid, asker, line, order.get("number"))

    def _fork(self, order: dict[str, Any], files: list[int], asker: Line) -> int:
        server = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        # Here we are the child: nothing of the server's is ours.
        try:
            signal.set_wakeup_fd(-1)
            for file in [*self._handlers, self._waker, asker.fileno()]:
                if file > 2 and file not in files:
                    os.close(file)
            start(order, files, server)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(1)

    def _ask(self, order: dict[str, Any], files: list[int]) -> int:
        """Let the parked process of this number fork; the child is ours when it answers."""
        child = next((c for c in self._children.values() if c.number == order["from"]), None)
        if child is None or child.line is None:
            raise ValueError(f"no process {order['from']} is parked")
        child.line.socket.settimeout(_ANSWER_SECONDS)
        child.line.send(order, files)
        answer = child.line.receive()
        child.line.socket.settimeout(None)
        if answer is None or not _is_ours(answer["pid"]):
            _kill(child.pid)
            raise ValueError(f"the parked process {order['from']} is gone")
        return int(answer["pid"])

    def _relay(self, child: _Child) -> None:
        """What a process says while it is being parked goes to who asked for it."""
        assert child.line is not None
        message = child.line.receive()
        if message is None:
            self._forget(child.line.fileno())
            return
        with contextlib.suppress(OSError):
            child.asker.send(message)
        if child.line.has_message:
            self._relay(child)

    def _hung_up(self, child: _Child) -> None:
        """Nobody wants this process any more."""
        if child.asker.receive() is None:
            _kill(child.pid)
            self._forget(child.asker.fileno())

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
        ended = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended = True
            child = self._children.pop(pid, None)
            if child is not None:
                self._say_goodbye(child, os.waitstatus_to_exitcode(status))
        if ended:
            self._end_orphans()

    def _end_orphans(self) -> None:
        """What a kernel leaves behind becomes our child; each end may bring up more of them.

        Trackers of multiprocessing and loky give shared memory back when the last process that
        used it is gone, and end then: they get some time for it.
        """
        now = time.monotonic()
        orphans = children_of(os.getpid()) - self._children.keys()
        self._trackers = {pid: end for pid, end in self._trackers.items() if pid in orphans}
        for pid in orphans:
            if _is_tracker(pid) and self._trackers.setdefault(pid, now + _TRACKER_SECONDS) > now:
                continue
            _kill(pid)

    def _say_goodbye(self, child: _Child, code: int) -> None:
        if child.line is not None and child.line.fileno() in self._handlers:
            self._relay(child)  # its last words
        with contextlib.suppress(OSError):
            child.asker.send({"exit": code})
        for line in (child.asker, child.line):
            if line is not None:
                self._forget(line.fileno())
                line.close()


def start(order: dict[str, Any], files: list[int], server: int, state: Any = None) -> None:
    """In the new process: be what was ordered. Never returns.

    ``state`` is that of ``random`` where cells were executed before.
    """
    end_with_parent()
    if os.getppid() != server:  # it has ended meanwhile
        os._exit(1)
    settle(order, files[0])
    if state is None:
        draw_new_randomness()
    if order["do"] == "park":
        parked.park(order, Line(socket.socket(fileno=files[1])), server, state, start)
    else:
        become_kernel(order["arguments"], lambda app: parked.go_on(app, state))


def main() -> None:
    """Get ready, say so, and serve. Arguments: the address of our socket."""
    preload()
    installation.rules()  # what enclosed kernels may read: asked once
    threads = working_threads()
    adopt_orphans(True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    listener.bind(sys.argv[1])
    os.umask(before)
    listener.listen(64)
    gc.collect()
    gc.freeze()  # else the first collection in each kernel would copy all that was imported
    sys.stdout.write(json.dumps({"threads": len(threads)}) + "\n")
    sys.stdout.flush()
    Server(listener).serve()


def _is_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _is_ours(pid: int) -> bool:
    try:
        return parent_of(pid) == os.getpid()
    except OSError:
        return False


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
