"""The validation of a finished notebook as plain code: the same folds, staging and grading.

That notebook imports nothing of ours; the code is written out in its cells, so that the score can
be had again without this package, also after a cell of the solution was edited.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import PurePosixPath
from string import Template
from typing import Any

from mlestar_jupyter.grading import is_built_in
from mlestar_jupyter.metrics import Metric
from mlestar_jupyter.notebook.plain_data import TaskData
from mlestar_jupyter.notebook.python_source import assignment, indented, literal, write_code
from mlestar_jupyter.task import Task

_NO_METRIC = Template('''\
def validation_metric(actual, predicted):
    """The metric ${name}: its source could not be read when this notebook was written."""
    raise NotImplementedError("put the metric's own code here")''')

_STAGE = Template('''\
def stage_fold(fold, folder):
    """Write what the solution may see of a fold. No path leads to the answers."""
    known = ${known}
    held = fold_of == fold
    ${write_train}
    test_rows = ${test_rows}
    ${write_test}
    asked = train_answers[held]
${sample}
    sample.to_csv(folder / ${sample_path}, index=False)
    (folder / ${data_dir}).mkdir()''')

_COPY_FILES = Template("""\
    for name in ${files}:
        source = Path(task_folder, name)
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / ${data_dir} / name)""")

_EXECUTE = Template('''\
import os
import re
import subprocess
import sys
import tempfile

fold_parameters = {
${parameters}
}
folds_at_once = ${jobs}
fold_threads = "${threads}"  # as many as candidates had: some sums depend on it
fold_environment = {
    **os.environ,
    "OMP_NUM_THREADS": fold_threads,
    "OPENBLAS_NUM_THREADS": fold_threads,
    "MKL_NUM_THREADS": fold_threads,
    "LOKY_MAX_CPU_COUNT": fold_threads,
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
}


def solution_cells():
    """The cells above that begin with `# %% NAME`, each as it was executed last."""
    named = {}
    for source in In:
        if found := re.match(r"# %% (\\w+)", source):
            named[found[1]] = source
    if not named:
        raise RuntimeError("execute the cells of the solution first")
    return list(named.values())


def predict_fold(fold):
    """Run the solution on a fold, in a process and a folder of its own; gives its predictions."""
    given = [f"{name} = {value!r}" for name, value in fold_parameters.items()]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        stage_fold(fold, folder)
        script = "\\n\\n".join(["\\n".join(given), *solution_cells()])
        (folder / "solution.ipy").write_text(script, encoding="utf-8")
        command = [sys.executable, "-m", "IPython", "--quick", "--no-banner", "--colors=nocolor"]
        done = subprocess.run(
            [*command, "solution.ipy"],
            cwd=folder,
            env={**fold_environment, "IPYTHONDIR": str(folder / ".ipython")},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            told = (done.stderr + done.stdout)[-2000:]
            raise RuntimeError(f"the solution failed on fold {fold}:\\n{told}")
        predictions = folder / fold_parameters["predictions_path"]
        return pd.read_csv(predictions, dtype=str, keep_default_na=False)''')

_AS_TEXT = '''\
def as_text(values):
    """Ids and labels as text, so that 7, 7.0 and "7" are one."""
    return values.astype(str).str.strip().str.replace(r"^(-?\\d+)\\.0+$", r"\\1", regex=True)


'''

_GRADE = Template('''\
def grade_fold(fold, predictions):
    """Answers and predictions of a fold, row by row, as the metric takes them."""
    asked = train_answers[fold_of == fold]
${align}    predicted = predictions[${columns}]
    if len(predicted) != len(asked):
        raise ValueError(f"fold {fold}: {len(predicted)} predictions for {len(asked)} rows")
    actual = ${actual}
    predicted = ${predicted}
${check}    return actual, predicted''')

_ALIGN = Template("""\
    wanted, found = as_text(asked[${id}]), as_text(predictions[${id}])
    if list(wanted) != list(found):
        predictions = predictions.set_index(found).loc[list(wanted)]
""")

_CHECK = Template("""\
    if not ${condition}:
        raise ValueError(f"fold {fold}: ${message}")
""")

_SCORE = Template("""\
from concurrent.futures import ThreadPoolExecutor

folds = range(1, int(fold_of[fold_of < 254].max()) + 1)
with ThreadPoolExecutor(folds_at_once) as pool:
    fold_predictions = list(pool.map(predict_fold, folds))
graded = [grade_fold(fold, table) for fold, table in zip(folds, fold_predictions)]
fold_scores = [float(validation_metric(actual, predicted)) for actual, predicted in graded]
fold_rows = [len(actual) for actual, _ in graded]

print("fold    rows  ${metric}")
for fold, rows, value in zip(folds, fold_rows, fold_scores):
    print(f"{fold:>4} {rows:>7,}  {value:.6g}")
