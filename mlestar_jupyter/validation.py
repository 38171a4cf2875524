"""Validation: folds that are frozen once per run, and the rows that nobody may use (sealed)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlestar_jupyter.errors import JournalError, TaskError
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.task import Task

#: What an execution is for: fold 1 to k, all rows (the submission), or the sealed slice.
Purpose = int | Literal["all", "sealed"]

SEALED, LEFT_OUT = 254, 255
#: Up to so many rows: five folds; up to the second number: three; above: a single hold-out.
FIVE_FOLDS_UP_TO, THREE_FOLDS_UP_TO = 2_500, 10_000
#: With less time than this (seconds), a candidate must cost less: of few rows, cut into so many
#: folds, only the first ones are held out; of more rows there is a single hold-out.
SHORT_RUN = 240.0
CUT_IN_SHORT_RUN, HELD_OUT_IN_SHORT_RUN = 4, 2
#: More held-out rows than this make a score no more trustworthy, only slower.
HELD_OUT_AT_MOST = 50_000


@dataclass(frozen=True)
class Validation:
    """Which fold each row of train belongs to.

    ``fold_of`` has shape (rows of train,): 1 to 9 is the fold that holds the row out, 0 a row
    that is always trained on, SEALED one that nothing may use, LEFT_OUT one without a target.
    ``ordered`` folds (a time split) train only on rows of smaller numbers.
    """

    fold_of: NDArray[np.uint8]
    ordered: bool = False

    @property
    def folds(self) -> int:
        """How many folds there are."""
        used = self.fold_of[self.fold_of < SEALED]
        return int(used.max(initial=0))

    @property
    def purposes(self) -> tuple[int, ...]:
        """The folds by number, 1 to k."""
        return tuple(range(1, self.folds + 1))

    @property
    def has_sealed(self) -> bool:
        """Whether rows were set aside for ``unseal``."""
        return bool((self.fold_of == SEALED).any())

    def train_rows(self, purpose: Purpose) -> NDArray[np.intp]:
        """The rows of train that a solution may learn from, in the file's order."""
        usable = self.fold_of < SEALED
        if isinstance(purpose, int):
            other = self.fold_of < purpose if self.ordered else self.fold_of != purpose
            usable = usable & other
        return np.flatnonzero(usable)

    def held_rows(self, purpose: Purpose) -> NDArray[np.intp]:
        """The rows that are predicted and graded, in the file's order; none for ``all``."""
        if purpose == "all":
            return np.zeros(0, dtype=np.intp)
        return np.flatnonzero(self.fold_of == (SEALED if purpose == "sealed" else purpose))

    def describe(self) -> str:
        """How candidates are judged, for people."""
        held = [len(self.held_rows(fold)) for fold in self.purposes]
        if not held:
            return "none: the notebook prints its own score"
        order = "the latest rows, " if self.ordered else ""
        if len(held) == 1:
            text = f"{order}one hold-out of {held[0]:,} rows"
        else:
            text = f"{order}{len(held)} folds of about {round(float(np.mean(held))):,} rows"
        sealed = int((self.fold_of == SEALED).sum())
        return text + (f", {sealed:,} rows sealed" if sealed else "")

    def save(self, folder: Path) -> None:
        """Write ``folds.csv``: one line a row of train, with its fold."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"# ordered: {self.ordered}", "row,fold"]
        lines += [f"{row},{fold}" for row, fold in enumerate(self.fold_of.tolist())]
        (folder / "folds.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Validation:
        """The inverse of ``save``."""
        try:
            lines = (folder / "folds.csv").read_text(encoding="utf-8").splitlines()
            fold_of = np.array([int(line.split(",")[1]) for line in lines[2:]], dtype=np.uint8)
            return cls(fold_of, lines[0].endswith("True"))
        except (OSError, ValueError, IndexError) as error:
            raise JournalError(f"{folder / 'folds.csv'} is damaged; start a new run") from error


def freeze(task: Task, settings: Settings) -> Validation:
    """Cut the folds once, by the task's split rule, seeded; TaskError if rows are too few."""
    if task.is_self_scored:
        return Validation(np.zeros(0, dtype=np.uint8))
    answers = task.train[task.target]
    fold_of = np.zeros(len(answers), dtype=np.uint8)
    fold_of[answers.isna().to_numpy()] = LEFT_OUT
    if settings.sealed:
        rows = np.flatnonzero(fold_of == 0)
        chosen, _ = _cut(task, rows, 1, settings.sealed, settings.seed + 1)
        fold_of[rows[chosen == 1]] = SEALED
    rows = np.flatnonzero(fold_of == 0)
    count, used = _how_many(len(rows), settings)
    if len(rows) < 5 * count:
        raise TaskError(
            f"{len(rows)} rows with a target are too few for {count} folds; use --folds 2"
        )
    numbers, ordered = _cut(task, rows, count, settings.holdout, settings.seed)
    if ordered and used < count:  # folds in time follow each other: none can be left out
        numbers, ordered = _cut(task, rows, used, settings.holdout, settings.seed)
    numbers[numbers > used] = 0
    fold_of[rows] = numbers
    return Validation(fold_of, ordered)


