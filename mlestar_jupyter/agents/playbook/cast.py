"""The cast: rules in the place of a language model, one method for each role of the paper."""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.agents.playbook import (
    assembly,
    catalogue,
    choosing,
    ensembles,
    facts,
    planning,
    repairs,
    steps,
    suggestions,
    verdicts,
)
from mlestar_jupyter.candidate import Candidate, Failure, Finding
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import (
    Ablation,
    AblationResult,
    Attempt,
    Brief,
    DataUsageEvidence,
    DataUsageVerdict,
    LeakageVerdict,
    ModelCard,
    Target,
)
from mlestar_jupyter.solution import Solution


class Playbook:
    """Agents that need no key and no network. Stateless: equal questions give equal answers."""

    name = "playbook"

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        """Model cards of the catalogue that suit the data, the most promising first."""
        if brief.task.is_self_scored:
            return []
        read = facts.read(brief)
        return [catalogue.card(entry, read) for entry in catalogue.suited(read)[:count]]

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        """Blocks load, join, features, model and predict for the card's model."""
        entry = catalogue.BY_NAME.get(card.name)
        if entry is None or not entry.is_installed:
            known = ", ".join(e.name for e in catalogue.ENTRIES if e.is_installed)
            raise ReplyError(f"the playbook has no model {card.name!r} here; it has {known}")
        return assembly.first_solution(facts.read(brief), entry)

    def merge(self, brief: Brief, base: Solution, other: Solution) -> Solution:
        """The base's blocks, the other's model beside its own, and a blend of both."""
        merged = assembly.merged(facts.read(brief), base, other)
        if merged is None:
            raise ReplyError(f"{other.title or 'the other'} adds no model to {base.title}")
        return merged

    def ablate(
        self, brief: Brief, solution: Solution, earlier: Sequence[AblationResult]
    ) -> list[Ablation]:
        """Variants without a group of features, a model, tuned numbers or what was joined."""
        return choosing.variants(facts.read(brief), solution, earlier)

    def summarize(
        self,
        brief: Brief,  # noqa: ARG002 (the protocol's form)
        solution: Solution,  # noqa: ARG002
        results: Sequence[AblationResult],
    ) -> str:
        """A sentence for each variant, the most telling first."""
        return choosing.summary(results)

    def extract(
        self,
        brief: Brief,
        solution: Solution,
        results: Sequence[AblationResult],
        earlier: Sequence[Target],
    ) -> Target | None:
        """The block whose change mattered most among those with something to try."""
        return choosing.extract(facts.read(brief), solution, results, earlier)

    def plan(
        self, brief: Brief, solution: Solution, target: Target, attempts: Sequence[Attempt]
    ) -> str | None:
        """The most promising new plan, given the gains and losses of those tried."""
        found = planning.plans(facts.read(brief), solution, target.block)
        return planning.next_plan(found, target.plan, attempts)

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        """The block after the steps of the plan; a person's words are understood first."""
        read, source = facts.read(brief), solution.source(target.block)
        return steps.apply(suggestions.as_plan(plan, source, read), source, read)

    def plan_ensemble(
        self, brief: Brief, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
    ) -> str | None:
        """The next way to combine that suits the metric."""
        if brief.task.is_self_scored:
            return None
        return ensembles.next_way(facts.read(brief), solutions, attempts)

    def ensemble(self, brief: Brief, solutions: Sequence[Candidate], plan: str) -> Solution:
        """Members inlined as blocks, each with its own file, and a block that combines them."""
        return ensembles.combine(facts.read(brief), solutions, plan)

    def debug(self, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
        """A correction by rule, or None."""
        if brief.task.is_self_scored:
            return None
        return repairs.mend(facts.read(brief), solution, failure)

    def check_leakage(
        self, brief: Brief, solution: Solution, evidence: Sequence[Finding]
    ) -> LeakageVerdict:
        """Certain findings are leaks, mended where a rule knows how."""
        if brief.task.is_self_scored:
            certain = [finding for finding in evidence if finding.certain]
            return LeakageVerdict(bool(certain), str(certain[0]) if certain else "")
        return verdicts.judge_leakage(facts.read(brief), solution, evidence)

    def check_data_usage(
        self, brief: Brief, solution: Solution, evidence: DataUsageEvidence
    ) -> DataUsageVerdict:
        """Side tables that can be joined are joined."""
        if brief.task.is_self_scored:
            return DataUsageVerdict(True, "self-scored")
        return verdicts.judge_usage(facts.read(brief), solution, evidence)

    def finalize(self, brief: Brief, solution: Solution) -> Solution:  # noqa: ARG002
        """The solution with all rows of train."""
        return verdicts.with_all_rows(solution)
