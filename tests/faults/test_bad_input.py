"""Bad input: one line that names the thing and the mend, exit code 2, nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mlestar_jupyter.cli import main
from mlestar_jupyter.demo import write_demo_task


def rewrite(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def apply(task: Path) -> None:
        change(pd.read_csv(task / name)).to_csv(task / name, index=False)

    return apply


def text(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda task: (task / name).write_bytes(content) and None


def folder_as_train(task: Path) -> None:
    (task / "train.csv").unlink()
    (task / "train.csv").mkdir()


def nothing_but_ids(task: Path) -> None:
    for name in ("train.csv", "test.csv"):
        rewrite(name, lambda d: d[[c for c in d if c in ("patient", "progression")]])(task)


CASES = {
    "no train file": (lambda t: (t / "train.csv").unlink(), [], ["train", "train.csv"]),
    "an empty file": (text("train.csv", b""), [], ["train.csv", "empty"]),
    "a header without rows": (
        rewrite("train.csv", lambda d: d.iloc[:0]), [], ["train.csv", "no rows"]),
    "the target is missing": (
        rewrite("train.csv", lambda d: d.drop(columns="progression")), [], ["target", "add it"]),
    "a wrong target": (None, ["--target", "nonsense"], ["'nonsense'", "columns are"]),
    "a constant target": (
        rewrite("train.csv", lambda d: d.assign(progression=1)), [], ["progression", "choose"]),
    "an all-missing target": (
        rewrite("train.csv", lambda d: d.assign(progression=None)), [], ["progression", "missing"]),
    "an unknown metric": (None, ["--metric", "rmsee"], ["rmsee", "rmse"]),
    "a metric that does not fit": (None, ["--metric", "auc"], ["auc", "progression", "rmse"]),
    "words for a metric of numbers": (
        rewrite("train.csv", lambda d: d.assign(progression=["low", "high"] * (len(d) // 2))),
        ["--metric", "rmse"], ["progression", "words", "accuracy"]),
    "duplicated ids in test": (
        rewrite("test.csv", lambda d: d.assign(patient=7)), [], ["patient", "duplicated", "--id"]),
    "columns that train lacks": (
        rewrite("test.csv", lambda d: d.assign(extra=1)), [], ["extra", "train.csv"]),
    "an unreadable encoding": (
        text("train.csv", "patient,progression\n1,m\xfcnchen\n".encode("latin1")), [],
        ["train.csv", "UTF-8"]),
    "a sample with too few rows": (
        rewrite("sample_submission.csv", lambda d: d.iloc[:5]), [],
        ["sample_submission.csv", "5 rows", "92"]),
    "a sample with other ids": (
        rewrite("sample_submission.csv", lambda d: d.assign(patient=d["patient"] + 9999)), [],
        ["sample_submission.csv", "patient"]),
    "an unknown option": (None, ["--tiem", "5m"], ["--tiem", "--help"]),
    "a time that is no time": (None, ["--time", "soon"], ["soon", "5m"]),
    "a time too short": (None, ["--time", "1s"], ["10s"]),
    "unknown agents": (None, ["--agents", "oracle"], ["oracle", "playbook"]),
    "a start that is not there": (None, ["--from", "nowhere.ipynb"], ["nowhere.ipynb", "--from"]),
    "a group column that is not there": (None, ["--group", "site"], ["site", "--group"]),
    "an infinite target": (
        rewrite("train.csv", lambda d: d.assign(progression=[float("inf"), *d["progression"][1:]])),
        [], ["progression", "infinite", "correct"]),
    "a metric of positive numbers": (
        rewrite("train.csv", lambda d: d.assign(progression=d["progression"] - 500)),
        ["--metric", "rmsle"], ["rmsle", "progression", "below 0", "rmse"]),
    "numbers written as words": (
        rewrite("train.csv", lambda d: d.assign(progression=[f"${n},0" for n in range(len(d))])),
        [], ["progression", "'$0,0'", "write them as numbers"]),
    "a direction for a metric": (
        None, ["--direction", "maximize"], ["--direction", "leave it out"]),
    "a positive class of numbers": (
        None, ["--positive-class", "high"], ["--positive-class", "progression", "leave it out"]),
    "nothing to predict from": (
        nothing_but_ids,
        [], ["test.csv", "progression", "add columns"]),
    "a folder in the place of train": (
        folder_as_train,
        [], ["train is a folder", "train.csv"]),
    "no test and no target": (
        lambda t: (t / "test.csv").unlink(), [], ["no test", "--target", "patient"]),
    "too many folds": (None, ["--folds", "12"], ["folds", "9"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_line_and_leaves_nothing_behind(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change, options, words = CASES[case]
    task = write_demo_task(tmp_path / "task")
    if change is not None:
        change(task)
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)

    code = main(["run", str(task), "--out", str(tmp_path / "run"), *options])

    said = capsys.readouterr()
    assert code == 2
    assert said.err.startswith("mlestar: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_the_folder_of_another_run_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_demo_task(tmp_path / "task")
    run = tmp_path / "run"
    run.mkdir()
    (run / "journal.jsonl").write_text("precious\n")
    assert main(["run", str(task), "--out", str(run)]) == 2
    said = capsys.readouterr().err
    assert "another run" in said
    assert "mlestar resume" in said
    assert (run / "journal.jsonl").read_text() == "precious\n"
    assert list(run.iterdir()) == [run / "journal.jsonl"]


def test_a_folder_of_the_users_own_files_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_demo_task(tmp_path / "task")
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("mine")
    assert main(["run", str(task), "--out", str(own)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [p.name for p in own.iterdir()] == ["thesis.txt"]


def test_a_path_that_cannot_be_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = write_demo_task(tmp_path / "task")
    monkeypatch.chdir(tmp_path)
    for words in (
        ["run", str(task), "--out", "a" * 300],
        ["run", "a" * 300],
        ["demo", "--out", str(task / "train.csv")],
        ["demo", "--time", "1s"],
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.startswith("mlestar: ")
        assert said.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["task"]


@pytest.mark.parametrize("verb", ["resume", "status", "export", "unseal"])
def test_a_folder_that_is_no_run_is_named(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [verb, str(tmp_path)] + (["x.ipynb"] if verb == "export" else [])
    assert main(words) == 2
    assert "no run folder" in capsys.readouterr().err


def test_the_users_files_are_never_changed_by_reading_them(tmp_path: Path) -> None:
    task = write_demo_task(tmp_path / "task")
    copy = tmp_path / "copy"
    shutil.copytree(task, copy)
    assert main(["run", str(task), "--out", str(tmp_path / "r"), "--metric", "nonsense"]) == 2
    for path in copy.iterdir():
        assert (task / path.name).read_bytes() == path.read_bytes()
