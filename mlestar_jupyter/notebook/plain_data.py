"""Where the data of a task lies and how it is read and written, as plain code.

What a solution reads in the finished notebook must be what it read when it was judged. So a file
is used in place only if staging would have given the same one; else the notebook writes it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.notebook.python_source import in_folder, literal, separator, write_code
from mlestar_jupyter.run import Run
from mlestar_jupyter.tables import DELIMITERS, parse_csv, read_bytes, read_text, table_suffix
from mlestar_jupyter.validation import SEALED

if TYPE_CHECKING:
    import pandas as pd

#: Where the finished notebook keeps the files that it has to write for the solution. A folder of
#: its own, so that nobody's train.csv is overwritten.
PREPARED = "prepared"
#: Without a test, so many rows of train stand in for it (as in staging).
STAND_IN = 100


class TableFile:
    """One table of the task: a file beside the others, and the name it is staged under."""

    def __init__(self, path: Path, staged: str, frame: pd.DataFrame) -> None:
        self.path = path
        self.staged = staged
        self.where = in_folder(path.name)
        self._frame = frame
        self._suffix = table_suffix(path) or ".csv"

    @property
    def is_text(self) -> bool:
        """Whether solutions get it as text, each value as it was written."""
        return Path(self.staged).suffix == self._suffix != ".parquet"

    @property
    def is_direct(self) -> bool:
        """Whether a solution that is given the file itself sees what staging would give it."""
        if self.path.suffix != Path(self.staged).suffix:
            return False
        return self.is_text or list(self._index[:2]) == [0, 1]

    @property
    def _has_index(self) -> bool:
        """Whether pandas takes columns of the file for an index, which tables are read without."""
        import pandas as pd

        return not isinstance(self._index, pd.RangeIndex)

    @cached_property
    def _index(self) -> pd.Index:
        """The index that pandas gives the file's rows."""
        import pandas as pd

        if self._suffix in DELIMITERS and not self.is_text:
            return parse_csv(read_text(self.path), DELIMITERS[self._suffix]).index
        if self._suffix == ".parquet":
            return pd.read_parquet(io.BytesIO(read_bytes(self.path)), columns=[]).index
        return pd.RangeIndex(len(self._frame))

    @property
    def _packed(self) -> str:
        """``.gz`` or ``.zip`` if it is packed, else ""."""
        suffix = self.path.suffix.lower()
        return suffix if suffix in (".gz", ".zip") else ""

    @property
    def _is_json(self) -> bool:
        return self._suffix in (".jsonl", ".ndjson")

    @property
    def imports(self) -> set[str]:
        """The modules beside pandas that the code below needs."""
        unpacks = {".gz": {"gzip"}, ".zip": {"zipfile"}}.get(self._packed, set())
        return unpacks | ({"json"} if self._is_json else set())

    def as_staged(self) -> str:
        """Source that reads all rows as staging keeps them: text as text."""
        if not self.is_text:
            return self.typed()
        options = f"{separator(self._suffix)}, dtype=str, keep_default_na=False"
        return f"pd.read_csv({self._opened()}{options})"

    def typed(self, columns: Sequence[str] | None = None) -> str:
        """Source that reads all rows, or only some columns, with types."""
        chosen = "" if columns is None else literal(list(dict.fromkeys(columns)))
        if self._suffix in DELIMITERS and not self._has_index:
            options = separator(self._suffix) + (f", usecols={chosen}" if chosen else "")
            return f"pd.read_csv({self._opened()}{options}, low_memory=False)"
        if self._suffix == ".parquet" and chosen and not self._has_index:
            return f"pd.read_parquet({self._opened()}, columns={chosen})"
        return self._whole() + (f"[{chosen}]" if chosen else "")

    def _whole(self) -> str:
        if self._is_json:
            lines = self._opened() if self._packed else f'open({self.where}, "rb")'
            return f"pd.DataFrame([json.loads(line) for line in {lines} if line.strip()])"
        if self._suffix in DELIMITERS:
            options = f"{separator(self._suffix)}, low_memory=False"
            return f"pd.read_csv({self._opened()}{options}).reset_index()"
        if self._suffix in (".xlsx", ".xls"):
            return f"pd.read_excel({self._opened()}).rename(columns=str)"
        reader = "read_feather" if self._suffix == ".feather" else "read_parquet"
        reset = ".reset_index()" if self._has_index else ""
        return f"pd.{reader}({self._opened()}){reset}"

    def _opened(self) -> str:
        """Source of what a reader of pandas is given."""
        if self._packed == ".gz":
            return f"gzip.open({self.where})"
        if self._packed == ".zip":
            with zipfile.ZipFile(self.path) as archive:
                names = [n for n in archive.namelist() if table_suffix(Path(n))]
                name = next(n for n in names if "__MACOSX" not in n)
            return f"zipfile.ZipFile({self.where}).open({literal(name)})"
        return self.where

    def mends(self, name: str) -> list[str]:
        """Source that makes words of columns with numbers and words, as ``keep_frame`` does."""
        mixed = [] if self.is_text else mixed_columns(self._frame)
        if not mixed:
            return []
        return [
            f"for column in {literal(mixed)}:  # numbers and words together: words",
            f"    words = {name}[column].astype(str)",
            f"    {name}[column] = {name}[column].where({name}[column].isna(), words)",
        ]


