"""Tables on disk: which formats are read, and how rows are cut out without rewriting a value."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlestar_jupyter.errors import TaskError

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = {".csv": ",", ".tsv": "\t"}
#: What a table may be named, compressed or not.
SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".jsonl", ".ndjson", ".xlsx", ".xls")
_PACKED = (".gz", ".zip")


def table_suffix(path: Path) -> str | None:
    """``.csv`` for ``train.csv`` and ``train.csv.gz``; None when it is no table we read."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else None


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked where it is gz or zip (a zip must hold one table)."""
    if path.suffix.lower() == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if table_suffix(Path(n)) and "__MACOSX" not in n]
            if len(names) != 1:
                raise TaskError(
                    f"{path.name} holds {len(names)} tables; unpack it so that it is one"
                )
            return archive.read(names[0])
    return path.read_bytes()


def read_text(path: Path) -> str:
    """A text table's content; TaskError naming the file and byte when it is not UTF-8."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(
            f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8, "
            f"for example: iconv -f latin1 -t utf-8 {path.name}"
        ) from error


def read_table(path: Path) -> pd.DataFrame:
    """Read any of SUFFIXES as a DataFrame; TaskError in one line when it cannot be read."""
    import pandas as pd

    suffix = table_suffix(path)
    if not path.is_file():
        raise TaskError(f"no file {path}; check the path")
    if path.stat().st_size == 0:
        raise TaskError(f"{path.name} is empty; put a table with a header line into it")
    readers: dict[str, Callable[[], pd.DataFrame]] = {
        ".parquet": lambda: pd.read_parquet(io.BytesIO(read_bytes(path))),
        ".feather": lambda: pd.read_feather(io.BytesIO(read_bytes(path))),
        ".jsonl": lambda: _read_json_lines(path),
        ".ndjson": lambda: _read_json_lines(path),
        ".xlsx": lambda: pd.read_excel(io.BytesIO(read_bytes(path))),
        ".xls": lambda: pd.read_excel(io.BytesIO(read_bytes(path))),
    }
    try:
        if suffix in DELIMITERS:
            text = read_text(path)
            _check_header(text, DELIMITERS[suffix], path)
            frame = parse_csv(text, DELIMITERS[suffix])
        elif suffix in readers:
            frame = flat(readers[suffix]())
        else:
            raise TaskError(f"{path.name} is no table we read; use one of {', '.join(SUFFIXES)}")
    except TaskError:
        raise
    except ImportError as error:
        raise TaskError(f"{path.name} needs a package: pip install {error.name}") from error
    except Exception as error:  # each reader has errors of its own; all mean the same to the user
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TaskError(f"{path.name} cannot be read as a table: {reason}") from error
    if isinstance(frame.index, pd.RangeIndex) is False:
        frame = frame.reset_index()
    frame.columns = [str(c) for c in frame.columns]
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise TaskError(f"{path.name} has two columns named {twice[0]!r}; rename one")
    return frame


def parse_csv(text: str, delimiter: str) -> pd.DataFrame:
    """Text as a DataFrame, as tables are read everywhere here."""
    import pandas as pd

    return pd.read_csv(io.StringIO(text, newline=""), sep=delimiter, low_memory=False)


