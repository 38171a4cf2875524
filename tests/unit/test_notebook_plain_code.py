"""The plain code of the finished notebook does what staging and grading do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar_jupyter.grading import InvalidPredictions, grade
from mlestar_jupyter.inference import from_folder, from_table
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.notebook.finished import parameters_cell
from mlestar_jupyter.notebook.plain_data import TaskData
from mlestar_jupyter.notebook.plain_validation import grading_code, metric_code, staging_code
from mlestar_jupyter.notebook.python_source import assignment, fold_code, literal
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.task import Overrides

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
Build = Callable[..., Path]
TEXT = ['a "quoted", text', "two\nlines", "two\r\nlines", "007", "1.50", "", " spaces ", "NA"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """An empty working folder."""
    before = Path.cwd()
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    yield tmp_path / "elsewhere"
    os.chdir(before)


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")


def names_of(run: Run) -> dict[str, Any]:
    """What the cells about the data and the folds leave in a kernel."""
    data = TaskData(run)
    names: dict[str, Any] = {"task_folder": str(data.folder)}
    sources = [fold_code(run.validation), data.preparation(), parameters_cell(data).source]
    for source in [*sources, staging_code(data)]:
        exec(source, names)
    return names


def check_like_staging(run: Run, folder: Path) -> None:
    names = names_of(run)
    staged = run.staging.stage("all")
    for name in ("train_path", "test_path", "sample_path"):
        theirs = read(staged / str(run.staging.parameters[name]))
        pd.testing.assert_frame_equal(read(Path(names[name])), theirs)
    for fold in run.validation.purposes:
        ours = folder / f"fold-{fold}"
        ours.mkdir()
        names["stage_fold"](fold, ours)
        for path in run.staging.stage(fold).iterdir():
            pd.testing.assert_frame_equal(read(ours / path.name), read(path))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather", ".jsonl", ".xlsx"])
def test_folds_and_all_rows_are_staged_alike_in_every_format(
    build: Build, diabetes: Frames, elsewhere: Path, suffix: str
) -> None:
    tables = [frame.copy() for frame in diabetes]
    for frame in tables[:2]:
        frame["note"] = [TEXT[n % len(TEXT)] for n in range(len(frame))]
        frame.loc[frame.index[::9], "bmi"] = np.nan
    if suffix == ".feather":
        tables = [frame.reset_index(drop=True) for frame in tables]
    folder = build(*tables, suffix=suffix)
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


@pytest.mark.parametrize("packed", [".csv.gz", ".csv.zip", ".tsv.gz", ".parquet.gz", ".jsonl.zip"])
def test_packed_tables_are_unpacked_alike(
    build: Build, diabetes: Frames, elsewhere: Path, packed: str
) -> None:
    import gzip
    import zipfile

    plain, _, packer = packed.rpartition(".")
    folder = build(*diabetes, suffix=plain)
    for path in list(folder.iterdir()):
        if packer == "gz":
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        else:
            with zipfile.ZipFile(path.with_name(path.name + ".zip"), "w") as archive:
                archive.writestr(f"inside/{path.name}", path.read_bytes())
                archive.writestr("__MACOSX/._x.csv", b"")
        path.unlink()
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_train_and_test_of_different_formats_are_staged_alike(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    train, test, _ = diabetes
    folder = build(train)
    test.to_parquet(folder / "test.parquet", index=False)
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_columns_in_another_order_or_of_train_alone_are_staged_alike(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    train, test, sample = diabetes
    train = train.assign(**{"odd {name}": 1.5})
    folder = build(train, test[list(test.columns)[::-1]], sample)
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_a_parquet_file_with_an_index_is_staged_alike(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    train, test, _ = diabetes
    folder = build()
    train.set_index("id").to_parquet(folder / "train.parquet")
    test.set_index("id").to_parquet(folder / "test.parquet")
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_a_csv_with_an_index_that_has_no_name_is_staged_alike(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    train, test, _ = diabetes
    folder = build()
    train.to_csv(folder / "train.csv")
    test.to_csv(folder / "test.csv")
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_numbers_and_words_in_one_column_are_staged_alike(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    train, test, _ = (frame.assign(mixed=1) for frame in diabetes)
    for frame in (train, test):
        frame["mixed"] = (
            pd.Series([1, "one", 2.5, None] * len(frame), dtype=object).head(len(frame)).to_numpy()
        )
    folder = build(train, test, suffix=".jsonl")
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_rows_that_are_sealed_or_have_no_target_are_staged_for_nobody(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    train, test, sample = (frame.copy() for frame in diabetes)
    train.loc[train.index[:7], "progression"] = np.nan
    task = from_folder(build(train, test, sample))
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=2, sealed=0.1))
    check_like_staging(run, elsewhere)
    assert len(read(elsewhere / "prepared" / "train.csv")) < len(train) - 7


def test_folds_in_time_are_staged_alike(build: Build, diabetes: Frames, elsewhere: Path) -> None:
    train, test, sample = diabetes
    train = train.assign(day=range(len(train)))
    test = test.assign(day=range(1000, 1000 + len(test)))
    task = from_folder(build(train, test, sample), Overrides(time="day"))
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=3))
    assert run.validation.ordered
    check_like_staging(run, elsewhere)


def test_a_table_without_test_has_its_first_rows_stand_in(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    folder = build(diabetes[0])
    task = from_table(folder / "train.csv", Overrides(target="progression"))
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=2))
    check_like_staging(run, elsewhere)


def test_side_files_lie_in_the_data_folder_of_a_fold(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    folder = build(*diabetes, files={"stores.csv": "a\n1\n", "deep/er/x.txt": "x"})
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    (elsewhere / "fold").mkdir()
    names_of(run)["stage_fold"](1, elsewhere / "fold")
    data = elsewhere / "fold" / "data"
    found = sorted(p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file())
    assert found == ["deep/er/x.txt", "stores.csv"]


def test_other_rows_than_those_of_the_folds_are_refused(
    build: Build, diabetes: Frames, elsewhere: Path
) -> None:
    folder = build(*diabetes)
    run = Run.create(elsewhere.parent / "run", from_folder(folder), Settings(folds=2))
    diabetes[0].head(50).to_csv(folder / "train.csv", index=False)
    with pytest.raises(AssertionError, match="not the rows that the folds are for"):
        names_of(run)


def graded_alike(run: Run, predictions: pd.DataFrame) -> None:
    """Grade by the notebook's code and by ours: the same arrays and the same value."""
    names = names_of(run)
    task, rows = run.task, run.validation.held_rows(1)
    path = run.folder / "predictions.csv"
    predictions.to_csv(path, index=False)
    for source in (metric_code(task.metric), grading_code(task)):
        exec(source, names)
    told = pd.read_csv(path, dtype=str, keep_default_na=False)
    try:
        theirs = grade(task, rows, path)
    except InvalidPredictions:
        with pytest.raises((ValueError, KeyError)):
            names["grade_fold"](1, told)
        return
    actual, predicted = names["grade_fold"](1, told)
    np.testing.assert_array_equal(actual, theirs.actual)
    np.testing.assert_array_equal(predicted, theirs.predicted)
    assert float(names["validation_metric"](actual, predicted)) == theirs.value


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame,
        lambda frame: frame.sample(frac=1, random_state=1),
        lambda frame: frame.assign(id=frame["id"].astype(float)),
        lambda frame: frame.iloc[:-1],
        lambda frame: pd.concat([frame, frame.head(1)]),
        lambda frame: frame.assign(progression=np.nan),
        lambda frame: frame.assign(progression=np.inf),
    ],
)
def test_numbers_are_graded_alike(
    build: Build, diabetes: Frames, elsewhere: Path, change: Callable[..., pd.DataFrame]
) -> None:
    run = Run.create(elsewhere.parent / "run", from_folder(build(*diabetes)), Settings(folds=2))
    held = run.task.train.iloc[run.validation.held_rows(1)]
    noise = np.random.default_rng(0).normal(size=len(held)) / 3
    graded_alike(run, change(pd.DataFrame({"id": held["id"], "progression": noise})))


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "gini"])
@pytest.mark.parametrize("positive", ["benign", "malignant"])
def test_probabilities_of_two_classes_are_graded_alike(
    build: Build, cancer: Frames, elsewhere: Path, metric: str, positive: str
) -> None:
    overrides = Overrides(metric=metric, positive_class=positive)
    task = from_folder(build(*cancer), overrides)
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=2))
    held = task.train.iloc[run.validation.held_rows(1)]
    chances = np.random.default_rng(0).uniform(size=len(held))
    graded_alike(run, pd.DataFrame({"id": held["id"], "diagnosis": chances}))
    graded_alike(run, pd.DataFrame({"id": held["id"], "diagnosis": chances + 1}))


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
def test_probabilities_of_several_classes_are_graded_alike(
    build: Build, iris: Frames, elsewhere: Path, metric: str
) -> None:
    task = from_folder(build(*iris), Overrides(metric=metric))
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=2))
    held = task.train.iloc[run.validation.held_rows(1)]
    chances = np.random.default_rng(0).dirichlet([1, 1, 1], len(held))
    frame = pd.DataFrame(chances, columns=["virginica", "setosa", "versicolor"])
    frame.insert(0, "id", held["id"].to_numpy())
    graded_alike(run, frame)
    graded_alike(run, frame.assign(setosa=0.0))


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "mcc", "map@3"])
@pytest.mark.parametrize("labels", ["words", "numbers", "floats"])
def test_labels_are_graded_alike(
    build: Build, iris: Frames, elsewhere: Path, metric: str, labels: str
) -> None:
    train, test, _ = iris
    if labels != "words":
        codes = train["species"].astype("category").cat.codes
        train = train.assign(species=codes if labels == "numbers" else codes.astype(float))
    task = from_folder(build(train, test), Overrides(metric=metric))
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=2))
    held = task.train.iloc[run.validation.held_rows(1)]
    guesses = held["species"].sample(frac=1, random_state=0).to_numpy()
    frame = pd.DataFrame({"id": held["id"], "species": guesses})
    if metric == "map@3":
        frame["species"] = [f"{guess} {task.classes[0]}" for guess in guesses]
    graded_alike(run, frame)
    graded_alike(run, frame.assign(species="none of them"))
    graded_alike(run, frame.assign(species=""))


