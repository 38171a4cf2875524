"""The Python API: ``mlestar_jupyter.solve``."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.delivery import Result
from mlestar_jupyter.events import Listener
from mlestar_jupyter.inference import from_folder, from_frames, from_table
from mlestar_jupyter.run import RUNS
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings, parse_seconds
from mlestar_jupyter.task import Overrides, Task

if TYPE_CHECKING:
    import pandas as pd


def solve(
    task: Task | str | Path | pd.DataFrame,
    *,
    test: pd.DataFrame | None = None,
    sample: pd.DataFrame | None = None,
    description: str = "",
    out: str | Path | None = None,
    time_limit: str | float = 600.0,
    overrides: Overrides | None = None,
    listeners: tuple[Listener, ...] = (),
    **options: Any,
) -> Result:
    """Solve a task from end to end and give the result.

    ``task`` is a folder in Kaggle's form, one table (with ``target=``), a DataFrame of training
    rows (with ``target=`` or ``test=``), or a Task. ``options`` are fields of Overrides
    (``target``, ``metric``, ...) and of Settings (``jobs``, ``seed``, ``models``, ...).
    ``time_limit`` is hard, in seconds or as ``"5m"``. Raises MlestarError, in one line.
    """
    began = time.monotonic()
    asked = {f.name for f in dataclasses.fields(Overrides)}
    told = {name: value for name, value in options.items() if name in asked}
    rest = {name: value for name, value in options.items() if name not in asked}
    settings = Settings.from_json({**rest, "seconds": parse_seconds(time_limit)})
    given = Given(
        task,
        test=test,
        sample=sample,
        description=description,
        overrides=dataclasses.replace(overrides or Overrides(), **told),
        out=None if out is None else Path(out),
    )
    understood, frames, folder = given.understand()
    with Session.start(
        understood, settings, folder, began=began, frames=frames, listeners=listeners
    ) as session:
        return session.solve()


@dataclass(frozen=True)
class Given:
    """A task as a user gives it: a folder, a table, DataFrames or a Task, and what is said of it.

    ``name`` names a task of DataFrames and the run; else they are named after the folder.
    """

    data: Task | str | Path | pd.DataFrame
    test: pd.DataFrame | None = None
    sample: pd.DataFrame | None = None
    name: str | None = None
    description: str = ""
    overrides: Overrides = field(default_factory=Overrides)
    out: Path | None = None

    def understand(self) -> tuple[Task, dict[str, pd.DataFrame] | None, Path]:
        """The task, the DataFrames that a run must keep (if it came from some), and its folder."""
        if isinstance(self.data, Task):
            return self.data, None, self._folder(self.data.name)
        if isinstance(self.data, str | Path):
            path = Path(self.data)
            read = from_table if path.is_file() else from_folder
            task = read(path, self.overrides, self.description)
            return task, None, self._folder(task.name)
        given = {"train": self.data, "test": self.test, "sample": self.sample}
        frames = {name: frame for name, frame in given.items() if frame is not None}
        name = self.name or self.overrides.target or "task"
        folder = self._folder(name)
        data = folder.expanduser().absolute() / "data"
        task = from_frames(frames, data, self.overrides, name=name, description=self.description)
        return task, {name: task.__dict__[name] for name in frames}, folder

    def _folder(self, name: str) -> Path:
        return self.out or new_folder(self.name or name)


def new_folder(name: str, runs: Path = RUNS) -> Path:
    """A folder for a new run: ``mlestar_runs/NAME``, numbered if there is one already."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    folder, number = runs / base, 2
    while folder.exists():
        folder, number = runs / f"{base}-{number}", number + 1
    return folder
