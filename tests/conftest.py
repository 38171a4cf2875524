"""Small task folders from scikit-learn's data, and candidates that are recorded by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from mlestar_jupyter.algorithm.acceptance import spread
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score, weighted_mean
from mlestar_jupyter.solution import Block, Solution

Table = pd.DataFrame | str | bytes
Build = Callable[..., Path]
Predict = Callable[[pd.DataFrame], pd.DataFrame]
Judge = Callable[..., Candidate]


def write_table(path: Path, table: Table) -> None:
    """Write text and bytes as they are, a DataFrame by the suffix of ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(table, bytes):
        path.write_bytes(table)
    elif isinstance(table, str):
        path.write_bytes(table.encode())
    else:
        writers = {
            ".csv": lambda: table.to_csv(path, index=False),
            ".tsv": lambda: table.to_csv(path, index=False, sep="\t"),
            ".gz": lambda: table.to_csv(path, index=False),
            ".zip": lambda: table.to_csv(path, index=False),
            ".parquet": lambda: table.to_parquet(path, index=False),
            ".feather": lambda: table.to_feather(path),
            ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
            ".xlsx": lambda: table.to_excel(path, index=False),
        }
        writers[path.suffix]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--live``: ask real models too, with a key of yours, for a few cents."""
    parser.addoption("--live", action="store_true", help="ask real models, with your key")


@pytest.fixture
def save() -> Callable[[Path, Table], None]:
    """The function that writes one table."""
    return write_table


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A function that writes a task folder in Kaggle's form and gives its path."""

    def build_folder(
        train: Table | None = None,
        test: Table | None = None,
        sample: Table | None = None,
        *,
        description: str = "",
        suffix: str = ".csv",
        name: str = "task",
        files: Mapping[str, Table] | None = None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for stem, table in (("train", train), ("test", test), ("sample_submission", sample)):
            if table is not None:
                write_table(folder / f"{stem}{suffix}", table)
        for path, table in (files or {}).items():
            write_table(folder / path, table)
        if description:
            (folder / "description.md").write_text(description, encoding="utf-8")
        return folder

    return build_folder


@pytest.fixture
def diabetes() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Regression: train (120 rows), test (40) and sample submission of ``progression``."""
    data = datasets.load_diabetes(as_frame=True).frame.iloc[:160, [0, 2, 3, 8, 10]]
    data = data.rename(columns={"target": "progression"})
    data.insert(0, "id", range(1000, 1160))
    train, test = data.iloc[:120], data.iloc[120:].drop(columns="progression")
    return train, test, pd.DataFrame({"id": test["id"], "progression": 0.5})


@pytest.fixture
def cancer() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Binary: train (150 rows), test (50) and sample submission of ``diagnosis``."""
    bunch = datasets.load_breast_cancer(as_frame=True)
    data = bunch.frame.iloc[:200, :5].copy()
    data.insert(0, "id", [f"p{number:03d}" for number in range(200)])
    data["diagnosis"] = np.where(bunch.target[:200] == 0, "malignant", "benign")
    train, test = data.iloc[:150], data.iloc[150:].drop(columns="diagnosis")
    return train, test, pd.DataFrame({"id": test["id"], "diagnosis": 0.5})


@pytest.fixture
def iris() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Multiclass: train (120 rows), test (30) and a sample with a column per class."""
    bunch = datasets.load_iris(as_frame=True)
    data = bunch.frame.drop(columns="target")
    data.insert(0, "id", range(150))
    data["species"] = np.asarray(bunch.target_names)[bunch.target]
    data = data.sample(frac=1, random_state=0)
    train, test = data.iloc[:120], data.iloc[120:].drop(columns="species")
    sample = pd.DataFrame({"id": test["id"], "virginica": 0.2, "setosa": 0.3, "versicolor": 0.5})
    return train, test, sample


@pytest.fixture
def judge() -> Judge:
    """A function that proposes, grades and records a candidate without executing anything."""

    def judge_candidate(
        run: Run, title: str, predict: Predict | None, *, slowest: float = 1.0, branch: int = 0
    ) -> Candidate:
        solution = Solution((Block("model", f"model = {title!r}"),), title)
        name = run.propose(Proposal("refine", solution, f"plan {title}", branch=branch))
        score = None
        if predict is not None:
            for fold in run.validation.purposes:
                held = run.task.train.iloc[run.validation.held_rows(fold)]
                path = run.candidate_folder(name) / f"fold-{fold}.csv"
                predict(held).to_csv(path, index=False)
            graded = run.graded(name)
            metric, values = run.task.metric, tuple(g.value for g in graded)
            rows = tuple(len(g.actual) for g in graded)
            error = spread(metric, graded, run.settings.bootstrap, run.settings.seed)
            value = weighted_mean(values, rows)
            score = Score(value, values, rows, error, metric.name, metric.greater_is_better)
        return run.record(
            Candidate(
                name, "refine", solution, f"plan {title}", branch=branch,
                status="failed" if score is None else "ok", score=score,
                seconds=2 * slowest, slowest=slowest, reason="" if score else "it broke",
            )
        )  # fmt: skip

    return judge_candidate
