"""A cast that hands over to a second one when the first cannot go on: no money, no quota, no line.

Every question goes to the first cast first, even when it has failed before. What it answered once
is recorded and costs nothing, so a resumed run takes the same turns, and hands over where it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mlestar_jupyter.candidate import Candidate, Failure, Finding
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.interfaces import (
    Ablation,
    AblationResult,
    Agents,
    Attempt,
    Brief,
    DataUsageEvidence,
    DataUsageVerdict,
    LeakageVerdict,
    Means,
    ModelCard,
    Target,
)
from mlestar_jupyter.run import Run
from mlestar_jupyter.solution import Solution

T = TypeVar("T")


def _gist(data: Mapping[str, str]) -> tuple[str, ...]:
    """What was said of a change, without its figures: what was paid is told each time anew."""
    return data["from"], data["to"], re.sub(r"\d[\d.]*", "", data["reason"])


class Relay:
    """The first cast's answers, and the second's (if there is one) where the first has none."""

    def __init__(self, first: Agents, second: Agents | None, run: Run, means: Means) -> None:
        self.name = first.name
        self._first = first
        self._second = second
        self._run = run
        self._means = means
        self._has_said = False

    def _ask(self, work: Callable[[Agents], T]) -> T:
        try:
            return work(self._first)
        except Stopped:
            raise
        except OutOfMeans as error:
            # Where only time is short, another cast would have no more of it.
            if self._means.is_stopped or self._means.search_left <= 0:
                raise
            self._say(str(error))
            if self._second is None:
                raise
        return work(self._second)

    def _say(self, reason: str) -> None:
        """Once in a session, and not again for what stands last in the journal."""
        with self._run.lock:
            if self._has_said:
                return
            self._has_said = True
            to = "" if self._second is None else self._second.name
            data = {"from": self._first.name, "to": to, "reason": reason}
            said = [e.data for e in self._run.events if e.kind == "agents_changed"]
            # With more money or a network it has answered again meanwhile: then this is news.
            is_as_before = self._run.state.cast == to and _gist(said[-1]) == _gist(data)
            if not is_as_before:
                self._run.emit("agents_changed", **data)

    def understands(self, brief: Brief, solution: Solution, words: str) -> str:
        """What a suggestion is understood as, where the first cast says so; a model just reads."""
        understands: Any = getattr(self._first, "understands", None)
        return "" if understands is None else str(understands(brief, solution, words))

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        """Up to ``count`` models that suit the task."""
        return self._ask(lambda cast: cast.retrieve(brief, count))

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        """One simple, complete solution with this model."""
        return self._ask(lambda cast: cast.initialize(brief, card))

    def merge(self, brief: Brief, base: Solution, other: Solution) -> Solution:
        """One solution with the models of both."""
        return self._ask(lambda cast: cast.merge(brief, base, other))

    def ablate(
        self, brief: Brief, solution: Solution, earlier: Sequence[AblationResult]
    ) -> list[Ablation]:
        """Variants that each change one block."""
        return self._ask(lambda cast: cast.ablate(brief, solution, earlier))

    def summarize(self, brief: Brief, solution: Solution, results: Sequence[AblationResult]) -> str:
        """The study in words."""
        return self._ask(lambda cast: cast.summarize(brief, solution, results))

    def extract(
        self,
        brief: Brief,
        solution: Solution,
        results: Sequence[AblationResult],
        earlier: Sequence[Target],
    ) -> Target | None:
        """The block to refine next."""
        return self._ask(lambda cast: cast.extract(brief, solution, results, earlier))

    def plan(
        self, brief: Brief, solution: Solution, target: Target, attempts: Sequence[Attempt]
    ) -> str | None:
        """The next plan for the target block."""
        return self._ask(lambda cast: cast.plan(brief, solution, target, attempts))

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        """The target block's new source."""
        return self._ask(lambda cast: cast.code(brief, solution, target, plan))

    def plan_ensemble(
        self, brief: Brief, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
    ) -> str | None:
        """The next plan to combine the solutions."""
        return self._ask(lambda cast: cast.plan_ensemble(brief, solutions, attempts))

    def ensemble(self, brief: Brief, solutions: Sequence[Candidate], plan: str) -> Solution:
        """One solution that combines these."""
        return self._ask(lambda cast: cast.ensemble(brief, solutions, plan))

    def debug(self, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
        """A corrected solution, or None."""
        return self._ask(lambda cast: cast.debug(brief, solution, failure))

    def check_leakage(
        self, brief: Brief, solution: Solution, evidence: Sequence[Finding]
    ) -> LeakageVerdict:
        """The verdict on the evidence of leakage."""
        return self._ask(lambda cast: cast.check_leakage(brief, solution, evidence))

    def check_data_usage(
        self, brief: Brief, solution: Solution, evidence: DataUsageEvidence
    ) -> DataUsageVerdict:
        """Whether given information is left unused."""
        return self._ask(lambda cast: cast.check_data_usage(brief, solution, evidence))

    def finalize(self, brief: Brief, solution: Solution) -> Solution:
        """The solution without what only saves time while searching."""
        return self._ask(lambda cast: cast.finalize(brief, solution))