def read_as_written(path: Path, column: str) -> pd.Series[str] | None:
    """A column of a text table as it is written; None for other formats and for empty values."""
    import pandas as pd

    delimiter = DELIMITERS.get(table_suffix(path) or "")
    if delimiter is None:
        return None
    text = io.StringIO(read_text(path), newline="")
    frame = pd.read_csv(text, sep=delimiter, dtype=str, keep_default_na=False, usecols=[column])
    return frame[column][frame[column] != ""]


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with lists and records inside of cells written as JSON: values are plain here."""
    import numpy as np

    nested = (list, tuple, dict, set, np.ndarray)
    plain = frame.copy(deep=False)
    for name in (n for n, kind in frame.dtypes.items() if getattr(kind, "char", "") == "O"):
        holds = frame[name].map(lambda value: isinstance(value, nested))
        if holds.any():
            plain[name] = frame[name].where(~holds, frame[name][holds].map(_as_json))
    return plain


def _as_json(value: object) -> str:
    def plain(inner: object) -> object:
        return inner.tolist() if hasattr(inner, "tolist") else str(inner)

    return json.dumps(sorted(value, key=str) if isinstance(value, set) else value, default=plain)


def _read_json_lines(path: Path) -> pd.DataFrame:
    """Values as JSON has them: pandas would make numbers of "007" and dates of what looks so."""
    import pandas as pd

    return pd.DataFrame([json.loads(x) for x in read_text(path).split("\n") if x.strip()])


def _check_header(text: str, delimiter: str, path: Path) -> None:
    """Two columns of one name are an error: pandas would rename the second in silence."""
    lines = (line for line in io.StringIO(text, newline="") if line.strip())
    names = [name for name in next(csv.reader(lines, delimiter=delimiter), []) if name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TaskError(f"{path.name} has two columns named {twice[0]!r}; rename one")


def keep_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a DataFrame as Parquet; TaskError naming a column whose values no table can hold.

    A column of numbers and words together becomes one of words: Parquet has no other form for it.
    """
    import pyarrow as pa

    kept = frame.copy(deep=False)
    objects = [n for n, kind in kept.dtypes.items() if getattr(kind, "char", "") == "O"]
    for name in objects:
        try:
            pa.array(kept[name], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            if not kept[name].dropna().map(lambda v: isinstance(v, str | int | float | bool)).all():
                raise TaskError(
                    f"column {name!r} holds Python objects; make it numbers, text or dates"
                ) from error
            kept[name] = kept[name].where(kept[name].isna(), kept[name].astype(str))
    kept.to_parquet(path, index=False)


@dataclass(frozen=True)
class TextTable:
    """A CSV or TSV as text records: rows and columns are cut out exactly as they were written."""

    header: tuple[str, ...]
    records: tuple[str, ...]
    delimiter: str

    @classmethod
    def parse(cls, text: str, delimiter: str) -> TextTable:
        """Split into records; line breaks inside quotes belong to their record.

        As for pandas, quotes count only where a value begins with one. ValueError without header.
        """
        if '"' in text:
            value = _value(delimiter)
            record = re.compile(rf"{value}(?:{re.escape(delimiter)}{value})*(?:\r?\n|$)")
            lines = [m.group().rstrip("\r\n") for m in record.finditer(text)]
        else:
            lines = [line.rstrip("\r") for line in text.split("\n")]
        records = [line for line in lines if line.strip()]
        if not records:
            raise ValueError("no header")
        return cls(_fields(records[0], delimiter), tuple(records[1:]), delimiter)

    def cut(self, rows: Sequence[int], columns: Sequence[str]) -> str:
        """The text of these rows and columns, header first, values as they were written.

        Values that a record lacks at its end are missing. ValueError for an unknown column.
        """
        names = [_bare(name) for name in self.header]
        kept = [names.index(column) for column in columns]
        lines = [self.delimiter.join(self.header[i] for i in kept)]
        if kept == list(range(len(names))):
            lines += [self.records[row] for row in rows]
        else:
            for row in rows:
                fields = _fields(self.records[row], self.delimiter)
                fields += ("",) * (len(names) - len(fields))
                lines.append(self.delimiter.join(fields[i] for i in kept))
        return "\n".join(lines) + "\n"


def _value(delimiter: str) -> str:
    """One value: quoted from its first character on, or up to the next delimiter or line end."""
    plain = rf"[^{re.escape(delimiter)}\r\n]*"
    return rf'(?:"(?:[^"]|"")*"{plain}|(?!"){plain})'


def _fields(record: str, delimiter: str) -> tuple[str, ...]:
    if '"' not in record:
        return tuple(record.split(delimiter))
    pattern = re.compile(rf"({_value(delimiter)})(?:{re.escape(delimiter)}|$)")
    fields, place = [], 0
    while place <= len(record):
        match = pattern.match(record, place)
        if match is None:
            raise ValueError("a quote is left open")
        fields.append(match.group(1))
        if match.end() == len(record) and not record.endswith(delimiter, 0, match.end()):
            break
        if match.end() == len(record):
            fields.append("")  # the delimiter at the end is followed by an empty value
            break
        place = match.end()
    return tuple(fields)


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name
