"""Ablation and extraction (section 3.2): which parts are measured, and which block comes next."""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.agents.playbook import literals, sections, steps, suggestions
from mlestar_jupyter.agents.playbook.assembly import best_first, is_ours, model_names
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.features import FEATURES
from mlestar_jupyter.agents.playbook.planning import next_plan, plans
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Ablation, AblationResult, Target
from mlestar_jupyter.score import format_number
from mlestar_jupyter.solution import Solution

_PRIORS = {feature.name: feature.prior for feature in FEATURES}
#: Variants of one study, by the seconds that one execution may take.
FEW, MANY, MUCH_TIME = 2, 4, 60.0
#: What a block without a measured variant is taken to be worth, as a share of the largest.
UNKNOWN = 0.4


def variants(facts: Facts, solution: Solution, earlier: Sequence[AblationResult]) -> list[Ablation]:
    """Variants that each change one block, the most telling first; not those measured before."""
    known = {(result.ablation.block, result.ablation.change) for result in earlier}
    by_block: list[list[Ablation]] = []
    for block in best_first(solution):
        changes = _changes(solution, block)
        found = [_variant(facts, solution, block, change) for change in changes]
        by_block.append([a for a in found if a is not None and (a.block, a.change) not in known])
    count = FEW if facts.brief.seconds < MUCH_TIME else MANY
    # One of each block in turn, so that blocks can be compared.
    in_turn = [a for row in _turns(by_block) for a in row]
    start = facts.brief.branch % 2 if len(in_turn) > count else 0
    return in_turn[start : start + count]


def _turns(by_block: list[list[Ablation]]) -> list[list[Ablation]]:
    longest = max((len(found) for found in by_block), default=0)
    return [[f[i] for f in by_block if len(f) > i] for i in range(longest)]


def _changes(solution: Solution, name: str) -> list[str]:
    """What could be left out of a block, by name, the most doubtful first."""
    source = solution.source(name)
    if not is_ours(solution):
        tuned = any(n.name in steps.TUNED for n in literals.numbers(source))
        return [steps.TUNED_VALUES] if tuned else []
    if name == "join":
        return [steps.NO_SIDE_TABLES]
    if name.startswith("features"):
        found = sections.optional(source)
        found.sort(key=lambda section: _PRIORS.get(section.name, 0.3))
        return [section.name for section in found]
    if name == "predict":
        return [steps.OWN_WEIGHTS] if "weights = " in source else []
    models = model_names(Solution(tuple(b for b in solution.blocks if b.name == name)))
    changes = []
    if models and len(model_names(solution)) > len(models):
        changes.append(f"{steps.OTHER_MODEL} {' and '.join(models)}")
    if models and any(n.name in steps.TUNED for n in literals.numbers(source)):
        changes.append(steps.TUNED_VALUES)
    return changes


def _variant(facts: Facts, solution: Solution, block: str, change: str) -> Ablation | None:
    try:
        source = steps.apply(f"leave out {change}", solution.source(block), facts)
    except ReplyError:
        return None
    return Ablation(block, change, source)


def extract(
    facts: Facts,
    solution: Solution,
    results: Sequence[AblationResult],
    earlier: Sequence[Target],
) -> Target | None:
    """The block whose change mattered most, of those for which there is something to try.

    What a person suggested goes first. A variant that was better than the solution is taken over
    at once: it is measured already.
    """
    for words in facts.brief.suggestions:
        try:
            reading = suggestions.best(words, facts, solution)
        except ReplyError:
            continue  # they were told so when they said it
        return Target(reading.block, words, f"you suggested it: {reading.plan}")
    harmful = [r for r in results if r.gain is not None and r.gain < 0]
    for result in sorted(harmful, key=lambda r: r.gain or 0):
        plan = f"leave out {result.ablation.change}"
        block = result.ablation.block
        if block in solution.names and plan not in {t.plan for t in earlier if t.block == block}:
            lost = format_number(-(result.gain or 0))
            return Target(block, plan, f"without {result.ablation.change} it is {lost} better")
    impact = _impact(solution, results)
    ranked = []
    for name in best_first(solution):
        found = plans(facts, solution, name)
        before = [t for t in earlier if t.block == name]
        text = next_plan(found, before[-1].plan if before else "", (), skipped=4 * len(before))
        if text is None:
            continue
        worth = next((p.worth for p in found if p.text == text), 0.3)
        ranked.append((impact[name] * worth / (1 + len(before)), name, text))
    if not ranked:
        return None
    ranked.sort(key=lambda row: -row[0])
    # The second branch refines another block, if that one promises nearly as much.
    second = len(ranked) > 1 and facts.brief.branch % 2 and not earlier
    _, chosen, first = ranked[1 if second and ranked[1][0] > ranked[0][0] / 2 else 0]
    return Target(chosen, first, _why(chosen, results))


def _impact(solution: Solution, results: Sequence[AblationResult]) -> dict[str, float]:
    """What each block is worth by the study, between 0 and 1."""
    measured: dict[str, float] = {}
    for result in results:
        if result.gain is not None:
            name = result.ablation.block
            measured[name] = max(measured.get(name, 0.0), abs(result.gain))
    largest = max(measured.values(), default=0.0)
    if largest <= 0:
        return dict.fromkeys(solution.names, 1.0)
    shares = {name: 0.3 + 0.7 * value / largest for name, value in measured.items()}
    return {name: shares.get(name, UNKNOWN) for name in solution.names}


def _why(name: str, results: Sequence[AblationResult]) -> str:
    of_block = [r for r in results if r.ablation.block == name and r.gain is not None]
    if not of_block:
        return "no variant of it was measured yet"
    most = max(of_block, key=lambda r: abs(r.gain or 0))
    return f"without {most.ablation.change} the score is {format_number(most.gain or 0)} worse"


def summary(results: Sequence[AblationResult]) -> str:
    """The study in words, the most telling variant first."""
    measured = [r for r in results if r.gain is not None]
    lines = []
    for result in sorted(measured, key=lambda r: -abs(r.gain or 0)):
        gain = result.gain or 0.0
        what = f"Without {result.ablation.change} ({result.ablation.block})"
        if gain == 0:
            lines.append(f"{what} nothing changes.")
        else:
            word = "worse" if gain > 0 else "better"
            lines.append(f"{what} the score is {format_number(abs(gain))} {word}.")
    failed = [r for r in results if r.gain is None]
    lines += [f"Without {r.ablation.change} ({r.ablation.block}) it did not run." for r in failed]
    return " ".join(lines) or "Nothing could be measured."
