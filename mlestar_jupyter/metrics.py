"""Metrics: scikit-learn's where it has them, and what Kaggle uses beside them.

Each metric is one small function of plain arrays that imports what it needs, so that a finished
notebook can carry its source and give the same score without this package. ``actual`` has shape
(n,). ``predicted`` has shape (n,) for values and labels, and (n, classes) for the probabilities
of a multiclass task, in the order of ``classes``; for two classes it is (n,), the probability of
the positive class.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlestar_jupyter.errors import SettingsError, TaskError

Array = NDArray[Any]
Needs = Literal["value", "label", "probability", "ranking"]
Kind = Literal["regression", "binary", "multiclass", "self-scored"]


@dataclass(frozen=True)
class Metric:
    """A metric, its direction and what it needs of a prediction.

    ``function(actual, predicted)`` gives a float. ``row_losses`` and ``finish`` are given where
    the metric is a function of a mean over rows: they make the bootstrap of acceptance cheap.
    """

    name: str
    function: Callable[..., float]
    greater_is_better: bool
    needs: Needs
    kinds: tuple[Kind, ...]
    row_losses: Callable[[Array, Array], Array] | None = None
    finish: Callable[[Array], Array] | None = None

    @property
    def direction(self) -> str:
        """``higher is better`` or ``lower is better``, for people."""
        return "higher is better" if self.greater_is_better else "lower is better"

    def __call__(self, actual: Array, predicted: Array) -> float:
        """The metric's value. Raises ValueError when it is not defined for these answers."""
        value = float(self.function(actual, predicted))
        if not math.isfinite(value):
            raise ValueError(f"{self.name} is {value} for these predictions")
        return value

    @property
    def source(self) -> str:
        """The function as plain Python source, for notebooks that do without this package."""
        return inspect.getsource(self.function)


def rmse(actual, predicted):  # type: ignore[no-untyped-def]
    """Root mean squared error."""
    import numpy as np

    return float(np.sqrt(np.mean((actual - predicted) ** 2)))


def mse(actual, predicted):  # type: ignore[no-untyped-def]
    """Mean squared error."""
    import numpy as np

    return float(np.mean((actual - predicted) ** 2))


def mae(actual, predicted):  # type: ignore[no-untyped-def]
    """Mean absolute error."""
    import numpy as np

    return float(np.mean(np.abs(actual - predicted)))


def median_absolute_error(actual, predicted):  # type: ignore[no-untyped-def]
    """Median absolute error."""
    import numpy as np

    return float(np.median(np.abs(actual - predicted)))


def rmsle(actual, predicted):  # type: ignore[no-untyped-def]
    """Root mean squared logarithmic error."""
    import numpy as np

    if (np.asarray(predicted) < 0).any():
        raise ValueError("rmsle is not defined for negative predictions; clip them at 0")
    return float(np.sqrt(np.mean((np.log1p(actual) - np.log1p(predicted)) ** 2)))


def rmspe(actual, predicted):  # type: ignore[no-untyped-def]
    """Root mean squared percentage error over the rows whose answer is not 0."""
    import numpy as np

    kept = actual != 0
    return float(np.sqrt(np.mean(((actual[kept] - predicted[kept]) / actual[kept]) ** 2)))


def mape(actual, predicted):  # type: ignore[no-untyped-def]
    """Mean absolute percentage error, as a fraction."""
    from sklearn.metrics import mean_absolute_percentage_error

    return float(mean_absolute_percentage_error(actual, predicted))


def smape(actual, predicted):  # type: ignore[no-untyped-def]
    """Symmetric mean absolute percentage error, 0 to 200; 0 / 0 counts as 0."""
    import numpy as np

    size = np.abs(actual) + np.abs(predicted)
    return float(
        100
        * np.mean(
            np.where(size == 0, 0, 2 * np.abs(actual - predicted) / np.where(size == 0, 1, size))
        )
    )


def r2(actual, predicted):  # type: ignore[no-untyped-def]
    """Coefficient of determination."""
    from sklearn.metrics import r2_score

    return float(r2_score(actual, predicted))


def accuracy(actual, predicted):  # type: ignore[no-untyped-def]
    """Share of rows whose label is right."""
    import numpy as np

    return float(np.mean(actual == predicted))


def balanced_accuracy(actual, predicted):  # type: ignore[no-untyped-def]
    """Mean recall over the classes."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(actual, predicted))


def f1(actual, predicted):  # type: ignore[no-untyped-def]
    """F1 of the positive class (1 in ``actual``)."""
    from sklearn.metrics import f1_score

    return float(f1_score(actual, predicted, zero_division=0))


def f1_macro(actual, predicted):  # type: ignore[no-untyped-def]
    """Unweighted mean of the classes' F1."""
    from sklearn.metrics import f1_score

    return float(f1_score(actual, predicted, average="macro", zero_division=0))


