"""What is held in memory: the server, a kernel that waits, a snapshot. Linux alone tells it."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.execution.report import head, row
from benchmarks.execution.ways import Ours, ours
from mlestar_jupyter.execution.servers import ForkServer
from mlestar_jupyter.execution.warm import shared
from mlestar_jupyter.solution import Block, Solution

_IMPORTS = Block("imports", "import time, pandas, sklearn.ensemble, lightgbm")
_DATA = Block(
    "data",
    "import time, numpy as np\nrows = np.random.default_rng(0).random(13_107_200)\ntime.sleep(1)",
)
_WAIT = Block("wait", "time.sleep(3)\nopen(predictions_path, 'w').close()")
_LAST = Block("last", "open(predictions_path, 'w').close()")
_OPTIONS: Mapping[str, Mapping[str, bool]] = {
    "plain": {"warm": False, "reuse": False},
    "warm": {"reuse": False},
    "reuse": {"reuse": True},
}


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """USS is what goes when the process goes; PSS also has its share of what others use too."""
    del arguments
    if sys.platform != "linux":
        print("  skipped: only Linux tells what processes share")
        return
    with ours(folder, {}, 1, _OPTIONS) as executors:
        idle = Solution((_IMPORTS, _WAIT))
        head("MB", "USS", "PSS")
        row("kernel started from nothing, imports done", *_at_work(executors["plain"], idle))
        executors["warm"](Solution((_LAST,)), "start")
        server = _server()
        row("fork server, alone", *_megabytes(server))
        row("warm kernel, imports done", *_at_work(executors["warm"], idle))
        for number in range(2):  # what was seen is parked when it is seen again
            last = Block("last", f"{_LAST.source}  # {number}")
            executors["reuse"](Solution((_DATA, last)), f"park-{number}")
        parked = server.children()
        assert len(parked) == 1, parked
        row("parked after a cell that made 100 MB", *_megabytes(parked[0]))
        row("kernel forked from it", *_at_work(executors["reuse"], Solution((_DATA, _WAIT))))


def _server() -> psutil.Process:
    (server,) = shared.servers[-1:]
    assert isinstance(server, ForkServer)
    return psutil.Process(server.pid)


def _at_work(way: Ours, solution: Solution) -> tuple[float, float]:
    """USS and PSS of the kernel that is started for it, at its peak."""
    us = psutil.Process()
    before = {process.pid for process in us.children(recursive=True)}
    thread = threading.Thread(target=way, args=(solution, "at-work"))
    thread.start()
    found = (0.0, 0.0)
    while thread.is_alive():
        thread.join(0.2)
        with contextlib.suppress(psutil.Error):
            new = [p for p in us.children(recursive=True) if p.pid not in before]
            found = max([found, *(_megabytes(p) for p in new)])
    return found


def _megabytes(process: psutil.Process) -> tuple[float, float]:
    told = process.memory_full_info()
    return told.uss / 2**20, told.pss / 2**20
