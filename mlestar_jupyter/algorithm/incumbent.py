"""The incumbents: the best solution of each branch, and the best of the run."""

from __future__ import annotations

from mlestar_jupyter.algorithm.acceptance import Decision, decide
from mlestar_jupyter.algorithm.confirming import confirmed
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.run import Run


def decide_confirmed(
    context: Context, candidate: Candidate, incumbent: Candidate | None, *, is_asked: bool = False
) -> tuple[Candidate, Decision]:
    """Decide; what would be accepted on the word of snapshots is confirmed first.

    Gives the candidate, too: as it is in clean kernels. ``is_asked``: the user waits for just this
    one, so a pause does not hold it back.
    """
    decision = decide(context.run, candidate, incumbent)
    if not decision.accepted:
        return candidate, decision
    clean = confirmed(context, candidate, is_asked=is_asked)
    return clean, decision if clean is candidate else decide(context.run, clean, incumbent)


def replace_incumbent(
    run: Run, branch: int, candidate: Candidate, reason: str, over: Candidate | None = None
) -> None:
    """Make a candidate the incumbent of its branch, and of the run if it is accepted there.

    ``over`` is what it was found better than. If another one came in meanwhile, one of the user's
    own, it must be better than that as well. What a resumed run finds decided already is not
    written down again.
    """
    with run.lock:  # branches decide side by side: none may overlook what another has found
        if run.state.was_accepted(branch, candidate.id) or candidate.id in run.state.rejected:
            return
        present = run.state.candidates.get(run.state.incumbents.get(branch, ""))
        is_other = present is not None and (over is None or present.id != over.id)
        if is_other and not decide(run, candidate, present).accepted:
            lost = f"{present.id} came in meanwhile" if present else ""
            run.emit("plan_lost", branch=branch, id=candidate.id, reason=lost)
            return
        best = run.best
        becomes_best = best is None or decide(run, candidate, best).accepted
        run.emit(
            "incumbent_changed", branch=branch, id=candidate.id, best=becomes_best, reason=reason
        )
