"""What a front end may ask of the runs in this kernel. Each request returns at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlestar_jupyter.algorithm.asked import edited
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.jupyter.verbs import steering
from mlestar_jupyter.jupyter.work import Work
from mlestar_jupyter.jupyter.workspace import Workspace
from mlestar_jupyter.session import Session

#: Seconds that work which a front end asks for may take, unless it says otherwise.
SECONDS = 120.0


class FrontEndRequests:
    """The verbs of a front end; the first argument is the run's folder, None for the last run.

    What they do is what ``%mlestar VERB`` does, but longer work goes on in the background: its
    events tell of it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        """The requests by verb."""
        return {
            "pause": self.pause, "resume": self.resume, "stop": self.stop, "pin": self.pin,
            "suggest": self.suggest, "undo": self.undo, "adopt": self.adopt,
            "refine": self.refine, "ablate": self.ablate, "ensemble": self.ensemble,
        }  # fmt: skip

    def pause(self, folder: Path | None) -> str:
        """Begin nothing more."""
        return steering.pause(self.workspace, {"run": folder}).text  # type: ignore[no-any-return]

    def resume(self, folder: Path | None) -> str:
        """Go on after a pause, with the next step, or after a stop."""
        live = self._live(folder)
        if live is not None:
            live.session.resume_work()
            return "goes on"
        session = self.workspace.resume({"run": folder})
        return self._begin(session, "solve", Session.solve)

    def stop(self, folder: Path | None) -> str:
        """End what is under way; does not wait for the end."""
        steering.at_work(self.workspace, {"run": folder}).session.stop()
        return "stopping"

    def pin(self, folder: Path | None, block: str | None = None) -> str:
        """Make a block the next target; None takes the pin back."""
        self.workspace.steer({"run": folder}, lambda session: session.pin(block))
        return f"pinned {block}" if block else "no block is pinned"

    def suggest(self, folder: Path | None, words: str) -> str:
        """Give the agents something to try; gives what they understand by it."""
        return self.workspace.steer({"run": folder}, lambda session: session.suggest(words))

    def undo(self, folder: Path | None, candidate: str | None = None) -> str:
        """Take a candidate back, by default the best; gives the id of the best one now."""
        run = self.workspace.run({"run": folder})
        gone = None if candidate is None else self.workspace.candidate(run, candidate)
        return self.workspace.steer({"run": folder}, lambda session: session.undo(gone).id)

    def adopt(
        self, folder: Path | None, candidate: str, blocks: dict[str, str] | None = None
    ) -> str:
        """Judge the user's own blocks in the place of a candidate's; accept it if none differs."""
        blocks = blocks or {}
        run = self.workspace.run({"run": folder})
        base = self.workspace.candidate(run, candidate)
        # What does not compile is said at once, and what is accepted as it is takes no time.
        if edited(base, blocks) is None:
            self.workspace.steer({"run": folder}, lambda session: session.accept(base))
            return f"{base.id} is the best now, by your word"
        live = self._live(folder)
        if live is None:
            return self._extend(folder, "adopt", lambda session: session.adopt(blocks, base))
        session = live.session

        def work() -> None:
            with contextlib.suppress(Exception):
                told("adopt", lambda session: session.adopt(blocks, base))(session)

        threading.Thread(target=work, name="mlestar-adopt", daemon=True).start()
        return "judging"

    def refine(self, folder: Path | None, block: str | None = None, outer: int = 1) -> str:
        """An outer step on the best candidate, or the next step of a run that waits for it."""
        live = self._live(folder)
        if live is not None and live.is_waiting:
            if block is not None:
                live.session.pin(block)
            live.session.resume_work()
            return "goes on"
        return self._extend(folder, "refine", lambda s: s.refine(outer=outer, block=block))

    def ablate(self, folder: Path | None) -> str:
        """An ablation study of the best candidate."""
        return self._extend(folder, "ablate", Session.ablate)

    def ensemble(self, folder: Path | None) -> str:
        """Plans to combine the branches' solutions."""
        return self._extend(folder, "ensemble", Session.ensemble)

    def _live(self, folder: Path | None) -> Work | None:
        return self.workspace.live({"run": folder})

    def _extend(self, folder: Path | None, title: str, work: Callable[[Session], Any]) -> str:
        self.workspace.at_rest({"run": folder}, title)
        session = self.workspace.resume({"run": folder})
        session.extend(SECONDS)
        return self._begin(session, title, work)

    def _begin(self, session: Session, title: str, work: Callable[[Session], Any]) -> str:
        # Without a display: there is no cell that it could stand below.
        self.workspace.begin(session, title, told(title, work), background=True, shown=False)
        return "begun"


def told(title: str, work: Callable[[Session], Any]) -> Callable[[Session], Any]:
    """Work that nobody waits for: what goes wrong is written into the journal, for all to see."""

    def telling(session: Session) -> Any:
        try:
            return work(session)
        except Stopped:
            raise
        except Exception as error:
            session.run.emit("note", text=f"{title}: {error}")
            raise

    return telling
