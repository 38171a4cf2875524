"""What the rules go by: the task and its data, in the few facts on which recipes depend."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlestar_jupyter.agents.playbook.dates import date_format, parse_dates
from mlestar_jupyter.agents.playbook.joins import Join, find_joined
from mlestar_jupyter.interfaces import Brief
from mlestar_jupyter.profile import Column
from mlestar_jupyter.task import Task

#: Metrics of logarithms or of relative errors: the logarithm of the target is learned.
LOG_METRICS = ("rmsle", "rmspe", "mape", "smape")
#: Metrics whose best guess is a median: absolute errors are learned.
MEDIAN_METRICS = ("mae", "median_absolute_error", "mape", "smape")
#: From so many cells of train on, a search looks at a part of the rows.
MANY_CELLS = 20_000_000
#: A share of what one execution may take; imports, folds and refinements need the rest.
SHARE_OF_SECONDS = 0.12
_LATITUDE = re.compile(r"(^|_)(lat|latitude)$|latitude", re.IGNORECASE)
_LONGITUDE = re.compile(r"(^|_)(lon|lng|long|longitude)$|longitude", re.IGNORECASE)


@dataclass(frozen=True)
class Facts:
    """A brief, read by the playbook. Columns are those of train after the side tables joined."""

    brief: Brief
    columns: dict[str, Column]
    joins: tuple[Join, ...]
    formats: dict[str, str] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """The task of the brief."""
        return self.brief.task

    @cached_property
    def words(self) -> frozenset[str]:
        """The words by which parts of recipes are kept."""
        task, metric = self.task, self.task.metric.name
        words = {task.kind, self.split, "classification" if task.classes else "regression"}
        if task.kind == "regression":
            words |= {"log"} if self.log else set()
            words |= {"l1"} if metric in MEDIAN_METRICS else set()
            words |= {"whole"} if metric == "qwk" else set()
        elif task.metric.needs in ("probability", "ranking", "label"):
            words.add(task.metric.needs)
        else:
            words.add("label")
        words |= {"together"} if self.split in ("group", "blocks") else set()
        words |= {"dates"} if task.time in self.formats else set()
        words |= {"images"} if self.images else set()
        words |= {"pure"} if self.images and len(self.columns) == 1 else set()
        words |= {"id"} if self._has_ids else set()
        words |= {"subsample"} if self.rows * max(1, len(self.columns)) > MANY_CELLS else set()
        return frozenset(words)

    @property
    def log(self) -> bool:
        """Whether the logarithm of the target is learned, because the metric compares ratios."""
        return self.task.kind == "regression" and self.task.metric.name in LOG_METRICS

    @property
    def split(self) -> str:
        """How inner folds are cut: random, group, blocks or time."""
        if self.task.group is not None:
            return "group"
        if self.task.time is not None:
            return "blocks" if self.task.block_days else "time"
        return "random"

    @property
    def _has_ids(self) -> bool:
        task = self.task
        return task.id_column in task.sample_columns and task.id_column in task.features

    @property
    def rows(self) -> int:
        """Rows of train."""
        return self.task.profile.rows

    @property
    def classes(self) -> int:
        """How many classes; 1 for numbers."""
        return max(1, len(self.task.classes))

    @property
    def seconds(self) -> float:
        """About how long one model may learn on all rows."""
        return min(10.0, max(2.0, SHARE_OF_SECONDS * self.brief.seconds))

    @property
    def images(self) -> bool:
        """Whether a column names pictures."""
        return self.task.profile.image_column is not None

    def of_kind(self, *kinds: str) -> list[str]:
        """Columns of these kinds, in order."""
        return [name for name, column in self.columns.items() if column.kind in kinds]

    @cached_property
    def texts(self) -> list[str]:
        """Columns of free text, the longest first, four at most."""
        found = sorted(self.of_kind("text"), key=lambda name: -self.columns[name].words)
        return found[:4]

    @cached_property
    def numbers(self) -> list[str]:
        """Numeric columns with more than two values."""
        return [n for n in self.of_kind("numeric") if self.columns[n].distinct > 2]

    @cached_property
    def categories(self) -> list[str]:
        """Columns of categories that repeat, yes-or-no ones too."""
        kinds = self.of_kind("category", "boolean")
        return [n for n in kinds if self.columns[n].distinct <= 0.5 * self.rows]

    @cached_property
    def wide(self) -> list[str]:
        """Categories with so many values that their mean target says more than their name."""
        return [n for n in self.categories if self.columns[n].distinct > 8]

    @cached_property
    def strings(self) -> list[str]:
        """Categories of several words, or nearly all different: their letters mean something."""
        found = []
        for name in self.of_kind("category"):
            column = self.columns[name]
            if column.distinct > 60 and (column.words > 1.2 or column.distinct > 0.5 * self.rows):
                found.append(name)
        return sorted(found, key=lambda name: -self.columns[name].distinct)[:4]

    @cached_property
    def codes(self) -> list[str]:
        """Whole numbers with many values that repeat: they may be codes rather than measures."""
        found = [n for n in self.numbers if self.columns[n].whole]
        many = [n for n in found if 100 <= self.columns[n].distinct < self.rows / 8]
        return sorted(many, key=lambda name: -self.columns[name].distinct)[:6]

    @cached_property
    def place(self) -> tuple[str, str] | None:
        """Columns that are latitude and longitude by name and range."""
        latitudes = [n for n in self.numbers if _LATITUDE.search(n) and self._within(n, 90)]
        longitudes = [n for n in self.numbers if _LONGITUDE.search(n) and self._within(n, 180)]
        many = max(100, self.rows // 100)
        fine = [n for n in (*latitudes, *longitudes) if self.columns[n].distinct > many]
        if latitudes and longitudes and {latitudes[0], longitudes[0]} <= set(fine):
            return latitudes[0], longitudes[0]
        return None

    def _within(self, name: str, bound: float) -> bool:
        low, high = self.columns[name].low, self.columns[name].high
        return low is not None and high is not None and -bound <= low and high <= bound

    @cached_property
    def ratios(self) -> list[tuple[str, str]]:
        """Pairs of positive numbers that grow together: their ratio says something new."""
        positive = [n for n in self.numbers if (self.columns[n].low or 0) >= 0]
        positive = [n for n in positive if self.columns[n].distinct > 20 and n in self.task.train]
        if len(positive) < 2:
            return []
        head = self.task.train[positive[:15]].iloc[:5_000]
        related = np.abs(np.corrcoef(head.rank().fillna(0).to_numpy(), rowvar=False))
        pairs = [
            (float(related[i, j]), (positive[i], positive[j]))
            for i in range(len(head.columns))
            for j in range(i + 1, len(head.columns))
        ]
        pairs.sort(key=lambda pair: -pair[0])
        return [pair for strength, pair in pairs[:10] if 0.5 < strength < 0.9999]

    @cached_property
    def has_gaps(self) -> bool:
        """Whether some column lacks more than 2 % of its values."""
        return any(column.missing > 0.02 for column in self.columns.values())

    @cached_property
    def clock_parts(self) -> frozenset[str]:
        """Which parts of dates can be trusted, given how the rows to predict lie in time."""
        parts = {"year", "season", "day", "elapsed"}
        if self.split == "blocks":
            parts -= {"day", "elapsed"}
        if self.split == "time":
            # Test lies after train: what only grows has no known value there.
            parts -= {"year", "elapsed"}
            parts -= set() if self._spans_a_year else {"season"}
        if any(self._has_hours(name) for name in self.formats):
            parts.add("hours")
        return frozenset(parts)

    @cached_property
    def _spans_a_year(self) -> bool:
        name = self.task.time
        if name is None or name not in self.formats:
            return False
        moments = parse_dates(self.task.train[name], self.formats[name])
        return bool((moments.max() - moments.min()).days > 400)

    def _has_hours(self, name: str) -> bool:
        if name not in self.task.train.columns:
            return False
        moments = parse_dates(self.task.train[name].iloc[:2_000], self.formats[name])
        return bool(moments.dt.hour.nunique() > 2)


def read(brief: Brief) -> Facts:
    """Read a brief: the columns after the side tables joined, and the forms of dates."""
    task = brief.task
    columns = dict(task.profile.columns)
    joins = find_joined(task)
    for join in joins:
        columns |= join.columns
    columns = {n: c for n, c in columns.items() if n != task.group and c.kind != "constant"}
    formats = {}
    for name, column in columns.items():
        if column.kind == "date" and name in task.train.columns:
            formats[name] = date_format(task.train[name])
    for join in joins:
        formats |= join.formats if join.table.one_row else {}
    return Facts(brief, columns, joins, formats)
