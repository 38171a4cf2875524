"""How far a run has come: all that a live display shows, taken at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.events import Event
from mlestar_jupyter.reading.decisions import branch_words
from mlestar_jupyter.run import Run
from mlestar_jupyter.spending import change_words

#: The stages of a run in their order; a user's own cells ("adopt") may come at any time.
STAGES = ("initialize", "merge", "check", "refine", "ensemble", "finalize")


@dataclass(frozen=True)
class BranchProgress:
    """What a branch does: its stage, its incumbent, and the block that it refines (or "")."""

    branch: int
    words: str
    stage: str
    incumbent: str | None
    target: str


@dataclass(frozen=True)
class Point:
    """A scored candidate on the chart of scores: when it was judged, in minutes, and its score."""

    minutes: float
    score: float
    is_ablation: bool


@dataclass(frozen=True)
class BestPoint:
    """A candidate that became the best of the run, when, and its spread."""

    minutes: float
    score: float
    spread: float


@dataclass(frozen=True)
class Progress:
    """A run at one moment. It holds plain values, so other threads may go on with the run.

    ``stages`` are those at work now: branches may be in different ones. ``start`` and ``limit`` are
    when the work began and when its time is up, in seconds of the run's clock like ``elapsed``.
    ``best`` is the best that was accepted, or the best score while none was. ``agents`` is the cast
    at work, ``spent`` what language models have cost in words ("" when none was asked), ``changed``
    why the cast is another than at first.
    """

    name: str
    state: Literal["at work", "paused", "waiting", "ended"]
    ended: str
    stages: tuple[str, ...]
    branches: tuple[BranchProgress, ...]
    elapsed: float
    start: float
    limit: float
    metric: str
    greater_is_better: bool
    best: Candidate | None
    scored: int
    ablations: int
    failed: int
    last: tuple[Candidate, ...]
    parents: Mapping[str, Candidate]
    points: tuple[Point, ...]
    bests: tuple[BestPoint, ...]
    reports: tuple[Mapping[str, Any], ...]
    agents: str = ""
    spent: str = ""
    changed: str = ""

    @property
    def left(self) -> float:
        """Seconds that are left of the time."""
        return max(0.0, self.limit - self.elapsed)


def progress(
    run: Run, *, last: int = 5, start: float = 0.0, limit: float | None = None
) -> Progress:
    """How far a run has come, with its ``last`` candidates in the order in which they were judged.

    ``start`` and ``limit`` are those of the work that is shown, by default of the whole run. It may
    be called from any thread.
    """
    with run.lock:
        state, told = run.state, list(run.events)
        candidates = dict(state.candidates)
        elapsed, is_paused, reports = run.elapsed, state.paused, tuple(state.waiting)
        incumbents, ended = dict(state.incumbents), state.ended
        best = candidates.get(state.best or "")
        spending, agents = state.spending, state.agents
        changed = "" if state.cast is None else change_words(state.changes[-1])
        spent = "" if spending.is_none else spending.words(run.settings.cost)
    judged = [candidates[e.data["id"]] for e in told if e.kind == "candidate_judged"]
    recent = list({c.id: c for c in reversed(judged)}.values())[:last]
    scored = [c for c in candidates.values() if c.is_scored]
    branches = _branches(run, told, incumbents)
    standing: Literal["at work", "paused", "waiting", "ended"] = "at work"
    if ended:
        standing = "ended"
    elif is_paused:
        standing = "paused"
    elif reports:
        standing = "waiting"
    return Progress(
        name=run.folder.name,
        state=standing,
        ended=ended,
        stages=_stages(told, branches),
        branches=branches,
        elapsed=elapsed,
        start=start,
        limit=run.settings.seconds if limit is None else limit,
        metric=run.task.metric.name,
        greater_is_better=run.task.metric.greater_is_better,
        best=best or (rank[0] if (rank := _ranked(scored)) else None),
        scored=len(scored),
        ablations=sum(c.stage == "ablate" for c in scored),
        failed=len(candidates) - len(scored),
        last=tuple(reversed(recent)),
        parents={p: candidates[p] for c in recent for p in c.parents[:1] if p in candidates},
        points=_points(told),
        bests=_bests(told, candidates),
        reports=reports,
        agents=agents,
        spent=spent,
        changed=changed,
    )


def _ranked(scored: Sequence[Candidate]) -> list[Candidate]:
    """The best score first."""
    pairs = [(c, c.score) for c in scored if c.score is not None]
    pairs.sort(key=lambda pair: -pair[1].value if pair[1].greater_is_better else pair[1].value)
    return [candidate for candidate, _ in pairs]


def _branches(
    run: Run, events: Sequence[Event], incumbents: Mapping[int, str]
) -> tuple[BranchProgress, ...]:
    stages: dict[int, str] = {}
    targets: dict[int, str] = {}
    for event in events:
        data = event.data
        if event.kind == "stage_started" and data.get("branch") is not None:
            stages[data["branch"]] = data["stage"]
            targets.pop(data["branch"], None)
        elif event.kind == "target_chosen":
            targets[data["branch"]] = data["block"]
        elif event.kind == "step_begun":
            targets.pop(data["branch"], None)
        elif event.kind == "branch_finished":
            stages[data["branch"]] = "done"
            targets.pop(data["branch"], None)
    return tuple(
        BranchProgress(
            branch,
            branch_words(run, branch),
            stage,
            incumbents.get(branch),
            targets.get(branch, ""),
        )
        for branch, stage in sorted(stages.items())
    )


def _stages(events: Sequence[Event], branches: Sequence[BranchProgress]) -> tuple[str, ...]:
    """The stages at work: that of the whole run, or those of the branches."""
    started = next((e.data for e in reversed(events) if e.kind == "stage_started"), None)
    if started is None:
        return ()
    if started.get("branch") is None:
        return (str(started["stage"]),)
    found = {b.stage for b in branches} - {"done"}
    return tuple(stage for stage in STAGES if stage in found) or (str(started["stage"]),)


def _points(events: Sequence[Event]) -> tuple[Point, ...]:
    return tuple(
        Point(e.elapsed / 60, float(e.data["score"]["value"]), e.data["stage"] == "ablate")
        for e in events
        if e.kind == "candidate_judged" and e.data["score"] is not None
    )


def _bests(events: Sequence[Event], candidates: Mapping[str, Candidate]) -> tuple[BestPoint, ...]:
    found = []
    for event in events:
        name = ""
        if event.kind == "incumbent_changed" and event.data["best"]:
            name = event.data["id"]
        elif event.kind == "undone":
            name = event.data["to"] or ""
        candidate = candidates.get(name)
        if candidate is not None and candidate.score is not None:
            score = candidate.score
            found.append(BestPoint(event.elapsed / 60, score.value, score.spread))
    return tuple(found)
