"""The ways to execute a solution that are compared: papermill as it comes, and our executor."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

import papermill

from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Execution, Executor, Limits
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Solution

_LIMIT = 900.0  # seconds


@dataclass(frozen=True)
class Ran:
    """What an execution took, wall clock in seconds, and the predictions that it wrote."""

    seconds: float
    predictions: bytes
    outcome: Outcome | None = None


class Way(Protocol):
    """Executes a solution in one way."""

    def __call__(self, solution: Solution, label: str) -> Ran:
        """Execute, and fail when the solution does."""


@dataclass
class Papermill:
    """papermill in this process with its own engine; its data lies there already."""

    folder: Path
    inputs: Mapping[str, Path]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, solution: Solution, label: str) -> Ran:
        """Execute in a folder that holds the data and was made before the clock starts."""
        with patch.dict(os.environ, self.environment):
            return self._run(solution, label)

    def _run(self, solution: Solution, label: str) -> Ran:
        work = self.folder / f"papermill-{label}"
        work.mkdir()
        for name, path in self.inputs.items():
            (work / name).symlink_to(path)
        began = time.perf_counter()
        papermill.execute_notebook(
            solution.to_notebook(),
            str(work / "executed.ipynb"),
            kernel_name="python3",
            progress_bar=False,
            cwd=str(work),
        )
        seconds = time.perf_counter() - began
        predictions = work / str(DEFAULT_PARAMETERS["predictions_path"])
        ran = Ran(seconds, predictions.read_bytes())
        shutil.rmtree(work)
        return ran


@dataclass
class Ours:
    """An executor of ours; staging and handing over count."""

    executor: Executor
    folder: Path
    inputs: Mapping[str, Path]
    threads: int
    last: Execution | None = field(default=None, init=False)

    def __call__(self, solution: Solution, label: str) -> Ran:
        """Execute as a run does."""
        limits = Limits(_LIMIT, self.threads)
        execution = Execution(solution, self.inputs, {}, limits, self.folder, label)
        began = time.perf_counter()
        outcome = self.executor.run(execution)
        seconds = time.perf_counter() - began
        if outcome.status != "ok":
            raise RuntimeError(f"{label}: {outcome.words}")
        self.last = execution
        return Ran(seconds, execution.predictions.read_bytes(), outcome)


@contextmanager
def ours(
    folder: Path,
    inputs: Mapping[str, Path],
    threads: int,
    options: Mapping[str, Mapping[str, str | bool]],
) -> Iterator[dict[str, Ours]]:
    """Executors of one job with these options each, by name; closed at the end."""
    with ExitStack() as stack:
        made = {}
        for name, chosen in options.items():
            executor = PapermillExecutor(1, **chosen)  # type: ignore[arg-type]
            stack.callback(executor.close)
            made[name] = Ours(executor, folder / name.replace(" ", "-"), inputs, threads)
        yield made


def in_turn(
    ways: Mapping[str, Way], solutions: Sequence[Solution], label: str
) -> dict[str, list[Ran]]:
    """Each solution in each way, one solution after another."""
    ran: dict[str, list[Ran]] = {name: [] for name in ways}
    for number, solution in enumerate(solutions):
        for name, way in ways.items():
            ran[name].append(way(solution, f"{label}-{number}"))
    return ran
