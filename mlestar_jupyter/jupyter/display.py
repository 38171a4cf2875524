"""The live display of a run: one output that updates in place while the run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from IPython.display import DisplayHandle, display

from mlestar_jupyter.events import Event
from mlestar_jupyter.jupyter import charts
from mlestar_jupyter.jupyter.live import live_markup, live_text, plain_text
from mlestar_jupyter.jupyter.views import View
from mlestar_jupyter.reading import ROLE_WORDS, Progress, branch_words, progress
from mlestar_jupyter.run import Run, Writing

#: Seconds between two drawings of the chart, and between updates when nothing but time passed.
CHART_EVERY, TIME_EVERY = 5.0, 2.0
#: Seconds between two updates while nothing but the words of an agent came in.
WRITING_EVERY = 1.0
#: How many of the last candidates are listed.
LAST = 5
#: So many agents are shown at their writing, and so much of the end of it.
WRITING, LINE_OF_WRITING = 3, 100


class Live:
    """The live display of a run, below the cell that is executed when it is shown first.

    ``plain`` is for notebooks that are executed with nobody looking on: text, and few updates.
    ``start`` and ``limit`` are when the work that is shown began and when its time is up, in
    seconds of the run's clock; by default they are those of the whole run.
    ``listen`` and ``watch`` may be called from any thread and return at once; ``refresh`` and
    ``finish`` may be called from any thread, but not by a listener of the run.
    """

    def __init__(
        self,
        run: Run,
        *,
        title: str = "",
        plain: bool = False,
        start: float = 0.0,
        limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.title = title
        self.plain = plain
        self.start, self.limit = start, limit
        self._clock = clock
        # Held while something is shown. The run's lock is taken and given back before it.
        self._lock = threading.Lock()
        self._handle: DisplayHandle | None = None
        self._is_shown = self._is_finished = False
        self._shown: tuple[Any, ...] = ()
        self._shown_at = 0.0
        self._heard = 0
        self._writing: dict[tuple[str, int], str] = {}
        self._writing_lock = threading.Lock()
        self._has_written = False  # since it was shown last
        self._chart = ""
        self._charted: tuple[Any, ...] = ()
        self._charted_at = 0.0

    def listen(self, event: Event) -> None:  # noqa: ARG002 (the form of a listener)
        """Take note that something happened; called from any thread."""
        self._heard += 1  # a lost count does not matter: the next one tells as well

    def watch(self, writing: Writing) -> None:
        """Take note of what an agent is writing; called from any thread."""
        who = (writing.role, writing.branch)
        with self._writing_lock:
            self._writing.pop(who, None)  # the last one to write comes last
            if writing.text.strip() and not self._is_finished:
                self._writing[who] = writing.text
            self._has_written = True

    def _written(self) -> list[str]:
        """What is being written just now, a line for each agent: the end of its words."""
        with self._writing_lock:
            self._has_written = False
            written = list(self._writing.items())[-WRITING:]
        lines = []
        for (role, branch), text in written:
            where = branch_words(self.run, branch)
            who = f"{ROLE_WORDS.get(role, role)}{f', {where}' if where else ''}"
            words = " ".join(text[-4 * LINE_OF_WRITING :].split())
            cut = words if len(words) <= LINE_OF_WRITING else "…" + words[-LINE_OF_WRITING:]
            lines.append(f"{who}: {cut}")
        return lines

    def refresh(self, force: bool = False) -> None:
        """Show the present state, if there is something new; ``force`` shows it anyhow."""
        now = self._progress()
        with self._lock:
            if self._is_finished:
                return
            if force or self._is_news(now):
                self._show(now, "", is_last=False)

    def finish(self, words: str = "") -> None:
        """Show the state at the end, with ``words`` about it; nothing is shown after that."""
        now = self._progress()
        with self._lock:
            if not self._is_finished:
                self._is_finished = True
                self._show(now, words, is_last=True)

    def _progress(self) -> Progress:
        return progress(self.run, last=LAST, start=self.start, limit=self.limit)

    def _is_news(self, now: Progress) -> bool:
        if not self._is_shown:
            return True
        if self.plain:
            return self._facts(now) != self._shown
        if self._facts(now) != self._shown:
            return True
        if self._has_written and self._clock() - self._shown_at >= WRITING_EVERY:
            return True
        # A long run needs its seconds less often than a short one.
        wait = max(TIME_EVERY, min(10.0, now.elapsed / 100))
        return now.state == "at work" and self._clock() - self._shown_at >= wait

    def _facts(self, now: Progress) -> tuple[Any, ...]:
        """What is news when it changes."""
        few = (now.state, now.stages, now.reports, now.changed)
        return few if self.plain else (*few, self._heard)

    def _show(self, now: Progress, words: str, *, is_last: bool) -> None:
        self._shown, self._shown_at = self._facts(now), self._clock()
        if self.plain:
            view: View = _Plain(plain_text(now, self.title, words))
        else:
            self._draw(now, is_last=is_last)
            written = [] if is_last else self._written()
            text = live_text(now, self.title, words, written)
            markup = live_markup(now, self.run.folder, self._chart, self.title, words, written)
            view = View(text, markup)
        if not self._is_shown:
            self._is_shown = True
            self._handle = display(view, display_id=True)
        elif self._handle is not None:
            self._handle.update(view)

    def _draw(self, now: Progress, *, is_last: bool) -> None:
        """Draw the chart anew if scores came in, but not too often."""
        drawn = (now.points, now.bests)
        is_time = not self._chart or self._clock() - self._charted_at >= CHART_EVERY
        if len(now.points) < 2 or drawn == self._charted or not (is_time or is_last):
            return
        figure = charts.score_chart(
            now.points,
            now.bests,
            metric=now.metric,
            greater_is_better=now.greater_is_better,
            until=now.elapsed / 60,
        )
        self._chart = charts.image(figure, f"{now.metric} of all candidates over time")
        self._charted, self._charted_at = drawn, self._clock()


class _Plain(View):
    """Text alone: nobody looks on."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text}
