"""Kernels: a fresh IPython kernel of this very interpreter for each execution."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import launch
from mlestar_jupyter.execution.enclosure import Enclosed, Enclosure
from mlestar_jupyter.execution.limits import MARK, ProcessTree
from mlestar_jupyter.execution.process import Order, Process, Start, start_process

_ARGUMENTS = (
    # No history file: it costs time, and parallel kernels would wait for its lock.
    "--HistoryManager.enabled=False",
    "--HistoryManager.hist_file=:memory:",
    "--log-level=40",
)
_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_PATH_LIMIT = 100  # bytes that the path of a unix socket may have: 108 on Linux, 104 on macOS
_LOG_TAIL = 8000  # characters
_LOG_MOST = 8 * _LOG_TAIL  # bytes
_CRASH = "Fatal Python error"


class Kernel:
    """An ``ipykernel`` process, its connection, and everything that it starts.

    ``scratch`` takes its connection file, sockets and log. The kernel is started by
    ``sys.executable``, not by the kernel spec of some name: it has the packages of its user.
    ``enclosed`` tells, once connected, what holds of the enclosure.
    """

    def __init__(
        self,
        scratch: Path,
        work: Path,
        environment: Mapping[str, str],
        tree: ProcessTree | None = None,
        enclosure: Enclosure | None = None,
        start: Start | None = None,
    ) -> None:
        self.tree = tree or ProcessTree()
        self.enclosed = Enclosed()
        self._enclosure = enclosure
        self._start = start or start_process
        self.language: dict[str, Any] = {}
        self._scratch = scratch
        self._work = work
        self._environment = environment
        self._file = scratch / "kernel.json"
        self._log = scratch / "kernel.log"
        self._sockets: list[Path] = []
        self._process: Process | None = None
        self._client: AsyncKernelClient | None = None
        self._is_closed = False

    def start(self) -> None:
        """Launch the process."""
        # Where it crashed goes to the log as well: ipykernel takes stderr into the cell by a pipe,
        # which nobody reads any more when the process has crashed.
        lines = [f"__import__('faulthandler').enable(open({str(self._log)!r}, 'a'), False)"]
        arguments = ["-f", str(self._file), *_ARGUMENTS, f"--IPKernelApp.exec_lines={lines!r}"]
        environment = {**self._environment, MARK: self.tree.mark}
        order = Order(arguments, self._work, self._scratch, environment, self._enclosure)
        try:
            self._write_connection()
            with self._log.open("wb") as log:
                # What the process writes before it has a client goes to the log, never to us.
                self._process = self._start(order, log)
        except OSError as error:
            raise ExecutionError(
                f"cannot start a kernel with {sys.executable}: {error.strerror or error}; "
                "free memory and disk, or run fewer jobs side by side"
            ) from error
        self.tree.plant(self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """How the process ended (negative: by that signal); None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def log(self) -> str:
        """The end of what the process wrote outside of cells; of a crash, how it begins."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_MOST))
                text = log.read().decode(errors="replace").strip()
        except OSError:
            return ""
        crash = text.rfind(_CRASH)  # stacks of all threads and hundreds of modules follow
        return text[-_LOG_TAIL:] if crash < 0 else text[crash:][:_LOG_TAIL]

    async def ended(self) -> None:
        """Wait for the process to end."""
        while self.exit_code is None:
            await asyncio.sleep(0.02)

    async def connect(self) -> AsyncKernelClient:
        """Wait until the kernel answers, and give a client that hears all that it publishes."""
        while not all(socket.exists() for socket in self._sockets):
            await asyncio.sleep(0.005)  # a socket that connects too early tries again after 100 ms
        context = zmq.asyncio.Context()
        # A loop that displays must not lose messages, among them the one that says it has ended.
        context.setsockopt(zmq.RCVHWM, 0)
        client = self._client = AsyncKernelClient(context=context)
        client.load_connection_file(str(self._file))
        # No heartbeat: it would take a busy machine for a dead kernel. We watch the process.
        client.start_channels(stdin=False, hb=False, control=False)
        while not await self._is_ready(client):
            pass
        self.enclosed = launch.enclosed(self._scratch)
        return client

    async def _is_ready(self, client: AsyncKernelClient) -> bool:
        """Whether both the reply to a request and its end on iopub were seen.

        The subscription to iopub may come late and miss the latter; then one asks again.
        """
        request = client.kernel_info()
        reply = await _receive(client.shell_channel, request, "kernel_info_reply", 60.0)
        if reply is None:
            return False
        self.language = reply["content"].get("language_info", {})
        while message := await _receive(client.iopub_channel, request, "status", 0.1):
            if message["content"]["execution_state"] == "idle":
                return True
        return False

    def close(self) -> None:
        """End every process of the kernel and give back its sockets. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.tree.kill()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
        if self._client is not None:
            self._client.context.destroy(linger=0)

    def _write_connection(self) -> None:
        path = self._scratch / "k"
        has_unix_sockets = os.name == "posix" and len(os.fsencode(path)) + 3 <= _PATH_LIMIT
        key = uuid.uuid4().hex.encode()
        if not has_unix_sockets:
            write_connection_file(str(self._file), key=key)
            return
        # No TCP ports where that can be: other users of the machine could reach them.
        write_connection_file(str(self._file), key=key, transport="ipc", ip=str(path))
        connection = json.loads(self._file.read_text())
        self._sockets = [Path(f"{path}-{connection[f'{name}_port']}") for name in _CHANNELS]


async def _receive(channel: Any, request: str, kind: str, seconds: float) -> dict[str, Any] | None:
    """The next message of this kind that belongs to the request; None when none comes in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        try:
            message: dict[str, Any] = await channel.get_msg(timeout=left)
        except Empty:
            return None
        if message["parent_header"].get("msg_id") == request and message["msg_type"] == kind:
            return message
    return None
