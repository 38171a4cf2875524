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
_ON = "everything on"
_WAYS: Mapping[str, Mapping[str, Any]] = {
    "everything off": {**_OFF, "jobs": 1},
    "off but jobs": _OFF,
    _ON: {},
}
#: A run that ends by itself, long before its time. By the paper's rule, any gain is accepted: else
#: the cheaper of two ties is, which differs from run to run.
_SMALL = {
    "models": 2, "outer_steps": 1, "inner_steps": 2, "solutions": 1, "ensemble_rounds": 1,
    "folds": 3, "acceptance": None, "time_limit": "30m",
}  # fmt: skip


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Off: every kernel is started from nothing, every cell of every fold is executed, one by one.

    With the jobs of the others, and so with the threads that they have, a run that is bounded by
    counts must come to the same best score. Sandbox and seed are the same for all.
    """
    if arguments.tasks is None:
        print("  skipped: name a folder of tasks with --tasks DIR")
        return
    found = sorted(path for path in arguments.tasks.iterdir() if path.is_dir())
    named = [path for path in found if path.name in (arguments.task or ())] or found[:2]
    for task in named:
        print(f"  {task.name}, {arguments.minutes:g} minutes")
        options = {"time_limit": arguments.minutes * 60}
        results = _runs(_WAYS, task, folder, arguments.grade, options)
        on = results.pop(_ON, None)
        if on is not None:
            for way, other in results.items():
                row(f"scored, on to {way}", times(len(on.run.scored), len(other.run.scored)))
    print(f"  {named[0].name}, bounded by counts")
    same = {way: options for way, options in _WAYS.items() if "jobs" not in options}
    results = _runs(same, named[0], folder, arguments.grade, _SMALL)
    if len(results) == len(same):
        _compare(*results.values())


def _runs(
    ways: Mapping[str, Mapping[str, Any]],
    task: Path,
    folder: Path,
    grader: Path | None,
    options: Mapping[str, Any],
) -> dict[str, Result]:
    head("", "scored", "stopped", "folds run", "validation", "test", "seconds")
    results = {}
    for way, chosen in ways.items():
        out = folder / f"{task.name}-{options['time_limit']}-{way.replace(' ', '-')}"
        try:
            result = solve(task, out=out, seed=0, **{**options, **chosen})
        except MlestarError as error:
            print(f"  {way}: {error}", flush=True)
            continue
        results[way] = result
        candidates = result.run.state.candidates.values()
        row(
            way,
            str(len(result.run.scored)),
            str(sum(c.status == "stopped_early" for c in candidates)),
            str(sum(e.kind == "candidate_executed" for e in result.run.events)),
            f"{result.score:.6g}",
            _test(result, task, grader),
            result.seconds,
        )
    return results


def _compare(off: Result, on: Result) -> None:
    """Whether the solutions that both have come to the same scores, and the runs to the same best.

    A candidate that was ended early on the one side has no score there.
    """
    theirs = {c.solution.key: c.score for c in off.run.scored}
    both = [(c.score, theirs[c.solution.key]) for c in on.run.scored if c.solution.key in theirs]
    same = sum(a is not None and b is not None and a.value == b.value for a, b in both)
    row("solutions of both, and with equal scores", str(len(both)), str(same))
    is_same = off.score == on.score
    row("the same best score", "yes" if is_same else f"NO: {off.score!r}, {on.score!r}")


def _test(result: Result, task: Path, grader: Path | None) -> str:
    """The submission's score, by a program of the user's."""
    if grader is None or result.submission is None:
        return ""
    command = [sys.executable, str(grader), task.name, str(result.submission), "--json"]
    graded = subprocess.run(command, capture_output=True, text=True, check=True)
    return f"{json.loads(graded.stdout)['score']:.6g}"
