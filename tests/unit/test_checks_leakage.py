"""Leaks are named with their block and line, and nothing else is.

In the samples a comment ``#! rule`` stands on each line that must be found, ``#? rule`` where
the finding must not be certain; no other line may be found.
"""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

import pytest

from mlestar_jupyter.candidate import Finding
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Source, Task

LOAD = """
import numpy as np
import pandas as pd
import lightgbm as lgb
from pathlib import Path
train = pd.read_csv(train_path)
test = pd.read_csv(test_path)
sample = pd.read_csv(sample_path)
"""


def make_task(**changes: object) -> Task:
    given: dict[str, object] = {
        "name": "houses",
        "description": "",
        "kind": "regression",
        "metric": METRICS["rmse"],
        "source": Source(
            Path("houses"), Path("houses/train.csv"), Path("houses/test.csv"), None,
            ("stores.csv", "images/a.png", "images/b.png", "more/weather.parquet"),
        ),
        "target": "price",
        "id_column": "id",
        "features": ("id", "city", "rooms", "area", "sold"),
        "train_only": ("views",),
        "sample_columns": ("id", "price"),
    }  # fmt: skip
    return Task(**{**given, **changes})


def find(code: str, task: Task | None = None) -> list[Finding]:
    solution = Solution((Block("load", LOAD), Block("work", code)))
    return find_leaks(solution, task or make_task())


def expected(code: str) -> list[tuple[str, int, bool]]:
    marks = []
    for number, line in enumerate(code.split("\n"), start=1):
        for mark, rule in re.findall(r"#([!?]) (\w+)", line):
            marks.append((rule, number, mark == "!"))
    return sorted(marks)


def samples(text: str) -> list[object]:
    """Samples are told apart by lines ``### id``."""
    pieces = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)[1:]
    return [
        pytest.param(code, id=name) for name, code in zip(pieces[::2], pieces[1::2], strict=True)
    ]


