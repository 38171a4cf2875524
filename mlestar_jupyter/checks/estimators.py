"""Estimators: how they are made, what they are fitted on, and what they give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlestar_jupyter.checks.sightings import Encoded, Fitted
from mlestar_jupyter.checks.values import (
    Value,
    container,
    holds,
    is_literal,
    mixed,
    parts_of,
    united,
)
from mlestar_jupyter.checks.vocabulary import (
    FITS,
    is_cross_fitted_encoder,
    is_naive_encoder,
    is_predictor,
    is_splitter,
    is_transformer,
    wraps_estimator,
)

if TYPE_CHECKING:
    from mlestar_jupyter.checks.calls import Arguments
    from mlestar_jupyter.checks.dataflow import Flow

_DATA = ("X", "x", "data", "raw_documents", "train_set", "dtrain", "documents", "pool")
_ANSWERS = ("y", "label", "target")
_COMPOSED = ("ColumnTransformer", "make_column_transformer")
_CHAINED = ("Pipeline", "make_pipeline")
_VOTING = ("VotingClassifier", "VotingRegressor", "StackingClassifier", "StackingRegressor")


def is_fit(name: str) -> bool:
    """Whether a method of this name learns from its arguments."""
    return name in FITS


def makes_estimator(name: str) -> bool:
    """Whether a function (not a class) of this name makes an estimator."""
    return is_transformer(name)


def made(symbol: str, arguments: Arguments) -> Value:
    """An instance of an imported class. Data handed to it (a Dataset, a Series) stays in it."""
    name = symbol.rsplit(".", 1)[-1] or arguments.name
    first = arguments.args[0] if arguments.args else None
    takes_all, narrow = is_predictor(name) or is_transformer(name), False
    if name in _COMPOSED:
        takes_all, narrow = False, _takes_literal_columns(name, arguments)
    elif name in _CHAINED:
        steps = _steps(arguments.args if name == "make_pipeline" else [first or _named(arguments)])
        takes_all = bool(steps) and all(step.takes_all for step in steps)
        narrow = any(step.narrow for step in steps)
    elif name in _VOTING:
        steps = _steps([first or arguments.keywords.get("estimators") or Value()])
        takes_all = bool(steps) and all(step.takes_all for step in steps)
        narrow = bool(steps) and all(step.narrow for step in steps)
    elif wraps_estimator(name):
        inner = arguments.get(0, "estimator", "regressor", "base_estimator")
        takes_all, narrow = (inner.takes_all, inner.narrow) if inner else (False, False)
    value = mixed(arguments.values)
    return value.but(made=symbol or name, takes_all=takes_all, narrow=narrow)


def fit(flow: Flow, estimator: Value, arguments: Arguments) -> Value:
    """``estimator.fit(X, y)`` and its kin."""
    given = arguments.get(0, *_DATA)
    if given is None:
        return estimator
    answers = arguments.get(1, *_ANSWERS)
    data = united([given])
    name = arguments.name
    flow.see(
        Fitted(
            flow.place(arguments.tree), name, estimator.but(), data.but(),
            united([answers]).but() if answers is not None else Value(),
            certain=not flow.doubts,
        )
    )  # fmt: skip
    if name == "fit_resample":
        return container([given.but(), (answers or Value()).but()])
    estimator.fitted = data.part if "train" in data.rows else None
    if name in ("fit", "partial_fit"):
        return estimator
    if name == "fit_transform" and is_naive_encoder(estimator.made) and "train" in data.rows:
        _see_encoder(flow, estimator, arguments, certain=False)
    return _given_back(data, estimator, is_target=data.is_target and answers is None)


def fit_by_function(flow: Flow, name: str, arguments: Arguments) -> Value:
    """``cross_val_score(model, X, y)``, ``lgb.train(params, data)``."""
    boosts = name in ("train", "cv")
    estimator = (Value() if boosts else arguments.get(0, "estimator")) or Value()
    data = united([arguments.get(1, *_DATA) or Value()])
    answers = None if boosts else arguments.get(2, *_ANSWERS)
    flow.see(
        Fitted(
            flow.place(arguments.tree), name, estimator.but(), data.but(),
            united([answers]).but() if answers is not None else Value(),
            certain=not flow.doubts,
        )
    )  # fmt: skip
    return Value(rows=data.rows, sure=data.sure, part=data.part) if "predict" in name else Value()


def wrap(flow: Flow, arguments: Arguments) -> Value:
    """``lgb.Dataset(X, y)``: rows and labels together, every column taken as a feature."""
    given = united([arguments.get(0, *_DATA) or Value()])
    answers = united([arguments.get(1, *_ANSWERS) or Value()])
    everything = Value(takes_all=True)
    flow.see(
        Fitted(
            flow.place(arguments.tree), arguments.name, everything, given.but(), answers.but(),
            certain=not flow.doubts, trains=False,
        )
    )  # fmt: skip
    return Value(rows=given.rows, sure=given.sure, part=given.part, wide=given.wide)


def method(flow: Flow, estimator: Value, arguments: Arguments) -> Value:
    """Any other method of an object that holds no rows: transform, predict, split, ..."""
    name = arguments.name
    data = united([arguments.get(0, *_DATA) or Value()])
    if name == "split" and (data.rows or is_splitter(estimator.made) or len(arguments.args) > 1):
        return Value(kind="folds")
    if name in ("set_output", "set_params"):
        return estimator
    if name in ("transform", "inverse_transform") or name.startswith("predict"):
        fitted = estimator.fitted
        same = fitted is not None and "train" in data.rows and holds(fitted, data.part)
        naive, crossed = is_naive_encoder(estimator.made), is_cross_fitted_encoder(estimator.made)
        if name == "transform" and same and (naive or crossed):
            _see_encoder(flow, estimator, arguments, certain=estimator.made.startswith("sklearn."))
        kept = name.endswith("transform") and data.is_target
        result = _given_back(data, estimator, is_target=kept)
        return result.but(predicted=name.startswith("predict"))
    return mixed(arguments.values)


def _given_back(data: Value, estimator: Value, *, is_target: bool) -> Value:
    return Value(
        rows=data.rows, sure=data.sure, part=data.part, is_target=is_target,
        wide=data.wide and not estimator.narrow, encoded=data.encoded,
    )  # fmt: skip


def _see_encoder(flow: Flow, estimator: Value, arguments: Arguments, *, certain: bool) -> None:
    name = estimator.made.rsplit(".", 1)[-1]
    mend = (
        "use fit_transform for the training rows (it cross-fits) and transform for the test rows"
        if is_cross_fitted_encoder(estimator.made)
        else "use sklearn.preprocessing.TargetEncoder().fit_transform, which cross-fits"
    )
    what = f"{name}.{arguments.name} gives training rows a statistic of their own target"
    flow.see(Encoded(flow.place(arguments.tree), what, certain and not flow.doubts, mend))


def _named(arguments: Arguments) -> Value:
    return arguments.keywords.get("steps") or Value()


def _steps(values: list[Value]) -> list[Value]:
    """The estimators of a pipeline: of (name, estimator) pairs or of estimators themselves."""
    flat = [part for value in values for part in parts_of(value)]
    return [part for part in flat if part.text is None]


def _takes_literal_columns(name: str, arguments: Arguments) -> bool:
    """Whether a ColumnTransformer names its columns word for word and drops the others."""
    remainder = arguments.keywords.get("remainder")
    if remainder is not None and remainder.text != "drop":
        return False
    if name == "make_column_transformer":
        triples = arguments.args
    else:
        listed = arguments.get(0, "transformers")
        if listed is None or listed.items is None or listed.rest is not None:
            return False
        triples = list(listed.items.values())
    return bool(triples) and all(
        triple.items is not None and bool(triple.items) and is_literal([*triple.items.values()][-1])
        for triple in triples
    )
