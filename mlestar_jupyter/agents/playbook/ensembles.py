"""Ensembles (section 3.3): members inlined as blocks of their own, and one block that combines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlestar_jupyter.agents.playbook.assembly import form, is_ours, label_score
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.rendering import Code, render
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Attempt
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Block, Solution, prefixed

_TOLD = """

# What the ensemble needs of this member: its answers for the test rows and for the check rows.
{checked}
np.savez("{member}_told.npz", predicted=predicted, checked=checked, answers=y[check]{more})"""
_CHECKED_BLEND = "checked = sum(weights[name] * check_predictions[name] for name in weights)"
_CHECKED_MEAN = "checked = np.mean(list(check_predictions.values()), axis=0)"
_GRADES = ",\n         grades=grades, shares=shares"
_CLASSES = ",\n         classes=np.array(classes), shares=np.bincount(y) / len(y)"


@dataclass(frozen=True)
class Way:
    """A way to combine: its plan, the scale of averaging, and weights (None: by check rows)."""

    plan: str
    scale: str
    weights: tuple[float, ...] | None = None


def ways(facts: Facts, solutions: Sequence[Candidate]) -> list[Way]:
    """All ways that suit the metric and the members, the most promising first."""
    ours = all(is_ours(candidate.solution) for candidate in solutions)
    count = len(solutions)
    scale = _scale(facts) if ours else "as they are"
    equal = tuple([1 / count] * count)
    best = (0.7, *[0.3 / (count - 1)] * (count - 1)) if count > 1 else (1.0,)
    mean = f"average the members ({scale})"
    found = [Way(mean, scale, equal)]
    if ours:
        found.insert(1, Way(f"weigh the members by the check rows ({scale})", scale))
    found.append(Way(f"average with weight 0.7 for the best member ({scale})", scale, best))
    if ours and scale != "as they are":
        found.append(Way("average the members (as they are)", "as they are", equal))
    if ours and facts.task.metric.name in ("auc", "gini"):
        found.append(Way("average the members (log chances)", "log chances", equal))
    half = (0.5, *[0.5 / (count - 1)] * (count - 1)) if count > 2 else best[::-1]
    found.append(Way("average with other weights " + _written(half), scale, half))
    return found


def _scale(facts: Facts) -> str:
    metric = facts.task.metric.name
    if facts.log:
        return "logarithms"
    if facts.task.kind == "binary" and metric in ("auc", "gini", "average_precision"):
        return "ranks"
    if metric in ("log_loss", "map@3") or "label" in facts.words:
        return "log chances"
    return "as they are"


def _written(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:.2g}" for weight in weights)


def next_way(
    facts: Facts, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
) -> str | None:
    """The first plan that was not tried; None when all were, or when members never run."""
    tried = {attempt.plan for attempt in attempts}
    ran = ("ok", "stopped_early", "pending")
    failed = sum(attempt.score is None and attempt.status not in ran for attempt in attempts)
    if failed >= 2:
        return None
    return next((way.plan for way in ways(facts, solutions) if way.plan not in tried), None)


def combine(facts: Facts, solutions: Sequence[Candidate], plan: str) -> Solution:
    """One solution in which every member predicts into a file of its own, and a block combines."""
    known = {way.plan: way for way in ways(facts, solutions)}
    way = known.get(plan) or _suggested(facts, solutions, plan)
    ours = all(is_ours(candidate.solution) for candidate in solutions)
    members = [f"s{number}" for number in range(1, len(solutions) + 1)]
    final = Block("ensemble_start", _start())
    blocks = [final]
    for member, candidate in zip(members, solutions, strict=True):
        blocks += _member(facts, member, candidate.solution, told=ours)
    blocks.append(Block("ensemble", _combining(facts, members, way, told=ours)))
    return Solution(tuple(blocks), f"ensemble: {plan}")


def _suggested(facts: Facts, solutions: Sequence[Candidate], plan: str) -> Way:
    """A plan in a person's words: weights if it names as many numbers as there are members."""
    numbers = [float(text) for text in re.findall(r"\d*\.\d+|\d+", plan)]
    usual = ways(facts, solutions)[0]
    if len(numbers) == len(solutions) and sum(numbers) > 0:
        return Way(plan, usual.scale, tuple(n / sum(numbers) for n in numbers))
    if re.search(r"mean|average|blend|vote", plan, re.IGNORECASE):
        return Way(plan, usual.scale, usual.weights)
    raise ReplyError(f"the playbook knows no way to combine like {plan!r}")


def _start() -> str:
    return (
        "# Every member writes to a file of its own; the last block writes the predictions.\n"
        "final_path = predictions_path"
    )


def _member(facts: Facts, member: str, solution: Solution, *, told: bool) -> list[Block]:
    inlined = list(prefixed(solution, f"{member}_"))
    first, last = inlined[0], inlined[-1]
    path = f'predictions_path = "{member}_predictions.csv"\n\n'
    # A notebook of the user's may write the usual name word for word.
    literal = re.compile(rf"""(["']){re.escape(str(DEFAULT_PARAMETERS["predictions_path"]))}\1""")
    inlined = [Block(b.name, literal.sub("predictions_path", b.source)) for b in inlined]
    first = inlined[0]
    inlined[0] = Block(first.name, path + first.source)
    if told:
        last = inlined[-1]
        checked = _CHECKED_BLEND if "weights = " in last.source else _CHECKED_MEAN
        if facts.log and "weights = " in last.source:
            checked += "\nchecked = np.expm1(checked)"
        more = "" if facts.classes == 1 else _CLASSES
        more = _GRADES if "whole" in facts.words else more
        added = _TOLD.format(checked=checked, member=member, more=more)
        inlined[-1] = Block(last.name, last.source + added)
    return inlined


def _combining(facts: Facts, members: list[str], way: Way, *, told: bool) -> str:
    weights = None if way.weights is None else [round(w, 4) for w in way.weights]
    vote = not told and facts.task.metric.needs in ("label", "ranking")
    words = set(facts.words) | ({"told"} if told else {"files", "vote" if vote else "number"})
    words |= {"greedy"} if weights is None else {"given"}
    values = {
        "description": Code(way.plan),
        "members": members,
        "scale": way.scale,
        "weights": weights,
        "columns": list(facts.task.target_columns),
        "column": facts.task.target,
    }
    source = "predictions_path = final_path\n\n" + render("ensemble", words, values)
    if not told:
        return source
    score = label_score(facts)[0]
    needed = f"from sklearn.metrics import {score}\n" if score and "label" in words else ""
    return f"{needed}{source}\n{form(facts)}"
