"""Racing: a candidate that will almost surely not be accepted is ended before its last fold.

It runs against the incumbent that it was made from, fold by fold, on the same rows. After each fold
one question is asked: if all folds would put it ahead in the end, how surprising would it be to see
it as far behind as it is now? Where that is next to impossible the rest is not worth its time.

The answer needs no belief about how good candidates are. Given the gain over all rows, that over
the first n of N rows scatters around it with the variance v (1/n - 1/N), where v is that of one
row. So whatever would have been accepted, which is ahead in the end by either rule of acceptance,
is ended with at most the chance ``WRONGLY_ENDED``, shared out among all looks at it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, variance

import numpy as np

from mlestar_jupyter.algorithm.acceptance import resample
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.grading import Graded
from mlestar_jupyter.metrics import Metric
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number

#: Of the candidates that would have been accepted, at most this share is ended.
WRONGLY_ENDED = 0.01
#: Folds differ by more than their rows, since each is fitted on other rows and by other luck. So
#: the variance of a gain that a bootstrap of rows sees is taken so many times.
BETWEEN_FOLDS = 3.0
#: Folds of fewer rows, all together, say nothing.
LEAST_ROWS = 50
#: Stages whose candidates are made from an incumbent and have to beat it. Never ablations: there
#: the size of a loss is what is looked for.
RACED = ("merge", "check", "refine")


@dataclass(frozen=True)
class FoldGain:
    """What one fold says: the gain over the incumbent in the metric's unit (positive is better),
    its variance over resamples of the rows, and how many rows there are.
    """

    value: float
    variance: float
    rows: int


def opponent(run: Run, proposal: Proposal) -> Candidate | None:
    """Whom a proposal has to beat on every fold; None if it is not raced."""
    if not run.settings.early_stop or run.task.is_self_scored or run.validation.folds < 2:
        return None
    if run.validation.ordered:
        return None  # what needs many rows loses the first folds, which have few, and wins the last
    name = proposal.parents[0] if proposal.parents else ""
    if proposal.stage == "ensemble":  # it has to beat the ensemble before it, not its members
        name = run.state.incumbents.get(proposal.branch, "")
    elif proposal.stage not in RACED:
        return None
    found = run.state.candidates.get(name)
    return None if found is None or found.score is None else found


def fold_gain(
    metric: Metric, ours: Graded, theirs: Graded, *, count: int, seed: int
) -> FoldGain | None:
    """The gain in one fold, by as many paired resamples; None if it cannot be told."""
    sign = 1.0 if metric.greater_is_better else -1.0
    gains = resample(metric, [ours], count, seed) - resample(metric, [theirs], count, seed)
    gains = gains[np.isfinite(gains)]
    if len(gains) < count / 8:  # of a slow metric, a quarter is drawn
        return None
    spread = float(gains.var(ddof=1))
    return FoldGain(sign * (ours.value - theirs.value), spread, len(ours.actual))


def chance_ahead(gains: Sequence[FoldGain], rows: int) -> float:
    """How probable a gain so low is, after these folds, for what is level after all ``rows``.

    At most this chance has, too, whatever is ahead in the end.
    """
    seen = sum(gain.rows for gain in gains)
    if seen < LEAST_ROWS:
        return 1.0
    weights = [gain.rows / seen for gain in gains]
    mean = sum(w * gain.value for w, gain in zip(weights, gains, strict=True))
    if mean >= 0:
        return 1.0
    of_rows = sum(w**2 * gain.variance for w, gain in zip(weights, gains, strict=True))
    between = variance(gain.value for gain in gains) / len(gains) if len(gains) > 1 else 0.0
    error = math.sqrt(max(BETWEEN_FOLDS * of_rows, between) * max(0.0, 1 - seen / rows))
    return NormalDist().cdf(mean / error) if error > 0 else 0.0


class Race:
    """One candidate against its opponent. Folds are looked at in their order, each once."""

    def __init__(self, run: Run, candidate: str, opponent: Candidate) -> None:
        self.run, self.candidate, self.opponent = run, candidate, opponent
        self._rows = sum(len(run.validation.held_rows(fold)) for fold in run.validation.purposes)
        self._gains: list[FoldGain] = []

    def look(self, done: int) -> str:
        """Why the candidate is to be ended, now that its first ``done`` folds are done; "" if not.

        Raises InvalidPredictions when they cannot be graded.
        """
        purposes = self.run.validation.purposes
        for fold in purposes[len(self._gains) : done]:
            ours = self.run.graded_fold(self.candidate, fold)
            theirs = self.run.graded_fold(self.opponent.id, fold)
            metric, settings = self.run.task.metric, self.run.settings
            gain = fold_gain(metric, ours, theirs, count=settings.bootstrap, seed=settings.seed)
            if gain is None:
                return ""  # nor will it be told with more folds
            self._gains.append(gain)
            chance = chance_ahead(self._gains, self._rows)
            if chance < WRONGLY_ENDED / (len(purposes) - 1):
                return self._words(chance)
        return ""

    def _words(self, chance: float) -> str:
        seen = sum(gain.rows for gain in self._gains)
        behind = -sum(gain.rows / seen * gain.value for gain in self._gains)
        done, of = len(self._gains), len(self.run.validation.purposes)
        folds = "1 fold" if done == 1 else f"{done} folds"
        return (
            f"after {folds} of {of} it is worse than the incumbent by {format_number(behind)} "
            f"({self.run.task.metric.name}); the chance that it would be "
            f"better after all is {_percent(chance)}"
        )


def _percent(chance: float) -> str:
    return "below 0.01 %" if chance < 1e-4 else f"{100 * chance:.2f} %"
