"""Side tables: how each one joins the rows of train, and what columns that gives."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.agents.playbook.dates import date_format
from mlestar_jupyter.agents.playbook.rendering import Code, render, written
from mlestar_jupyter.profile import Column, SideTable
from mlestar_jupyter.tables import read_table, table_suffix
from mlestar_jupyter.task import Task

if TYPE_CHECKING:
    import pandas as pd

#: A table is joined in so many ways at most (for example to origin and to destination).
MOST_WAYS = 3
#: A key with fewer values than this tells no more than the column that it is.
FEW_KEYS = 6
_READERS = {
    ".csv": "pd.read_csv(side / {path!r}, low_memory=False)",
    ".tsv": 'pd.read_csv(side / {path!r}, sep="\\t", low_memory=False)',
    ".parquet": "pd.read_parquet(side / {path!r})",
    ".feather": "pd.read_feather(side / {path!r})",
    ".jsonl": "pd.read_json(side / {path!r}, lines=True)",
    ".ndjson": "pd.read_json(side / {path!r}, lines=True)",
    ".xlsx": "pd.read_excel(side / {path!r})",
    ".xls": "pd.read_excel(side / {path!r})",
}


@dataclass(frozen=True)
class Join:
    """One way to join one side table, and the columns it adds. No columns: it is left out."""

    table: SideTable
    keys: tuple[tuple[str, str], ...]
    label: str
    prefix: str
    dropped: tuple[str, ...] = ()
    columns: dict[str, Column] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)

    @property
    def section(self) -> str:
        """This join as a section of the block ``join``."""
        ours, theirs = [k[0] for k in self.keys], [k[1] for k in self.keys]
        values: dict[str, Any] = {
            "name": Code(_identifier(self.table.path)),
            "label": Code(self.label),
            "read": Code(reader(self.table.path)),
            "keys_in_words": Code(" and ".join(theirs)),
            "theirs": theirs,
            "ours": ours,
            "prefix": self.prefix,
        }
        if self.table.one_row:
            words = {"dropped"} if self.dropped else set()
            return render("joins/one", words, {**values, "dropped": list(self.dropped)})
        return render("joins/many", *self._summary(values, theirs))

    def _summary(
        self, values: dict[str, Any], theirs: list[str]
    ) -> tuple[set[str], dict[str, Any]]:
        columns = {n: c for n, c in self.table.columns.items() if n not in theirs}
        dates = [n for n, c in columns.items() if c.kind == "date"]
        numbers = [n for n, c in columns.items() if c.kind in ("numeric", "boolean")]
        numbers = [n for n in numbers if not _names_rows(n, columns[n], self.table.rows)][:30]
        kinds = [n for n, c in columns.items() if c.kind == "category" and c.distinct <= 200][:8]
        summaries = ["mean", "std", "min", "max", "sum", *(["last"] if dates else [])]
        words = {"numbers"} if numbers or dates else set()
        words |= {"dates", "order"} if dates else set()
        words |= {"kinds"} if kinds else set()
        filled = {
            **values,
            "date_columns": {name: self.formats[name] for name in dates},
            "order": dates[0] if dates else "",
            "numbers": numbers + dates,
            "summaries": summaries,
            "kinds": kinds,
        }
        return words, filled


def reader(path: str) -> str:
    """The call that reads a side table, by its suffix."""
    return _READERS[table_suffix(Path(path)) or ".csv"].format(path=path)


def find_joined(task: Task) -> tuple[Join, ...]:
    """All joins of the task, in the order of its side tables."""
    found: list[Join] = []
    for given in task.profile.tables:
        table = _by_id(task, given)
        ways = table.joins[:MOST_WAYS]
        for keys in ways:
            label = table.path if len(ways) == 1 else f"{table.path} of {keys[0][0]}"
            stem = _identifier(table.path)
            prefix = f"{stem}_" if len(ways) == 1 else f"{keys[0][0]}_{stem}_"
            found.append(_columns_of(Join(table, keys, label, prefix), task))
    return tuple(found)


def _by_id(task: Task, table: SideTable) -> SideTable:
    """The table joined by the id of the rows, where it has that column: nothing is surer."""
    name = task.id_column
    if name is None or name not in table.columns or name not in task.train.columns:
        return table
    if (name, name) in (table.joins[0] if table.joins else ()):
        return table
    frame = _read(task, table)
    if frame is None or not set(frame[name].dropna()) & set(task.train[name].dropna()):
        return table
    one_row = not frame[name].duplicated().any()
    return dataclasses.replace(table, joins=(((name, name),),), one_row=one_row)


def _read(task: Task, table: SideTable) -> pd.DataFrame | None:
    return None if task.source.folder is None else read_table(task.source.folder / table.path)


def _columns_of(join: Join, task: Task) -> Join:
    table, profile = join.table, task.profile
    theirs = [k[1] for k in join.keys]
    dates = [n for n, c in table.columns.items() if c.kind == "date" and n not in theirs]
    formats = {}
    frame = _read(task, table) if dates else None
    if frame is not None:
        formats = {name: date_format(frame[name]) for name in dates}
    if not table.one_row:
        return dataclasses.replace(join, columns=_summed_up(join, theirs), formats=formats)
    key = profile.columns.get(join.keys[0][0])
    if len(theirs) == 1 and key is not None and key.distinct < FEW_KEYS:
        return join  # it would only say again which of a few values the key has
    dropped, columns = [], {}
    for name, column in table.columns.items():
        if name in theirs:
            continue
        another_name = column.kind in ("category", "text") and column.distinct > 0.9 * table.rows
        if column.kind == "constant" or another_name or _repeats(name, column, profile.columns):
            dropped.append(name)
        else:
            columns[join.prefix + name] = dataclasses.replace(column, name=join.prefix + name)
    formats = {join.prefix + n: f for n, f in formats.items() if join.prefix + n in columns}
    return dataclasses.replace(join, dropped=tuple(dropped), columns=columns, formats=formats)


def _summed_up(join: Join, theirs: list[str]) -> dict[str, Column]:
    columns = {f"{join.prefix}rows": Column(f"{join.prefix}rows", "numeric", 100, 0.0, 0.0)}
    for name, column in join.table.columns.items():
        if column.kind in ("numeric", "date") and name not in theirs:
            full = f"{join.prefix}{name}_mean"
            columns[full] = Column(full, "numeric", column.distinct, 0.0, column.low, column.high)
    return columns


def _repeats(name: str, column: Column, ours: Any) -> bool:
    """Whether train has this column already: the same name, kind and range."""
    own = ours.get(name)
    if own is None or own.kind != column.kind:
        return False
    if column.kind == "numeric":
        return bool(own.low >= column.low and own.high <= column.high and column.distinct < 400)
    return True


def _names_rows(name: str, column: Column, rows: int) -> bool:
    """Whether a number only numbers the rows."""
    return column.whole and column.distinct > 0.95 * rows and name.lower().endswith("id")


def _identifier(path: str) -> str:
    stem = posixpath.basename(path).split(".")[0]
    name = re.sub(r"\W+", "_", stem).strip("_").lower() or "table"
    return name if name[0].isalpha() else f"table_{name}"


def keys_only(task: Task, joins: tuple[Join, ...]) -> list[str]:
    """Columns that are needed to join, and say nothing beyond that: ids, groups, constants."""
    useless = {task.id_column, task.group} - set(task.profile.columns) | {task.group}
    keys = [ours for join in joins if join.columns for ours, _ in join.keys]
    return [name for name in dict.fromkeys(keys) if name in useless]


def join_block(joins: tuple[Join, ...], keys: list[str]) -> str:
    """The block ``join``; "" when there is nothing to join."""
    used = [join for join in joins if join.columns]
    if not used:
        return ""
    source = "\n\n".join([render("joins/start", ()), *(join.section for join in used)])
    if keys:
        source += f"\n\n# What only served as a key goes.\nkeys = {written(keys)}\n"
        source += "train, test = train.drop(columns=keys), test.drop(columns=keys)"
    left = sorted({j.table.path for j in joins} - {j.table.path for j in used})
    if left:
        source += f"\n\n# {', '.join(left)}: only other names of what is known, left out."
    return source
