"""Tables of a run as DataFrames, for the user to compute on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading import Cost, RunEntry, Study
from mlestar_jupyter.run import Run
from mlestar_jupyter.spending import Spending

if TYPE_CHECKING:
    import pandas as pd


def candidates_frame(run: Run) -> pd.DataFrame:
    """All judged candidates, one a row; ``gain`` is over the first parent, positive is better.

    ``branch`` counts from 1 and is missing for ensembles, which belong to none.
    """
    import pandas as pd

    with run.lock:
        known = dict(sorted(run.state.candidates.items()))
        best = run.state.best
    rows = [
        {
            "id": c.id,
            "stage": c.stage,
            "block": c.block or "",
            "branch": None if c.branch < 0 else c.branch + 1,
            "score": None if c.score is None else c.score.value,
            "spread": None if c.score is None else c.score.spread,
            "gain": gain_over(c, known.get(c.parents[0]) if c.parents else None),
            "seconds": c.seconds,
            "status": c.status,
            "title": c.solution.title,
            "plan": c.plan,
            "parents": ", ".join(c.parents),
            "best": c.id == best,
        }
        for c in known.values()
    ]
    columns = ["id", "stage", "block", "branch", "score", "spread", "gain", "seconds", "status",
               "title", "plan", "parents", "best"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    numbers = dict.fromkeys(("score", "spread", "gain", "seconds"), "float64")
    return frame.astype({**numbers, "branch": "Int64", "best": "bool"})


def study_frame(study: Study) -> pd.DataFrame:
    """An ablation study, one variant a row."""
    import pandas as pd

    columns = ["block", "change", "candidate", "score", "gain", "seconds"]
    rows = [[getattr(result, column) for column in columns] for result in study.results]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"score": "float64", "gain": "float64", "seconds": "float64"})


def cost_frame(cost: Cost) -> pd.DataFrame:
    """What each stage has cost, one a row."""
    import pandas as pd

    columns = ["stage", "candidates", "scored", "executions", "seconds", "share"]
    rows = [[getattr(stage, column) for column in columns] for stage in cost.stages]
    return pd.DataFrame(rows, columns=columns)


def spending_frame(name: str, found: Iterable[tuple[str, Spending]]) -> pd.DataFrame:
    """Calls to language models, one group a row; ``money`` is in dollars."""
    import pandas as pd

    rows = [{name: group, **spent.to_json()} for group, spent in found]
    return pd.DataFrame(rows, columns=[name, *Spending().to_json()])


def runs_frame(entries: Iterable[RunEntry]) -> pd.DataFrame:
    """Run folders, one a row."""
    import pandas as pd

    rows = [
        {
            "name": e.name,
            "state": e.state,
            "task": e.task,
            "metric": e.metric,
            "score": None if e.score is None else e.score.value,
            "best": e.best,
            "candidates": e.candidates,
            "seconds": e.seconds,
            "began": e.began,
            "last": e.last,
            "folder": str(e.folder),
        }
        for e in entries
    ]
    columns = ["name", "state", "task", "metric", "score", "best", "candidates", "seconds",
               "began", "last", "folder"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"score": "float64"})
