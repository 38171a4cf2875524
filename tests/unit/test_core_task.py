"""A task is understood from its files, or refused in one line that names the thing and the mend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar_jupyter.errors import JournalError, MlestarError, SettingsError, TaskError
from mlestar_jupyter.inference import from_folder, from_frames, from_table, reopen
from mlestar_jupyter.metrics import from_function
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.task import Overrides, Task


def refusal(folder: Path, overrides: Overrides | None = None, error: type = TaskError) -> str:
    """The one line that a folder is refused with."""
    with pytest.raises(error) as caught:
        from_folder(folder, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert "np." not in message, "values are shown plainly"
    assert len(message) < 500
    return message


# What is inferred


@pytest.mark.parametrize(
    "suffix", [".csv", ".tsv", ".parquet", ".feather", ".jsonl", ".xlsx", ".csv.gz", ".csv.zip"]
)
def test_a_folder_of_each_format_is_understood_alike(build, diabetes, suffix):
    train, test, sample = (frame.reset_index(drop=True) for frame in diabetes)
    task = from_folder(build(train, test, sample, suffix=suffix))
    assert (task.target, task.id_column, task.kind) == ("progression", "id", "regression")
    assert task.metric.name == "rmse"
    assert task.features == ("id", "age", "bmi", "bp", "s5")
    assert task.source.train.name == f"train{suffix}"
    assert len(task.train) == 120
    assert len(task.test) == 40


def test_a_binary_task_knows_its_classes_and_the_positive_one(build, cancer):
    task = from_folder(build(*cancer, description="Submissions are evaluated by ROC AUC."))
    assert task.kind == "binary"
    assert task.metric.name == "auc"
    assert task.classes == ("benign", "malignant")
    assert task.positive_class == "malignant"
    assert task.target_columns == ("diagnosis",)
    assert ("positive class", "malignant") in task.describe()


def test_probabilities_in_the_sample_mean_auc_and_labels_mean_accuracy(build, cancer):
    train, test, sample = cancer
    assert from_folder(build(*cancer, name="a")).metric.name == "auc"
    sample = sample.assign(diagnosis="benign")
    task = from_folder(build(train, test, sample, name="b"))
    assert task.metric.name == "accuracy"
    assert "no metric was named: accuracy is used" in task.notes


def test_a_sample_with_a_column_per_class_tells_the_target(build, iris):
    task = from_folder(build(*iris))
    assert task.target == "species"
    assert task.kind == "multiclass"
    assert task.metric.name == "log_loss"
    assert task.classes == ("setosa", "versicolor", "virginica")
    assert task.sample_columns == ("id", "virginica", "setosa", "versicolor")
    assert task.target_columns == ("virginica", "setosa", "versicolor")
    assert "the sample has one column for each value of species" in task.notes


def test_without_a_sample_the_form_is_made(build, iris):
    train, test, _ = iris
    by_label = from_folder(build(train, test, name="a"))
    assert by_label.sample_columns == ("id", "species")
    by_class = from_folder(build(train, test, name="b"), Overrides(metric="log_loss"))
    assert by_class.sample_columns == ("id", "setosa", "versicolor", "virginica")


def test_few_whole_numbers_are_classes_and_many_are_values(build):
    frame = pd.DataFrame({"x": range(60), "y": [n % 3 for n in range(60)]})
    test = frame[["x"]] + 100
    assert from_folder(build(frame, test, name="few")).kind == "multiclass"
    assert from_folder(build(frame, test, name="told"), Overrides(metric="mae")).kind == (
        "regression"
    )
    many = frame.assign(y=range(60))
    assert from_folder(build(many, test, name="many")).kind == "regression"


def test_the_target_is_the_one_column_that_test_lacks(build, diabetes):
    train, test, _ = diabetes
    assert from_folder(build(train, test)).target == "progression"


def test_the_description_settles_which_of_several_columns_is_the_target(build, diabetes):
    train, test, _ = diabetes
    train = train.assign(casual=range(120))
    folder = build(train, test, description="Predict the target `progression`.")
    task = from_folder(folder)
    assert task.target == "progression"
    assert task.train_only == ("casual",)
    assert "only train has casual: not used to predict" in task.notes


def test_without_a_shared_column_rows_have_no_id(build, diabetes):
    train, test, _ = diabetes
    train, test = train.drop(columns="id"), test.drop(columns="id")
    sample = pd.DataFrame({"Row": range(40), "progression": 0})
    task = from_folder(build(train, test, sample))
    assert task.id_column is None
    assert task.sample_columns == ("Row", "progression")


def test_a_feature_is_not_taken_for_an_id(build, diabetes):
    train, test, _ = diabetes
    task = from_folder(build(train.drop(columns="id"), test.drop(columns="id")))
    assert task.id_column is None
    assert task.sample_columns == ("row", "progression")


def test_one_table_and_a_target_are_a_task_without_submission(tmp_path, diabetes):
    path = tmp_path / "all.csv"
    diabetes[0].to_csv(path, index=False)
    task = from_table(path, Overrides(target="progression"))
    assert task.test is None
    assert task.name == "all"
    assert "progression" not in task.features
    assert len(task.features) == 5
    with pytest.raises(TaskError, match="--target, one of id, age"):
        from_table(path, Overrides())


def test_repeated_values_that_train_and_test_never_share_are_a_group(build):
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(40), 5)
    frame = pd.DataFrame({"patient": [f"p{p}" for p in patient], "x": rng.normal(size=200)})
    frame["y"] = frame["x"] + rng.normal(size=200)
    task = from_folder(build(frame.iloc[:150], frame.iloc[150:].drop(columns="y")))
    assert task.group == "patient"
    assert any("folds keep it together" in note for note in task.notes)


def test_a_test_that_lies_later_means_a_split_by_time(build):
    days = pd.date_range("2024-01-01", periods=100).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"day": days, "x": range(100), "y": np.arange(100) * 1.5})
    task = from_folder(build(frame.iloc[:80], frame.iloc[80:].drop(columns="y")))
    assert (task.time, task.block_days, task.group) == ("day", 0, None)


def test_one_date_in_every_row_means_no_split_by_time(build, diabetes):
    train, test, _ = diabetes
    train, test = train.assign(taken="2024-05-01"), test.assign(taken="2024-05-01")
    assert from_folder(build(train, test)).time is None


def test_days_that_test_takes_out_of_the_middle_mean_blocks_of_days(build):
    hours = pd.Series(pd.date_range("2024-01-01", periods=60 * 24, freq="h"))
    frame = pd.DataFrame({"at": hours.astype(str), "x": range(1440), "y": np.arange(1440) / 7})
    in_test = hours.dt.day > 20
    task = from_folder(build(frame[~in_test], frame[in_test].drop(columns="y")))
    assert task.time == "at"
    assert 9 <= task.block_days <= 11


# Overrides


def test_each_inference_can_be_overridden(build, cancer):
    train, test, sample = cancer
    train = train.assign(clinic=["a", "b", "c"] * 50, week=range(150))
    overrides = Overrides(
        target="diagnosis", id_column="id", metric="gini", kind="binary",
        positive_class="benign", group="clinic", time="week",
    )  # fmt: skip
    task = from_folder(build(train, test, sample), overrides)
    assert task.metric.name == "gini"
    assert task.positive_class == "benign"
    assert (task.group, task.time) == ("clinic", "week")
    assert task.overrides.to_json() == {
        "target": "diagnosis", "id_column": "id", "metric": "gini", "kind": "binary",
        "positive_class": "benign", "group": "clinic", "time": "week",
    }  # fmt: skip


def test_a_number_can_be_predicted_as_a_value_although_it_has_few_values(build):
    frame = pd.DataFrame({"x": range(60), "y": [n % 3 for n in range(60)]})
    task = from_folder(build(frame, frame[["x"]]), Overrides(kind="regression"))
    assert (task.kind, task.metric.name, task.classes) == ("regression", "rmse", ())


def test_a_metric_of_the_users_own_is_taken(build, diabetes):
    def worst(actual, predicted):
        return float(np.abs(actual - predicted).max())

    metric = from_function(worst, greater_is_better=False)
    task = from_folder(build(*diabetes), Overrides(metric=metric))
    assert task.metric.name == "worst"
    assert task.metric(np.array([1.0, 2.0]), np.array([1.0, 5.0])) == 3.0


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (Overrides(target="nope"), ["'nope'", "progression"]),
        (Overrides(id_column="nope"), ["'nope'", "--id", "age"]),
        (Overrides(group="nope"), ["'nope'", "--group"]),
        (Overrides(time="nope"), ["'nope'", "--time-column"]),
        (Overrides(kind="binary"), ["'progression'", "--kind"]),
    ],
)
def test_an_override_that_does_not_fit_is_named(build, diabetes, overrides, words):
    message = refusal(build(*diabetes), overrides)
    assert all(word in message for word in words), message


def test_a_positive_class_that_train_lacks_is_named(build, cancer):
    message = refusal(build(*cancer), Overrides(positive_class="maybe"))
    assert "'maybe'" in message
    assert "malignant" in message


# What is refused


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    assert "nowhere" in refusal(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("a\n1\n")
    assert "give the folder" in refusal(path)


def test_a_folder_without_train_is_refused_and_says_what_was_found(build, diabetes):
    folder = build(None, diabetes[1], files={"tain.csv": "a\n1\n"})
    message = refusal(folder)
    assert "tain.csv" in message
    assert "train.csv" in message.replace("tain.csv", "")


def test_an_empty_train_is_refused(build, diabetes):
    assert "train.csv is empty" in refusal(build("", diabetes[1]))


def test_an_empty_test_is_refused(build, diabetes):
    assert "test.csv is empty" in refusal(build(diabetes[0], ""))


@pytest.mark.parametrize("which", ["train", "test"])
def test_a_header_without_rows_is_refused(build, diabetes, which):
    train, test, sample = diabetes
    if which == "train":
        train = train.iloc[:0]
    else:
        test = test.iloc[:0]
    assert f"{which}.csv has a header but no rows" in refusal(build(train, test, sample))


def test_a_target_that_is_missing_is_refused(build, diabetes):
    train, test, sample = diabetes
    message = refusal(build(train.drop(columns="progression"), test, sample))
    assert "target" in message


def test_several_possible_targets_are_refused_by_name(build, diabetes):
    train, test, _ = diabetes
    message = refusal(build(train.assign(other=1), test))
    assert "--target" in message
    assert "progression, other" in message


def test_a_sample_that_asks_for_two_columns_of_train_is_refused(build, diabetes):
    train, test, sample = diabetes
    message = refusal(build(train.assign(other=range(120)), test, sample.assign(other=0)))
    assert "--target" in message
    assert "progression, other" in message


@pytest.mark.parametrize("value", [1, 2.5, "same"])
def test_a_constant_target_is_refused_with_its_value(build, diabetes, value):
    train, test, _ = diabetes
    message = refusal(build(train.assign(progression=value), test))
    assert "'progression'" in message
    assert f"is {value!r} in every row of train.csv" in message


def test_a_target_that_is_missing_in_every_row_is_refused(build, diabetes):
    train, test, _ = diabetes
    message = refusal(build(train.assign(progression=np.nan), test))
    assert "every value of the target 'progression' in train.csv is missing" in message


def test_too_few_rows_with_a_target_are_refused(build, diabetes):
    train, test, _ = diabetes
    assert "at least 10" in refusal(build(train.iloc[:9], test))


def test_rows_without_a_target_are_noted(build, diabetes):
    train, test, _ = diabetes
    train.loc[train.index[:7], "progression"] = np.nan
    assert "7 rows of train have no target: left out" in from_folder(build(train, test)).notes


def test_an_unknown_metric_is_refused_with_the_nearest(build, diabetes):
    message = refusal(build(*diabetes), Overrides(metric="rsme"), SettingsError)
    assert "'rsme'" in message
    assert "rmse" in message.replace("rsme", "")


def test_a_metric_of_numbers_does_not_fit_words(build, cancer):
    train, test, _ = cancer
    message = refusal(build(train, test), Overrides(metric="rmse"))
    assert "rmse" in message
    assert "diagnosis" in message or "binary" in message
    assert "accuracy" in message


def test_a_metric_of_probabilities_does_not_fit_measurements(build, diabetes):
    train, test, _ = diabetes
    train["progression"] += np.arange(120) / 1000
    message = refusal(build(train, test), Overrides(metric="log_loss"))
    assert "log_loss" in message
    assert "'progression'" in message
    assert "rmse" in message


def test_a_metric_of_two_classes_does_not_fit_three(build, iris):
    train, test, _ = iris
    message = refusal(build(train, test), Overrides(metric="f1"))
    assert "metric f1 does not fit a multiclass target" in message
    assert "f1_macro" in message


def test_duplicated_ids_in_test_are_refused_with_an_example(build, diabetes):
    train, test, sample = diabetes
    test["id"] = [7, 7, *range(8, 46)]
    sample["id"] = test["id"].to_numpy()
    message = refusal(build(train, test, sample))
    assert "test.csv has 1 duplicated values of the id 'id', for example 7" in message


def test_columns_of_test_that_train_lacks_are_refused(build, diabetes):
    train, test, sample = diabetes
    message = refusal(build(train, test.assign(extra=1), sample))
    assert "test.csv has columns that train.csv lacks: extra" in message


def test_a_table_that_is_not_utf8_is_refused(build, diabetes):
    train = diabetes[0].assign(city="Köln").to_csv(index=False).encode("latin1")
    message = refusal(build(train, diabetes[1]))
    assert "train.csv is not UTF-8" in message
    assert "iconv" in message


def test_two_columns_of_one_name_in_train_are_refused(build, diabetes):
    train, test, _ = diabetes
    text = train.to_csv(index=False).replace("bmi", "age", 1)
    message = refusal(build(text, test.drop(columns="bmi")))
    assert "'age'" in message


def test_binary_garbage_is_refused(build, diabetes):
    garbage = np.random.default_rng(0).bytes(4_000)
    for number, suffix in enumerate([".csv", ".parquet", ".xlsx", ".csv.gz"]):
        folder = build(garbage, diabetes[1], suffix=suffix, name=f"task{number}") if (
            suffix == ".csv"
        ) else build(files={f"train{suffix}": garbage}, name=f"task{number}")  # fmt: skip
        assert f"train{suffix}" in refusal(folder, Overrides(target="progression"))


def test_a_sample_with_other_rows_than_test_is_refused(build, diabetes):
    train, test, sample = diabetes
    message = refusal(build(train, test, sample.iloc[:30]))
    assert "sample_submission.csv has 30 rows but test has 40" in message


def test_a_sample_with_other_ids_than_test_is_refused(build, diabetes):
    train, test, sample = diabetes
    sample["id"] += 1
    message = refusal(build(train, test, sample))
    assert "sample_submission.csv lacks 1 ids of test, for example 1120" in message


def test_a_sample_that_lacks_a_class_is_refused(build, iris):
    train, test, sample = iris
    message = refusal(
        build(train, test, sample.drop(columns="setosa")), Overrides(metric="log_loss")
    )
    assert "sample_submission.csv" in message
    assert "setosa" in message


def test_a_sample_without_the_target_is_refused(build, diabetes):
    train, test, sample = diabetes
    message = refusal(build(train, test, sample.rename(columns={"progression": "answer"})))
    assert "sample_submission.csv" in message
    assert "progression" in message


def test_what_is_refused_shows_as_one_line_in_a_notebook():
    assert TaskError("no file x; check it")._render_traceback_() == [
        "TaskError: no file x; check it"
    ]


# Other files


def test_the_other_files_are_listed_and_the_tables_of_answers_never(build, diabetes):
    folder = build(
        *diabetes,
        description="Predict.",
        files={
            "stores.csv": "store,city\n1,a\n", "images/a.png": b"\x89PNG", ".hidden": "x",
            "__MACOSX/._train.csv": b"0", "mlestar_runs/r/journal.jsonl": "{}\n", "my.ipynb": "{}",
        },
    )  # fmt: skip
    assert from_folder(folder).source.files == ("images/a.png", "stores.csv")


@pytest.mark.parametrize(
    "twin",
    ["train.csv.zip", "train.csv.gz", "train.parquet", "Train.xlsx", "train.zip", "old/labels.csv"],
)
def test_a_second_form_of_train_is_no_side_file(build, diabetes, twin):
    # Kaggle's folders often hold train.csv and train.csv.zip: its answers must not be staged.
    folder = build(*diabetes)
    train = diabetes[0]
    if twin.endswith("parquet"):
        train.to_parquet(folder / twin)
    elif twin.endswith("xlsx"):
        train.to_excel(folder / twin, index=False)
    else:
        (folder / twin).parent.mkdir(exist_ok=True)
        train.to_csv(folder / twin, index=False)
    assert from_folder(folder).source.files == ()


def test_a_link_out_of_the_folder_is_not_followed(build, diabetes, tmp_path):
    folder = build(*diabetes)
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (folder / "linked.csv").symlink_to(tmp_path / "secret.csv")
    assert from_folder(folder).source.files == ()


def test_the_description_is_read_and_words_given_come_first(build, diabetes):
    folder = build(*diabetes, description="Minimise the MAE, please.")
    assert from_folder(folder).metric.name == "mae"
    told = from_folder(folder, description="Judged by R².")
    assert told.description == "Judged by R²."
    assert told.metric.name == "r2"


# DataFrames


def frames_of(*tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return dict(zip(("train", "test", "sample"), tables, strict=False))


def test_dataframes_are_a_task(tmp_path, cancer):
    task = from_frames(frames_of(*cancer), tmp_path, Overrides())
    assert (task.target, task.kind, task.id_column) == ("diagnosis", "binary", "id")
    assert task.source.train == tmp_path / "train.parquet"
    assert not task.source.train.exists(), "a run writes it, an understanding does not"


@pytest.mark.parametrize(
    ("make", "classes"),
    [
        (lambda y: pd.Categorical(y), ("benign", "malignant")),
        (lambda y: pd.array(y == "malignant", dtype="boolean"), (False, True)),
        (lambda y: y == "malignant", (False, True)),
        (lambda y: pd.array((y == "malignant").astype(int), dtype="Int64"), (0, 1)),
        (lambda y: (y == "malignant").astype(np.int8), (0, 1)),
        (lambda y: (y == "malignant").astype(float), (0.0, 1.0)),
    ],
    ids=["category", "boolean", "bool", "Int64", "int8", "float"],
)
def test_classes_of_every_dtype_are_understood(tmp_path, cancer, make, classes):
    train, test, _ = cancer
    train["diagnosis"] = make(train["diagnosis"])
    task = from_frames(frames_of(train, test), tmp_path, Overrides(metric="auc"))
    assert task.kind == "binary"
    assert task.classes == classes
    assert task.positive_class == classes[1]
    assert all(type(c) in (str, bool, int, float) for c in task.classes)


def test_a_frame_of_another_kind_is_refused(tmp_path):
    with pytest.raises(TaskError, match="train is a list; give a pandas DataFrame"):
        from_frames({"train": [1, 2], "test": [3]}, tmp_path, Overrides())


def test_a_frame_with_two_columns_of_one_name_is_refused(tmp_path, diabetes):
    train, test, _ = diabetes
    train.columns = ["id", "age", "age", "bp", "s5", "progression"]
    with pytest.raises(TaskError, match="one name"):
        from_frames(frames_of(train, test), tmp_path, Overrides())


def test_one_frame_without_a_target_is_asked_for_it(tmp_path, diabetes):
    with pytest.raises(TaskError, match="target=, one of id, age"):
        from_frames(frames_of(diabetes[0]), tmp_path, Overrides())


def test_an_empty_frame_is_refused(tmp_path, diabetes):
    train, test, _ = diabetes
    with pytest.raises(TaskError, match="no rows"):
        from_frames(frames_of(train.iloc[:0], test), tmp_path, Overrides())


# Self-scored tasks


def test_a_task_without_rows_is_self_scored_when_its_metric_and_direction_are_given(build):
    folder = build(files={"images/a.png": b"1"})
    task = from_folder(folder, Overrides(kind="self-scored", metric="dice", greater_is_better=True))
    assert task.is_self_scored
    assert task.metric.greater_is_better
    assert task.source.files == ("images/a.png",)
    assert ("metric", "dice (higher is better)") in task.describe()
    assert "--direction" in refusal(folder, Overrides(kind="self-scored", metric="dice"))


# Showing, freezing and reopening


def test_what_was_understood_is_shown_before_anything_is_spent(build, diabetes):
    shown = dict(from_folder(build(*diabetes)).describe())
    assert shown["data"] == "120 rows to learn from, 40 to predict"
    assert shown["target"] == "progression"
    assert shown["metric"] == "rmse (lower is better)"
    assert shown["type"] == "regression"
    assert shown["id"] == "id"


def frozen(task: Task, folder: Path) -> Path:
    Run.create(folder, task, Settings()).close()
    return folder


def test_a_reopened_task_is_the_same(build, cancer, tmp_path):
    overrides = Overrides(metric="auc", positive_class="benign", group="id")
    task = from_folder(build(*cancer, description="words"), overrides)
    again = reopen(frozen(task, tmp_path / "run"))
    assert again == task
    assert json.loads((tmp_path / "run" / "task.json").read_text())["overrides"]["group"] == "id"


@pytest.mark.parametrize("name", ["train.csv", "test.csv", "sample_submission.csv", "side.csv"])
def test_a_task_whose_data_changed_is_not_reopened(build, diabetes, tmp_path, name):
    folder = build(*diabetes, files={"side.csv": "a\n1\n"})
    run = frozen(from_folder(folder), tmp_path / "run")
    (folder / name).write_text((folder / name).read_text().replace("1", "2"))
    with pytest.raises(TaskError, match=f"{name} has changed"):
        reopen(run)


@pytest.mark.parametrize("name", ["train.csv", "side.csv"])
def test_a_task_whose_data_is_gone_is_not_reopened(build, diabetes, tmp_path, name):
    folder = build(*diabetes, files={"side.csv": "a\n1\n"})
    run = frozen(from_folder(folder), tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(MlestarError) as caught:
        reopen(run)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_run_is_not_reopened(tmp_path):
    with pytest.raises(JournalError, match="no run folder"):
        reopen(tmp_path)
