"""What a Dask cluster costs beside the candidates: python benchmarks/cluster.py [ADDRESS]

Without an address, a cluster of two worker processes on this machine. All figures come from one
run, local and cluster in turns, so that they can be compared with each other.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distributed import Client, LocalCluster

from mlestar_jupyter.execution.cluster import DaskExecutor
from mlestar_jupyter.execution.cluster_worker import describe
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Execution, Executor, Limits
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

ROUNDS = 8
SOURCE = """
import pandas as pd
rows = pd.read_csv("train.csv")
rows.head(100).to_csv(predictions_path, index=False)
"""


def clock(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def show(what: str, seconds: float, more: str = "") -> None:
    print(f"{what:<44} {seconds * 1000:9.1f} ms  {more}", flush=True)


def one(executor: Executor, folder: Path, label: str, data: dict[str, Path]) -> tuple[float, float]:
    """Wall clock of one candidate here, and where it was executed."""
    solution = Solution((Block("model", SOURCE),))
    execution = Execution(solution, data, {}, Limits(120), folder / "out", label)
    began = time.perf_counter()
    outcome = executor.run(execution)
    assert outcome.status == "ok", outcome
    return time.perf_counter() - began, outcome.seconds


def tasks(address: str) -> None:
    with Client(address, set_as_default=False) as client:
        client.submit(describe, pure=False).result()
        single = [clock(client.submit(abs, n, pure=False).result) for n in range(50)]
        show("a task that does nothing, one by one", statistics.median(single))
        began = time.perf_counter()
        client.gather(client.map(abs, range(2_000), pure=False))
        rate = 2_000 / (time.perf_counter() - began)
        print(f"{'tasks that do nothing, 2,000 at once':<44} {rate:9.0f} a second")


def candidates(address: str, folder: Path) -> None:
    (folder / "train.csv").write_text("a,b\n" + "1,2\n" * 10_000)
    data = {"train.csv": folder / "train.csv"}
    settings = Settings()
    local = PapermillExecutor.from_settings(settings, 2)
    there = DaskExecutor(settings.replace(dask=address))
    show("connecting, looking over the workers", clock(there.connect))
    try:
        for executor in (local, there, there):  # imports, kernels that are warm
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda n, e=executor: one(e, folder, f"w{n}", data), range(2)))
        here, wall, inside = [], [], []
        for number in range(ROUNDS):
            here.append(one(local, folder, f"here-{number}", data)[0])
            whole, work = one(there, folder, f"there-{number}", data)
            wall.append(whole)
            inside.append(whole - work)
        mine, theirs = statistics.median(here), statistics.median(wall)
        show("a candidate here", mine)
        show("the same on the cluster", theirs, f"{theirs / mine:.2f} times")
        show("  of it not in the worker's executor", statistics.median(inside))
        big = folder / "big.bin"
        big.write_bytes(os.urandom(200 * 2**20))
        data["big.bin"] = big
        first = one(there, folder, "big-1", data)
        show("200 MB to a worker", first[0] - first[1], f"{200 / (first[0] - first[1]):.0f} MB/s")
        again = one(there, folder, "big-2", data)
        show("and again, when it is there", again[0] - again[1])
    finally:
        local.close()
        there.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        if len(sys.argv) > 1:
            tasks(sys.argv[1])
            candidates(sys.argv[1], Path(name))
            return
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            tasks(cluster.scheduler_address)
            candidates(cluster.scheduler_address, Path(name))


if __name__ == "__main__":
    main()
