"""How fast calls may follow each other: so many at once, so many a minute, and pauses that end
when the run does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.interfaces import Means

#: While something is waited for, it is looked so often whether the run was stopped, in seconds.
LOOK = 0.2
MINUTE = 60.0


def check(means: Means) -> None:
    """Raise Stopped or OutOfMeans when nothing more is to be begun."""
    if means.is_stopped:
        raise Stopped("stopped")
    if means.search_left <= 0:
        raise OutOfMeans("the time of the search is used up")


class Pace:
    """Shared by all calls of a run. ``sleep`` and ``clock`` are in seconds."""

    def __init__(
        self,
        at_once: int,
        a_minute: int | None,
        means: Means,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._free = at_once
        self._a_minute = a_minute
        self._means = means
        self._sleep, self._clock = sleep, clock
        self._changed = threading.Condition()
        self._begun: deque[float] = deque()
        self._not_before: dict[str, float] = {}

    def put_off(self, model: str, seconds: float) -> None:
        """No call of this model begins for so long: its server asked for that."""
        with self._changed:
            until = self._clock() + seconds
            self._not_before[model] = max(until, self._not_before.get(model, until))

    def pause(self, seconds: float) -> None:
        """Sleep, unless that would outlast the search: OutOfMeans. Stopped ends it."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            check(self._means)
            if left >= self._means.search_left:
                raise OutOfMeans(f"the search ends before the {left:.0f}s of waiting do")
            self._sleep(min(left, LOOK))

    @contextmanager
    def slot(self, model: str) -> Iterator[None]:
        """One of the places for calls in flight, when it is time for one more call."""
        while True:
            check(self._means)
            with self._changed:
                wait = self._wait(model)
                if wait <= 0 and self._free > 0:
                    self._free -= 1
                    if self._a_minute is not None:
                        self._begun.append(self._clock())
                    break
                if wait <= 0:
                    self._changed.wait(LOOK)
            if wait > 0:
                self.pause(wait)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def wait_for_change(self) -> None:
        """Wait until a call ends, or a moment."""
        with self._changed:
            self._changed.wait(LOOK)

    def _wait(self, model: str) -> float:
        """Seconds until a call of this model may begin."""
        now = self._clock()
        wait = self._not_before.get(model, now) - now
        if self._a_minute is not None:
            while self._begun and self._begun[0] <= now - MINUTE:
                self._begun.popleft()
            if len(self._begun) >= self._a_minute:
                wait = max(wait, self._begun[-self._a_minute] + MINUTE - now)
        return wait
