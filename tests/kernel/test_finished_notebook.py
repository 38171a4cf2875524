"""The finished notebook runs alone, and gives the score and the submission of its run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from sklearn import datasets

from mlestar_jupyter.algorithm.acceptance import spread
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.inference import from_folder, from_frames, from_table
from mlestar_jupyter.metrics import from_function
from mlestar_jupyter.notebook.finished import build_finished
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score, weighted_mean
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.staging import Staging
from mlestar_jupyter.task import Overrides, Task

LOAD = """
from pathlib import Path

import numpy as np
import pandas as pd


def read(path):
    path = Path(path)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\\t" if path.suffix == ".tsv" else ",")


train, test, sample = read(train_path), read(test_path), read(sample_path)
"""
FEATURES = """
numeric = [c for c in test.columns if test[c].dtype.kind in "if" and c != "id"]
X, X_test = train[numeric].fillna(0), test[numeric].fillna(0)
"""
# In numpy alone: a fold then costs the start of a process and little more.
REGRESSION = """
y = train[{target!r}].to_numpy(dtype=float)
noise = np.random.default_rng(seed).normal(0, 20, len(y))
weights, *_ = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y + noise, rcond=None)
predicted = np.c_[X_test, np.ones(len(X_test))] @ weights
"""
CLASSES = """
labels = train[{target!r}].astype(str)
spread = X.std()
centres = (X / spread).groupby(labels).mean()
distances = ((X_test.to_numpy() / spread.to_numpy())[:, None] - centres.to_numpy()) ** 2
chances = np.exp(-distances.mean(axis=2))
chances = pd.DataFrame(chances / chances.sum(axis=1, keepdims=True), columns=centres.index)
"""
VALUES = "sample[{target!r}] = predicted\nsample.to_csv(predictions_path, index=False)"
LABELS = "sample[{target!r}] = chances.idxmax(axis=1)\nsample.to_csv(predictions_path, index=False)"
BINARY = "sample[{target!r}] = chances[{positive!r}]\nsample.to_csv(predictions_path, index=False)"
PROBABILITIES = "sample[chances.columns] = chances\nsample.to_csv(predictions_path, index=False)"


def solution(task: Task, model: str, predict: str, *, load: str = LOAD) -> Solution:
    words = {"target": task.target, "positive": str(task.positive_class)}
    blocks = {
        "load": load.strip(),
        "features": FEATURES.strip(),
        "model": model.format(**words).strip(),
        "predict": predict.format(**words),
    }
    return Solution(tuple(Block(name, source) for name, source in blocks.items()), "a line")


def execute(run: Run, blocks: Solution, purpose: int | str, folder: Path) -> Path:
    """Run a solution as a plain script in a staged folder; gives its predictions."""
    folder.mkdir()
    for name, path in run.staging.inputs(purpose).items():  # type: ignore[arg-type]
        if path.is_file():
            (folder / name).write_bytes(path.read_bytes())
    values = {**run.staging.parameters, "seed": run.settings.seed}
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    script = "\n".join([*lines, *(block.source for block in blocks.blocks)])
    (folder / "solution.py").write_text(script, encoding="utf-8")
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, "solution.py"], cwd=folder, check=True, env=environment)
    return folder / str(values["predictions_path"])


def judged(run: Run, blocks: Solution, folder: Path) -> Candidate:
    """Record a candidate that was executed and graded on every fold."""
    name = run.propose(Proposal("initialize", blocks, "the simplest there is"))
    for fold in run.validation.purposes:
        predictions = execute(run, blocks, fold, folder / f"fold-{fold}")
        target = run.candidate_folder(name) / f"fold-{fold}.csv"
        target.write_bytes(predictions.read_bytes())
    graded = run.graded(name)
    values, rows = tuple(g.value for g in graded), tuple(len(g.actual) for g in graded)
    metric = run.task.metric
    score = Score(
        weighted_mean(values, rows), values, rows, spread(metric, graded, 50, 0),
        metric.name, metric.greater_is_better,
    )  # fmt: skip
    candidate = run.record(
        Candidate(name, "initialize", blocks, "the simplest there is", score=score)
    )
    run.emit("incumbent_changed", branch=0, id=name, best=True, reason="the first")
    return candidate


def executed(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute a notebook in an empty folder."""
    folder.mkdir(exist_ok=True)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def printed(notebook: NotebookNode) -> float:
    """The score on the last line of the cell that validates."""
    cell = next(c for c in notebook.cells if c.id == "score")
    text = "".join(o.text for o in cell.outputs if o.output_type == "stream")
    return float(text.splitlines()[-1].removeprefix("Final Validation Performance: "))


