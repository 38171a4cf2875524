"""The same candidates here and on the two workers of a cluster on this machine."""

from __future__ import annotations

import argparse
import importlib.util
from contextlib import ExitStack
from pathlib import Path

from benchmarks.execution.report import head, row
from benchmarks.execution.side_by_side import Way, alike_words, in_turn
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Executor
from mlestar_jupyter.settings import Settings


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Two at a time with one thread each, here and there; then what a candidate costs more."""
    if importlib.util.find_spec("distributed") is None:
        print("  skipped: distributed is missing; pip install 'mlestar-jupyter[dask]'")
        return
    from distributed import LocalCluster

    from benchmarks import cluster as costs
    from mlestar_jupyter.execution.cluster import DaskExecutor

    count = arguments.candidates
    settings = Settings(reuse=False)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        ExitStack() as stack,
    ):
        address = cluster.scheduler_address
        executors: dict[str, Executor] = {
            "here": PapermillExecutor.from_settings(settings, 2),
            "on the cluster": DaskExecutor(settings.replace(dask=address)),
        }
        for executor in executors.values():
            stack.callback(executor.close)
        ways = {
            name: Way(executor, folder / name.replace(" ", "-"), 2, 1)
            for name, executor in executors.items()
        }
        taken, ran = in_turn(ways, count)
        head(f"{count} candidates, two at a time", "seconds", "of here")
        for name, seconds in taken.items():
            row(name, seconds, seconds / taken["here"])
        row("predictions", alike_words(list(ran.values())))
        costs.candidates(address, folder)
