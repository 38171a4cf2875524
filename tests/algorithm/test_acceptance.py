"""Acceptance: noise is refused, gains are taken, and cheaper ties never lead downwards."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from sklearn import metrics as sk

from mlestar_jupyter.algorithm.acceptance import (
    _CHUNK,
    _weighted_auc,
    _weights,
    best_score,
    decide,
    probability_better,
    resample,
    spread,
)
from mlestar_jupyter.algorithm.incumbent import replace_incumbent
from mlestar_jupyter.grading import Graded
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.task import Overrides


@pytest.fixture
def run(build, diabetes, tmp_path):
    """A run whose metric is better when it is lower (rmse)."""
    run = Run.create(tmp_path / "run", from_folder(build(*diabetes)), Settings(folds=2))
    yield run
    run.close()


@pytest.fixture
def auc_run(build, cancer, tmp_path):
    """A run whose metric is better when it is higher (auc)."""
    task = from_folder(build(*cancer), Overrides(metric="auc"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    yield run
    run.close()


def noisy(size: float, seed: int):
    """Predictions of progression that are off by normal noise of this size."""

    def predict(held: pd.DataFrame) -> pd.DataFrame:
        rng = np.random.default_rng((seed, int(held["id"].iloc[0])))
        noise = rng.normal(0, size, len(held))
        return pd.DataFrame({"id": held["id"], "progression": held["progression"] + noise})

    return predict


def off(by: float):
    """Predictions of progression with rmse ``by`` exactly, in every row."""

    def predict(held: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"id": held["id"], "progression": held["progression"] + by})

    return predict


def chances(strength: float, seed: int):
    """Probabilities of malignant: the truth by ``strength``, beside noise."""

    def predict(held: pd.DataFrame) -> pd.DataFrame:
        rng = np.random.default_rng((seed, len(held), int(held["id"].iloc[0][1:])))
        truth = (held["diagnosis"] == "malignant").to_numpy()
        values = strength * truth + rng.normal(0, 1, len(held))
        return pd.DataFrame({"id": held["id"], "diagnosis": 1 / (1 + np.exp(-values))})

    return predict


# Decisions


def test_a_real_gain_is_accepted_where_lower_is_better(run, judge):
    incumbent = judge(run, "weak", noisy(60, 1))
    candidate = judge(run, "strong", noisy(30, 2))
    decision = decide(run, candidate, incumbent)
    assert decision.accepted
    assert decision.probability > 0.95
    assert "better with probability" in decision.reason
    back = decide(run, incumbent, candidate)
    assert not back.accepted
    assert back.probability == pytest.approx(1 - decision.probability)
    assert back.reason.startswith("worse")


def test_a_real_gain_is_accepted_where_higher_is_better(auc_run, judge):
    incumbent = judge(auc_run, "weak", chances(0.3, 1))
    candidate = judge(auc_run, "strong", chances(3.0, 2))
    assert candidate.score.value > incumbent.score.value
    assert decide(auc_run, candidate, incumbent).accepted
    assert not decide(auc_run, incumbent, candidate).accepted


def test_noise_is_mostly_refused_although_its_point_score_is_better(run, judge):
    incumbent = judge(run, "incumbent", noisy(40, 0))
    strict = accepted = 0
    for seed in range(1, 26):
        candidate = judge(run, f"seed {seed}", noisy(40, seed))
        strict += candidate.score.is_better_than(incumbent.score)
        accepted += decide(run, candidate, incumbent).accepted
    assert strict > 0
    assert accepted < strict


def test_a_gain_within_the_noise_is_refused_as_a_tie(run, judge):
    def by_turns(even: float, odd: float):
        def predict(held: pd.DataFrame) -> pd.DataFrame:
            by = np.where(np.arange(len(held)) % 2, odd, even)
            return pd.DataFrame({"id": held["id"], "progression": held["progression"] + by})

        return predict

    incumbent = judge(run, "good at even rows", by_turns(10, 12))
    candidate = judge(run, "good at odd rows", by_turns(11.99, 10))
    assert candidate.score.is_better_than(incumbent.score)
    decision = decide(run, candidate, incumbent)
    assert 0.4 < decision.probability < 0.6
    assert not decision.accepted
    assert decision.reason.startswith("a tie")
    assert not decide(run, incumbent, candidate).accepted


def test_the_same_predictions_are_a_tie_of_one_half(run, judge):
    first, second = judge(run, "first", off(10)), judge(run, "second", off(10))
    assert decide(run, second, first).probability == 0.5
    assert not decide(run, second, first).accepted
    assert "itself" in decide(run, first, first).reason


def test_a_small_gain_in_every_row_is_real(run, judge):
    first, second = judge(run, "first", off(10)), judge(run, "second", off(9.99))
    assert decide(run, second, first).accepted
    assert decide(run, second, first).probability == 1.0
    assert decide(run, first, second).probability == 0.0


def test_the_papers_rule_takes_any_strict_gain(build, diabetes, tmp_path, judge):
    task = from_folder(build(*diabetes))
    run = Run.create(tmp_path / "run", task, Settings(acceptance=None, folds=2))
    incumbent = judge(run, "incumbent", noisy(40, 0), slowest=10.0)
    for seed in range(1, 11):
        candidate = judge(run, f"seed {seed}", noisy(40, seed), slowest=1.0)
        decision = decide(run, candidate, incumbent)
        assert decision.accepted is candidate.score.is_better_than(incumbent.score)
        assert decision.probability == float(decision.accepted)
    run.close()


def test_no_score_is_never_accepted(run, judge):
    broken = judge(run, "broken", None)
    assert not decide(run, broken, None).accepted
    incumbent = judge(run, "weak", off(100))
    decision = decide(run, broken, incumbent)
    assert not decision.accepted
    assert decision.reason == "not scored: it broke"


def test_anything_that_ran_beats_what_did_not(run, judge):
    broken, scored = judge(run, "broken", None), judge(run, "bad", off(1000))
    assert decide(run, scored, None).accepted
    assert decide(run, scored, broken).accepted


def test_a_tie_is_accepted_when_it_is_cheaper_and_not_worse(run, judge):
    incumbent = judge(run, "slow", off(10), slowest=10.0)
    assert decide(run, judge(run, "fast", off(10), slowest=2.0), incumbent).accepted
    assert not decide(run, judge(run, "as slow", off(10), slowest=9.0), incumbent).accepted
    cheaper_and_worse = judge(run, "worse", off(10.01), slowest=1.0)
    assert not decide(run, cheaper_and_worse, incumbent).accepted


def test_what_was_accepted_is_accepted_again_whatever_has_come_since(run, judge):
    incumbent = judge(run, "slow", off(10), slowest=10.0)
    cheaper = judge(run, "fast", off(10), slowest=2.0)
    replace_incumbent(run, 0, incumbent, "the first")
    replace_incumbent(run, 0, cheaper, "a tie, and cheaper", incumbent)
    better = judge(run, "another branch", off(5), branch=1)
    assert decide(run, cheaper, incumbent).accepted, "as when a resumed run comes by it"
    replace_incumbent(run, 0, better, "better", cheaper)
    assert not decide(run, cheaper, better).accepted
    assert not decide(run, judge(run, "also fast", off(10), slowest=1.0), incumbent).accepted


def test_cheaper_ties_never_ratchet_below_the_best_score_ever(run, judge):
    incumbent = judge(run, "0", noisy(40, 0), slowest=1e6)
    accepted = 0
    for step in range(1, 26):
        candidate = judge(run, str(step), noisy(40, step), slowest=incumbent.slowest * 0.7)
        best = best_score(run)
        decision = decide(run, candidate, incumbent)
        if decision.accepted:
            accepted += 1
            if decision.reason == "a tie, and cheaper":
                assert candidate.score == best
            incumbent = candidate
        assert incumbent.score.gain_over(judge_first(run)) >= 0
    assert accepted >= 1
    assert incumbent.score.is_better_than(judge_first(run))


def judge_first(run: Run):
    """The score of the first candidate: what a ratchet would fall below."""
    return run.state.candidates["0001"].score


def test_an_equal_and_cheaper_sequence_stays_at_the_best_score(run, judge):
    best = incumbent = judge(run, "best", off(10), slowest=1000.0)
    for step in range(18):
        worse = 10 + 0.001 * (step % 3)
        candidate = judge(run, f"step {step}", off(worse), slowest=incumbent.slowest * 0.5)
        if decide(run, candidate, incumbent).accepted:
            incumbent = candidate
        assert incumbent.score.value == pytest.approx(best.score.value, abs=1e-9)
    assert incumbent.slowest < 100, "it did become cheaper"


def test_the_best_score_ever_counts_candidates_that_were_refused(run, judge):
    assert best_score(run) is None
    judge(run, "broken", None)
    judge(run, "good", off(5))
    judge(run, "bad", off(50))
    assert best_score(run).value == pytest.approx(5)


def test_the_best_of_the_run_changes_only_by_acceptance(run, judge):
    first = judge(run, "first", off(10))
    replace_incumbent(run, 0, first, "the first")
    other = judge(run, "other branch", off(20), branch=1)
    replace_incumbent(run, 1, other, "the first of its branch")
    assert run.state.incumbents == {0: first.id, 1: other.id}
    assert run.best == first
    better = judge(run, "better", off(5), branch=1)
    replace_incumbent(run, 1, better, "better")
    assert run.best == better
    events = len(run.events)
    replace_incumbent(run, 1, better, "again")
    assert len(run.events) == events, "what was decided already is not written again"


# Resampling


def graded_folds(seed: int, sizes=(30, 50)) -> list[Graded]:
    rng = np.random.default_rng(seed)
    folds = []
    for size in sizes:
        actual = rng.normal(0, 1, size)
        predicted = actual + rng.normal(0, 0.5, size)
        folds.append(Graded(actual, predicted, METRICS["rmse"](actual, predicted)))
    return folds


@pytest.mark.parametrize("name", ["rmse", "mae", "r2", "median_absolute_error"])
def test_candidates_are_resampled_in_pairs(name):
    folds = graded_folds(0)
    better = [Graded(f.actual, f.actual + 0.9 * (f.predicted - f.actual), 0.0) for f in folds]
    metric = METRICS[name]
    first, second = resample(metric, folds, 100, 3), resample(metric, better, 100, 3)
    gain = second - first if metric.greater_is_better else first - second
    assert (gain > 0).all(), "the same rows are drawn for both"
    assert np.std(first) > 0.01
    assert (resample(metric, folds, 100, 3) == first).all()
    assert (resample(metric, folds, 100, 4) != first).any()


def test_resamples_scatter_about_the_score():
    folds = graded_folds(1, (400, 200))
    for name in ("rmse", "mae", "median_absolute_error"):
        metric = METRICS[name]
        value = (2 * metric(folds[0].actual, folds[0].predicted)
                 + metric(folds[1].actual, folds[1].predicted)) / 3  # fmt: skip
        draws = resample(metric, folds, 400, 0)
        assert draws.mean() == pytest.approx(value, rel=0.05)
        assert spread(metric, folds, 400, 0) == pytest.approx(draws.std(ddof=1))


def test_the_spread_of_a_mean_is_its_standard_error():
    rng = np.random.default_rng(0)
    actual, predicted = rng.normal(size=2_000), np.zeros(2_000)
    fold = Graded(actual, predicted, 0.0)
    expected = np.abs(actual).std() / np.sqrt(2_000)
    assert spread(METRICS["mae"], [fold], 1_000, 0) == pytest.approx(expected, rel=0.1)
    one = Graded(np.ones(9), np.zeros(9), 1.0)
    assert spread(METRICS["mae"], [one], 100, 0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_weighted_auc_is_that_of_scikit_learn_on_repeated_rows(seed):
    rng = np.random.default_rng(seed)
    data = datasets.load_breast_cancer()
    rows = rng.choice(len(data.target), 80, replace=False)
    actual, predicted = data.target[rows], -data.data[rows, seed].round(seed % 3)
    weights = rng.poisson(1.0, (20, 80)).astype(float)
    areas = _weighted_auc(Graded(actual, predicted, 0.0), weights)
    for area, weight in zip(areas, weights, strict=True):
        repeated = np.repeat(np.arange(80), weight.astype(int))
        expected = sk.roc_auc_score(actual[repeated], predicted[repeated])
        assert area == pytest.approx(expected, abs=1e-12)


def test_a_resample_with_one_class_has_no_auc():
    fold = Graded(np.array([1, 0, 0]), np.array([0.9, 0.2, 0.1]), 1.0)
    weights = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    areas = _weighted_auc(fold, weights)
    assert areas[0] == 1.0
    assert np.isnan(areas[1])
    draws = resample(METRICS["auc"], [fold], 200, 0)
    assert np.isnan(draws).any()
    assert np.isfinite(spread(METRICS["auc"], [fold], 200, 0))


def test_gini_is_resampled_like_auc():
    rng = np.random.default_rng(0)
    fold = Graded(rng.integers(0, 2, 60), rng.random(60), 0.0)
    auc, gini = (resample(METRICS[name], [fold], 50, 0) for name in ("auc", "gini"))
    assert gini == pytest.approx(2 * auc - 1)


def test_weights_come_in_chunks_of_bounded_memory_and_one_a_row_on_average():
    generator = np.random.default_rng(0)
    chunks = _weights(1_000_000, 6, generator)
    assert [chunk.shape for chunk in chunks] == [(4, 1_000_000), (2, 1_000_000)]
    assert max(chunk.size for chunk in chunks) <= _CHUNK
    assert chunks[0].mean() == pytest.approx(1.0, abs=0.01)


def test_classes_and_rankings_are_resampled_too():
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 3, 90)
    chance = rng.dirichlet([1, 1, 1], 90)
    names = np.array(["a", "b", "c"])
    for name, fold in {
        "auc": Graded(actual, chance, 0.0),
        "log_loss": Graded(actual, chance, 0.0),
        "f1_macro": Graded(actual, chance.argmax(axis=1), 0.0),
        "map@3": Graded(names[actual], np.array([" ".join(names)] * 90), 0.0),
    }.items():
        value = METRICS[name](fold.actual, fold.predicted)
        draws = resample(METRICS[name], [fold], 60, 0)
        assert np.isfinite(draws).all()
        assert draws.std() > 0
        assert draws.mean() == pytest.approx(value, abs=3 * draws.std())


def test_the_probability_of_being_better_is_that_of_the_resamples(run, judge):
    first, second = judge(run, "first", noisy(40, 1)), judge(run, "second", noisy(38, 2))
    ours = resample(run.task.metric, run.graded(second.id), 200, 0)
    theirs = resample(run.task.metric, run.graded(first.id), 200, 0)
    expected = np.mean(ours < theirs) + np.mean(ours == theirs) / 2
    assert probability_better(run, second, first) == pytest.approx(expected)
    assert 0 < expected < 1
