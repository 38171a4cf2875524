"""Names of pandas, numpy and scikit-learn that the checks understand."""

from __future__ import annotations

import re

#: Usual names of modules, for blocks that use them without an import that we see.
ALIASES = {
    "pd": "pandas", "np": "numpy", "pl": "polars", "lgb": "lightgbm", "xgb": "xgboost",
    "ce": "category_encoders", "sp": "scipy", "cb": "catboost",
}  # fmt: skip

FITS = frozenset({"fit", "fit_transform", "partial_fit", "fit_resample", "fit_predict"})
#: Functions that fit their first argument, an estimator, on the second and third.
CROSS_FITS = frozenset({
    "cross_val_score", "cross_val_predict", "cross_validate", "permutation_test_score",
    "learning_curve", "validation_curve",
})  # fmt: skip
#: Classes that hold rows and labels for a library's own ``train`` function.
DATASETS = frozenset({"Dataset", "DMatrix", "QuantileDMatrix", "Pool"})
BOOSTERS = frozenset({"lightgbm", "xgboost", "catboost"})

#: Methods that summarise rows; what they give holds no rows any more.
REDUCTIONS = frozenset({
    "mean", "median", "std", "var", "min", "max", "sum", "quantile", "mode", "skew", "kurt",
    "kurtosis", "value_counts", "describe", "corr", "cov", "sem", "mad", "prod",
    "nanmean", "nanmedian", "nanstd", "percentile", "nanpercentile", "average", "idxmax",
    "count", "nunique", "size", "any", "all", "argmax", "first", "last", "agg", "aggregate",
})  # fmt: skip
#: Those of them that say nothing about values, only how many there are.
COUNTS = frozenset({"count", "size", "nunique", "cumcount", "ngroup", "any", "all"})
#: Where a lambda given to transform looks only at earlier rows, it is no leak.
EARLIER_ROWS = re.compile(r"\b(shift|expanding|rolling|ewm|cum\w+)\b")

#: Methods after which rows and columns are the same.
SAME = frozenset({
    "copy", "reset_index", "sort_values", "sort_index", "fillna", "replace", "astype", "round",
    "convert_dtypes", "infer_objects", "clip", "ffill", "bfill", "set_index", "interpolate",
    "to_frame", "values", "to_numpy", "tolist", "ravel", "reshape", "flatten", "squeeze", "array",
    "toarray", "todense", "tocsr", "tocsc", "str", "dt", "cat", "codes", "rename_axis", "where",
    "mask", "set_axis", "to_pandas", "cast", "lazy", "collect", "with_columns", "numpy", "float",
})  # fmt: skip
#: Methods that keep each row's value recognisable (a target stays a target).
ROW_BY_ROW = frozenset({"map", "apply", "isna", "notna", "isnull", "notnull", "isin", "eq", "ne",
                        "gt", "ge", "lt", "le", "abs", "add", "sub", "mul", "div"})  # fmt: skip
MASKS = frozenset({"isna", "notna", "isnull", "notnull", "isin", "eq", "ne", "gt", "ge", "lt",
                   "le", "duplicated", "between", "contains", "startswith",
                   "endswith"})  # fmt: skip
#: Methods that keep some of the rows.
SUBSETS = frozenset({"query", "head", "tail", "sample", "dropna", "drop_duplicates", "nlargest",
                     "nsmallest", "take", "xs", "get_group", "truncate", "filter"})  # fmt: skip
#: Functions that put tables or arrays together.
CONCATS = frozenset({"concat", "concatenate", "vstack", "hstack", "column_stack", "row_stack",
                     "append", "chain", "union", "c_", "r_", "dstack", "stack", "block",
                     "cat"})  # fmt: skip