def test_two_classes_by_label_have_the_positive_one_as_1(
    build: Build, cancer: Frames, elsewhere: Path
) -> None:
    train, test, _ = cancer
    task = from_folder(build(train, test), Overrides(metric="f1", positive_class="benign"))
    run = Run.create(elsewhere.parent / "run", task, Settings(folds=2))
    held = task.train.iloc[run.validation.held_rows(1)]
    guesses = held["diagnosis"].sample(frac=1, random_state=0).to_numpy()
    graded_alike(run, pd.DataFrame({"id": held["id"], "diagnosis": guesses}))


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_can_be_carried_along(name: str) -> None:
    names: dict[str, Any] = {}
    source = metric_code(METRICS[name])
    exec(source, names)
    assert callable(names["validation_metric"])
    assert "type: ignore" not in source


def test_a_metric_without_a_source_leaves_a_place_for_it() -> None:
    from mlestar_jupyter.metrics import from_function

    names: dict[str, Any] = {}
    metric = from_function(lambda actual, predicted: 0.0, greater_is_better=True)
    exec(metric_code(metric), names)
    with pytest.raises(NotImplementedError, match="own code"):
        names["validation_metric"]([], [])


@pytest.mark.parametrize(
    "value",
    ["a", 'q"uote', "back\\slash", "line\nbreak", 1, 1.5, True, None, ["a", 2], np.int64(3)],
)
def test_values_are_written_as_source_that_gives_them_back(value: object) -> None:
    assert eval(literal(value)) == value


def test_long_lists_are_broken_into_lines() -> None:
    names: dict[str, Any] = {}
    values = [f"class number {n}, with a comma" for n in range(40)]
    source = assignment("values", values)
    exec(source, names)
    assert names["values"] == values
    assert max(map(len, source.splitlines())) <= 100
