"""Exports go where the user wants them, and never over what the user wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.errors import TaskError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.notebook import export as export_module
from mlestar_jupyter.notebook.export import export
from mlestar_jupyter.notebook.finished import build_finished, stamp
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
Build = Callable[..., Path]
SOLUTION = Solution(
    (
        Block("load", "%matplotlib inline\nimport pandas as pd\ntrain = pd.read_csv(train_path)"),
        Block("model", "mean = train['progression'].mean()\nif True:\n    %time mean"),
        Block(
            "predict",
            "sample = pd.read_csv(sample_path)\nsample['progression'] = mean\n"
            "sample.to_csv(predictions_path, index=False)",
        ),
    ),
    "a mean",
)


def judged(run: Run, solution: Solution = SOLUTION) -> Candidate:
    name = run.propose(Proposal("initialize", solution))
    score = Score(60.0, (60.0,), (10,), 1.5, "rmse", False)
    candidate = run.record(Candidate(name, "initialize", solution, score=score))
    run.emit("incumbent_changed", branch=0, id=name, best=True, reason="the first")
    return candidate


def made(build: Build, frames: Frames, folder: Path, **settings: object) -> Run:
    task = from_folder(build(*frames))
    return Run.create(folder / "run", task, Settings(folds=2).replace(**settings))


@pytest.fixture
def run(build: Build, diabetes: Frames, tmp_path: Path) -> Run:
    return made(build, diabetes, tmp_path)


def one_line(error: pytest.ExceptionInfo[TaskError]) -> bool:
    return "\n" not in str(error.value)


def test_a_notebook_is_built_when_there_is_none_yet(run: Run, tmp_path: Path) -> None:
    judged(run)
    path = export(run, tmp_path / "out.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.mlestar.reproduced == "not verified"
    assert path == tmp_path / "out.ipynb"


def test_the_finished_notebook_is_taken_as_it_was_delivered(run: Run, tmp_path: Path) -> None:
    candidate = judged(run)
    final = SOLUTION.replace("model", "mean = 7")
    notebook = stamp(build_finished(run, candidate, final), "reproduced", "the same")
    nbformat.write(notebook, run.folder / "finished.ipynb")
    exported = nbformat.read(export(run, tmp_path / "out.ipynb"), as_version=4)
    assert exported == nbformat.from_dict(notebook)
    assert "mean = 7" in export(run, tmp_path / "out.py").read_text()
    chosen = nbformat.read(export(run, tmp_path / "one.ipynb", "1"), as_version=4)
    assert chosen.metadata.mlestar.reproduced == "not verified"


def test_a_damaged_finished_notebook_is_built_anew(run: Run, tmp_path: Path) -> None:
    judged(run)
    (run.folder / "finished.ipynb").write_text('{"cells": []')
    export(run, tmp_path / "out.ipynb")
    (run.folder / "finished.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4}')
    export(run, tmp_path / "out.ipynb")


def predictions_of_script(path: Path, folder: Path) -> pd.DataFrame:
    subprocess.run([sys.executable, str(path)], cwd=folder, check=True)
    return pd.read_csv(folder / "submission.csv")


def test_a_script_runs_with_plain_python_in_the_folder_of_the_data(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    path = export(run, tmp_path / "out.py")
    assert run.task.source.folder is not None
    found = predictions_of_script(path, run.task.source.folder)
    assert found["progression"].iloc[0] == pytest.approx(run.task.train["progression"].mean())
    assert len(found) == 40


def test_a_script_leaves_sealed_rows_out(build: Build, diabetes: Frames, tmp_path: Path) -> None:
    run = made(build, diabetes, tmp_path, sealed=0.2)
    judged(run)
    path = export(run, tmp_path / "out.py")
    assert run.task.source.folder is not None
    before = (run.task.source.folder / "train.csv").read_bytes()
    found = predictions_of_script(path, run.task.source.folder)
    usable = run.task.train["progression"].iloc[run.validation.train_rows("all")]
    assert found["progression"].iloc[0] == pytest.approx(usable.mean())
    assert (run.task.source.folder / "train.csv").read_bytes() == before


def test_a_script_begins_with_parameters_and_can_be_read_as_a_solution(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    text = export(run, tmp_path / "out.py").read_text()
    assert text.startswith("# %% parameters\n# Written by mlestar-jupyter: run run, candidate 0001")
    assert Solution.from_script(text).names == SOLUTION.names


def test_what_we_wrote_is_written_again(run: Run, tmp_path: Path) -> None:
    judged(run)
    for name in ("out.ipynb", "out.py"):
        first = export(run, tmp_path / name).read_text()
        assert export(run, tmp_path / name).read_text() == first


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.py", "print('mine')\n"),
        ("mine.py", ""),
        ("mine.ipynb", "not even JSON"),
        ("mine.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'),
        ("mine.ipynb", '{"cells": [], "metadata": {"mlestar": {"run": "r"}}, "nbformat": 4}'),
        ("mine.ipynb", '{"metadata": {"mlestar": 3}}'),
        ("mine.ipynb", "[]"),
    ],
)
def test_what_the_user_wrote_is_never_overwritten(
    run: Run, tmp_path: Path, name: str, content: str
) -> None:
    judged(run)
    (tmp_path / name).write_text(content)
    with pytest.raises(TaskError, match="was not written by mlestar-jupyter") as error:
        export(run, tmp_path / name)
    assert one_line(error)
    assert (tmp_path / name).read_text() == content


@pytest.mark.parametrize("name", ["out.txt", "out", "out.csv"])
def test_another_suffix_is_an_error_that_names_the_right_ones(
    run: Run, tmp_path: Path, name: str
) -> None:
    judged(run)
    with pytest.raises(TaskError, match=r"\.ipynb, \.py") as error:
        export(run, tmp_path / name)
    assert one_line(error)


def test_a_missing_folder_is_an_error(run: Run, tmp_path: Path) -> None:
    judged(run)
    with pytest.raises(TaskError, match=r"no folder .*nowhere"):
        export(run, tmp_path / "nowhere" / "out.py")


def test_a_folder_is_no_file(run: Run, tmp_path: Path) -> None:
    judged(run)
    (tmp_path / "out.py").mkdir()
    with pytest.raises(TaskError, match="is a folder"):
        export(run, tmp_path / "out.py")


def test_a_full_disk_is_an_error_and_leaves_no_remains(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(run)

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_module, "write_whole", full)
    with pytest.raises(TaskError, match="No space left on device"):
        export(run, tmp_path / "out.py")


def test_an_unknown_candidate_is_an_error_that_names_the_known_ones(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    with pytest.raises(TaskError, match="no candidate '0042'; the last ones are 0001"):
        export(run, tmp_path / "out.py", "0042")


def test_before_a_candidate_is_scored_there_is_nothing_to_export(run: Run, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no candidate has been scored yet"):
        export(run, tmp_path / "out.py")