FIT_ON_TEST = samples("""
### scaler_on_test
from sklearn.preprocessing import StandardScaler
X_test = StandardScaler().fit_transform(test[["rooms", "area"]])  #! fit_on_test
### scaler_on_concat
from sklearn.preprocessing import StandardScaler
both = pd.concat([train.drop(columns="price"), test])
scaler = StandardScaler()
scaler.fit(both[["rooms", "area"]])  #! fit_on_test
### text_vectorizer_on_both
from sklearn.feature_extraction.text import TfidfVectorizer
texts = list(train["city"]) + list(test["city"])
vectorizer = TfidfVectorizer().fit(texts)  #! fit_on_test
### label_encoder_in_a_loop
from sklearn.preprocessing import LabelEncoder
for column in ["city", "sold"]:
    encoder = LabelEncoder()
    encoder.fit(pd.concat([train[column], test[column]]).astype(str))  #! fit_on_test
    train[column] = encoder.transform(train[column].astype(str))
### fit_inside_a_function
from sklearn.impute import SimpleImputer
def prepare(frame):
    frame = frame.copy()
    imputer = SimpleImputer()
    frame[["rooms"]] = imputer.fit_transform(frame[["rooms"]])  #! fit_on_test
    return frame
train = prepare(train)
test = prepare(test)
### frames_in_a_loop
from sklearn.preprocessing import MinMaxScaler
for frame in [train, test]:
    frame["area"] = MinMaxScaler().fit_transform(frame[["area"]])  #! fit_on_test
### pca_on_stacked_arrays
from sklearn.decomposition import PCA
X, X_test = train[["rooms", "area"]].values, test[["rooms", "area"]].to_numpy()
pca = PCA(2).fit(np.vstack([X, X_test]))  #! fit_on_test
### pseudo_labels
features = ["rooms", "area"]
model = lgb.LGBMRegressor().fit(train[features], train["price"])
test["price"] = model.predict(test[features])
more = pd.concat([train, test])
model.fit(more[features], more["price"])  #! fit_on_test
### own_reader
def read_table(path):
    return pd.read_parquet(path) if str(path).endswith(".parquet") else pd.read_csv(path)
rows = read_table(test_path)
from sklearn.cluster import KMeans
KMeans(5).fit(rows[["rooms"]])  #! fit_on_test
### reader_lambda_in_a_dict
readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
load = lambda path: readers[Path(path).suffix](path)
rows = load(test_path)
from sklearn.ensemble import IsolationForest
IsolationForest().fit_predict(rows[["rooms"]])  #! fit_on_test
### chained_methods
from sklearn.preprocessing import QuantileTransformer
QuantileTransformer().fit(test.copy().drop(columns=["id"]).fillna(0).iloc[:, 1:])  #! fit_on_test
### keyword_argument
from sklearn.preprocessing import StandardScaler
StandardScaler().fit(X=test[["rooms"]])  #! fit_on_test
### frames_in_a_dict
from sklearn.preprocessing import StandardScaler
frames = {"train": train, "test": test}
StandardScaler().fit(frames["test"][["rooms"]])  #! fit_on_test
### batches
from sklearn.decomposition import IncrementalPCA
pca = IncrementalPCA(2)
for batch in np.array_split(test[["rooms", "area"]].values, 3):
    pca.partial_fit(batch)  #! fit_on_test
### alias
rows = test
from sklearn.preprocessing import StandardScaler as Scaler
Scaler().fit_transform(rows[["area"]])  #! fit_on_test
### append_to_a_list
from sklearn.preprocessing import StandardScaler
parts = []
parts.append(train)
parts.append(test)
everything = pd.concat(parts, ignore_index=True)
StandardScaler().fit(everything[["rooms"]])  #! fit_on_test
### only_on_one_path
from sklearn.preprocessing import StandardScaler
rows = train[["rooms"]]
if len(train) < 1000:
    rows = pd.concat([rows, test[["rooms"]]])
StandardScaler().fit(rows)  #? fit_on_test
### boosters_own_train
rows = pd.concat([train, test])
data = lgb.Dataset(rows[["rooms"]], label=rows["price"])
booster = lgb.train({}, data)  #! fit_on_test
### images_of_test
from PIL import Image
from sklearn.decomposition import PCA
def pixels(name):
    return np.asarray(Image.open(Path(data_dir) / "images" / name)).ravel()
X_test = np.stack([pixels(name) for name in test["sold"]])
PCA(3).fit(X_test)  #! fit_on_test
### method_of_a_lambda
from sklearn.preprocessing import StandardScaler
scale = lambda frame: StandardScaler().fit_transform(frame)  #! fit_on_test
X, X_test = map(scale, [train[["rooms"]], test[["rooms"]]])
### pseudo_labels_in_rounds
data = train
for _ in range(3):
    model = lgb.LGBMRegressor()
    model.fit(data[["rooms"]], data["price"])  #! fit_on_test
    sure = test[test["rooms"] > 2]
    data = pd.concat([train, sure])
### predictions_scaled
from sklearn.preprocessing import MinMaxScaler
model = lgb.LGBMRegressor().fit(train[["rooms"]], train["price"])
predictions = model.predict(test[["rooms"]]).reshape(-1, 1)
scaled = MinMaxScaler().fit_transform(predictions)  #? fit_on_test
### perhaps_in_a_function
from sklearn.preprocessing import StandardScaler
def scale(frame):
    if frame["rooms"].max() > 100:
        return StandardScaler().fit_transform(frame[["rooms"]])  #? fit_on_test
    return frame[["rooms"]]
X, X_test = scale(train), scale(test)
### unknown_rows_and_test
from sklearn.preprocessing import StandardScaler
earlier = pd.read_csv(Path(data_dir) / "stores.csv")
rows = pd.concat([earlier, test])
StandardScaler().fit(rows[["rooms"]])  #! fit_on_test
### aligned
from sklearn.preprocessing import StandardScaler
X, X_test = pd.get_dummies(train[["city"]]), pd.get_dummies(test[["city"]])
X, X_test = X.align(X_test, join="left", axis=1)
StandardScaler().fit(X)
StandardScaler().fit(X_test)  #! fit_on_test
### adversarial_validation
both = pd.concat([train.assign(of_test=0), test.assign(of_test=1)])
lgb.LGBMClassifier().fit(both[["rooms"]], both["of_test"])  #! fit_on_test
### optuna_objective
import optuna
both = pd.concat([train, test])
def objective(trial):
    model = lgb.LGBMRegressor(max_depth=trial.suggest_int("depth", 2, 8))
    model.fit(both[["rooms"]], both["price"])  #! fit_on_test
    return 0.0
optuna.create_study().optimize(objective, n_trials=3)
### after_a_partial_slice
from sklearn.decomposition import PCA
both = np.concatenate([train[["rooms", "area"]].values, test[["rooms", "area"]].values])
n = len(train)
X, X_test = both[:n], both[n:]
PCA(1).fit(np.concatenate([X, test[["rooms", "area"]].values]))  #! fit_on_test
""")

