"""What was decided about candidates: accepted, rejected, undone, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlestar_jupyter.run import Run

Standing = Literal[
    "best", "incumbent", "accepted", "rejected", "undone", "measured", "failed", "scored"
]


@dataclass(frozen=True)
class Decision:
    """One decision about a candidate, in a branch (-1: among the ensembles), and why.

    ``best`` says whether it became the best of the run, ``other`` which candidate it is about
    beside this one: the one that it replaced, or the best that came back when it was undone.
    """

    kind: Literal["accepted", "rejected", "undone"]
    branch: int
    reason: str
    best: bool = False
    other: str | None = None
    elapsed: float = 0.0


def branch_words(run: Run, branch: int) -> str:
    """Where something happened, for people; "" where there is only one branch."""
    if branch < 0:
        return "ensembles"
    return "" if run.settings.solutions == 1 and branch == 0 else f"branch {branch + 1}"


def decisions(run: Run, candidate: str) -> tuple[Decision, ...]:
    """All decisions about a candidate, in order."""
    found: list[Decision] = []
    incumbents: dict[int, str] = {}
    for event in list(run.events):
        data = event.data
        if event.kind == "incumbent_changed":
            branch = data["branch"]
            if data["id"] == candidate:
                before, reason = incumbents.get(branch), str(data["reason"])
                found.append(
                    Decision("accepted", branch, reason, data["best"], before, event.elapsed)
                )
            incumbents[branch] = data["id"]
        elif event.kind == "plan_lost" and data["id"] == candidate:
            branch = data["branch"]
            lost = Decision(
                "rejected", branch, str(data["reason"]), False, incumbents.get(branch),
                event.elapsed,
            )  # fmt: skip
            # A resumed run goes through its loops again and may come to the same decision.
            if all(
                (d.kind, d.branch, d.reason) != ("rejected", branch, lost.reason) for d in found
            ):
                found.append(lost)
        elif event.kind == "undone" and data["id"] == candidate:
            found.append(
                Decision("undone", data["branch"], "by the user", False, data["to"], event.elapsed)
            )
    return tuple(found)


def standings(run: Run) -> dict[str, Standing]:
    """Where each candidate stands now, by id."""
    state = run.state
    accepted: set[str] = set()
    lost: set[str] = set()
    for event in list(run.events):
        if event.kind == "incumbent_changed":
            accepted.add(event.data["id"])
        elif event.kind == "plan_lost":
            lost.add(event.data["id"])
    incumbents = set(state.incumbents.values())
    found: dict[str, Standing] = {}
    for name, candidate in sorted(state.candidates.items()):
        if name == state.best:
            found[name] = "best"
        elif name in state.rejected:
            found[name] = "undone"
        elif name in incumbents:
            found[name] = "incumbent"
        elif name in accepted:
            found[name] = "accepted"
        elif candidate.status == "stopped_early":
            found[name] = "rejected"
        elif candidate.score is None:
            found[name] = "failed"
        elif candidate.stage == "ablate":
            found[name] = "measured"
        else:
            found[name] = "rejected" if name in lost else "scored"
    return found
