"""A candidate: a solution that was proposed, executed and judged, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Solution

Status = Literal[
    "ok",
    "failed",
    "timed_out",
    "out_of_memory",
    "stopped_early",
    "cancelled",
    "invalid_predictions",
    "leaked",
]
Stage = Literal[
    "initialize", "merge", "check", "ablate", "refine", "ensemble", "adopt", "debug", "finalize"
]
#: Stages whose candidates do the work of all their parents.
ADDED: tuple[Stage, ...] = ("merge", "ensemble")


@dataclass(frozen=True)
class Failure:
    """Where and why an execution went wrong.

    ``block`` is "" when no block is to blame, ``name`` (of the exception) when there was none.
    """

    block: str
    name: str
    message: str
    traceback: str = ""

    def __str__(self) -> str:
        where = f"block {self.block}: " if self.block else ""
        text = " ".join(self.message.split())
        name = f"{self.name}: " if self.name else ""
        return f"{where}{name}{text}"[:300]


@dataclass(frozen=True)
class Outcome:
    """What one execution of a solution gave. A failed one is data, not an exception.

    ``seconds`` is wall clock, kernel start included; ``cell_seconds`` is that of the cells alone.
    ``printed`` is the score of a self-scored notebook, ``reused`` how many of the first cells were
    not executed but taken from an earlier state, and ``saved`` the seconds that these once took.
    """

    status: Status
    seconds: float
    cell_seconds: float = 0.0
    failure: Failure | None = None
    printed: float | None = None
    reused: int = 0
    saved: float = 0.0

    @property
    def words(self) -> str:
        """Why it is not ok, in one line."""
        if self.failure is not None:
            return str(self.failure)
        return {
            "timed_out": f"took longer than it may ({self.seconds:.0f} s)",
            "cancelled": "there was no time left for it",
            "out_of_memory": "ran out of memory",
        }.get(self.status, self.status)

    @property
    def problem(self) -> Failure:
        """Why it is not ok, for those who are to mend it."""
        return self.failure or Failure("", "", self.words)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        failure = None if self.failure is None else vars(self.failure)
        return {**vars(self), "failure": failure}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of ``to_json``."""
        failure = data.get("failure")
        return cls(**{**data, "failure": None if failure is None else Failure(**failure)})


@dataclass(frozen=True)
class Finding:
    """What a check saw: which rule, in which block and line, in words, and whether it is sure."""

    rule: str
    block: str
    line: int
    message: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.block}, line {self.line}: {self.message}"


@dataclass(frozen=True)
class Proposal:
    """A solution to be judged, and where it comes from."""

    stage: Stage
    solution: Solution
    plan: str = ""
    parents: tuple[str, ...] = ()
    block: str | None = None
    branch: int = 0


@dataclass(frozen=True)
class Candidate:
    """A proposal after judgement. ``score`` is None unless ``status`` is ok.

    ``seconds`` is the wall clock of the executions that it was judged by, added up; ``slowest``
    what its slowest fold takes if every cell is executed. ``debug_rounds`` says how often the
    debugger mended it before it ran.
    """

    id: str
    stage: Stage
    solution: Solution
    plan: str = ""
    parents: tuple[str, ...] = ()
    block: str | None = None
    branch: int = 0
    status: Status = "ok"
    score: Score | None = None
    seconds: float = 0.0
    slowest: float = 0.0
    reason: str = ""
    debug_rounds: int = 0
    findings: tuple[Finding, ...] = field(default=())

    @property
    def is_scored(self) -> bool:
        """Whether it ran on every fold and was graded."""
        return self.score is not None
