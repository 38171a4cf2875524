"""Algorithm 2 of the paper: refine the solution block by block, guided by ablation studies."""

from __future__ import annotations

from dataclasses import asdict

from mlestar_jupyter.algorithm import ablation
from mlestar_jupyter.algorithm.acceptance import decide
from mlestar_jupyter.algorithm.budget import OutOfTime, Stopped
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import replace_incumbent
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import AblationResult, Attempt, Target


def refine(
    context: Context,
    incumbent: Candidate,
    branch: int = 0,
    *,
    outer_steps: int | None = None,
    inner_steps: int | None = None,
    block: str | None = None,
) -> Candidate:
    """The outer loop: ablate, choose the target block, refine it; T times, or while time lasts.

    ``block`` fixes the target block instead of letting the extractor choose.
    """
    settings = context.run.settings
    outer = settings.outer_steps if outer_steps is None else outer_steps
    inner = settings.inner_steps if inner_steps is None else inner_steps
    earlier: list[AblationResult] = []
    targets: list[Target] = []
    for _ in range(outer):
        try:
            results = ablation.study(context, incumbent, earlier, branch)
            earlier += results
            target = _target(context, incumbent, results, targets, branch, block)
            if target is None:
                context.run.emit("note", text=f"branch {branch}: nothing is left to refine")
                break
            targets.append(target)
            incumbent = _inner_loop(context, incumbent, target, branch, inner)
        except Stopped:
            raise
        except OutOfTime:
            break
        except ReplyError as error:
            context.run.emit("note", text=f"branch {branch}: this step was given up: {error}")
    return incumbent


def _target(
    context: Context,
    incumbent: Candidate,
    results: list[AblationResult],
    earlier: list[Target],
    branch: int,
    block: str | None,
) -> Target | None:
    """What the extractor chooses, or the first plan for the block that the user chose."""
    brief, solution = context.brief(branch), incumbent.solution
    if block is None:
        target = context.agents.extract(brief, solution, results, earlier)
    else:
        solution.source(block)
        wanted = Target(block, "", "chosen by the user")
        first = context.agents.plan(brief, solution, wanted, [])
        target = None if first is None else Target(block, first, wanted.reason)
    if target is not None:
        solution.source(target.block)
        data = {"candidate": incumbent.id, "branch": branch, **asdict(target)}
        if data not in context.run.state.targets:
            context.run.emit("target_chosen", **data)
    return target


def _inner_loop(
    context: Context, incumbent: Candidate, target: Target, branch: int, steps: int
) -> Candidate:
    """Try up to K plans on the target block, each on the same solution; the best one stays.

    Unlike the published sample, every plan is compared, the last one too.
    """
    run, agents, brief = context.run, context.agents, context.brief(branch)
    start = best = incumbent
    assert start.score is not None
    attempts: list[Attempt] = []
    plan: str | None = target.plan
    for step in range(steps):
        if step:
            plan = agents.plan(brief, start.solution, target, attempts)
        if plan is None:
            break
        try:
            source = agents.code(brief, start.solution, target, plan)
            solution = start.solution.replace(target.block, source)
            solution.check_compiles()
        except ReplyError as error:
            run.emit("note", text=f"a plan for {target.block} gave no usable block: {error}")
            attempts.append(Attempt(plan, None, None, 0.0))
            continue
        try:
            candidate = context.judge(
                Proposal("refine", solution, plan, (start.id,), target.block, branch)
            )
        except Stopped:
            raise
        except OutOfTime:
            break
        decision = decide(run, candidate, best)
        gain = candidate.score.gain_over(start.score) if candidate.score else None
        attempts.append(Attempt(plan, candidate.score, gain, candidate.seconds, decision.accepted))
        if decision.accepted:
            best = candidate
            replace_incumbent(run, branch, best, decision.reason)
        elif candidate.id != best.id:
            run.emit("plan_lost", branch=branch, id=candidate.id, reason=decision.reason)
    return best
