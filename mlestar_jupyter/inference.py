"""Understanding a task: infer target, id, type, metric and split rule."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.answers import (
    checked_answers,
    classes,
    infer_kind_and_metric,
    positive,
)
from mlestar_jupyter.errors import JournalError, TaskError, short_list, shown
from mlestar_jupyter.metrics import Metric, from_function, not_given
from mlestar_jupyter.split_rule import infer_split
from mlestar_jupyter.tables import flat, read_table
from mlestar_jupyter.task import Overrides, Source, Task, check_unchanged
from mlestar_jupyter.task_files import find_files, read_description, tables

if TYPE_CHECKING:
    import pandas as pd


def from_folder(folder: Path, overrides: Overrides | None = None, description: str = "") -> Task:
    """Understand a folder in Kaggle's form: description, train, test, sample, other files.

    A folder with no train table and a metric and direction given is a self-scored task.
    Raises TaskError, in one line, for anything that does not fit together.
    """
    folder = folder.expanduser().resolve()
    overrides = overrides or Overrides()
    if not folder.is_dir():
        raise TaskError(f"no folder {folder}; give the folder that holds train and test")
    told = description or read_description(folder)
    source = find_files(folder)
    if overrides.kind == "self-scored":
        return _self_scored(folder.name, told, source, overrides)
    if source.train is None:
        found = ", ".join(p.name for p in tables(folder)) or "no table"
        if any(p.is_dir() and p.name.split(".")[0].lower() == "train" for p in folder.iterdir()):
            found += ", and train is a folder"
        raise TaskError(
            f"no train file in {folder} (found {found}); name it train.csv, "
            f"or use --self-scored for a task without a table of targets"
        )
    return understand(folder.name, told, source, overrides)


def from_table(path: Path, overrides: Overrides, description: str = "") -> Task:
    """Understand one table plus a target: no test, so no submission, but a validated model."""
    path = path.expanduser().resolve()
    if overrides.target is None:
        columns = ", ".join(read_table(path).columns[:12])
        raise TaskError(
            f"which column of {path.name} is the target? give --target, one of {columns}"
        )
    return understand(path.stem, description, Source(None, path, None, None), overrides)


def from_frames(
    frames: Mapping[str, pd.DataFrame],
    folder: Path,
    overrides: Overrides,
    *,
    name: str = "task",
    description: str = "",
) -> Task:
    """Understand DataFrames: ``train``, and if there are ``test``, ``sample`` and side tables.

    ``folder`` is where a run will keep them as Parquet (``Run.create`` writes them).
    """
    paths = {key: folder / f"{key}.parquet" for key in frames}
    side = tuple(f"{key}.parquet" for key in frames if key not in ("train", "test", "sample"))
    source = Source(folder, paths["train"], paths.get("test"), paths.get("sample"), side)
    if "test" not in frames and overrides.target is None:
        raise TaskError(
            f"which column is the target? give target=, one of {short_list(list(frames['train']))}"
        )
    return understand(name, description, source, overrides, frames)


def understand(
    name: str,
    description: str,
    source: Source,
    overrides: Overrides,
    frames: Mapping[str, pd.DataFrame] | None = None,
) -> Task:
    """Read the tables (or take ``frames``) and infer whatever ``overrides`` leaves open."""
    assert source.train is not None
    if frames is not None:
        given = {key: _plain_frame(key, frame) for key, frame in frames.items()}
        train, test, sample = given["train"], given.get("test"), given.get("sample")
    else:
        train = read_table(source.train)
        test = None if source.test is None else read_table(source.test)
        sample = None if source.sample is None else read_table(source.sample)
    for label, frame, path in (("train", train, source.train), ("test", test, source.test)):
        if frame is not None and len(frame) == 0 and path is not None:
            raise TaskError(f"{path.name} has a header but no rows; put the {label} rows into it")
    if overrides.greater_is_better is not None:
        raise TaskError("--direction is for self-scored tasks; leave it out: a metric has its own")
    notes: list[str] = []
    target = _infer_target(train, test, sample, description, overrides, notes)
    id_column = _infer_id(train, test, sample, target, overrides)
    answers = checked_answers(train, target, source.train.name, notes)
    kind, metric = infer_kind_and_metric(answers, sample, target, description, overrides, notes)
    features, train_only = _split_columns(train, test, target)
    if test is not None:
        _check_test(test, train, features, id_column, source)
    task = Task(
        name=name,
        description=description,
        kind=kind,
        metric=metric,
        source=source,
        target=target,
        id_column=id_column,
        features=features,
        train_only=train_only,
        classes=() if kind == "regression" else classes(answers),
        overrides=overrides,
    )
    task = dataclasses.replace(task, positive_class=positive(task, overrides))
    task = dataclasses.replace(task, sample_columns=_sample_columns(task, sample, test))
    if sample is not None and test is not None:
        _check_sample(task, sample, test)
    if train_only:
        notes.append(f"only train has {', '.join(train_only)}: not used to predict")
    split = infer_split(task, train, test, overrides, notes)
    task = dataclasses.replace(task, notes=tuple(notes), **split)
    # The tables are read: keep them, so that they are not read again.
    task.__dict__.update(train=train, test=test, sample=sample)
    if not source.files and not any(train[c].nunique() > 1 for c in task.telling):
        raise TaskError(
            f"nothing in {(source.test or source.train).name} can tell {target!r}: "
            f"it has no column beside the id that varies; add columns to learn from"
        )
    return task


def reopen(run_folder: Path, functions: Mapping[str, Any] | None = None) -> Task:
    """The task of an existing run. Raises JournalError or TaskError if its data changed.

    ``functions`` has the user's own metric by its name. A run that has one can be read without
    it; the first score to be taken raises TaskError.
    """
    path = run_folder / "task.json"
    try:
        frozen = json.loads(path.read_text(encoding="utf-8"))
        where = {k: v for k, v in frozen["source"].items() if k != "files"}
        paths = {key: None if value is None else Path(value) for key, value in where.items()}
        source = Source(**paths, files=tuple(frozen["source"]["files"]))
        said = dict(frozen["overrides"])
        own = said.pop("own_metric", None)
        if own is not None and said.get("kind") != "self-scored":
            function = (functions or {}).get(said["metric"]) or not_given(said["metric"])
            said["metric"] = from_function(function, name=said["metric"], **own)
        overrides = Overrides(**said)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{run_folder} is no run folder: no readable task.json in it") from error
    if source.folder is not None and not source.folder.is_dir():
        raise TaskError(f"the task folder {source.folder} is gone; put it back to go on")
    check_unchanged(frozen, source)
    if overrides.kind == "self-scored":
        return _self_scored(frozen["name"], frozen["description"], source, overrides)
    return understand(frozen["name"], frozen["description"], source, overrides)


def _plain_frame(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The DataFrame as it will be read again: plain index, names of columns as text."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise TaskError(f"{name} is a {type(frame).__name__}; give a pandas DataFrame")
    plain = frame.reset_index(drop=isinstance(frame.index, pd.RangeIndex))
    plain.columns = [str(column) for column in plain.columns]
    if plain.columns.duplicated().any():
        raise TaskError(f"{name} has columns of one name; rename them")
    return flat(plain)


def _self_scored(name: str, told: str, source: Source, overrides: Overrides) -> Task:
    if overrides.metric is None or overrides.greater_is_better is None:
        raise TaskError(
            "a self-scored task needs the name and direction of its score: "
            "give --metric NAME and --direction maximize or minimize"
        )
    given = overrides.metric
    label = given.name if isinstance(given, Metric) else given
    metric = Metric(label, _not_graded, overrides.greater_is_better, "value", ("self-scored",))
    if source.train is not None or source.test is not None:
        tables = tuple(p.name for p in (source.train, source.test, source.sample) if p is not None)
        source = Source(source.folder, None, None, None, (*tables, *source.files))
    return Task(name, told, "self-scored", metric, source, overrides=overrides)


def _not_graded(*_: object) -> float:
    raise TaskError("a self-scored task is not graded by rows")


def _infer_target(
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    sample: pd.DataFrame | None,
    description: str,
    overrides: Overrides,
    notes: list[str],
) -> str:
    columns = list(train.columns)
    if overrides.target is not None:
        if overrides.target not in columns:
            raise TaskError(
                f"no column {overrides.target!r} in train; the columns are {short_list(columns)}"
            )
        return overrides.target
    if test is None:
        raise TaskError(
            f"which column is the target? there is no test to compare with; "
            f"give --target, one of {short_list(columns)}"
        )
    absent = [c for c in columns if c not in test.columns]
    if sample is not None:
        asked = [c for c in sample.columns if c not in test.columns]
        known = [c for c in asked if c in columns]
        if len(known) == 1:
            return known[0]
        if len(known) > 1:
            raise TaskError(
                f"the sample submission asks for {short_list(known)}; give one with --target"
            )
        for column in absent:
            values = {str(v) for v in train[column].dropna().unique()}
            if len(asked) > 1 and set(asked) <= values:
                notes.append(f"the sample has one column for each value of {column}")
                return column
    if len(absent) == 1:
        return absent[0]
    named = re.findall(r"target\W{0,12}`([^`]+)`", description, re.I)
    told = [name for name in named if name in absent]
    if told:
        return str(told[0])
    if not absent:
        raise TaskError(
            "the target is missing: train has no column that test lacks; add it to train, "
            "or name it with --target if test has it, too"
        )
    raise TaskError(
        f"several columns could be the target; give --target, one of {short_list(absent)}"
    )


def _infer_id(
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    sample: pd.DataFrame | None,
    target: str,
    overrides: Overrides,
) -> str | None:
    if overrides.id_column is not None:
        frame = train if test is None else test
        if overrides.id_column not in frame.columns:
            raise TaskError(
                f"no column {overrides.id_column!r} for --id; the columns are "
                f"{short_list(list(frame.columns))}"
            )
        return overrides.id_column
    if test is not None and sample is not None:
        shared = [c for c in sample.columns if c in test.columns and c != target]
        return shared[0] if shared else None
    frame = train if test is None else test
    first = str(frame.columns[0])
    looks = re.fullmatch(r"(.*_)?(id|uid|uuid|key|index|row_?id)|unnamed: 0", first, re.I)
    return first if looks and not frame[first].duplicated().any() else None


def _split_columns(
    train: pd.DataFrame, test: pd.DataFrame | None, target: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if test is None:
        return tuple(c for c in train.columns if c != target), ()
    features = tuple(c for c in test.columns if c != target)
    return features, tuple(c for c in train.columns if c not in test.columns and c != target)


def _check_test(
    test: pd.DataFrame,
    train: pd.DataFrame,
    features: Sequence[str],
    id_column: str | None,
    source: Source,
) -> None:
    assert source.test is not None
    assert source.train is not None
    absent = [c for c in features if c not in train.columns]
    if absent:
        raise TaskError(
            f"{source.test.name} has columns that {source.train.name} lacks: {short_list(absent)}; "
            f"remove them or add them to {source.train.name}"
        )
    if id_column is not None:
        twice = test[id_column][test[id_column].duplicated()]
        if len(twice):
            raise TaskError(
                f"{source.test.name} has {len(twice)} duplicated values of the id {id_column!r}, "
                f"for example {shown(twice.iloc[0])}; make ids unique or choose another with --id"
            )


def _sample_columns(
    task: Task, sample: pd.DataFrame | None, test: pd.DataFrame | None
) -> tuple[str, ...]:
    if sample is not None and test is not None:
        return tuple(sample.columns)
    by_class = task.metric.needs == "probability" and task.kind == "multiclass"
    targets = tuple(str(c) for c in task.classes) if by_class else (task.target,)
    return (task.id_column or "row", *targets)


def _check_sample(task: Task, sample: pd.DataFrame, test: pd.DataFrame) -> None:
    assert task.source.sample is not None
    name = task.source.sample.name
    if len(sample) != len(test):
        raise TaskError(f"{name} has {len(sample)} rows but test has {len(test)}; make them agree")
    if task.id_column is not None and task.id_column in sample.columns:
        ids = set(test[task.id_column]) - set(sample[task.id_column])
        if ids:
            raise TaskError(
                f"{name} lacks {len(ids)} ids of test, for example {shown(min(ids, key=str))}; "
                f"make the column {task.id_column!r} agree with test"
            )
    by_class = task.metric.needs == "probability" and task.kind == "multiclass"
    needed = [str(c) for c in task.classes] if by_class else [task.target]
    absent = [c for c in needed if c not in sample.columns]
    if absent:
        raise TaskError(
            f"{name} lacks the columns {short_list(absent)} that {task.metric.name} needs; "
            f"add them or choose another metric"
        )
