"""Algorithm 3 of the paper: combine the solutions of all branches, by plans that improve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import decide_confirmed, replace_incumbent
from mlestar_jupyter.algorithm.initialize import rank
from mlestar_jupyter.algorithm.plans import Plans, attempt
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.interfaces import Attempt

#: Ensembles have a place of their own among the incumbents, after all branches.
ENSEMBLE_BRANCH = -1


def members(context: Context, finals: Sequence[Candidate]) -> list[Candidate]:
    """The solutions to combine: the branches' results, and others until there are two."""
    chosen = rank(list({c.id: c for c in finals}.values()))
    rejected = context.run.state.rejected
    others = [c for c in context.run.scored if c.stage in ("initialize", "merge", "refine")]
    for other in rank([c for c in others if c.id not in rejected]):
        if len(chosen) >= 2:
            break
        related = {p for c in chosen for p in (c.id, *c.parents)}
        if other.id not in related and not related & set(other.parents):
            chosen.append(other)
    return chosen


def ensemble(
    context: Context, finals: Sequence[Candidate], *, rounds: int | None = None
) -> Candidate | None:
    """Try up to R plans to combine the solutions; the best one, or None when none was scored."""
    run = context.run
    solutions = members(context, finals)
    if len(solutions) < 2:
        return None
    agents, parents = context.agents, tuple(c.id for c in solutions)
    said = context.said.get(ENSEMBLE_BRANCH, ())
    brief = replace(context.brief(made_of=parents, added=True), suggestions=said)
    best: Candidate | None = None

    def plan(tried: Sequence[Attempt]) -> str | None:
        return agents.plan_ensemble(brief, solutions, tried)

    def make(words: str) -> Proposal:
        solution = agents.ensemble(brief, solutions, words)
        return Proposal("ensemble", solution, words, parents, branch=ENSEMBLE_BRANCH)

    def take(words: str, candidate: Candidate) -> Attempt:
        nonlocal best
        candidate, decision = decide_confirmed(context, candidate, best)
        if decision.accepted:
            replace_incumbent(run, ENSEMBLE_BRANCH, candidate, decision.reason, best)
            best = candidate
        elif best is None or candidate.id != best.id:
            reason = decision.reason
            run.emit("plan_lost", branch=ENSEMBLE_BRANCH, id=candidate.id, reason=reason)
        return attempt(words, candidate, solutions[0], accepted=decision.accepted)

    failed, width = "an ensemble plan gave no solution", context.side_by_side(1)
    plans = Plans(context, "ensemble", width, plan=plan, make=make, take=take, failed=failed)
    plans.go(run.settings.ensemble_rounds if rounds is None else rounds)
    return best
