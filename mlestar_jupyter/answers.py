"""Understanding the answers: what kind of target, which metric, which classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlestar_jupyter import metrics
from mlestar_jupyter.errors import TaskError, short_list, shown
from mlestar_jupyter.metrics import Kind, Metric
from mlestar_jupyter.task import Overrides, Task

if TYPE_CHECKING:
    import pandas as pd

#: Whole numbers with at most so many values are classes when no metric says otherwise.
CLASSES_AT_MOST = 20


def checked_answers(train: pd.DataFrame, target: str, file: str, notes: list[str]) -> pd.Series:
    """The target's values; TaskError when there is nothing to learn from them."""
    answers = train[target].dropna()
    missing = len(train) - len(answers)
    if len(answers) == 0:
        raise TaskError(f"every value of the target {target!r} in {file} is missing; fill it in")
    if answers.nunique() == 1:
        rows = "every row" if not missing else f"every row that has one ({missing:,} have none)"
        raise TaskError(
            f"the target {target!r} is {shown(answers.iloc[0])} in {rows} of {file}: "
            f"there is nothing to learn; choose another with --target"
        )
    if len(answers) < 10:
        raise TaskError(f"{file} has {len(answers)} rows with a target; at least 10 are needed")
    if is_number(answers) and not bool(answers.abs().lt(float("inf")).all()):
        raise TaskError(
            f"the target {target!r} has infinite values in {file}; remove or correct those rows"
        )
    if missing:
        notes.append(f"{missing:,} rows of train have no target: left out")
    return answers


def is_number(answers: pd.Series) -> bool:
    """Whether these are numbers; yes and no are not."""
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(answers)) and not pd.api.types.is_bool_dtype(answers)


def infer_kind_and_metric(
    answers: pd.Series,
    sample: pd.DataFrame | None,
    target: str,
    description: str,
    overrides: Overrides,
    notes: list[str],
) -> tuple[Kind, Metric]:
    """The type of the task and its metric; TaskError when the two do not fit."""
    numeric = is_number(answers)
    distinct = int(answers.nunique())
    given = overrides.metric
    metric = metrics.find_metric(given) if isinstance(given, str) else given
    if metric is None:
        metric = metrics.metric_in(description)
    class_kind: Kind = "binary" if distinct == 2 else "multiclass"
    if overrides.kind is not None:
        kind = overrides.kind
    elif metric is not None and metric.needs != "value":
        kind = class_kind
    elif numeric and (
        (metric is not None and "regression" in metric.kinds)
        or distinct > CLASSES_AT_MOST
        or not bool((answers % 1 == 0).all())
    ):
        kind = "regression"
    else:
        kind = class_kind
    wants_numbers = kind == "regression" or (metric is not None and metric.needs == "value")
    if wants_numbers and not numeric:
        name = "regression" if metric is None else metric.name
        raise TaskError(
            f"the target {target!r} holds words, not numbers, which {name} needs, for example "
            f"{shown(answers.iloc[0])}; write them as numbers, "
            f"or choose a metric of classes such as accuracy"
        )
    if kind == "binary" and distinct != 2:
        raise TaskError(f"the target {target!r} has {distinct} values, not 2; leave out --kind")
    if metric is None:
        metric = _default_metric(kind, sample, target, distinct)
        notes.append(f"no metric was named: {metric.name} is used")
    if metric.name == "rmsle" and bool((answers < 0).any()):
        raise TaskError(
            f"metric rmsle does not fit the target {target!r}: it has values below 0; "
            f"use another metric such as rmse"
        )
    if kind != "regression" and metric.needs != "value" and distinct > max(100, len(answers) // 2):
        if not numeric:
            raise TaskError(
                f"the target {target!r} has {distinct} different words in {len(answers)} rows, "
                f"for example {shown(answers.iloc[0])}: too many for classes; "
                f"write them as numbers, or choose another with --target"
            )
        raise TaskError(
            f"metric {metric.name} does not fit the target {target!r}: "
            f"it has {distinct} values in {len(answers)} rows; use a metric of numbers such as rmse"
        )
    metrics.check_fits(metric, kind)
    return kind, metric


def _default_metric(kind: Kind, sample: pd.DataFrame | None, target: str, distinct: int) -> Metric:
    if kind == "regression":
        return metrics.METRICS["rmse"]
    if sample is not None and target in sample.columns:
        fractional = sample[target].dtype.kind == "f" and bool((sample[target] % 1 != 0).any())
        return metrics.METRICS["auc" if fractional and kind == "binary" else "accuracy"]
    if sample is not None and sample.shape[1] > distinct:
        return metrics.METRICS["log_loss"]
    return metrics.METRICS["accuracy"]


def classes(answers: pd.Series) -> tuple[Any, ...]:
    """The labels as train writes them, sorted."""
    return tuple(sorted((v.item() if hasattr(v, "item") else v for v in answers.unique()), key=_by))


def _by(value: Any) -> tuple[int, Any]:
    return (1, str(value)) if isinstance(value, str) else (0, value)


def positive(task: Task, overrides: Overrides) -> Any:
    """The positive class of a binary task: the user's choice, else the larger label."""
    if task.kind != "binary":
        if overrides.positive_class is not None:
            raise TaskError(
                f"--positive-class is for a target of two classes, and {task.target!r} is "
                f"{task.kind}; leave it out"
            )
        return None
    if overrides.positive_class is not None:
        for label in task.classes:
            if str(label) == overrides.positive_class:
                return label
        raise TaskError(
            f"no class {overrides.positive_class!r}; the classes are {short_list(task.classes)}"
        )
    return task.classes[1]
