"""Staging: the files that one purpose sees. No path leads from them to the answers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlestar_jupyter.solution import DEFAULT_PARAMETERS
from mlestar_jupyter.tables import (
    DELIMITERS,
    TextTable,
    keep_frame,
    parse_csv,
    read_text,
    table_suffix,
)
from mlestar_jupyter.task import Task
from mlestar_jupyter.validation import Purpose, Validation

if TYPE_CHECKING:
    import pandas as pd


class Staging:
    """Cuts the files of a purpose once, into ``folder/NAME/``, and says what an execution gets.

    CSV and TSV are cut as text, so that no value is rewritten; all else is staged as Parquet.
    """

    def __init__(self, task: Task, validation: Validation, folder: Path) -> None:
        self.task = task
        self.validation = validation
        self.folder = folder
        self._lock = threading.RLock()

    @property
    def parameters(self) -> dict[str, str | int]:
        """The parameters of every execution of this run but the seed: names by suffix."""
        source = self.task.source
        parameters = dict(DEFAULT_PARAMETERS)
        if source.train is not None:
            suffix = table_suffix(source.train) if self._texts else ".parquet"
            parameters["train_path"] = f"train{suffix}"
            parameters["test_path"] = f"test{suffix}"
        return parameters

    def inputs(self, purpose: Purpose) -> dict[str, Path]:
        """What to copy into a working folder: names there, and the staged files."""
        with self._lock:
            return self._inputs(purpose)

    def _inputs(self, purpose: Purpose) -> dict[str, Path]:
        if self.task.is_self_scored:
            return {"data": self._data()}
        folder = self.stage(purpose)
        return {path.name: path for path in sorted(folder.iterdir())} | {"data": self._data()}

    def stage(self, purpose: Purpose) -> Path:
        """Cut the files of this purpose, unless that was done; gives their folder."""
        name = f"fold-{purpose}" if isinstance(purpose, int) else purpose
        folder = self.folder / name
        if folder.is_dir():
            return folder
        partial = self.folder / f".{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self._write(purpose, partial)
        partial.rename(folder)
        return folder

    def _write(self, purpose: Purpose, folder: Path) -> None:
        task, parameters = self.task, self.parameters
        source = task.source
        assert source.train is not None
        train_columns = list(task.train.columns)
        rows = self.validation.train_rows(purpose)
        self._table(
            source.train, task.train, rows, train_columns, folder / str(parameters["train_path"])
        )
        test = folder / str(parameters["test_path"])
        if purpose == "all":
            if task.test is None or source.test is None:
                # Nothing to predict: the first rows stand in, so that the notebook runs whole.
                rows = rows[: min(len(rows), 100)]
                self._table(source.train, task.train, rows, task.features, test)
                frame = task.train.iloc[rows]
            else:
                every = np.arange(len(task.test))
                # Without the target: some tests have its column, with nothing in it.
                self._table(source.test, task.test, every, list(task.features), test)
                frame = task.test
        else:
            rows = self.validation.held_rows(purpose)
            self._table(source.train, task.train, rows, task.features, test)
            frame = task.train.iloc[rows]
        sample = folder / str(parameters["sample_path"])
        if purpose == "all" and task.sample is not None and task.test is not None:
            assert source.sample is not None
            if table_suffix(source.sample) == ".csv":
                sample.write_bytes(read_text(source.sample).encode())
            else:
                task.sample.to_csv(sample, index=False)
        else:
            self.sample(frame).to_csv(sample, index=False)

    def sample(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The form to fill for these rows: their ids, and the same placeholder in each."""
        import pandas as pd

        task = self.task
        columns: dict[str, object] = {}
        for name in task.sample_columns:
            if name == task.id_column and name in rows.columns:
                columns[name] = rows[name].to_numpy()
            elif name == "row" and task.id_column is None and name not in rows.columns:
                columns[name] = range(len(rows))
            elif task.sample is not None and name in task.sample.columns:
                columns[name] = task.sample[name].iloc[0]
            else:
                columns[name] = 0
        return pd.DataFrame(columns, index=range(len(rows)))

    def _table(
        self,
        path: Path,
        frame: pd.DataFrame,
        rows: NDArray[np.intp],
        columns: Sequence[str],
        out: Path,
    ) -> None:
        text = self._texts.get(path)
        if text is not None:
            out.write_bytes(text.cut(rows.tolist(), columns).encode())
        else:
            keep_frame(frame.iloc[rows][list(columns)], out)

    @cached_property
    def _texts(self) -> dict[Path, TextTable]:
        """Train and test as text, by path; empty when they cannot both be cut as text exactly."""
        source = self.task.source
        paths = [path for path in (source.train, source.test) if path is not None]
        suffixes = {table_suffix(path) for path in paths}
        if len(suffixes) != 1 or not suffixes <= set(DELIMITERS):
            return {}
        texts = {path: self._exact(path) for path in paths}
        return {
            path: text for path, text in texts.items() if text is not None and all(texts.values())
        }

    def _exact(self, path: Path) -> TextTable | None:
        """The table as text, if what is cut from it reads as what was read; else None."""
        delimiter = DELIMITERS[table_suffix(path) or ""]
        frame = self.task.train if path == self.task.source.train else self.task.test
        assert frame is not None
        try:
            table = TextTable.parse(read_text(path), delimiter)
            if len(table.records) != len(frame):
                return None
            every = range(len(frame))
            for columns in (list(frame.columns), list(self.task.features)):
                cut = parse_csv(table.cut(every, columns), delimiter)
                if not cut.equals(frame[columns]):
                    return None
        except (ValueError, IndexError):
            return None
        return table

    def _data(self) -> Path:
        """The task's other files, copied once: candidates get copies of these copies."""
        folder = self.folder / "data"
        if folder.is_dir():
            return folder
        partial = self.folder / ".data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in self.task.source.files:
            assert self.task.source.folder is not None
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.task.source.folder / name, partial / name)
        partial.rename(folder)
        return folder
