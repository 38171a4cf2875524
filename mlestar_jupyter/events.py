"""Events: everything that happens in a run is one, in the journal and for those who listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Kind = Literal[
    "run_started",
    "session_started",
    "settings_changed",
    "stage_started",
    "cards_retrieved",
    "candidate_proposed",
    "candidate_executed",
    "candidate_debugged",
    "candidate_corrected",
    "candidate_judged",
    "ablation_measured",
    "target_chosen",
    "incumbent_changed",
    "plan_lost",
    "branch_finished",
    "submission_written",
    "finished_notebook_written",
    "unsealed",
    "llm_called",
    "role_answered",
    "agents_changed",
    "block_pinned",
    "suggestion_added",
    "card_added",
    "step_begun",
    "step_waiting",
    "paused",
    "resumed",
    "undone",
    "note",
    "run_finished",
]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    ``seq`` counts from 0 in its journal. ``at`` is the wall-clock time in seconds since the epoch,
    ``elapsed`` the seconds that the run had been at work, over all its sessions.
    """

    seq: int
    kind: Kind
    at: float
    elapsed: float
    data: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values, one line of the journal."""
        return {
            "seq": self.seq,
            "kind": self.kind,
            "at": round(self.at, 3),
            "elapsed": round(self.elapsed, 3),
            **self.data,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Event:
        """The inverse of ``to_json``."""
        data = {k: v for k, v in record.items() if k not in ("seq", "kind", "at", "elapsed")}
        return cls(record["seq"], record["kind"], record["at"], record["elapsed"], data)


class Listener(Protocol):
    """Told of each event after it is safe on disk. It must not raise and must be quick."""

    def __call__(self, event: Event) -> None:
        """Take note of one event. Called from the thread in which it happened."""
