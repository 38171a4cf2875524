"""The debugger's role (section 3.4): rules from an error to a correction."""

from __future__ import annotations

import ast
import re

from mlestar_jupyter.agents.playbook import sections
from mlestar_jupyter.agents.playbook.assembly import is_ours, model_names
from mlestar_jupyter.agents.playbook.catalogue import BY_NAME
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.candidate import Failure
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.solution import Solution

#: Models to fall back on, each simpler and harder to break than the one before.
FALLBACKS = ("lightgbm", "hist_boosting", "extra_trees", "linear")
_FILL = """# Mended: no missing or infinite numbers for this model.
{train} = {train}.replace([np.inf, -np.inf], np.nan)
_usual = {train}.median(numeric_only=True)
{train} = {train}.fillna(_usual).fillna(0)
{others}"""
_FILL_OTHER = "{other} = {other}.replace([np.inf, -np.inf], np.nan).fillna(_usual).fillna(0)\n"
_CODE = """# Mended: this model takes numbers only, so that words become the numbers of categories.
for _column in [c for c in {train}.columns if {train}[c].dtype.kind not in "biuf"]:
    _kinds = {{kind: n for n, kind in enumerate(sorted({train}[_column].astype(str).unique()))}}
    for _rows in ({all},):
        _rows[_column] = _rows[_column].astype(str).map(_kinds).fillna(-1).astype(int)
"""
_NUMBERS = """

# Mended: every asked-for number is finite.
import numpy as np
import pandas as pd

_told = pd.read_csv(predictions_path)
for _column in {columns}:
    _numbers = pd.to_numeric(_told[_column], errors="coerce")
    _told[_column] = _numbers.replace([np.inf, -np.inf], np.nan)
    _told[_column] = _told[_column].fillna(_told[_column].mean()).fillna(0)
{more}_told.to_csv(predictions_path, index=False)"""
_CLIP = "_told[{columns}] = _told[{columns}].clip(1e-6, 1 - 1e-6)\n"
_SUM = "_told[{columns}] = _told[{columns}].div(_told[{columns}].sum(axis=1), axis=0)\n"
_FORM = """

# Mended: exactly the columns of the sample, with its ids.
import pandas as pd

_told, _form = pd.read_csv(predictions_path), pd.read_csv(sample_path)
for _column in {columns}:
    _others = [c for c in _told.columns if c not in _form.columns]
    _form[_column] = _told[_column if _column in _told.columns else _others[0]].to_numpy()
_form.to_csv(predictions_path, index=False)"""


_PREDICTING = ("predict", "predict_proba", "decision_function", "transform")


def mend(facts: Facts, solution: Solution, failure: Failure) -> Solution | None:
    """A corrected solution, or None when no rule knows the error."""
    block = failure.block if failure.block in solution.names else ""
    if failure.name == "InvalidPredictions":
        return _mend_predictions(facts, solution, failure.message)
    if not block:
        return None
    for rule in (_mend_features, _mend_missing, _mend_words, _mend_model):
        mended = rule(facts, solution, block, failure)
        if mended is not None and mended.key != solution.key:
            return mended
    return None


def _mend_features(_: Facts, solution: Solution, block: str, failure: Failure) -> Solution | None:
    """Leave out the section in which the error arose."""
    source = solution.source(block)
    optional = sections.optional(source)
    if not optional or not is_ours(solution):
        return None
    lines = re.findall(r"^-+>\s*\d+\s(.*)$", failure.traceback, re.MULTILINE)
    for line in lines:
        for section in optional:
            if line.strip() and line.strip() in section.source:
                return solution.replace(block, sections.without(source, section.name))
    return None


def _mend_missing(_: Facts, solution: Solution, block: str, failure: Failure) -> Solution | None:
    """Fill what is missing where a model refuses it."""
    text = failure.message
    if not re.search(r"contains NaN|contains infinity|missing values|Input X contains", text, re.I):
        return None
    source = solution.source(block)
    frames = _frames(source)
    if not frames or "# Mended: no missing" in source:
        return None
    train, others = frames
    fill = _FILL.format(train=train, others="".join(_FILL_OTHER.format(other=o) for o in others))
    return solution.replace(block, f"import numpy as np\n\n{fill}\n{source}")


