"""Candidates that share first cells: an inner loop and an ablation study."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.execution.notebooks import ablations, slow, write_data
from benchmarks.execution.report import cores, equal, head, row, times
from benchmarks.execution.ways import Papermill, Ran, Way, in_turn, ours
from mlestar_jupyter.solution import Solution

_OPTIONS = {"warm": {"reuse": False}, "warm, reuse": {"reuse": True}}


def inner_loop(folder: Path, arguments: argparse.Namespace) -> None:
    """Candidates that change the model cell, and such that change the last cell alone."""
    count = arguments.candidates
    loops = {
        "model": [slow(rate=0.05 + 0.01 * n) for n in range(1, count + 1)],
        "last": [slow(cut=0.001 * n) for n in range(2, count + 2)],
    }
    for name, candidates in loops.items():
        ran, parent = _against(folder, arguments.rows, candidates, name)
        head(f"the {name} cell changes, {count} times", "first s", "median rest", "total", "ratio")
        total = sum(r.seconds for r in ran["papermill"])
        middle = _rest([r.seconds for r in ran["papermill"]])
        for way, results in ran.items():
            seconds = [r.seconds for r in results]
            rest = _rest(seconds)
            row(way, seconds[0], rest, sum(seconds), times(total, sum(seconds)))
            if way == "warm, reuse":
                row("  medians alone", None, None, None, times(middle, rest))
        if name == "model":
            _passive(folder, arguments.rows, candidates[:2], middle)
        _tell(ran, parent)


def ablation(folder: Path, arguments: argparse.Namespace) -> None:
    """A study after its solution was judged."""
    variants = ablations()
    ran, parent = _against(folder, arguments.rows, variants, "ablation")
    head("the changed block", *ran)
    for number, variant in enumerate(variants):
        row(variant.changed(slow())[0], *(results[number].seconds for results in ran.values()))
    totals = [sum(r.seconds for r in results) for results in ran.values()]
    row("total", *totals)
    row("ratio", *(times(totals[0], total) for total in totals))
    _tell(ran, parent)


def _against(
    folder: Path, rows: int, candidates: Sequence[Solution], label: str
) -> tuple[dict[str, list[Ran]], Ran]:
    """All candidates in all ways, and their parent, which was executed before them."""
    inputs = write_data(folder, rows)
    with ours(folder, inputs, cores(), _OPTIONS) as executors:
        parent = executors["warm, reuse"](slow(), f"{label}-parent")  # it starts the server, too
        ways: dict[str, Way] = {"papermill": Papermill(folder, inputs), **executors}
        return in_turn(ways, candidates, label), parent


def _tell(ran: Mapping[str, Sequence[Ran]], parent: Ran) -> None:
    row("their parent, executed before (not counted)", parent.seconds)
    reused = [r.outcome.reused if r.outcome else 0 for r in ran["warm, reuse"]]
    row("cells reused, of 7", " ".join(map(str, reused)))
    same = [[r.predictions for r in results] for results in zip(*ran.values(), strict=True)]
    row("predictions of all ways", equal(same))


def _rest(seconds: Sequence[float]) -> float:
    """The median of all but the first."""
    return statistics.median(seconds[1:] or seconds)


def _passive(folder: Path, rows: int, candidates: Sequence[Solution], plain: float) -> None:
    """What a setting alone gives: that idle threads of OpenMP sleep, as in our kernels."""
    way = Papermill(folder, write_data(folder, rows), {"OMP_WAIT_POLICY": "PASSIVE"})
    middle = statistics.median(way(c, f"passive-{n}").seconds for n, c in enumerate(candidates))
    row("papermill, OMP_WAIT_POLICY=PASSIVE, two of them", None, middle, None, times(plain, middle))
