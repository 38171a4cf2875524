"""What a candidate costs beside its cells, and where the time of a warm one goes."""

from __future__ import annotations

import argparse
import datetime
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import nbformat

from benchmarks.execution.report import cores, head, row
from benchmarks.execution.ways import Ours, Papermill, Ran, Way, ours
from mlestar_jupyter.solution import Block, Solution

SOLUTION = Solution(
    (
        Block("imports", "import pandas as pd\nimport sklearn.ensemble\nimport lightgbm"),
        Block("features", "rows = pd.DataFrame({'a': range(10)})"),
        Block("model", "total = int(rows['a'].sum())"),
        Block("show", "print(total)"),
        Block("predict", "rows.to_csv(predictions_path, index=False)"),
    )
)
_OPTIONS: Mapping[str, Mapping[str, str | bool]] = {
    "our executor, warm=False": {"warm": False, "reuse": False},
    "warm": {"reuse": False},
    "warm, sandbox=off": {"reuse": False, "sandbox": "off"},
}


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Medians of ``repeat`` rounds; a first round that is not counted warms all of them up."""
    taken: dict[str, list[float]] = defaultdict(list)
    parts: dict[str, list[float]] = defaultdict(list)
    with ours(folder, {}, cores(), _OPTIONS) as executors:
        ways: dict[str, Way] = {
            "plain script": _script,
            "papermill": Papermill(folder, {}),
            **executors,
        }
        first = {}
        for number in range(arguments.repeat + 1):
            for name, way in ways.items():
                began = time.time()
                ran = way(SOLUTION, f"fixed-{number}")
                if number == 0:
                    first[name] = ran.seconds
                    continue
                taken[name].append(ran.seconds)
                if name == "warm":
                    for part, seconds in _parts(executors[name], ran, began).items():
                        parts[part].append(seconds)
    papermill = statistics.median(taken["papermill"])
    head("pandas, sklearn, lightgbm and trivial cells", "median s", "least", "of papermill")
    for name, times in taken.items():
        median = statistics.median(times)
        row(name, median, min(times), median / papermill)
    row("warm: the first, which starts the server", first["warm"])
    for part, times in parts.items():
        row(f"warm: {part}", statistics.median(times))


def _script(solution: Solution, label: str) -> Ran:
    del label
    began = time.perf_counter()
    source = "\n".join(
        ["import os; predictions_path = os.devnull", *(b.source for b in solution.blocks)]
    )
    subprocess.run([sys.executable, "-c", source], check=True, stdout=subprocess.DEVNULL)
    return Ran(time.perf_counter() - began, b"", None)


def _parts(way: Ours, ran: Ran, began: float) -> dict[str, float]:
    """Where the time went, by what papermill wrote into the executed notebook."""
    assert way.last is not None
    assert ran.outcome is not None
    notebook = nbformat.read(way.last.executed, as_version=4)
    marks = [cell.metadata["papermill"] for cell in notebook.cells]
    start = _instant(notebook.metadata["papermill"]["start_time"])
    first, last = _instant(marks[0]["start_time"]), _instant(marks[-1]["end_time"])
    end = began + ran.seconds
    return {
        "to papermill (folder, staging)": start - began,
        "to the first cell (fork, kernel ready)": first - start,
        "cells": ran.outcome.cell_seconds,
        "between cells": last - first - ran.outcome.cell_seconds,
        "kernel's end, judging, handing over": end - last,
    }


def _instant(text: str) -> float:
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp()
