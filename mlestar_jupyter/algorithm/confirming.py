"""Nothing is accepted on the word of a snapshot.

What was executed from a snapshot of its first cells and would be accepted is executed once more,
every cell of it, in clean kernels. What these give is what counts.
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
from mlestar_jupyter.candidate import Candidate, Outcome, Status
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.grading import Graded, InvalidPredictions

if TYPE_CHECKING:
    from mlestar_jupyter.algorithm.evaluate import Context

#: Predictions that differ by less are equal, relatively: sums of several threads come in any order.
TOLERANCE = 1e-9
_CLEAN = "clean"


def confirmed(context: Context, candidate: Candidate, *, is_asked: bool = False) -> Candidate:
    """The candidate as it is in clean kernels: itself, unless these have shown something else.

    A difference turns the reuse of cells off and is told. When no time is left, what there is
    stays. Raises Stopped when the user stops meanwhile. ``is_asked``: a pause does not hold it
    back.
    """
    if not _unconfirmed(context, candidate):
        return candidate
    if not is_asked:
        context.gate.wait_while_paused()
    with context.turn(candidate.solution.key):
        # Another branch may have been here meanwhile.
        present = context.run.state.candidates[candidate.id]
        folds = _unconfirmed(context, present)
        if present.score is None or not folds:
            return candidate if present.score == candidate.score else present
        try:
            return _confirm(context, candidate, folds)
        except Stopped:
            raise
        except OutOfMeans:
            text = f"no time is left to execute {candidate.id} from clean kernels"
            context.run.emit("note", text=f"{text}; the finished notebook tells whether it holds")
        except InvalidPredictions as error:
            return _fallen(context, candidate, "invalid_predictions", str(error))
    return candidate


def _unconfirmed(context: Context, candidate: Candidate) -> list[int]:
    """The folds of which only a snapshot speaks."""
    labels = context.run.state.unconfirmed.get(candidate.id, ())
    return [fold for fold in context.run.validation.purposes if label_of(fold) in labels]


def _confirm(context: Context, candidate: Candidate, folds: Sequence[int]) -> Candidate:
    """Raises OutOfMeans, Stopped, and InvalidPredictions."""
    run = context.run
    before = {fold: run.graded_fold(candidate.id, fold) for fold in folds}
    context.check("confirm", candidate.slowest)
    outcomes = _execute(context, candidate, folds)
    ended = first_bad(outcomes)
    if ended is not None:
        _tell(context, candidate, folds, outcomes, confirms=False)
        if ended.status == "cancelled":
            # In flight when the user stopped, it is done again on resume.
            raise Stopped if context.budget.is_stopped else OutOfMeans
        if ended.status == "failed":  # all else, such as time, says nothing against snapshots
            why = f"{candidate.id} fails in a clean kernel ({ended.words})"
            context.executor.stop_reusing(why)
        return _fallen(context, candidate, ended.status, str(ended.problem))
    run.forget_grades(candidate.id)
    is_graded = False
    try:
        if not _is_equal(context, candidate, before):
            candidate = run.record(replace(candidate, score=score_of(run, candidate.id)))
        is_graded = True
    finally:
        _tell(context, candidate, folds, outcomes, confirms=is_graded)
    return candidate


def _fallen(context: Context, candidate: Candidate, status: Status, reason: str) -> Candidate:
    return context.run.record(replace(candidate, status=status, score=None, reason=reason))


def _tell(
    context: Context,
    candidate: Candidate,
    folds: Sequence[int],
    outcomes: Sequence[Outcome],
    *,
    confirms: bool,
) -> None:
    """Write executions down: when all is known, so that nothing is confirmed by halves."""
    for fold, outcome in zip(folds, outcomes, strict=True):
        if outcome.seconds:  # it was begun
            data = {**outcome.to_json(), "confirms": confirms}
            context.run.emit("candidate_executed", id=candidate.id, purpose=label_of(fold), **data)


def _is_equal(context: Context, candidate: Candidate, before: dict[int, Graded]) -> bool:
    """Whether no fold's predictions differ; the first that does is looked into.

    Raises InvalidPredictions.
    """
    for fold, graded in before.items():
        try:
            again = context.run.graded_fold(candidate.id, fold)
        except InvalidPredictions as error:
            why = f"predictions of {candidate.id} from a clean kernel cannot be graded ({error})"
            context.executor.stop_reusing(why)
            raise
        if not is_same(graded, again):
            _blame(context, candidate, fold)
            return False
    return True


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
    outcomes = _execute(context, candidate, [fold])
    _tell(context, candidate, [fold], outcomes, confirms=False)
    if first_bad(outcomes) is not None:
        return
    run.forget_grades(candidate.id)
    if is_same(first, run.graded_fold(candidate.id, fold)):
        why = f"predictions of {candidate.id} differ from those of a clean kernel"
        context.executor.stop_reusing(why)
    else:
        text = f"{candidate.id} gives other predictions each time; seed what is random in it"
        run.emit("note", text=text)


def _execute(context: Context, candidate: Candidate, folds: Sequence[int]) -> list[Outcome]:
    """Execute in clean kernels; if all goes well, what is written takes the place of what was."""
    home = context.run.candidate_folder(candidate.id)
    folder = home / _CLEAN
    expected, solution = candidate.slowest, candidate.solution
    # What it took is known, and was allowed: no other limit than the one for all.
    limit = context.limit
    clean = Folds(context, candidate.id, solution, limit, None, expected=expected, clean=folder)
    outcomes = clean.execute(folds)
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