TEST_STATISTICS = samples("""
### mean_of_both
full = pd.concat([train, test])
train["rooms"] = train["rooms"].fillna(full["rooms"].mean())  #? test_statistics
### frequency_of_both
counts = pd.concat([train["city"], test["city"]]).value_counts()  #? test_statistics
train["city_count"] = train["city"].map(counts)
### numpy_median_of_both
full = pd.concat([train.drop(columns="price"), test])
middle = np.nanmedian(full["area"])  #? test_statistics
### group_size_of_both
full = pd.concat([train, test])
full["n"] = full.groupby("city")["rooms"].transform("count")  #? test_statistics
### standardised_by_hand
full = pd.concat([train[["area"]], test[["area"]]])
full = (full - full.mean()) / full.std()  #? test_statistics
### filled_in_place
full = pd.concat([train, test])
full["area"].fillna(full["area"].median(), inplace=True)  #? test_statistics
""")

TARGET_STATISTICS = samples("""
### mapped_mean
means = train.groupby("city")["price"].mean()
train["city_mean"] = train["city"].map(means)  #! target_statistics
test["city_mean"] = test["city"].map(means)
### mapped_inline
train["te"] = train["city"].map(train.groupby("city")["price"].mean())  #! target_statistics
### grouped_answers
y = train["price"]
train["te"] = train["city"].map(y.groupby(train["city"]).mean())  #! target_statistics
### transform_mean
train["te"] = train.groupby("city")["price"].transform("mean")  #! target_statistics
### merged
stats = train.groupby("city")["price"].agg(["mean", "std"]).reset_index()
train = train.merge(stats, on="city", how="left")  #! target_statistics
test = test.merge(stats, on="city", how="left")
### merged_by_function
stats = train.groupby("city", as_index=False).agg(te=("price", "median"))
train = pd.merge(train, stats, on="city")  #! target_statistics
### smoothed
target = "price"
prior = train[target].mean()
stats = train.groupby("city")[target].agg(["mean", "count"])
smooth = (stats["mean"] * stats["count"] + prior * 10) / (stats["count"] + 10)
for frame in (train, test):
    frame["te"] = frame["city"].map(smooth).fillna(prior)  #! target_statistics
### in_a_function
def encode(source, frame, column):
    means = source.groupby(column)["price"].mean().to_dict()
    frame[column + "_te"] = frame[column].map(means)  #! target_statistics
    return frame
train = encode(train, train, "city")
test = encode(train, test, "city")
### by_lookup
means = train.groupby("city")["price"].mean().to_dict()
train["te"] = [means.get(city, 0) for city in train["city"]]  #! target_statistics
### in_a_loop_over_columns
for column in ["city", "rooms"]:
    means = train.groupby(column)["price"].mean()
    train[f"{column}_te"] = train[column].map(means)  #! target_statistics
    test[f"{column}_te"] = test[column].map(means)
### log_target
train["log_price"] = np.log1p(train["price"])
y = train.pop("log_price")
train["te"] = y.groupby(train["city"]).transform("mean")  #! target_statistics
### into_the_array_that_is_fitted
means = train.groupby("city")["price"].mean()
encoded = train["city"].map(means).values
X = np.column_stack([train[["rooms", "area"]].values, encoded])
model = lgb.LGBMRegressor().fit(X, train["price"])  #! target_statistics
### rows_of_one_part
from sklearn.model_selection import train_test_split
fit_rows, held = train_test_split(train, test_size=0.2, random_state=seed)
means = fit_rows.groupby("city")["price"].mean()
fit_rows["te"] = fit_rows["city"].map(means)  #! target_statistics
held["te"] = held["city"].map(means)
### leave_one_out
groups = train.groupby("city")["price"]
rest = groups.transform("sum") - train["price"]
train["te"] = rest / (groups.transform("count") - 1)  #? target_statistics
### over_train_and_test
full = pd.concat([train, test])
full["te"] = full["city"].map(train.groupby("city")["price"].mean())  #! target_statistics
### category_encoders
from category_encoders import TargetEncoder
X, y = train[["city", "rooms"]], train["price"]
X = TargetEncoder(cols=["city"]).fit_transform(X, y)  #? target_statistics
### category_encoders_in_two_steps
import category_encoders as ce
encoder = ce.TargetEncoder(cols=["city"])
encoder.fit(train[["city"]], train["price"])
X = encoder.transform(train[["city"]])  #? target_statistics
### sklearn_fit_then_transform
from sklearn.preprocessing import TargetEncoder
encoder = TargetEncoder()
encoder.fit(train[["city"]], train["price"])
train["te"] = encoder.transform(train[["city"]])  #! target_statistics
test["te"] = encoder.transform(test[["city"]])
### sklearn_chained
from sklearn.preprocessing import TargetEncoder
X, y = train[["city"]], train["price"]
X = TargetEncoder().fit(X, y).transform(X)  #! target_statistics
### assigned
means = train.groupby("city")["price"].mean()
train = train.assign(te=train["city"].map(means))  #! target_statistics
### filled_group_by_group
for city, rows in train.groupby("city"):
    train.loc[rows.index, "te"] = rows["price"].mean()  #! target_statistics
### mean_of_the_whole_frame
means = train.groupby("city").mean(numeric_only=True)[["price", "rooms"]].add_suffix("_mean")
train = train.merge(means, left_on="city", right_index=True)  #! target_statistics
### one_of_its_columns
means = train.groupby("city").mean(numeric_only=True)
train["te"] = train["city"].map(means["price"])  #! target_statistics
### rebuilt_as_a_frame
means = train.groupby("city")["price"].mean()
table = pd.DataFrame({"city": means.index, "te": list(means)})
train = train.merge(table, on="city")  #! target_statistics
### aggregated_with_others
stats = train.groupby("city").agg({"price": ["mean", "std"], "rooms": "mean"})
stats.columns = ["_".join(name) for name in stats.columns]
train = train.join(stats, on="city")  #! target_statistics
### by_apply
means = train.groupby("city")["price"].median()
mean_of = lambda city: means[city] if city in means else 0
train["te"] = train["city"].apply(mean_of)  #? target_statistics
### over_rows
means = train.groupby("city")["price"].mean().to_dict()
train["te"] = train.apply(lambda row: means.get(row["city"], 0), axis=1)  #! target_statistics
### rows_left_after_the_statistics
means = train.groupby("city")["price"].mean()
train = train[train["rooms"] > 0].dropna()
train["te"] = train["city"].map(means)  #! target_statistics
### pivot
means = train.pivot_table(values="price", index="city")
train = train.join(means, on="city", rsuffix="_mean")  #! target_statistics
""")

