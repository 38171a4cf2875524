"""Work in the kernel: a run goes on in a thread of its own; cells wait for it or attach to it."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.errors import BudgetError, MlestarError
from mlestar_jupyter.events import Event
from mlestar_jupyter.jupyter.display import Live
from mlestar_jupyter.run import Run
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import format_seconds

#: A waiting cell looks up so often, in seconds; an interrupt is heard at once all the same.
_LOOK = 0.25
#: What is under way gets so many seconds to end after a stop.
_ENDING_SECONDS = 30.0

T = TypeVar("T")

_lock = threading.Lock()
_works: dict[Path, Work] = {}


class RunStopped(MlestarError):  # noqa: N818 (a user reads it: it is no error)
    """The user stopped the run; it can go on."""


class Work:
    """One run that is being worked on in this kernel.

    The work thread carries the context of the cell that began it, so that what is printed or
    shown goes to that cell. Other cells that attach have displays of their own.
    """

    def __init__(
        self, session: Session, title: str, work: Callable[[Session], Any], cell: str = ""
    ) -> None:
        self.session = session
        self.title = title
        self.cell = cell
        self.began = session.run.elapsed
        self.result: Any = None
        self.error: BaseException | None = None
        self._work = work
        self._done = threading.Event()
        self._wake = threading.Event()
        self._shown: list[tuple[Live, contextvars.Context]] = []
        self._shown_lock = threading.Lock()
        self._guests = 0
        self._is_closing = False
        self._guests_changed = threading.Condition()

    @property
    def run(self) -> Run:
        """The run, as it is now."""
        return self.session.run

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder

    @property
    def is_alive(self) -> bool:
        """Whether the work has not ended yet."""
        return not self._done.is_set()

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the user between two steps."""
        return self.is_alive and bool(self.run.state.waiting)

    def start(self) -> None:
        """Begin. One work a run folder and kernel."""
        with _lock:
            _works[self.folder] = self
        self.run.listeners.append(self._listen)
        self.session.tick = self.refresh
        self.session.settle = self._settle
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._do,), name="mlestar-work", daemon=True
        )
        thread.start()

    def show(self, live: Live) -> None:
        """Show the work in the cell that is executed now, and keep what it shows up to date."""
        with self._shown_lock:
            self._shown.append((live, contextvars.copy_context()))
            self.run.listeners.append(live.listen)
            self.run.watchers.append(live.watch)
        self.refresh()

    def refresh(self, *, force: bool = False) -> None:
        """Bring all displays up to date; called from any thread."""
        with self._shown_lock:
            for live, context in self._shown:
                with contextlib.suppress(Exception):  # what cannot be shown never ends a run
                    context.run(live.refresh, force)

    @contextlib.contextmanager
    def _guest(self) -> Iterator[bool]:
        """Keep the session open for something that is asked of it beside its own work.

        Gives False when it is too late: the work has ended, and the session is closed.
        """
        with self._guests_changed:
            is_open = not self._is_closing
            self._guests += is_open
        try:
            yield is_open
        finally:
            with self._guests_changed:
                self._guests -= is_open
                self._guests_changed.notify_all()

    def beside(self, work: Callable[[Session], T]) -> T | None:
        """Do what is asked of the run beside its own work, and wait for it.

        Gives None when it is too late for that: the run's own work has ended. An interrupt ends
        the waiting alone, as RunStopped: what was asked is done all the same.
        """
        done: Future[T | None] = Future()

        def do() -> None:
            try:
                with self._guest() as is_open:
                    done.set_result(work(self.session) if is_open else None)
            except BaseException as error:
                done.set_exception(error)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(do,), name="mlestar-guest", daemon=True).start()
        try:
            return done.result()
        except KeyboardInterrupt:
            text = "this cell no longer waits; the run goes on, and what you asked with it"
            raise RunStopped(f"{text}: see %mlestar tree. To end both: %mlestar stop") from None
        except Stopped:  # the run was stopped, and so was all that was under way
            raise RunStopped(self.stopped_words) from None

    def _settle(self) -> None:
        """Wait for what was asked for beside the search, while there is time for a search."""
        budget = self.session.context.budget
        self._wait_for_guests(lambda: budget.is_stopped or budget.search_left <= 0)

    def _wait_for_guests(self, is_enough: Callable[[], bool]) -> None:
        with self._guests_changed:
            while self._guests and not is_enough():
                self._guests_changed.wait(_LOOK)

    def _close_to_guests(self) -> None:
        budget = self.session.context.budget
        with self._guests_changed:
            self._wait_for_guests(lambda: budget.is_stopped)
            self._is_closing = True

    def wait(self) -> Any:
        """Wait until the work has ended or waits for the user; gives what it gave.

        Raises what the work raised, and RunStopped when the user interrupts.
        """
        try:
            while self.is_alive and not self.is_waiting:
                self._wake.wait(_LOOK)
                self._wake.clear()
        except KeyboardInterrupt:
            self.stop()
            raise RunStopped(self.stopped_words) from None
        if not self.is_alive and self.error is not None:
            raise self.error
        self.refresh(force=True)  # the cell ends here: it shall show what is waited for
        return self.result

    def stop(self) -> None:
        """Stop softly, and wait until what was under way is ended."""
        self.session.stop()
        self._done.wait(_ENDING_SECONDS)

    @property
    def stopped_words(self) -> str:
        """How to go on after a stop."""
        if self.title != "solve":
            return f"{self.title} was stopped; what was judged before is kept"
        if not self.folder.is_dir():
            return f"stopped; its folder is gone: {self.folder}"
        return (
            f"stopped after {format_seconds(self.run.elapsed)}; nothing that was judged is lost. "
            f"Go on with `%mlestar resume`, later with `%mlestar resume --run {self.folder}`"
        )

    def _do(self) -> None:
        try:
            with self.session:
                self.result = self._work(self.session)
                self._close_to_guests()
        except (BudgetError, Stopped) as error:
            is_stopped = self.session.context.budget.is_stopped
            self.error = RunStopped(self.stopped_words) if is_stopped else error
        except BaseException as error:
            self.error = error
        finally:
            with _lock:
                if _works.get(self.folder) is self:
                    del _works[self.folder]
            try:
                self._finish_displays()
            finally:
                self._done.set()
                self._wake.set()

    def _finish_displays(self) -> None:
        words = "" if self.error is None else str(self.error)
        with self._shown_lock:
            for live, context in self._shown:
                with contextlib.suppress(Exception):
                    context.run(live.finish, words)

    def _listen(self, event: Event) -> None:
        if event.kind in ("step_waiting", "run_finished"):
            self._wake.set()


def work_on(folder: Path) -> Work | None:
    """The work on a run folder in this kernel, if there is one."""
    with _lock:
        return _works.get(folder.expanduser().resolve())


def all_work() -> list[Work]:
    """All work in this kernel, the oldest first."""
    with _lock:
        return list(_works.values())
