"""Metrics agree with independent formulas, are found by name, and stand alone as source."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sk

from mlestar_jupyter.errors import SettingsError, TaskError
from mlestar_jupyter.metrics import METRICS, Metric, check_fits, find_metric, from_function
from mlestar_jupyter.metrics import metric_in as named_in
from mlestar_jupyter.score import Score, format_number, weighted_mean


def confusion(a, p):
    size = int(max(a.max(), p.max())) + 1
    table = np.zeros((size, size))
    for x, y in zip(a, p, strict=True):
        table[x, y] += 1
    return table


def by_pairs(a, p):
    positive, negative = p[a == 1], p[a == 0]
    wins = sum((x > y) + (x == y) / 2 for x in positive for y in negative)
    return wins / (len(positive) * len(negative))


def quadratic_kappa(a, p):
    table = confusion(a.astype(int), np.rint(p).astype(int))
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    i, j = np.indices(table.shape)
    weights = (i - j) ** 2
    return 1 - (weights * table).sum() / (weights * np.outer(rows, columns) / len(a)).sum()


def cohen(a, p):
    table = confusion(a, p) / len(a)
    chance = (table.sum(axis=0) * table.sum(axis=1)).sum()
    return (np.trace(table) - chance) / (1 - chance)


def f1_of(a, p, k):
    hit = ((a == k) & (p == k)).sum()
    return 0.0 if hit == 0 else 2 * hit / ((a == k).sum() + (p == k).sum())


def precision_steps(a, p):
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(a[order])
    precision, recall = hits / np.arange(1, len(a) + 1), hits / a.sum()
    return recall[0] * precision[0] + sum(
        (r2 - r1) * q for (r1, r2), q in zip(pairwise(recall), precision[1:], strict=True)
    )


def reference_map3(a, p):
    total = 0.0
    for label, ranked in zip(a, p, strict=True):
        for place, guess in enumerate(ranked.split()[:3], start=1):
            if guess == label:
                total += 1 / place
                break
    return total / len(a)


def row_logs(a, p):
    if p.ndim == 1:
        return -np.mean([math.log(x if y == 1 else 1 - x) for y, x in zip(a, p, strict=True)])
    return -np.mean([math.log(row[y]) for y, row in zip(a, p, strict=True)])


Formula = Callable[[np.ndarray, np.ndarray], float]
FORMULAS: dict[str, tuple[str, Formula]] = {
    "rmse": ("value", lambda a, p: math.sqrt(sk.mean_squared_error(a, p))),
    "mse": ("value", lambda a, p: sum((x - y) ** 2 for x, y in zip(a, p, strict=True)) / len(a)),
    "mae": ("value", lambda a, p: sk.mean_absolute_error(a, p)),
    "median_absolute_error": ("value", lambda a, p: sk.median_absolute_error(a, p)),
    "rmsle": ("value", lambda a, p: sk.root_mean_squared_log_error(a, p)),
    "rmspe": ("value", lambda a, p: math.sqrt(np.mean(((a - p) / a) ** 2))),
    "mape": ("value", lambda a, p: np.mean(np.abs((a - p) / a))),
    "smape": ("value", lambda a, p: 200 * np.mean(np.abs(a - p) / (np.abs(a) + np.abs(p)))),
    "r2": ("value", lambda a, p: 1 - ((a - p) ** 2).sum() / ((a - a.mean()) ** 2).sum()),
    "accuracy": ("label", lambda a, p: sk.accuracy_score(a, p)),
    "balanced_accuracy": (
        "label", lambda a, p: np.mean([(p[a == k] == k).mean() for k in np.unique(a)]),
    ),
    "f1": ("binary label", lambda a, p: f1_of(a, p, 1)),
    "f1_macro": ("label", lambda a, p: np.mean([f1_of(a, p, k) for k in range(3)])),
    "f1_micro": ("label", lambda a, p: (a == p).mean()),
    "f1_weighted": (
        "label", lambda a, p: sum((a == k).mean() * f1_of(a, p, k) for k in range(3)),
    ),
    "mcc": ("binary label", lambda a, p: np.corrcoef(a, p)[0, 1]),
    "kappa": ("label", cohen),
    "qwk": ("grade", quadratic_kappa),
    "auc": ("probability", by_pairs),
    "gini": ("probability", lambda a, p: 2 * by_pairs(a, p) - 1),
    "average_precision": ("probability", precision_steps),
    "brier": ("probability", lambda a, p: sk.brier_score_loss(a, p)),
    "log_loss": ("probability", row_logs),
    "map@3": ("ranking", reference_map3),
}  # fmt: skip
HIGHER = {
    "r2", "accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "f1_weighted", "mcc",
    "kappa", "qwk", "auc", "gini", "average_precision", "map@3",
}  # fmt: skip


def draw(what: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random answers and predictions of one sort, 80 rows."""
    rng = np.random.default_rng(seed)
    if what == "value":
        a = rng.gamma(2, 3, 80) + 0.1
        return a, a * rng.uniform(0.5, 1.5, 80)
    if what == "grade":
        a = rng.integers(0, 5, 80)
        return a.astype(float), np.clip(a + rng.normal(0, 1, 80), 0, 4)
    if what in ("label", "binary label"):
        count = 3 if what == "label" else 2
        a = rng.integers(0, count, 80)
        return a, np.where(rng.random(80) < 0.6, a, rng.integers(0, count, 80))
    if what == "ranking":
        names = np.array(["cat", "dog", "7", "eel"])
        guesses = [" ".join(rng.permutation(names)[: rng.integers(1, 5)]) for _ in range(80)]
        return names[rng.integers(0, 4, 80)], np.array(guesses)
    a = rng.integers(0, 2, 80)
    return a, np.clip(0.5 + (a - 0.5) * rng.normal(0.4, 0.5, 80), 0.01, 0.99)


