"""What an execution costs beside its cells: a plain script, plain papermill, our executor.

    python benchmarks/overhead.py [--repeats 5]

All are measured in one run, in turn, so that a noisy machine is noisy for each of them; the
medians and their ratios to plain papermill are printed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import papermill

from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import Block, Solution

NOTEBOOKS = {
    "nothing": "x = 1",
    "imports": "import pandas, sklearn.ensemble, lightgbm",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    executor = PapermillExecutor(1)
    print(f"{'cells':<10}{'what':<18}{'seconds':>9}{'of papermill':>14}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for cells, source in NOTEBOOKS.items():
            solution = Solution((Block("only", source),))
            ways: dict[str, Callable[[], object]] = {
                "plain script": lambda s=source: subprocess.run(
                    [sys.executable, "-c", s], check=True
                ),
                "plain papermill": lambda s=solution: papermill.execute_notebook(
                    s.to_notebook(), None, kernel_name="python3", progress_bar=False
                ),
                "our executor": lambda s=solution: executor.run(
                    Execution(s, {}, {}, Limits(60), folder, "bench")
                ),
            }
            seconds = measure(ways, repeats)
            for way, taken in seconds.items():
                ratio = taken / seconds["plain papermill"]
                print(f"{cells:<10}{way:<18}{taken:>9.2f}{ratio:>14.2f}", flush=True)
    executor.close()


def measure(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each way, tried in turn; the first round only warms the disk up."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(repeats + 1):
        for way, work in ways.items():
            began = time.perf_counter()
            work()
            if number:
                taken[way].append(time.perf_counter() - began)
    return {way: statistics.median(values) for way, values in taken.items()}


if __name__ == "__main__":
    main()
