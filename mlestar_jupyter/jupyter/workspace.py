"""What the magics of one kernel share: the last run, what is at work, the channel, the defaults."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from IPython.display import display

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError, SettingsError, short_list
from mlestar_jupyter.jupyter.channel import Channel
from mlestar_jupyter.jupyter.config import MLEStar
from mlestar_jupyter.jupyter.display import Live
from mlestar_jupyter.jupyter.work import RunStopped, Work, all_work, work_on
from mlestar_jupyter.run import Run
from mlestar_jupyter.session import Session, open_run

T = TypeVar("T")
Values = Mapping[str, Any]


class Workspace:
    """The state of the magics in one kernel. ``folder`` is that of the last run."""

    def __init__(self, shell: Any, config: MLEStar) -> None:
        self.shell = shell
        self.config = config
        self.folder: Path | None = None
        self.channel: Channel | None = None

    @property
    def namespace(self) -> Mapping[str, Any]:
        """The user's variables."""
        return self.shell.user_ns  # type: ignore[no-any-return]

    @property
    def is_headless(self) -> bool:
        """Whether nobody looks on: the notebook is executed by papermill, nbconvert or a test.

        Front ends name the cell that they execute; Colab is known by its package.
        """
        if "google.colab" in sys.modules:
            return False
        kernel = getattr(self.shell, "kernel", None)
        if kernel is None:
            return True
        parent = kernel.get_parent() or {}
        return not (parent.get("metadata") or {}).get("cellId")

    def current(self, values: Values) -> Path:
        """The run folder that a verb is about; SettingsError when there is none."""
        folder: Path | None = values.get("run") or self.folder
        if folder is None:
            raise SettingsError("no run yet: start one with %%mlestar, or name one with --run DIR")
        return folder.expanduser().resolve()

    def live(self, values: Values) -> Work | None:
        """The work on the current run in this kernel, if there is some."""
        return work_on(self.current(values))

    def run(self, values: Values) -> Run:
        """The current run as it is now, to read."""
        folder = self.current(values)
        work = work_on(folder)
        if work is not None:  # its task is understood already
            return Run.open(folder, work.run.task)
        return open_run(folder, functions=self.namespace)

    def latest(self) -> Run | None:
        """The last run, for completion: quick, as it is, and None if it cannot be read."""
        try:
            work = None if self.folder is None else work_on(self.folder)
            return self.run({}) if work is None else work.run
        except Exception:
            return None

    def candidate(self, run: Run, wanted: str) -> Candidate:
        """A candidate by its id (zeros in front may be left out), or the best one."""
        name = run.state.best if wanted == "best" else wanted.zfill(4)
        found = run.state.candidates.get(name or "")
        if found is None:
            known = short_list(sorted(run.state.candidates)) or "none yet"
            raise MlestarError(f"no candidate {wanted!r}; there are {known}")
        return found

    def begin(
        self,
        session: Session,
        title: str,
        work: Callable[[Session], Any],
        *,
        background: bool = False,
        shown: bool = True,
        intro: Any = None,
        cell: str = "",
    ) -> Any:
        """Begin work on a run, show it, and wait for it unless it goes on in the background.

        ``intro`` is shown above it.
        """
        self.folder = session.run.folder
        begun = Work(session, title, work, cell)
        try:
            if intro is not None:
                self.show(intro)
            if self.channel is not None:
                self.channel.attach(session.run)
            if shown:
                begun.show(self._live(begun))
            begun.start()
        except BaseException as error:  # an interrupt in the first moment: the lock is given back
            session.stop()
            session.close()
            if isinstance(error, KeyboardInterrupt):
                raise RunStopped(begun.stopped_words) from None
            raise
        return None if background else begun.wait()

    def attach(self, work: Work, *, background: bool = False) -> Any:
        """Show work that is under way in this cell as well, and wait for it."""
        self.folder = work.folder
        work.show(self._live(work))
        return None if background else work.wait()

    def attached_to(self, cell: str) -> Work | None:
        """The work that this very cell has begun, if it has not ended."""
        return next((work for work in all_work() if work.cell == cell), None)

    def resume(
        self, values: Values, *, seconds: float | None = None, cost: float | None = None
    ) -> Session:
        """Open the current run to go on with it."""
        folder = self.current(values)
        return Session.resume(folder, seconds=seconds, cost=cost, functions=self.namespace)

    def at_rest(self, values: Values, title: str) -> None:
        """Raise MlestarError if the current run is at work in this kernel."""
        work = self.live(values)
        if work is not None:
            raise MlestarError(
                f"the run is at work in this kernel ({work.title}); {title} it when it has ended, "
                f"or end it with %mlestar stop"
            )

    def extend(
        self, values: Values, title: str, work: Callable[[Session], T], *, background: bool = False
    ) -> T | None:
        """Work that the user asks of a run at rest, in a time of its own."""
        self.at_rest(values, title)
        session = self.resume(values)
        session.extend(values["time"])
        result: T | None = self.begin(session, title, work, background=background)
        return result

    def ask(self, values: Values, title: str, work: Callable[[Session], T]) -> T | None:
        """Work that a run can do at rest, and just as well beside what it is at."""
        live = self.live(values)
        if live is None:
            return self.extend(values, title, work)
        result = live.beside(work)
        if result is not None:
            return result
        live.wait()
        return self.extend(values, title, work)

    def steer(self, values: Values, act: Callable[[Session], T]) -> T:
        """Say something to a run, whether it is at work or at rest."""
        live = self.live(values)
        if live is not None:
            return act(live.session)
        with self.resume(values) as session:
            if self.channel is not None:
                self.channel.attach(session.run, is_last=False)
            return act(session)

    def show(self, thing: Any) -> None:
        """Show something below the cell."""
        display(thing)

    def _live(self, work: Work) -> Live:
        run, total = work.run, work.session.context.budget.total
        # Work that was asked for beside the run's own loops has a time of its own.
        start = 0.0 if total <= run.settings.seconds else work.began
        return Live(run, title=work.title, plain=self.is_headless, start=start, limit=total)
