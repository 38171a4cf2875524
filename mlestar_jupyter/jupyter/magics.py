"""``%%mlestar`` and ``%mlestar``: the agent in the user's kernel, from any front end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import Markdown, display

from mlestar_jupyter import report
from mlestar_jupyter.api import Given
from mlestar_jupyter.errors import MlestarError, SettingsError
from mlestar_jupyter.jupyter import arguments
from mlestar_jupyter.jupyter.display import Live, View, pairs_view, run_view
from mlestar_jupyter.options import to_overrides, to_settings
from mlestar_jupyter.session import Session, open_run


@magics_class
class MlestarMagics(Magics):
    """The magics; they remember the last run of this kernel."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.folder: Path | None = None

    @line_cell_magic
    def mlestar(self, line: str, cell: str | None = None) -> View | None:
        """Solve a task (``%%mlestar``), or ask for a verb of the run (``%mlestar help``)."""
        words = arguments.split(line)
        if cell is not None:
            return self._solve(words, cell)
        if not words:
            return View(arguments.usage())
        parser = arguments.line_parser()
        if words[0] not in VERBS:
            raise SettingsError(f"unknown verb {words[0]!r}; use one of {', '.join(VERBS)}")
        values = vars(parser.parse_args(words))
        if values["help"]:
            return View(arguments.verb_help(parser, values["verb"]))
        return VERBS[values["verb"]](self, values)

    def _solve(self, words: list[str], body: str) -> View | None:
        began = time.monotonic()
        values = vars(arguments.cell_parser().parse_args(words))
        if values["help"]:
            return View(arguments.usage())
        if values["resume"]:
            folder = values["out"] or self._current(values)
            return self._follow(Session.resume(folder, seconds=values["time"]))
        settings = to_settings(values)
        if values["train"]:
            frames = {
                name: self._frame(values[name], f"--{name}")
                for name in ("train", "test", "sample")
                if values[name]
            }
            data = frames.pop("train")
        elif values["data"]:
            data, frames = values["data"], {}
        else:
            raise SettingsError("give the data: --data DIR, or --train NAME with a DataFrame")
        given = Given(
            data,
            **frames,
            name=values["name"] or values["train"],
            description=body.strip(),
            overrides=to_overrides(values),
            out=values["out"],
        )
        task, kept, folder = given.understand()
        return self._follow(Session.start(task, settings, folder, began=began, frames=kept))

    def _follow(self, session: Session) -> View:
        """Show what was understood, then the run as it goes, then what came out."""
        with session:
            self.folder = session.run.folder
            display(pairs_view(report.understood(session.run)))
            self._watch(session, session.solve)
        return run_view(session.run)

    def _watch(self, session: Session, work: Callable[[], Any]) -> Any:
        live = Live(session.run)
        session.run.listeners.append(live.listen)
        session.tick = live.refresh
        try:
            return work()
        except KeyboardInterrupt:
            raise SettingsError(
                f"stopped; go on with `%%mlestar --resume --out {session.run.folder}`"
            ) from None
        finally:
            live.refresh()

    def _frame(self, name: str, option: str) -> Any:
        assert self.shell is not None
        value = self.shell.user_ns.get(name)
        if value is None:
            raise SettingsError(f"no variable {name!r} in this notebook for {option}")
        return value

    def _current(self, values: dict[str, Any]) -> Path:
        folder: Path | None = values.get("run") or self.folder
        if folder is None:
            raise SettingsError("no run yet: start one with %%mlestar, or name one with --run DIR")
        return folder

    def _refine(self, values: dict[str, Any]) -> View:
        def work(session: Session) -> None:
            session.refine(outer=values["outer"], inner=values["inner"], block=values["block"])

        return self._work(values, work)

    def _ensemble(self, values: dict[str, Any]) -> View:
        return self._work(values, lambda session: session.ensemble(rounds=values["rounds"]))

    def _ablate(self, values: dict[str, Any]) -> View:
        return self._work(values, lambda session: session.ablate())

    def _work(self, values: dict[str, Any], work: Callable[[Session], Any]) -> View:
        with Session.resume(self._current(values)) as session:
            session.extend(values["time"])
            known = set(session.run.state.candidates)
            self._watch(session, lambda: work(session))
            new = [c for c in session.run.state.candidates.values() if c.id not in known]
            lines = [report.candidate_line(session.run, c) for c in sorted(new, key=_id)]
            study = session.run.state.studies[-1:] if values["verb"] != "ensemble" else []
            text = [_study_text(s) for s in study] + ["\n".join(lines) or "nothing new was tried"]
            return View("\n\n".join([*text, report.status(session.run)]))

    def _status(self, values: dict[str, Any]) -> View:
        return run_view(open_run(self._current(values)))

    def _show(self, values: dict[str, Any]) -> View | None:
        run = open_run(self._current(values))
        wanted = run.state.best if values["id"] == "best" else values["id"].zfill(4)
        candidate = run.state.candidates.get(wanted or "")
        if candidate is None:
            known = ", ".join(sorted(run.state.candidates)) or "none yet"
            raise MlestarError(f"no candidate {values['id']!r}; there are {known}")
        display(Markdown(f"**{report.candidate_line(run, candidate)}**"))
        for block in candidate.solution.blocks:
            display(Markdown(f"`{block.name}`\n\n```python\n{block.source}\n```"))
        return None

    def _export(self, values: dict[str, Any]) -> View:
        from mlestar_jupyter.notebook.export import export

        run = open_run(self._current(values))
        return View(f"exported to {export(run, values['path'], values['candidate'])}")

    def _submit(self, values: dict[str, Any]) -> View:
        """Deliver the best candidate if the last submission is that of another one."""
        folder = self._current(values)
        run = open_run(folder)
        if run.task.source.test is None:
            raise MlestarError("this task has no rows to predict, so there is nothing to submit")
        if run.state.submission is None or run.state.submission["id"] != run.state.best:
            with Session.resume(folder) as session:
                session.extend(values["time"])
                self._watch(session, session.deliver_best)
        path = folder / "submission.csv"
        if values["path"] is not None:
            if values["path"].exists():
                raise MlestarError(f"{values['path']} exists; choose another name")
            shutil.copyfile(path, values["path"])
            path = values["path"]
        return View(f"submission of {open_run(folder).state.best}: {path}")

    def _help(self, _: dict[str, Any]) -> View:
        return View(arguments.usage())


VERBS: dict[str, Callable[[MlestarMagics, dict[str, Any]], View | None]] = {
    "refine": MlestarMagics._refine,
    "ablate": MlestarMagics._ablate,
    "ensemble": MlestarMagics._ensemble,
    "status": MlestarMagics._status,
    "show": MlestarMagics._show,
    "export": MlestarMagics._export,
    "submit": MlestarMagics._submit,
    "help": MlestarMagics._help,
}


def register(shell: Any) -> None:
    """Make the magics known to an IPython shell."""
    shell.register_magics(MlestarMagics)


def _id(candidate: Any) -> str:
    return str(candidate.id)


def _study_text(study: dict[str, Any]) -> str:
    from mlestar_jupyter.score import format_number

    rows = [
        [r["block"], r["change"][:70], "failed" if r["gain"] is None else format_number(r["gain"])]
        for r in sorted(study["results"], key=lambda r: -(r["gain"] or 0.0))
    ]
    head = ["block", "without", "what it is worth"]
    return f"{report.table(head, rows)}\n\n{study['summary']}"
