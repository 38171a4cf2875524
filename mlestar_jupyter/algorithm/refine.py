"""Algorithm 2 of the paper: refine the solution block by block, guided by ablation studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from mlestar_jupyter.algorithm import ablation
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import decide_confirmed, replace_incumbent
from mlestar_jupyter.algorithm.plans import Plans, attempt
from mlestar_jupyter.algorithm.steps import Step, begin_step
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.endings import OutOfMeans, Stopped
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
    scope: str = "",
) -> Candidate:
    """The outer loop: ablate, choose the target block, refine it; T times, or while time lasts.

    ``block`` fixes the target block instead of letting the extractor choose. ``scope`` names the
    steps of work that the user asked for beside the run's own loops.
    """
    settings = context.run.settings
    outer = settings.outer_steps if outer_steps is None else outer_steps
    inner = settings.inner_steps if inner_steps is None else inner_steps
    earlier: list[AblationResult] = []
    measured: dict[str, list[AblationResult]] = {}  # what is known of each incumbent's blocks
    targets: list[Target] = []
    for number in range(outer):
        try:
            step = begin_step(context, incumbent, branch, number, of=outer, scope=scope, pin=block)
            incumbent = step.incumbent
            results = _study(context, incumbent, earlier, branch)
            earlier += results
            known = measured.setdefault(incumbent.id, [])
            known += results
            target = _target(context, step, known, targets, branch)
            if target is None:
                context.run.emit("note", text=f"branch {branch}: nothing is left to refine")
                break
            targets.append(target)
            incumbent, has_means = _inner_loop(context, incumbent, target, branch, inner)
            if not has_means:
                break
        except Stopped:
            raise
        except OutOfMeans:
            break
        except ReplyError as error:
            context.run.emit("note", text=f"branch {branch}: this step was given up: {error}")
        finally:
            context.said.pop(branch, None)
    # The user may have undone the last gain, or adopted another solution.
    if scope:
        return incumbent
    return context.run.state.candidates[context.run.state.incumbents.get(branch, incumbent.id)]


def _study(
    context: Context, incumbent: Candidate, earlier: list[AblationResult], branch: int
) -> list[AblationResult]:
    """The ablation study; without usable variants the step goes on by judgement alone."""
    try:
        return ablation.study(context, incumbent, earlier, branch)
    except ReplyError as error:
        context.run.emit("note", text=f"branch {branch}: no ablation study: {error}")
        return []


def _target(
    context: Context,
    step: Step,
    results: list[AblationResult],
    earlier: list[Target],
    branch: int,
) -> Target | None:
    """What the extractor chooses, or the first plan for the block that the user pinned."""
    run, solution = context.run, step.incumbent.solution
    brief = context.brief(branch, made_of=(step.incumbent.id,))
    if step.pin is None:
        try:
            target = context.agents.extract(brief, solution, results, earlier)
        except ReplyError as error:
            gains = {r.ablation.block: abs(r.gain) for r in results if r.gain}
            if not gains:
                raise
            block = max(gains, key=lambda name: gains[name])
            run.emit("note", text=f"branch {branch}: {block} by its figures alone: {error}")
            target = _first_plan(
                context, step, Target(block, "", "it changed the score most"), branch
            )
    else:
        if step.pin not in solution.names:
            known = ", ".join(solution.names)
            raise ReplyError(f"{step.incumbent.id} has no block {step.pin!r}; it has {known}")
        target = _first_plan(context, step, Target(step.pin, "", "pinned by you"), branch)
    if target is not None:
        solution.source(target.block)
        data = {"candidate": step.incumbent.id, "branch": branch, **asdict(target)}
        if data not in run.state.targets:
            run.emit("target_chosen", **data)
    return target


def _first_plan(context: Context, step: Step, wanted: Target, branch: int) -> Target | None:
    """The target with the planner's first plan for it; None when there is none."""
    solution = step.incumbent.solution
    brief = context.brief(branch, made_of=(step.incumbent.id,))
    first = context.agents.plan(brief, solution, wanted, [])
    return None if first is None else Target(wanted.block, first, wanted.reason)


def _inner_loop(
    context: Context, incumbent: Candidate, target: Target, branch: int, steps: int
) -> tuple[Candidate, bool]:
    """Try up to K plans on the target block, each on the same solution; the best one stays.

    Unlike the published sample, every plan is compared, the last one too. Gives also whether there
    are means for another outer step.
    """
    agents, run, solution = context.agents, context.run, incumbent.solution
    brief = context.brief(branch, made_of=(incumbent.id,))
    best = incumbent

    def plan(tried: Sequence[Attempt]) -> str | None:
        return agents.plan(brief, solution, target, tried) if tried else target.plan

    def make(words: str) -> Proposal:
        source = agents.code(brief, solution, target, words)
        changed = solution.replace(target.block, source)
        return Proposal("refine", changed, words, (incumbent.id,), target.block, branch)

    def take(words: str, candidate: Candidate) -> Attempt:
        nonlocal best
        if best.id in run.state.rejected:  # undone meanwhile: no bar any more
            best = incumbent
        candidate, decision = decide_confirmed(context, candidate, best)
        if decision.accepted:
            replace_incumbent(run, branch, candidate, decision.reason, best)
            best = candidate
        elif candidate.id != best.id:
            run.emit("plan_lost", branch=branch, id=candidate.id, reason=decision.reason)
        return attempt(words, candidate, incumbent, accepted=decision.accepted)

    failed = f"a plan for {target.block} gave no block"
    width = context.side_by_side(run.settings.solutions)
    plans = Plans(context, "refine", width, plan=plan, make=make, take=take, failed=failed)
    has_means = plans.go(steps)
    return best, has_means
