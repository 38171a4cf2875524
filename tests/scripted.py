"""An executor that computes nothing: a solution says how far its predictions are off.

Its folds can be held, each by itself, so that a test says in which order things end. What a
candidate predicts is graded as ever.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from mlestar_jupyter.candidate import Failure, Outcome
from mlestar_jupyter.interfaces import Execution
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

#: Seconds; no test waits so long but one that fails.
PATIENCE = 60.0


def solution(title: str, noise: float, *, bias: float = 0.0, raises: str = "") -> Solution:
    """One whose predictions are off by a bias and by normal noise of this size."""
    model = f"noise, bias, raises, title = {noise}, {bias}, {raises!r}, {title!r}"
    return Solution((Block("load", "rows = train_path"), Block("model", model)), title)


class Scripted:
    """Predicts as solutions say, in no time, unless it is held."""

    def __init__(self, run: Run, *, seconds: float = 1.0) -> None:
        self.data, self.seconds = run, seconds
        self.saved = 0.0
        self.begun: list[tuple[str, int]] = []
        self.limits: dict[str, float] = {}
        self.most = 0  # at a time
        self._held: set[tuple[str, int]] = set()
        self._under_way: list[Execution] = []
        self._cancelled: list[Execution] = []
        self._changed = threading.Condition()

    def folds_of(self, title: str) -> list[int]:
        """The folds of a solution that were begun, in order."""
        return sorted(fold for name, fold in self.begun if name == title)

    def hold(self, title: str, *folds: int) -> None:
        """Let these folds of a solution wait until they are released or cancelled."""
        self._held |= {(title, fold) for fold in folds}

    def release(self, title: str, *folds: int) -> None:
        """Let them go on."""
        with self._changed:
            self._held -= {(title, fold) for fold in folds}
            self._changed.notify_all()

    def until_begun(self, *wanted: tuple[str, int]) -> None:
        """Come back when all of these have begun."""
        with self._changed:
            began = self._changed.wait_for(lambda: set(wanted) <= set(self.begun), PATIENCE)
        assert began, f"begun were only {self.begun}"

    def run(self, execution: Execution) -> Outcome:
        says: dict[str, Any] = {}
        exec(execution.solution.source("model"), says)
        title, fold = says["title"], int(execution.label.removeprefix("fold-"))
        with self._changed:
            self.begun.append((title, fold))
            self.limits[title] = execution.limits.seconds
            self._under_way.append(execution)
            self.most = max(self.most, len(self._under_way))
            self._changed.notify_all()
            ended = self._changed.wait_for(
                lambda: (title, fold) not in self._held or self._is_cancelled(execution), PATIENCE
            )
            self._under_way.remove(execution)
            assert ended, f"nobody released or cancelled fold {fold} of {title}"
        if self._is_cancelled(execution):
            return Outcome("cancelled", self.seconds)
        if says["raises"]:
            failure = Failure("model", "ValueError", says["raises"])
            return Outcome("failed", self.seconds, failure=failure)
        self._predict(execution, fold, says)
        return Outcome("ok", self.seconds, saved=self.saved)

    def _predict(self, execution: Execution, fold: int, says: dict[str, Any]) -> None:
        task = self.data.task
        held = task.train.iloc[self.data.validation.held_rows(fold)]
        rng = np.random.default_rng((sum(says["title"].encode()), fold))
        predicted = held[[task.sample_columns[0], task.target]].copy()
        predicted[task.target] += says["bias"] + rng.normal(0, says["noise"], len(held))
        execution.output.mkdir(parents=True, exist_ok=True)
        predicted.to_csv(execution.predictions, index=False)

    def _is_cancelled(self, execution: Execution) -> bool:
        return any(execution is other for other in self._cancelled)

    def cancel(self, execution: Execution | None = None) -> None:
        with self._changed:
            self._cancelled += [e for e in self._under_way if execution is None or e is execution]
            self._changed.notify_all()

    def run_notebook(self, *_: Any) -> Outcome:
        raise NotImplementedError

    def prepare(self, settings: Settings) -> None:
        pass

    def stop_reusing(self, reason: str) -> None:
        raise AssertionError(reason)

    def close(self) -> None:
        self.cancel()
