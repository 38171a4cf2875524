"""Where the data of a task lies and how it is read and written, as plain code.

What a solution reads in the finished notebook must be what it read when it was judged. So a file
is used in place only if staging would have given the same one; else the notebook writes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.notebook.python_source import (
    LINE,
    filled,
    indented,
    literal,
    write_code,
)
from mlestar_jupyter.notebook.table_file import TableFile
from mlestar_jupyter.run import Run
from mlestar_jupyter.validation import SEALED

if TYPE_CHECKING:
    import pandas as pd

#: Where the finished notebook keeps the files that it has to write for the solution. A folder of
#: its own, so that nobody's train.csv is overwritten.
PREPARED = "prepared"
#: Without a test, so many rows of train stand in for it (as in staging).
STAND_IN = 100


class TaskData:
    """The tables of a run's task, for the code of a finished notebook or a script."""

    def __init__(self, run: Run) -> None:
        source, staged = run.task.source, run.staging.parameters
        self.run = run
        self.task = run.task
        self.staged = {name: str(value) for name, value in staged.items()}
        paths = [p for p in (source.train, source.test, source.sample) if p is not None]
        self.folder = source.folder or paths[0].parent
        train = None if source.train is None else run.task.train
        self.train = self._table(source.train, "train_path", train)
        self.test = self._table(source.test, "test_path", run.task.test)
        self.sample = self._table(source.sample, "sample_path", run.task.sample)

    def _table(
        self, path: Path | None, parameter: str, frame: pd.DataFrame | None
    ) -> TableFile | None:
        if path is None or frame is None:
            return None
        return TableFile(path, self.staged[parameter], frame)

    @property
    def is_there(self) -> str:
        """Source that tells whether the data lies in ``task_folder``."""
        if self.train is None:
            return "Path(task_folder).is_dir()"
        return f"Path(task_folder, {literal(self.train.path.name)}).is_file()"

    @property
    def leaves_rows_out(self) -> bool:
        """Whether rows of train are sealed or have no target, so that no fit may use them."""
        return bool((self.run.validation.fold_of >= SEALED).any())

    @property
    def hidden(self) -> list[str]:
        """The columns of train that rows to predict do not have."""
        return [c for c in self.task.train.columns if c not in self.task.features]

    def features_of(self, frame: str) -> str:
        """Source of a DataFrame's columns that rows to predict have, in the order of test."""
        kept = [c for c in self.task.train.columns if c in self.task.features]
        if kept == list(self.task.features):
            return f"{frame}.drop(columns={literal(self.hidden)})"
        return f"{frame}[{literal(self.task.features)}]"

    @property
    def answer_columns(self) -> list[str]:
        """The columns that grading needs: the target, and the id if there is one."""
        task = self.task
        has_id = task.id_column is not None and task.id_column in task.train.columns
        return [task.id_column, task.target] if has_id and task.id_column else [task.target]

    def form(self, name: str, rows: str) -> str:
        """Source that names the sample submission of some rows (as ``Staging.sample`` makes it)."""
        task = self.task
        entries = []
        is_sized = False
        for column in task.sample_columns:
            if column == task.id_column and column in self.answer_columns:
                value, is_sized = f"{rows}[{literal(column)}]", True
            elif column == "row" and task.id_column is None and column not in task.features:
                value, is_sized = f"range(len({rows}))", True
            elif task.sample is not None and column in task.sample.columns:
                value = literal(task.sample[column].iloc[0])
            else:
                value = "0"
            entries.append(f"{literal(column)}: {value}")
        size = "" if is_sized else f", index=range(len({rows}))"
        line = f"{name} = pd.DataFrame({{{', '.join(entries)}}}{size})"
        if len(line) <= LINE:
            return line
        return f"{name} = pd.DataFrame(\n    {{\n{indented(filled(entries))}\n    }}{size}\n)"

    def parameters(self) -> dict[str, str]:
        """Source of each parameter for a fit on all rows, by name."""
        values: dict[str, Any] = {**self.run.staging.parameters, "seed": self.run.settings.seed}
        sources = {name: literal(value) for name, value in values.items()}
        sources["data_dir"] = "task_folder"
        sources["predictions_path"] = literal(
            "submission.csv" if self.test is not None else "predictions.csv"
        )
        if self.train is not None:
            for name in ("train_path", "test_path", "sample_path"):
                sources[name] = self._path(name)
        return sources

    def _path(self, parameter: str) -> str:
        direct = {
            "train_path": None if self.leaves_rows_out else self.train,
            "test_path": self.test,
            "sample_path": self.sample if self.test is not None else None,
        }[parameter]
        if direct is not None and direct.is_direct:
            return direct.where
        return literal(f"{PREPARED}/{self.staged[parameter]}")

    def preparation(self) -> str:
        """Source that writes the files that a solution cannot be given as they are; "" if none."""
        if self.train is None:
            return ""
        lines: list[str] = []
        imports: set[str] = set()
        parameters = self.parameters()
        start = f'"{PREPARED}/'
        needed = [name for name, source in parameters.items() if source.startswith(start)]
        if "train_path" in needed or self.test is None:
            imports |= self.train.imports
            lines += [f"train = {self.train.as_staged()}", *self.train.mends("train")]
            if self.leaves_rows_out:
                lines.append("# No fit may use rows that are sealed (254) or have no target (255).")
                lines.append("train = train[fold_of < 254]")
        if "train_path" in needed:
            lines.append(write_code("train", self.train.staged, parameters["train_path"]))
        if "test_path" in needed:
            lines += self._prepare_test(parameters["test_path"])
            imports |= self.test.imports if self.test else set()
        if "sample_path" in needed:
            lines += self._prepare_sample(parameters["sample_path"])
            imports |= self.sample.imports if self.sample else set()
        if not lines:
            return ""
        standard = [*(f"import {name}" for name in sorted(imports)), "from pathlib import Path"]
        make = f"Path({literal(PREPARED)}).mkdir(exist_ok=True)"
        why = "# What the solution reads, in the form in which it was judged on it."
        return "\n".join([*standard, "", "import pandas as pd", "", why, make, *lines])

    def _prepare_test(self, where: str) -> list[str]:
        staged = self.staged["test_path"]
        if self.test is not None:
            read = [f"test = {self.test.as_staged()}", *self.test.mends("test")]
            return [*read, write_code("test", staged, where)]
        return [
            "# There are no rows to predict: the first ones stand in, so that all cells run.",
            f"test = train.head({STAND_IN})",
            write_code(self.features_of("test"), staged, where),
        ]

    def _prepare_sample(self, where: str) -> list[str]:
        write = write_code("form", "form.csv", where)
        if self.test is None:
            return [self.form("form", "test"), write]
        if self.sample is not None:
            return [f"form = {self.sample.as_staged()}", write]
        rows = self.test.typed(self.answer_columns[:-1] or None)
        return [f"test = {rows}", self.form("form", "test"), write]
