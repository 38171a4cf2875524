"""Messages between this process and the processes that become kernels: a line of JSON, and files.

Nothing but the standard library: kernels are forked from a process that has imported this.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

_PIECE = 1 << 16
_MOST_FILES = 4


class Line:
    """One end of a connection. OSError when a message is sent and the other end is gone."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._data = b""
        self._files: list[int] = []

    def fileno(self) -> int:
        """For ``select``."""
        return self.socket.fileno()

    def send(self, message: dict[str, Any], files: Sequence[int] = ()) -> None:
        """Send a message, with open files."""
        data = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(self.socket, [data], list(files)) if files else 0
        self.socket.sendall(data[sent:])

    def receive(self) -> dict[str, Any] | None:
        """The next message, when it is there; None when the other end is gone."""
        while not self.has_message:
            try:
                piece, files, _, _ = socket.recv_fds(self.socket, _PIECE, _MOST_FILES)
            except OSError:
                return None
            self._files += files
            if not piece:
                return None
            self._data += piece
        line, _, self._data = self._data.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    @property
    def has_message(self) -> bool:
        """Whether a whole message was read already."""
        return b"\n" in self._data

    def take_files(self) -> list[int]:
        """The files that came with what was received; they are the caller's now."""
        files, self._files = self._files, []
        return files

    def close(self) -> None:
        """Hang up."""
        for file in self.take_files():
            os.close(file)
        self.socket.close()
