"""The executions of one solution, one for each fold, as jobs come free."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlestar_jupyter.algorithm.racing import Race
from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import Solution

if TYPE_CHECKING:
    from mlestar_jupyter.algorithm.evaluate import Context

#: An execution that is just beginning may not hear that it is cancelled: told again, in seconds.
_AGAIN = 0.2


class Folds:
    """Executes a solution for each purpose, until all are done or the rest is not worth its time.

    That is so when one has failed, for then there can be no score, and when the race is lost.
    ``lost`` says why it is, "" if it is not. ``limit`` is that of one execution in seconds,
    ``expected`` what it should take: it does not begin when less is left. Cells that were executed
    before are taken over where that saves ``least_saved`` seconds; with ``clean`` none are, and
    what is written goes into that folder.
    """

    def __init__(
        self,
        context: Context,
        candidate: str,
        solution: Solution,
        limit: float,
        race: Race | None,
        *,
        expected: float = 0.0,
        least_saved: float = 0.0,
        clean: Path | None = None,
    ) -> None:
        self.context, self.run = context, context.run
        self.candidate, self.solution, self.limit = candidate, solution, limit
        self.race = race
        self.expected, self.least_saved = expected, least_saved
        self.clean = clean
        self.lost = ""
        self._under_way: list[Execution] = []

    def execute(self, purposes: Sequence[object]) -> list[Outcome]:
        """The outcomes in order; of what was not begun or was ended, ``cancelled``.

        Raises InvalidPredictions where the race comes by predictions that cannot be graded.
        """
        jobs = self.context.jobs
        futures = [jobs.submit(self._run_one, purpose) for purpose in purposes]
        left = set(futures)
        try:
            while left and not self._is_decided(futures):
                _, left = wait(left, return_when=FIRST_COMPLETED)
        finally:
            self._end(futures)
        return [Outcome("cancelled", 0.0) if f.cancelled() else f.result() for f in futures]

    def _is_decided(self, futures: Sequence[Future[Outcome]]) -> bool:
        """Whether what is done makes the rest useless."""
        if not self.run.settings.early_stop:
            return False
        done = [future.done() for future in futures]
        if any(f.done() and (f.cancelled() or f.result().status != "ok") for f in futures):
            return True
        if self.race is not None and not all(done):
            # In their order, so that a race does not hang on which fold was faster.
            self.lost = self.race.look(done.index(False))
        return bool(self.lost)

    def _end(self, futures: Sequence[Future[Outcome]]) -> None:
        left = {future for future in futures if not future.cancel() and not future.done()}
        while left:
            for execution in list(self._under_way):
                self.context.executor.cancel(execution)
            _, left = wait(left, timeout=_AGAIN)

    def _run_one(self, purpose: object) -> Outcome:
        run, budget = self.run, self.context.budget
        if not self.context.has_time(self.expected):
            return Outcome("cancelled", 0.0)
        limit = min(self.limit, budget.search_left)
        label = label_of(purpose)
        execution = Execution(
            solution=self.solution,
            inputs=run.staging.inputs(purpose),  # type: ignore[arg-type]
            parameters={**run.staging.parameters, "seed": run.settings.seed},
            limits=Limits(limit, self.context.threads, until=time.monotonic() + budget.search_left),
            output=self.clean or run.candidate_folder(self.candidate),
            label=label,
            # A score that a notebook prints itself cannot be compared with a clean one's files.
            fresh=self.clean is not None or run.task.is_self_scored,
            least_saved=self.least_saved,
        )
        self._under_way.append(execution)
        try:
            outcome = self.context.executor.run(execution)
        finally:
            self._under_way.remove(execution)
        is_cut_off = limit < self.limit or budget.search_left <= 0
        if outcome.status == "timed_out" and is_cut_off:
            outcome = replace(outcome, status="cancelled", failure=None)  # the run's time was up
        if self.clean is None:  # else who asked for it writes it down
            run.emit("candidate_executed", id=self.candidate, purpose=label, **outcome.to_json())
        return outcome


def label_of(purpose: object) -> str:
    """What the execution for this purpose is called, and what it writes."""
    return f"fold-{purpose}" if isinstance(purpose, int) else str(purpose)


def first_bad(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The first that went wrong; rather one that did so itself than one that was ended for it."""
    bad = [outcome for outcome in outcomes if outcome.status != "ok"]
    own = [outcome for outcome in bad if outcome.status != "cancelled"]
    return next(iter([*own, *bad]), None)
