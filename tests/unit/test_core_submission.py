"""A submission is checked, and has ids and labels as the task's own files write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.grading import InvalidPredictions
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.submission import write_submission
from mlestar_jupyter.task import Overrides


def test_a_submission_is_checked_against_test(build, diabetes, tmp_path: Path) -> None:
    task = from_folder(build(*diabetes))
    told, path = tmp_path / "told.csv", tmp_path / "submission.csv"
    form = task.sample.copy()
    form.to_csv(told, index=False)
    write_submission(task, told, path)
    assert path.read_bytes() == told.read_bytes()
    form.iloc[:-1].to_csv(told, index=False)
    with pytest.raises(InvalidPredictions, match="39 rows"):
        write_submission(task, told, path)
    form.assign(id=form["id"] + 1).to_csv(told, index=False)
    with pytest.raises(InvalidPredictions, match="1 ids are missing"):
        write_submission(task, told, path)
    assert len(pd.read_csv(path)) == 40, "a submission that is refused replaces nothing"


def test_zeros_in_front_of_ids_and_labels_are_written_again(build, tmp_path: Path) -> None:
    rows = [f"{number:05d},{number % 7},{number % 2 + 1:03d}" for number in range(80)]
    train = "code,x,label\n" + "\n".join(rows[:60]) + "\n"
    test = "code,x\n" + "\n".join(row.rpartition(",")[0] for row in rows[60:]) + "\n"
    sample = "code,label\n" + "\n".join(f"{n:05d},001" for n in range(60, 80)) + "\n"
    task = from_folder(build(train, test, sample), Overrides(metric="accuracy"))
    told, path = tmp_path / "told.csv", tmp_path / "submission.csv"
    pd.DataFrame({"code": range(79, 59, -1), "label": [1, 2] * 10}).to_csv(told, index=False)
    write_submission(task, told, path)
    lines = path.read_text().splitlines()
    assert lines[:3] == ["code,label", "00079,001", "00078,002"]
    assert len(lines) == 21


def test_numbers_that_are_written_as_they_are_read_are_left_to_the_byte(
    build, diabetes, tmp_path: Path
) -> None:
    task = from_folder(build(*diabetes))
    told, path = tmp_path / "told.csv", tmp_path / "submission.csv"
    form = task.sample.assign(progression=1 / 3)
    told.write_text(form.to_csv(index=False).replace("\n", "\r\n"), newline="")
    write_submission(task, told, path)
    assert path.read_bytes() == told.read_bytes()


def test_a_limit_of_one_execution_that_no_kernel_can_keep_is_refused() -> None:
    with pytest.raises(SettingsError, match="candidate-time must be at least 5s, not 0s"):
        Settings(candidate_seconds=0)
