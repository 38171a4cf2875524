"""Verbs that look: status, tree, show, diff, why, cost, runs. They change nothing."""

from __future__ import annotations

from typing import Any

from mlestar_jupyter.jupyter import views
from mlestar_jupyter.jupyter.workspace import Values, Workspace
from mlestar_jupyter.run import RUNS


def status(workspace: Workspace, values: Values) -> Any:
    """Where the run stands, and its best candidates."""
    return views.run_view(workspace.run(values))


def tree(workspace: Workspace, values: Values) -> Any:
    """Which candidate came from which."""
    return views.TreeView(workspace.run(values))


def show(workspace: Workspace, values: Values) -> Any:
    """A candidate, block by block."""
    run = workspace.run(values)
    return views.CandidateView(run, workspace.candidate(run, values["id"]))


def diff(workspace: Workspace, values: Values) -> Any:
    """What differs between a candidate and another one, by default its first parent."""
    run = workspace.run(values)
    candidate = workspace.candidate(run, values["id"])
    other = None
    if values["other"] is not None:
        other = workspace.candidate(run, values["other"])
    elif candidate.parents:
        other = run.state.candidates.get(candidate.parents[0])
    return views.DiffView(run, candidate, other)


def why(workspace: Workspace, values: Values) -> Any:
    """Why a candidate is as it is, and what was tried and lost."""
    run = workspace.run(values)
    return views.WhyView(run, workspace.candidate(run, values["id"]))


def cost(workspace: Workspace, values: Values) -> Any:
    """Where the time and the money went."""
    return views.CostView(workspace.run(values))


def runs(workspace: Workspace, values: Values) -> Any:  # noqa: ARG001 (the form of a verb)
    """The runs in a folder."""
    return views.RunsView(values["folder"] or RUNS)


READING = {
    "status": status, "tree": tree, "show": show, "diff": diff, "why": why, "cost": cost,
    "runs": runs,
}  # fmt: skip
