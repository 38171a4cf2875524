"""The channel to a front end: two comms, one for what happens and one for what is asked.

``mlestar`` is opened by the kernel and only sent on; ``mlestar.control`` by the front end, over a
subshell of its own, and only answered on: docs/protocol.md says why.
"""

from __future__ import annotations

import contextlib
import inspect
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.events import Event
from mlestar_jupyter.jupyter import kernel, messages
from mlestar_jupyter.jupyter.requests import Requests, is_at_work
from mlestar_jupyter.notebook.cells import id_prefix
from mlestar_jupyter.notebook.telling import told_by
from mlestar_jupyter.run import Run, Writing

EVENTS, CONTROL = "mlestar", "mlestar.control"
#: Replies that are kept, so that a request which is sent again is not done again.
REMEMBERED = 200


@dataclass
class Attached:
    """A run whose events go to the front end."""

    name: str
    run: Run
    anchor: str | None
    listen: Callable[[Event], None]
    watch: Callable[[Writing], None]


Waiting = tuple[Attached, Event | Writing] | threading.Event


class Channel:
    """What a kernel's runs have to say to its front ends, and what these ask of it.

    ``handlers`` are called for commands as ``handlers[verb](folder, **arguments)`` with the folder
    of the run that is meant (None if there is none), from the thread of a subshell: they must
    return soon. ``defaults`` are those of a new run, for a form. Nothing here ever raises into a
    run, and without a front end nothing is sent.
    """

    def __init__(
        self,
        handlers: Mapping[str, Callable[..., Any]],
        defaults: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.handlers = handlers
        self._lock = threading.RLock()
        self._attached: dict[Path, Attached] = {}  # the last one last
        self._front_ends: dict[str, str] = {}  # id of a control comm -> who speaks there
        self._replies: dict[str, messages.Message] = {}
        self._events: Any = None  # the comm that the kernel sends on
        self._is_refused = False  # nobody was there when it was opened
        self._waiting: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._written: dict[tuple[str, str, int], Writing] = {}
        self._sender: threading.Thread | None = None
        self._requests = Requests(self._attached_runs, self._command, kernel.namespace, defaults)
        if kernel.kernel() is not None:
            from comm import get_comm_manager

            get_comm_manager().register_target(CONTROL, self._opened)

    @property
    def is_listening(self) -> bool:
        """Whether a front end is there that said hello and has not closed its comm."""
        return bool(self._front_ends)

    def attach(self, work_or_run: Any, *, anchor: str | None = None, is_last: bool = True) -> str:
        """Send what happens in a run from now on; gives the run's name in messages.

        ``anchor`` is the id of the cell below which cells of the run belong; by default that of
        the cell that is being executed. A run that is attached again goes on under its name. One
        that something is only said to does not become the last one of the kernel (``is_last``).
        """
        run: Run = work_or_run if isinstance(work_or_run, Run) else work_or_run.run
        with self._lock:
            order = list(self._attached)
            before = self.detach(run)
            name = name_of(run.folder) if before is None else before.name
            # Work that was asked for from the sidebar has no cell: that of the run stays.
            cell = kernel.cell_id() if is_last else None
            anchor = anchor or cell or (None if before is None else before.anchor)
            entry = Attached(name, run, anchor, lambda _: None, lambda _: None)
            entry.listen = lambda event: self._heard(entry, event)
            entry.watch = lambda writing: self._saw(entry, writing)
            self._attached[run.folder] = entry
            if not is_last:
                places = order if before is not None else [run.folder, *order]
                self._attached = {folder: self._attached[folder] for folder in places}
        with run.lock:
            # What was said while the run was opened again; other runs are asked for as a whole.
            for event in [] if before is None else run.events[len(before.run.events) :]:
                self._heard(entry, event)
            run.listeners.append(entry.listen)
            run.watchers.append(entry.watch)
        with contextlib.suppress(Exception):
            # Front ends name the cell that they execute. Where nobody does (papermill, nbconvert)
            # nobody would answer, and some complain of a comm that they do not know.
            if not self._is_refused and (kernel.cell_id() or self.is_listening):
                self._announce(is_new=False)
            if self.is_listening:
                self._send(self._status(entry))
        return entry.name

    def detach(self, work_or_run: Any) -> Attached | None:
        """Send nothing more of a run; gives what was known of it."""
        run: Run = work_or_run if isinstance(work_or_run, Run) else work_or_run.run
        with self._lock:
            entry = self._attached.pop(run.folder, None)
        if entry is not None and entry.listen in entry.run.listeners:
            entry.run.listeners.remove(entry.listen)
            entry.run.watchers.remove(entry.watch)
        return entry

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that happened so far is sent; False when it takes too long."""
        if self._sender is None:
            return True
        done = threading.Event()
        self._waiting.put(done)
        return done.wait(timeout)

    # What the runs say. A thread of its own makes and sends messages: reading a notebook and
    # drawing bars must not hold up a run.

    def _heard(self, entry: Attached, event: Event) -> None:
        # Called under the run's lock: nothing may wait.
        if self._front_ends:
            self._waiting.put((entry, event))

    def _saw(self, entry: Attached, writing: Writing) -> None:
        # Words come in faster than they can be shown: only the latest of an agent wait here.
        who = (entry.name, writing.role, writing.branch)
        with self._lock:
            if self._front_ends:
                if who not in self._written:
                    self._waiting.put((entry, writing))
                self._written[who] = writing

    def _start_sender(self) -> None:
        with self._lock:
            if self._sender is None:
                self._sender = threading.Thread(
                    target=self._send_all, name="mlestar-channel", daemon=True
                )
                self._sender.start()

    def _send_all(self) -> None:
        changed: dict[str, Attached] = {}
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                self._send_status(changed)
                item.set()
                continue
            entry, event = item
            if isinstance(event, Writing):
                with self._lock, contextlib.suppress(Exception):
                    event = self._written.pop((entry.name, event.role, event.branch), event)
                    self._send(messages.writing(entry.name, event))
                continue
            changed[entry.name] = entry
            # A run that was moved or damaged meanwhile has cells that cannot be made.
            with contextlib.suppress(Exception):
                self._send(messages.event(entry.name, event))
            with contextlib.suppress(Exception):
                told = told_by(entry.run, event)
                if told is not None:
                    prefix = id_prefix(entry.run.folder.name, entry.run.events)
                    self._send(messages.cells(entry.name, prefix, entry.anchor, told))
            if self._waiting.empty():
                self._send_status(changed)

    def _send_status(self, changed: dict[str, Attached]) -> None:
        """Once after many events: each takes the place of the one before."""
        for entry in changed.values():
            with contextlib.suppress(Exception):
                self._send(self._status(entry))
        changed.clear()

    def _status(self, entry: Attached) -> messages.Message:
        run = entry.run
        last = run.events[-1].seq if run.events else -1
        return messages.status(
            entry.name, run.state, last, elapsed=run.elapsed, is_at_work=is_at_work(run)
        )

    def _send(self, message: messages.Message) -> None:
        comm = self._events
        if comm is not None:
            comm.send(message)

    def _announce(self, *, is_new: bool) -> None:
        """Open the comm for events, which tells front ends that we are here."""
        if kernel.kernel() is None:
            return
        from comm import create_comm

        with self._lock:
            before = self._events
            if before is not None and not is_new:
                return
            self._events = create_comm(target_name=EVENTS, data=self._hello())
            self._events.on_close(lambda _: self._refused())
            if before is not None:
                # After the new one is there, so that no message falls between the two.
                before.on_close(None)
                before.close()

    def _refused(self) -> None:
        # A front end without our extension closes what it does not know; another one may be there.
        if not self._front_ends:
            self._events, self._is_refused = None, True

    def _hello(self) -> messages.Message:
        return messages.hello(kernel.facts(), self.handlers)

    # What the front ends ask.

    def _opened(self, comm: Any, message: Mapping[str, Any]) -> None:
        # Not ``on_msg``: that would run the shell's hooks as after a cell, and the inline backend
        # would take a plot away from the cell that is drawing it.
        comm.handle_msg = lambda m: self._asked(comm, m["content"].get("data"))
        comm.on_close(lambda _: self._front_ends.pop(comm.comm_id, None))
        data = message["content"].get("data")
        if data:
            self._asked(comm, data)

    def _asked(self, comm: Any, data: Any) -> None:
        """Answer a request. Only here is anything sent on a control comm: see above."""
        with contextlib.suppress(Exception):
            comm.send(self._answer(comm, data))

    def _answer(self, comm: Any, data: Any) -> messages.Message:
        if not isinstance(data, Mapping):
            return messages.refusal(None, "a request is an object with a type and an id")
        request, kind = data.get("id"), data.get("type")
        key = f"{comm.comm_id} {request}"
        known = self._replies.get(key) if request is not None else None
        if known is not None:
            return known
        try:
            if kind == "hello":
                result: Any = self._greeted(comm, data)
            elif comm.comm_id not in self._front_ends:
                raise MlestarError("say hello first, with the protocol that you speak")
            else:
                result = self._requests.answer(data)
            answer = messages.reply(request, result)
        except Exception as error:
            answer = messages.refusal(request, error)
        if kind == "command" and request is not None:
            with self._lock:
                self._replies[key] = answer
                while len(self._replies) > REMEMBERED:
                    self._replies.pop(next(iter(self._replies)))
        return answer

    def _greeted(self, comm: Any, data: Mapping[str, Any]) -> messages.Message:
        problem = messages.version_mismatch(data.get("protocol"))
        if problem is not None:
            raise MlestarError(problem)
        self._start_sender()
        self._front_ends[comm.comm_id] = str(data.get("front_end", "a front end"))
        # A page that was loaded again does not know the comm that was opened before.
        if self._events is None or data.get("comm") != self._events.comm_id:
            self._announce(is_new=True)
        return {**self._hello(), "runs": self._requests.runs()["runs"]}

    def _attached_runs(self) -> list[Attached]:
        with self._lock:
            return list(self._attached.values())

    def _command(self, folder: Path | None, verb: Any, arguments: Any) -> Any:
        handler = self.handlers.get(verb) if isinstance(verb, str) else None
        if handler is None:
            known = ", ".join(sorted(self.handlers)) or "none"
            raise MlestarError(f"unknown verb {verb!r}; known are: {known}")
        if not isinstance(arguments, Mapping):
            raise MlestarError(f"{verb}: arguments are an object of names and values")
        given = {str(name): value for name, value in arguments.items()}
        try:
            inspect.signature(handler).bind(folder, **given)
        except TypeError as error:
            raise MlestarError(f"{verb}: {error}") from None
        result = handler(folder, **given)
        is_plain = result is None or isinstance(result, bool | int | float | str | list | Mapping)
        return messages.plain(result) if is_plain else str(result)


def name_of(folder: Path) -> str:
    """A run's name in messages: its folder, from where the kernel is if it lies below."""
    with contextlib.suppress(ValueError, OSError):
        return folder.relative_to(Path.cwd()).as_posix()
    return folder.as_posix()
