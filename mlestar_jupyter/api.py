"""The Python API: ``mlestar_jupyter.solve``."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.events import Listener
from mlestar_jupyter.inference import from_folder, from_frames, from_table
from mlestar_jupyter.run import RUNS
from mlestar_jupyter.session import Result, Session
from mlestar_jupyter.settings import Settings, parse_seconds
from mlestar_jupyter.task import Overrides, Task

if TYPE_CHECKING:
    import pandas as pd


def new_folder(name: str, runs: Path = RUNS) -> Path:
    """A folder for a new run: ``mlestar_runs/NAME``, numbered if there is one already."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    folder, number = runs / base, 2
    while folder.exists():
        folder, number = runs / f"{base}-{number}", number + 1
    return folder


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
    understood, frames, settings, folder = prepare(
        task, test, sample, description, out, time_limit, overrides or Overrides(), options
    )
    with Session.start(
        understood, settings, folder, began=began, frames=frames, listeners=listeners
    ) as session:
        return session.solve()


def prepare(
    task: Any,
    test: pd.DataFrame | None,
    sample: pd.DataFrame | None,
    description: str,
    out: str | Path | None,
    time_limit: str | float,
    overrides: Overrides,
    options: Mapping[str, Any],
) -> tuple[Task, dict[str, pd.DataFrame] | None, Settings, Path]:
    """Turn what a user gives into a task, its DataFrames, settings and a folder."""
    asked = {f.name for f in dataclasses.fields(Overrides)}
    told = {name: value for name, value in options.items() if name in asked}
    rest = {name: value for name, value in options.items() if name not in asked}
    overrides = dataclasses.replace(overrides, **told)
    settings = Settings.from_json({**rest, "seconds": parse_seconds(time_limit)})
    if isinstance(task, Task):
        return task, None, settings, Path(out) if out else new_folder(task.name)
    if isinstance(task, str | Path):
        path = Path(task)
        understood = (
            from_table(path, overrides, description)
            if path.is_file()
            else from_folder(path, overrides, description)
        )
        return understood, None, settings, Path(out) if out else new_folder(understood.name)
    given = {"train": task, "test": test, "sample": sample}
    frames = {name: frame for name, frame in given.items() if frame is not None}
    folder = Path(out) if out else new_folder(overrides.target or "task")
    data = folder.expanduser().absolute() / "data"
    understood = from_frames(frames, data, overrides, description=description)
    kept = {name: understood.__dict__[name] for name in frames}
    return understood, kept, settings, folder
