"""The roles of the two loops (section 3.2): ablation, summary, target block, plan and code."""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.agents.llm import data, replies, work
from mlestar_jupyter.agents.llm.asking import Asking, Question
from mlestar_jupyter.agents.llm.building import new_plan
from mlestar_jupyter.agents.llm.contract import check_change
from mlestar_jupyter.agents.llm.fences import code as fenced
from mlestar_jupyter.agents.llm.prompt import render
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Ablation, AblationResult, Attempt, Brief, Target
from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Solution, normalise

#: A study has so many variants at most; with as many good ones as the first number, bad ones are
#: left out without asking again.
ENOUGH, MOST = 2, 4
#: The reason of a target that the user chose (algorithm/refine.py).
PINNED = "pinned by you"


def ablate(
    asking: Asking, brief: Brief, solution: Solution, earlier: Sequence[AblationResult]
) -> list[Ablation]:
    """Variants that each change one block and that were not measured before."""
    prompt = render(
        "ablate",
        task=asking.about(brief),
        measured=work.measured(earlier),
        solution=work.script(solution),
    )
    known = {(r.ablation.block, normalise(r.ablation.source)) for r in earlier}

    def read(text: str) -> list[Ablation]:
        found: list[Ablation] = []
        problems: list[str] = []
        for variant in data.read(text, data.ABLATIONS)["variants"]:
            try:
                ablation = _variant(solution, variant)
            except ReplyError as error:
                problems.append(str(error))
                continue
            key = ablation.block, normalise(ablation.source)
            if key in known:
                problems.append(f"{ablation.change} was measured before")
            else:
                found.append(ablation)
                known.add(key)
        if not found or (problems and len(found) < ENOUGH):
            raise ReplyError(problems[0] if problems else "it holds no variant")
        return found[:MOST]

    return asking.ask(brief, Question("ablate", prompt, read, schema=data.ABLATIONS))


def _variant(solution: Solution, variant: dict[str, str]) -> Ablation:
    block, source = variant["block"].strip(), variant["source"]
    if parts := replies.fences(source):
        source = parts[0].text
    check_change(solution, block, source)
    change = " ".join(variant["change"].split())
    change = change.removeprefix("without").lstrip(": ") or f"a part of {block}"
    return Ablation(block, change[:100], source.strip("\n"))


def summarize(
    asking: Asking, brief: Brief, solution: Solution, results: Sequence[AblationResult]
) -> str:
    """The study in words."""
    prompt = render(
        "summarize",
        task=asking.about(brief),
        score=work.standing(base_score(results)),
        solution=work.script(solution),
        results=work.studies(results),
    )
    return asking.ask(brief, Question("summarize", prompt, replies.plain))


def extract(
    asking: Asking,
    brief: Brief,
    solution: Solution,
    results: Sequence[AblationResult],
    earlier: Sequence[Target],
) -> Target | None:
    """The block to refine next, with a first plan."""
    prompt = render(
        "extract",
        task=asking.about(brief),
        branch=work.branches(brief, asking.settings.solutions),
        suggestions=work.suggestions(brief),
        score=work.standing(base_score(results)),
        solution=work.script(solution),
        results=work.studies(results),
        targets=work.targets(earlier),
    )

    def read(text: str) -> Target | None:
        found = data.read(text, data.TARGET)
        block = found["block"].strip(" `")
        if not block or replies.is_none(block):
            return None
        names = {name.lower(): name for name in solution.names}
        if block.lower() not in names:
            known = ", ".join(solution.names)
            raise ReplyError(f"the solution has no block {block}; its blocks are {known}")
        plan = " ".join(replies.plain(found["plan"]).split())
        return Target(names[block.lower()], plan, " ".join(found["reason"].split()))

    return asking.ask(brief, Question("extract", prompt, read, schema=data.TARGET))


def plan(
    asking: Asking, brief: Brief, solution: Solution, target: Target, attempts: Sequence[Attempt]
) -> str | None:
    """The next plan for the target block; plain text, so that it can be read as it is written."""
    prompt = render(
        "plan",
        task=asking.about(brief),
        block=target.block,
        why=_why(target),
        branch=work.branches(brief, asking.settings.solutions),
        suggestions=work.suggestions(brief),
        score=work.standing(attempt_base(attempts)),
        solution=work.script(solution),
        attempts=work.attempts(attempts, "the solution"),
    )
    return asking.ask(brief, Question("plan", prompt, new_plan(attempts), block=target.block))


def _why(target: Target) -> str:
    if target.reason == PINNED:
        return "The user chose this block."
    return f"Why this block: {target.reason.rstrip('.')}." if target.reason else ""


def code(asking: Asking, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
    """The target block's new source."""
    prompt = render(
        "code",
        task=asking.about(brief),
        block=target.block,
        plan=plan,
        solution=work.script(solution),
        source=fenced(solution.source(target.block)),
    )

    def read(text: str) -> str:
        source = replies.block_source(text, target.block)
        check_change(solution, target.block, source)
        return source

    question = Question("code", prompt, read, plan=plan, block=target.block)
    return asking.ask(brief, question)


def base_score(results: Sequence[AblationResult]) -> Score | None:
    """The score of the studied solution, from what a variant lost against it; spread unknown."""
    for result in results:
        if result.score is not None and result.gain is not None:
            return _before(result.score, result.gain)
    return None


def attempt_base(attempts: Sequence[Attempt]) -> Score | None:
    """The score of the solution on which plans were tried."""
    for attempt in attempts:
        if attempt.score is not None and attempt.gain is not None:
            return _before(attempt.score, -attempt.gain)
    return None


def _before(score: Score, gain: float) -> Score:
    """The score that is better than this one by ``gain``; the spread is about the same."""
    value = score.value + (gain if score.greater_is_better else -gain)
    return Score(
        value, (value,), (1,), score.spread, score.metric, score.greater_is_better,
        score.self_scored,
    )  # fmt: skip
