"""Why a candidate is there and what became of it: everything that the journal says about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.events import Event
from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading.calls import pages
from mlestar_jupyter.reading.decisions import Decision, Standing, decisions, standings
from mlestar_jupyter.reading.tree import Study, studies
from mlestar_jupyter.run import Run

#: Who proposes in a stage, in the paper's words.
_PROPOSERS = {
    "initialize": "initial solution for a model that the retriever found",
    "merge": "merger: the next best model is merged into the best",
    "check": "data-usage checker: uses given data that was left unused",
    "ablate": "ablation: a variant to measure what a block is worth",
    "ensemble": "ensemble planner and ensembler: combines solutions",
    "adopt": "you: cells that you edited and adopted",
    "finalize": "finalize: the solution for all rows",
}


@dataclass(frozen=True)
class Relative:
    """Another candidate beside the one in question: its standing, and a gain.

    For a parent the gain is the candidate's over it; for others, theirs over their own parent.
    """

    candidate: Candidate
    standing: Standing
    gain: float | None


@dataclass(frozen=True)
class Why:
    """What the journal says about one candidate.

    ``target`` says why its block was chosen; ``evidence`` are the studies behind that choice (of
    an ablation: the study that measured it); ``others`` were tried beside it: plans for the same
    block, or candidates of the same stage. ``steering`` is what the user had said by then;
    ``pages`` are those of the web behind it, as (address, title).
    """

    candidate: Candidate
    standing: Standing
    proposer: str
    target: str
    evidence: tuple[Study, ...]
    steering: tuple[str, ...]
    parents: tuple[Relative, ...]
    corrections: tuple[str, ...]
    debugging: tuple[str, ...]
    decisions: tuple[Decision, ...]
    others: tuple[Relative, ...]
    pages: tuple[tuple[str, str], ...] = ()

    @property
    def plan(self) -> str:
        """What the candidate was to try, in words."""
        return self.candidate.plan

    @property
    def findings(self) -> tuple[str, ...]:
        """What the checks saw in its source."""
        return tuple(str(finding) for finding in self.candidate.findings)


def why(run: Run, candidate: str) -> Why:
    """Everything that the journal says about a judged candidate (by its id)."""
    with run.lock:
        events, known = list(run.events), dict(run.state.candidates)
        standing = standings(run)
        measured = studies(run)
        decided = decisions(run, candidate)
    one = known[candidate]
    target = _target(events, one)
    proposed = _seq_of(events, candidate, "candidate_proposed")
    first = one.parents[0] if one.parents else None

    def relative(name: str, gain: float | None) -> Relative:
        return Relative(known[name], standing[name], gain)

    return Why(
        candidate=one,
        standing=standing[candidate],
        proposer=_proposer(run, events, one, target),
        target="" if target is None else str(target["reason"]),
        evidence=tuple(
            study
            for study in measured
            if any(result.candidate == candidate for result in study.results)
            or (
                one.stage == "refine"
                and study.candidate == first
                and study.branch == one.branch
                and study.seq < proposed
            )
        ),
        steering=_steering(events, one, proposed),
        parents=tuple(relative(p, gain_over(one, known[p])) for p in one.parents if p in known),
        corrections=tuple(
            f"{e.data['reason']} (corrected: {', '.join(e.data['blocks'])})"
            for e in events
            if e.kind == "candidate_corrected" and e.data["id"] == candidate
        ),
        debugging=tuple(
            f"round {e.data['round']}: {e.data['error']} (mended: {', '.join(e.data['blocks'])})"
            for e in events
            if e.kind == "candidate_debugged" and e.data["id"] == candidate
        ),
        decisions=decided,
        others=tuple(
            relative(other.id, gain_over(other, known.get(other.parents[0])))
            if other.parents
            else relative(other.id, None)
            for other in sorted(known.values(), key=lambda c: c.id)
            if _is_beside(other, one, standing)
        ),
        pages=pages(run, candidate),
    )


def _is_beside(other: Candidate, one: Candidate, standing: Mapping[str, Standing]) -> bool:
    """Whether a candidate was tried at the same place as the one in question.

    A variant of a study is measured, not tried, unless it was accepted.
    """
    is_measured = standing[other.id] == "measured" or standing[one.id] == "measured"
    if other.id == one.id or (is_measured and other.stage != one.stage):
        return False
    if one.block is not None:
        return other.block == one.block and other.branch == one.branch
    return other.stage == one.stage and other.branch == one.branch


def _target(events: Sequence[Event], one: Candidate) -> Mapping[str, Any] | None:
    """The choice of its block that led to it; an ablation has one if it was accepted itself."""
    if one.block is None or not one.parents or one.stage not in ("refine", "ablate"):
        return None
    until = _seq_of(
        events, one.id, "candidate_proposed" if one.stage == "refine" else "incumbent_changed"
    )
    found = None
    for event in events:
        data = event.data
        if event.seq >= until:
            break
        if (
            event.kind == "target_chosen"
            and (data["candidate"], data["branch"]) == (one.parents[0], one.branch)
            and data["block"] == one.block
        ):
            found = data
    return found


def _seq_of(events: Sequence[Event], candidate: str, kind: str) -> int:
    """When something first happened to a candidate; -1 when it never did."""
    return next((e.seq for e in events if e.kind == kind and e.data["id"] == candidate), -1)


def _proposer(
    run: Run, events: Sequence[Event], one: Candidate, target: Mapping[str, Any] | None
) -> str:
    if one.stage == "refine":
        if target is None:
            return "planner and coder"
        steps = [e.data for e in events if e.kind == "target_chosen"]
        steps = [t for t in steps if t["branch"] == one.branch]
        step = f"outer step {steps.index(target) + 1}" if target in steps else "an outer step"
        who = "extractor" if one.plan == target["plan"] else "planner"
        return f"{who} and coder, in {step} on block {one.block}"
    if one.stage == "initialize" and run.settings.start and not _card(run, one):
        return "you: the notebook that the run starts from"
    if one.stage == "ablate" and target is not None:
        return f"{_PROPOSERS['ablate']}; then taken as a plan: {target['plan']}"
    card = _card(run, one) if one.stage == "initialize" else None
    if card is not None and card.get("source"):
        return f"{_PROPOSERS['initialize']}: {card['name']} ({card['source']})"
    return _PROPOSERS.get(one.stage, one.stage)


def _card(run: Run, one: Candidate) -> Mapping[str, Any] | None:
    """The model card that an initial solution was written for."""
    cards = [*run.state.cards, *run.state.own_cards]
    return next((c for c in cards if one.plan.startswith(f"{c['name']}: ")), None)


def _steering(events: Sequence[Event], one: Candidate, proposed: int) -> tuple[str, ...]:
    """What the user had said when the outer step began in which it was proposed."""
    begun = [
        e.data
        for e in events
        if e.kind == "step_begun" and e.data["branch"] == one.branch and e.seq < proposed
    ]
    if one.stage not in ("refine", "ablate") or not begun or not one.parents:
        return ()
    step = begun[-1]
    if step["incumbent"] != one.parents[0]:
        return ()
    found = []
    if step["pin"] and step["pin"] == one.block:
        found.append(f"you had pinned block {step['pin']}")
    found += [f"you had suggested: {words}" for words in step["suggestions"]]
    return tuple(found)
