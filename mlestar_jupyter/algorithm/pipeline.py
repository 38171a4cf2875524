"""The whole of MLE-STAR: initialize, refine in L branches, ensemble. A soft landing at each end.

A resumed run goes through the same loops again: what was judged before is recognised at the door
and costs nothing, so the loops arrive where the run was cut off, and go on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mlestar_jupyter.algorithm.ensemble import ENSEMBLE_BRANCH, ensemble
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.initialize import initialize, merge, use_all_data
from mlestar_jupyter.algorithm.refine import refine
from mlestar_jupyter.algorithm.steps import begin_step
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import MlestarError


def search(context: Context) -> Candidate:
    """Run the three algorithms within the budget and give the best candidate.

    Raises BudgetError when not one candidate could be judged, Stopped when the user stopped.
    """
    run = context.run
    _stage(context, "initialize")
    ranked = initialize(context)
    branches = min(run.settings.solutions, len(ranked))
    with ThreadPoolExecutor(branches, thread_name_prefix="mlestar-branch") as pool:
        tasks = [pool.submit(_branch, context, ranked, number) for number in range(branches)]
        finals = [task.result() for task in tasks]
    try:
        context.check("ensemble")
        if run.settings.ensemble_rounds:
            _stage(context, "ensemble")
            begin_step(context, finals[0], ENSEMBLE_BRANCH, 0, of=1)
            # The user may have undone or adopted a branch's solution meanwhile.
            now = context.run.state.incumbents
            finals = [run.state.candidates[now.get(b, c.id)] for b, c in enumerate(finals)]
            ensemble(context, finals)
    except Stopped:
        raise
    except OutOfMeans:
        pass
    assert run.best is not None
    return run.best


def _branch(context: Context, ranked: list[Candidate], branch: int) -> Candidate:
    """One of the L parallel solutions: merge, check data usage, refine (Algorithms 1 and 2)."""
    steps: list[tuple[str, Callable[[Candidate], Candidate]]] = [
        ("merge", lambda _: merge(context, ranked, branch)),
        ("check", lambda best: use_all_data(context, best, branch)),
        ("refine", lambda best: refine(context, best, branch)),
    ]
    best = ranked[min(branch, len(ranked) - 1)]
    context.gate.enter(branch)
    try:
        for stage, step in steps:
            if context.budget.is_stopped:
                raise Stopped
            _stage(context, stage, branch)
            best = step(best)
    finally:
        context.gate.leave(branch)
    context.run.emit("branch_finished", branch=branch, id=best.id)
    return best


def _stage(context: Context, stage: str, branch: int | None = None) -> None:
    context.run.emit("stage_started", stage=stage, branch=branch)


def require_best(context: Context) -> Candidate:
    """The best candidate so far; MlestarError when there is none yet."""
    best = context.run.best
    if best is None:
        raise MlestarError("no candidate has been scored yet; let the run go on first")
    return best
