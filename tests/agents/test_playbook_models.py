"""Every model of the catalogue gives a first solution that runs and beats a constant guess."""

from __future__ import annotations

import pytest

from mlestar_jupyter.agents.playbook import Playbook, catalogue, facts
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.interfaces import ModelCard

#: What a guess that does not look at the rows would score, or nearly.
GUESS = {
    "regression": 16.0, "logs": 0.6, "medians": 12.0, "binary": 0.6, "labels": 0.68,
    "multiclass": 1.05, "text": 1.05, "images": 0.5, "tables": 35.0,
}  # fmt: skip
TABLE = [
    "lightgbm", "catboost", "xgboost", "extra_trees", "linear", "hist_boosting", "random_forest",
    "mlp", "svm", "neighbours",
]  # fmt: skip
CASES = [
    *((task, model) for task in ("regression", "binary", "multiclass") for model in TABLE),
    ("logs", "lightgbm"), ("logs", "mlp"), ("logs", "svm"), ("logs", "neighbours"),
    ("logs", "linear"), ("medians", "lightgbm"), ("medians", "extra_trees"), ("labels", "linear"),
    ("text", "naive_bayes"), ("text", "text_linear"), ("text", "letters_linear"),
    ("text", "linear"), ("images", "svm"), ("images", "neighbours"), ("images", "lightgbm"),
    ("tables", "lightgbm"), ("tables", "linear"),
]  # fmt: skip


def test_every_installed_model_is_tried_here():
    assert {e.name for e in catalogue.ENTRIES} == {model for _, model in CASES}


@pytest.mark.parametrize(("task", "model"), CASES)
def test_a_first_solution_runs_and_beats_a_guess(brief, play, task, model):
    entry = catalogue.BY_NAME[model]
    if not entry.is_installed:
        pytest.skip(f"{model} is not installed")
    asked = brief(task)
    assert entry.suits(facts.read(asked)) > 0
    solution = Playbook().initialize(asked, ModelCard(model, ""))
    assert not [f for f in find_leaks(solution, asked.task) if f.certain]
    value = play(asked, solution)
    better = value > GUESS[task] if asked.task.metric.greater_is_better else value < GUESS[task]
    assert better, f"{asked.task.metric.name} {value}"
