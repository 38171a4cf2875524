"""The gate: where a run waits for its user, paused or between two outer steps (step mode)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.run import Run

#: How often a waiting thread looks whether the run was stopped, in seconds.
_LOOK = 0.25


class Gate:
    """Holds work back while the user wants it to; the run's clock stands meanwhile.

    Paused: nothing more begins, what is under way is finished. Step mode: every branch waits where
    an outer step ends, and when all of them have arrived the run tells what was found.
    """

    def __init__(self, run: Run, is_stopped: Callable[[], bool]) -> None:
        self.run = run
        self._is_stopped = is_stopped
        self._condition = threading.Condition()
        self._branches: set[int] = set()
        self._reports: dict[int, dict[str, Any]] = {}

    def enter(self, branch: int) -> None:
        """A branch begins its work."""
        with self._condition:
            self._branches.add(branch)

    def leave(self, branch: int) -> None:
        """A branch has ended; the others wait for it no longer."""
        with self._condition:
            self._branches.discard(branch)
            self._tell_when_all_wait()

    def pause(self) -> None:
        """Begin nothing more until ``open``."""
        with self._condition:
            if not self.run.state.paused:
                self.run.emit("paused")
                self.run.hold_clock()

    def open(self) -> None:
        """Go on: after a pause, and with the next outer step."""
        with self._condition:
            was_waiting = bool(self.run.state.waiting)
            if self.run.state.paused or was_waiting:
                self.run.emit("resumed")
            if was_waiting:  # else one branch has arrived, and nothing was shown yet
                self._reports.clear()
            self.run.release_clock()
            self._condition.notify_all()

    def wait_while_paused(self) -> None:
        """Come back when the run is not paused. Raises Stopped when the user stops it."""
        with self._condition:
            while self.run.state.paused:
                if self._is_stopped():
                    raise Stopped
                self._condition.wait(_LOOK)

    def wait_for_user(self, branch: int, report: dict[str, Any]) -> None:
        """Come back when the user goes on. ``report`` says what was found and what comes next."""
        with self._condition:
            alone = branch not in self._branches
            if alone:
                self._branches.add(branch)
            self._reports[branch] = report
            try:
                self._tell_when_all_wait()
                while self._reports.get(branch) is report:
                    if self._is_stopped():
                        raise Stopped
                    self._condition.wait(_LOOK)
            finally:
                if alone:
                    self._branches.discard(branch)

    def _tell_when_all_wait(self) -> None:
        if self._is_stopped():
            return
        if self._branches and self._branches == set(self._reports):
            self.run.hold_clock()
            reports = [self._reports[branch] for branch in sorted(self._reports)]
            self.run.emit("step_waiting", reports=reports)