def mixed_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that Parquet cannot hold as they are."""
    import pyarrow as pa

    mixed = []
    for name in frame.columns[[getattr(kind, "char", "") == "O" for kind in frame.dtypes]]:
        try:
            pa.array(frame[name], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            mixed.append(str(name))
    return mixed


class TaskData:
    """The tables of a run's task, for the code of a finished notebook or a script."""

    def __init__(self, run: Run) -> None:
        source, staged = run.task.source, run.staging.parameters
        self.run = run
        self.task = run.task
        self.staged = {name: str(value) for name, value in staged.items()}
        paths = [p for p in (source.train, source.test, source.sample) if p is not None]
        self.folder = source.folder or paths[0].parent
        self.train = self.test = self.sample = None
        if source.train is not None:
            self.train = TableFile(source.train, self.staged["train_path"], self.task.train)
        if source.test is not None and self.task.test is not None:
            self.test = TableFile(source.test, self.staged["test_path"], self.task.test)
        if source.sample is not None and self.task.sample is not None:
            self.sample = TableFile(source.sample, self.staged["sample_path"], self.task.sample)

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

    def form(self, rows: str) -> str:
        """Source of the sample submission for a DataFrame of rows (as ``Staging.sample``)."""
        task = self.task
        entries = []
        is_sized = False
        for name in task.sample_columns:
            if name == task.id_column and name in self.answer_columns:
                value, is_sized = f"{rows}[{literal(name)}]", True
            elif name == "row" and task.id_column is None and name not in task.features:
                value, is_sized = f"range(len({rows}))", True
            elif task.sample is not None and name in task.sample.columns:
                value = literal(task.sample[name].iloc[0])
            else:
                value = "0"
            entries.append(f"{literal(name)}: {value}")
        size = "" if is_sized else f", index=range(len({rows}))"
        return f"pd.DataFrame({{{', '.join(entries)}}}{size})"

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
        needed = [
            n for n in ("train_path", "test_path", "sample_path") if PREPARED in parameters[n]
        ]
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
            write_code(self.features_of(f"train.head({STAND_IN})"), staged, where),
        ]

    def _prepare_sample(self, where: str) -> list[str]:
        if self.test is None:
            return [write_code(self.form(f"train.head({STAND_IN})"), "sample.csv", where)]
        if self.sample is not None:
            return [write_code(self.sample.as_staged(), "sample.csv", where)]
        rows = self.test.typed(self.answer_columns[:-1] or None)
        return [f"test = {rows}", write_code(self.form("test"), "sample.csv", where)]
