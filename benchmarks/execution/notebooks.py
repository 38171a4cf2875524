"""A notebook with a prefix of some 15 s and a model of 6 s on two cores, its data and variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.execution.report import cores
from mlestar_jupyter.solution import Block, Solution

_LEVELS = (20, 60, 150, 400, 1000, 3000)  # of the columns that are categories
_NUMBERS = 23  # other columns; with the target there are 30

LOAD = """\
import numpy as np
import pandas as pd
train, test = pd.read_csv(train_path), pd.read_csv(test_path)
categories = [name for name in test if name.startswith("c")]
numbers = [name for name in test if name.startswith("x")]
y = train.pop("y")
"""
GROUPS = """\
def group(train, test, statistics=("mean", "std", "median", "min", "max")):
    parts = [train], [test]
    for category in categories:
        table = train.groupby(category)[numbers[:16]].agg(list(statistics)).astype("float32")
        table.columns = [f"{category}_{a}_{b}" for a, b in table.columns]
        for rows, part in zip((train, test), parts):
            found = table.reindex(rows[category])
            found.index = rows.index
            part.append(found)
    return [pd.concat(part, axis=1) for part in parts]

grouped, grouped_test = group(train, test)
print(grouped.shape)
"""
ENCODE = """\
from sklearn.model_selection import KFold

def encode(key, key_test, smooth=10):
    column, everywhere = np.zeros(len(key)), y.mean()
    for rest, part in KFold(5, shuffle=True, random_state=0).split(key):
        means = y.iloc[rest].groupby(key.iloc[rest]).agg(["sum", "count"])
        means = (means["sum"] + smooth * everywhere) / (means["count"] + smooth)
        column[part] = key.iloc[part].map(means).fillna(everywhere)
    return column, key_test.map(y.groupby(key).mean()).fillna(everywhere)

columns = []
for a in range(len(categories)):
    for b in range(a + 1):
        keys = (rows[categories[a]] * 10_000 + rows[categories[b]] for rows in (train, test))
        columns.append(encode(*keys))
encoded, encoded_test = (np.column_stack(side) for side in zip(*columns))
"""
CLUSTER = """\
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().fit(train[numbers])
pca = PCA(8, svd_solver="full").fit(scaler.transform(train[numbers]))
turned, turned_test = (pca.transform(scaler.transform(rows[numbers])) for rows in (train, test))
means = KMeans(32, n_init=8, max_iter=100, tol=0, random_state=0).fit(turned)
near, near_test = means.transform(turned), means.transform(turned_test)
"""
MODEL = """\
import lightgbm as lgb
X = np.column_stack([grouped[grouped.columns[:24]], encoded, turned, near]).astype("float32")
X_test = np.column_stack(
    [grouped_test[grouped.columns[:24]], encoded_test, turned_test, near_test]
).astype("float32")
model = lgb.LGBMRegressor(
    n_estimators=%(trees)d, num_leaves=%(leaves)d, learning_rate=%(rate)s, random_state=seed,
    n_jobs=%(threads)d, deterministic=True, force_row_wise=True, verbose=-1,
).fit(X, y)
"""
VALIDATE = """\
low, high = y.quantile([%(cut)s, 1 - %(cut)s])
predicted = np.clip(model.predict(X_test), low, high)
print("spread", float(predicted.std()))
pd.DataFrame({"y": predicted}).to_csv(predictions_path, index=False)
"""


def write_data(folder: Path, rows: int) -> dict[str, Path]:
    """``train.csv`` of so many rows and 30 columns, ``test.csv`` of a tenth of them."""
    paths = {"train.csv": folder / f"train-{rows}.csv", "test.csv": folder / f"test-{rows}.csv"}
    if all(path.exists() for path in paths.values()):
        return paths
    random = np.random.default_rng(7)
    for number, (name, path) in enumerate(paths.items()):
        count = rows if number == 0 else rows // 10
        table: dict[str, Any] = {
            f"c{n}": random.integers(0, levels, count) for n, levels in enumerate(_LEVELS)
        }
        table |= {f"x{n}": random.normal(size=count).round(4) for n in range(_NUMBERS)}
        if name == "train.csv":
            table["y"] = np.sin(table["x0"] * 2) + np.sin(table["c3"] * 1.7) * table["x1"]
            table["y"] += 0.3 * np.cos(table["c1"]) + random.normal(0, 0.5, count)
        pd.DataFrame(table).to_csv(path, index=False)
    return paths


def slow(*, rate: float = 0.1, leaves: int = 31, cut: float = 0.001) -> Solution:
    """The notebook: a prefix of ten seconds or more, a model of five or so, the last cell."""
    model = MODEL % {"trees": 50, "leaves": leaves, "rate": rate, "threads": cores()}
    sources = {
        "load": LOAD,
        "groups": GROUPS,
        "encode": ENCODE,
        "cluster": CLUSTER,
        "model": model,
        "validate": VALIDATE % {"cut": cut},
    }
    return Solution(tuple(Block(name, source) for name, source in sources.items()))


def ablations() -> list[Solution]:
    """Each block changed once, as a study would."""
    base = slow()
    changes = {
        "load": ('name.startswith("x")]', 'name.startswith("x")][:-3]'),
        "groups": ('("mean", "std", "median", "min", "max")', '("mean", "std", "median")'),
        "encode": ("smooth=10", "smooth=1"),
        "cluster": ("KMeans(32", "KMeans(16"),
        "model": ("num_leaves=31", "num_leaves=7"),
        "validate": ("np.clip(model.predict(X_test), low, high)", "model.predict(X_test)"),
    }
    variants = []
    for name, (old, new) in changes.items():
        source = base.source(name)
        assert old in source, name
        variants.append(base.replace(name, source.replace(old, new)))
    return variants


def boosted(number: int, threads: int, rows: int = 60_000, trees: int = 400) -> Solution:
    """LightGBM on made-up rows, some seconds on one core; another for each number."""
    source = f"""\
import numpy as np
import lightgbm as lgb
random = np.random.default_rng({number})
X = random.normal(size=({rows}, 30))
y = X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + random.normal(size={rows})
model = lgb.LGBMRegressor(
    n_estimators={trees}, n_jobs={threads}, deterministic=True, force_row_wise=True, verbose=-1
).fit(X, y)
np.savetxt(predictions_path, model.predict(X[:1000]))
"""
    return Solution((Block("model", source),))