def _how_many(rows: int, settings: Settings) -> tuple[int, int]:
    """How many folds to cut, and how many of them to hold out, one after another."""
    if settings.folds:
        return settings.folds, settings.folds
    is_short = settings.seconds < SHORT_RUN
    if rows <= FIVE_FOLDS_UP_TO:
        return (CUT_IN_SHORT_RUN, HELD_OUT_IN_SHORT_RUN) if is_short else (5, 5)
    count = 1 if is_short or rows > THREE_FOLDS_UP_TO else 3
    return count, count


def _cut(
    task: Task, rows: NDArray[np.intp], count: int, share: float, seed: int
) -> tuple[NDArray[np.uint8], bool]:
    """Fold numbers for these rows, and whether they are ordered in time."""
    labels = _groups(task, rows)
    if labels is not None:
        return _by_group(labels, count, share, seed), False
    if task.time is not None:
        return _by_time(_times(task, rows), count, share), True
    return _stratified(task, rows, count, share, seed), False


def _times(task: Task, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """The rows' time as numbers that sort like it."""
    import pandas as pd

    assert task.time is not None
    values = task.train[task.time].iloc[rows]
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(dtype=float, na_value=-np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dates = pd.to_datetime(values, errors="coerce", format="mixed", utc=True)
    if dates.isna().mean() > 0.5:
        raise TaskError(f"column {task.time!r} holds no times; choose another with --time-column")
    days = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return np.asarray(days.fillna(-np.inf), dtype=float)


def _groups(task: Task, rows: NDArray[np.intp]) -> NDArray[Any] | None:
    """What must stay together: values of the group column, or blocks of days; None if nothing."""
    if task.group is not None:
        return np.asarray(task.train[task.group].iloc[rows].astype(str))
    if task.time is not None and task.block_days:
        days = _times(task, rows).copy()
        days[~np.isfinite(days)] = 0
        return np.asarray(np.floor(days / task.block_days), dtype=np.int64)
    return None


def _by_group(labels: NDArray[Any], count: int, share: float, seed: int) -> NDArray[np.uint8]:
    """Whole groups to folds: in random order, each to the fold that still lacks most rows."""
    names, index = np.unique(labels, return_inverse=True)
    sizes = np.bincount(index)
    wanted = len(labels) * (share if count == 1 else 1 / count)
    room = np.full(count, wanted)
    numbers = np.zeros(len(names), dtype=np.uint8)
    for group in np.random.default_rng(seed).permutation(len(names)):
        fold = int(room.argmax())
        if count > 1 or room[fold] >= sizes[group] / 2:
            numbers[group] = fold + 1
            room[fold] -= sizes[group]
    if not set(range(1, count + 1)) <= set(numbers.tolist()):
        raise TaskError(f"{len(names)} groups are too few for {count} folds; use --folds 2")
    return np.asarray(numbers[index], dtype=np.uint8)


def _by_time(times: NDArray[np.float64], count: int, share: float) -> NDArray[np.uint8]:
    """The last rows in time are held out; several folds follow each other. Ties stay together."""
    held = share if count == 1 else min(0.5, share * count)
    cuts = np.quantile(times, [1 - held * (count - f) / count for f in range(count)])
    numbers = np.searchsorted(cuts, times, side="right").astype(np.uint8)
    if len(set(numbers.tolist())) != count + 1:
        raise TaskError("too few different times for a split by time; use --folds 1 or --group")
    return np.asarray(numbers)


def _stratified(
    task: Task, rows: NDArray[np.intp], count: int, share: float, seed: int
) -> NDArray[np.uint8]:
    """Random folds with about the same answers in each."""
    import pandas as pd
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

    answers = task.train[task.target].iloc[rows]
    strata: Sequence[Any] | pd.Series
    if task.kind == "regression":
        strata = pd.qcut(
            answers.rank(method="first"), min(10, len(rows) // (5 * count)), labels=False
        )
    else:
        strata = answers.astype(str)
    frequent = strata.map(strata.value_counts()) >= max(2, count)
    strata = strata.where(frequent, strata[frequent].iloc[0] if frequent.any() else strata.iloc[0])
    numbers = np.zeros(len(rows), dtype=np.uint8)
    if count == 1:
        size = min(round(share * len(rows)), HELD_OUT_AT_MOST)
        size = max(size, int(strata.nunique()))
        one = StratifiedShuffleSplit(n_splits=1, test_size=size, random_state=seed)
        _, held = next(one.split(rows, strata))
        numbers[held] = 1
        return numbers
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(splitter.split(rows, strata), start=1):
        numbers[held] = fold
    return numbers