def check(run: Run, candidate: Candidate, folder: Path) -> NotebookNode:
    """Execute the finished notebook; its score and its submission must be those of the run."""
    notebook = executed(build_finished(run, candidate), folder / "elsewhere")
    nbformat.validate(notebook)
    assert candidate.score is not None
    assert printed(notebook) == pytest.approx(candidate.score.value, abs=1e-9)
    if run.task.source.test is not None:
        direct = execute(run, candidate.solution, "all", folder / "all")
        ours = pd.read_csv(folder / "elsewhere" / "submission.csv")
        pd.testing.assert_frame_equal(ours, pd.read_csv(direct))
    return notebook


def save(folder: Path, train: pd.DataFrame, test: pd.DataFrame | None, suffix: str) -> Path:
    """Write a task folder in Kaggle's form."""
    folder.mkdir()
    for name, frame in (("train", train), ("test", test)):
        if frame is None:
            continue
        path = folder / f"{name}{suffix}"
        if suffix == ".parquet":
            frame.to_parquet(path, index=False)
        elif suffix == ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return folder


def diabetes() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numbers to predict, beside a text column with quotes, commas and line breaks."""
    frame = datasets.load_diabetes(as_frame=True).frame.rename(columns={"target": "progression"})
    frame.insert(0, "id", range(1, len(frame) + 1))
    words = np.array(['said "no", twice', "plain", "two\nlines", "007", "", " NA, or not "])
    frame["remark"] = words[np.arange(len(frame)) % len(words)]
    frame.loc[::7, "bmi"] = np.nan
    return frame.iloc[:260], frame.iloc[260:320].drop(columns="progression")


def regression(folder: Path, suffix: str = ".csv", **settings: object) -> Run:
    train, test = diabetes()
    task = from_folder(save(folder / "diabetes", train, test, suffix))
    return Run.create(folder / "run", task, Settings(folds=2).replace(**settings))


@pytest.mark.parametrize(
    "suffix", [".csv", *(pytest.param(s, marks=pytest.mark.slow) for s in (".csv.gz", ".parquet"))]
)
def test_a_regression_gives_its_score_and_submission_from_any_format(
    tmp_path: Path, suffix: str
) -> None:
    run = regression(tmp_path, suffix)
    candidate = judged(run, solution(run.task, REGRESSION, VALUES), tmp_path)
    check(run, candidate, tmp_path)


@pytest.mark.slow
def test_a_binary_task_with_words_for_classes_gives_its_auc(tmp_path: Path) -> None:
    bunch = datasets.load_breast_cancer(as_frame=True)
    frame = bunch.frame.iloc[:, [0, 1, 4, 10]].copy()
    frame.insert(0, "id", [f"p{n:03d}" for n in range(len(frame))])
    frame["diagnosis"] = np.where(bunch.target == 0, "malignant", "benign")
    save(
        tmp_path / "cancer", frame.iloc[:300], frame.iloc[300:400].drop(columns="diagnosis"), ".csv"
    )
    task = from_folder(tmp_path / "cancer", Overrides(metric="auc"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    check(run, judged(run, solution(task, CLASSES, BINARY), tmp_path), tmp_path)


@pytest.mark.slow
def test_a_task_of_several_classes_gives_its_log_loss(tmp_path: Path) -> None:
    bunch = datasets.load_wine(as_frame=True)
    frame = bunch.frame.iloc[:, :5].copy()
    frame["cultivar"] = [f"$class$ {n}" for n in bunch.target]
    frame = frame.sample(frac=1, random_state=0)
    save(tmp_path / "wine", frame.iloc[:140], frame.iloc[140:].drop(columns="cultivar"), ".csv")
    task = from_folder(tmp_path / "wine", Overrides(metric="log_loss"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    check(run, judged(run, solution(task, CLASSES, PROBABILITIES), tmp_path), tmp_path)


@pytest.mark.slow
def test_labels_that_are_numbers_give_their_accuracy(tmp_path: Path) -> None:
    bunch = datasets.load_wine(as_frame=True)
    frame = bunch.frame.iloc[:, :5].copy()
    frame["cultivar"] = bunch.target.astype(float)
    frame = frame.sample(frac=1, random_state=0)
    save(tmp_path / "wine", frame.iloc[:140], frame.iloc[140:].drop(columns="cultivar"), ".csv")
    task = from_folder(tmp_path / "wine", Overrides(metric="accuracy"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    check(run, judged(run, solution(task, CLASSES, LABELS), tmp_path), tmp_path)


def test_folds_that_follow_each_other_in_time_learn_from_the_past_only(tmp_path: Path) -> None:
    train, test = diabetes()
    train = train.assign(day=pd.date_range("2020-01-01", periods=len(train)).astype(str))
    test = test.assign(day=pd.date_range("2022-01-01", periods=len(test)).astype(str))
    task = from_folder(save(tmp_path / "days", train, test, ".csv"))
    run = Run.create(tmp_path / "run", task, Settings(folds=3))
    assert run.validation.ordered
    check(run, judged(run, solution(task, REGRESSION, VALUES), tmp_path), tmp_path)


def test_rows_that_are_sealed_or_have_no_target_are_given_to_no_fit(tmp_path: Path) -> None:
    train, test = diabetes()
    train = train.copy()
    train.loc[train.index[::20], "progression"] = np.nan
    task = from_folder(save(tmp_path / "diabetes", train, test, ".csv"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2, sealed=0.2))
    check(run, judged(run, solution(task, REGRESSION, VALUES), tmp_path), tmp_path)
    given = pd.read_csv(tmp_path / "elsewhere" / "prepared" / "train.csv")
    assert set(given["id"]) == set(train["id"].iloc[run.validation.train_rows("all")])


@pytest.mark.slow
def test_dataframes_give_their_score_from_the_run_folder(tmp_path: Path) -> None:
    train, test = diabetes()
    frames = {"train": train.drop(columns="id"), "test": test.drop(columns="id")}
    task = from_frames(frames, tmp_path / "run" / "data", Overrides(target="progression"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2), frames=frames)
    check(run, judged(run, solution(task, REGRESSION, VALUES), tmp_path), tmp_path)


@pytest.mark.slow
def test_one_table_without_rows_to_predict_is_validated_and_fitted(tmp_path: Path) -> None:
    train, _ = diabetes()
    save(tmp_path / "table", train, None, ".csv")
    task = from_table(tmp_path / "table" / "train.csv", Overrides(target="progression"))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    notebook = check(run, judged(run, solution(task, REGRESSION, VALUES), tmp_path), tmp_path)
    assert not any(cell.id == "submission" for cell in notebook.cells)


def test_side_tables_are_there_for_the_fit_and_in_each_fold(tmp_path: Path) -> None:
    train, test = diabetes()
    folder = save(tmp_path / "diabetes", train, test, ".csv")
    (folder / "more").mkdir()
    pd.DataFrame({"factor": [2.0]}).to_csv(folder / "more" / "factor.csv", index=False)
    task = from_folder(folder)
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    load = LOAD + 'factor = read(f"{data_dir}/more/factor.csv")\n'
    blocks = solution(task, REGRESSION, VALUES, load=load)
    candidate = run.record(Candidate("0001", "initialize", blocks))
    notebook = executed(build_finished(run, candidate), tmp_path / "elsewhere")
    assert printed(notebook) > 0


def test_a_metric_of_the_users_own_is_carried_along(tmp_path: Path) -> None:
    def half_squares(actual, predicted):  # type: ignore[no-untyped-def]
        """Half of the mean squared error."""
        return float(((actual - predicted) ** 2).mean() / 2)

    train, test = diabetes()
    metric = from_function(half_squares, greater_is_better=False)
    folder = save(tmp_path / "diabetes", train, test, ".csv")
    task = from_folder(folder, Overrides(metric=metric))
    run = Run.create(tmp_path / "run", task, Settings(folds=2))
    check(run, judged(run, solution(task, REGRESSION, VALUES), tmp_path), tmp_path)


def test_a_kernel_without_this_package_executes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = regression(tmp_path)
    candidate = judged(run, solution(run.task, REGRESSION, VALUES), tmp_path)
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
    check(run, candidate, tmp_path)


def edited(notebook: NotebookNode, block: str, change: Callable[[str], str]) -> NotebookNode:
    cell = next(c for c in notebook.cells if c.metadata.get("mlestar", {}).get("block") == block)
    cell.source = change(cell.source)
    return notebook


@pytest.mark.slow
def test_an_edited_cell_gives_the_score_of_the_edited_solution(tmp_path: Path) -> None:
    run = regression(tmp_path)
    blocks = solution(run.task, REGRESSION, VALUES)
    candidate = judged(run, blocks, tmp_path)
    fewer = blocks.replace("model", blocks.source("model").replace("20", "500"))
    other = tmp_path / "other"
    other.mkdir()
    expected = judged(run, fewer, other)
    notebook = build_finished(run, candidate)
    # The old cell was executed before the edited one, as a user would have it.
    place = next(i for i, c in enumerate(notebook.cells) if c.id.startswith("block-4"))
    cell = nbformat.v4.new_code_cell("# %% model\n" + fewer.source("model"))
    notebook.cells.insert(place + 1, cell)
    assert expected.score is not None
    notebook = executed(notebook, tmp_path / "elsewhere")
    assert printed(notebook) == pytest.approx(expected.score.value, abs=1e-9)


@pytest.mark.slow
def test_a_solution_that_fails_on_a_fold_says_why(tmp_path: Path) -> None:
    run = regression(tmp_path)
    candidate = judged(run, solution(run.task, REGRESSION, VALUES), tmp_path)
    wrong = "\nif len(test) > 100:\n    raise RuntimeError('too many rows to predict')"
    notebook = edited(build_finished(run, candidate), "features", lambda s: s + wrong)
    with pytest.raises(CellExecutionError, match="too many rows to predict"):
        executed(notebook, tmp_path / "elsewhere")


@pytest.mark.slow
def test_magics_in_a_block_are_executed_in_the_folds_as_well(tmp_path: Path) -> None:
    run = regression(tmp_path)
    blocks = solution(run.task, REGRESSION, VALUES)
    plain = judged(run, blocks, tmp_path)
    magic = blocks.replace("model", "%%time\n" + blocks.source("model"))
    magic = magic.replace("features", "%matplotlib inline\n" + blocks.source("features"))
    candidate = Candidate("0001", "initialize", magic, score=plain.score)
    notebook = executed(build_finished(run, candidate), tmp_path / "elsewhere")
    assert plain.score is not None
    assert printed(notebook) == pytest.approx(plain.score.value, abs=1e-9)


def test_a_self_scored_task_has_what_its_solution_printed(tmp_path: Path) -> None:
    (tmp_path / "game").mkdir()
    (tmp_path / "game" / "rules.csv").write_text("rule\n7\n")
    overrides = Overrides(kind="self-scored", metric="points", greater_is_better=True)
    task = from_folder(tmp_path / "game", overrides)
    run = Run.create(tmp_path / "run", task, Settings())
    source = (
        'import pandas as pd\nvalue = pd.read_csv(f"{data_dir}/rules.csv")["rule"].sum()\n'
        'print(f"Final Validation Performance: {value}")'
    )
    score = Score(7.0, (7.0,), (1,), 0.0, "points", True, self_scored=True)
    blocks = Solution((Block("play", source),), "a game")
    candidate = run.record(Candidate("0001", "initialize", blocks, score=score))
    notebook = executed(build_finished(run, candidate), tmp_path / "elsewhere")
    outputs = [o.text for c in notebook.cells for o in c.get("outputs", []) if "text" in o]
    assert re.search(r"Final Validation Performance: 7\n$", outputs[-1])


@pytest.mark.slow
def test_staging_writes_the_same_files_as_the_finished_notebook(tmp_path: Path) -> None:
    run = regression(tmp_path)
    candidate = judged(run, solution(run.task, REGRESSION, VALUES), tmp_path)
    notebook = build_finished(run, candidate)
    place = next(i for i, c in enumerate(notebook.cells) if c.id == "staging")
    source = 'stage_fold(2, Path("staged"))'
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    (tmp_path / "elsewhere" / "staged").mkdir(parents=True)
    executed(notebook, tmp_path / "elsewhere")
    theirs = Staging(run.task, run.validation, tmp_path / "again").stage(2)
    for path in theirs.iterdir():
        ours = pd.read_csv(tmp_path / "elsewhere" / "staged" / path.name)
        pd.testing.assert_frame_equal(ours, pd.read_csv(path))