def test_every_metric_has_a_formula_here():
    assert set(FORMULAS) == set(METRICS)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_agrees_with_its_formula(name, seed):
    what, formula = FORMULAS[name]
    actual, predicted = draw(what, seed)
    assert METRICS[name](actual, predicted) == pytest.approx(formula(actual, predicted), rel=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_source_of_a_metric_stands_alone(name):
    metric = METRICS[name]
    actual, predicted = draw(FORMULAS[name][0], 5)
    space: dict[str, object] = {}
    exec(metric.source, space)
    function = next(value for key, value in space.items() if key != "__builtins__")
    assert function(actual, predicted) == metric(actual, predicted)  # type: ignore[operator]


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if m.row_losses is not None])
def test_the_losses_of_rows_add_up_to_the_metric(name):
    metric = METRICS[name]
    actual, predicted = draw(FORMULAS[name][0], 9)
    losses = metric.row_losses(actual, predicted)
    assert losses.shape == (80,)
    value = metric.finish(np.array([losses.mean()]))[0]
    assert value == pytest.approx(metric(actual, predicted), rel=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_direction_is_right_and_a_perfect_prediction_is_the_better(name):
    metric = METRICS[name]
    assert metric.greater_is_better is (name in HIGHER)
    assert metric.direction.startswith("higher" if name in HIGHER else "lower")
    what = FORMULAS[name][0]
    actual, predicted = draw(what, 2)
    perfect = actual
    if what == "probability":
        perfect = actual.astype(float)
    score, best = metric(actual, predicted), metric(actual, perfect)
    assert best > score if metric.greater_is_better else best < score


def test_auc_and_log_loss_take_a_column_for_each_class():
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 3, 90)
    p = rng.dirichlet([1, 1, 1], 90)
    expected = sk.roc_auc_score(actual, p, multi_class="ovr", average="macro")
    assert METRICS["auc"](actual, p) == pytest.approx(expected)
    assert METRICS["log_loss"](actual, p) == pytest.approx(sk.log_loss(actual, p))
    losses = METRICS["log_loss"].row_losses(actual, p)
    assert losses.mean() == pytest.approx(sk.log_loss(actual, p))


def test_a_sure_and_wrong_probability_is_bad_and_not_infinite():
    value = METRICS["log_loss"](np.array([1, 0]), np.array([0.0, 0.0]))
    assert value == pytest.approx(-math.log(1e-15) / 2)


