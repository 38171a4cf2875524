"""Nothing is built on the word of a snapshot.

What was executed from a snapshot of its first cells is executed once more where the solution is to
go on from it: every cell of it, in clean kernels. What these give is what counts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlestar_jupyter.algorithm.acceptance import score_of
from mlestar_jupyter.algorithm.folds import Folds, first_bad, label_of
from mlestar_jupyter.candidate import ADDED, Candidate, Outcome
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.grading import Graded, InvalidPredictions

if TYPE_CHECKING:
    from mlestar_jupyter.algorithm.evaluate import Context

#: Predictions that differ by less are equal, relatively: sums of several threads come in any order.
TOLERANCE = 1e-9
_CLEAN = "clean"


def confirmed(context: Context, candidate: Candidate) -> Candidate:
    """The candidate as it is in clean kernels, with another score if these have shown another.

    A difference turns the reuse of cells off and is told. When no time is left, what there is
    stays. Raises Stopped when the user stops meanwhile.
    """
    with context.turn(candidate.solution.key):
        # Another branch may have been here meanwhile.
        return _confirmed(context, context.run.state.candidates[candidate.id])


def _confirmed(context: Context, candidate: Candidate) -> Candidate:
    run = context.run
    labels = run.state.unconfirmed.get(candidate.id, ())
    wanted = [purpose for purpose in run.validation.purposes if label_of(purpose) in labels]
    if candidate.score is None or not wanted:
        return candidate
    try:
        before = {purpose: run.graded_fold(candidate.id, purpose) for purpose in wanted}
        context.check("confirm", candidate.slowest)
        ended = first_bad(_execute(context, candidate, wanted))
        if ended is not None and ended.status == "cancelled":
            # In flight when the user stopped, it is done again on resume.
            raise Stopped if context.budget.is_stopped else OutOfMeans
        run.forget_grades(candidate.id)
        if ended is not None:
            if ended.status == "failed":  # all else, such as time, says nothing against snapshots
                why = f"{candidate.id} fails in a clean kernel ({ended.words})"
                context.executor.stop_reusing(why)
            status, reason = ended.status, str(ended.problem)
            return run.record(replace(candidate, status=status, score=None, reason=reason))
        _compare(context, candidate, before)
        score = score_of(run, candidate.id)
    except Stopped:
        raise
    except OutOfMeans:
        text = f"no time is left to execute {candidate.id} from clean kernels"
        run.emit("note", text=f"{text}; the finished notebook will tell whether it holds")
        return candidate
    except InvalidPredictions as error:
        wrong = replace(candidate, status="invalid_predictions", score=None, reason=str(error))
        return run.record(wrong)
    return candidate if score == candidate.score else run.record(replace(candidate, score=score))


def _compare(context: Context, candidate: Candidate, before: dict[int, Graded]) -> None:
    """Look for the first fold whose predictions differ. Raises InvalidPredictions."""
    for fold, graded in before.items():
        try:
            again = context.run.graded_fold(candidate.id, fold)
        except InvalidPredictions as error:
            why = f"predictions of {candidate.id} from a clean kernel cannot be graded ({error})"
            context.executor.stop_reusing(why)
            raise
        if not is_same(graded, again):
            _blame(context, candidate, fold)
            return


def is_same(one: Graded, other: Graded) -> bool:
    """Whether the predictions are equal, numbers up to TOLERANCE."""
    ours, theirs = np.asarray(one.predicted), np.asarray(other.predicted)
    if ours.shape != theirs.shape:
        return False
    if ours.dtype.kind in "fiub" and theirs.dtype.kind in "fiub":
        return bool(np.allclose(ours, theirs, rtol=TOLERANCE, atol=0.0, equal_nan=True))
    return bool((ours == theirs).all())


def _blame(context: Context, candidate: Candidate, fold: int) -> None:
    """Find out whether the snapshot or the candidate itself gives other predictions each time."""
    run = context.run
    first = run.graded_fold(candidate.id, fold)
    (again,) = _execute(context, candidate, [fold])
    if again.status != "ok":
        return
    run.forget_grades(candidate.id)
    if is_same(first, run.graded_fold(candidate.id, fold)):
        why = f"predictions of {candidate.id} differ from those of a clean kernel"
        context.executor.stop_reusing(why)
    else:
        text = f"{candidate.id} gives other predictions each time; seed what is random in it"
        run.emit("note", text=text)


def _execute(context: Context, candidate: Candidate, purposes: Sequence[int]) -> list[Outcome]:
    """Execute in clean kernels; if all goes well, what is written takes the place of what was."""
    home = context.run.candidate_folder(candidate.id)
    folder = home / _CLEAN
    limit = context.limit_of(candidate.parents, added=candidate.stage in ADDED)
    expected, solution = candidate.slowest, candidate.solution
    folds = Folds(context, candidate.id, solution, limit, None, expected=expected, clean=folder)
    outcomes = folds.execute(purposes)
    try:
        if first_bad(outcomes) is None:
            _move(folder, home)
    except OSError as error:
        raise InvalidPredictions(f"cannot be put into {home}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def _move(folder: Path, home: Path) -> None:
    for path in folder.iterdir():
        os.replace(path, home / path.name)
