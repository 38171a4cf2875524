"""The state of a run: what the events of its journal add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from mlestar_jupyter.candidate import Candidate, Finding
from mlestar_jupyter.events import Event
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.spending import Spending


@dataclass
class State:
    """What the events add up to. It changes only by ``apply``."""

    settings: Settings = field(default_factory=Settings)
    began_with: Settings = field(default_factory=Settings)
    stage: str = ""
    elapsed: float = 0.0
    candidates: dict[str, Candidate] = field(default_factory=dict)
    proposed: dict[str, str] = field(default_factory=dict)  # key of a solution -> candidate id
    incumbents: dict[int, str] = field(default_factory=dict)  # branch -> candidate id
    best: str | None = None
    studies: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)
    cards: list[dict[str, Any]] = field(default_factory=list)
    submission: dict[str, Any] | None = None
    finished: dict[str, Any] | None = None
    unsealed: dict[str, Any] | None = None
    ended: str = ""
    spending: Spending = field(default_factory=Spending)  # what language models have cost
    changes: list[dict[str, Any]] = field(default_factory=list)  # of the cast, within the run
    cast: str | None = None  # that went on for the one of the settings; "": none did
    is_cast_of_before: bool = False  # it changed in an earlier session
    # What the user has said (steering), and how far it was taken up.
    pins: list[dict[str, Any]] = field(default_factory=list)
    suggestions: list[dict[str, Any]] = field(default_factory=list)
    own_cards: list[dict[str, Any]] = field(default_factory=list)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)  # outer steps by key
    waiting: list[dict[str, Any]] = field(default_factory=list)  # step mode: what was found
    paused: bool = False
    rejected: set[str] = field(default_factory=set)  # undone by the user, never to come back
    accepted: list[tuple[int, str, bool]] = field(default_factory=list)  # branch, id, is best
    # Candidates, and the labels of their executions of which nothing but a snapshot speaks.
    unconfirmed: dict[str, set[str]] = field(default_factory=dict)

    @property
    def agents(self) -> str:
        """The cast at work now, in words."""
        return self.settings.agents if self.cast is None else self.cast or "nobody"

    @property
    def pinned(self) -> str | None:
        """The block that the user has pinned and that no outer step has taken up yet."""
        pin = self.pins[-1] if self.pins else None
        if pin is None or any(step["pin_seq"] == pin["seq"] for step in self.steps.values()):
            return None
        block: str | None = pin["block"]
        return block

    def pin_of(self, branch: int) -> dict[str, Any] | None:
        """The user's last pin, unless a step of this branch has taken it up before."""
        pin = self.pins[-1] if self.pins else None
        if pin is None or pin["block"] is None:
            return None
        taken = {step["pin_seq"] for step in self.steps.values() if step["branch"] == branch}
        return None if pin["seq"] in taken else pin

    def suggestions_of(self, branch: int) -> list[dict[str, Any]]:
        """What the user has suggested and no step of this branch has taken up yet."""
        of_branch = [step for step in self.steps.values() if step["branch"] == branch]
        taken = {seq for step in of_branch for seq in step["suggestion_seqs"]}
        return [s for s in self.suggestions if s["seq"] not in taken]

    def was_accepted(self, branch: int, candidate: str) -> bool:
        """Whether a candidate became the incumbent of this branch at some time."""
        return any(b == branch and c == candidate for b, c, _ in self.accepted)

    def has_followed(self, incumbent: str, candidate: str) -> bool:
        """Whether the one replaced the other as the incumbent of some branch."""
        branches: dict[int, list[str]] = {}
        for branch, accepted, _ in self.accepted:
            branches.setdefault(branch, []).append(accepted)
        return any((incumbent, candidate) in pairwise(chain) for chain in branches.values())

    def best_before(self) -> str | None:
        """The best of the run before the present one, leaving out what was rejected."""
        bests = [c for _, c, is_best in self.accepted if is_best and c not in self.rejected]
        earlier = [c for c in bests if c != self.best]
        return earlier[-1] if earlier else None

    def apply(self, event: Event, read_solution: Callable[[str], Solution]) -> None:
        """Take one event into account."""
        data = event.data
        self.elapsed = max(self.elapsed, event.elapsed)
        match event.kind:
            case "run_started":
                self.settings = self.began_with = Settings.from_json(data["settings"])
            case "settings_changed":
                self.settings = Settings.from_json(data["settings"])
            case "session_started":
                self.ended, self.paused, self.waiting = "", False, []
                self.is_cast_of_before = self.cast is not None
            case "stage_started":
                self.stage = data["stage"]
            case "cards_retrieved":
                self.cards = data["cards"]
            case "candidate_proposed":
                self.proposed[data["key"]] = data["id"]
            case "candidate_executed":
                self._note_execution(data)
            case "candidate_judged":
                candidate = _candidate(data, read_solution)
                before = self.candidates.get(candidate.id)
                if before is not None and before.score is None:
                    del self.candidates[candidate.id]  # they stand in the order of judgement
                self.candidates[candidate.id] = candidate
                self.proposed[candidate.solution.key] = candidate.id
            case "ablation_measured":
                self.studies.append(dict(data))
            case "target_chosen":
                self.targets.append(dict(data))
            case "incumbent_changed":
                self.incumbents[data["branch"]] = data["id"]
                self.rejected.discard(data["id"])
                self.accepted.append((data["branch"], data["id"], data["best"]))
                if data["best"]:
                    self.best = data["id"]
            case "submission_written":
                self.submission = dict(data)
            case "finished_notebook_written":
                self.finished = dict(data)
            case "unsealed":
                self.unsealed = dict(data)
            case "llm_called":
                self.spending.add(data)
                # Each session tries the first cast again: here it answers.
                if self.is_cast_of_before and data["status"] == "ok" and not data["replayed"]:
                    self.cast, self.is_cast_of_before = None, False
            case "agents_changed":
                self.changes.append(dict(data))
                self.cast, self.is_cast_of_before = str(data["to"]), False
            case "run_finished":
                self.ended = data["reason"]
                self.paused, self.waiting = False, []
            case _:
                self._apply_steering(event)

    def _note_execution(self, data: Mapping[str, Any]) -> None:
        name, purpose = data["id"], data["purpose"]
        if data.get("reused"):
            self.unconfirmed.setdefault(name, set()).add(purpose)
        if data.get("confirms"):
            self.unconfirmed[name].discard(purpose)
            known = self.candidates[name]
            # As it was executed whole, not as what snapshots saved adds up.
            slowest = max(known.slowest, data["seconds"])
            self.candidates[name] = replace(known, slowest=slowest)

    def _apply_steering(self, event: Event) -> None:
        data = event.data
        match event.kind:
            case "block_pinned":
                self.pins.append({"seq": event.seq, "block": data["block"]})
            case "suggestion_added":
                self.suggestions.append({"seq": event.seq, "text": data["text"]})
            case "card_added":
                self.own_cards.append(dict(data["card"]))
            case "step_begun":
                self.steps[data["key"]] = dict(data)
                self.waiting = []
            case "step_waiting":
                self.waiting = list(data["reports"])
            case "paused":
                self.paused = True
            case "resumed":
                self.paused, self.waiting = False, []
            case "undone":
                self._undo(data["id"], data["to"])
            case _:
                pass

    def _undo(self, candidate: str, best: str | None) -> None:
        """Take a candidate out of the run's and of all branches' places.

        ``best`` is the best one afterwards, None if that is who it was before.
        """
        self.rejected.add(candidate)
        self.best = best or self.best
        for branch, incumbent in list(self.incumbents.items()):
            if incumbent in self.rejected:
                left = [c for b, c, _ in self.accepted if b == branch and c not in self.rejected]
                self.incumbents[branch] = left[-1] if left else self.best or incumbent


def _candidate(data: Any, read_solution: Callable[[str], Solution]) -> Candidate:
    score = None if data["score"] is None else Score.from_json(data["score"])
    findings: Iterable[dict[str, Any]] = data["findings"]
    return Candidate(
        id=data["id"], stage=data["stage"], solution=read_solution(data["id"]), plan=data["plan"],
        parents=tuple(data["parents"]), block=data["block"], branch=data["branch"],
        status=data["status"], score=score, seconds=data["seconds"], slowest=data["slowest"],
        reason=data["reason"], debug_rounds=data["debug_rounds"],
        findings=tuple(Finding(**finding) for finding in findings),
    )  # fmt: skip
