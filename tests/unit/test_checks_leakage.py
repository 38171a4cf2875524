"""Leaks are named with their line; reasonable code gives no finding at all.

In the bad samples a comment ``#! rule`` stands on each line that must be found, ``#? rule`` where
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
        pytest.param(code, id=name)
        for name, code in zip(pieces[::2], pieces[1::2], strict=True)
    ]


FIT_ON_TEST = samples('''
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
''')

TEST_STATISTICS = samples('''
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
''')

TARGET_STATISTICS = samples('''
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
train["te"] = (groups.transform("sum") - train["price"]) / (groups.transform("count") - 1)  #? target_statistics
### over_train_and_test
full = pd.concat([train, test])
full["te"] = full["city"].map(train.groupby("city")["price"].mean())  #! target_statistics
### category_encoders
from category_encoders import TargetEncoder
X = TargetEncoder(cols=["city"]).fit_transform(train[["city", "rooms"]], train["price"])  #? target_statistics
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
X = TargetEncoder().fit(train[["city"]], train["price"]).transform(train[["city"]])  #! target_statistics
### assigned
means = train.groupby("city")["price"].mean()
train = train.assign(te=train["city"].map(means))  #! target_statistics
### filled_group_by_group
for city, rows in train.groupby("city"):
    train.loc[rows.index, "te"] = rows["price"].mean()  #! target_statistics
### pivot
means = train.pivot_table(values="price", index="city")
train = train.join(means, on="city", rsuffix="_mean")  #! target_statistics
''')

UNSTAGED_FILE = samples('''
### absolute_path
extra = pd.read_csv("/data/houses/full.csv")  #! unstaged_file
### parent_folder
extra = pd.read_csv("../train_full.csv")  #! unstaged_file
### parent_of_a_parameter
answers = pd.read_csv(Path(train_path).parent.parent / "answers.csv")  #! unstaged_file
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
''')

TARGET_IN_FEATURES = samples('''
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
''')

GOOD = samples('''
### column_transformer_in_a_pipeline
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder
y = train["price"]
X = train.drop(columns=["id", "price", "views"])
X_test = test.drop(columns="id")
prepare = ColumnTransformer([
    ("num", SimpleImputer(), make_column_selector(dtype_include="number")),
    ("te", TargetEncoder(), ["city"]),
])
model = Pipeline([("prepare", prepare), ("model", HistGradientBoostingRegressor())])
model.fit(X, y)
sample["price"] = model.predict(X_test)
sample.to_csv(predictions_path, index=False)
### pipeline_given_the_whole_table
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
prepare = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), ("passthrough", ["rooms"]))
model = make_pipeline(prepare, Ridge()).fit(train, train["price"])
sample["price"] = model.predict(test)
### early_stopping
from sklearn.model_selection import train_test_split
features = ["rooms", "area"]
X_fit, X_stop, y_fit, y_stop = train_test_split(train[features], train["price"], random_state=seed)
model = lgb.LGBMRegressor(n_estimators=5000)
model.fit(X_fit, y_fit, eval_set=[(X_stop, y_stop)], callbacks=[lgb.early_stopping(50)])
predictions = model.predict(test[features])
### target_encoding_in_folds
from sklearn.model_selection import KFold
train["te"] = np.nan
prior = train["price"].mean()
for fit_rows, held in KFold(5, shuffle=True, random_state=seed).split(train):
    means = train.iloc[fit_rows].groupby("city")["price"].mean()
    train.loc[train.index[held], "te"] = train["city"].iloc[held].map(means)
train["te"] = train["te"].fillna(prior)
test["te"] = test["city"].map(train.groupby("city")["price"].mean()).fillna(prior)
### target_encoding_with_a_fold_column
train["fold"] = np.arange(len(train)) % 5
for k in range(5):
    fit_rows, held = train[train["fold"] != k], train[train["fold"] == k]
    means = fit_rows.groupby("city")["price"].mean()
    train.loc[held.index, "te"] = held["city"].map(means)
### target_encoding_of_a_held_part
from sklearn.model_selection import train_test_split
fit_rows, held = train_test_split(train, random_state=seed)
means = fit_rows.groupby("city")["price"].mean()
held["te"] = held["city"].map(means)
test["te"] = test["city"].map(means)
### target_encoding_in_a_function_of_folds
from sklearn.model_selection import StratifiedKFold
def encode(frame, other, column, target, folds=5):
    out = pd.Series(np.nan, index=frame.index)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for a, b in splitter.split(frame, frame["rooms"]):
        means = frame.iloc[a].groupby(column)[target].mean()
        out.iloc[b] = frame.iloc[b][column].map(means).values
    means = frame.groupby(column)[target].mean()
    return out.fillna(frame[target].mean()), other[column].map(means)
train["te"], test["te"] = encode(train, test, "city", "price")
### target_encoding_with_indices_by_hand
order = np.random.default_rng(0).permutation(len(train))
te = np.zeros(len(train))
for held in np.array_split(order, 5):
    rest = np.setdiff1d(order, held)
    means = train.iloc[rest].groupby("city")["price"].mean()
    te[held] = train["city"].iloc[held].map(means)
train["te"] = te
### sklearn_target_encoder_cross_fits
from sklearn.preprocessing import TargetEncoder
encoder = TargetEncoder(random_state=seed)
X = encoder.fit_transform(train[["city"]], train["price"])
X_test = encoder.transform(test[["city"]])
model = lgb.LGBMRegressor().fit(X, train["price"])
### category_encoders_inside_folds
from category_encoders import TargetEncoder
from sklearn.model_selection import KFold
X, y = train[["city", "rooms"]], train["price"]
oof = np.zeros(len(X))
for a, b in KFold(5).split(X, y):
    encoder = TargetEncoder(cols=["city"]).fit(X.iloc[a], y.iloc[a])
    oof[b] = encoder.transform(X.iloc[b])["city"]
### statistics_only_of_earlier_rows
train = train.sort_values("sold")
train["past"] = train.groupby("city")["price"].transform(lambda s: s.shift().expanding().mean())
train["last"] = train.groupby("city")["price"].shift(1)
### statistics_for_people
print(train.groupby("city")["price"].mean())
stats = train.groupby("city")["price"].agg(["mean", "std"])
display(stats)
train.groupby("city")["price"].mean().plot()
### counts_of_groups
train["n"] = train.groupby("city")["price"].transform("count")
train["m"] = train["city"].map(train.groupby("city").size())
train["k"] = train["city"].map(train["city"].value_counts())
test["k"] = test["city"].map(train["city"].value_counts()).fillna(0)
### group_statistics_of_features
means = train.groupby("city")["area"].mean()
train["area_of_city"] = train["city"].map(means)
test["area_of_city"] = test["city"].map(means)
stats = train.groupby("city")[["rooms", "area"]].agg(["mean", "std"])
stats.columns = ["_".join(c) for c in stats.columns]
train = train.merge(stats, on="city", how="left")
### gaps_of_the_target_filled
train["price"] = train["price"].fillna(train.groupby("city")["price"].transform("median"))
train["sample_weight"] = 1 / train["city"].map(train.groupby("city")["price"].std())
### same_function_for_both
def add_features(df):
    df = df.copy()
    df["ratio"] = df["area"] / df["rooms"].clip(lower=1)
    df["month"] = pd.to_datetime(df["sold"]).dt.month
    df["rooms"] = df["rooms"].fillna(df["rooms"].median())
    return df
train, test = add_features(train), add_features(test)
### imputed_with_train_medians
medians = train[["rooms", "area"]].median()
X = train[["rooms", "area"]].fillna(medians)
X_test = test[["rooms", "area"]].fillna(medians)
model = lgb.LGBMRegressor().fit(X, train["price"])
### predictions_of_test_in_a_frame
features = ["rooms", "area"]
model = lgb.LGBMRegressor().fit(train[features], train["price"])
test_predictions = pd.DataFrame({"id": test["id"]})
test_predictions["x"] = model.predict(test[features])
submission = sample[["id"]].merge(test_predictions, on="id")
submission.to_csv(predictions_path, index=False)
### stacking
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict
X, y, X_test = train[["rooms", "area"]], train["price"], test[["rooms", "area"]]
models = {"lgbm": lgb.LGBMRegressor(), "ridge": Ridge()}
oof, held = {}, {}
for name, model in models.items():
    oof[name] = cross_val_predict(model, X, y, cv=KFold(5, shuffle=True, random_state=seed))
    held[name] = model.fit(X, y).predict(X_test)
last = Ridge().fit(np.column_stack(list(oof.values())), y)
predictions = last.predict(np.column_stack(list(held.values())))
### stacking_in_tuples
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
X, y, X_test = train[["rooms"]].values, train["price"].values, test[["rooms"]].values
def cross_fit(model):
    oof, preds = np.zeros(len(X)), np.zeros(len(X_test))
    for a, b in KFold(5).split(X):
        fitted = clone(model).fit(X[a], y[a])
        oof[b] = fitted.predict(X[b])
        preds += fitted.predict(X_test) / 5
    return oof, preds
results = [cross_fit(model) for model in (lgb.LGBMRegressor(), Ridge())]
last = Ridge().fit(np.column_stack([r[0] for r in results]), y)
predictions = last.predict(np.column_stack([r[1] for r in results]))
### results_by_unknown_name
from sklearn.linear_model import Ridge
results = {}
for name in sorted(globals()):
    model = lgb.LGBMRegressor().fit(train[["rooms"]], train["price"])
    results[name] = {"oof": model.predict(train[["rooms"]]), "test": model.predict(test[["rooms"]])}
oof = np.column_stack([results[name]["oof"] for name in results])
last = Ridge().fit(oof, train["price"])
### dummies_of_both_then_split
full = pd.concat([train.drop(columns=["price", "views"]), test], ignore_index=True)
full = pd.get_dummies(full, columns=["city"])
X, X_test = full[: len(train)], full[len(train) :]
model = lgb.LGBMRegressor().fit(X.drop(columns="id"), train["price"])
predictions = model.predict(X_test.drop(columns="id"))
### marked_rows_of_both
train["is_train"], test["is_train"] = 1, 0
full = pd.concat([train, test])
full["month"] = pd.to_datetime(full["sold"]).dt.month
full["city"] = full["city"].astype("category")
train = full[full["is_train"] == 1]
test = full.query("is_train == 0")
model = lgb.LGBMRegressor().fit(train[["month", "city"]], train["price"])
### both_told_apart_by_the_target
full = pd.concat([train, test])
known = full[full["price"].notna()]
also = full.dropna(subset=["price"])
model = lgb.LGBMRegressor().fit(known[["rooms"]], known["price"])
model.fit(also[["rooms"]], also["price"])
### keys_of_a_concat
full = pd.concat([train, test], keys=["train", "test"])
full["ratio"] = full["area"] / full["rooms"]
X = full.loc["train"][["ratio"]]
model = lgb.LGBMRegressor().fit(X, train["price"])
### aligned_dummies
X, X_test = pd.get_dummies(train[["city"]]), pd.get_dummies(test[["city"]])
X, X_test = X.align(X_test, join="left", axis=1, fill_value=0)
X_test = X_test.reindex(columns=X.columns, fill_value=0)
model = lgb.LGBMRegressor().fit(X, train["price"])
### vectorizer_on_train
from sklearn.feature_extraction.text import TfidfVectorizer
vectorizer = TfidfVectorizer(min_df=2)
X = vectorizer.fit_transform(train["city"].fillna(""))
X_test = vectorizer.transform(test["city"].fillna(""))
model = lgb.LGBMRegressor().fit(X, train["price"])
### scaler_on_train_in_a_loop_of_frames
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().fit(train[["rooms", "area"]])
for frame in (train, test):
    frame[["rooms", "area"]] = scaler.transform(frame[["rooms", "area"]])
### scaler_with_a_flag
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler()
def scale(frame, fit):
    if fit:
        return scaler.fit_transform(frame)
    return scaler.transform(frame)
X, X_test = scale(train[["rooms"]], fit=True), scale(test[["rooms"]], fit=False)
### columns_shared_with_test
columns = [c for c in train.columns if c in test.columns and c != "id"]
target = [c for c in train.columns if c not in test.columns][0]
X, X_test = train[columns], test[columns]
model = lgb.LGBMRegressor().fit(X, train[sample.columns[-1]])
### columns_by_type
columns = train.select_dtypes("number").columns.drop(["id", "price", "views"])
more = train.columns.difference(["id", "price", "views"])
model = lgb.LGBMRegressor().fit(train[columns], train["price"])
model.fit(train[more], train["price"])
### columns_removed_one_by_one
columns = list(train.columns)
for name in ("id", "price", "views"):
    columns.remove(name)
model = lgb.LGBMRegressor().fit(train[columns], train["price"])
### columns_of_test
y = train["price"]
model = lgb.LGBMRegressor().fit(train[test.columns], y)
### popped_target
y = train.pop("price")
train.drop(columns=["id", "views"], inplace=True)
model = lgb.LGBMRegressor().fit(train, y)
### deleted_target
y = np.log1p(train["price"])
del train["price"], train["views"]
model = lgb.LGBMRegressor().fit(train, y)
### unknown_columns_dropped
def columns_to_drop():
    return [c for c in train if train[c].nunique() == 1] + ["price", "id", "views"]
model = lgb.LGBMRegressor().fit(train.drop(columns=columns_to_drop()), train["price"])
### label_encoded_target
from sklearn.preprocessing import LabelEncoder
encoder = LabelEncoder()
y = encoder.fit_transform(train["price"])
model = lgb.LGBMClassifier().fit(train[["rooms"]], y)
labels = encoder.inverse_transform(model.predict(test[["rooms"]]))
### stratified_by_the_target
from sklearn.model_selection import StratifiedKFold
bins = pd.qcut(train["price"], 10, labels=False)
X, y = train.drop(columns=["price", "id", "views"]), train["price"]
for a, b in StratifiedKFold(5).split(X, bins):
    model = lgb.LGBMRegressor().fit(X.iloc[a], y.iloc[a], eval_set=[(X.iloc[b], y.iloc[b])])
### transformer_given_the_answers_too
from sklearn.feature_selection import SelectKBest
selector = SelectKBest(k=2).fit(train[["rooms", "area"]], train["price"])
X_test = selector.transform(test[["rooms", "area"]])
### images
from PIL import Image
def pixels(name):
    with Image.open(Path(data_dir) / "images" / name) as image:
        return np.asarray(image.convert("L").resize((8, 8))).ravel()
X = np.stack([pixels(name) for name in train["sold"]])
X_test = np.stack([pixels(name) for name in test["sold"]])
model = lgb.LGBMRegressor().fit(X, train["price"])
### side_tables
import os
stores = pd.read_csv(os.path.join(data_dir, "stores.csv"))
weather = pd.read_parquet(f"{data_dir}/more/weather.parquet")
per_city = stores.groupby("city")["price"].mean()
train = train.merge(stores, on="city", how="left")
train["near"] = train["city"].map(per_city)
paths = sorted(Path(data_dir).glob("images/*.png")) + os.listdir(data_dir)
image = open(f"{data_dir}/images/{train['id'].iloc[0]}.png", "rb").read()
### what_was_written_before
import joblib, json
joblib.dump({"a": 1}, model_path)
again = joblib.load(model_path)
np.save("features.npy", train[["rooms"]].values)
features = np.load("features.npy")
with open("/tmp/cache.json", "w") as file:
    json.dump({}, file)
with open("/tmp/cache.json") as file:
    cache = json.load(file)
train.to_parquet("cache.parquet")
train = pd.read_parquet("cache.parquet")
parts = [pd.read_csv(f"s{n}.csv") for n in range(1, 4)]
### the_machine
memory = open("/proc/meminfo").read()
### reading_by_suffix
def read_table(path):
    path = Path(path)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\\t" if path.suffix == ".tsv" else ",")
train, test = read_table(train_path), read_table(test_path)
both = {name: read_table(path) for name, path in [("train", train_path), ("test", test_path)]}
model = lgb.LGBMRegressor().fit(both["train"][["rooms"]], both["train"]["price"])
### fitted_by_objective
import optuna
X, y = train[["rooms", "area"]], train["price"]
def objective(trial):
    model = lgb.LGBMRegressor(num_leaves=trial.suggest_int("leaves", 4, 64))
    from sklearn.model_selection import cross_val_score
    return cross_val_score(model, X, y).mean()
study = optuna.create_study()
study.optimize(objective, n_trials=20)
### magics
%matplotlib inline
!pip list
files = !ls
%time model = lgb.LGBMRegressor().fit(train[["rooms"]], train["price"])
### shown_statistics_of_both
full = pd.concat([train, test])
print(full["rooms"].mean(), full["city"].nunique())
full.describe()
full["area"].max()
### not_train_and_test_together
from scipy.stats import ks_2samp
shift = {c: ks_2samp(train[c], test[c]).statistic for c in ["rooms", "area"]}
kept = [c for c in shift if shift[c] < 0.1]
model = lgb.LGBMRegressor().fit(train[kept], train["price"])
### torch_style
import torch
def batches(frame):
    for start in range(0, len(frame), 64):
        yield torch.tensor(frame[["rooms"]].values[start : start + 64])
for epoch in range(3):
    for batch in batches(train):
        loss = (batch ** 2).mean()
predictions = torch.cat([batch for batch in batches(test)])
### ensemble_members
s1_model = lgb.LGBMRegressor().fit(train[["rooms"]], train["price"])
s2_model = lgb.LGBMRegressor().fit(train[["area"]], train["price"])
sample["price"] = np.mean([s1_model.predict(test[["rooms"]]), s2_model.predict(test[["area"]])], axis=0)
sample.to_csv(predictions_path, index=False)
### outliers_dropped_by_group
spread = train["price"] - train.groupby("city")["price"].transform("mean")
train = train[spread.abs() < 3 * spread.std()]
model = lgb.LGBMRegressor().fit(train[["rooms"]], train["price"])
''')

BAD = [*FIT_ON_TEST, *TEST_STATISTICS, *TARGET_STATISTICS, *UNSTAGED_FILE, *TARGET_IN_FEATURES]


@pytest.mark.parametrize("code", BAD)
def test_a_leak_is_found_on_its_line_and_nothing_else(code: str) -> None:
    found = find(code)
    assert [(f.rule, f.line, f.certain) for f in found] == expected(code)
    assert {f.block for f in found} == {"work"}


@pytest.mark.parametrize("code", GOOD)
def test_reasonable_code_gives_no_finding(code: str) -> None:
    assert [str(f) for f in find(code)] == []


def test_there_are_enough_samples_and_every_bad_one_says_what_it_expects() -> None:
    assert len(GOOD) >= 25
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
    found = find('rows = pd.read_parquet("test.parquet")\nmodel.fit(rows)', make_task(source=source))
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
