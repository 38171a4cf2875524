"""The cast: a language model in each role of the paper."""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.agents.llm import building, checking, refining
from mlestar_jupyter.agents.llm.asking import Asking, Line
from mlestar_jupyter.candidate import Candidate, Failure, Finding
from mlestar_jupyter.interfaces import (
    Ablation,
    AblationResult,
    Agents,
    Attempt,
    Brief,
    DataUsageEvidence,
    DataUsageVerdict,
    LeakageVerdict,
    ModelCard,
    Target,
)
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution


class LlmAgents:
    """Agents that ask a language model over one line (``calls.Calls``), for one run.

    ``catalogue`` is a cast whose retriever is asked where the model cannot search the web.
    """

    def __init__(
        self, line: Line, run: Run, settings: Settings, catalogue: Agents | None = None
    ) -> None:
        self.name = line.llm.name
        self._asking = Asking(line, run, settings)
        self._catalogue = catalogue

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        """Models that the web speaks of, with the pages that do."""
        return building.retrieve(self._asking, brief, count, self._catalogue)

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        """One simple, complete solution with this model."""
        return building.initialize(self._asking, brief, card)

    def merge(self, brief: Brief, base: Solution, other: Solution) -> Solution:
        """The base with the other's model beside its own."""
        return building.merge(self._asking, brief, base, other)

    def ablate(
        self, brief: Brief, solution: Solution, earlier: Sequence[AblationResult]
    ) -> list[Ablation]:
        """Two to four variants that each change one block."""
        return refining.ablate(self._asking, brief, solution, earlier)

    def summarize(self, brief: Brief, solution: Solution, results: Sequence[AblationResult]) -> str:
        """The study in words."""
        return refining.summarize(self._asking, brief, solution, results)

    def extract(
        self,
        brief: Brief,
        solution: Solution,
        results: Sequence[AblationResult],
        earlier: Sequence[Target],
    ) -> Target | None:
        """The block to refine next, with a first plan."""
        return refining.extract(self._asking, brief, solution, results, earlier)

    def plan(
        self, brief: Brief, solution: Solution, target: Target, attempts: Sequence[Attempt]
    ) -> str | None:
        """The next plan for the target block, in view of what was tried."""
        return refining.plan(self._asking, brief, solution, target, attempts)

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        """The target block's new source."""
        return refining.code(self._asking, brief, solution, target, plan)

    def plan_ensemble(
        self, brief: Brief, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
    ) -> str | None:
        """The next plan to combine the solutions."""
        return building.plan_ensemble(self._asking, brief, solutions, attempts)

    def ensemble(self, brief: Brief, solutions: Sequence[Candidate], plan: str) -> Solution:
        """The members inlined, and a block that combines them."""
        return building.ensemble(self._asking, brief, solutions, plan)

    def debug(self, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
        """A corrected solution; the model may search the web for the error."""
        return checking.debug(self._asking, brief, solution, failure)

    def check_leakage(
        self, brief: Brief, solution: Solution, evidence: Sequence[Finding]
    ) -> LeakageVerdict:
        """The verdict on what was seen, with corrections."""
        return checking.check_leakage(self._asking, brief, solution, evidence)

    def check_data_usage(
        self, brief: Brief, solution: Solution, evidence: DataUsageEvidence
    ) -> DataUsageVerdict:
        """Whether something useful is left unused, and a solution that uses it."""
        return checking.check_data_usage(self._asking, brief, solution, evidence)

    def finalize(self, brief: Brief, solution: Solution) -> Solution:
        """The solution without what only saved time while searching."""
        return checking.finalize(self._asking, brief, solution)
