"""Reasonable code gives no finding of leakage at all, not even an uncertain one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_checks_leakage import find, samples

import mlestar_jupyter

GOOD = samples("""
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
prepare = make_column_transformer((OneHotEncoder(), ["city"]), ("passthrough", ["rooms"]))
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
again = pd.read_csv(Path(data_dir, "images").parent / "stores.csv")
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
### scaler_handed_on
from sklearn.preprocessing import StandardScaler
def scale(frame, scaler=None):
    if not scaler:
        scaler = StandardScaler()
        scaler.fit(frame)
    return scaler.transform(frame), scaler
X, scaler = scale(train[["rooms"]])
X_test, _ = scale(test[["rooms"]], scaler)
### encoder_handed_on
from sklearn.preprocessing import OrdinalEncoder
def encode(frame, encoder=None):
    if encoder is None:
        encoder = OrdinalEncoder().fit(frame)
    return encoder.transform(frame), encoder
X, encoder = encode(train[["city"]])
X_test, _ = encode(test[["city"]], encoder=encoder)
### mode_by_name
from sklearn.impute import SimpleImputer
state = {}
def impute(frame, mode="train"):
    if mode == "train":
        state["imputer"] = SimpleImputer().fit(frame)
    return state["imputer"].transform(frame)
X, X_test = impute(train[["rooms"]]), impute(test[["rooms"]], mode="test")
### dummies_in_a_function
def dummies(columns, train, test=None):
    if test is not None:
        frame = pd.concat([train, test])
    else:
        frame = train
    frame = pd.get_dummies(frame[columns])
    if test is not None:
        return frame[: len(train)], frame[len(train) :]
    return frame
X, X_test = dummies(["city"], train, test)
model = lgb.LGBMRegressor().fit(X, train["price"])
### unknown_rows_and_test_told_apart
earlier = pd.read_csv(Path(data_dir) / "stores.csv")
rows = pd.concat([earlier, test])
rows = rows[rows["rooms"] > 0]
known = rows[rows["month"] < 33]
model = lgb.LGBMRegressor().fit(known[["rooms"]], known["count"])
### means_of_features_of_a_whole_frame
means = train.groupby("city").mean(numeric_only=True)[["rooms", "area"]]
train = train.join(means, on="city", rsuffix="_mean")
train["a"] = train["city"].map(train.groupby("city").mean(numeric_only=True)["area"])
counts = train.groupby("city").agg(n=("price", "count"), area=("area", "mean"))
train = train.merge(counts, on="city")
stats = train.groupby("city")["price"].agg(["mean", "count"])
train["n"] = train["city"].map(stats["count"])
### pictures_cut_to_size
from PIL import Image, ImageOps
pictures = [ImageOps.fit(Image.open(Path(data_dir) / "images" / n), (8, 8)) for n in test["sold"]]
### target_encoding_learned_anew_in_each_fold
from sklearn.model_selection import KFold
y = train["price"]
for a, b in KFold(5).split(train):
    means = y.iloc[a].groupby(train["city"].iloc[a]).mean()
    X = np.column_stack([train["rooms"].iloc[a], train["city"].iloc[a].map(means)])
    model = lgb.LGBMRegressor().fit(X, y.iloc[a])
### a_table_of_the_categories_and_their_means
means = train.groupby("city")["price"].mean()
table = pd.DataFrame()
table["city"] = train["city"].unique()
table["mean"] = table["city"].map(means)
table.plot.bar(x="city", y="mean")
### a_table_of_the_categories
def order(frame, column):
    table = pd.DataFrame()
    table["value"] = frame[column].unique()
    table["mean"] = frame.groupby(column)["price"].mean()
    return table.sort_values("mean")
order(train, "city").plot()
### target_of_other_rows
here, there = train[train["city"] == "a"], train[train["city"] == "b"]
X = here[["rooms", "area"]].reset_index()
X["price_there"] = there["price"].to_numpy()[: len(X)]
model = lgb.LGBMRegressor().fit(X, here["price"])
### lags
train = train.sort_values("sold")
for lag in (1, 2, 7):
    train[f"lag_{lag}"] = train.groupby("city")["price"].shift(lag)
train["rolled"] = train["price"].shift(1).rolling(7).mean()
model = lgb.LGBMRegressor().fit(train[["lag_1", "rolled"]], train["price"])
### two_targets_one_after_the_other
first = lgb.LGBMRegressor().fit(train[["rooms"]], train["views"])
test["views"] = first.predict(test[["rooms"]])
train["views"] = first.predict(train[["rooms"]])
### variable_named_test_but_of_train
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
rows, test_rows = train_test_split(train, random_state=seed)
StandardScaler().fit(test_rows[["rooms"]])
### refit_on_all_rows_of_train
from sklearn.model_selection import train_test_split
a, b = train_test_split(train, random_state=seed)
model = lgb.LGBMRegressor().fit(a[["rooms"]], a["price"])
both = pd.concat([a, b])
model.fit(both[["rooms"]], both["price"])
### catboost_pools
from catboost import CatBoostRegressor, Pool
pool = Pool(train[["city", "rooms"]], train["price"], cat_features=["city"])
model = CatBoostRegressor(verbose=0).fit(pool)
predictions = model.predict(Pool(test[["city", "rooms"]], cat_features=["city"]))
### boosters_own_train_with_folds
data = lgb.Dataset(train[["rooms"]], label=train["price"])
history = lgb.cv({}, data, nfold=5)
booster = lgb.train({}, data)
predictions = booster.predict(test[["rooms"]])
### whole_solution_in_a_function
def solve(train, test):
    y = train["price"]
    X = train.drop(["price", "id", "views"], axis=1)
    X_test = test.drop("id", axis="columns")
    for frame in (X, X_test):
        for column in frame.select_dtypes("object"):
            frame[column] = frame[column].astype("category")
    return lgb.LGBMRegressor().fit(X, y).predict(X_test)
sample["price"] = solve(train.copy(), test.copy())
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
predictions = [s1_model.predict(test[["rooms"]]), s2_model.predict(test[["area"]])]
sample["price"] = np.mean(predictions, axis=0)
sample.to_csv(predictions_path, index=False)
### outliers_dropped_by_group
spread = train["price"] - train.groupby("city")["price"].transform("mean")
train = train[spread.abs() < 3 * spread.std()]
model = lgb.LGBMRegressor().fit(train[["rooms"]], train["price"])
""")


@pytest.mark.parametrize("code", GOOD)
def test_reasonable_code_gives_no_finding(code: str) -> None:
    assert [str(f) for f in find(code)] == []


def test_there_are_enough_samples() -> None:
    assert len(GOOD) >= 25


def test_every_sample_is_still_walked_to_its_last_line() -> None:
    for sample in GOOD:
        found = find(sample.values[0] + "\nscaler_of_test.fit(pd.read_csv(test_path))")
        assert [f.rule for f in found] == ["fit_on_test"]


RECIPES = Path(mlestar_jupyter.__file__).parent / "agents" / "playbook" / "recipes"


@pytest.mark.skipif(not RECIPES.is_dir(), reason="there is no playbook here")
def test_no_recipe_of_the_playbook_leaks_for_certain() -> None:
    for path in sorted(RECIPES.rglob("*.py")):
        text = path.read_text(encoding="utf-8").replace("{{target}}", "'price'")
        code = re.sub(r"\{\{(\w+)\}\}", r"\1", text) + "\n"
        assert [str(f) for f in find(code) if f.certain] == [], path.name
