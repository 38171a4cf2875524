"""Views: what verbs give back. Useful objects that look right as HTML and as plain text."""

from collections.abc import Sequence

from mlestar_jupyter.jupyter.views.candidate import CandidateView
from mlestar_jupyter.jupyter.views.candidates import TriedView
from mlestar_jupyter.jupyter.views.cost import CostView
from mlestar_jupyter.jupyter.views.difference import DiffView
from mlestar_jupyter.jupyter.views.exported import ExportedView
from mlestar_jupyter.jupyter.views.run import RunView, TaskView
from mlestar_jupyter.jupyter.views.runs import RunsView
from mlestar_jupyter.jupyter.views.study import StudyView
from mlestar_jupyter.jupyter.views.tree import TreeView
from mlestar_jupyter.jupyter.views.view import PairsView, TextView, View
from mlestar_jupyter.jupyter.views.why import WhyView
from mlestar_jupyter.run import Run

__all__ = [
    "CandidateView",
    "CostView",
    "DiffView",
    "ExportedView",
    "PairsView",
    "RunView",
    "RunsView",
    "StudyView",
    "TaskView",
    "TextView",
    "TreeView",
    "TriedView",
    "View",
    "WhyView",
    "pairs_view",
    "run_view",
]


def pairs_view(rows: Sequence[tuple[str, str]]) -> PairsView:
    """Pairs of words and values."""
    return PairsView(rows)


def run_view(run: Run) -> RunView:
    """Where a run stands, its best candidates, and where the results lie."""
    return RunView(run)
