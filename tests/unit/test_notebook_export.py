"""Exports go where the user wants them, and never over what the user wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import joblib
import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode
from sklearn.naive_bayes import GaussianNB

from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.errors import TaskError
from mlestar_jupyter.exporting import Exported
from mlestar_jupyter.exporting import export as export_proven
from mlestar_jupyter.inference import from_folder, from_table
from mlestar_jupyter.notebook import export_place
from mlestar_jupyter.notebook.export_card import packages_of, requirements
from mlestar_jupyter.notebook.export_html import html_page
from mlestar_jupyter.notebook.export_predict import applying
from mlestar_jupyter.notebook.finished import build_finished, stamp
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Overrides

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


def export(run: Run, path: Path | str, candidate: str | None = None) -> Path:
    """Export without executing anything."""
    return export_proven(run, path, candidate, verify=False).path


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
    notebook = deliver(run, build_finished(run, candidate, final))
    for name, chosen in (("out.ipynb", None), ("one.ipynb", "1")):
        done = export_proven(run, tmp_path / name, chosen)
        assert (done.verdict, done.detail) == ("reproduced", "the same")
        assert nbformat.read(done.path, as_version=4) == nbformat.from_dict(notebook)
    assert "mean = 7" in export(run, tmp_path / "out.py").read_text()


def deliver(run: Run, notebook: NotebookNode) -> NotebookNode:
    """Put a notebook where a delivery puts the one that it executed."""
    (run.folder / "final").mkdir()
    nbformat.write(notebook, run.folder / "final" / "finished.ipynb")
    stamped = stamp(notebook, "reproduced", "the same")
    nbformat.write(stamped, run.folder / "finished.ipynb")
    run.emit(
        "finished_notebook_written", id=notebook.metadata.mlestar.candidate,
        path="finished.ipynb", verdict="reproduced", detail="the same",
    )  # fmt: skip
    return stamped


def test_an_edited_finished_notebook_is_not_called_reproduced(run: Run, tmp_path: Path) -> None:
    notebook = deliver(run, build_finished(run, judged(run)))
    notebook.cells[-1].source += "\n\nA word of mine."
    nbformat.write(notebook, run.folder / "finished.ipynb")
    done = export_proven(run, tmp_path / "out.ipynb", verify=False)
    exported = nbformat.read(done.path, as_version=4)
    assert done.verdict == exported.metadata.mlestar.reproduced == "not verified"


def test_a_better_candidate_found_after_the_delivery_is_exported(run: Run, tmp_path: Path) -> None:
    first = judged(run)
    deliver(run, build_finished(run, first))
    second = judged(run, SOLUTION.replace("model", "mean = 9"))
    for chosen, expected in ((None, second.id), (first.id, first.id)):
        path = export(run, tmp_path / "out.ipynb", chosen)
        assert nbformat.read(path, as_version=4).metadata.mlestar.candidate == expected


def test_without_an_executor_a_notebook_is_written_and_not_called_reproduced(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    done = export_proven(run, tmp_path / "out.ipynb")
    assert done == Exported(
        tmp_path / "out.ipynb", "notebook", "not verified", "no executor was given for it",
        ("out.ipynb",),
    )  # fmt: skip


def test_a_candidate_without_a_score_is_exported_and_not_called_reproduced(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    broken = SOLUTION.replace("model", "mean = missing")
    name = run.propose(Proposal("refine", broken))
    run.record(Candidate(name, "refine", broken, status="failed", reason="no such name"))
    for path in ("out.py", "out.ipynb", "out/"):
        done = export_proven(run, f"{tmp_path}/{path}", name)
        assert (done.verdict, done.path.exists()) == ("not verified", True)
        assert f"candidate {name} has no score (failed)" in done.detail


def test_a_script_that_gives_another_score_differs(run: Run, tmp_path: Path) -> None:
    judged(run)  # its score was made up
    done = export_proven(run, tmp_path / "out.py")
    assert done.verdict == "differs"
    assert done.detail.endswith("instead of 60.0")


def test_a_script_that_fails_or_takes_too_long_says_so(run: Run, tmp_path: Path) -> None:
    judged(run, SOLUTION.replace("model", "mean = missing"))
    done = export_proven(run, tmp_path / "out.py")
    assert (done.verdict, "NameError" in done.detail) == ("not verified", True)
    judged(run, SOLUTION.replace("model", "import time\ntime.sleep(600)"))
    done = export_proven(run, tmp_path / "out.py", seconds=3)
    assert (done.verdict, "not done within 3 s" in done.detail) == ("not verified", True)


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
    for name in ("out.ipynb", "out.py", "out.html"):
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
        ("mine.html", "<html><body>mlestar-jupyter 0.1.0</body></html>"),
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


@pytest.mark.parametrize("name", ["out.txt", "out.v2", "out.csv"])
def test_another_suffix_is_an_error_that_names_the_right_ones(
    run: Run, tmp_path: Path, name: str
) -> None:
    judged(run)
    with pytest.raises(TaskError, match=r"\.ipynb, \.py, \.html, or in /") as error:
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

    monkeypatch.setattr(export_place, "write_whole", full)
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


@pytest.mark.parametrize("name", ["out", "out/", "out.v2/"])
def test_a_path_without_suffix_or_with_a_slash_is_a_folder(
    run: Run, tmp_path: Path, name: str
) -> None:
    judged(run)
    done = export_proven(run, f"{tmp_path}/{name}", verify=False)
    assert (done.form, done.path) == ("folder", tmp_path / name.rstrip("/"))
    assert sorted(done.files) == sorted(path.name for path in done.path.iterdir())
    assert not list(tmp_path.glob(".*"))


def test_an_empty_folder_is_filled(run: Run, tmp_path: Path) -> None:
    judged(run)
    (tmp_path / "out").mkdir()
    assert (export(run, tmp_path / "out") / "predict.py").is_file()


def test_a_folder_that_we_wrote_is_written_again_beside_files_of_the_user(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    out = export(run, tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    judged(run, SOLUTION.replace("model", "mean = 9"))
    export(run, out)
    assert (out / "notes.txt").read_text() == "mine"
    assert "mean = 9" in (out / "solution.ipynb").read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", "mine", "did not write"),
        ("fingerprint.json", "{}", "did not write"),
        ("fingerprint.json", '{"written_by": "somebody", "files": {"a": "b"}}', "did not write"),
        ("fingerprint.json", "[1]", "did not write"),
    ],
)
def test_a_folder_of_the_user_is_never_written_to(
    run: Run, tmp_path: Path, name: str, content: str, message: str
) -> None:
    judged(run)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text(content)
    with pytest.raises(TaskError, match=message) as error:
        export(run, tmp_path / "out")
    assert one_line(error)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_an_exported_file_that_the_user_changed_is_not_overwritten(
    run: Run, tmp_path: Path
) -> None:
    judged(run)
    out = export(run, tmp_path / "out")
    (out / "predict.py").write_text("mine")
    with pytest.raises(TaskError, match=r"predict\.py is not as it was exported"):
        export(run, out)
    (out / "predict.py").unlink()
    (out / "model.joblib").write_text("mine")
    with pytest.raises(TaskError, match=r"model\.joblib is not as it was exported"):
        export(run, out)


def test_the_files_of_the_run_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    notebook = deliver(run, build_finished(run, judged(run)))
    nbformat.write(notebook, run.folder / "mine.ipynb")
    for path in ("finished.ipynb", "final/finished.ipynb", "candidates/out.py", "folds/out/"):
        with pytest.raises(TaskError, match="is a part of the run"):
            export(run, f"{run.folder}/{path}")
    with pytest.raises(TaskError, match="is a part of the run"):
        export(run, f"{run.folder}/")
    export(run, run.folder / "mine.ipynb")


def test_a_file_is_no_folder(run: Run, tmp_path: Path) -> None:
    judged(run)
    (tmp_path / "out").write_text("mine")
    with pytest.raises(TaskError, match="is a file") as error:
        export(run, tmp_path / "out")
    assert one_line(error)


def test_requirements_are_what_the_sources_import_with_their_versions() -> None:
    sources = [
        "%matplotlib inline\nimport numpy as np, os.path\nfrom sklearn.svm import SVC",
        "def f():\n    import PIL.Image",
        "import not_installed_anywhere\nfrom . import sibling",
        "frame.to_parquet('a.parquet')",
    ]
    packages = packages_of(sources)
    assert list(packages) == ["numpy", "pillow", "pyarrow", "scikit-learn"]
    lines = requirements(packages).splitlines()
    assert f"scikit-learn=={metadata.version('scikit-learn')}" in lines
    assert all(line.startswith("#") or "==" in line for line in lines)


def test_a_page_runs_nothing_and_loads_nothing_whatever_its_cells_hold() -> None:
    script = '<script src="https://elsewhere.org/a.js"></script><link href="https://a.org/b.css">'
    loud = nbformat.v4.new_code_cell("1 < 2")
    loud.outputs = [
        nbformat.v4.new_output("display_data", {"text/html": f"<b>kept</b>{script}"}),
        nbformat.v4.new_output("display_data", {"application/javascript": "alert(1)"}),
        nbformat.v4.new_output("stream", name="stderr", text="\x1b[31mred\x1b[0m <i>"),
    ]
    headline = nbformat.v4.new_markdown_cell(f"# A & B: <i>trees</i> for $5\n\n{script}")
    page = html_page(nbformat.v4.new_notebook(cells=[headline, loud]))
    assert "<title>A &amp; B: trees for $5</title>" in page
    assert "<b>kept</b>" in page
    assert '<span class="ansi-red-fg">red</span> &lt;i&gt;' in page
    for words in ("elsewhere.org", "a.org", "alert(1)"):
        assert words not in page


def test_a_self_scored_task_has_no_rows_to_predict_and_proves_what_it_printed(
    tmp_path: Path,
) -> None:
    (tmp_path / "game").mkdir()
    (tmp_path / "game" / "rules.csv").write_text("rule\n7\n")
    overrides = Overrides(kind="self-scored", metric="points", greater_is_better=True)
    run = Run.create(tmp_path / "run", from_folder(tmp_path / "game", overrides), Settings())
    source = (
        'value = open(f"{data_dir}/rules.csv").read().split()[1]\n'
        'print(f"Final Validation Performance: {value}")'
    )
    blocks = Solution((Block("play", source),), "a game")
    score = Score(7.0, (7.0,), (1,), 0.0, "points", True, self_scored=True)
    name = run.propose(Proposal("initialize", blocks))
    candidate = run.record(Candidate(name, "initialize", blocks, score=score))
    done = export_proven(run, tmp_path / "out.py", candidate.id)
    assert (done.verdict, done.detail) == ("reproduced", "plain Python gave the same score")
    out = export(run, tmp_path / "out", candidate.id)
    assert not {"predict.py", "submission.csv"} & {path.name for path in out.iterdir()}
    assert "There is no predict.py" in (out / "MODEL_CARD.md").read_text()


def test_without_a_test_predict_is_tried_on_rows_of_train(
    diabetes: Frames, tmp_path: Path, save: Callable[[Path, pd.DataFrame], None]
) -> None:
    save(tmp_path / "table.csv", diabetes[0])
    task = from_table(tmp_path / "table.csv", Overrides(target="progression"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    judged(run)
    done = export_proven(run, tmp_path / "out")
    assert done.detail.endswith("; predict.py predicted rows of train")
    assert "submission.csv" not in done.files


@pytest.mark.parametrize("kind", ["cancer", "iris"])
def test_a_fitted_classifier_fills_the_columns_of_the_submission(
    kind: str, request: pytest.FixtureRequest, build: Build, tmp_path: Path
) -> None:
    train, test, sample = request.getfixturevalue(kind)
    metric = {"cancer": "auc", "iris": "log_loss"}[kind]
    task = from_folder(build(train, test, sample), Overrides(metric=metric))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    columns = [name for name in test.columns if name != "id"]
    model = GaussianNB().fit(train[columns].to_numpy(), train[task.target])
    source = applying(run, judged(run))
    assert source is not None
    (tmp_path / "predict.py").write_text(source)
    joblib.dump(model, tmp_path / "model.joblib")
    test.to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, "-W", "ignore", "predict.py", "new.csv", "out.csv"]
    subprocess.run(command, cwd=tmp_path, check=True)
    found = pd.read_csv(tmp_path / "out.csv")
    chances = model.predict_proba(test[columns].to_numpy())
    chances = pd.DataFrame(chances, columns=model.classes_)
    if kind == "cancer":
        chances = chances[[task.positive_class]].set_axis(["diagnosis"], axis=1)
    assert list(found.columns) == list(sample.columns)
    assert list(found["id"]) == list(test["id"])
    for column in chances.columns:
        assert found[column].to_numpy() == pytest.approx(chances[column].to_numpy())
