"""A table of the task: whether a solution may read the file itself, and plain code to read it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlestar_jupyter.notebook.python_source import in_folder, literal, separator
from mlestar_jupyter.tables import DELIMITERS, parse_csv, read_bytes, read_text, table_suffix

if TYPE_CHECKING:
    import pandas as pd


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

    def typed(self, columns: Sequence[str] | str | None = None) -> str:
        """Source that reads all rows with types; only some columns, by name or by a list's name."""
        chosen = columns if isinstance(columns, str) else literal(columns) if columns else ""
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