STACKS = frozenset({"concatenate", "vstack", "row_stack", "append", "union", "cat"})
#: Functions whose result is their first argument, row by row.
WRAPPERS = frozenset({
    "list", "tuple", "sorted", "reversed", "set", "frozenset", "array", "asarray",
    "ascontiguousarray", "asanyarray", "Series", "DataFrame", "Index", "deepcopy",
    "copy", "csr_matrix", "tensor", "from_numpy", "iter", "ravel", "squeeze", "from_pandas",
    "Parallel", "tqdm", "nan_to_num",
})  # fmt: skip
#: Functions of one column, value by value.
ELEMENTWISE = frozenset({
    "log1p", "log", "log10", "log2", "exp", "expm1", "sqrt", "abs", "round", "clip", "where",
    "cut", "qcut", "to_numeric", "to_datetime", "square", "power", "rint", "sign", "maximum",
    "minimum", "digitize", "select", "cbrt", "floor", "ceil",
})  # fmt: skip
SHOWS = frozenset({"print", "display", "info", "debug", "warning", "pprint"})
#: Calls that stand alone as a statement for what they do, not for what they show.
ACTS = FITS | {"append", "extend", "insert", "update", "setdefault", "add"}

#: Estimators that learn from every column they are given.
_PREDICTORS = re.compile(
    r"((LGBM|XGB|XGBRF|CatBoost|RandomForest|ExtraTrees?|GradientBoosting|HistGradientBoosting|"
    r"AdaBoost|DecisionTree|KNeighbors|MLP|SGD|Ridge|PassiveAggressive)(Regressor|Classifier)"
    r"|CatBoost|LogisticRegression(CV)?|LinearRegression|(Ridge|Lasso|ElasticNet|LassoLars)(CV)?"
    r"|RidgeClassifierCV|(Linear)?SV[CR]|NuSV[CR]|(Gaussian|Bernoulli|Multinomial|Complement)NB"
    r"|(BayesianRidge|ARDRegression)|(Huber|Poisson|Tweedie|Gamma|Quantile)Regressor)$"
)
_TRANSFORMERS = re.compile(
    r"((Standard|MinMax|MaxAbs|Robust)Scaler|(Simple|KNN|Iterative)Imputer|OneHotEncoder"
    r"|(Quantile|Power)Transformer|OrdinalEncoder|PolynomialFeatures|TableVectorizer"
    r"|tabular_(learner|pipeline))$"
)
_WRAPPED = re.compile(
    r"(GridSearchCV|RandomizedSearchCV|Halving\w+SearchCV|CalibratedClassifierCV|Bagging\w+"
    r"|TransformedTargetRegressor|MultiOutput\w+|OneVsRestClassifier|clone)$"
)
#: Encoders that write a statistic of the target onto the very rows it was taken from.
_NAIVE = re.compile(
    r"category_encoders\.(?:\w+\.)*"
    r"(TargetEncoder|JamesSteinEncoder|MEstimateEncoder|WOEEncoder|GLMMEncoder|QuantileEncoder)$"
)
_CROSS_FITTED = re.compile(
    r"(sklearn\.(?:\w+\.)*TargetEncoder"
    r"|category_encoders\.(?:\w+\.)*(LeaveOneOutEncoder|CatBoostEncoder))$"
)
_SPLITTER = re.compile(r"(Fold|Split|LeaveOneOut|LeavePOut|LeaveOneGroupOut)$")


def is_predictor(name: str) -> bool:
    """Whether the class learns from every column it is given."""
    return bool(_PREDICTORS.match(name))


def is_transformer(name: str) -> bool:
    """Whether the class keeps every column it is given."""
    return bool(_TRANSFORMERS.match(name))


def wraps_estimator(name: str) -> bool:
    """Whether the class hands its columns on to the estimator that is its first argument."""
    return bool(_WRAPPED.match(name))


def is_naive_encoder(symbol: str) -> bool:
    """Whether fit_transform of this class gives a row a statistic of its own target."""
    return bool(_NAIVE.match(symbol))


def is_cross_fitted_encoder(symbol: str) -> bool:
    """Whether only fit_transform, not fit and then transform, keeps a row's target out of it."""
    return bool(_CROSS_FITTED.match(symbol))


def is_splitter(symbol: str) -> bool:
    """Whether the class has a split method that gives folds."""
    return bool(_SPLITTER.search(symbol))
