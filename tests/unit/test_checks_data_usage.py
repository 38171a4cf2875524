"""Files and columns that a solution never mentions are named; nothing that it may use is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mlestar_jupyter.checks.data_usage import find_unused
from mlestar_jupyter.interfaces import DataUsageEvidence
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Source, Task

LOAD = """
import os, glob
import numpy as np, pandas as pd, lightgbm as lgb
from pathlib import Path
train, test = pd.read_csv(train_path), pd.read_csv(test_path)
y = train["price"]
"""
ALL = "\nmodel = lgb.LGBMRegressor().fit(train.drop(columns=['id', 'price']), y)"
TASK = Task(
    name="houses",
    description="",
    kind="regression",
    metric=METRICS["rmse"],
    source=Source(
        Path("houses"), Path("houses/train.csv"), Path("houses/test.csv"), None,
        ("stores.csv", "items.csv", "images/a.png", "images/b.png", "notes/readings.parquet"),
    ),
    target="price",
    id_column="id",
    features=("id", "city", "rooms", "area", "sold on"),
    sample_columns=("id", "price"),
)  # fmt: skip


def find(code: str, task: Task = TASK) -> DataUsageEvidence:
    return find_unused(Solution((Block("load", LOAD), Block("work", code))), task)


@pytest.mark.parametrize(
    ("code", "used"),
    [
        pytest.param('pd.read_csv(Path(data_dir) / "stores.csv")', {"stores.csv"}, id="path"),
        pytest.param('pd.read_csv(os.path.join(data_dir, "items.csv"))', {"items.csv"}, id="join"),
        pytest.param('pd.read_csv(f"{data_dir}/stores.csv")', {"stores.csv"}, id="formatted"),
        pytest.param('pd.read_csv(data_dir + "/stores.csv")', {"stores.csv"}, id="added"),
        pytest.param(
            'for n in names:\n    pd.read_csv(f"{data_dir}/{n}.csv")',
            {"stores.csv", "items.csv"},
            id="formatted pattern",
        ),
        pytest.param(
            'tables = [pd.read_csv(p) for p in glob.glob(data_dir + "/*.csv")]',
            {"stores.csv", "items.csv"},
            id="globbed",
        ),
        pytest.param('Path(data_dir) / "images" / name', {"images/"}, id="folder"),
        pytest.param('Path(data_dir).glob("images/*.png")', {"images/"}, id="pattern in a folder"),
        pytest.param('Path(data_dir).rglob("*.png")', {"images/"}, id="pattern of images"),
        pytest.param("Path(data_dir) / row.file", {"images/"}, id="folder named by a column"),
        pytest.param(
            'Path(data_dir, "notes").iterdir()', {"notes/readings.parquet"}, id="folder of tables"
        ),
        pytest.param(
            "os.listdir(data_dir)",
            {"stores.csv", "items.csv", "images/", "notes/readings.parquet"},
            id="all listed",
        ),
        pytest.param("", set(), id="nothing"),
        pytest.param('x = "restores.csv"', set(), id="another file whose name ends alike"),
        pytest.param("# stores.csv", set(), id="a comment"),
    ],
)
def test_a_file_counts_as_used_when_its_name_folder_or_pattern_is_mentioned(code, used):
    evidence = find(code + ALL)
    assert set(evidence.used_files) == used
    every = {"stores.csv", "items.csv", "images/", "notes/readings.parquet"}
    assert set(evidence.unused_files) == every - used


def test_many_images_are_one_entry():
    assert [file for file in find(ALL).unused_files if "images" in file] == ["images/"]


@pytest.mark.parametrize(
    ("code", "unused"),
    [
        pytest.param(
            'X = train[["city", "rooms"]]\nlgb.LGBMRegressor().fit(X, y)',
            ("area", "sold on"),
            id="a list",
        ),
        pytest.param(
            'numeric = ["rooms"]\nfeatures = numeric + ["area"]\n'
            "lgb.LGBMRegressor().fit(train[features], y)",
            ("city", "sold on"),
            id="lists added",
        ),
        pytest.param(
            'features = ["rooms"]\nX = train.loc[:, features].fillna(0).to_numpy()\n'
            "lgb.LGBMRegressor().fit(X, y)",
            ("city", "area", "sold on"),
            id="loc and an array",
        ),
        pytest.param(
            'for f in (train, test):\n    f["big"] = f["rooms"] > 5\n'
            'lgb.LGBMRegressor().fit(train[["big", "area"]], y)',
            ("city", "sold on"),
            id="made from a column",
        ),
        pytest.param(
            "from sklearn.compose import ColumnTransformer\n"
            "from sklearn.pipeline import make_pipeline\n"
            'cats = ["city"]\n'
            'c = ColumnTransformer([("c", enc, cats), ("n", "passthrough", ["rooms"])])\n'
            "make_pipeline(c, lgb.LGBMRegressor()).fit(train.drop(columns='price'), y)",
            ("area", "sold on"),
            id="a column transformer that drops the others",
        ),
        pytest.param(
            "from sklearn.compose import ColumnTransformer\n"
            'c = ColumnTransformer([("n", "passthrough", ["rooms", "city"])], remainder="drop")\n'
            "lgb.LGBMRegressor().fit(c.fit_transform(train), y)",
            ("area", "sold on"),
            id="what such a column transformer gives",
        ),
        pytest.param(
            'X = np.column_stack([train["rooms"], train.area])\nlgb.LGBMRegressor().fit(X, y)',
            ("city", "sold on"),
            id="columns stacked",
        ),
        pytest.param(
            'X = train[[c for c in ["rooms", "area"] if c != "area"]]\n'
            "lgb.LGBMRegressor().fit(X, y)",
            ("city", "sold on"),
            id="a comprehension over a list",
        ),
        pytest.param(
            'stores = pd.read_csv(Path(data_dir) / "stores.csv")\n'
            'X = train[["city"]].merge(stores, on="city")\nlgb.LGBMRegressor().fit(X, y)',
            ("rooms", "area", "sold on"),
            id="a list and a side table",
        ),
        pytest.param(
            "def features(f):\n    out = pd.DataFrame()\n"
            '    out["r"] = f["rooms"]\n    return out\n'
            "lgb.LGBMRegressor().fit(features(train), y)",
            ("city", "area", "sold on"),
            id="a new frame filled in a function",
        ),
    ],
)
def test_columns_that_literal_lists_leave_out_are_unused(code, unused):
    assert find(code).unused_columns == unused


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(ALL, id="all but the target"),
        pytest.param("y = train.pop('price')\nlgb.LGBMRegressor().fit(train, y)", id="popped"),
        pytest.param(
            "lgb.LGBMRegressor().fit(train.select_dtypes('number'), y)", id="selected by type"
        ),
        pytest.param(
            "f = [c for c in train.columns if c not in ('id', 'price')]\n"
            "lgb.LGBMRegressor().fit(train[f], y)",
            id="all columns but some",
        ),
        pytest.param("lgb.LGBMRegressor().fit(train[test.columns], y)", id="columns of test"),
        pytest.param("lgb.LGBMRegressor().fit(prepare(train), y)", id="a function not known"),
        pytest.param("lgb.LGBMRegressor().fit(train[chosen()], y)", id="a list not known"),
        pytest.param(
            "f = ['rooms'] + [c for c in train if c.startswith('a')]\n"
            "lgb.LGBMRegressor().fit(train[f], y)",
            id="a list and columns by prefix",
        ),
        pytest.param(
            "data = lgb.Dataset(train.drop(columns=['price']), y)\nlgb.train({}, data)",
            id="a dataset",
        ),
        pytest.param(
            "from sklearn.compose import ColumnTransformer\n"
            "from sklearn.pipeline import make_pipeline\n"
            'c = ColumnTransformer([("c", enc, ["city"])], remainder="passthrough")\n'
            "make_pipeline(c, lgb.LGBMRegressor()).fit(train.drop(columns='price'), y)",
            id="a column transformer that keeps the others",
        ),
        pytest.param(
            "from sklearn.compose import ColumnTransformer, make_column_selector as sel\n"
            'c = ColumnTransformer([("n", "passthrough", sel(dtype_include="number"))])\n'
            "c.fit_transform(train.drop(columns='price'))\n"
            'lgb.LGBMRegressor().fit(train[["rooms"]], y)',
            id="a column transformer that selects by type",
        ),
        pytest.param("x = 1", id="nothing is fitted"),
        pytest.param(
            "from sklearn.preprocessing import StandardScaler\n"
            'StandardScaler().fit(train[["rooms"]])\nloss(net(train.values)).backward()',
            id="a training loop of its own",
        ),
        pytest.param(
            "train['total'] = train.select_dtypes('number').sum(axis=1)\n"
            "lgb.LGBMRegressor().fit(train[['total']], y)",
            id="a column made of all of them",
        ),
        pytest.param(
            'used = train[["rooms", "area"]]\nlgb.LGBMRegressor().fit(used, y)\n'
            "train = train.drop(columns=['city', 'sold on'])",
            id="the others dropped by name",
        ),
        pytest.param(
            'train["new"] = train.eval("rooms * area")\n'
            'train["m"] = pd.to_datetime(train["sold on"])\n'
            'lgb.LGBMRegressor().fit(train[["new", "m", "city"]], y)',
            id="named in an expression",
        ),
        pytest.param("def broken(:\n  city rooms area 'sold on'", id="a block that is not python"),
    ],
)
def test_no_column_is_unused_when_the_table_is_taken_as_a_whole_or_all_are_named(code):
    assert find(code).unused_columns == ()


def test_columns_named_by_a_pattern_are_mentioned():
    task = dataclasses.replace(TASK, features=("f_0", "f_1", "g", "h"))
    code = """plot(train[[f"f_{n}" for n in range(2)]])
lgb.LGBMRegressor().fit(train[["g"]], y)"""
    assert find(code, task).unused_columns == ("h",)


def test_the_id_is_no_feature():
    assert "id" not in find('lgb.LGBMRegressor().fit(train[["rooms"]], y)').unused_columns
