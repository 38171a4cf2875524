"""The panel in a real kernel: a click of a front end does what the button says."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

pytest.importorskip("ipywidgets")

PATIENCE = 60.0
SETUP = """
from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.jupyter import panel as module

class Desk:
    folder, namespace = None, {}

def mlestar(line, cell=None):
    print("printed by a verb")
    if line == "stop":
        raise MlestarError("nothing is at work")
    return f"said {line}"

widget = module.panel(Desk(), mlestar)
shown = module._shown
print(shown.buttons["Pause"].model_id, shown.buttons["Stop"].model_id, shown.message.model_id)
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def click(client: BlockingKernelClient, button: str, line: str) -> list[str]:
    """Click; gives what the line of the panel said until the click was dealt with."""
    data = {"method": "custom", "content": {"event": "click"}}
    message = client.session.msg("comm_msg", {"comm_id": button, "data": data})
    client.shell_channel.send(message)
    said: list[str] = []
    end = time.monotonic() + PATIENCE
    while True:
        try:
            got: dict[str, Any] = client.get_iopub_msg(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"the click was not dealt with: {said}") from None
        content = got["content"]
        assert got["msg_type"] != "error", content
        if got["msg_type"] == "comm_msg" and content["comm_id"] == line:
            said.append(content["data"].get("state", {}).get("value", ""))
        is_ours = got["parent_header"].get("msg_id") == message["header"]["msg_id"]
        if is_ours and content.get("execution_state") == "idle":
            return said


def test_a_click_says_the_verb_and_an_error_is_a_line(client: BlockingKernelClient) -> None:
    printed: list[str] = []

    def heard(message: dict[str, Any]) -> None:
        printed.append(message["content"].get("text", ""))

    reply = client.execute_interactive(SETUP, timeout=PATIENCE, output_hook=heard)
    assert reply["content"]["status"] == "ok", reply["content"]
    pause, stop, line = "".join(printed).split()
    assert "said pause" in click(client, pause, line)[-1]
    said = click(client, stop, line)[-1]
    assert "nothing is at work" in said
    assert "Traceback" not in said
