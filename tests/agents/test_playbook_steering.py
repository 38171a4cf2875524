"""A person's words, pinned blocks and own models enter the playbook's work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlestar_jupyter.agents.playbook import Playbook
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Ablation, AblationResult, Attempt, ModelCard, Target
from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Block, Solution

PLAYBOOK = Playbook()


def first(brief, model="lightgbm") -> Solution:
    return PLAYBOOK.initialize(brief, ModelCard(model, ""))


def followed(brief, solution, words) -> Solution:
    """The solution after one suggestion, as the algorithm goes about it."""
    target = PLAYBOOK.extract(replace(brief, suggestions=(words,)), solution, [], [])
    assert target is not None
    assert target.plan == words
    changed = solution.replace(
        target.block, PLAYBOOK.code(brief, solution, target, words), title="steered"
    )
    changed.check_compiles()
    assert changed.key != solution.key
    return changed


def refusal(brief, solution, words) -> str:
    with pytest.raises(ReplyError) as caught:
        PLAYBOOK.understands(brief, solution, words)
    message = str(caught.value)
    assert "\n" not in message
    assert words in message
    return message


# What words are understood as


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("try target encoding for kind", 'features: add target_means of "kind": '),
        ("count encoding of city and kind", 'features: add counts of "city", "kind": '),
        ("add interaction of a and rooms", 'features: add products of "a", "rooms": '),
        ("interactions of city and kind", 'features: add pair_means of "city", "kind": '),
        ("cross city with median income", 'features: add group_gaps of "city", "median_income": '),
        ("spent per rooms", 'features: add ratios of "spent", "rooms": '),
        ("take the log of median income", 'features: add logs of "median_income": '),
        ("add polynomial features", "features: add products: "),
        ("clusters of similar rows", "features: add clusters: "),
        ("flag missing values", "features: add missing: "),
        ("drop column a", 'features: leave out the column "a"'),
        ("remove rooms and kind", 'features: leave out the columns "rooms", "kind"'),
        ("no target encoding", "features: leave out target_means"),
        ("drop the dates", "features: leave out dates"),
        ("use catboost", "model: use the model catboost instead"),
        ("try CatBoost", "model: add the model catboost beside it"),
        ("use a random forest too", "model: add the model random_forest beside it"),
        ("replace LightGBM by XGBoost", "model: use the model xgboost instead"),
        ("blend it with a neural network", "model: add the model mlp beside it"),
        ("num_leaves=63", "model: set num_leaves to 63"),
        ("set min child samples to 5, subsample: 0.5", "model: set min_child_samples to 5, sub"),
        ("a learning rate of 0.02", "model: set learning_rate to 0.02"),
        ("300 trees", "model: set n_estimators to 300"),
        ("more trees", "model: set n_estimators to "),
        ("fewer trees", "model: set n_estimators to "),
        ("deeper trees", "model: set num_leaves to 62"),
        ("smaller trees", "model: set num_leaves to 16"),
        ("half the learning rate", "model: set learning_rate to 0.0"),
        ("stronger regularisation", "model: set reg_lambda to 5.0"),
        ("log target", "model: learn the logarithm of the target"),
        ("predict the logarithm of price", "model: learn the logarithm of the target"),
        ("average 5 seeds", "model: average 5 seeds"),
        ("bagging", "model: average 3 seeds"),
        ("use the huber loss", "model: learn with the objective huber"),
        ("add counts: how often categories occur", "features: add counts: how often"),
    ],
)
def test_words_are_understood_for_the_block_that_they_suit(brief, words, meaning):
    asked = brief("regression")
    solution = first(asked)
    assert PLAYBOOK.understands(asked, solution, words).startswith(meaning)
    followed(asked, solution, words)


@pytest.mark.parametrize(
    ("model", "words", "meaning"),
    [
        ("catboost", "deeper trees", "model: set depth to 8"),
        ("catboost", "more iterations", "model: set iterations to "),
        ("xgboost", "shallower trees", "model: set max_depth to 4"),
        ("hist_boosting", "more trees", "model: set max_iter to "),
        ("linear", "more regularisation", "model: set alpha to 10.0"),
        ("neighbours", "more neighbours", "model: set n_neighbors to 30"),
        ("neighbours", "5 neighbours", "model: set n_neighbors to 5"),
        ("mlp", "train longer", "model: set max_iter to "),
        ("svm", "C=10", "model: set C to 10"),
    ],
)
def test_numbers_are_found_by_what_people_call_them(brief, model, words, meaning):
    asked = brief("regression")
    assert PLAYBOOK.understands(asked, first(asked, model), words).startswith(meaning)


def test_with_several_models_the_one_that_is_named_is_meant(brief):
    asked = brief("regression")
    merged = PLAYBOOK.merge(asked, first(asked), first(asked, "catboost"))
    for words, meaning in [
        ("more trees for catboost", "model_catboost: set iterations to "),
        ("more trees", "model: set n_estimators to "),
        ("without catboost", "model_catboost: leave out the model catboost"),
        ("use linear instead of catboost", "model_catboost: use the model linear instead"),
        ("use linear", "model: add the model linear beside it"),
        ("equal weights", "predict: leave out the weights of the blend"),
    ]:
        assert PLAYBOOK.understands(asked, merged, words).startswith(meaning), words


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("drop column foo", "no column 'foo' is used; there are city, kind, rooms"),
        ("target encoding of city", 'the block features has target_means of "city" already'),
        ("use lightgbm", "lightgbm is in the solution already"),
        ("without the mlp", "mlp is no part of this solution"),
        ("without lightgbm", "lightgbm is the only model here; say which one to use instead"),
        ("use naive bayes", "naive_bayes does not suit the features of this solution"),
        ("topics of the text", "text_topics suits no column by itself; name the columns"),
        ("ratio of city to rooms", 'ratios does not apply to the columns "city", "rooms"'),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(brief, words, reason):
    asked = brief("regression")
    assert reason in refusal(asked, first(asked), words)


def test_what_is_not_understood_is_answered_with_what_can_be_suggested(brief):
    asked = brief("regression")
    message = refusal(asked, first(asked), "make it better")
    assert message.startswith("the playbook does not understand 'make it better'; name a number")
    for ability in ("num_leaves", "catboost", "target_means", "a column to drop", "seeds"):
        assert ability in message
    assert len(message) < 500


def test_a_class_has_no_logarithm(brief):
    asked = brief("binary")
    assert "the target is a class" in refusal(asked, first(asked), "log target")


def test_columns_that_are_words_are_not_taken_for_the_words(brief):
    asked = brief("regression")
    solution = first(asked)
    meaning = PLAYBOOK.understands(asked, solution, "try a count encoding")
    assert meaning == "features: add counts: how often categories occur"


def test_numbers_of_a_notebook_of_ones_own_can_be_set_and_nothing_else(brief):
    asked = brief("regression")
    own = Solution((Block("fit", "from x import Y\nmodel = Y(depth=3)"), Block("end", "a = 1")))
    assert PLAYBOOK.understands(asked, own, "depth 5") == "fit: set depth to 5"
    assert "(depth" in refusal(asked, own, "use catboost")


# What is made of them runs


@pytest.mark.parametrize(
    ("task", "model", "suggestions"),
    [
        ("regression", "linear", ["target encoding for kind", "drop column spent", "flag missing"]),
        ("regression", "linear", ["flag missing values", "drop sold and city", "log of a"]),
        ("regression", "linear", ["spent per rooms", "no target encoding of city", "drop rooms"]),
        ("regression", "linear", ["interaction of city and kind", "multiply a and rooms"]),
        ("regression", "lightgbm", ["50 trees", "average 3 seeds", "average 2 seeds"]),
        ("regression", "lightgbm", ["50 trees", "average 2 seeds", "log target"]),
        ("regression", "lightgbm", ["50 trees", "log target", "average 2 seeds"]),
        ("regression", "svm", ["log target"]),
        ("regression", "extra_trees", ["20 trees", "log target"]),
        ("regression", "linear", ["add nearest neighbours", "use lightgbm too", "30 trees"]),
        ("binary", "linear", ["city counts", "use knn instead"]),
        ("multiclass", "linear", ["target encode kind", "cross kind and spent"]),
        ("text", "text_linear", ["trigrams", "C=3"]),
        ("text", "linear", ["topics", "letters", "without text models"]),
        ("images", "svm", ["add edges", "augment the images"]),
        ("tables", "linear", ["drop shop"]),
    ],
)
def test_suggestions_one_after_another_give_solutions_that_run(
    brief, play, task, model, suggestions
):
    asked = brief(task)
    solution = first(asked, model)
    for words in suggestions:
        solution = followed(asked, solution, words)
    assert not [f for f in find_leaks(solution, asked.task) if f.certain]
    guess = {"regression": 12.0, "binary": 0.6, "multiclass": 1.05, "text": 1.05, "images": 0.8,
             "tables": 35.0}[task]  # fmt: skip
    value = play(asked, solution)
    assert value > guess if asked.task.metric.greater_is_better else value < guess


def test_a_dropped_column_is_used_nowhere_in_the_block(brief):
    asked = brief("regression")
    solution = followed(asked, first(asked), "add counts")
    source = followed(asked, solution, "drop city").source("features")
    assert 'dropped = ["city"]' in source
    assert source.count('"city"') == 1, "target_means and counts of city alone go with it"
    again = followed(asked, solution.replace("features", source), "count encoding of kind")
    assert 'dropped = ["city"]' in again.source("features")


def test_columns_that_are_named_join_those_that_are_encoded_already(brief):
    asked = brief("regression")
    source = followed(asked, first(asked), "target encoding for kind").source("features")
    assert 'encoded = ["city", "kind"]' in source


def test_after_a_logarithm_every_prediction_comes_back(brief):
    asked = brief("regression")
    both = PLAYBOOK.code(
        asked, first(asked), Target("model", ""), "add the model neighbours beside it"
    )
    solution = first(asked).replace("model", both)
    source = followed(asked, solution, "log target").source("model")
    assert 'predictions["lightgbm"] = np.expm1(model.predict(X_test)) + lowest' in source
    assert 'predictions["neighbours"] = model.predict(X_test)' in source, "it learns prices"


# Extractor, planner, coder


def result(block: str, change: str, gain: float) -> AblationResult:
    score = Score(1.0, (1.0,), (1,), 0.1, "rmse", False)
    return AblationResult(Ablation(block, change, "x = 1"), "c1", score, gain, 1.0)


@pytest.mark.parametrize("results", [[], [result("features", "dates", -3.0)]])
def test_a_suggestion_that_is_understood_chooses_the_block(brief, results):
    asked = brief("regression", "make it better", "use catboost", "drop kind")
    target = PLAYBOOK.extract(asked, first(asked), results, [Target("model", "x")])
    meant = "use the model catboost instead"
    assert target == Target("model", "use catboost", f"you suggested it: {meant}")


def test_a_suggestion_that_is_not_understood_changes_nothing(brief):
    results = [result("features", "dates", -3.0)]
    solution = first(brief("regression"))
    usual = PLAYBOOK.extract(brief("regression"), solution, results, [])
    asked = brief("regression", "make it better")
    assert PLAYBOOK.extract(asked, solution, results, []) == usual
    target = Target("model", usual.plan)
    assert PLAYBOOK.plan(asked, solution, target, []) == PLAYBOOK.plan(
        brief("regression"), solution, target, []
    )


def test_suggestions_for_a_pinned_block_come_before_own_plans(brief):
    asked = brief("regression", "use catboost", "flag missing values", "drop kind")
    solution, pinned = first(asked), Target("features", "", "pinned by you")
    plan = PLAYBOOK.plan(asked, solution, pinned, [])
    assert plan == "flag missing values"
    assert "missing_values" in PLAYBOOK.code(asked, solution, pinned, plan)
    target = Target("features", plan, "pinned by you")
    attempts = [Attempt(plan, None, -0.1, 1.0)]
    second = PLAYBOOK.plan(asked, solution, target, attempts)
    assert second == "drop kind"
    attempts.append(Attempt(second, None, 0.1, 1.0))
    third = PLAYBOOK.plan(asked, solution, target, attempts)
    assert third not in (None, "use catboost", plan, second)
    PLAYBOOK.code(asked, solution, target, third)


def test_a_pinned_block_without_suggestions_gets_the_best_own_plan(brief):
    asked = brief("regression")
    solution = first(asked)
    plan = PLAYBOOK.plan(asked, solution, Target("model", "", "pinned by you"), [])
    assert plan
    assert PLAYBOOK.code(asked, solution, Target("model", plan), plan) != solution.source("model")


def test_a_block_with_nothing_to_try_has_no_plan(brief):
    asked = brief("regression", "use catboost")
    solution = first(asked)
    assert PLAYBOOK.plan(asked, solution, Target("predict", "", "pinned by you"), []) is None


# Models of the user's own

EXAMPLES = {
    "an expression": "from sklearn.linear_model import Ridge\nRidge(alpha=3)",
    "one line": "from sklearn.linear_model import Ridge; model = Ridge(alpha=3)",
    "several lines": "from sklearn.linear_model import Ridge\n"
    "from sklearn.pipeline import make_pipeline\nmake_pipeline(\n    Ridge(\n        alpha=3,\n"
    "    ),\n)",
    "its own class": "from sklearn.base import BaseEstimator, RegressorMixin\n\n\n"
    "class Nearest(RegressorMixin, BaseEstimator):\n"
    "    def fit(self, X, y):\n        self.X_, self.y_ = np.asarray(X), np.asarray(y)\n"
    "        return self\n\n"
    "    def predict(self, X):\n"
    "        return np.array([self.y_[((self.X_ - x) ** 2).sum(axis=1).argmin()] for x in X])\n\n\n"
    "Nearest()",
    "a name": "from sklearn.svm import SVR\nmine = SVR(C=100)\nmine",
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))
@pytest.mark.parametrize("task", ["regression", "logs"])
def test_an_example_of_ones_own_becomes_the_model_block(brief, play, task, example):
    asked = brief(task)
    solution = PLAYBOOK.initialize(asked, ModelCard("My model 2", "I know it", example))
    assert solution.title == "My model 2"
    assert solution.names == ("load", "features", "model", "predict")
    source = solution.source("model")
    assert source.startswith("# My model 2: a model of your own")
    assert 'test_predictions["my_model_2"]' in source
    assert play(asked, solution) < (14.0 if task == "regression" else 0.6)


@pytest.mark.parametrize("task", ["binary", "labels", "multiclass"])
@pytest.mark.parametrize(
    "example",
    [
        "from sklearn.discriminant_analysis import LinearDiscriminantAnalysis\n"
        "LinearDiscriminantAnalysis()",
        "from sklearn.svm import LinearSVC\nmodel = LinearSVC(C=0.1, random_state=seed)",
    ],
    ids=["with probabilities", "without"],
)
def test_an_own_classifier_gives_probabilities(brief, play, task, example):
    asked = brief(task)
    solution = PLAYBOOK.initialize(asked, ModelCard("mine", "", example))
    value = play(asked, solution)
    assert value < 1.0 if task == "multiclass" else value > 0.7


def test_an_own_model_is_merged_refined_and_steered_like_any_other(brief, play):
    asked = brief("regression")
    own = PLAYBOOK.initialize(asked, ModelCard("my ridge", "", EXAMPLES["an expression"]))
    merged = PLAYBOOK.merge(asked, first(asked, "neighbours"), own)
    assert merged.names[-3:] == ("model_my_ridge", "model", "predict")
    assert play(asked, merged) < 14.0
    assert PLAYBOOK.understands(asked, own, "alpha 10") == "model: set alpha to 10"
    meaning = PLAYBOOK.understands(asked, merged, "my ridge with alpha 10")
    assert meaning == "model_my_ridge: set alpha to 10"
    meaning = PLAYBOOK.understands(asked, merged, "drop my ridge")
    assert meaning == "model_my_ridge: leave out the model my_ridge"
    assert PLAYBOOK.plan(asked, own, Target("model", "", "pinned by you"), [])
    assert "answers = np.log1p(y - lowest)" in followed(asked, own, "log target").source("model")


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        ("from sklearn.linear_model import Ridge", "makes no model; it must define `model`"),
        ("def model():\n    return 1", "makes no model; it must define `model`"),
        ("x = 'a very good model'", "makes no model; it must define `model`"),
        ("a very good model", "is no Python (line 1)"),
        ("Ridge(alpha=3)", "uses Ridge, which it neither imports nor makes"),
        (
            "from sklearn.linear_model import Ridge\nmodel = Ridge().fit(X_train, y_train)",
            "uses X_train, y_train, which it neither imports nor makes",
        ),
        ("import no_such_package\nmodel = no_such_package.M()", "imports no_such_package, which"),
        ("y = 3\nmodel = dict()", "gives y a value that other blocks need; rename it"),
    ],
)
def test_an_example_without_a_model_is_refused_in_one_line(brief, example, reason):
    with pytest.raises(ReplyError) as caught:
        PLAYBOOK.initialize(brief("regression"), ModelCard("mine", "", example))
    message = str(caught.value)
    assert message.startswith("the example of 'mine' ")
    assert reason in message
    assert "\n" not in message


def test_a_card_with_neither_name_nor_example_is_refused_with_what_there_is(brief):
    with pytest.raises(
        ReplyError, match=r"no model 'tabnet'; it has lightgbm, .* or give the card"
    ):
        PLAYBOOK.initialize(brief("regression"), ModelCard("tabnet", ""))


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("CatBoost", "catboost"), ("Random Forest", "random_forest"),
        ("ExtraTreesRegressor", "extra_trees"), ("XGBRegressor", "xgboost"), ("LGBM", "lightgbm"),
        ("k-nearest neighbours", "neighbours"), ("Logistic Regression", "linear"),
        ("HistGradientBoostingRegressor", "hist_boosting"), ("Neural network", "mlp"),
    ],
)  # fmt: skip
def test_a_card_by_another_spelling_is_the_entry_of_the_catalogue(brief, name, entry):
    asked = brief("regression")
    assert PLAYBOOK.initialize(asked, ModelCard(name, "")) == first(asked, entry)


def test_a_card_of_the_catalogue_is_its_entry_whatever_script_it_shows(brief):
    asked = brief("regression")
    script = "import lightgbm as lgb\nmodel = lgb.LGBMRegressor()\nmodel.fit(X_train, y_train)"
    assert PLAYBOOK.initialize(asked, ModelCard("lightgbm", "", script)) == first(asked)
    for card in PLAYBOOK.retrieve(asked, 10):
        assert PLAYBOOK.initialize(asked, card) == first(asked, card.name)


def test_own_code_under_a_name_of_the_catalogue_is_still_used(brief):
    card = ModelCard("Ridge", "", EXAMPLES["an expression"])
    source = PLAYBOOK.initialize(brief("regression"), card).source("model")
    assert "model = Ridge(alpha=3)" in source
    assert 'test_predictions["ridge"]' in source
