"""A run as it goes, on a terminal: a bar and what an agent writes; in a pipe, lines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any

from mlestar_jupyter import report
from mlestar_jupyter.events import Event
from mlestar_jupyter.reading import ROLE_WORDS
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.session import Session

#: Columns that the rest of the line takes, and fewer than that of an agent's words are not shown.
REST, LEAST = 75, 20


class Progress:
    """Shows a run as it goes: a bar on a terminal, lines elsewhere."""

    def __init__(self, total: float) -> None:
        self.total = total
        self._writing: Writing | None = None

    def follow(self, session: Session) -> None:
        """Show what was understood, then solve and show what happens."""
        run = session.run
        print(report.pairs(report.understood(run)), flush=True)
        print(flush=True)
        bar = self._make_bar()
        write = _print if bar is None else bar.write
        run.listeners.append(lambda event: self._show(run, event, write))
        if bar is not None:
            run.watchers.append(self.watch)
            session.tick = lambda: self._tick(run, bar)
        try:
            session.solve()
        except KeyboardInterrupt:
            write(f"stopped; go on with: mlestar resume {run.folder}")
            raise
        finally:
            if bar is not None:
                bar.close()

    def watch(self, writing: Writing) -> None:
        """Take note of what an agent is writing; called from any thread."""
        self._writing = writing if writing.text else None

    def line(self, run: Run, width: int) -> str:
        """What stands behind the bar, on a terminal of this width."""
        best, spent = run.best, run.state.spending
        known = "no score yet" if best is None else f"best {best.score}"
        paid = "" if spent.is_none else f", {spent.money_words(run.settings.cost)}"
        line = f"{len(run.scored)} scored, {known}{paid}"
        writing, room = self._writing, width - REST
        if writing is not None and room >= LEAST:
            who = ROLE_WORDS.get(writing.role, writing.role)
            line += f", {who}: …{' '.join(writing.text[-2 * room :].split())[-room:]}"
        return line

    def _show(self, run: Run, event: Event, write: Callable[[str], None]) -> None:
        line = report.event_line(run, event)
        if line is not None:
            write(line)

    def _make_bar(self) -> Any:
        if not sys.stdout.isatty():
            return None
        from tqdm import tqdm

        form = "{l_bar}{bar}| {n:.0f}/{total:.0f}s {postfix}"
        return tqdm(total=self.total, bar_format=form, leave=False, file=sys.stdout)

    def _tick(self, run: Run, bar: Any) -> None:
        bar.n = min(run.elapsed, self.total)
        bar.set_postfix_str(self.line(run, shutil.get_terminal_size((100, 20)).columns))


def _print(line: str) -> None:
    print(line, flush=True)