def f1_micro(actual, predicted):  # type: ignore[no-untyped-def]
    """F1 over all decisions together."""
    from sklearn.metrics import f1_score

    return float(f1_score(actual, predicted, average="micro", zero_division=0))


def f1_weighted(actual, predicted):  # type: ignore[no-untyped-def]
    """Mean of the classes' F1, weighted by how often they occur."""
    from sklearn.metrics import f1_score

    return float(f1_score(actual, predicted, average="weighted", zero_division=0))


def mcc(actual, predicted):  # type: ignore[no-untyped-def]
    """Matthews correlation coefficient."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(actual, predicted))


def kappa(actual, predicted):  # type: ignore[no-untyped-def]
    """Cohen's kappa."""
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(actual, predicted))


def qwk(actual, predicted):  # type: ignore[no-untyped-def]
    """Quadratic weighted kappa; predictions are rounded to whole grades."""
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    grades = np.rint(np.asarray(predicted, dtype=float)).astype(int)
    return float(
        cohen_kappa_score(np.asarray(actual, dtype=float).astype(int), grades, weights="quadratic")
    )


def auc(actual, predicted):  # type: ignore[no-untyped-def]
    """Area under the ROC curve; one against the rest, unweighted, for several classes."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    if np.ndim(predicted) == 1:
        return float(roc_auc_score(actual, predicted))
    aucs = [roc_auc_score(actual == k, predicted[:, k]) for k in range(predicted.shape[1])]
    return float(np.mean(aucs))


def gini(actual, predicted):  # type: ignore[no-untyped-def]
    """Normalised Gini coefficient, 2 AUC - 1."""
    from sklearn.metrics import roc_auc_score

    return float(2 * roc_auc_score(actual, predicted) - 1)


def average_precision(actual, predicted):  # type: ignore[no-untyped-def]
    """Average precision of the positive class."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(actual, predicted))


def brier(actual, predicted):  # type: ignore[no-untyped-def]
    """Brier score: mean squared error of the probability of the positive class."""
    import numpy as np

    return float(np.mean((actual - predicted) ** 2))


def log_loss(actual, predicted):  # type: ignore[no-untyped-def]
    """Logarithmic loss; probabilities are clipped to [1e-15, 1 - 1e-15] and rows sum to 1."""
    import numpy as np

    p = np.asarray(predicted, dtype=float)
    if p.ndim == 1:
        p = np.column_stack([1 - p, p])
    p = np.clip(p / p.sum(axis=1, keepdims=True), 1e-15, 1 - 1e-15)
    return float(-np.mean(np.log(p[np.arange(len(p)), np.asarray(actual, dtype=int)])))


def map_at_3(actual, predicted):  # type: ignore[no-untyped-def]
    """Mean average precision at 3: labels of a row ranked, best first, separated by spaces."""
    import numpy as np

    gains = []
    for label, ranked in zip(actual, predicted, strict=True):
        places = list(dict.fromkeys(str(ranked).split()))[:3]
        gains.append(1 / (places.index(str(label)) + 1) if str(label) in places else 0.0)
    return float(np.mean(gains))


def _squares(actual: Array, predicted: Array) -> Array:
    return np.asarray((actual - predicted) ** 2, dtype=float)


def _absolutes(actual: Array, predicted: Array) -> Array:
    return np.asarray(np.abs(actual - predicted), dtype=float)


def _log_squares(actual: Array, predicted: Array) -> Array:
    return np.asarray((np.log1p(actual) - np.log1p(predicted)) ** 2, dtype=float)


def _hits(actual: Array, predicted: Array) -> Array:
    return np.asarray(actual == predicted, dtype=float)


def _log_losses(actual: Array, predicted: Array) -> Array:
    p = np.asarray(predicted, dtype=float)
    if p.ndim == 1:
        p = np.column_stack([1 - p, p])
    p = np.clip(p / p.sum(axis=1, keepdims=True), 1e-15, 1 - 1e-15)
    return np.asarray(-np.log(p[np.arange(len(p)), np.asarray(actual, dtype=int)]))


def _same(mean: Array) -> Array:
    return mean