UNSTAGED_FILE = samples("""
### absolute_path
extra = pd.read_csv("/data/houses/full.csv")  #! unstaged_file
### parent_folder
extra = pd.read_csv("../train_full.csv")  #! unstaged_file
### parent_of_a_parameter
answers = pd.read_csv(Path(train_path).parent.parent / "answers.csv")  #! unstaged_file
### parents_of_a_parameter
answers = pd.read_csv(Path(test_path).resolve().parents[2] / "answers.csv")  #! unstaged_file
### out_of_the_data_folder
extra = pd.read_csv(f"{data_dir}/../../houses.csv")  #! unstaged_file
### beside_train
answers = pd.read_csv(Path(train_path).with_name("answers.csv"))  #! unstaged_file
### above_a_folder_of_data
extra = pd.read_csv(Path(data_dir, "images").parent / "shops.csv")  #! unstaged_file
### home
import os
extra = pd.read_csv(os.path.expanduser("~/houses.csv"))  #! unstaged_file
### url
extra = pd.read_csv("https://example.org/houses.csv")  #! unstaged_file
### bucket
extra = pd.read_parquet("s3://bucket/houses.parquet")  #! unstaged_file
### requests
import requests
page = requests.get("http://example.org/prices").text  #! unstaged_file
### open_outside
with open("/work/answers/houses.csv") as file:  #! unstaged_file
    lines = file.readlines()
### glob_outside
import glob
paths = glob.glob("/kaggle/input/**/*.csv")  #! unstaged_file
### formatted_absolute
name = input()
extra = pd.read_csv(f"/kaggle/input/{name}.csv")  #! unstaged_file
### no_such_side_file
extra = pd.read_csv(Path(data_dir) / "shops.csv")  #! unstaged_file
### no_such_side_file_joined
import os
extra = pd.read_csv(os.path.join(data_dir, "more", "shops.csv"))  #! unstaged_file
### read_text_of_answers
text = Path("answers.csv").read_text()  #! unstaged_file
### numpy_load
labels = np.load("/tmp/labels.npy")  #! unstaged_file
### download
from sklearn.datasets import fetch_california_housing
data = fetch_california_housing(as_frame=True)  #! unstaged_file
### in_a_method_that_nothing_calls
class Loader:
    def rows(self):
        return pd.read_csv("../full.csv")  #! unstaged_file
### literal_train
rows = pd.read_csv("train.csv")  #? unstaged_file
### literal_data_dir
stores = pd.read_csv("data/stores.csv")  #? unstaged_file
### model_never_written
import joblib
model = joblib.load(model_path)  #? unstaged_file
### relative_never_written
from joblib import load
model = load("best.joblib")  #? unstaged_file
### listing_above
import os
names = os.listdir("..")  #! unstaged_file
""")

