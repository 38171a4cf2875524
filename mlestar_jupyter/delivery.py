"""Delivery: the winner is fitted, the finished notebook executed again, compared and stamped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat

from mlestar_jupyter.algorithm.evaluate import NOTEBOOK_SECONDS, Context
from mlestar_jupyter.algorithm.finalize import Final, final_solution, finalize
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import BudgetError
from mlestar_jupyter.interfaces import Limits
from mlestar_jupyter.notebook.finished import Verdict, build_finished, stamp
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Solution

#: Reproducing may differ by so much, relatively: threads sum in another order.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Finished:
    """A finished notebook, and what its execution in a fresh kernel gave.

    ``printed`` is None when it was not executed to its end; ``problem`` says why.
    """

    notebook: nbformat.NotebookNode
    submission: Path | None = None
    printed: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Result:
    """What a run delivered: the best candidate and where everything lies."""

    run: Run
    best: Candidate
    submission: Path | None
    notebook: Path | None
    reproduced: bool
    seconds: float

    @property
    def score(self) -> float:
        """The validation score of the best candidate."""
        assert self.best.score is not None
        return self.best.score.value


def deliver(context: Context, best: Candidate) -> Result:
    """Fit the winner on all rows, execute the finished notebook beside it, and compare.

    Raises BudgetError when nothing could be fitted in time.
    """
    run = context.run
    run.emit("stage_started", stage="finalize", branch=None)
    with ThreadPoolExecutor(1, thread_name_prefix="mlestar-finish") as pool:
        solution = final_solution(context, best)
        finishing = pool.submit(finish, context, best, solution)
        final = finalize(context, best)
        finished = finishing.result()
    if final is None:
        run.emit("run_finished", reason="no submission")
        raise BudgetError(
            f"{best.id} was found but could not be fitted on all rows in time; "
            f"resume with more time: mlestar resume {run.folder} --time 10m"
        )
    if final.solution.key != solution.key:
        finished = finish(context, final.candidate, final.solution)
    reproduced = write_finished(context, final, finished)
    run.emit("run_finished", reason="finished")
    submission = run.folder / "submission.csv" if run.task.source.test else None
    notebook = run.folder / "finished.ipynb"
    return Result(run, final.candidate, submission, notebook, reproduced, run.elapsed)


def finish(context: Context, candidate: Candidate, solution: Solution) -> Finished:
    """Build the finished notebook and execute it in a folder of its own, if time allows."""
    run = context.run
    notebook = build_finished(run, candidate, solution)
    seconds = context.budget.left - 1
    if not run.settings.reproduce:
        return Finished(notebook, problem="it was not executed again, as the settings ask")
    if seconds < NOTEBOOK_SECONDS:
        return Finished(notebook, problem="no time was left to execute it again")
    output = run.folder / "final"
    limits = Limits(seconds, context.threads)
    places = run.task.source.places
    outcome = context.executor.run_notebook(notebook, limits, output, "finished", places)
    run.emit("candidate_executed", id="final", purpose="finished", **outcome.to_json())
    executed = output / "finished.ipynb"
    if executed.is_file():
        notebook = nbformat.read(executed, as_version=4)
    if outcome.status != "ok":
        return Finished(notebook, problem=f"executing it again ended in: {outcome.words}")
    return Finished(notebook, output / "finished.csv", outcome.printed)


def write_finished(context: Context, final: Final, finished: Finished) -> bool:
    """Stamp the notebook with what its execution showed; True when it is reproduced."""
    run = context.run
    assert final.candidate.score is not None
    expected = None if run.task.source.test is None else run.folder / "submission.csv"
    verdict, detail = compare(final.candidate.score, finished, expected)
    partial = run.folder / "final" / "stamped.ipynb"
    partial.parent.mkdir(exist_ok=True)
    nbformat.write(stamp(finished.notebook, verdict, detail), partial)
    partial.replace(run.folder / "finished.ipynb")
    run.emit(
        "finished_notebook_written",
        id=final.candidate.id,
        path="finished.ipynb",
        verdict=verdict,
        detail=detail,
    )
    return verdict == "reproduced"


def compare(score: Score, finished: Finished, expected: Path | None) -> tuple[Verdict, str]:
    """Whether a finished notebook gave this score and, if there are any, these predictions."""
    if finished.printed is None:
        return "not verified", finished.problem or "it printed no score"
    if not is_same(finished.printed, score.value):
        return "differs", f"score {finished.printed!r} instead of {score.value!r}"
    if expected is None:
        return "reproduced", "a fresh kernel gave the same score"
    if finished.submission is None or not finished.submission.is_file():
        return "differs", "it wrote no submission"
    difference = compare_tables(finished.submission, expected)
    if difference:
        return "differs", difference
    return "reproduced", "a fresh kernel gave the same score and the same predictions"


def is_same(value: float, expected: float) -> bool:
    """Whether two scores are equal up to TOLERANCE."""
    return abs(value - expected) <= TOLERANCE * max(1.0, abs(expected))


def compare_tables(ours: Path, theirs: Path) -> str:
    """What differs between two submissions, "" when they are equal up to TOLERANCE."""
    import numpy as np
    import pandas as pd

    first, second = pd.read_csv(ours), pd.read_csv(theirs)
    if list(first.columns) != list(second.columns) or len(first) != len(second):
        return "its submission has another form"
    for column in first.columns:
        a, b = first[column], second[column]
        if a.dtype.kind == "f" and b.dtype.kind in "fi":
            same = np.isclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        else:
            same = (a.astype(str) == b.astype(str)).to_numpy()
        if not same.all():
            return f"{int((~same).sum())} predictions of {column} differ"
    return ""
