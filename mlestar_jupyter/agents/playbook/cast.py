"""The cast: rules in the place of a language model, one method for each role of the paper."""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.agents.playbook import (
    assembly,
    catalogue,
    choosing,
    ensembles,
    facts,
    own_models,
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
        """Blocks load, join, features, model and predict for a model of ours or of a person's."""
        if brief.task.is_self_scored:
            raise ReplyError("the playbook cannot begin where a notebook scores itself; use --from")
        read = facts.read(brief)
        entry = own_models.entry_of(card)
        first = assembly.first_solution(read, entry)
        return first if entry in catalogue.ENTRIES else Solution(first.blocks, card.name)

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
        """What a person suggested for the block, then the most promising new plan.

        Suggestions are given in the person's words; ``code`` understands them.
        """
        read = facts.read(brief)
        tried = {target.plan, *(attempt.plan for attempt in attempts)}
        for words in brief.suggestions:
            is_new = words not in tried
            if is_new and suggestions.understood(words, read, solution, target.block):
                return words
        found = planning.plans(read, solution, target.block)
        return planning.next_plan(found, target.plan, attempts)

    def understands(self, brief: Brief, solution: Solution, words: str) -> str:
        """What a suggestion is understood as, for this solution: ``BLOCK: PLAN``.

        No role of the paper: it answers the user who suggests. ReplyError says, in one line, why
        the words cannot be followed, or what could be suggested instead.
        """
        reading = suggestions.best(words, facts.read(brief), solution)
        return f"{reading.block}: {reading.plan}"

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        """The block after the steps of the plan; a person's words are understood first."""
        read, source = facts.read(brief), solution.source(target.block)
        known = suggestions.as_plan(plan, read, solution, target.block)
        return steps.apply(known, source, read)

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
