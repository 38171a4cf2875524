"""The planner's role: what may be tried on a block, and what to try next given what was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlestar_jupyter.agents.playbook import dials, steps
from mlestar_jupyter.agents.playbook.assembly import is_ours, model_names
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.features import more_features
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Attempt
from mlestar_jupyter.solution import Solution, normalise

#: After a gain, the same dial once more the same way is more promising by so much; the other way
#: is not tried. After a loss, the same way is not tried again.
ENCOURAGED = 0.3


@dataclass(frozen=True)
class Plan:
    """A plan, what it is about, which way it goes, and how promising it is for its time."""

    text: str
    about: str
    way: int
    worth: float


def plans(facts: Facts, solution: Solution, block: str) -> list[Plan]:
    """All plans for a block, the most promising first; each changes its source."""
    source = solution.source(block)
    found = [Plan(t.text, t.meaning, t.number, t.prior) for t in dials.turns(source)]
    if is_ours(solution):
        if block.startswith("features"):
            found = [Plan(p.text, p.about, p.way, 0.5 * p.worth) for p in found]
            for feature, _ in more_features(source, facts):
                text = f"add {feature.name}: {feature.plan}"
                found.append(Plan(text, feature.name, 0, feature.prior / feature.slow**0.5))
            if "ngram_range=(1, 2)" in source:
                found.append(Plan("count up to 3 words in a row", "words", 0, 0.2))
        elif model_names(Solution(tuple(b for b in solution.blocks if b.name == block))):
            found += _of_models(facts, solution, block)
    unlike = _changing(facts, source, found)
    return _in_turn(sorted(unlike, key=lambda plan: -plan.worth), facts.brief.branch)


def _of_models(facts: Facts, solution: Solution, block: str) -> list[Plan]:
    source = solution.source(block)
    found = [Plan("average 3 seeds", "seeds", 0, 0.45)]
    if facts.classes == 1 and "l1" not in facts.words:
        found.append(Plan("learn the logarithm of the target", "target", 0, 0.3))
        if "lightgbm" in source and not facts.log:
            found.append(Plan("learn with the objective huber", "objective", 0, 0.1))
    if "shifts = [(0, 0)]" in source:
        found.append(Plan("learn from moved pictures, too", "pictures", 0, 0.7))
    others = steps.other_models(facts, solution)
    for number, name in enumerate(others):
        worth = 0.42 - 0.1 * number
        found.append(Plan(f"add the model {name} beside it", f"model {name}", 0, worth))
    for number, name in enumerate(others[:2]):
        found.append(Plan(f"use the model {name} instead", f"model {name}", 1, 0.2 - 0.05 * number))
    return found


def _changing(facts: Facts, source: str, found: Sequence[Plan]) -> list[Plan]:
    """Those plans that give another source, each source once."""
    seen = {normalise(source)}
    kept = []
    for plan in found:
        try:
            key = normalise(steps.apply(plan.text, source, facts))
        except ReplyError:
            continue
        if key not in seen:
            seen.add(key)
            kept.append(plan)
    return kept


def _in_turn(ordered: list[Plan], branch: int) -> list[Plan]:
    """Other branches begin elsewhere, so that the solutions of the branches differ."""
    if branch == 0 or len(ordered) < 3:
        return ordered
    shift = branch % min(3, len(ordered))
    return [*ordered[shift:3], *ordered[:shift], *ordered[3:]]


def next_plan(
    found: Sequence[Plan], first: str, attempts: Sequence[Attempt], skipped: int = 0
) -> str | None:
    """The plan to try next: something new, led by the gains and losses of what was tried.

    ``first`` is the plan that the target came with; ``skipped`` plans at the head of the list
    belong to earlier steps on the same block.
    """
    tried = {attempt.plan for attempt in attempts} | {first}
    by_text = {plan.text: plan for plan in found}
    winners = [a for a in attempts if (a.gain or 0) > 0 and a.plan in by_text]
    winners.sort(key=lambda attempt: -(attempt.gain or 0))
    abouts = {by_text[a.plan].about for a in winners}
    if len(winners) >= 2 and len(abouts) >= 2:
        best = winners[0]
        other = next(w for w in winners if by_text[w.plan].about != by_text[best.plan].about)
        both = steps.AND.join((best.plan, other.plan))
        if both not in tried and not _clash(best.plan, other.plan):
            return both
    worth = {
        plan.text: _with_experience(plan, by_text, attempts) - (2 if number < skipped else 0)
        for number, plan in enumerate(found)
        if plan.text not in tried
    }
    if not worth:
        return None
    order = {plan.text: number for number, plan in enumerate(found)}
    chosen = max(worth, key=lambda text: (worth[text], -order[text]))
    return chosen if worth[chosen] > -1 else None


def _clash(first: str, second: str) -> bool:
    """Whether two plans set or replace the same thing."""
    if "instead" in first or "instead" in second:
        return True
    names = [
        {pair.split(" to ")[0] for pair in text.removeprefix("set ").split(", ")}
        for text in (first, second)
        if text.startswith("set ")
    ]
    return len(names) == 2 and bool(names[0] & names[1])


def _with_experience(plan: Plan, known: dict[str, Plan], attempts: Sequence[Attempt]) -> float:
    worth = plan.worth
    for attempt in attempts:
        tried = known.get(attempt.plan)
        if tried is None or tried.about != plan.about:
            continue
        if attempt.gain is None and attempt.status != "stopped_early":
            worth -= 0.5  # it did not run
        elif attempt.gain is not None and attempt.gain > 0:
            worth += ENCOURAGED if tried.way == plan.way else -0.5
        else:
            worth += 0.1 if tried.way != plan.way else -0.5
    return worth
