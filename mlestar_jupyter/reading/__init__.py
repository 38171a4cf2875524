"""Reading a run: data behind what surfaces show of it. Pure functions over a run; no Jupyter."""

from mlestar_jupyter.reading.calls import ROLE_WORDS, Calls, calls, card_pages, pages
from mlestar_jupyter.reading.cost import Cost, StageCost, cost
from mlestar_jupyter.reading.decisions import (
    Decision,
    Standing,
    branch_words,
    decisions,
    standings,
)
from mlestar_jupyter.reading.difference import BlockChange, Difference, Line, difference, hunks
from mlestar_jupyter.reading.progress import (
    STAGES,
    BestPoint,
    BranchProgress,
    Point,
    Progress,
    progress,
)
from mlestar_jupyter.reading.runs import RunEntry, runs
from mlestar_jupyter.reading.tree import Lineage, Measured, Study, studies, study_of, tree
from mlestar_jupyter.reading.why import Relative, Why, why

__all__ = [
    "ROLE_WORDS",
    "STAGES",
    "BestPoint",
    "BlockChange",
    "BranchProgress",
    "Calls",
    "Cost",
    "Decision",
    "Difference",
    "Line",
    "Lineage",
    "Measured",
    "Point",
    "Progress",
    "Relative",
    "RunEntry",
    "StageCost",
    "Standing",
    "Study",
    "Why",
    "branch_words",
    "calls",
    "card_pages",
    "cost",
    "decisions",
    "difference",
    "hunks",
    "pages",
    "progress",
    "runs",
    "standings",
    "studies",
    "study_of",
    "tree",
    "why",
]
