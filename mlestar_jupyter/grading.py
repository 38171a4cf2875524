"""Grading: read what a candidate predicted, check it, and judge it against the answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlestar_jupyter.metrics import METRICS, Metric
from mlestar_jupyter.task import Task

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


class InvalidPredictions(ValueError):  # noqa: N818 (it names a status, and is turned into one)
    """Predictions that cannot be graded; the message is the reason, in one line."""


@dataclass(frozen=True)
class Graded:
    """One fold's answers and predictions, aligned, as the metric takes them, and its value."""

    actual: Array
    predicted: Array
    value: float


def grade(task: Task, rows: Array, predictions: Path) -> Graded:
    """Grade predictions for these rows of train. Raises InvalidPredictions with the reason."""
    held = task.train.iloc[rows]
    ids = held[task.id_column] if task.id_column in held.columns else None
    frame = read_predictions(task, predictions, ids, len(held))
    actual = code_answers(task, held[task.target])
    predicted = code_predictions(task, frame)
    try:
        value = task.metric(actual, predicted)
    except ValueError as error:
        raise InvalidPredictions(" ".join(str(error).split())) from error
    return Graded(actual, predicted, value)


def read_predictions(task: Task, path: Path, ids: pd.Series | None, rows: int) -> pd.DataFrame:
    """The predictions in the order of ``ids`` (or by position). InvalidPredictions if unusable."""
    import pandas as pd

    if not path.is_file():
        raise InvalidPredictions("no predictions were written to predictions_path")
    try:
        # As text: what pandas takes for a number or for missing may be an id or a label.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise InvalidPredictions(f"the predictions are no CSV table: {error}") from error
    missing = [c for c in task.sample_columns if c not in frame.columns]
    extra = [str(c) for c in frame.columns if c not in task.sample_columns]
    if missing or extra:
        found = f"missing {missing}" if missing else f"unexpected {extra}"
        raise InvalidPredictions(f"columns must be {list(task.sample_columns)}: {found}")
    if len(frame) != rows:
        raise InvalidPredictions(f"{len(frame)} rows were predicted, {rows} were asked for")
    if ids is not None and task.id_column in task.sample_columns:
        frame = _align(frame, task.id_column, ids)
    return frame


def _align(frame: pd.DataFrame, column: str, ids: pd.Series) -> pd.DataFrame:
    wanted = as_texts(ids)
    found = as_texts(frame[column])
    twice = found[found.duplicated()]
    if len(twice) and not wanted.duplicated().any():
        raise InvalidPredictions(f"{len(twice)} ids are predicted twice, e.g. {twice.iloc[0]!r}")
    absent = set(wanted) - set(found)
    if absent:
        raise InvalidPredictions(f"{len(absent)} ids are missing, e.g. {min(absent)!r}")
    if list(wanted) == list(found):
        return frame
    if wanted.duplicated().any():
        raise InvalidPredictions("ids repeat and are not in the order of the sample")
    return frame.set_index(found).loc[list(wanted)].reset_index(drop=True)


def as_texts(values: pd.Series) -> pd.Series:
    """Ids as text, so that 7, 7.0 and "7" are one."""
    return values.astype(str).str.strip().str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)


def code_answers(task: Task, answers: pd.Series) -> Array:
    """Answers as the metric takes them: numbers, or class numbers (1 = the positive class)."""
    if task.metric.needs == "ranking":
        return np.asarray(as_texts(answers))
    if task.kind == "regression":
        return np.asarray(answers, dtype=float)
    return _class_numbers(task, as_texts(answers))


def code_predictions(task: Task, frame: pd.DataFrame) -> Array:
    """Predictions as the metric takes them. Raises InvalidPredictions for what is not finite,
    no probability, or a label that train does not have.
    """
    import pandas as pd

    columns = list(task.target_columns)
    part = frame[columns]
    text = part.apply(lambda values: values.astype(str).str.strip())
    empty = {"", "nan", "NaN"} if task.metric.needs in ("value", "probability") else {""}
    missing = int(text.isin(empty).sum().sum())
    if missing:
        raise InvalidPredictions(f"{missing} predictions are missing (empty or NaN)")
    if task.metric.needs == "ranking":
        return np.asarray(part[columns[0]].astype(str))
    if task.metric.needs == "label":
        return _class_numbers(task, as_texts(part[columns[0]]))
    numbers = part.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        raise InvalidPredictions("some predictions are no finite numbers")
    if task.metric.needs == "probability":
        if (numbers < 0).any() or (numbers > 1).any():
            raise InvalidPredictions("probabilities must lie in [0, 1]")
        if numbers.shape[1] > 1:
            if np.abs(numbers.sum(axis=1) - 1).max() > 1e-4:
                raise InvalidPredictions("the probabilities of each row must sum to 1")
            order = [columns.index(str(c)) for c in task.classes]
            return np.asarray(numbers[:, order])
    return np.asarray(numbers[:, 0])


def _class_numbers(task: Task, labels: pd.Series) -> Array:
    names = [_plain(c) for c in task.classes]
    numbers = {name: number for number, name in enumerate(names)}
    if task.kind == "binary":
        numbers = {name: int(name == _plain(task.positive_class)) for name in names}
    coded = labels.map(numbers)
    if coded.isna().any():
        label = labels[coded.isna()].iloc[0]
        raise InvalidPredictions(f"label {label!r} is none of the classes {names[:10]}")
    return np.asarray(coded, dtype=int)


def _plain(label: Any) -> str:
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(label).strip())


def is_built_in(metric: Metric) -> bool:
    """Whether the metric is one of ours (and not the user's own function)."""
    return METRICS.get(metric.name) is metric
