"""A task: what is to be predicted, from which data, judged how. All of it can be overridden."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.errors import TaskError
from mlestar_jupyter.metrics import METRICS, Kind, Metric
from mlestar_jupyter.profile import Profile, make_profile
from mlestar_jupyter.tables import fingerprint, read_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Overrides:
    """What the user says about a task; None means: infer it."""

    target: str | None = None
    id_column: str | None = None
    metric: str | Metric | None = None
    kind: Kind | None = None
    positive_class: str | None = None
    group: str | None = None
    time: str | None = None
    greater_is_better: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal; a metric by name, a function of the user's own described.

        The function itself is not kept: whoever goes on with the run gives it again.
        """
        data = dataclasses.asdict(dataclasses.replace(self, metric=None))
        metric = self.metric
        data["metric"] = metric.name if isinstance(metric, Metric) else metric
        if isinstance(metric, Metric) and metric.name not in METRICS:
            data["own_metric"] = {
                "greater_is_better": metric.greater_is_better,
                "needs": metric.needs,
            }
        return {name: value for name, value in data.items() if value is not None}


@dataclass(frozen=True)
class Source:
    """Where the data lies. ``files`` are the other files, relative to ``folder``."""

    folder: Path | None
    train: Path | None
    test: Path | None
    sample: Path | None
    files: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[Path, ...]:
        """The paths below which all of it lies."""
        paths = (self.folder, self.train, self.test, self.sample)
        return tuple(path for path in paths if path is not None)

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of train, test, sample and the other files, by name."""
        paths = {p.name: p for p in (self.train, self.test, self.sample) if p is not None}
        if self.folder is not None:
            paths |= {name: self.folder / name for name in self.files}
        return {name: fingerprint(path) for name, path in paths.items()}


@dataclass(frozen=True)
class Task:
    """A task that is understood: everything an agent, a validation or a submission needs.

    ``features`` are the columns that test has (an id included); ``train_only`` are those that
    only train has beside the target. ``classes`` are the labels as train writes them, in the
    order of probability columns. ``group`` is a column whose rows stay together in a fold, ``time``
    one by which validation lies after training; with ``block_days`` > 0 blocks of so many days
    of ``time`` stay together instead. ``notes`` say how things were inferred, for people.
    """

    name: str
    description: str
    kind: Kind
    metric: Metric
    source: Source
    target: str = ""
    id_column: str | None = None
    features: tuple[str, ...] = ()
    train_only: tuple[str, ...] = ()
    sample_columns: tuple[str, ...] = ()
    classes: tuple[Any, ...] = ()
    positive_class: Any = None
    group: str | None = None
    time: str | None = None
    block_days: int = 0
    notes: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)

    @cached_property
    def train(self) -> pd.DataFrame:
        """All rows of train, in the file's order (rows without a target included)."""
        if self.source.train is None:
            raise TaskError(f"task {self.name} has no table of targets")
        return read_table(self.source.train)

    @cached_property
    def test(self) -> pd.DataFrame | None:
        """The rows to predict, or None when the task has none."""
        return None if self.source.test is None else read_table(self.source.test)

    @cached_property
    def sample(self) -> pd.DataFrame | None:
        """The sample submission that was given, or None."""
        return None if self.source.sample is None else read_table(self.source.sample)

    @cached_property
    def profile(self) -> Profile:
        """What the data is like. It looks at features, never at a sealed target."""
        if self.source.train is None:
            return Profile(0, 0, {})
        files = self.source.files
        return make_profile(self.train, self.test, self.telling, self.source.folder, files)

    @property
    def telling(self) -> tuple[str, ...]:
        """The features without an id that is only a number or a name: a date, a text stay."""
        from mlestar_jupyter.profile import profile_column

        if self.id_column not in self.features:
            return self.features
        tells = profile_column(self.train[self.id_column]).kind in ("date", "file", "text")
        return tuple(n for n in self.features if n != self.id_column or tells)

    @property
    def is_self_scored(self) -> bool:
        """True when the notebook prints its own score because rows cannot be graded."""
        return self.kind == "self-scored"

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The columns to fill in a submission."""
        if self.metric.needs == "probability" and self.kind == "multiclass":
            return tuple(c for c in self.sample_columns if c in {str(k) for k in self.classes})
        return (self.target,)

    def describe(self) -> list[tuple[str, str]]:
        """What was understood, as pairs (word, value) to show before anything is spent."""
        if self.is_self_scored:
            rows = "no table of targets: the notebook prints its own score"
            return [
                ("task", self.name), ("data", rows), ("type", self.kind),
                ("metric", f"{self.metric.name} ({self.metric.direction})"),
            ]  # fmt: skip
        profile = self.profile
        kinds: dict[str, int] = {}
        for column in profile.columns.values():
            kinds[column.kind] = kinds.get(column.kind, 0) + 1
        columns = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        shown = [
            ("task", self.name),
            ("data", f"{profile.rows:,} rows to learn from, {profile.test_rows:,} to predict"),
            ("columns", columns),
            ("target", self.target),
            ("type", self.kind + (f" ({len(self.classes)} classes)" if self.classes else "")),
            ("metric", f"{self.metric.name} ({self.metric.direction})"),
            ("id", self.id_column or "none: rows are aligned by position"),
        ]
        if self.kind == "binary" and self.metric.needs == "probability":
            shown.append(("positive class", str(self.positive_class)))
        if profile.tables:
            shown.append(("side tables", ", ".join(t.path for t in profile.tables)))
        if profile.image_column:
            shown.append(("images", f"{profile.image_folder}/ named by {profile.image_column}"))
        shown += [("note", note) for note in self.notes]
        return shown

    def to_json(self) -> dict[str, Any]:
        """What a run freezes about its task; ``read_task`` gives the task back."""
        paths = {
            key: None if (path := getattr(self.source, key)) is None else str(path)
            for key in ("folder", "train", "test", "sample")
        }
        return {
            "name": self.name,
            "description": self.description,
            "source": {**paths, "files": list(self.source.files)},
            "fingerprints": self.source.fingerprints(),
            "overrides": self.overrides.to_json(),
            "understood": [list(pair) for pair in self.describe()],
        }


def check_unchanged(frozen: Mapping[str, Any], source: Source) -> None:
    """Raise TaskError naming the file that changed or vanished since the run began."""
    others = [source.folder / name for name in source.files] if source.folder else []
    for path in (source.train, source.test, source.sample, *others):
        if path is not None and not path.is_file():
            raise TaskError(f"{path} is gone; put it back to go on with this run")
    now = source.fingerprints()
    for name, digest in frozen["fingerprints"].items():
        if now.get(name) != digest:
            raise TaskError(f"{name} has changed since the run began; start a new run")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON for people and programs: two spaces, a final newline."""
    path.write_text(json.dumps(data, indent=2, default=str) + "\n", encoding="utf-8")
