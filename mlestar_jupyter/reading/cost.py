"""What a run has cost: executions and their seconds by stage, calls, tokens and money by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from mlestar_jupyter.candidate import Candidate, Stage
from mlestar_jupyter.reading.calls import Calls, read_calls
from mlestar_jupyter.run import Run


@dataclass(frozen=True)
class StageCost:
    """One stage. ``seconds`` are those of its executions added up, ``share`` is of all of them.

    Executions run side by side, so all seconds together may be more than the clock's.
    """

    stage: str
    candidates: int
    scored: int
    executions: int
    seconds: float
    share: float


@dataclass(frozen=True)
class Cost:
    """The cost of a run. ``elapsed`` is the clock over all ``sessions``, ``limit`` what it may be.

    ``calls`` are those to language models, of which the playbook makes none; ``money`` is in
    dollars, and ``money_limit`` what it may be.
    """

    stages: tuple[StageCost, ...]
    elapsed: float
    limit: float
    sessions: int
    calls: Calls
    money_limit: float | None = None
    dearest: tuple[Candidate, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Seconds of all executions added up."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def tokens(self) -> int:
        """All tokens that were paid for."""
        return self.calls.total.tokens

    @property
    def money(self) -> float:
        """What was paid, in dollars, as far as the prices are known."""
        return self.calls.total.money

    @property
    def executions(self) -> int:
        """How often a notebook was executed."""
        return sum(stage.executions for stage in self.stages)

    @property
    def candidates(self) -> int:
        """How many candidates were judged."""
        return sum(stage.candidates for stage in self.stages)


def cost(run: Run, *, dearest: int = 5) -> Cost:
    """What a run has cost so far. ``dearest``: so many candidates that took longest are named."""
    with run.lock:
        events, candidates = list(run.events), dict(run.state.candidates)
    stages: dict[str, str] = {c.id: c.stage for c in candidates.values()}
    for event in events:
        if event.kind == "candidate_proposed":
            stages.setdefault(event.data["id"], event.data["stage"])
    executed: dict[str, list[float]] = {}
    for event in events:
        if event.kind == "candidate_executed":
            stage = stages.get(event.data["id"], "finalize")
            executed.setdefault(stage, []).append(float(event.data["seconds"]))
    total = sum(sum(seconds) for seconds in executed.values())
    found = []
    for stage in _order([*executed, *stages.values()]):
        judged = [c for c in candidates.values() if c.stage == stage]
        seconds = executed.get(stage, [])
        found.append(
            StageCost(
                stage=stage,
                candidates=len(judged),
                scored=sum(c.is_scored for c in judged),
                executions=len(seconds),
                seconds=sum(seconds),
                share=sum(seconds) / total if total else 0.0,
            )
        )
    longest = sorted(candidates.values(), key=lambda c: (-c.seconds, c.id))[:dearest]
    return Cost(
        stages=tuple(found),
        elapsed=run.elapsed,
        limit=run.settings.seconds,
        sessions=sum(e.kind in ("run_started", "session_started") for e in events),
        calls=read_calls(events),
        money_limit=run.settings.cost,
        dearest=tuple(longest),
    )


def _order(stages: Sequence[str]) -> list[str]:
    known = list(get_args(Stage))
    return sorted(set(stages), key=lambda s: known.index(s) if s in known else len(known))