def test_smape_counts_nothing_by_nothing_as_right():
    assert METRICS["smape"](np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0
    assert METRICS["smape"](np.array([0.0, 1.0]), np.array([1.0, 1.0])) == 100


def test_a_guess_that_is_repeated_takes_one_place():
    value = METRICS["map@3"](np.array(["b"]), np.array(["a a b"]))
    assert value == pytest.approx(1 / 2)


def test_a_value_that_is_not_defined_is_an_error_with_words():
    with pytest.raises(ValueError, match="clip them at 0"):
        METRICS["rmsle"](np.array([1.0]), np.array([-1.0]))
    with pytest.raises(ValueError, match="rmse is nan"), np.errstate(all="ignore"):
        METRICS["rmse"](np.array([np.inf]), np.array([np.inf]))


DESCRIPTIONS = [
    ("Submissions are evaluated on area under the ROC curve between the predicted probability.",
     "auc"),
    ("## Evaluation\nThe evaluation metric for this competition is Mean Absolute Error.", "mae"),
    ("Submissions are scored on the root mean squared error.", "rmse"),
    ("The score is the Root Mean Squared Logarithmic Error (RMSLE).", "rmsle"),
    ("Evaluated on the **quadratic weighted kappa**, which measures agreement.", "qwk"),
    ("Submissions are evaluated using multi-class logarithmic loss.", "log_loss"),
    ("Metric: Macro-averaged F1 score over the five classes.", "f1_macro"),
    ("Submissions are evaluated by Matthews correlation coefficient (MCC).", "mcc"),
    ("Who survived?\n## Metric\nThe share of passengers you predict correctly, known as accuracy.",
     "accuracy"),
    ("Balanced accuracy is used to judge submissions.", "balanced_accuracy"),
    ("Forecasts are evaluated on SMAPE between forecasts and actual values.", "smape"),
    ("Submissions are evaluated according to the Mean Average Precision @ 3 (MAP@3).", "map@3"),
    ("Judged with the normalized Gini coefficient.", "gini"),
    ("The metric is the coefficient of determination.", "r2"),
    ("Root Mean Square Percentage Error (RMSPE) is the metric.", "rmspe"),
    ("Accuracy of sensors matters here.\n\nSubmissions are evaluated with log loss.", "log_loss"),
    ("The F1-score of the positive class is the evaluation metric.", "f1"),
    ("Evaluated by the Brier score.", "brier"),
    ("Models are scored by mean absolute percentage error (MAPE).", "mape"),
    ("Submissions are evaluated on ROC-AUC.", "auc"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), DESCRIPTIONS, ids=[n for _, n in DESCRIPTIONS])
def test_the_metric_of_a_description_is_found(text, name):
    found = named_in(text)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "text", ["", "Predict the price of houses.", "A formapery of maestros and emaed automae."]
)
def test_a_description_that_names_no_metric_gives_none(text):
    assert named_in(text) is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("RMSE", "rmse"), (" auc ", "auc"), ("roc_auc", "auc"), ("Log Loss", "log_loss"),
        ("log-loss", "log_loss"), ("f1-macro", "f1_macro"), ("F1 Macro", "f1_macro"),
        ("quadratic weighted kappa", "qwk"), ("mean_squared_error", "mse"), ("R^2", "r2"),
    ],
)  # fmt: skip
def test_a_metric_is_found_by_its_name_and_its_common_names(given, name):
    assert find_metric(given).name == name


@pytest.mark.parametrize(("given", "near"), [("rsme", "rmse"), ("acuracy", "accuracy")])
def test_an_unknown_metric_is_answered_with_the_nearest(given, near):
    with pytest.raises(SettingsError) as caught:
        find_metric(given)
    assert repr(given) in str(caught.value)
    assert f"did you mean {near}" in str(caught.value)


def test_a_metric_like_none_of_ours_is_answered_with_all_of_them():
    with pytest.raises(SettingsError) as caught:
        find_metric("zzzzqqq")
    assert all(name in str(caught.value) for name in METRICS)


def test_a_metric_that_does_not_fit_names_those_that_do():
    with pytest.raises(TaskError) as caught:
        check_fits(METRICS["rmse"], "multiclass")
    assert "rmse does not fit a multiclass target" in str(caught.value)
    assert "f1_macro" in str(caught.value)
    assert " f1," not in str(caught.value)
    check_fits(METRICS["rmse"], "regression")


def test_a_function_of_the_users_own_is_a_metric():
    def half_mae(actual, predicted):
        return float(np.abs(actual - predicted).mean() / 2)

    metric = from_function(half_mae, greater_is_better=False)
    assert isinstance(metric, Metric)
    assert (metric.name, metric.direction) == ("half_mae", "lower is better")
    assert metric(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == 0.25


# Scores


def score(value: float, greater: bool = True) -> Score:
    return Score(value, (value,), (10,), 0.125, "m", greater)


def test_a_score_knows_which_way_is_better():
    assert score(0.9).is_better_than(score(0.8))
    assert score(0.9).gain_over(score(0.8)) == pytest.approx(0.1)
    assert score(0.8, False).is_better_than(score(0.9, False))
    assert score(0.8, False).gain_over(score(0.9, False)) == pytest.approx(0.1)
    assert not score(0.9).is_better_than(score(0.9))
    assert score(-5.0).is_better_than(None)


def test_a_score_survives_the_journal():
    first = Score(0.75, (0.5, 1.0), (2, 2), 0.1, "auc", True)
    assert Score.from_json(first.to_json()) == first


def test_a_score_is_weighted_by_rows_and_shown_with_its_spread():
    assert weighted_mean([1.0, 4.0], [3, 1]) == 1.75
    assert str(score(0.123456789)) == "0.12346 ± 0.125"
    assert str(Score(0.5, (0.5,), (1,), 0.0, "m", True, self_scored=True)) == "0.5 (self-scored)"
    assert format_number(1234567.8) == "1,234,568"
    assert format_number(0) == "0"


def test_a_function_of_the_users_own_that_raises_fails_the_candidate_alone() -> None:
    def careless(actual, predicted):
        return {}["missing"]

    metric = from_function(careless, greater_is_better=True)
    with pytest.raises(ValueError, match="careless raised KeyError: 'missing'"):
        metric(np.zeros(3), np.zeros(3))
