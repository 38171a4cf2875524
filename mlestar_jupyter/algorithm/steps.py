"""Outer steps and the user: what was said by the time a step begins is frozen in the journal.

A resumed run goes through the same steps again. What the user had said when a step began for the
first time holds for it again; what was said later enters the first step that is really new.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number


@dataclass(frozen=True)
class Step:
    """An outer step: the solution to refine, and what the user wants of it."""

    incumbent: Candidate
    pin: str | None = None
    suggestions: tuple[str, ...] = ()


def begin_step(
    context: Context,
    incumbent: Candidate,
    branch: int,
    number: int,
    *,
    of: int,
    scope: str = "",
    pin: str | None = None,
) -> Step:
    """Begin outer step ``number`` (from 0) of a branch; in step mode the user is waited for.

    ``scope`` names work that the user asked for beside the run's own loops; there the incumbent
    that was given holds, else the branch's own, which the user may have changed meanwhile.
    """
    run = context.run
    key = f"{scope}{branch}/{number}"
    known = run.state.steps.get(key)
    if known is None:
        if run.settings.step and not scope:
            context.gate.wait_for_user(branch, _report(run, incumbent, branch, number, of))
        context.gate.wait_while_paused()
        with run.lock:
            current = incumbent.id
            if number or not scope:
                current = run.state.incumbents.get(branch, incumbent.id)
            said = run.state.pin_of(branch) if branch >= 0 else None
            names = run.state.candidates[current].solution.names
            if said is not None and said["block"] not in names:
                text = f"branch {branch + 1} has no block {said['block']}: it chooses for itself"
                run.emit("note", text=text)
                said = {"seq": said["seq"], "block": None}
            words = run.state.suggestions_of(branch)
            run.emit(
                "step_begun", key=key, branch=branch, number=number, incumbent=current,
                pin=pin or (said["block"] if said else None),
                pin_seq=None if said is None else said["seq"],
                suggestions=[word["text"] for word in words],
                suggestion_seqs=[word["seq"] for word in words],
            )  # fmt: skip
            known = run.state.steps[key]
    suggestions = tuple(known["suggestions"])
    context.said[branch] = suggestions
    return Step(run.state.candidates[known["incumbent"]], known["pin"], suggestions)


def _report(run: Run, incumbent: Candidate, branch: int, number: int, of: int) -> dict[str, object]:
    """What the user is told where a run waits: what was found, and what it would do next."""
    current = run.state.candidates[run.state.incumbents.get(branch, incumbent.id)]
    return {
        "branch": branch,
        "number": number,
        "of": of,
        "incumbent": current.id,
        "found": _found(run, current, branch, number),
        "next": _next(run, current, branch, number, of),
    }


def _found(run: Run, current: Candidate, branch: int, number: int) -> str:
    metric = run.task.metric.name
    standing = f"{current.id} is the best of this branch: {metric} {current.score}"
    targets = [t for t in run.state.targets if t["branch"] == branch]
    begun = run.state.steps.get(f"{branch}/{number - 1}")
    if not targets or begun is None:
        return standing
    before = run.state.candidates[begun["incumbent"]]
    block = targets[-1]["block"]
    tried = [
        c for c in run.state.candidates.values()
        if c.stage == "refine" and c.branch == branch and before.id in c.parents
    ]  # fmt: skip
    gained = "nothing was gained"
    if current.id != before.id and current.score is not None and before.score is not None:
        gained = f"gained {format_number(current.score.gain_over(before.score))}"
    return f"{len(tried)} plans were tried on block {block}, {gained}; {standing}"


def _next(run: Run, current: Candidate, branch: int, number: int, of: int) -> str:
    if branch < 0:
        return "combine the solutions of all branches"
    pin = run.state.pin_of(branch)
    words = [word["text"] for word in run.state.suggestions_of(branch)]
    chosen = f"block {pin['block']}, which you pinned" if pin else "the block that matters most"
    tried = f", first with {words[0]!r}" if words else ""
    study = next((s for s in reversed(run.state.studies) if s["branch"] == branch), None)
    ranking = ""
    if study is not None and not pin:
        gains = [r for r in study["results"] if r["gain"] is not None]
        gains.sort(key=lambda r: -abs(r["gain"]))
        shown = ", ".join(f"{r['block']} {format_number(r['gain'])}" for r in gains[:3])
        ranking = f" (the last study: {shown})" if shown else ""
    return (
        f"outer step {number + 1} of {of}: measure what the blocks of {current.id} are worth, "
        f"refine {chosen}{tried}{ranking}"
    )
