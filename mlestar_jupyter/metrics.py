"""Metrics: scikit-learn's where it has them, and what Kaggle uses beside them."""

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

from mlestar_jupyter import metric_functions as f
from mlestar_jupyter.errors import MlestarError, SettingsError, TaskError

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
        try:
            value = float(self.function(actual, predicted))
        except (ValueError, MlestarError):
            raise
        except Exception as error:  # a function of the user's own may raise anything
            raise ValueError(f"{self.name} raised {type(error).__name__}: {error}") from error
        if not math.isfinite(value):
            raise ValueError(f"{self.name} is {value} for these predictions")
        return value

    @property
    def source(self) -> str:
        """The function as plain Python source, for notebooks that do without this package."""
        return inspect.getsource(self.function)


_REGRESSION: tuple[Kind, ...] = ("regression",)
_BINARY: tuple[Kind, ...] = ("binary",)
_CLASSES: tuple[Kind, ...] = ("binary", "multiclass")
_ORDERED: tuple[Kind, ...] = ("regression", "binary", "multiclass")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("rmse", f.rmse, False, "value", _REGRESSION, f.squares_rows, np.sqrt),
        Metric(
            "mse",
            f.mse,
            False,
            "value",
            _REGRESSION,
            f.squares_rows,
            f.same,
        ),
        Metric(
            "mae",
            f.mae,
            False,
            "value",
            _REGRESSION,
            f.absolutes_rows,
            f.same,
        ),
        Metric("median_absolute_error", f.median_absolute_error, False, "value", _REGRESSION),
        Metric(
            "rmsle",
            f.rmsle,
            False,
            "value",
            _REGRESSION,
            f.log_squares_rows,
            np.sqrt,
        ),
        Metric("rmspe", f.rmspe, False, "value", _REGRESSION),
        Metric("mape", f.mape, False, "value", _REGRESSION),
        Metric("smape", f.smape, False, "value", _REGRESSION),
        Metric("r2", f.r2, True, "value", _REGRESSION),
        Metric(
            "accuracy",
            f.accuracy,
            True,
            "label",
            _CLASSES,
            f.hits_rows,
            f.same,
        ),
        Metric("balanced_accuracy", f.balanced_accuracy, True, "label", _CLASSES),
        Metric("f1", f.f1, True, "label", _BINARY),
        Metric("f1_macro", f.f1_macro, True, "label", _CLASSES),
        Metric("f1_micro", f.f1_micro, True, "label", _CLASSES),
        Metric("f1_weighted", f.f1_weighted, True, "label", _CLASSES),
        Metric("mcc", f.mcc, True, "label", _CLASSES),
        Metric("kappa", f.kappa, True, "label", _CLASSES),
        Metric("qwk", f.qwk, True, "value", _REGRESSION),
        Metric("auc", f.auc, True, "probability", _CLASSES),
        Metric("gini", f.gini, True, "probability", _BINARY),
        Metric("average_precision", f.average_precision, True, "probability", _BINARY),
        Metric(
            "brier",
            f.brier,
            False,
            "probability",
            _BINARY,
            f.squares_rows,
            f.same,
        ),
        Metric(
            "log_loss",
            f.log_loss,
            False,
            "probability",
            _CLASSES,
            f.log_losses_rows,
            f.same,
        ),
        Metric("map@3", f.map_at_3, True, "ranking", _CLASSES),
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
    "mean average precision @ 3": "map@3",
    "mean average precision at 3": "map@3",
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
    function: Callable[..., float],
    *,
    greater_is_better: bool,
    needs: Needs = "value",
    name: str | None = None,
) -> Metric:
    """A metric of the user's own: ``function(actual, predicted)`` gives a float."""
    name = name or str(getattr(function, "__name__", "metric"))
    return Metric(name, function, greater_is_better, needs, _ORDERED)


def not_given(name: str) -> Callable[..., float]:
    """Stands for a metric of the user's own that is not there."""

    def metric(*_: object) -> float:
        raise TaskError(
            f"this run is judged by a function of your own, {name}; define it in a notebook and "
            f"go on there with `%mlestar resume --run DIR`"
        )

    return metric