TARGET_IN_FEATURES = samples("""
### only_the_id_dropped
X = train.drop(columns=["id"])
y = train["price"]
model = lgb.LGBMRegressor().fit(X, y)  #! target_in_features
### whole_copy
from sklearn.ensemble import RandomForestRegressor
X, y = train.copy(), train["price"].values
RandomForestRegressor().fit(X, y)  #! target_in_features
### train_only_column
X = train.drop(columns=["id", "price"])
model = lgb.LGBMRegressor()
model.fit(X, np.log1p(train["price"]))  #! target_in_features
### listed
columns = ["rooms", "area", "price"]
model = lgb.LGBMRegressor().fit(train[columns], train["price"])  #! target_in_features
### filtered_names
columns = [c for c in train.columns if c != "id"]
model = lgb.LGBMRegressor().fit(train[columns], train["price"])  #! target_in_features
### transformed_target_left
train["log_price"] = np.log1p(train["price"])
X = train.drop(columns=["id", "price", "views"])
model = lgb.LGBMRegressor().fit(X, train["log_price"])  #! target_in_features
### in_a_pipeline
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
model = make_pipeline(StandardScaler(), Ridge())
model.fit(train, train["price"])  #! target_in_features
### cross_validated
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
scores = cross_val_score(Ridge(), train.drop(columns="id"), train["price"])  #! target_in_features
### arrays
X = train.to_numpy()
model = lgb.LGBMRegressor().fit(X, train["price"].to_numpy())  #! target_in_features
### folds
from sklearn.model_selection import KFold
X, y = train.drop(columns=["id"]), train["price"]
for fit_rows, held in KFold(5).split(X):
    model = lgb.LGBMRegressor()
    model.fit(X.iloc[fit_rows], y.iloc[fit_rows])  #! target_in_features
### booster_dataset
data = lgb.Dataset(train.drop(columns="id"), label=train["price"])  #! target_in_features
booster = lgb.train({}, data)
""")

