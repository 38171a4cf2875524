"""What a user asks for beside the loops: a solution of their own, a merge, a model, a correction.

Each is judged like any other candidate, and replaces the incumbent only if it is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import decide_confirmed, replace_incumbent
from mlestar_jupyter.candidate import Candidate, Failure, Proposal
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import BudgetError, MlestarError
from mlestar_jupyter.interfaces import ModelCard
from mlestar_jupyter.run import Run
from mlestar_jupyter.solution import Block, Solution


def offer(context: Context, proposal: Proposal) -> Candidate:
    """Judge a proposal that the user waits for; it becomes the incumbent if it is accepted."""
    try:
        candidate = context.judge(proposal, is_asked=True)
    except Stopped:
        raise
    except OutOfMeans:
        raise BudgetError(
            "no time is left for it; give the run more, with %mlestar resume --time 20m"
        ) from None
    run = context.run
    if candidate.id in run.state.rejected:
        raise MlestarError(
            f"{candidate.id} is the same, and was undone; change something, or accept it with "
            f"%mlestar adopt {candidate.id}"
        )
    branch = proposal.branch
    incumbent = run.state.candidates.get(run.state.incumbents.get(branch, ""))
    candidate, decision = decide_confirmed(context, candidate, incumbent, is_asked=True)
    if decision.accepted:
        replace_incumbent(run, branch, candidate, decision.reason, incumbent)
    elif incumbent is None or candidate.id != incumbent.id:
        run.emit("plan_lost", branch=branch, id=candidate.id, reason=decision.reason)
    return candidate


def edited(base: Candidate, sources: Mapping[str, str]) -> Solution | None:
    """The user's own blocks in the place of those of ``base``; None if that changes nothing.

    Names that ``base`` has not are new blocks, put before its last one, which writes the
    predictions. ReplyError when they do not compile.
    """
    blocks = [Block(b.name, sources.get(b.name, b.source)) for b in base.solution.blocks]
    new = [Block(n, source) for n, source in sources.items() if n not in base.solution.names]
    blocks[-1:-1] = new
    solution = Solution(tuple(blocks), f"{base.solution.title} (edited by you)")
    solution.check_compiles()
    is_same = solution.key == base.solution.key or not solution.changed(base.solution)
    return None if is_same else solution


def adopt(context: Context, base: Candidate, solution: Solution) -> Candidate:
    """Judge what the user made of ``base``."""
    changed = solution.changed(base.solution)
    block = changed[0] if len(changed) == 1 else None
    plan = f"adopted from you: {', '.join(changed)}"
    branch = base.branch
    return offer(context, Proposal("adopt", solution, plan, (base.id,), block, branch))


def finish(context: Context, candidate: Candidate) -> Candidate:
    """Judge one that was ended early on all folds."""
    c = candidate
    return offer(context, Proposal(c.stage, c.solution, c.plan, c.parents, c.block, c.branch))


def merge_two(context: Context, base: Candidate, other: Candidate) -> Candidate:
    """Merge one candidate into another (Algorithm 1, one step of its loop)."""
    with _answering():
        merged = context.agents.merge(context.brief(base.branch), base.solution, other.solution)
    plan = f"merge {other.solution.title or other.id} into {base.solution.title or base.id}"
    parents = (base.id, other.id)
    return offer(context, Proposal("merge", merged, plan, parents, branch=base.branch))


def try_card(context: Context, card: ModelCard) -> Candidate:
    """Write down a model card of the user's own, and judge a solution with its model."""
    with _answering():
        solution = context.agents.initialize(context.brief(), card)
    run = context.run
    if card.to_json() not in run.state.own_cards:
        run.emit("card_added", card=card.to_json())
    branch = run.best.branch if run.best is not None else 0
    plan = f"{card.name}: {card.reason}" if card.reason else card.name
    return offer(context, Proposal("initialize", solution, plan, branch=branch))


def search_more(context: Context, count: int) -> list[Candidate]:
    """Judge up to so many models that were not tried yet (section 3.1 once more)."""
    run, brief = context.run, context.brief()
    tried = {card["name"] for card in (*run.state.cards, *run.state.own_cards)}
    wish = f"models of other kinds than these: {', '.join(sorted(tried))}"
    brief = replace(brief, suggestions=(*brief.suggestions, wish))
    with _answering():
        cards = context.agents.retrieve(brief, len(tried) + count)
    new = [card for card in cards if card.name not in tried][:count]
    if not new:
        names = ", ".join(sorted(tried))
        raise MlestarError(f"no further model is known for this task; tried were {names}")
    return [try_card(context, card) for card in new]


def debug_again(context: Context, candidate: Candidate) -> Candidate:
    """Give a candidate that failed to the debugger once more, and judge what it makes of it."""
    if candidate.status == "stopped_early":
        raise MlestarError(
            f"{candidate.id} ran without an error and was ended early; "
            f"to have it finished, %mlestar adopt {candidate.id}"
        )
    if candidate.score is not None:
        raise MlestarError(f"{candidate.id} ran without an error; there is nothing to debug")
    failure = _failure(context.run, candidate)
    brief = replace(context.brief(candidate.branch), candidate=candidate.id)
    with _answering():
        corrected = context.agents.debug(brief, candidate.solution, failure)
    if corrected is None or corrected.key == candidate.solution.key:
        raise MlestarError(f"the debugger has no correction for {candidate.id}: {candidate.reason}")
    plan = f"mend {candidate.id}: {candidate.reason}"
    parents = (candidate.id, *candidate.parents)
    block = candidate.block
    return offer(context, Proposal("debug", corrected, plan, parents, block, candidate.branch))


@contextmanager
def _answering() -> Iterator[None]:
    """Agents that cannot go on are an error here: the user waits for just this."""
    try:
        yield
    except Stopped:
        raise
    except OutOfMeans as error:
        raise BudgetError(str(error) or "the agents have nothing left to answer with") from None


def _failure(run: Run, candidate: Candidate) -> Failure:
    """Why a candidate failed: the error of its last execution, or what its judgement says."""
    if candidate.status == "invalid_predictions":
        last = candidate.solution.names[-1]
        return Failure(last, "InvalidPredictions", candidate.reason.split("Predictions: ")[-1])
    for event in reversed(run.events):
        is_ours = event.kind == "candidate_executed" and event.data["id"] == candidate.id
        if is_ours and event.data.get("failure"):
            return Failure(**event.data["failure"])
    return Failure(candidate.block or "", candidate.status, candidate.reason)
