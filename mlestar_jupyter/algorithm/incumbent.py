"""The incumbents: the best solution of each branch, and the best of the run."""

from __future__ import annotations

from collections.abc import Mapping

from mlestar_jupyter.algorithm.acceptance import Decision, decide, decide_anew, rank
from mlestar_jupyter.algorithm.confirming import confirmed
from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.run import Run


def decide_confirmed(
    context: Context, candidate: Candidate, incumbent: Candidate | None
) -> tuple[Candidate, Decision]:
    """Decide; what would be accepted on the word of snapshots is confirmed first.

    Gives the candidate, too: as it is in clean kernels.
    """
    decision = decide(context.run, candidate, incumbent)
    if not decision.accepted:
        return candidate, decision
    clean = confirmed(context, candidate)
    if clean.score != candidate.score:
        decision = decide_anew(context.run, clean, incumbent)
    return clean, decision


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


def settle(
    context: Context, branch: int, candidate: Candidate, before: Candidate | None
) -> Candidate:
    """Confirm what a loop has made the incumbent of its branch; gives what the branch goes on from.

    Where clean kernels show it no better than ``before``, with which the loop began, that one comes
    back; with None there was none.
    """
    clean = confirmed(context, candidate)
    if clean.score == candidate.score:
        return clean
    if before is None or decide_anew(context.run, clean, before).accepted:
        _place_again(context.run, clean, {})
        return clean
    _place_again(context.run, clean, {branch: before.id})
    return before


def _place_again(run: Run, candidate: Candidate, instead: Mapping[int, str]) -> None:
    """A candidate has another score now: who is the best, and who is its branch's incumbent."""
    with run.lock:
        present = dict(run.state.incumbents)
        wanted = {b: instead.get(b, n) if n == candidate.id else n for b, n in present.items()}
        others = rank([run.state.candidates[n] for n in wanted.values() if n != candidate.id])
        best = run.state.best
        if best == candidate.id and others and not decide_anew(run, candidate, others[0]).accepted:
            best = others[0].id
        for branch, name in wanted.items():
            is_new_best = name == best != run.state.best
            if is_new_best or name != present[branch]:
                run.emit(
                    "incumbent_changed", branch=branch, id=name, best=is_new_best,
                    reason=f"{candidate.id} did not hold in clean kernels",
                )  # fmt: skip
