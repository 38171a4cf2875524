"""A call over the network that ends in time, whatever the server does or does not do.

The limits of HTTP clients are for each read: a server that sends a byte a second would hold a call
for ever, and one that is silent could not be stopped. So a call runs in a thread of its own, and
when its time is up or its listener raises, its connection is shut down.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from mlestar_jupyter.agents.llm.llm import CallError, Reply, Usage

#: How often the listener is told of a call that brings nothing new, in seconds.
BEAT = 0.2


class Line:
    """What a call and the one who waits for it share."""

    def __init__(self) -> None:
        self.text = ""
        self.usage = Usage()
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def say(self, text: str) -> None:
        """Tell what has been written so far."""
        self.text = text
        self._news.set()

    def wait(self, seconds: float) -> None:
        """Wait until there is something new, at most so long."""
        self._news.wait(seconds)
        self._news.clear()

    def end(self) -> None:
        """Tell that the call is over."""
        self._news.set()

    def watch(self, name: str, info: dict[str, Any]) -> None:
        """Take note of connections: the ``trace`` extension of httpx calls this."""
        if not name.endswith(".complete"):
            return
        find = getattr(info.get("return_value"), "get_extra_info", None)
        found = find("socket") if find is not None else None
        if found is None:
            return
        with self._lock:
            self._sockets.append(found)
            is_cut = self._is_cut
        if is_cut:
            _shut(found)

    def cut(self) -> None:
        """Shut the connection down; the thread that reads from it finds its end."""
        with self._lock:
            self._is_cut = True
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)


_current = threading.local()


def watch_request(request: Any) -> None:
    """Hook for requests of an httpx client: the connection is known to the call's line."""
    line = getattr(_current, "line", None)
    if line is not None:
        request.extensions = {**request.extensions, "trace": line.watch}


def within(
    seconds: float,
    call: Callable[[Line], Reply],
    explain: Callable[[Exception], CallError],
    on_text: Callable[[str], None],
) -> Reply:
    """What ``call`` gives, within ``seconds``.

    ``explain`` makes a CallError of whatever ``call`` raises. Raises that, a CallError ``timeout``,
    or what ``on_text`` raises.
    """
    line, end = Line(), time.monotonic() + seconds
    given: list[Reply] = []
    failed: list[CallError] = []

    def work() -> None:
        _current.line = line
        try:
            given.append(call(line))
        except CallError as error:
            failed.append(error)
        except Exception as error:
            failed.append(explain(error))
        finally:
            line.end()

    # A daemon: a connection that cannot be shut down must not keep the interpreter from ending.
    thread = threading.Thread(target=work, name="mlestar-call", daemon=True)
    thread.start()
    try:
        while not given and not failed:
            left = end - time.monotonic()
            if left <= 0:
                late = f"no whole reply within {seconds:.0f}s; give more with --call-time"
                raise CallError(late, "timeout", again=True, usage=line.usage)
            line.wait(min(left, BEAT))
            if not given and not failed:  # a reply that is whole is paid for, and not thrown away
                on_text(line.text)
    except BaseException:
        line.cut()
        raise
    if given:
        return given[0]
    error = failed[0]
    if error.usage == Usage():
        error.usage = line.usage
    # Without the frames of the client: their variables have headers, and those the key.
    raise error.with_traceback(None)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
