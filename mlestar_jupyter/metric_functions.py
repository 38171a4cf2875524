"""The metrics as small functions that import what they need themselves.

A finished notebook carries the source of one, so that it gives the same score without us.
``actual`` has shape (n,). ``predicted`` has shape (n,) for values and labels, and (n, classes) for
the probabilities of a multiclass task, in the order of ``classes``; for two classes it is (n,),
the probability of the positive class. The ``*_rows`` functions give the loss of each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


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


def squares_rows(actual: Array, predicted: Array) -> Array:
    """Squared errors."""
    return np.asarray((actual - predicted) ** 2, dtype=float)


def absolutes_rows(actual: Array, predicted: Array) -> Array:
    """Absolute errors."""
    return np.asarray(np.abs(actual - predicted), dtype=float)


def log_squares_rows(actual: Array, predicted: Array) -> Array:
    """Squared errors of logarithms."""
    return np.asarray((np.log1p(actual) - np.log1p(predicted)) ** 2, dtype=float)


def hits_rows(actual: Array, predicted: Array) -> Array:
    """1 where the label is right, else 0."""
    return np.asarray(actual == predicted, dtype=float)


def log_losses_rows(actual: Array, predicted: Array) -> Array:
    """Logarithmic losses."""
    p = np.asarray(predicted, dtype=float)
    if p.ndim == 1:
        p = np.column_stack([1 - p, p])
    p = np.clip(p / p.sum(axis=1, keepdims=True), 1e-15, 1 - 1e-15)
    return np.asarray(-np.log(p[np.arange(len(p)), np.asarray(actual, dtype=int)]))


def same(mean: Array) -> Array:
    """The mean itself: the metric is a plain mean."""
    return mean
