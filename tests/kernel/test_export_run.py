"""Exports of a real run: each form proves itself, and works where this package is not."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from cast import SmallCast
from nbclient import NotebookClient

from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.cli import main
from mlestar_jupyter.executors import make_executor
from mlestar_jupyter.exporting import export
from mlestar_jupyter.inference import from_folder, from_frames
from mlestar_jupyter.interfaces import Brief, Executor, ModelCard
from mlestar_jupyter.notebook.export_predict import refitting
from mlestar_jupyter.notebook.finished import build_finished
from mlestar_jupyter.run import Run
from mlestar_jupyter.session import Session, open_run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Overrides

SETTINGS = Settings(
    seconds=150, models=2, outer_steps=1, inner_steps=1, solutions=1, ensemble_rounds=1, folds=2
)
#: A fitted model that predicts the rows of test by itself, and one that does not.
KEPT = """import joblib
from sklearn.linear_model import Ridge
model = Ridge(alpha=1.0).fit(X, y)
joblib.dump(model, model_path)"""
CLIPPED = KEPT + "\nmodel = type('Clipped', (), {'predict': lambda self, X: X['bmi'] * 5})()"


class KeepingCast(SmallCast):
    """One linear model that keeps what it fitted."""

    name = "keeping"

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        return [ModelCard("ridge", "it suits small tables")]

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        start = super().initialize(brief, card)
        return start.replace("model", self._model)


def write_task(folder: Path) -> Path:
    """A small task in Kaggle's form, whose test is not in the order of its ids."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(160, 3)), columns=["age", "bmi", "pressure"])
    frame["progress"] = frame @ [1.0, 2.0, -1.0] + random.normal(0, 0.3, 160)
    frame.insert(0, "id", random.permutation(160))
    folder.mkdir()
    frame[:120].to_csv(folder / "train.csv", index=False)
    frame[120:].drop(columns="progress").to_csv(folder / "test.csv", index=False)
    sample = pd.DataFrame({"id": frame["id"][120:], "progress": 0.5})
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder


