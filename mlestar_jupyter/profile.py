"""What the data is like: a compact profile of columns, side tables and files, for the agents."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from mlestar_jupyter.tables import read_table, table_suffix

if TYPE_CHECKING:
    import pandas as pd

ColumnKind = Literal["numeric", "boolean", "category", "text", "date", "file", "constant"]

#: Up to so many rows are looked at to tell a column's kind.
LOOKED_AT = 5_000
#: Longer strings (in words, on average) are text rather than categories.
WORDS_OF_TEXT = 5.0
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Column:
    """One column: its kind, distinct values, share missing (0 to 1) and range (numeric only)."""

    name: str
    kind: ColumnKind
    distinct: int
    missing: float
    low: float | None = None
    high: float | None = None
    words: float = 0.0
    whole: bool = False
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class SideTable:
    """A table beside train and test. ``path`` is relative to ``data_dir``.

    ``joins`` are the ways to join it to train, the best first; each is a tuple of pairs (column
    of train, column of this table). ``one_row`` says whether the columns of the first join name
    one row of this table at most; if not, its rows must be aggregated.
    """

    path: str
    rows: int
    columns: Mapping[str, Column]
    joins: tuple[tuple[tuple[str, str], ...], ...]
    one_row: bool


@dataclass(frozen=True)
class Profile:
    """The columns that train and test share, side tables, and where image files lie."""

    rows: int
    test_rows: int
    columns: Mapping[str, Column]
    tables: tuple[SideTable, ...] = ()
    image_column: str | None = None
    image_folder: str | None = None

    def of_kind(self, *kinds: ColumnKind) -> tuple[str, ...]:
        """Names of the columns of these kinds, in order."""
        return tuple(name for name, column in self.columns.items() if column.kind in kinds)


def profile_column(values: pd.Series) -> Column:
    """Tell what one column is like from its first rows."""
    import pandas as pd

    name = str(values.name)
    missing = float(values.isna().mean()) if len(values) else 1.0
    present = values.dropna()
    distinct = int(present.nunique())
    looked = present.iloc[:LOOKED_AT]
    examples = tuple(str(v)[:60] for v in looked.drop_duplicates().iloc[:3])
    if distinct <= 1:
        return Column(name, "constant", distinct, missing, examples=examples)
    if pd.api.types.is_bool_dtype(present):
        return Column(name, "boolean", distinct, missing, examples=examples)
    if pd.api.types.is_numeric_dtype(present):
        whole = bool((looked % 1 == 0).all())
        low, high = float(present.min()), float(present.max())
        return Column(name, "numeric", distinct, missing, low, high, whole=whole, examples=examples)
    if pd.api.types.is_datetime64_any_dtype(present) or looks_like_dates(looked):
        return Column(name, "date", distinct, missing, examples=examples)
    strings = looked.astype(str)
    words = float(strings.str.count(r"\S+").mean())
    if strings.str.lower().str.endswith(IMAGE_SUFFIXES).mean() > 0.9:
        return Column(name, "file", distinct, missing, examples=examples)
    kind: ColumnKind = (
        "text" if words >= WORDS_OF_TEXT and distinct > len(values) // 3 else "category"
    )
    return Column(name, kind, distinct, missing, words=words, examples=examples)


def looks_like_dates(values: pd.Series) -> bool:
    """True when nearly all of these strings are dates (numbers alone are not)."""
    import pandas as pd

    strings = values.astype(str).iloc[:200]
    if not strings.str.contains(r"\d[-/.:]\d", regex=True).mean() > 0.95:
        return False
    if strings.str.fullmatch(r"[\d.]+").any():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = pd.to_datetime(strings, errors="coerce", format="mixed")
        second = pd.to_datetime(strings, errors="coerce", format="mixed", dayfirst=True)
    return bool(max(first.notna().mean(), second.notna().mean()) > 0.95)


def profile_columns(frame: pd.DataFrame) -> dict[str, Column]:
    """The profile of each column of a table."""
    return {str(name): profile_column(frame[name]) for name in frame.columns}


def make_profile(
    train: pd.DataFrame,
    test: pd.DataFrame | None,
    features: Sequence[str],
    folder: Path | None,
    files: Sequence[str],
) -> Profile:
    """Look at the shared columns (``features``) and the task's other files."""
    columns = profile_columns(train[list(features)])
    tables = []
    for file in files:
        path = PurePosixPath(file)
        if folder is not None and len(path.parts) == 1 and table_suffix(Path(file)):
            side = _side_table(folder, file, train, columns)
            if side is not None:
                tables.append(side)
    image_column, image_folder = _images(train, columns, files)
    test_rows = 0 if test is None else len(test)
    return Profile(len(train), test_rows, columns, tuple(tables), image_column, image_folder)


