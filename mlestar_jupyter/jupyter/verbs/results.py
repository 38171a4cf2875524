"""Verbs that give something to keep: insert, export, submit, unseal."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.executors import make_executor
from mlestar_jupyter.exporting import export as export_run
from mlestar_jupyter.jupyter import views
from mlestar_jupyter.jupyter.workspace import Values, Workspace
from mlestar_jupyter.score import format_number
from mlestar_jupyter.session import Session


def insert(workspace: Workspace, values: Values) -> Any:
    """A candidate's blocks as the next cell, which adopts them when it is executed."""
    run = workspace.run(values)
    candidate = workspace.candidate(run, values["id"])
    parent = run.state.candidates.get(candidate.parents[0]) if candidate.parents else None
    names = candidate.solution.changed(None if parent is None else parent.solution)
    if values["all"] or not names:
        names = candidate.solution.names
    blocks = "\n\n".join(f"# %% {n}\n{candidate.solution.source(n)}" for n in names)
    text = f"%%mlestar adopt {candidate.id}\n{blocks}"
    workspace.shell.set_next_input(text, replace=False)
    return views.TextView(
        f"{candidate.id}: {', '.join(names)} in the next cell. Edit it and run it: "
        f"what you make of it is judged like any other candidate"
    )


def export(workspace: Workspace, values: Values) -> Any:
    """Any candidate as a notebook, a script, a report or a folder that proves itself."""
    run = workspace.run(values)
    wanted = values["candidate"]
    name = None if wanted is None else workspace.candidate(run, wanted).id
    executor = make_executor(run.settings)
    try:
        exported = export_run(
            run, values["path"], name, executor=executor, seconds=values["time"],
            verify=not values["no_verify"],
        )  # fmt: skip
    finally:
        executor.close()
    return views.ExportedView(exported)


def submit(workspace: Workspace, values: Values) -> Any:
    """The submission of the best candidate; it is fitted anew if the last one is another's."""
    run = workspace.run(values)
    if run.task.source.test is None:
        raise MlestarError("this task has no rows to predict, so there is nothing to submit")
    copy = values["path"]
    if copy is not None and copy.exists():
        raise MlestarError(f"{copy} exists; choose another name")
    if copy is not None and not copy.absolute().parent.is_dir():
        raise MlestarError(f"no folder {copy.parent}; make it or choose another")
    if run.state.submission is None or run.state.submission["id"] != run.state.best:
        workspace.extend(values, "submit", Session.deliver_best)
    path = run.folder / "submission.csv"
    if copy is not None:
        path = Path(shutil.copyfile(path, copy))
    return views.TextView(f"submission of {workspace.run(values).state.best}: {path}")


def unseal(workspace: Workspace, values: Values) -> Any:
    """Grade the best candidate on the sealed rows, once."""
    if not workspace.run(values).validation.has_sealed:
        raise MlestarError("this run has no sealed rows; start one with --sealed 0.2")
    value, optimism = workspace.extend(values, "unseal", Session.unseal) or (0.0, 0.0)
    metric = workspace.run(values).task.metric.name
    words = f"validation was {format_number(optimism)} better"
    return views.TextView(f"sealed {metric} {format_number(value)}; {words}")


RESULTS = {"insert": insert, "export": export, "submit": submit, "unseal": unseal}