_REGRESSION: tuple[Kind, ...] = ("regression",)
_BINARY: tuple[Kind, ...] = ("binary",)
_CLASSES: tuple[Kind, ...] = ("binary", "multiclass")
_ORDERED: tuple[Kind, ...] = ("regression", "binary", "multiclass")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("rmse", rmse, False, "value", _REGRESSION, _squares, np.sqrt),
        Metric("mse", mse, False, "value", _REGRESSION, _squares, _same),
        Metric("mae", mae, False, "value", _REGRESSION, _absolutes, _same),
        Metric("median_absolute_error", median_absolute_error, False, "value", _REGRESSION),
        Metric("rmsle", rmsle, False, "value", _REGRESSION, _log_squares, np.sqrt),
        Metric("rmspe", rmspe, False, "value", _REGRESSION),
        Metric("mape", mape, False, "value", _REGRESSION),
        Metric("smape", smape, False, "value", _REGRESSION),
        Metric("r2", r2, True, "value", _REGRESSION),
        Metric("accuracy", accuracy, True, "label", _CLASSES, _hits, _same),
        Metric("balanced_accuracy", balanced_accuracy, True, "label", _CLASSES),
        Metric("f1", f1, True, "label", _BINARY),
        Metric("f1_macro", f1_macro, True, "label", _CLASSES),
        Metric("f1_micro", f1_micro, True, "label", _CLASSES),
        Metric("f1_weighted", f1_weighted, True, "label", _CLASSES),
        Metric("mcc", mcc, True, "label", _CLASSES),
        Metric("kappa", kappa, True, "label", _CLASSES),
        Metric("qwk", qwk, True, "value", _REGRESSION),
        Metric("auc", auc, True, "probability", _CLASSES),
        Metric("gini", gini, True, "probability", _BINARY),
        Metric("average_precision", average_precision, True, "probability", _BINARY),
        Metric("brier", brier, False, "probability", _BINARY, _squares, _same),
        Metric("log_loss", log_loss, False, "probability", _CLASSES, _log_losses, _same),
        Metric("map@3", map_at_3, True, "ranking", _CLASSES),
    )
}

#: What people write for a metric, longest first when a description is read.
_ALIASES = {
    "root mean squared logarithmic error": "rmsle",
    "root mean squared log error": "rmsle",
    "root mean squared percentage error": "rmspe",
    "root mean squared error": "rmse",
    "root mean square error": "rmse",
    "root-mean-squared-error": "rmse",
    "mean squared error": "mse",
    "symmetric mean absolute percentage error": "smape",
    "mean absolute percentage error": "mape",
    "median absolute error": "median_absolute_error",
    "mean absolute error": "mae",
    "coefficient of determination": "r2",
    "r squared": "r2",
    "r^2": "r2",
    "r²": "r2",
    "balanced accuracy": "balanced_accuracy",
    "accuracy": "accuracy",
    "macro f1": "f1_macro",
    "macro-averaged f1": "f1_macro",
    "micro f1": "f1_micro",
    "weighted f1": "f1_weighted",
    "f1 score": "f1",
    "f1-score": "f1",
    "matthews correlation coefficient": "mcc",
    "quadratic weighted kappa": "qwk",
    "quadratically weighted kappa": "qwk",
    "cohen's kappa": "kappa",
    "area under the roc curve": "auc",
    "area under the receiver operating characteristic curve": "auc",
    "area under the curve": "auc",
    "roc auc": "auc",
    "roc_auc": "auc",
    "auroc": "auc",
    "gini": "gini",
    "average precision": "average_precision",
    "brier score": "brier",
    "multi-class logarithmic loss": "log_loss",
    "multiclass logarithmic loss": "log_loss",
    "logarithmic loss": "log_loss",
    "cross-entropy": "log_loss",
    "cross entropy": "log_loss",
    "log loss": "log_loss",
    "logloss": "log_loss",
    "mlogloss": "log_loss",
    "map@3": "map@3",
}


def find_metric(name: str) -> Metric:
    """The metric with this name or common alias; SettingsError naming the nearest ones."""
    wanted = name.strip().lower()
    key = wanted.replace(" ", "_").replace("-", "_")
    for known in (key, _ALIASES.get(wanted, ""), _ALIASES.get(wanted.replace("_", " "), "")):
        if known in METRICS:
            return METRICS[known]
    near = difflib.get_close_matches(key, list(METRICS), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}" if near else "known are " + ", ".join(METRICS)
    raise SettingsError(f"unknown metric {name!r}; {hint}?")


def metric_in(description: str) -> Metric | None:
    """The metric that a description names, preferring lines that speak of evaluation."""
    text = description.lower()
    lines = [x for x in text.splitlines() if re.search(r"metric|evaluat|scor|judged", x)]
    names = {name.replace("_", " "): name for name in METRICS}
    names |= {name: name for name in METRICS} | _ALIASES
    for part in ("\n".join(lines), text):
        found = [
            (match.start(), -len(words), name)
            for words, name in names.items()
            if (match := re.search(rf"(?<![\w@]){re.escape(words)}(?![\w@])", part))
        ]
        if found:
            return METRICS[min(found)[2]]
    return None


def check_fits(metric: Metric, kind: Kind) -> None:
    """Raise TaskError when the metric cannot judge this kind of target."""
    if kind not in metric.kinds:
        suited = ", ".join(name for name, m in METRICS.items() if kind in m.kinds)
        raise TaskError(f"metric {metric.name} does not fit a {kind} target; use one of {suited}")


def from_function(
    function: Callable[..., float], *, greater_is_better: bool, needs: Needs = "value"
) -> Metric:
    """A metric of the user's own: ``function(actual, predicted)`` gives a float."""
    name = getattr(function, "__name__", "metric")
    return Metric(name, function, greater_is_better, needs, _ORDERED)
