"""Nothing is accepted on the word of a snapshot.

What was executed from a snapshot of its first cells and would become the incumbent is executed once
more, every cell of it, in clean kernels. What these give is what counts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlestar_jupyter.algorithm.folds import Folds, first_bad
from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.grading import Graded, InvalidPredictions
from mlestar_jupyter.solution import Solution

if TYPE_CHECKING:
    from mlestar_jupyter.algorithm.evaluate import Context

#: Predictions that differ by less are equal, relatively: sums of several threads come in any order.
TOLERANCE = 1e-9
_CLEAN = "clean"


def confirm(
    context: Context,
    candidate: str,
    solution: Solution,
    limit: float,
    purposes: Sequence[int],
    outcomes: Sequence[Outcome],
) -> list[Outcome]:
    """Execute from clean kernels what was begun with snapshots; the outcomes that count.

    A difference turns the reuse of cells off and is told. When no time is left, what there is
    stays. Raises InvalidPredictions where there are none that can be graded, and Stopped when the
    user stops meanwhile.
    """
    run = context.run
    wanted = [p for p, outcome in zip(purposes, outcomes, strict=True) if outcome.reused]
    before = {purpose: run.graded_fold(candidate, purpose) for purpose in wanted}
    found = dict(zip(purposes, outcomes, strict=True))
    clean = _execute(context, candidate, solution, limit, wanted)
    ended = first_bad(list(clean.values()))
    if ended is not None and ended.status == "cancelled":
        if context.budget.is_stopped:
            raise Stopped  # in flight when the user stopped: done again on resume
        run.emit("note", text=f"{candidate} could not be executed from clean kernels in time")
        return list(outcomes)
    run.forget_grades(candidate)
    if ended is None:
        _compare(context, candidate, solution, limit, before)
    elif ended.status == "failed":  # all else, such as time, says nothing against snapshots
        why = f"{candidate} fails in a clean kernel ({ended.words})"
        context.executor.stop_reusing(why)
    return list((found | clean).values())


def _compare(
    context: Context, candidate: str, solution: Solution, limit: float, before: dict[int, Graded]
) -> None:
    """Look for the first fold whose predictions differ. Raises InvalidPredictions."""
    for fold, graded in before.items():
        try:
            again = context.run.graded_fold(candidate, fold)
        except InvalidPredictions as error:
            why = f"predictions of {candidate} from a clean kernel cannot be graded ({error})"
            context.executor.stop_reusing(why)
            raise
        if not is_same(graded, again):
            _blame(context, candidate, solution, limit, fold)
            return


def is_same(one: Graded, other: Graded) -> bool:
    """Whether the predictions are equal, numbers up to TOLERANCE."""
    ours, theirs = np.asarray(one.predicted), np.asarray(other.predicted)
    if ours.shape != theirs.shape:
        return False
    if ours.dtype.kind in "fiub" and theirs.dtype.kind in "fiub":
        return bool(np.allclose(ours, theirs, rtol=TOLERANCE, atol=0.0, equal_nan=True))
    return bool((ours == theirs).all())


def _blame(context: Context, candidate: str, solution: Solution, limit: float, fold: int) -> None:
    """Find out whether the snapshot or the candidate itself gives other predictions each time."""
    run = context.run
    first = run.graded_fold(candidate, fold)
    again = _execute(context, candidate, solution, limit, [fold])[fold]
    if again.status != "ok":
        return
    run.forget_grades(candidate)
    if is_same(first, run.graded_fold(candidate, fold)):
        why = f"predictions of {candidate} differ from those of a clean kernel"
        context.executor.stop_reusing(why)
    else:
        text = f"{candidate} gives other predictions each time; seed what is random in it"
        run.emit("note", text=text)


def _execute(
    context: Context, candidate: str, solution: Solution, limit: float, purposes: Sequence[int]
) -> dict[int, Outcome]:
    """Execute in clean kernels; if all goes well, what is written takes the place of what was."""
    home = context.run.candidate_folder(candidate)
    folder = home / _CLEAN
    folds = Folds(context, candidate, solution, limit, None, clean=folder)
    outcomes = dict(zip(purposes, folds.execute(purposes), strict=True))
    try:
        if all(outcome.status == "ok" for outcome in outcomes.values()):
            _move(folder, home)
    except OSError as error:
        raise InvalidPredictions(f"cannot be put into {home}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def _move(folder: Path, home: Path) -> None:
    for path in folder.iterdir():
        os.replace(path, home / path.name)
