"""The submission: checked against the sample, ids and labels as the task's files have them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mlestar_jupyter.grading import as_texts, code_predictions, read_predictions
from mlestar_jupyter.tables import read_as_written
from mlestar_jupyter.task import Task

if TYPE_CHECKING:
    import pandas as pd


def write_submission(task: Task, predictions: Path, path: Path) -> None:
    """Check predictions and put them at ``path``, which is replaced as a whole.

    Raises InvalidPredictions for what does not fit the sample: columns, rows, ids, finite values.
    A notebook that reads 00120 as a number writes 120; the submission has 00120 again.
    """
    assert task.test is not None
    ids = task.test[task.id_column] if task.id_column in task.test.columns else None
    code_predictions(task, read_predictions(task, predictions, ids, len(task.test)))
    partial = path.with_suffix(".partial")
    restored = _as_written(task, predictions)
    if restored is None:
        shutil.copyfile(predictions, partial)
    else:
        restored.to_csv(partial, index=False)
    partial.replace(path)


def _as_written(task: Task, predictions: Path) -> pd.DataFrame | None:
    """The predictions with ids and labels as they were written; None if nothing differs."""
    import pandas as pd

    written: dict[str, dict[str, str]] = {}
    if task.id_column is not None and task.source.test is not None:
        written[task.id_column] = _forms(task.source.test, task.id_column)
    if task.metric.needs == "label" and task.source.train is not None:
        written[task.target] = _forms(task.source.train, task.target)
    if not any(written.values()):
        return None
    frame = pd.read_csv(predictions, dtype=str, keep_default_na=False)
    for column, forms in written.items():
        if column in frame.columns and forms:
            plain = as_texts(frame[column])
            frame[column] = plain.map(forms).fillna(frame[column])
    return frame


def _forms(path: Path, column: str) -> dict[str, str]:
    """How a text table writes the values that pandas reads in another way; {} if it has none."""
    import pandas as pd

    written = read_as_written(path, column)
    if written is None:
        return {}
    numbers = pd.to_numeric(written.str.strip(), errors="coerce")
    if numbers.isna().any():
        return {}  # words are read as they are written
    plain = as_texts(numbers)
    return {} if (plain == written).all() else dict(zip(plain, written, strict=True))
