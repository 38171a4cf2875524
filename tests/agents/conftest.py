"""Tiny tasks of every kind, and solutions played in this process: one fold, graded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import lightgbm  # noqa: F401 (so that its threads are there to be limited)
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from mlestar_jupyter.grading import grade
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Brief
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.staging import Staging
from mlestar_jupyter.task import Overrides, Task
from mlestar_jupyter.validation import freeze

Play = Callable[[Brief, Solution], float]
ROWS, TRAIN = 240, 180


def homes(kind: str) -> pd.DataFrame:
    """A table with numbers, gaps, categories and dates, whose target follows from some of them."""
    chance = np.random.default_rng(7)
    city = chance.choice([f"city {letter}" for letter in "ABCDEFGHIJKL"], ROWS)
    table = pd.DataFrame(
        {
            "id": range(5000, 5000 + ROWS),
            "city": city,
            "kind": chance.choice(["flat", "house", "hut"], ROWS),
            "rooms": chance.integers(1, 9, ROWS).astype(float),
            "median_income": chance.gamma(2, 10, ROWS).round(2),
            "spent": chance.normal(30, 9, ROWS).round(2),
            "a": chance.normal(size=ROWS).round(3),
            "sold": pd.date_range("2020-01-01", periods=ROWS).strftime("%Y-%m-%d"),
        }
    )
    worth = 3 * table["rooms"] + table["median_income"] + 4 * (city < "city F")
    worth += chance.normal(0, 1, ROWS)
    table.loc[chance.random(ROWS) < 0.1, "spent"] = np.nan
    names = ["low", "middle", "high"] if kind == "multiclass" else ["cheap", "dear"]
    classes = pd.qcut(worth, len(names), labels=names).astype(str)
    table["price"] = worth.round(3) if kind == "regression" else classes
    return table.sample(frac=1, random_state=0)


def sentences() -> pd.DataFrame:
    """Short texts of three authors, each with words of their own."""
    chance = np.random.default_rng(3)
    common = ["the", "of", "and", "to", "in", "that", "it", "was", "he", "for", "on", "with"]
    own = {
        "ann": ["garden", "rose", "sun", "morning", "bird", "song"],
        "ben": ["engine", "wheel", "iron", "steam", "bolt", "road"],
        "cat": ["ghost", "night", "castle", "shadow", "owl", "fear"],
    }
    rows = []
    for number in range(ROWS):
        author = list(own)[number % 3]
        words = [*chance.choice(common, 9), *chance.choice(own[author], 3)]
        rows.append((number, " ".join(chance.permutation(words)) + ".", author))
    return pd.DataFrame(rows, columns=["id", "text", "author"]).sample(frac=1, random_state=0)


def write(folder: Path, table: pd.DataFrame, target: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.iloc[:TRAIN].to_csv(folder / "train.csv", index=False)
    table.iloc[TRAIN:].drop(columns=target).to_csv(folder / "test.csv", index=False)


def pictures(folder: Path) -> None:
    digits = load_digits()
    chosen = np.flatnonzero(digits.target < 3)[:ROWS]
    (folder / "images").mkdir(parents=True)
    names = [f"{number:03d}.png" for number in range(ROWS)]
    for name, row in zip(names, chosen, strict=True):
        values = (digits.images[row] * 15.9).astype(np.uint8)
        Image.fromarray(values).save(folder / "images" / name)
    write(folder, pd.DataFrame({"file": names, "digit": digits.target[chosen]}), "digit")


def several_tables(folder: Path) -> None:
    """What a customer spends follows from two side tables alone."""
    chance = np.random.default_rng(5)
    shops = pd.DataFrame({"shop": [f"s{n}" for n in range(20)], "size": range(20)})
    table = pd.DataFrame({"customer": range(ROWS), "shop": chance.choice(shops["shop"], ROWS)})
    bought = pd.DataFrame({"customer": chance.integers(0, ROWS, 1500), "sum": 1.0})
    bought["sum"] = chance.gamma(2, 5, len(bought)).round(2)
    size = table["shop"].map(shops.set_index("shop")["size"])
    table["spent"] = 5 * size + table["customer"].map(bought.groupby("customer")["sum"].sum())
    write(folder, table.fillna({"spent": 0.0}), "spent")
    shops.to_csv(folder / "shops.csv", index=False)
    bought.to_csv(folder / "bought.csv", index=False)


METRICS = {
    "regression": "rmse", "logs": "rmsle", "medians": "mae", "binary": "auc", "labels": "f1",
    "multiclass": "log_loss", "text": "log_loss", "images": "accuracy", "tables": "rmse",
}  # fmt: skip


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Task]:
    """A function that gives the task of a name in ``METRICS``."""
    folder = tmp_path_factory.mktemp("tasks")
    known: dict[str, Task] = {}

    def task(name: str) -> Task:
        if name not in known:
            kind = name if name in ("binary", "multiclass") else "regression"
            if name == "images":
                pictures(folder / name)
            elif name == "tables":
                several_tables(folder / name)
            elif name == "text":
                write(folder / name, sentences(), "author")
            else:
                table = homes("binary" if name == "labels" else kind)
                write(folder / name, table, "price")
            known[name] = from_folder(folder / name, Overrides(metric=METRICS[name]))
        return known[name]

    return task


@pytest.fixture
def brief(tasks: Callable[[str], Task]) -> Callable[..., Brief]:
    """A function that gives the brief of a task, with suggestions if any."""

    def brief_of(name: str, *suggestions: str, branch: int = 0) -> Brief:
        return Brief(tasks(name), 4.0, 1, branch, suggestions=suggestions)

    return brief_of


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """A function that executes the blocks on one fold and grades what they predict."""

    def play_solution(brief: Brief, solution: Solution) -> float:
        task = brief.task
        validation = freeze(task, Settings(folds=3))
        staging = Staging(task, validation, tmp_path / "staged")
        folder = tmp_path / "work"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, path in staging.inputs(1).items():
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, folder / name)
        monkeypatch.chdir(folder)
        names: dict[str, object] = {**staging.parameters, "seed": 0}
        # Threads that wait for one another take longest where tests run side by side.
        for variable in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
            monkeypatch.setenv(variable, "1")
        with threadpool_limits(1):
            for block in solution.blocks:
                exec(compile(block.source, f"<{block.name}>", "exec"), names)
        return grade(task, validation.held_rows(1), folder / "predictions.csv").value

    return play_solution
