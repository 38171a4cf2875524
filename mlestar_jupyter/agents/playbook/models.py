"""The model blocks: how large each model may be for a task, and the source that follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.pictures import picture_numbers
from mlestar_jupyter.agents.playbook.rendering import render

Values = dict[str, Any]

#: Cells of a table that one tree of a library reads in a second, with one thread (measured).
LIGHTGBM_CELLS, CATBOOST_CELLS, FOREST_CELLS = 1.6e8, 6e7, 8e6
#: Seconds that one tree takes however small the table is.
LIGHTGBM_TREE, CATBOOST_TREE = 0.0006, 0.0025


def cells(facts: Facts) -> float:
    """About how many numbers the feature table of a task has."""
    columns = 1.5 * len(facts.columns) + 20 * len(facts.strings) + 15 * len(facts.texts)
    columns += 10 * len(facts.formats) + (picture_numbers(facts) if facts.images else 0)
    return facts.rows * max(4.0, columns)


def _affordable(facts: Facts, per_tree: float) -> int:
    """How many trees can be grown in the time, on the learning part and then on all rows."""
    threads = max(1, facts.brief.threads)
    return int(facts.seconds / 2 * threads**0.7 / (per_tree * facts.classes))


def _rounded(number: float) -> int:
    """A number of trees as a person would write it."""
    step = 10 if number < 100 else 50 if number < 500 else 100
    return max(step, round(number / step) * step)


def _rate(trees: int, slow: float) -> float:
    for least, rate in ((1000, 0.04), (500, 0.06), (250, 0.1), (120, 0.15)):
        if trees >= least:
            return rate * slow
    return 0.25 * slow


def _least(facts: Facts) -> int:
    return int(min(100, max(10, facts.rows // 400)))


def _boosting(facts: Facts, slow: float = 1.0) -> Values:
    slow *= 1.6 if "l1" in facts.words else 1.0
    per_tree = slow * (LIGHTGBM_TREE + cells(facts) / LIGHTGBM_CELLS)
    trees = min(2000, max(60, _affordable(facts, per_tree)))
    return {
        "trees": _rounded(trees),
        "rate": _rate(trees, 1.0),
        "least": _least(facts),
        "penalty": 1.0 if facts.classes == 1 else 5.0,
    }


def _leaves(facts: Facts) -> int:
    if facts.classes == 1 or facts.rows > 100_000:
        return 31
    return 7 if facts.texts else 15


def lightgbm(facts: Facts) -> str:
    """LightGBM, with as many trees as the time allows."""
    values = {**_boosting(facts), "leaves": _leaves(facts), "patience": 50}
    return render("models/lightgbm", facts.words, values)


def hist_boosting(facts: Facts) -> str:
    """Histogram gradient boosting of scikit-learn."""
    values = {**_boosting(facts), "leaves": _leaves(facts)}
    return render("models/hist_boosting", facts.words, {**values, "trees": values["trees"] // 2})


def xgboost(facts: Facts) -> str:
    """XGBoost, level by level."""
    values = {**_boosting(facts, slow=1.7), "patience": 50, "depth": 6 if facts.classes == 1 else 4}
    values["least"] = min(10, values["least"] // 2) if facts.classes == 1 else 5
    return render("models/xgboost", facts.words, values)


def catboost(facts: Facts) -> str:
    """CatBoost, with few enough trees to keep the time."""
    per_tree = CATBOOST_TREE + cells(facts) / CATBOOST_CELLS
    trees = min(600, max(60, _affordable(facts, per_tree)))
    big = facts.rows > 20_000
    values = {
        "trees": _rounded(trees),
        "rate": round(min(0.3, max(0.04, 45 / trees)), 2),
        "depth": 5 if big and facts.classes > 1 else 6,
        "borders": 64 if big else 128,
        "columns_share": 0.5 if big or len(facts.columns) > 50 else 0.8,
        "patience": 50,
    }
    return render("models/catboost", facts.words | ({"codes"} if big else set()), values)


def _forest(name: str, share_of_columns: float) -> Callable[[Facts], str]:
    def block(facts: Facts) -> str:
        share = share_of_columns if facts.classes == 1 else 0.3
        per_tree = cells(facts) * share / 0.7 / FOREST_CELLS + 0.001
        trees = facts.seconds / 1.4 * max(1, facts.brief.threads) / per_tree
        values = {
            "trees": _rounded(min(200, max(30, trees))),
            "columns_share": share if cells(facts) / facts.rows < 200 else 0.1,
            "leaves": (1, 3) if facts.images else (1, 5, 20) if facts.rows < 20_000 else (5, 20),
        }
        return render(f"models/{name}", facts.words, values)

    return block


extra_trees = _forest("extra_trees", 0.7)
random_forest = _forest("random_forest", 0.5)


def linear(facts: Facts) -> str:
    """Ridge or logistic regression on scaled and on-off columns."""
    words = facts.words | ({"strings"} if facts.strings and facts.rows <= 100_000 else set())
    values = {"strings": facts.strings, "alpha": 2.0, "strength": 0.5}
    return render("models/linear", words, values)


def neighbours(facts: Facts) -> str:
    """Nearest neighbours."""
    return render("models/neighbours", facts.words)


def mlp(facts: Facts) -> str:
    """A small neural network."""
    epochs = min(60, max(5, int(facts.seconds * 150_000 / facts.rows)))
    return render("models/mlp", facts.words, {"epochs": epochs})


def svm(facts: Facts) -> str:
    """A support vector machine."""
    numbers = picture_numbers(facts) if facts.images else 0
    words = facts.words | ({"large"} if numbers > 300 else set())
    components = max(1, min(80, facts.rows // 4))  # no more than the rows that it is fitted on
    values = {"strength": 10.0 if facts.images else 1.0, "components": components}
    return render("models/svm", words, values)


def naive_bayes(facts: Facts) -> str:
    """Naive Bayes on weights of words."""
    return render("models/naive_bayes", facts.words)


def text_linear(facts: Facts) -> str:
    """A linear model on weights of words."""
    values = {"alpha": 1.0, "strength": 10.0, "name": "text_linear"}
    return render("models/text_linear", facts.words, values)


def letters_linear(facts: Facts) -> str:
    """A linear model on weights of letters."""
    values = {"alpha": 1.0, "strength": 10.0, "name": "letters_linear"}
    return render("models/text_linear", facts.words, values)
