"""Predictions are graded only when they are complete, finite and for the right rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from mlestar_jupyter.grading import InvalidPredictions, grade, is_built_in
from mlestar_jupyter.inference import from_folder, from_frames
from mlestar_jupyter.metrics import METRICS, from_function
from mlestar_jupyter.task import Overrides, Task

ROWS = np.arange(5, 45)


def graded(task: Task, frame: pd.DataFrame, path: Path) -> float:
    frame.to_csv(path, index=False)
    return grade(task, ROWS, path).value


def refusal(task: Task, frame: pd.DataFrame, path: Path) -> str:
    with pytest.raises(InvalidPredictions) as caught:
        graded(task, frame, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "predictions.csv"


@pytest.fixture
def regression(build, diabetes):
    task = from_folder(build(*diabetes, name="regression"))
    held = task.train.iloc[ROWS]
    rng = np.random.default_rng(0)
    predicted = held["progression"] + rng.normal(0, 20, len(ROWS))
    return task, pd.DataFrame({"id": held["id"], "progression": predicted})


@pytest.fixture
def binary(build, cancer):
    task = from_folder(build(*cancer, name="binary"), Overrides(metric="auc"))
    held = task.train.iloc[ROWS]
    chance = np.random.default_rng(0).uniform(0, 1, len(ROWS)).round(2)
    return task, pd.DataFrame({"id": held["id"], "diagnosis": chance})


@pytest.fixture
def classes(build, iris):
    task = from_folder(build(*iris, name="classes"))
    chances = np.random.default_rng(0).dirichlet([1, 1, 1], len(ROWS))
    frame = pd.DataFrame(chances, columns=["virginica", "setosa", "versicolor"])
    frame.insert(0, "id", task.train["id"].iloc[ROWS].to_numpy())
    return task, frame


# Right predictions


def test_values_are_graded_as_scikit_learn_grades_them(regression, out):
    task, frame = regression
    actual = task.train["progression"].iloc[ROWS]
    expected = sk.root_mean_squared_error(actual, frame["progression"])
    assert graded(task, frame, out) == pytest.approx(expected)


def test_the_probability_is_that_of_the_positive_class(binary, out, build, cancer):
    task, frame = binary
    actual = task.train["diagnosis"].iloc[ROWS]
    expected = sk.roc_auc_score(actual == "malignant", frame["diagnosis"])
    assert graded(task, frame, out) == pytest.approx(expected)
    folder = build(*cancer, name="turned")
    turned = from_folder(folder, Overrides(metric="auc", positive_class="benign"))
    assert graded(turned, frame, out) == pytest.approx(1 - expected)


def test_a_column_for_each_class_is_graded_by_its_name(classes, out):
    task, frame = classes
    actual = task.train["species"].iloc[ROWS]
    order = ["setosa", "versicolor", "virginica"]
    expected = sk.log_loss(actual, frame[order], labels=order)
    assert graded(task, frame, out) == pytest.approx(expected)
    assert graded(task, frame[["versicolor", "id", *order[::2]]], out) == pytest.approx(expected)


def test_rows_in_another_order_are_aligned_by_id(regression, binary, classes, out):
    for task, frame in (regression, binary, classes):
        score = graded(task, frame, out)
        shuffled = frame.sample(frac=1, random_state=1)
        assert shuffled["id"].tolist() != frame["id"].tolist()
        assert graded(task, shuffled, out) == score
        wrong = frame.assign(id=shuffled["id"].to_numpy())
        assert graded(task, wrong, out) != score, "ids count, not places"


@pytest.mark.parametrize("write", [str, float, lambda n: f" {n} ", lambda n: f"{n}.0"])
def test_an_id_is_the_same_however_it_is_written(regression, out, write):
    task, frame = regression
    score = graded(task, frame, out)
    again = frame.sample(frac=1, random_state=1)
    assert graded(task, again.assign(id=[write(n) for n in again["id"]]), out) == score


def test_ids_that_are_words_ending_in_dot_zero_stay_apart(build, cancer, out):
    train, test, _ = cancer
    train["id"] = [f"v{n // 2}.0" if n % 2 else f"v{n // 2}" for n in range(150)]
    task = from_folder(build(train, test), Overrides(metric="accuracy"))
    held = task.train.iloc[ROWS]
    frame = held[["id", "diagnosis"]].sample(frac=1, random_state=0)
    assert graded(task, frame, out) == 1.0


def test_without_an_id_rows_are_aligned_by_position(build, diabetes, out):
    train, test, _ = diabetes
    task = from_folder(build(train.drop(columns="id"), test.drop(columns="id")))
    held = task.train["progression"].iloc[ROWS].reset_index(drop=True)
    frame = pd.DataFrame({"row": range(40), "progression": held})
    assert graded(task, frame, out) == 0
    assert graded(task, frame.sample(frac=1, random_state=0), out) > 0
    assert "39 rows were predicted, 40 were asked for" in refusal(task, frame.iloc[:39], out)


def test_repeated_ids_of_train_are_aligned_by_position(build, diabetes, out):
    train, test, sample = diabetes
    train["id"] = np.arange(120) // 2
    task = from_folder(build(train, test, sample))
    held = task.train.iloc[ROWS][["id", "progression"]]
    assert graded(task, held, out) == 0
    assert "order of the sample" in refusal(task, held.iloc[::-1], out)


@pytest.mark.parametrize(
    ("labels", "written"),
    [
        (["no", "yes"], ["no", "yes"]),
        ([0, 1], [0, 1]),
        ([0, 1], [0.0, 1.0]),
        ([1.0, 2.0], [1, 2]),
        ([False, True], [False, True]),
        (["1", "2"], [1, 2]),
        (["01", "02"], ["01", "02"]),
        (["None", "some"], ["None", "some"]),
        (["NA", "EU"], ["NA", "EU"]),
        ([" padded", "b"], [" padded", "b"]),
    ],
    ids=str,
)
def test_labels_are_matched_however_they_are_written(tmp_path, cancer, out, labels, written):
    train, test, _ = cancer
    malignant = (train["diagnosis"] == "malignant").to_numpy().astype(int)
    train["diagnosis"] = [labels[k] for k in malignant]
    task = from_frames({"train": train, "test": test}, tmp_path, Overrides(metric="accuracy"))
    guess = malignant[ROWS].copy()
    guess[:10] = 1 - guess[:10]
    frame = pd.DataFrame({"id": train["id"].iloc[ROWS], "diagnosis": [written[k] for k in guess]})
    assert graded(task, frame, out) == 0.75


def test_ids_that_pandas_takes_for_missing_are_ids(tmp_path, cancer, out):
    train, test, _ = cancer
    train.iloc[ROWS[0], 0] = "NA"
    task = from_frames({"train": train, "test": test}, tmp_path, Overrides(metric="accuracy"))
    frame = train.iloc[ROWS][["id", "diagnosis"]]
    assert graded(task, frame.iloc[::-1], out) == 1.0


def test_ranked_labels_are_graded(build, iris, out):
    train, test, _ = iris
    task = from_folder(build(train, test), Overrides(metric="map@3"))
    held = task.train.iloc[ROWS]
    frame = pd.DataFrame({"id": held["id"], "species": "setosa virginica versicolor"})
    places = {"setosa": 1, "virginica": 1 / 2, "versicolor": 1 / 3}
    expected = held["species"].map(places).mean()
    assert graded(task, frame, out) == pytest.approx(expected)


# Wrong predictions


def test_no_file_is_a_reason(regression, tmp_path):
    with pytest.raises(InvalidPredictions, match="no predictions were written"):
        grade(regression[0], ROWS, tmp_path / "nothing.csv")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x01" * 50, b'id,progression\n"1,2\n'])
def test_a_file_that_is_no_table_is_a_reason_in_one_line(regression, out, content):
    out.write_bytes(content)
    with pytest.raises(InvalidPredictions) as caught:
        grade(regression[0], ROWS, out)
    assert "\n" not in str(caught.value)


def test_missing_and_extra_rows_are_told_with_both_numbers(regression, out):
    task, frame = regression
    assert "39 rows were predicted, 40 were asked for" in refusal(task, frame.iloc[1:], out)
    more = pd.concat([frame, pd.DataFrame({"id": [1], "progression": [1.0]})])
    assert "41 rows were predicted, 40 were asked for" in refusal(task, more, out)


def test_a_wrong_id_is_told_by_the_one_that_is_missing(regression, out):
    task, frame = regression
    frame = frame.assign(id=[-1, *frame["id"].iloc[1:]])
    assert "1 ids are missing, e.g. '1005'" in refusal(task, frame, out)


def test_an_id_predicted_twice_is_told(regression, out):
    task, frame = regression
    frame = frame.assign(id=[1006, *frame["id"].iloc[1:]])
    assert "1 ids are predicted twice, e.g. '1006'" in refusal(task, frame, out)


def test_missing_and_unexpected_columns_are_told(regression, out):
    task, frame = regression
    message = refusal(task, frame.rename(columns={"progression": "target"}), out)
    assert "missing ['progression']" in message
    assert "unexpected ['Unnamed: 0']" in refusal(task, frame.reset_index(names="Unnamed: 0"), out)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.nan, "1 predictions are missing"),
        (np.inf, "no finite numbers"),
        (-np.inf, "no finite numbers"),
        ("many", "no finite numbers"),
    ],
)
def test_what_is_not_finite_is_told(regression, out, value, reason):
    task, frame = regression
    values = frame["progression"].astype(object)
    values.iloc[3] = value
    assert reason in refusal(task, frame.assign(progression=values), out)


@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_a_probability_out_of_range_is_told(binary, out, value):
    task, frame = binary
    frame.iloc[7, 1] = value
    assert "must lie in [0, 1]" in refusal(task, frame, out)


def test_probabilities_that_do_not_sum_to_one_are_told(classes, out):
    task, frame = classes
    scaled = frame.copy()
    scaled.iloc[3, 1:] *= 0.99
    assert "sum to 1" in refusal(task, scaled, out)
    rounded = frame.round(6)
    assert graded(task, rounded, out) == pytest.approx(graded(task, frame, out), rel=1e-3)


def test_an_unknown_label_is_told_with_the_classes(build, cancer, out):
    train, test, _ = cancer
    task = from_folder(build(train, test), Overrides(metric="accuracy"))
    frame = task.train.iloc[ROWS][["id", "diagnosis"]].copy()
    frame.iloc[0, 1] = "Malignant"
    message = refusal(task, frame, out)
    assert "'Malignant'" in message
    assert "['benign', 'malignant']" in message


def test_a_metric_that_is_not_defined_for_the_predictions_is_a_reason(build, diabetes, out):
    task = from_folder(build(*diabetes), Overrides(metric="rmsle"))
    frame = task.train.iloc[ROWS][["id", "progression"]]
    assert graded(task, frame, out) == 0
    assert "clip them at 0" in refusal(task, frame.assign(progression=-1), out)


def test_a_metric_of_the_users_own_is_not_built_in():
    def rmse(actual, predicted):
        return 0.0

    assert is_built_in(METRICS["rmse"])
    assert not is_built_in(from_function(rmse, greater_is_better=False))
