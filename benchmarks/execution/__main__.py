"""The command line: see ``benchmarks.execution``."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import benchmarks.execution
from benchmarks.execution import fixed, loop, memory, on_cluster, side_by_side, whole
from benchmarks.execution.report import machine, section
from mlestar_jupyter.execution import warm

SECTIONS: dict[str, tuple[str, Callable[[Path, argparse.Namespace], None]]] = {
    "fixed": ("what a candidate costs beside its cells", fixed.measure),
    "loop": ("8 candidates of an inner loop, after a slow prefix", loop.inner_loop),
    "ablation": ("the same notebook, each block changed once", loop.ablation),
    "whole": ("whole runs, everything off and on, same seed and time", whole.measure),
    "memory": ("what warm kernels and snapshots hold", memory.measure),
    "jobs": ("the same 8 candidates, one and two at a time", side_by_side.measure),
    "dask": ("the same candidates here and on the workers of a cluster", on_cluster.measure),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.execution",
        description=benchmarks.execution.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--repeat", type=int, default=7, help="rounds of fixed (7)")
    parser.add_argument("--rows", type=int, default=200_000, help="of the slow notebook (200,000)")
    parser.add_argument("--candidates", type=int, default=8, help="of loop and jobs (8)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each whole run (2)")
    parser.add_argument("--tasks", type=Path, help="a folder of tasks in Kaggle's form, for whole")
    parser.add_argument("--task", nargs="+", help="names of two or so of them (the first two)")
    parser.add_argument(
        "--grade", type=Path, help='prints {"score": ...} for GRADE NAME SUBMISSION --json'
    )
    arguments = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _name_this_interpreter(folder)
        for chosen, (words, measure) in SECTIONS.items():
            if chosen in arguments.only:
                with section(chosen, words):
                    measure(folder, arguments)
                warm.shared.close()  # each section starts its own servers


def _name_this_interpreter(folder: Path) -> None:
    """Let python3 be the kernel spec of this interpreter, whatever the user has installed."""
    from ipykernel.kernelspec import write_kernel_spec

    # Warnings of the kernel would end up between our lines.
    write_kernel_spec(
        str(folder / "jupyter" / "kernels" / "python3"), extra_arguments=["--log-level=40"]
    )
    os.environ["JUPYTER_PATH"] = str(folder / "jupyter")


if __name__ == "__main__":
    main()
