"""predict.py: a command line that predicts new rows with plain Python, without this package.

It refits: the cells of the solution are executed with train and, as rows to predict, the new
ones. That is right for every solution, also for one whose features look at all rows. A fitted
model that the solution kept is applied instead only where that was proven to give the same.
"""

from __future__ import annotations

from pathlib import Path

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.notebook import predict_source as source
from mlestar_jupyter.notebook.plain_data import TaskData
from mlestar_jupyter.notebook.python_source import assignment, fold_code, literal, write_code
from mlestar_jupyter.notebook.sources import frozen_fingerprints
from mlestar_jupyter.run import Run
from mlestar_jupyter.tables import DELIMITERS
from mlestar_jupyter.task import Task

_THREADS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"]


def refitting(run: Run, candidate: Candidate) -> str:
    """The source of a predict.py that refits. Not for a self-scored task: it has no rows."""
    data = TaskData(run)
    assert data.train is not None
    train = data.train.path.name
    is_text = Path(data.staged["test_path"]).suffix in DELIMITERS
    names = ["argparse", "ast", "hashlib", "json", "os", "shutil", "subprocess", "sys", "tempfile"]
    names += [*data.train.imports, *([] if is_text else ["contextlib"])]
    train_lines, train_parameter = _train(data, needs_frame=not is_text)
    test_name = data.staged["test_path"]
    stage = [
        *train_lines,
        *([] if is_text else ["rows = like_train(rows, train)"]),
        write_code("rows", test_name, f"folder / {literal(test_name)}"),
        'form_of(rows).to_csv(folder / "sample_submission.csv", index=False)',
    ]
    parameters = {
        "train_path": train_parameter,
        "test_path": literal(test_name),
        "sample_path": '"sample_submission.csv"',
        "data_dir": "task_folder",
        "predictions_path": '"predictions.csv"',
        "model_path": '"model.joblib"',
        "seed": literal(run.settings.seed),
    }
    main = source.REFIT_MAIN.substitute(
        folder=literal(str(data.folder)),
        alike="" if is_text else source.ALIKE,
        threads=run.settings.threads_here,
        stage="\n".join(f"        {line}" for line in stage),
        parameters="\n".join(f'                "{n}": {v},' for n, v in parameters.items()),
    )
    digest = frozen_fingerprints(run).get(train, "")
    folds = [fold_code(run.validation)] if data.leaves_rows_out else []
    return "\n".join(
        [
            _docstring(run, candidate, source.REFITS.substitute(train=train), " [--data FOLDER]"),
            *(f"import {name}" for name in sorted(set(names))),
            "from pathlib import Path\n",
            "import pandas as pd\n",
            assignment("THREADS", _THREADS),
            f"TRAIN = {literal(train)}",
            f"TRAIN_SHA256 = {literal(digest)}",
            *folds,
            _common(data, is_text=is_text) + main,
        ]
    )


def applying(run: Run, candidate: Candidate) -> str | None:
    """The source of a predict.py that applies model.joblib; None when no model could fill it."""
    data = TaskData(run)
    fill = _fill(run.task)
    if data.train is None or data.test is None or fill is None:
        return None
    inputs = "[name for name in FEATURES if name != " + literal(run.task.id_column or "") + "]"
    main = source.APPLY_MAIN.substitute(inputs=inputs, fill=fill)
    return "\n".join(
        [
            _docstring(run, candidate, source.APPLIES, ""),
            "import argparse\nimport sys",
            "from pathlib import Path\n",
            "import joblib\nimport pandas as pd\n",
            _common(data, is_text=False) + main,
        ]
    )


def _docstring(run: Run, candidate: Candidate, how: str, option: str) -> str:
    score = f"{run.task.metric.name} {candidate.score}" if candidate.score else "no score"
    words = {"how": how, "run": run.folder.name, "candidate": candidate.id, "score": score}
    plain = {name: text.replace("\\", "/").replace('"', "'") for name, text in words.items()}
    return source.DOCSTRING.substitute(plain, option=option)


def _common(data: TaskData, *, is_text: bool) -> str:
    task = data.task
    form = "\n".join(f"    {line}" for line in data.form("sample", "rows").split("\n"))
    is_id = task.id_column in task.sample_columns and task.id_column in task.features
    if is_id and task.id_column not in data.answer_columns:
        form += "\n" + source.IDS.substitute(id=literal(task.id_column))
    return source.COMMON.substitute(
        features=assignment("FEATURES", list(task.features)),
        form=form,
        text="; text as it was written" if is_text else "",
        reading="dtype=str, keep_default_na=False" if is_text else "low_memory=False",
    )


def _train(data: TaskData, *, needs_frame: bool) -> tuple[list[str], str]:
    """Lines that give the rows to learn from, and the source of ``train_path``."""
    assert data.train is not None
    if data.train.is_direct and not data.leaves_rows_out and not needs_frame:
        return [], data.train.where
    name = data.staged["train_path"]
    lines = [f"train = {data.train.as_staged()}", *data.train.mends("train")]
    if data.leaves_rows_out:
        lines += [
            "if len(train) != len(fold_of):",
            f'    fail("{data.train.path.name} has other rows than those of this run")',
            "train = train[fold_of < 254]  # the others are sealed or have no target",
        ]
    if data.train.is_direct and not data.leaves_rows_out:
        return lines, data.train.where
    return [*lines, write_code("train", name, f"folder / {literal(name)}")], literal(name)


def _fill(task: Task) -> str | None:
    """Source that fills ``sample`` with what ``model`` predicts for ``X``."""
    target = literal(task.target)
    if task.metric.needs in ("value", "label"):
        return f"    sample[{target}] = model.predict(X)"
    if task.metric.needs != "probability":
        return None
    lines = [
        "    chances = pd.DataFrame(model.predict_proba(X), columns=map(str, model.classes_))",
    ]
    if task.kind == "binary":
        lines.append(f"    sample[{target}] = chances[{literal(str(task.positive_class))}]")
    else:
        columns = literal(task.target_columns)
        lines.append(f"    sample[{columns}] = chances[{columns}]")
    return "\n".join(lines)