def _mend_words(_: Facts, solution: Solution, block: str, failure: Failure) -> Solution | None:
    """Turn words into numbers where a model takes numbers only."""
    text = failure.message
    if not re.search(r"could not convert string|DataFrame\.dtypes|must be int, float|cast", text):
        return None
    source = solution.source(block)
    frames = _frames(source)
    if not frames or "# Mended: this model takes numbers" in source:
        return None
    train, others = frames
    copies = "".join(f"{name} = {name}.copy()\n" for name in (train, *others))
    code = _CODE.format(train=train, all=", ".join([*others, train]))
    return solution.replace(block, f"{copies}{code}\n{source}")


def _mend_model(facts: Facts, solution: Solution, block: str, _: Failure) -> Solution | None:
    """Put a simpler model in the place of one that fails."""
    if not is_ours(solution):
        return None
    alone = Solution(tuple(b for b in solution.blocks if b.name == block))
    names = model_names(alone)
    if not names:
        return None
    elsewhere = set(model_names(solution))
    later = FALLBACKS[FALLBACKS.index(names[-1]) + 1 :] if names[-1] in FALLBACKS else FALLBACKS
    if len(elsewhere) > len(names):
        return solution.replace(block, f"# Left out: {' and '.join(names)} failed here.")
    if any(name not in BY_NAME for name in names):
        return None  # a person's own model alone: another one would not be what was asked for
    for name in later:
        entry = BY_NAME[name]
        if entry.is_installed and name not in elsewhere and not _is_sparse(solution):
            return solution.replace(block, entry.model(facts))
    return None


def _is_sparse(solution: Solution) -> bool:
    features = solution.source("features")
    return "X = words." in features or "hstack(parts)" in features


def _mend_predictions(facts: Facts, solution: Solution, message: str) -> Solution | None:
    """Bring predictions into the form that is asked for."""
    last = solution.names[-1]
    source = solution.source(last)
    if "# Mended:" in source:
        return None
    columns = list(facts.task.target_columns)
    if "columns must be" in message:
        return solution.replace(last, source + _FORM.format(columns=columns))
    if facts.task.metric.needs in ("label", "ranking"):
        return None
    more = ""
    if facts.task.metric.needs == "probability":
        more = _CLIP.format(columns=columns)
        more += _SUM.format(columns=columns) if len(columns) > 1 else ""
    if re.search(r"finite|missing|probabilit|sum to 1|NaN", message):
        return solution.replace(last, source + _NUMBERS.format(columns=columns, more=more))
    return None


def _frames(source: str) -> tuple[str, list[str]] | None:
    """The table that the block fits on, and those that it predicts for, by their names."""
    try:
        tree = parse_python(source)
    except SyntaxError:
        return None
    fitted, predicted = [], []
    for part in ast.walk(tree):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.args:
            name = _table(part.args[0])
            if name and part.func.attr in ("fit", "fit_transform"):
                fitted.append(name)
            elif name and part.func.attr in _PREDICTING:
                predicted.append(name)
    assigned = {
        name.id
        for part in ast.walk(tree)
        if isinstance(part, ast.Assign)
        for target in part.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    # What the block makes itself does not exist yet where the mend stands.
    fitted = [name for name in fitted if name not in assigned] or (["X"] if "X" in source else [])
    if not fitted:
        return None
    others = [n for n in dict.fromkeys(predicted) if n != fitted[0] and n not in assigned]
    if not others and re.search(r"\bX_test\b", source):
        others = ["X_test"]
    return fitted[0], others


def _table(part: ast.expr) -> str | None:
    """The name of the table that an expression such as ``X.iloc[rows]`` takes rows of."""
    while True:
        match part:
            case ast.Name(id=name):
                return name
            case ast.Subscript(value=whole) | ast.Attribute(value=whole):
                part = whole
            case ast.Call(func=ast.Attribute(value=whole), args=[]):
                part = whole
            case ast.Call(args=[whole, *_]):
                part = whole
            case _:
                return None