def solve(folder: Path, agents: SmallCast, settings: Settings) -> Run:
    task = from_folder(write_task(folder / "task"))
    with Session.start(task, settings, folder / "run", agents=agents) as session:
        assert session.solve().reproduced
    return open_run(folder / "run")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A delivered run, open for reading only."""
    return solve(tmp_path_factory.mktemp("exported"), SmallCast(), SETTINGS)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    executor = make_executor(Settings(jobs=2))
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def folder(run: Run, executor: Executor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivered candidate as a folder."""
    done = export(run, tmp_path_factory.mktemp("folder") / "out", executor=executor)
    assert done.verdict == "reproduced", done.detail
    return done.path


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes cannot import this package."""
    forbidden = tmp_path / "forbidden"
    forbidden.mkdir()
    (forbidden / "sitecustomize.py").write_text(
        "import sys\n\n\nclass Forbid:\n    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'mlestar_jupyter':\n"
        "            raise ModuleNotFoundError(name)\n\n\nsys.meta_path.insert(0, Forbid())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(forbidden))
    probe = [sys.executable, "-c", "import mlestar_jupyter"]
    assert subprocess.run(probe, capture_output=True, check=False).returncode == 1


@pytest.fixture
def moved(run: Run, tmp_path: Path) -> Iterator[Path]:
    """A folder with a copy of the data; where the data lay, there is nothing meanwhile."""
    source = run.task.source.folder
    assert source is not None
    elsewhere = shutil.copytree(source, tmp_path / "elsewhere")
    hidden = source.rename(source.with_name("hidden"))
    yield elsewhere
    hidden.rename(source)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run plain Python in a folder."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def other(run: Run) -> str:
    """A scored candidate that was not delivered."""
    delivered = run.state.finished["id"]
    return next(c.id for c in run.scored if c.id != delivered)


def same(found: Path, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(pd.read_csv(found), expected, rtol=1e-6)


def test_the_delivered_notebook_is_exported_as_it_was_proven(run: Run, tmp_path: Path) -> None:
    done = export(run, tmp_path / "out.ipynb")  # there is no executor that could execute it
    assert (done.form, done.verdict) == ("notebook", "reproduced")
    ours, theirs = (nbformat.read(p, 4) for p in (done.path, run.folder / "finished.ipynb"))
    assert ours == theirs


@pytest.mark.slow
def test_every_other_candidate_is_executed_and_has_the_score_of_the_journal(
    run: Run, executor: Executor, tmp_path: Path
) -> None:
    before = (run.folder / "journal.jsonl").read_bytes()
    done = export(run, tmp_path / "out.ipynb", other(run), executor=executor)
    assert (done.verdict, done.detail) == ("reproduced", "a fresh kernel gave the same score")
    notebook = nbformat.read(done.path, as_version=4)
    assert notebook.metadata.mlestar.candidate == other(run)
    assert notebook.metadata.mlestar.reproduced == "reproduced"
    assert any("Final Validation Performance" in str(c.get("outputs")) for c in notebook.cells)
    done = export(run, tmp_path / "out.py", other(run))
    assert (done.verdict, done.detail) == ("reproduced", "plain Python gave the same score")
    assert (run.folder / "journal.jsonl").read_bytes() == before


def copied(run: Run, tmp_path: Path) -> Run:
    shutil.copytree(run.folder, tmp_path / "copy")
    return open_run(tmp_path / "copy")


@pytest.mark.slow
def test_an_edited_finished_notebook_is_executed_again(
    run: Run, executor: Executor, tmp_path: Path
) -> None:
    mine = copied(run, tmp_path)
    path = mine.folder / "finished.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if c.metadata.get("mlestar", {}).get("block") == "model")
    cell.source += "\n# a comment of mine"
    nbformat.write(notebook, path)
    done = export(mine, tmp_path / "same.ipynb", executor=executor)
    assert done.verdict == "reproduced"
    assert "# a comment of mine" in done.path.read_text()
    cell.source = cell.source.replace("Ridge(alpha=", "Ridge(alpha=1000 + ")
    nbformat.write(notebook, path)
    done = export(mine, tmp_path / "other.ipynb", executor=executor)
    assert done.verdict == "differs"
    assert nbformat.read(done.path, 4).metadata.mlestar.reproduced == "differs"


def test_a_script_proves_the_predictions_of_the_submission(run: Run, tmp_path: Path) -> None:
    done = export(run, tmp_path / "out.py")
    assert (done.verdict, done.detail) == ("reproduced", "plain Python gave the same predictions")
    mine = copied(run, tmp_path)
    submission = pd.read_csv(mine.folder / "submission.csv")
    submission.loc[3, "progress"] += 0.01
    submission.to_csv(mine.folder / "submission.csv", index=False)
    done = export(mine, tmp_path / "out.py")
    assert (done.verdict, done.detail) == ("differs", "1 predictions of progress differ")


def test_a_report_shows_score_and_charts_and_needs_nothing_from_elsewhere(
    run: Run, tmp_path: Path
) -> None:
    done = export(run, tmp_path / "out.html")
    assert (done.form, done.verdict) == ("report", "reproduced")
    page = done.path.read_text(encoding="utf-8")
    assert run.best is not None
    assert f"<strong>rmse {run.best.score}</strong>" in page
    assert f"Final Validation Performance: {run.best.score.value!r}"[:40] in page
    assert len(re.findall(r'<img[^>]* src="data:image/png;base64,', page)) == 3
    assert set(re.findall(r'<img alt="([^"]*)"', page)) == {
        "search chart", "matters chart", "validation chart",
    }  # fmt: skip
    assert "✔ Reproduced" in page
    assert re.search(r"<title>task: .+</title>", page)
    assert not re.search(r"<(script|link|iframe)\b", page, re.IGNORECASE)
    assert not re.search(r'\b(src|srcset)="(?!data:)', page)
    assert not re.search(r"@import|url\(", page)
    assert "Content-Security-Policy" in page
    assert "prefers-color-scheme: dark" in page


def test_the_code_of_a_report_is_folded_but_for_the_solution(run: Run, tmp_path: Path) -> None:
    page = export(run, tmp_path / "out.html").path.read_text(encoding="utf-8")
    open_code = re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)
    assert open_code.count('<div class="input_area">') == 4
    assert "packed_folds" in page
    assert "packed_folds" not in open_code
    assert re.findall(r'<a href="#(section-\d+)">', page) == re.findall(r'<h2 id="([^"]+)"', page)


def test_a_folder_has_all_that_is_needed_and_says_what_it_is(run: Run, folder: Path) -> None:
    names = ["MODEL_CARD.md", "fingerprint.json", "predict.py", "requirements.txt"]
    assert sorted(p.name for p in folder.iterdir()) == [*names, "solution.ipynb", "submission.csv"]
    same(folder / "submission.csv", pd.read_csv(run.folder / "submission.csv"))
    told = json.loads((folder / "fingerprint.json").read_text())
    assert run.task.source.train is not None
    train = hashlib.sha256(run.task.source.train.read_bytes()).hexdigest()
    assert told["data"]["train.csv"] == train
    assert (told["folds"]["rows"], told["seeds"]["solution"]) == ({"1": 60, "2": 60}, 0)
    assert told["versions"]["pandas"] == pd.__version__
    requirements = (folder / "requirements.txt").read_text()
    assert f"\npandas=={pd.__version__}\n" in requirements
    assert "mlestar" not in requirements
    card = (folder / "MODEL_CARD.md").read_text()
    best = run.best
    assert best is not None
    for words in (
        f"**rmse {best.score}**", "2 folds of about 60 rows", f"Candidate {best.id} of run run",
        "To predict progress (regression)", "It refits on train each time, because the solution "
        "keeps no fitted model", "**Reproduced**: a fresh kernel gave the same score and the same "
        "predictions; predict.py gave the same predictions",
        "Isolated: candidates" if run.isolation[0] else "solated",
    ):  # fmt: skip
        assert words in card


@pytest.mark.slow
@pytest.mark.usefixtures("plain")
def test_a_moved_notebook_gives_the_same_predictions_without_this_package(
    run: Run, moved: Path, tmp_path: Path
) -> None:
    shutil.copy(run.folder / "submission.csv", tmp_path / "expected.csv")
    path = export(run, moved / "mine.ipynb").path
    notebook = nbformat.read(path, as_version=4)
    probe = nbformat.v4.new_code_cell("import mlestar_jupyter")
    resources = {"metadata": {"path": str(moved)}}
    client = NotebookClient(notebook, kernel_name="python3", resources=resources)
    client.execute()
    same(moved / "submission.csv", pd.read_csv(tmp_path / "expected.csv"))
    alone = nbformat.v4.new_notebook(cells=[probe])
    client = NotebookClient(alone, kernel_name="python3", resources=resources, allow_errors=True)
    client.execute()
    assert probe.outputs[0].ename == "ModuleNotFoundError"


@pytest.mark.slow
@pytest.mark.usefixtures("plain")
def test_a_moved_folder_gives_the_same_predictions_without_this_package(
    run: Run, folder: Path, moved: Path
) -> None:
    expected = pd.read_csv(run.folder / "submission.csv")
    shutil.copytree(folder, moved, dirs_exist_ok=True)
    (moved / "submission.csv").unlink()
    done = python(moved, "predict.py", "test.csv", "predicted.csv")
    assert done.returncode == 0, done.stderr
    assert f"refitting on train.csv in {moved}" in done.stderr
    same(moved / "predicted.csv", expected)
    notebook = nbformat.read(moved / "solution.ipynb", as_version=4)
    resources = {"metadata": {"path": str(moved)}}
    NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    same(moved / "submission.csv", expected)


def test_new_rows_are_predicted_in_their_own_order_and_with_columns_to_spare(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    expected = pd.read_csv(run.folder / "submission.csv")
    assert run.task.test is not None
    rows = run.task.test.sample(frac=0.5, random_state=1).assign(remark="new")
    rows[["remark", "pressure", "bmi", "age", "id"]].to_csv(tmp_path / "new.tsv", sep="\t")
    done = python(tmp_path, str(folder / "predict.py"), "new.tsv", "out.csv")
    assert done.returncode == 0, done.stderr
    same(tmp_path / "out.csv", expected.set_index("id").loc[rows["id"]].reset_index())


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "no file"),
        ("age,bmi\n1,2\n", "new.csv has no column id, pressure"),
        ("id,age,bmi,pressure\n", "new.csv has no rows"),
        ("", "cannot be read as a table"),
    ],
)
def test_rows_that_cannot_be_predicted_are_an_error_in_one_line(
    folder: Path, tmp_path: Path, rows: str | None, words: str
) -> None:
    if rows is not None:
        (tmp_path / "new.csv").write_text(rows)
    done = python(tmp_path, str(folder / "predict.py"), "new.csv", "out.csv")
    assert done.returncode == 1
    assert re.fullmatch(rf"predict\.py: .*{words}.*\n", done.stderr)
    assert not (tmp_path / "out.csv").exists()


def test_without_the_data_predict_says_where_it_may_be_named(
    folder: Path, moved: Path, tmp_path: Path
) -> None:
    shutil.copy(moved / "test.csv", tmp_path)
    script = str(folder / "predict.py")
    done = python(tmp_path, script, "test.csv", "out.csv")
    assert "--data FOLDER" in done.stderr
    with (moved / "train.csv").open("a") as file:
        file.write("999,0.1,0.2,0.3,0.4\n")
    done = python(tmp_path, script, "test.csv", "out.csv", "--data", str(moved))
    assert done.returncode == 0, done.stderr
    assert "note: train.csv is not the file of this run" in done.stderr


def kept(model: str, tmp_path: Path, executor: Executor) -> tuple[Run, Path, Sequence[str], str]:
    settings = SETTINGS.replace(models=1, outer_steps=0, ensemble_rounds=0)
    run = solve(tmp_path, KeepingCast(model), settings)
    done = export(run, tmp_path / "out", executor=executor)
    assert done.verdict == "reproduced", done.detail
    return run, done.path, done.files, (done.path / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_a_model_that_gives_the_submission_by_itself_is_applied(
    executor: Executor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run, out, files, card = kept(KEPT, tmp_path, executor)
    assert "model.joblib" in files
    assert "It applies model.joblib" in card
    request.getfixturevalue("plain")
    rows = run.task.test
    assert rows is not None
    rows.iloc[::-1].to_parquet(tmp_path / "new.parquet")
    run.task.source.train.rename(tmp_path / "gone.csv")  # it does not need the data
    done = python(tmp_path, str(out / "predict.py"), "new.parquet", "out.csv")
    assert done.returncode == 0, done.stderr
    expected = pd.read_csv(run.folder / "submission.csv").set_index("id")
    same(tmp_path / "out.csv", expected.loc[rows["id"][::-1]].reset_index())


@pytest.mark.slow
def test_a_model_that_does_not_is_left_out_and_the_solution_refitted(
    executor: Executor, tmp_path: Path
) -> None:
    _, out, files, card = kept(CLIPPED, tmp_path, executor)
    assert "model.joblib" not in files
    assert "the model that was kept does not give the submission by itself" in card
    assert "This refits" in (out / "predict.py").read_text()


@pytest.mark.slow
def test_the_command_line_exports_and_says_what_was_proven(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run.folder), f"{tmp_path}/out/", "--no-verify"]) == 0
    shown = capsys.readouterr().out
    assert f"exported as folder to {tmp_path / 'out'}\n" in shown
    assert "solution.ipynb, submission.csv" in shown
    assert main(["export", str(run.folder), f"{tmp_path}/out.py", "--candidate", "1"]) == 0
    assert "reproduced: plain Python gave the same" in capsys.readouterr().out
    assert main(["export", str(run.folder), f"{tmp_path}/out.docx"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_rows_of_other_formats_get_the_types_that_train_has(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.normal(size=90), "code": ["007", "8"] * 45})
    frame["day"] = pd.date_range("2024-01-01", periods=90)
    frame["price"] = frame["age"] + frame["day"].dt.day_of_week
    frames = {"train": frame[:60], "test": frame[60:].drop(columns="price")}
    task = from_frames(frames, tmp_path / "run" / "data", Overrides(target="price"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2, sealed=0.2), frames=frames)
    source = """import pandas as pd
