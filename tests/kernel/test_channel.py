"""The channel in a real kernel: a front end reaches it while a cell is busy."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from notebooks import ask_control

from mlestar_jupyter.demo import write_demo_task

#: However slow the machine: nothing here waits longer, and nothing waits at all without need.
PATIENCE = 60.0
SETUP = """
import threading
from pathlib import Path
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter.channel import Channel
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings

stopped, commands = threading.Event(), []

def stop(folder):
    commands.append(str(folder))
    stopped.set()
    return "stopping"

run = Run.create(Path("mlestar_runs/trial"), from_folder(Path("task")), Settings(folds=2))
channel = Channel({"stop": stop})
"""
#: Ends only when the command has arrived: nothing else sets the event.
BUSY = f"""
name = channel.attach(run)
run.emit("note", text="the cell has begun")
threading.Thread(target=lambda: run.emit("note", text="said by a thread")).start()
assert stopped.wait({PATIENCE}), "no command came while the cell was busy"
run.emit("note", text="the cell has heard it")
channel.flush({PATIENCE})
print("heard", commands)
"""


class FrontEnd:
    """A front end as the protocol has it: subshell, control comm, and what came on both comms."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.comm_id = uuid.uuid4().hex
        self.replies: list[dict[str, Any]] = []
        self.events: dict[str, list[dict[str, Any]]] = {}  # id of an mlestar comm -> what came
        self.closed: list[str] = []
        self.printed = ""
        self.idle: set[str] = set()
        self.subshell = self._subshell()

    @property
    def newest(self) -> str:
        """The id of the mlestar comm that counts."""
        return list(self.events)[-1]

    def ask_control(self, kind: str) -> dict[str, Any]:
        """A request over the control channel, which a busy kernel answers as well."""
        return ask_control(self.client, kind)

    def _subshell(self) -> str:
        assert "kernel subshells" in self.ask_control("kernel_info_request")["supported_features"]
        return str(self.ask_control("create_subshell_request")["subshell_id"])

    def send(self, kind: str, data: dict[str, Any]) -> None:
        content = {"comm_id": self.comm_id, "data": data}
        if kind == "comm_open":
            content["target_name"] = "mlestar.control"
        message = self.client.session.msg(kind, content)
        message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def open(self, **hello: Any) -> dict[str, Any]:
        greeting = {"type": "hello", "id": "hello", "protocol": 1, "front_end": "test", **hello}
        self.send("comm_open", greeting)
        return self.reply("hello")

    def ask(self, kind: str, request: str, **fields: Any) -> dict[str, Any]:
        self.send("comm_msg", {"type": kind, "id": request, **fields})
        return self.reply(request)

    def reply(self, request: str) -> dict[str, Any]:
        return self.until(lambda: [r for r in self.replies if r["id"] == request])[-1]

    def until(self, found: Callable[[], Any]) -> Any:
        """Listen until there is something."""
        end = time.monotonic() + PATIENCE
        while not (value := found()):
            try:
                self._take(self.client.get_iopub_msg(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"it did not come; replies: {self.replies}") from None
        return value

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["msg_type"]:
            case "comm_open" if content["target_name"] == "mlestar":
                self.events[content["comm_id"]] = [content["data"]]
            case "comm_msg" if content["comm_id"] == self.comm_id:
                self.replies.append(content["data"])
            case "comm_msg" if content["comm_id"] in self.events:
                self.events[content["comm_id"]].append(content["data"])
            case "comm_close":
                self.closed.append(content["comm_id"])
            case "stream":
                self.printed += content["text"]
            case "status" if content["execution_state"] == "idle":
                self.idle.add(message["parent_header"]["msg_id"])
            case "error":
                raise AssertionError("\n".join(content["traceback"]))

    def run(self, code: str) -> str:
        """Execute a cell to its end; gives all that was printed so far."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content)
        message["metadata"]["cellId"] = "a-cell"  # front ends name the cell that they execute
        self.client.shell_channel.send(message)
        self.wait_for(message["header"]["msg_id"])
        return self.printed

    def wait_for(self, cell: str) -> None:
        self.until(lambda: cell in self.idle)

    def heard(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in self.events[self.newest] if m["type"] == kind]


@pytest.fixture
def front_end(tmp_path: Path) -> Iterator[FrontEnd]:
    write_demo_task(tmp_path / "task")
    manager, client = started(tmp_path)
    try:
        front_end = FrontEnd(client)
        front_end.run(SETUP)
        yield front_end
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def started(folder: Path) -> tuple[KernelManager, BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    return manager, client


def test_a_command_arrives_while_the_cell_is_still_busy(front_end: FrontEnd) -> None:
    hello = front_end.open()
    assert hello["result"]["protocol"] == 1
    assert hello["result"]["verbs"] == ["stop"]
    cell = front_end.client.execute(BUSY)
    front_end.until(lambda: [e for e in front_end.heard("event") if "thread" in str(e)])
    assert cell not in front_end.idle
    reply = front_end.ask("command", "c1", run="mlestar_runs/trial", verb="stop", arguments={})
    assert reply == {"type": "reply", "id": "c1", "ok": True, "result": "stopping"}
    again = front_end.ask("command", "c1", run="mlestar_runs/trial", verb="stop", arguments={})
    assert again == reply
    front_end.wait_for(cell)
    folder = front_end.printed.strip()
    assert folder.startswith("heard ['")
    assert folder.count("trial") == 1  # what is sent again is not done again


def test_events_come_once_and_in_order_and_a_snapshot_has_those_before(
    front_end: FrontEnd,
) -> None:
    front_end.run("for n in range(5): run.emit('note', text=f'before {n}')")
    front_end.open()
    cell = front_end.client.execute(BUSY)
    front_end.until(lambda: [e for e in front_end.heard("event") if "thread" in str(e)])
    snapshot = front_end.ask("snapshot", "s", run=None)["result"]
    assert snapshot["run"] == "mlestar_runs/trial"
    assert snapshot["status"]["state"] == "working"
    assert [e["seq"] for e in snapshot["events"]] == list(range(snapshot["seq"] + 1))
    front_end.ask("command", "c", run=snapshot["run"], verb="stop", arguments={})
    front_end.wait_for(cell)
    front_end.until(lambda: len(front_end.heard("event")) >= 3)
    events = front_end.heard("event")
    assert [e["seq"] for e in events] == [6, 7, 8]
    assert [e["event"]["text"] for e in events] == [
        "the cell has begun", "said by a thread", "the cell has heard it",
    ]  # fmt: skip


def test_a_page_that_is_loaded_again_gets_a_new_comm_and_the_old_one_is_closed(
    front_end: FrontEnd,
) -> None:
    front_end.open()
    first = front_end.newest
    front_end.run("channel.attach(run); run.emit('note', text='one'); channel.flush(60)")
    front_end.until(lambda: front_end.heard("event"))

    again = FrontEnd(front_end.client)
    again.open(comm=None)
    assert again.newest != first
    again.until(lambda: again.closed)
    assert again.closed == [first]
    again.run("run.emit('note', text='two'); channel.flush(60)")
    again.until(lambda: again.heard("event"))
    assert [e["event"]["text"] for e in again.heard("event")] == ["two"]

    same = again.ask("hello", "h2", protocol=1, front_end="test", comm=again.newest)
    assert same["ok"]
    assert len(again.events) == 1


def test_another_version_is_answered_plainly_and_hears_nothing(front_end: FrontEnd) -> None:
    reply = front_end.open(protocol=2)
    assert not reply["ok"]
    assert "speaks protocol 2" in reply["error"]
    refused = front_end.ask("snapshot", "s", run=None)
    assert refused["error"] == "say hello first, with the protocol that you speak"
    front_end.run("channel.attach(run); run.emit('note', text='one'); print(channel.is_listening)")
    front_end.until(lambda: "False" in front_end.printed)
    assert [m["type"] for m in front_end.events[front_end.newest]] == ["hello"]


def test_nothing_is_sent_after_the_front_end_has_gone(front_end: FrontEnd) -> None:
    front_end.open()
    front_end.send("comm_close", {})
    front_end.run(
        "import time\nend = time.monotonic() + 60\n"
        "while channel.is_listening: assert time.monotonic() < end\n"
        "channel.attach(run); run.emit('note', text='unheard'); print(channel.flush(60))"
    )
    front_end.until(lambda: "True" in front_end.printed)
    assert not front_end.heard("event")


def test_a_run_on_disk_can_be_shown_without_being_at_work(front_end: FrontEnd) -> None:
    front_end.run("run.emit('run_finished', reason='finished'); run.close(); del run")
    front_end.open()
    (item,) = front_end.ask("runs", "r")["result"]["runs"]
    assert (item["run"], item["attached"], item["at_work"]) == ("mlestar_runs/trial", False, False)
    snapshot = front_end.ask("snapshot", "s", run=item["run"])["result"]
    assert snapshot["status"]["state"] == "finished"
    assert front_end.ask("cells", "c", run=item["run"], headings=[])["result"] == []


def test_a_kernel_in_which_the_package_is_not_loaded_closes_the_comm(tmp_path: Path) -> None:
    manager, client = started(tmp_path)
    try:
        front_end = FrontEnd(client)
        front_end.send("comm_open", {"type": "hello", "id": "1", "protocol": 1})
        front_end.until(lambda: front_end.comm_id in front_end.closed)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
