"""A front end for tests: a real kernel, driven through jupyter_client as JupyterLab drives it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

#: However slow the machine: nothing waits longer than this, and nothing waits without need.
PATIENCE = 150.0


@dataclass
class Cell:
    """A cell that was executed: what it shows now, and whether it has ended."""

    id: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    payload: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    is_idle: bool = False
    is_replied: bool = False
    updates: int = 0

    @property
    def text(self) -> str:
        """All that it shows, as plain text."""
        return "\n".join(o.get("text/plain", o.get("text", "")) for o in self.outputs)

    @property
    def html(self) -> str:
        """All that it shows as HTML."""
        return "\n".join(o.get("text/html", "") for o in self.outputs)


class Notebook:
    """A notebook with a kernel: executes cells and takes in what they show."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.cells: dict[str, Cell] = {}
        self._displays: dict[str, list[dict[str, Any]]] = {}

    def begin(self, code: str, *, subshell: str | None = None) -> Cell:
        """Execute a cell without waiting for its end."""
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": False, "stop_on_error": False,
        }  # fmt: skip
        message = self.client.session.msg("execute_request", content)
        message["metadata"]["cellId"] = f"cell-{len(self.cells)}"
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        cell = Cell(message["header"]["msg_id"])
        self.cells[cell.id] = cell
        return cell

    def run(self, code: str, *, subshell: str | None = None) -> Cell:
        """Execute a cell and wait for its end; an error in it is in ``error``."""
        return self.wait(self.begin(code, subshell=subshell))

    def wait(self, cell: Cell) -> Cell:
        """Wait for a cell's end."""
        self.until(lambda: cell.is_idle)
        end = time.monotonic() + PATIENCE
        while not cell.is_replied and time.monotonic() < end:
            self.client.shell_channel.socket.poll(100)
            self._replies()
        return cell

    def until(self, condition: Callable[[], Any]) -> None:
        """Take messages in until the condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            try:
                self._replies()
                self._take(self.client.get_iopub_msg(timeout=max(0.01, end - time.monotonic())))
            except queue.Empty:
                shown = "\n".join(c.text[-2000:] + c.error for c in self.cells.values())
                raise AssertionError(f"it did not come; cells show:\n{shown}") from None

    def _replies(self) -> None:
        """Take in what replies carry beside the outputs: the next cell's text, for example."""
        while self.client.shell_channel.msg_ready():
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            cell = self.cells.get(reply["parent_header"].get("msg_id", ""))
            if cell is not None:
                cell.payload += reply["content"].get("payload", [])
                cell.is_replied = True

    def ask_control(self, kind: str) -> dict[str, Any]:
        """A request over the control channel, which a busy kernel answers as well."""
        return ask_control(self.client, kind)

    def subshell(self) -> str:
        """A new subshell of the kernel."""
        return str(self.ask_control("create_subshell_request")["subshell_id"])

    def restart(self) -> None:
        """Restart the kernel, whatever it is at."""
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=PATIENCE)

    @contextmanager
    def second_client(self) -> Iterator[Notebook]:
        """Another client of the same kernel."""
        # Not manager.client(): it would share the session, and so the ids of messages.
        client = BlockingKernelClient(connection_file=self.manager.connection_file)
        client.load_connection_file()
        client.start_channels()
        try:
            yield Notebook(self.manager, client)
        finally:
            client.stop_channels()

    def _take(self, message: dict[str, Any]) -> None:
        content, kind = message["content"], message["msg_type"]
        if kind == "update_display_data":
            for shown in self._displays.get(content["transient"]["display_id"], []):
                shown.clear()
                shown.update(content["data"])
            for cell in self.cells.values():
                cell.updates += 1
            return
        cell = self.cells.get(message["parent_header"].get("msg_id", ""))
        if cell is None:
            return
        if kind == "stream":
            cell.outputs.append({"text": content["text"]})
        elif kind in ("display_data", "execute_result"):
            shown = dict(content["data"])
            cell.outputs.append(shown)
            name = content.get("transient", {}).get("display_id")
            if name:
                self._displays.setdefault(name, []).append(shown)
        elif kind == "error":
            cell.error = "\n".join(content["traceback"])
        elif kind == "status" and content["execution_state"] == "idle":
            cell.is_idle = True


def ask_control(client: BlockingKernelClient, kind: str) -> dict[str, Any]:
    """A request over the control channel, which a busy kernel answers as well."""
    message = client.session.msg(kind, {})
    client.control_channel.send(message)
    while True:
        reply = client.get_control_msg(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return dict(reply["content"])


@contextmanager
def open_notebook(folder: Path) -> Iterator[Notebook]:
    """A notebook in ``folder`` with a kernel of its own and our extension loaded."""
    manager, client = start_new_kernel(
        startup_timeout=PATIENCE, kernel_name="python3", cwd=str(folder)
    )
    try:
        notebook = Notebook(manager, client)
        loaded = notebook.run("%load_ext mlestar_jupyter")
        assert not loaded.error, loaded.error
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
