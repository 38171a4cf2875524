"""Acceptance: the one place that says whether a candidate replaces the incumbent.

The paper takes any strict gain of the point score (Algorithm 2, line 20). With few rows that
accepts noise, so the default asks a paired bootstrap within folds how likely the gain is real;
``settings.acceptance = None`` is the paper's rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.grading import Graded
from mlestar_jupyter.metrics import Metric
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score, weighted_mean

Floats = NDArray[np.float64]
#: Weights of so many rows at once, to bound the memory of a bootstrap.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Decision:
    """Whether the incumbent is replaced, how probable it is that the candidate is better, why."""

    accepted: bool
    probability: float
    reason: str


def decide(run: Run, candidate: Candidate, incumbent: Candidate | None) -> Decision:
    """Judge a scored candidate against the incumbent of its branch."""
    if candidate.status == "stopped_early":
        return Decision(False, 0.0, f"ended early: {candidate.reason}")
    if candidate.score is None:
        return Decision(False, 0.0, f"not scored: {candidate.reason or candidate.status}")
    if incumbent is None or incumbent.score is None:
        return Decision(True, 1.0, "the first that was scored")
    if candidate.id == incumbent.id:
        return Decision(False, 0.5, "it is the incumbent itself")
    if candidate.id in run.state.rejected:
        return Decision(False, 0.0, "you have undone it")
    if run.state.has_followed(incumbent.id, candidate.id):
        # What has come since is no reason to go another way when a run is resumed.
        return Decision(True, 1.0, "it replaced it before")
    threshold = run.settings.acceptance
    strict = candidate.score.is_better_than(incumbent.score)
    if threshold is None or candidate.score.self_scored:
        return Decision(strict, float(strict), "strictly better" if strict else "not better")
    probability = probability_better(run, candidate, incumbent)
    if probability >= threshold:
        return Decision(True, probability, f"better with probability {probability:.2f}")
    best_ever = best_score(run)
    cheaper = candidate.slowest < 0.8 * incumbent.slowest
    if cheaper and not (best_ever and best_ever.is_better_than(candidate.score)):
        return Decision(True, probability, "a tie, and cheaper")
    word = "a tie" if probability > 1 - threshold else "worse"
    return Decision(False, probability, f"{word}: better with probability {probability:.2f}")


def best_score(run: Run) -> Score | None:
    """The best point score ever seen in this run, without what the user rejected."""
    best: Score | None = None
    for candidate in run.scored:
        if candidate.id in run.state.rejected:
            continue
        assert candidate.score is not None
        if candidate.score.is_better_than(best):
            best = candidate.score
    return best


def probability_better(run: Run, candidate: Candidate, incumbent: Candidate) -> float:
    """Share of paired resamples in which the candidate is better; ties count one half."""
    metric, settings = run.task.metric, run.settings
    ours = resample(metric, run.graded(candidate.id), settings.bootstrap, settings.seed)
    theirs = resample(metric, run.graded(incumbent.id), settings.bootstrap, settings.seed)
    gain = ours - theirs if metric.greater_is_better else theirs - ours
    gain = gain[np.isfinite(gain)]
    return float(np.mean(gain > 0) + np.mean(gain == 0) / 2) if len(gain) else 0.5


def score_of(run: Run, candidate: str) -> Score:
    """The score of the predictions that lie there. Raises InvalidPredictions."""
    graded = run.graded(candidate)
    values = tuple(fold.value for fold in graded)
    rows = tuple(len(fold.actual) for fold in graded)
    metric, settings = run.task.metric, run.settings
    deviation = spread(metric, graded, settings.bootstrap, settings.seed)
    mean = weighted_mean(values, rows)
    return Score(mean, values, rows, deviation, metric.name, metric.greater_is_better)


def spread(metric: Metric, folds: Sequence[Graded], count: int, seed: int) -> float:
    """The bootstrap standard error of a score, in the metric's unit."""
    values = resample(metric, folds, count, seed)
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def resample(metric: Metric, folds: Sequence[Graded], count: int, seed: int) -> Floats:
    """Scores of ``count`` resamples of the rows within each fold, shape (count,).

    Equal seeds draw equal rows, so two candidates of one run are paired.
    """
    rows = [len(fold.actual) for fold in folds]
    total = np.zeros(count)
    for number, fold in enumerate(folds):
        generator = np.random.default_rng((seed, number))
        total += len(fold.actual) / sum(rows) * _resample_fold(metric, fold, count, generator)
    return total


def _resample_fold(
    metric: Metric, fold: Graded, count: int, generator: np.random.Generator
) -> Floats:
    size = len(fold.actual)
    if metric.row_losses is not None and metric.finish is not None:
        losses = metric.row_losses(fold.actual, fold.predicted)
        means = [w @ losses / w.sum(axis=1) for w in _weights(size, count, generator)]
        return np.asarray(metric.finish(np.concatenate(means)), dtype=float)
    if metric.name in ("auc", "gini") and fold.predicted.ndim == 1:
        areas = [_weighted_auc(fold, w) for w in _weights(size, count, generator)]
        area = np.concatenate(areas)
        return area if metric.name == "auc" else 2 * area - 1
    values = np.full(count, np.nan)
    # A metric that is no mean of rows costs a call for each resample: fewer of them when slow.
    for draw in range(count if size <= 5_000 else max(50, count // 4)):
        chosen = generator.integers(0, size, size)
        try:
            values[draw] = metric.function(fold.actual[chosen], fold.predicted[chosen])
        except ValueError:
            continue  # for example a resample in which a class does not occur
    return values


def _weights(size: int, count: int, generator: np.random.Generator) -> list[Floats]:
    """Poisson bootstrap weights in chunks of shape (resamples, rows)."""
    step = max(1, _CHUNK // size)
    sizes = [min(step, count - start) for start in range(0, count, step)]
    return [generator.poisson(1.0, (n, size)).astype(np.float64) for n in sizes]


def _weighted_auc(fold: Graded, weights: Floats) -> Floats:
    """AUC of each row of weights, ties counted half, without sorting again for each."""
    order = np.argsort(fold.predicted, kind="stable")
    scores, positive = fold.predicted[order], fold.actual[order] == 1
    starts = np.flatnonzero(np.r_[True, scores[1:] != scores[:-1]])
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * positive, starts, axis=1)
    negatives = np.add.reduceat(ordered * ~positive, starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positives * (below + negatives / 2)).sum(axis=1) / pairs)