BAD = [*FIT_ON_TEST, *TEST_STATISTICS, *TARGET_STATISTICS, *UNSTAGED_FILE, *TARGET_IN_FEATURES]


@pytest.mark.parametrize("code", BAD)
def test_a_leak_is_found_on_its_line_and_nothing_else(code: str) -> None:
    found = find(code)
    assert [(f.rule, f.line, f.certain) for f in found] == expected(code)
    assert {f.block for f in found} == {"work"}


def test_there_are_enough_samples_and_every_one_says_what_it_expects() -> None:
    assert len(BAD) >= 25
    assert all(expected(sample.values[0]) for sample in BAD)


def test_every_message_is_one_line_that_names_a_mend() -> None:
    for sample in BAD:
        for finding in find(sample.values[0]):
            assert "\n" not in finding.message
            assert "; " in finding.message
            assert "\0" not in finding.message
            assert len(finding.message) < 300


def test_data_is_followed_across_blocks_and_the_finding_names_the_block_of_the_line() -> None:
    solution = Solution(
        (
            Block("load", "import pandas as pd\nrows = pd.read_csv(test_path)"),
            Block("features", "def scale(frame):\n\n    return scaler.fit_transform(frame)"),
            Block("model", "X = scale(rows)"),
        )
    )
    found = find_leaks(solution, make_task())
    assert [(f.rule, f.block, f.line) for f in found] == [("fit_on_test", "features", 3)]


def test_findings_come_in_the_order_of_blocks_and_lines() -> None:
    solution = Solution(
        (
            Block("z", "import pandas as pd\nt = pd.read_csv(test_path)\na.fit(t)\nb.fit(t)"),
            Block("a", "c.fit(t)"),
        )
    )
    found = find_leaks(solution, make_task())
    assert [(f.block, f.line) for f in found] == [("z", 3), ("z", 4), ("a", 1)]


def test_a_block_that_is_not_python_gives_no_finding_and_does_not_hide_the_others() -> None:
    solution = Solution((Block("load", LOAD), Block("odd", "def :"), Block("m", "a.fit(test)")))
    assert [(f.block, f.rule) for f in find_leaks(solution, make_task())] == [("m", "fit_on_test")]


def test_a_timed_cell_is_checked_and_a_shell_cell_is_not() -> None:
    assert [f.line for f in find("%%time\nmodel.fit(test)")] == [2]
    assert find("%%bash\ncat /etc/passwd") == []


def test_a_self_scored_task_is_checked_for_files_only() -> None:
    task = make_task(kind="self-scored", target="", train_only=(), features=())
    code = 'm = train.groupby("city")["price"].mean()\ntrain["x"] = train["city"].map(m)'
    assert find(code, task) == []
    assert [f.rule for f in find('open("/etc/hosts")', task)] == ["unstaged_file"]


def test_the_name_of_the_given_train_file_counts_as_the_parameter() -> None:
    source = Source(Path("h"), Path("h/train.parquet"), Path("h/test.parquet"), None)
    code = 'rows = pd.read_parquet("test.parquet")\nmodel.fit(rows)'
    found = find(code, make_task(source=source))
    assert [(f.rule, f.certain) for f in found] == [("unstaged_file", False), ("fit_on_test", True)]
    assert "test_path" in found[0].message


def test_a_function_that_calls_itself_and_deep_nesting_come_to_an_end() -> None:
    assert find("def f(x):\n    return f(x)\nf(test)") == []
    many = "\n".join(f"def f{n}(x):\n    f{n + 1}(x)\n    return f{n + 1}(x)" for n in range(30))
    assert find(many + "\nf0(train)") == []
    assert find("x = " + "+".join(["1"] * 5000)) == []


def test_any_python_is_walked_without_an_error() -> None:
    folder = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(folder.glob("*.py"))[::4]:
        code = path.read_text(encoding="utf-8", errors="replace")
        assert all(f.rule == "unstaged_file" for f in find(code)), path.name
