"""The budget: a hard limit of time, with a slice reserved so that a run always lands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mlestar_jupyter.endings import OutOfMeans, Stopped

#: Share of the search after which no new work of a stage begins. Refinement gets the most, as in
#: the paper (section 4.1: initial solutions are cheap, refinement is where the time goes).
STAGE_ENDS = {"initialize": 0.35, "merge": 0.5, "refine": 0.8, "ensemble": 1.0}
#: Before anything is measured, so much of the time is kept back for landing (share, seconds).
FIRST_RESERVE = 0.1, 6.0
#: A stage is not begun for a candidate that would surely be cut off.
SURELY = 0.9


class Budget:
    """How much time is left, for a stage and for the search.

    ``clock`` gives the seconds that the run has been at work. The reserve follows the incumbent:
    a slow solution needs longer to be fitted on all rows and to be reproduced. With ``staged``
    False the whole time is for one piece of work that the user asked for, and nothing is reserved.
    """

    def __init__(self, total: float, clock: Callable[[], float], *, staged: bool = True) -> None:
        self.total = total
        self._clock = clock
        self._staged = staged
        self._stop = threading.Event()
        share, least = FIRST_RESERVE
        self.reserve = max(share * total, least) if staged else 0.0

    @property
    def left(self) -> float:
        """Seconds to the hard end."""
        return self.total - self._clock()

    @property
    def search_left(self) -> float:
        """Seconds to the end of the search, when the reserved slice begins."""
        return self.left - self.reserve

    @property
    def is_stopped(self) -> bool:
        """Whether the user asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def stage_left(self, stage: str) -> float:
        """Seconds in which work of this stage may still begin."""
        share = STAGE_ENDS.get(stage, 1.0) if self._staged else 1.0
        end = (self.total - self.reserve) * share
        return end - self._clock()

    def keep_back(self, seconds: float) -> None:
        """Reserve so much for landing, but never more than half of the whole."""
        if not self._staged:
            return
        share, least = FIRST_RESERVE
        self.reserve = min(max(seconds, share * self.total / 2, least), self.total / 2)

    def has_room_after(self, stage: str, expected: float, landing: float) -> bool:
        """Whether work that is expected to take so long could begin when this stage has ended.

        ``landing`` is what landing takes longer with it, in seconds.
        """
        left = (self.total - self.reserve) * (1 - STAGE_ENDS[stage])
        return left - min(landing, self._room) >= SURELY * expected

    @property
    def _room(self) -> float:
        """Seconds by which the reserve may grow: it is never more than half of the whole."""
        return max(0.0, self.total / 2 - self.reserve) if self._staged else 0.0

    def check(self, stage: str, expected: float = 0.0, landing: float = 0.0) -> None:
        """Raise OutOfMeans when work of this stage, expected to take so long, should not begin.

        ``landing`` is what landing takes longer, in seconds, if this work gives the best.
        """
        if self._stop.is_set():
            raise Stopped
        left = self.search_left - min(landing, self._room)
        if self.stage_left(stage) <= 0 or left < SURELY * expected:
            raise OutOfMeans
