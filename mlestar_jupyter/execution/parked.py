"""A process that has executed the first cells of a notebook, and is forked to go on from there.

A live ipykernel has a dozen threads and cannot be forked. So the cells are executed in the shell
of a kernel that is not connected; what they say is kept. Then the process makes sure that a fork
of it equals it, or tells why not, and waits. A fork becomes an ordinary kernel with that shell.
"""

from __future__ import annotations

import gc
import io
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlestar_jupyter.execution.fork_safety import Before, use_all_threads, use_own_files
from mlestar_jupyter.execution.system import adopt_orphans
from mlestar_jupyter.execution.wire import Line

_MOST_OUTPUT = 20_000_000  # characters that the cells may have said

_relays: list[_Relay] = []

Start = Callable[[dict[str, Any], list[int], int, Any], None]


class _Relay(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: keeps what is written, and later passes it on.

    Whatever took hold of the stream, such as a handler of a logger, can go on writing to it.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, kept: list[dict[str, Any]]) -> None:
        super().__init__()
        self.target: Any = None
        self._name = name
        self._kept = kept

    def write(self, text: str) -> int:
        """Keep the text with what was said just before, if that was of this stream."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if self.target is not None:
            return int(self.target.write(text) or len(text))
        last = self._kept[-1] if self._kept else None
        if last is not None and last["type"] == "stream" and last["content"]["name"] == self._name:
            last["content"]["text"] += text
        else:
            self._kept.append({"type": "stream", "content": {"name": self._name, "text": text}})
        return len(text)

    def flush(self) -> None:
        """Pass on at once, when there is somebody to pass on to."""
        if self.target is not None:
            self.target.flush()

    def writable(self) -> bool:
        """It is there to be written to."""
        return True


def park(order: dict[str, Any], line: Line, server: int, state: Any, start: Start) -> None:
    """Execute the cells of the order, report, and fork when asked. Never returns."""
    before = Before.now()
    if state is not None:
        random.setstate(state)
    cells, failed = _execute(order["cells"], lambda number: line.send({"began": number}))
    seeded = state is not None or before.has_drawn
    hindrance = "a cell failed" if failed else before.hindrance(order)
    if seeded and state is None and not order["seeds"]:
        hindrance = hindrance or "something random was drawn without a seed"
    text = json.dumps(cells)
    if len(text) > _MOST_OUTPUT:
        hindrance = hindrance or "the cells said too much"
    Path(order["report"]).write_text(text, encoding="utf-8")
    line.send({"parked": hindrance})
    if hindrance:
        os._exit(0)
    gc.collect()
    gc.freeze()
    adopt_orphans(False)  # what we fork must become the server's child
    state = random.getstate() if seeded else None
    changed = _changed(order["environment"])
    while (wanted := line.receive()) is not None:
        came = line.take_files()
        environment = {**wanted["environment"], **changed}
        wanted["environment"] = {k: v for k, v in environment.items() if v is not None}
        pid = _fork_away(wanted, came, line, server, state, start)
        for file in came:
            os.close(file)
        line.send({"pid": pid})
    os._exit(0)


def _fork_away(
    order: dict[str, Any], files: list[int], line: Line, server: int, state: Any, start: Start
) -> int:
    """Fork a process whose parent is the server, as soon as the one between has ended."""
    ours, theirs = os.pipe()
    waits, goes = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            pid = os.fork()
            if pid == 0:
                # Not before its parent has changed for good: while the one between is ending, it
                # would still take what it ends with, if that was set, for its own end.
                os.close(goes)
                os.read(waits, 1)
                for file in (line.fileno(), ours, theirs, waits):
                    os.close(file)
                use_own_files(keep={0, 1, 2, *files})
                start(order, files, server, state)
            os.write(theirs, str(pid).encode())
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(0)
    os.close(theirs)
    pid = int(os.read(ours, 20) or b"-1")
    os.waitpid(between, 0)
    os.write(goes, b"1")
    for file in (ours, waits, goes):
        os.close(file)
    return pid


def go_on(app: Any, state: Any) -> None:
    """In a kernel that has just been initialised: go on where the shell was left, if it was."""
    if not _relays:
        return
    shell = app.kernel.shell
    shell.kernel = shell.parent = app.kernel
    shell.user_ns["_dh"] = [os.getcwd()]
    for relay, stream in zip(_relays, (sys.stdout, sys.stderr), strict=True):
        relay.target = stream
    use_all_threads()
    if state is not None:

        def restore(*_: Any) -> None:
            # A fork, and the kernel's start, draw from it.
            random.setstate(state)
            shell.events.unregister("pre_run_cell", restore)

        shell.events.register("pre_run_cell", restore)


def _execute(cells: list[str], tell: Callable[[int], None]) -> tuple[list[dict[str, Any]], bool]:
    """Execute the cells in the shell: what each of them said, and whether one failed."""
    kept: list[dict[str, Any]] = []
    shell = _shell(kept)
    streams = sys.stdout, sys.stderr
    if not _relays:
        _relays.extend((_Relay("stdout", kept), _Relay("stderr", kept)))
    for relay in _relays:
        relay.target, relay._kept = None, kept
    sys.stdout, sys.stderr = _relays
    done: list[dict[str, Any]] = []
    try:
        for number, source in enumerate(cells):
            tell(number)
            kept.clear()
            began = time.monotonic()
            result = shell.run_cell(source, store_history=True)
            seconds = time.monotonic() - began
            done.append({"count": result.execution_count, "seconds": seconds, "said": list(kept)})
            shell.payload_manager.clear_payload()
            if not result.success:
                return done, True
    finally:
        sys.stdout, sys.stderr = streams
    return done, False


def _shell(kept: list[dict[str, Any]]) -> Any:
    """The shell of a kernel, which says what it has to say to ``kept``."""
    from ipykernel.compiler import XCachingCompiler
    from ipykernel.zmqshell import ZMQInteractiveShell
    from jupyter_client.session import Session
    from traitlets.config import Config

    class Listening(Session):
        """Keeps what would be sent."""

        def send(self, *arguments: Any, **options: Any) -> Any:
            message = _message(self, *arguments, **options)
            kept.append({"type": message["header"]["msg_type"], "content": message["content"]})
            return message

    if ZMQInteractiveShell.initialized():
        shell = ZMQInteractiveShell.instance()
    else:
        # As ipykernel does; ``sys.path`` begins with the folder of the notebook.
        sys.path.insert(0, "")
        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        shell = ZMQInteractiveShell.instance(
            config=config, user_ns={}, compiler_class=XCachingCompiler
        )
    session = Listening()
    publishers: tuple[Any, Any] = (shell.displayhook, shell.display_pub)
    for publisher in publishers:
        publisher.session = session
        publisher.pub_socket = object()
    return shell


def _message(session: Any, _: Any, given: Any, content: Any = None, **options: Any) -> Any:
    """The message that ``Session.send`` would send: given as one, or as its type and content."""
    del options
    return given if isinstance(given, dict) else session.msg(given, content=content)


def _changed(environment: dict[str, str]) -> dict[str, str | None]:
    """The variables that the cells have set, and (None) those that they took away."""
    changed: dict[str, str | None] = {
        name: value for name, value in os.environ.items() if environment.get(name) != value
    }
    return changed | {name: None for name in environment if name not in os.environ}
