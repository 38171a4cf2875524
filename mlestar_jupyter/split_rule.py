"""The split rule: whether test lies later than train, or in other groups, so must validation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.errors import TaskError, short_list
from mlestar_jupyter.profile import looks_like_dates
from mlestar_jupyter.task import Overrides, Task

if TYPE_CHECKING:
    import pandas as pd


def infer_split(
    task: Task,
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    overrides: Overrides,
    notes: list[str],
) -> dict[str, Any]:
    """The rule by which folds are cut: by time, by group, or neither (see DESIGN, validation)."""
    for option, column in (("--group", overrides.group), ("--time-column", overrides.time)):
        if column is not None and column not in train.columns:
            raise TaskError(f"no column {column!r} for {option}; the columns are "
                            f"{short_list(list(train.columns))}")  # fmt: skip
    if overrides.group or overrides.time:
        return {"group": overrides.group, "time": overrides.time}
    if test is None:
        return {}
    for column in task.features:
        if _is_date(train[column]) and _is_date(test[column]):
            found = _split_by_date(column, train[column], test[column], notes)
            if found:
                return found
    for column in task.features:
        if column != task.id_column and _is_group(train[column], test[column], len(train)):
            notes.append(f"no value of {column} is in both train and test: folds keep it together")
            return {"group": column}
    return {}


def _is_date(values: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_datetime64_any_dtype(values) or (
        values.dtype.kind in "OU" and looks_like_dates(values.dropna())
    )


def _split_by_date(
    column: str, train: pd.Series, test: pd.Series, notes: list[str]
) -> dict[str, Any]:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = pd.to_datetime(train, errors="coerce", format="mixed", utc=True)
        theirs = pd.to_datetime(test, errors="coerce", format="mixed", utc=True)
    if ours.notna().mean() < 0.9 or theirs.notna().mean() < 0.9:
        return {}
    if theirs.min() >= ours.max() and ours.nunique() >= 10:
        notes.append(f"test lies after train by {column}: validation does too")
        return {"time": column}
    days, test_days = set(ours.dt.floor("D")), set(theirs.dt.floor("D"))
    if not days & test_days and len(train) > 4 * len(days) and len(days) >= 20:
        length = _run_length(days, test_days)
        notes.append(
            f"test has days of {column} that train lacks, about {length} in a row: "
            f"folds hold out blocks of {length} days"
        )
        return {"time": column, "block_days": length}
    return {}


def _run_length(days: set[Any], test_days: set[Any]) -> int:
    """How many test days follow each other, in the median, before a day of train comes."""
    runs, length = [], 0
    for day in sorted(days | test_days):
        if day in test_days:
            length += 1
        elif length:
            runs.append(length)
            length = 0
    runs.sort()
    return min(31, runs[len(runs) // 2] if runs else 1)


def _is_group(train: pd.Series, test: pd.Series, rows: int) -> bool:
    """Repeated in train and in test, and never the same in both."""
    if train.dtype.kind in "fb" or train.dtype.kind == "M":
        return False
    ours, theirs = set(train.dropna().unique()), set(test.dropna().unique())
    many = 10 <= len(ours) <= rows // 2 and 3 <= len(theirs) < len(test)
    return bool(many and not ours & theirs)
