"""A front end without a browser: its comm, as a channel in this process has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from mlestar_jupyter.jupyter.channel import Channel

_ids = count()


class Comm:
    """A comm of a front end, as the kernel has it."""

    def __init__(self) -> None:
        self.comm_id = f"comm-{next(_ids)}"
        self.sent: list[dict[str, Any]] = []
        self.handle_msg: Callable[[Any], None] = lambda _: None
        self.closed: Callable[[Any], None] = lambda _: None

    def on_close(self, callback: Callable[[Any], None]) -> None:
        self.closed = callback

    def send(self, data: dict[str, Any]) -> None:
        json.dumps(data, allow_nan=False)
        self.sent.append(data)

    def ask(self, data: Any) -> dict[str, Any]:
        self.handle_msg({"content": {"data": data}})
        return self.sent[-1]


def connected(channel: Channel, **hello: Any) -> Comm:
    """A front end that has said hello."""
    comm = Comm()
    greeting = {"type": "hello", "id": "hello", "protocol": 1, "front_end": "test", **hello}
    channel._opened(comm, {"content": {"data": greeting}})
    return comm