train, test = pd.read_parquet(train_path), pd.read_parquet(test_path)
sample = pd.read_csv(sample_path)
week = train["price"].sub(train["age"]).groupby(train["day"].dt.day_of_week).mean()
sample["price"] = test["age"] + test["day"].dt.day_of_week.map(week) + 100 * (test["code"] == "007")
sample.to_csv(predictions_path, index=False)
assert len(train) < 60, "the sealed rows are not left out"
"""
    solution = Solution((Block("everything", source),), "by weekday")
    name = run.propose(Proposal("initialize", solution))
    candidate = run.record(Candidate(name, "initialize", solution))
    nbformat.write(build_finished(run, candidate), tmp_path / "solution.ipynb")
    (tmp_path / "predict.py").write_text(refitting(run, candidate))
    rows = frames["test"]
    rows.to_csv(tmp_path / "new.csv", index=False)
    rows.to_parquet(tmp_path / "new.parquet")
    lines = rows.astype({"day": str}).to_json(orient="records", lines=True)
    (tmp_path / "new.jsonl").write_text(lines)
    for name in ("new.csv", "new.parquet", "new.jsonl"):
        done = python(tmp_path, "predict.py", name, "out.csv")
        assert done.returncode == 0, done.stderr
        # That 007 is a text is what Parquet and JSON say, and a CSV does not.
        is_seven = (rows["code"] == "007").to_numpy() & (name != "new.csv")
        found = pd.read_csv(tmp_path / "out.csv")["price"].to_numpy()
        assert found == pytest.approx(frame["price"][60:].to_numpy() + 100 * is_seven)
