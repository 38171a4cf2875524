"""Candidates side by side: with threads shared out, and knowing nothing of each other."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.execution.notebooks import boosted
from benchmarks.execution.report import cores, equal, head, row, times
from benchmarks.execution.ways import Ours, Ran
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Executor
from mlestar_jupyter.solution import Solution

_LIMIT = 120.0  # seconds that fits which hinder each other may take
_SPINNING = """
import time
import numpy as np
import lightgbm as lgb
from sklearn.ensemble import HistGradientBoostingRegressor
X = np.random.default_rng(0).normal(size=(20_000, 30))
lgb.LGBMRegressor(n_estimators=300, n_jobs=-1, verbose=-1).fit(X, X[:, 0])
HistGradientBoostingRegressor(max_iter=100).fit(X, X[:, 0])
"""
_SETTINGS = ("OMP_", "OPENBLAS_", "MKL_", "LOKY_", "KMP_", "GOMP_")


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """One job with one thread, one with all, and as many jobs as there are cores."""
    settings = {
        "one job of 1 thread": (1, 1),
        f"one job of {cores()} threads": (1, cores()),
        "two jobs of 1 thread": (2, 1),
    }
    with ExitStack() as stack:
        ways = {}
        for name, (jobs, threads) in settings.items():
            executor = PapermillExecutor(jobs, reuse=False)
            stack.callback(executor.close)
            ways[name] = Way(executor, folder / "jobs", jobs, threads)
        taken, ran = in_turn(ways, arguments.candidates)
    head(f"{arguments.candidates} candidates", "seconds", "throughput")
    for name, seconds in taken.items():
        row(name, seconds, times(next(iter(taken.values())), seconds))
    alike = [ran[name] for name, (_, threads) in settings.items() if threads == 1]
    row("predictions of one and two jobs of 1 thread", alike_words(alike))
    head("default LightGBM, HistGradientBoosting fits", "seconds", "of alone")
    alone = _fits(1, {})
    row("one process", alone, 1.0)
    two = _fits(2, {})
    row("two at once, nothing set", two or f"> {_LIMIT:.0f}", (two or _LIMIT) / (alone or _LIMIT))
    passive = _fits(2, {"OMP_WAIT_POLICY": "PASSIVE"})
    row("two at once, OMP_WAIT_POLICY=PASSIVE", passive, (passive or _LIMIT) / (alone or _LIMIT))


@dataclass(frozen=True)
class Way:
    """An executor that is given so many candidates at a time, of so many threads each."""

    executor: Executor
    folder: Path
    jobs: int
    threads: int

    def run(self, solutions: Sequence[Solution], label: str) -> tuple[float, list[Ran]]:
        """Seconds until all are executed, and what they gave."""
        one = Ours(self.executor, self.folder, {}, self.threads)
        labels = [f"{label}-{self.jobs}-{n}" for n in range(len(solutions))]
        with ThreadPoolExecutor(self.jobs) as pool:
            began = time.perf_counter()
            ran = list(pool.map(one, solutions, labels))
            return time.perf_counter() - began, ran


def in_turn(ways: Mapping[str, Way], count: int) -> tuple[dict[str, float], dict[str, list[Ran]]]:
    """So many candidates in each way, half of them at a time; servers are started before."""
    taken = dict.fromkeys(ways, 0.0)
    ran: dict[str, list[Ran]] = {name: [] for name in ways}
    for way in ways.values():
        way.run([boosted(0, way.threads, rows=100, trees=1)] * way.jobs, "start")
    middle = (count + 1) // 2
    for part in (range(middle), range(middle, count)):
        for name, way in ways.items():
            seconds, results = way.run([boosted(n, way.threads) for n in part], f"part{part[0]}")
            taken[name] += seconds
            ran[name] += results
    return taken, ran


def alike_words(ways: Sequence[Sequence[Ran]]) -> str:
    """Whether these ways gave the same predictions."""
    return equal([[ran.predictions for ran in same] for same in zip(*ways, strict=True)])


def _fits(count: int, settings: Mapping[str, str]) -> float | None:
    """Seconds until so many processes have fitted; None when that takes too long."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_SETTINGS)}
    environment |= settings
    began = time.perf_counter()
    processes = [
        subprocess.Popen([sys.executable, "-c", _SPINNING], env=environment) for _ in range(count)
    ]
    try:
        with suppress(subprocess.TimeoutExpired):
            for process in processes:
                process.wait(max(0.0, _LIMIT - (time.perf_counter() - began)))
            return time.perf_counter() - began
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return None