def _side_table(
    folder: Path, file: str, train: pd.DataFrame, columns: Mapping[str, Column]
) -> SideTable | None:
    from mlestar_jupyter.errors import TaskError

    try:
        table = read_table(folder / file)
    except TaskError:
        return None  # not every file beside a task is a table; what is no table is no side table
    joins = find_joins(train, table, columns)
    one_row = bool(joins) and not table.duplicated([theirs for _, theirs in joins[0]]).any()
    return SideTable(file, len(table), profile_columns(table), joins, one_row)


def find_joins(
    train: pd.DataFrame, table: pd.DataFrame, columns: Mapping[str, Column]
) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The ways to join a side table to train, the best first; () when there is none.

    Columns of one name count when they share values. With none of one name, a column that names
    the rows of the side table is matched by its values.
    """
    same = [
        (name, name)
        for name in columns
        if name in table.columns and _overlap(train[name], table[name]) > 0.5
    ]
    if same:
        return (_smallest_unique(same, table),)
    found: list[tuple[float, tuple[str, str]]] = []
    for theirs in table.columns:
        if table[theirs].dtype.kind in "fb" or table[theirs].duplicated().any():
            continue
        numeric = table[theirs].dtype.kind in "iu"
        stem = re.sub(r"\W|_|id$", "", str(theirs).lower())
        for ours in columns:
            # Small whole numbers overlap by chance: their names must be related as well.
            if numeric and (not stem or stem not in re.sub(r"\W|_", "", ours.lower())):
                continue
            overlap = _overlap(train[ours], table[theirs])
            if overlap > 0.5:
                found.append((overlap, (ours, str(theirs))))
    found.sort(key=lambda pair: -pair[0])
    return tuple((pair,) for _, pair in found)


def _smallest_unique(
    pairs: list[tuple[str, str]], table: pd.DataFrame
) -> tuple[tuple[str, str], ...]:
    """The fewest of the shared columns that name one row, else those that look like keys."""
    from itertools import combinations

    for size in range(1, min(3, len(pairs)) + 1):
        for chosen in combinations(pairs, size):
            if not table.duplicated([theirs for _, theirs in chosen]).any():
                return chosen
    ids = [p for p in pairs if re.search(r"(^|_)(id|key|code|no|num)$", p[0].lower())]
    strings = [p for p in pairs if table[p[1]].dtype.kind in "OSU"]
    whole = [p for p in pairs if table[p[1]].dtype.kind in "iu"]
    return tuple((ids or strings or whole or pairs)[:1])


def _overlap(ours: pd.Series, theirs: pd.Series) -> float:
    """Share of our distinct values that occur in the other column."""
    if (ours.dtype.kind in "OSU") != (theirs.dtype.kind in "OSU") or ours.dtype.kind == "b":
        return 0.0
    values = ours.dropna().unique()
    if len(values) < 2:
        return 0.0
    return float(len(set(values) & set(theirs.dropna().unique())) / len(values))


def _images(
    train: pd.DataFrame, columns: Mapping[str, Column], files: Sequence[str]
) -> tuple[str | None, str | None]:
    folders: dict[str, set[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            folders.setdefault(str(path.parent), set()).add(path.name)
    for name in columns:
        values = train[name].dropna().astype(str).iloc[:200]
        for folder, names in folders.items():
            if columns[name].kind == "file" and values.isin(names).mean() > 0.9:
                return name, folder
    if folders and files:
        paths = set(files)
        for name in columns:
            values = train[name].dropna().astype(str).iloc[:200]
            if columns[name].kind == "file" and values.isin(paths).mean() > 0.9:
                return name, "."
    return None, None
