"""Folds are frozen by the task's rule, and what is staged leads nowhere near the answers."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar_jupyter.errors import JournalError, TaskError
from mlestar_jupyter.inference import from_folder, from_frames, from_table
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.staging import Staging
from mlestar_jupyter.task import Overrides, Task
from mlestar_jupyter.validation import LEFT_OUT, SEALED, Validation, freeze


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")


def table_task(tmp_path: Path, frame: pd.DataFrame, **overrides: object) -> Task:
    """A task of one table whose target is ``y``."""
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return from_table(path, Overrides(target="y", **overrides))  # type: ignore[arg-type]


def numbers(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(size=rows), "y": rng.normal(size=rows)})


def assert_disjoint_and_covering(validation: Validation, rows: int) -> None:
    held = np.concatenate([validation.held_rows(fold) for fold in validation.purposes])
    assert len(held) == len(set(held.tolist())) == rows
    for fold in validation.purposes:
        learnt, graded = validation.train_rows(fold), validation.held_rows(fold)
        assert not set(learnt.tolist()) & set(graded.tolist())
        assert len(learnt)
        assert len(graded)


# Folds


def test_the_folds_of_few_rows_are_five_disjoint_and_cover_all(tmp_path):
    validation = freeze(table_task(tmp_path, numbers(200)), Settings())
    assert validation.folds == 5
    assert_disjoint_and_covering(validation, 200)
    for fold in validation.purposes:
        assert len(validation.train_rows(fold)) + len(validation.held_rows(fold)) == 200
    assert validation.describe() == "5 folds of about 40 rows"


def test_many_rows_mean_fewer_folds_and_a_short_run_fewer_still(tmp_path):
    task = table_task(tmp_path, numbers(3_000))
    assert freeze(task, Settings()).folds == 3
    one = freeze(task, Settings(seconds=60))
    assert one.folds == 1
    assert len(one.held_rows(1)) == 600
    assert len(one.train_rows(1)) == 2_400
    assert one.describe() == "one hold-out of 600 rows"
    assert freeze(task, Settings(folds=7)).folds == 7


def test_a_short_run_on_few_rows_holds_two_of_four_folds_out(tmp_path):
    validation = freeze(table_task(tmp_path, numbers(400)), Settings(seconds=120))
    assert validation.purposes == (1, 2)
    for fold in validation.purposes:
        assert len(validation.held_rows(fold)) == 100
        assert len(validation.train_rows(fold)) == 300
    assert not set(validation.held_rows(1).tolist()) & set(validation.held_rows(2).tolist())
    assert validation.describe() == "2 folds of about 100 rows"


def test_a_short_run_on_few_rows_in_time_has_two_folds_that_follow_each_other(tmp_path):
    frame = numbers(400).assign(day=pd.date_range("2020-01-01", periods=400).astype(str))
    task = table_task(tmp_path, frame, time="day")
    validation = freeze(task, Settings(seconds=120))
    assert validation.ordered
    assert validation.purposes == (1, 2)
    assert validation.train_rows(2).max() < validation.held_rows(2).min()


def test_a_hold_out_has_the_share_that_is_asked_for(tmp_path):
    validation = freeze(table_task(tmp_path, numbers(300)), Settings(folds=1, holdout=0.3))
    assert len(validation.held_rows(1)) == 90


def test_classes_are_spread_over_the_folds(build, iris):
    task = from_folder(build(*iris))
    validation = freeze(task, Settings())
    whole = task.train["species"].value_counts()
    for fold in validation.purposes:
        held = task.train["species"].iloc[validation.held_rows(fold)].value_counts()
        for name, count in whole.items():
            assert abs(held[name] - count / 5) <= 1


def test_values_are_spread_over_the_folds(tmp_path):
    frame = numbers(500)
    frame["y"] = np.sort(frame["y"])
    validation = freeze(table_task(tmp_path, frame), Settings())
    for fold in validation.purposes:
        mean = frame["y"].iloc[validation.held_rows(fold)].mean()
        assert abs(mean - frame["y"].mean()) < 0.1


def test_classes_with_fewer_rows_than_folds_are_no_obstacle(tmp_path):
    frame = numbers(60).assign(y=[f"c{n % 20}" for n in range(60)])
    assert_disjoint_and_covering(freeze(table_task(tmp_path, frame), Settings()), 60)
    frame = numbers(60).assign(y=["rare"] + ["a", "b", "c"] * 19 + ["a", "b"])
    assert_disjoint_and_covering(freeze(table_task(tmp_path, frame), Settings()), 60)


def test_a_class_of_one_row_is_no_obstacle_to_a_hold_out(tmp_path):
    frame = numbers(60).assign(y=["rare"] + ["a", "b", "c"] * 19 + ["a", "b"])
    validation = freeze(table_task(tmp_path, frame), Settings(folds=1, sealed=0.2))
    assert validation.has_sealed
    assert len(validation.held_rows(1)) >= 5


def test_rows_of_a_group_are_never_split(tmp_path):
    rng = np.random.default_rng(1)
    frame = numbers(400).assign(group=[f"g{n}" for n in rng.integers(0, 37, 400)])
    task = table_task(tmp_path, frame, group="group")
    for settings in (Settings(), Settings(folds=1), Settings(sealed=0.2)):
        validation = freeze(task, settings)
        for purpose in (*validation.purposes, "sealed"):
            held = set(frame["group"].iloc[validation.held_rows(purpose)])
            assert not held & set(frame["group"].iloc[validation.train_rows(purpose)])
            assert held or not validation.has_sealed
        sizes = [len(validation.held_rows(fold)) for fold in validation.purposes]
        assert max(sizes) < 2.5 * min(sizes)


def test_too_few_groups_are_refused_with_the_mend(tmp_path):
    frame = numbers(100).assign(group=["a", "b"] * 50)
    with pytest.raises(TaskError, match="2 groups are too few for 5 folds; use --folds 2"):
        freeze(table_task(tmp_path, frame, group="group"), Settings())


@pytest.mark.parametrize("folds", [1, 3, 5])
def test_a_split_by_time_learns_only_from_the_past(tmp_path, folds):
    days = pd.date_range("2023-01-01", periods=250).astype(str)
    frame = numbers(250).assign(day=days).sample(frac=1, random_state=0)
    validation = freeze(table_task(tmp_path, frame, time="day"), Settings(folds=folds))
    assert validation.ordered
    assert validation.folds == folds
    before = ""
    for fold in validation.purposes:
        learnt = frame["day"].iloc[validation.train_rows(fold)]
        held = frame["day"].iloc[validation.held_rows(fold)]
        assert learnt.max() < held.min()
        assert held.min() > before, "folds follow each other"
        before = held.max()
    assert before == frame["day"].max()
    assert "the latest rows" in validation.describe()


def test_rows_of_one_moment_stay_together_in_a_split_by_time(tmp_path):
    frame = numbers(240).assign(week=np.repeat(np.arange(40), 6))
    validation = freeze(table_task(tmp_path, frame, time="week"), Settings(folds=3))
    for fold in validation.purposes:
        learnt = set(frame["week"].iloc[validation.train_rows(fold)])
        assert max(learnt) < frame["week"].iloc[validation.held_rows(fold)].min()


def test_the_sealed_rows_of_a_split_by_time_are_the_latest(tmp_path):
    frame = numbers(200).assign(step=np.arange(200)[::-1])
    validation = freeze(table_task(tmp_path, frame, time="step"), Settings(folds=2, sealed=0.1))
    sealed = frame["step"].iloc[validation.held_rows("sealed")]
    assert 15 <= len(sealed) <= 25
    for purpose in (1, 2, "all", "sealed"):
        assert frame["step"].iloc[validation.train_rows(purpose)].max() < sealed.min()


def test_a_column_without_times_is_refused(tmp_path):
    frame = numbers(100).assign(word=["a", "b"] * 50)
    with pytest.raises(TaskError, match="'word' holds no times"):
        freeze(table_task(tmp_path, frame, time="word"), Settings())


def test_too_few_different_times_are_refused(tmp_path):
    frame = numbers(100).assign(year=[2020, 2021] * 50)
    with pytest.raises(TaskError, match="too few different times"):
        freeze(table_task(tmp_path, frame, time="year"), Settings(folds=5))


def test_a_few_dates_that_nobody_asked_to_split_by_do_not_stop_a_run(build, diabetes):
    train, test, _ = diabetes
    train = train.assign(day=["2024-01-01", "2024-01-02", "2024-01-03"] * 40)
    task = from_folder(build(train, test.assign(day="2024-01-04")))
    assert freeze(task, Settings()).folds == 5


def test_blocks_of_days_stay_together(tmp_path):
    hours = pd.Series(pd.date_range("2024-01-01", periods=100 * 24, freq="h"))
    frame = numbers(2400).assign(at=hours.astype(str))
    task = dataclasses.replace(table_task(tmp_path, frame, time="at"), block_days=5)
    validation = freeze(task, Settings())
    block = (hours - pd.Timestamp(0)) // pd.Timedelta(days=5)
    assert validation.folds == 5
    assert not validation.ordered
    for fold in validation.purposes:
        held = set(block.iloc[validation.held_rows(fold)])
        assert len(held) >= 3
        assert not held & set(block.iloc[validation.train_rows(fold)])


def test_sealed_rows_are_in_no_fold_and_learnt_from_by_nobody(build, cancer):
    task = from_folder(build(*cancer))
    validation = freeze(task, Settings(sealed=0.2))
    sealed = set(validation.held_rows("sealed").tolist())
    assert len(sealed) == 30
    for purpose in (*validation.purposes, "all", "sealed"):
        assert not sealed & set(validation.train_rows(purpose).tolist())
    for fold in validation.purposes:
        assert not sealed & set(validation.held_rows(fold).tolist())
    assert len(validation.train_rows("all")) == 120
    assert "30 rows sealed" in validation.describe()


def test_rows_without_a_target_are_left_out_of_everything(build, cancer):
    train, test, sample = cancer
    train.loc[train.index[::10], "diagnosis"] = None
    task = from_folder(build(train, test, sample))
    validation = freeze(task, Settings(sealed=0.2))
    absent = set(range(0, 150, 10))
    assert set(np.flatnonzero(validation.fold_of == LEFT_OUT).tolist()) == absent
    for purpose in (*validation.purposes, "all", "sealed"):
        assert not absent & set(validation.train_rows(purpose).tolist())
        assert not absent & set(validation.held_rows(purpose).tolist())


def test_one_seed_gives_one_cut_and_another_gives_another(tmp_path):
    task = table_task(tmp_path, numbers(200))
    first, again = freeze(task, Settings(seed=3)), freeze(task, Settings(seed=3))
    assert (first.fold_of == again.fold_of).all()
    assert (first.fold_of != freeze(task, Settings(seed=4)).fold_of).any()


def test_folds_are_saved_and_loaded_as_they_were(tmp_path):
    fold_of = np.array([0, 1, 2, 9, SEALED, LEFT_OUT], dtype=np.uint8)
    for ordered in (True, False):
        Validation(fold_of, ordered).save(tmp_path / "folds")
        loaded = Validation.load(tmp_path / "folds")
        assert loaded.fold_of.tolist() == fold_of.tolist()
        assert loaded.fold_of.dtype == np.uint8
        assert loaded.ordered is ordered


@pytest.mark.parametrize("text", ["", "# ordered: False\nrow,fold\n0,1\n1", "# x\nr,f\n0,one\n"])
def test_damaged_folds_are_named(tmp_path, text):
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(JournalError, match=r"folds\.csv is damaged"):
        Validation.load(tmp_path)


def test_too_few_rows_for_the_folds_are_refused(tmp_path):
    with pytest.raises(TaskError, match="too few for 5 folds; use --folds 2"):
        freeze(table_task(tmp_path, numbers(20)), Settings())


# Staging


SENTINEL = "77777.125"


def staged(task: Task, folder: Path, **settings: object) -> tuple[Staging, Validation]:
    validation = freeze(task, Settings(**settings))  # type: ignore[arg-type]
    return Staging(task, validation, folder / "folds"), validation


def test_the_held_out_rows_have_exactly_the_columns_of_test(build, diabetes, tmp_path):
    train, test, sample = diabetes
    train = train.assign(casual=1, registered=2)
    # Another order than train's: it is test's that counts.
    test = test[["id", "s5", "bmi", "age", "bp"]]
    task = from_folder(build(train, test, sample))
    staging, validation = staged(task, tmp_path)
    for fold in validation.purposes:
        folder = staging.stage(fold)
        held = read(folder / "test.csv")
        assert list(held.columns) == list(test.columns)
        rows = validation.held_rows(fold)
        assert held["id"].tolist() == train["id"].iloc[rows].tolist()
        learnt = read(folder / "train.csv")
        assert list(learnt.columns) == list(train.columns)
        assert learnt["id"].tolist() == train["id"].iloc[validation.train_rows(fold)].tolist()
        assert sorted(path.name for path in folder.iterdir()) == [
            "sample_submission.csv", "test.csv", "train.csv",
        ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".xlsx", ".jsonl"])
def test_the_held_out_answers_are_nowhere_in_what_is_staged(build, diabetes, tmp_path, suffix):
    train, test, sample = (frame.reset_index(drop=True) for frame in diabetes)
    train["progression"] = train["progression"].astype(float)
    sealed_or_held = freeze(from_folder(build(train, test, sample, name="first")), Settings())
    train.loc[sealed_or_held.held_rows(2), "progression"] = float(SENTINEL)
    folder = build(train, test, sample, suffix=suffix, files={"side.csv": "a,b\n1,2\n"})
    task = from_folder(folder)
    staging = Staging(task, sealed_or_held, tmp_path / "folds")
    found = 0
    for path in staging.inputs(2).values():
        for file in path.rglob("*") if path.is_dir() else [path]:
            assert SENTINEL.encode() not in file.read_bytes(), file
            table = read(file)
            assert not (table == float(SENTINEL)).any().any(), file
            found += 1
    assert found == 4
    learnt = read(staging.inputs(1)[str(staging.parameters["train_path"])])
    assert (learnt["progression"] == float(SENTINEL)).sum() == 24, "the search can find it"


def test_values_that_are_staged_are_as_they_were_written(build, tmp_path):
    rows = [f'{n:03d},1e{n % 5},"a, ""{n}""\n b",{n % 7}.50,{n * 1.5}' for n in range(40)]
    head = "id,e,text,z"
    train = head + ",y\r\n" + "\r\n".join(rows) + "\r\n\r\n"
    test = head + "\r\n900,1e5,plain,1.50\r\n901,2,x,0\r\n"
    task = from_folder(build("\ufeff" + train, "\ufeff" + test))
    staging, validation = staged(task, tmp_path)
    folder = staging.stage(1)
    expected = [rows[row] for row in validation.train_rows(1)]
    assert (folder / "train.csv").read_bytes().decode() == "\n".join([f"{head},y", *expected, ""])
    cut = [rows[row].rpartition(",")[0] for row in validation.held_rows(1)]
    assert (folder / "test.csv").read_bytes().decode() == "\n".join([head, *cut, ""])
    whole = (staging.stage("all") / "test.csv").read_bytes().decode()
    assert whole == head + "\n900,1e5,plain,1.50\n901,2,x,0\n"


def test_an_inch_sign_does_not_stage_the_answers(build, tmp_path):
    rows = [f'{n},{n}" disc,{n}" pipe,{n * 1.5}' for n in range(40)]
    train = "id,a,b,y\n" + "\n".join(rows) + "\n"
    task = from_folder(build(train, 'id,a,b\n90,1" disc,2" pipe\n'))
    staging, validation = staged(task, tmp_path)
    names = staging.parameters
    held = read(staging.stage(1) / str(names["test_path"]))
    assert held["b"].tolist() == [f'{n}" pipe' for n in validation.held_rows(1)]


def test_a_column_without_a_name_is_staged(build, diabetes, tmp_path):
    # What DataFrame.to_csv writes when nobody says index=False.
    train, test, _ = diabetes
    task = from_folder(build(train.to_csv(), test.to_csv()))
    staging, validation = staged(task, tmp_path)
    names = staging.parameters
    for purpose, rows in ((1, len(validation.held_rows(1))), ("all", 40)):
        folder = staging.stage(purpose)
        assert len(read(folder / str(names["test_path"]))) == rows
        assert "progression" in read(folder / str(names["train_path"])).columns


def test_a_test_with_the_targets_column_is_staged_without_it(build, diabetes, tmp_path):
    train, test, sample = diabetes
    folder = build(train, test.assign(progression=None), sample)
    task = from_folder(folder, Overrides(target="progression"))
    staging, _ = staged(task, tmp_path)
    for purpose in ("all", 1):
        columns = pd.read_csv(staging.stage(purpose) / "test.csv").columns
        assert list(columns) == list(test.columns)


def test_rows_with_too_few_values_are_staged(build, tmp_path):
    rows = [f"{n},{n % 3},{n * 1.5},note" if n % 4 else f"{n},{n % 3},{n * 1.5}" for n in range(40)]
    task = from_folder(build("id,a,y,b\n" + "\n".join(rows), "id,a,b\n90,1\n91,2,x\n"))
    staging, validation = staged(task, tmp_path)
    held = read(staging.stage(1) / str(staging.parameters["test_path"]))
    missing = [bool(n % 4 == 0) for n in validation.held_rows(1)]
    assert held["b"].isna().tolist() == missing


def test_train_and_test_may_be_of_different_formats(build, diabetes, tmp_path):
    train, test, _ = diabetes
    for number, (first, second) in enumerate([(".csv", ".parquet"), (".parquet", ".csv")]):
        folder = build(name=f"task{number}", files={f"train{first}": train, f"test{second}": test})
        staging, validation = staged(from_folder(folder), tmp_path / str(number))
        names = staging.parameters
        for purpose, rows in ((1, len(validation.held_rows(1))), ("all", 40)):
            staged_folder = staging.stage(purpose)
            assert len(read(staged_folder / str(names["test_path"]))) == rows
            assert "progression" in read(staged_folder / str(names["train_path"])).columns


def test_a_column_of_numbers_and_words_is_staged(build, diabetes, tmp_path):
    train, test, _ = diabetes
    mixed = [1 if n % 2 else "one" for n in range(160)]
    train, test = train.assign(code=mixed[:120]), test.assign(code=mixed[120:])
    staging, _ = staged(from_folder(build(train, test, suffix=".xlsx")), tmp_path)
    held = read(staging.stage("all") / str(staging.parameters["test_path"]))
    assert held["code"].astype(str).tolist() == [str(value) for value in mixed[120:]]


def test_only_the_other_files_are_in_data_dir(build, diabetes, tmp_path):
    folder = build(*diabetes, description="words", files={
        "stores.csv": "a\n1\n", "images/deep/a.png": b"1",
    })  # fmt: skip
    staging, _ = staged(from_folder(folder), tmp_path)
    data = staging.inputs(1)["data"]
    found = sorted(p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file())
    assert found == ["images/deep/a.png", "stores.csv"]
    (data / "stores.csv").write_text("changed")
    assert (folder / "stores.csv").read_text() == "a\n1\n", "the user's own file is a copy's source"


def test_data_dir_is_there_when_there_are_no_other_files(build, diabetes, tmp_path):
    staging, _ = staged(from_folder(build(*diabetes)), tmp_path)
    assert list(staging.inputs(1)["data"].iterdir()) == []


def test_the_form_of_a_fold_has_its_ids_and_the_samples_columns(build, iris, tmp_path):
    train, test, sample = iris
    staging, validation = staged(from_folder(build(train, test, sample)), tmp_path)
    for fold in validation.purposes:
        form = read(staging.stage(fold) / "sample_submission.csv")
        assert list(form.columns) == list(sample.columns)
        assert form["id"].tolist() == train["id"].iloc[validation.held_rows(fold)].tolist()
        assert len(form[["virginica", "setosa", "versicolor"]].drop_duplicates()) == 1


def test_the_form_of_the_submission_is_the_sample(build, cancer, tmp_path):
    sample = cancer[2].sample(frac=1, random_state=0)
    staging, _ = staged(from_folder(build(*cancer[:2], sample)), tmp_path)
    form = read(staging.stage("all") / "sample_submission.csv")
    assert form["id"].tolist() == sample["id"].tolist()


def test_ids_with_leading_zeros_stay_so_in_the_form_of_the_submission(build, diabetes, tmp_path):
    train, test, _ = diabetes
    ids = [f"{n:05d}" for n in range(40)]
    test = test.assign(id=ids)
    sample = pd.DataFrame({"id": ids, "progression": 0.5})
    staging, _ = staged(from_folder(build(train, test, sample)), tmp_path)
    form = (staging.stage("all") / "sample_submission.csv").read_text()
    assert form.splitlines()[1].startswith("00000,")


def test_without_an_id_the_form_numbers_the_rows(build, diabetes, tmp_path):
    train, test, _ = diabetes
    task = from_folder(build(train.drop(columns="id"), test.drop(columns="id")))
    staging, validation = staged(task, tmp_path)
    form = read(staging.stage(1) / "sample_submission.csv")
    assert list(form.columns) == ["row", "progression"]
    assert form["row"].tolist() == list(range(len(validation.held_rows(1))))


def test_one_table_is_staged_with_stand_ins_for_the_rows_to_predict(tmp_path, diabetes):
    path = tmp_path / "all.csv"
    diabetes[0].to_csv(path, index=False)
    task = from_table(path, Overrides(target="progression"))
    staging, validation = staged(task, tmp_path, sealed=0.2)
    folder = staging.stage("all")
    rows = read(folder / "test.csv")
    assert 0 < len(rows) <= 100
    assert "progression" not in rows.columns
    sealed = set(task.train["id"].iloc[validation.held_rows("sealed")])
    assert not sealed & set(rows["id"])
    assert len(read(folder / "sample_submission.csv")) == len(rows)


def test_dataframes_are_staged_as_parquet_with_their_types(tmp_path, cancer):
    train, test, _ = cancer
    days = pd.date_range("2024-01-01", periods=50)
    train["when"], test["when"] = [*days, *days, *days], days
    train["size"] = pd.Categorical(["s", "m", "l"] * 50)
    test["size"] = pd.Categorical(["s", "m"] * 25, categories=["l", "m", "s"])
    task = from_frames({"train": train, "test": test}, tmp_path, Overrides())
    staging, validation = staged(task, tmp_path)
    assert staging.parameters["train_path"] == "train.parquet"
    assert staging.parameters["test_path"] == "test.parquet"
    folder = staging.stage(1)
    held = pd.read_parquet(folder / "test.parquet")
    assert held["size"].dtype == train["size"].dtype
    assert held["when"].dtype.kind == "M"
    assert "diagnosis" not in held.columns
    assert held["id"].tolist() == train["id"].iloc[validation.held_rows(1)].tolist()


def test_a_purpose_is_staged_once_and_a_half_written_one_again(build, diabetes, tmp_path):
    staging, _ = staged(from_folder(build(*diabetes)), tmp_path)
    debris = tmp_path / "folds" / ".fold-1.partial"
    debris.mkdir(parents=True)
    (debris / "train.csv").write_text("torn")
    folder = staging.stage(1)
    assert not debris.exists()
    first = (folder / "train.csv").read_bytes()
    assert first != b"torn"
    (folder / "mark").touch()
    assert staging.stage(1) == folder
    assert (folder / "mark").exists()


def test_the_seed_of_a_fold_changes_nothing_in_its_files(build, diabetes, tmp_path):
    task = from_folder(build(*diabetes))
    validation = freeze(task, Settings())
    one = Staging(task, validation, tmp_path / "a").stage(3)
    two = Staging(task, validation, tmp_path / "b").stage(3)
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
    assert io.BytesIO((one / "train.csv").read_bytes()).readline().startswith(b"id,age")