validation_score = sum(v * n for v, n in zip(fold_scores, fold_rows)) / sum(fold_rows)
print(f"Final Validation Performance: {validation_score!r}")""")


def metric_code(metric: Metric) -> str:
    """Source of the metric. Its second name is one that no cell of a solution takes by chance."""
    try:
        source = textwrap.dedent(metric.source).strip()
    except (OSError, TypeError):
        source = ""
    found = re.match(r"def (\w+)\(", source)
    if found is None:
        return _NO_METRIC.substitute(name=metric.name)
    if is_built_in(metric):
        source = re.sub(r"  # type: ignore\[[\w, -]+\]", "", source)
    return f"{source}\n\n\nvalidation_metric = {found[1]}"


def staging_code(data: TaskData) -> str:
    """Source of ``stage_fold``, which writes the files that ``Staging`` does."""
    assert data.train is not None
    train, test_name = data.train, data.staged["test_path"]
    answers = train.typed("answer_columns") if train.is_text else "train_rows[answer_columns]"
    files = sorted({PurePosixPath(name).parts[0] for name in data.task.source.files})
    modules = sorted({*train.imports, *(["shutil"] if files else [])})
    lines = [
        *(f"import {module}" for module in modules),
        "from pathlib import Path",
        "",
        "import pandas as pd",
        "",
        *(["# As text, so that no value is rewritten."] if train.is_text else []),
        f"train_rows = {train.as_staged()}",
        *train.mends("train_rows"),
        assignment("answer_columns", data.answer_columns),
        f"train_answers = {answers}",
        'assert len(train_rows) == len(fold_of), "these are not the rows that the folds are for"',
        "",
        "",
        _STAGE.substitute(
            known=_known(data),
            write_train=write_code("train_rows[known]", train.staged, _beside(train.staged)),
            test_rows=data.features_of("train_rows[held]"),
            write_test=write_code("test_rows", test_name, _beside(test_name)),
            sample=indented(data.form("sample", "asked")),
            sample_path=literal(data.staged["sample_path"]),
            data_dir=literal(data.staged["data_dir"]),
        ),
    ]
    if files:
        data_dir = literal(data.staged["data_dir"])
        lines.append(_COPY_FILES.substitute(files=literal(files), data_dir=data_dir))
    return "\n".join(lines)


def execution_code(data: TaskData) -> str:
    """Source that runs the cells of the solution on one fold, in a process of its own."""
    run = data.run
    values = {**run.staging.parameters, "seed": run.settings.seed}
    return _EXECUTE.substitute(
        parameters="\n".join(f"    {literal(n)}: {literal(v)}," for n, v in values.items()),
        jobs=max(1, min(run.settings.jobs, run.validation.folds)),
        threads=run.settings.threads_here,
    )


def grading_code(task: Task) -> str:
    """Source of ``grade_fold``: what ``grade`` checks and codes for a task of this kind."""
    is_aligned = task.id_column in task.train.columns and task.id_column in task.sample_columns
    columns = literal(task.target)
    if task.metric.needs == "probability" and task.kind == "multiclass":
        labels = [str(label) for label in task.classes]
        columns = "class_names" if labels == class_names(task) else literal(labels)
    is_classes = task.kind != "regression" and task.metric.needs != "ranking"
    code = assignment("class_names", class_names(task)) + "\n\n\n" if is_classes else ""
    code += _AS_TEXT if is_aligned or task.kind != "regression" else ""
    condition, message = _condition(task)
    return code + _GRADE.substitute(
        align=_ALIGN.substitute(id=literal(task.id_column)) if is_aligned else "",
        columns=columns,
        actual=_actual(task),
        predicted=_predicted(task),
        check=_CHECK.substitute(condition=condition, message=message) if condition else "",
    )


def scoring_code(task: Task) -> str:
    """Source that validates on all folds and prints the score on its last line."""
    return _SCORE.substitute(metric=task.metric.name.replace('"', "'"))


def class_names(task: Task) -> list[str]:
    """The classes as text, in the order of their numbers; the positive one of two is 1."""
    names = [_plain(label) for label in task.classes]
    positive = _plain(task.positive_class)
    return sorted(names, key=lambda name: name == positive) if task.kind == "binary" else names


def _known(data: TaskData) -> str:
    """Source of which rows a fold learns from (as ``Validation.train_rows``)."""
    if data.run.validation.ordered:
        return "fold_of < fold  # the folds follow each other in time"
    return "(fold_of != fold) & (fold_of < 254)" if data.leaves_rows_out else "fold_of != fold"


def _beside(name: str) -> str:
    return f"folder / {literal(name)}"


def _actual(task: Task) -> str:
    answers = f"asked[{literal(task.target)}]"
    if task.metric.needs == "ranking":
        return f"as_text({answers}).to_numpy()"
    if task.kind == "regression":
        return f"{answers}.to_numpy(dtype=float)"
    return f"as_text({answers}).map(class_names.index).to_numpy(dtype=int)"


def _predicted(task: Task) -> str:
    match task.metric.needs:
        case "ranking":
            return "predicted.to_numpy(dtype=object)"
        case "label":
            return "as_text(predicted).map(class_names.index).to_numpy(dtype=int)"
        case "probability" if task.kind == "multiclass":
            return 'predicted.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)'
        case _:
            return 'pd.to_numeric(predicted, errors="coerce").to_numpy(dtype=float)'


def _condition(task: Task) -> tuple[str, str]:
    """What predictions must fulfil, as source, and in words if they do not."""
    match task.metric.needs:
        case "value":
            return "np.isfinite(predicted).all()", "some predictions are no finite numbers"
        case "probability" if task.kind == "multiclass":
            sums = "np.allclose(predicted.sum(axis=1), 1, rtol=0, atol=1e-4)"
            return f"((predicted >= 0).all() and {sums})", "probabilities of a row must sum to 1"
        case "probability":
            return "((predicted >= 0) & (predicted <= 1)).all()", "probabilities lie in [0, 1]"
        case "ranking":
            return '(predicted != "").all()', "some predictions are empty"
        case _:
            return "", ""


def _plain(label: Any) -> str:
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(label).strip())
