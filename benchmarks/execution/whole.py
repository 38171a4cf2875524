"""Whole runs through the public API, with all that makes execution cheap off and on."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.execution.report import head, row, times
from mlestar_jupyter.api import solve
from mlestar_jupyter.delivery import Result
from mlestar_jupyter.errors import MlestarError

_OFF = {"warm_kernels": False, "reuse": False, "early_stop": False}
_WAYS: Mapping[str, Mapping[str, Any]] = {"off": _OFF, "on": {}}
#: A run that ends by itself, long before its time. By the paper's rule, any gain is accepted: else
#: the cheaper of two ties is, which differs from run to run.
_SMALL = {
    "models": 2, "outer_steps": 1, "inner_steps": 2, "solutions": 1, "ensemble_rounds": 1,
    "folds": 3, "acceptance": None, "time_limit": "30m",
}  # fmt: skip


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Off: every kernel is started from nothing, every cell of every fold is executed.

    Jobs, sandbox, threads and seed are the same for both.
    """
    if arguments.tasks is None:
        print("  skipped: name a folder of tasks with --tasks DIR")
        return
    found = sorted(path for path in arguments.tasks.iterdir() if path.is_dir())
    named = [path for path in found if path.name in (arguments.task or ())] or found[:2]
    for task in named:
        _compare(
            f"{task.name}, {arguments.minutes:g} minutes",
            task, folder, arguments.grade, {"time_limit": arguments.minutes * 60},
        )  # fmt: skip
    _compare(f"{named[0].name}, bounded by counts", named[0], folder, arguments.grade, _SMALL)


def _compare(
    title: str, task: Path, folder: Path, grader: Path | None, options: Mapping[str, Any]
) -> None:
    head(title, "scored", "stopped", "folds run", "validation", "test", "seconds")
    results = []
    for way, chosen in _WAYS.items():
        out = folder / f"{task.name}-{options['time_limit']}-{way}"
        try:
            result = solve(task, out=out, seed=0, **{**options, **chosen})
        except MlestarError as error:
            print(f"  everything {way}: {error}", flush=True)
            continue
        results.append(result)
        candidates = result.run.state.candidates.values()
        row(
            f"everything {way}",
            str(len(result.run.scored)),
            str(sum(c.status == "stopped_early" for c in candidates)),
            str(sum(e.kind == "candidate_executed" for e in result.run.events)),
            f"{result.score:.6g}",
            _test(result, task, grader),
            result.seconds,
        )
    if len(results) < len(_WAYS):
        return
    off, on = results
    row("scored candidates, on to off", times(len(on.run.scored), len(off.run.scored)))
    theirs = {c.solution.key: c.score for c in off.run.scored}
    both = [(c.score, theirs[c.solution.key]) for c in on.run.scored if c.solution.key in theirs]
    same = sum(a is not None and b is not None and a.value == b.value for a, b in both)
    row("solutions of both, and with equal scores", str(len(both)), str(same))
    if options is _SMALL:
        is_same = off.score == on.score
        row("the same best score", "yes" if is_same else f"NO: {off.score!r}, {on.score!r}")


def _test(result: Result, task: Path, grader: Path | None) -> str:
    """The submission's score, by a program of the user's."""
    if grader is None or result.submission is None:
        return ""
    command = [sys.executable, str(grader), task.name, str(result.submission), "--json"]
    graded = subprocess.run(command, capture_output=True, text=True, check=True)
    return f"{json.loads(graded.stdout)['score']:.6g}"
