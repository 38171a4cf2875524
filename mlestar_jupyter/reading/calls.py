"""What language models were asked in a run: by role, by model and for which candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlestar_jupyter.events import Event
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import ROLES
from mlestar_jupyter.spending import Spending

#: The roles in the paper's words.
ROLE_WORDS: Mapping[str, str] = {
    "retrieve": "retriever",
    "initialize": "initial solutions",
    "merge": "merger",
    "ablate": "ablation",
    "summarize": "summarizer",
    "extract": "extractor",
    "plan": "planner",
    "code": "coder",
    "plan_ensemble": "ensemble planner",
    "ensemble": "ensembler",
    "debug": "debugger",
    "check_leakage": "leakage checker",
    "check_data_usage": "data-usage checker",
    "finalize": "finalizer",
}


@dataclass(frozen=True)
class Calls:
    """The calls of a run. ``roles`` are in the paper's order, ``candidates`` by what they cost.

    What cannot be told to belong to one candidate (model cards, summaries, ideas for a study) is
    in no entry of ``candidates``. ``changes`` are the times at which the cast changed.
    """

    total: Spending
    roles: tuple[tuple[str, Spending], ...]
    models: tuple[tuple[str, Spending], ...]
    candidates: tuple[tuple[str, Spending], ...]
    changes: tuple[Mapping[str, Any], ...]

    def of(self, candidate: str) -> Spending | None:
        """What was spent on one candidate; None when nothing was."""
        return next((spent for name, spent in self.candidates if name == candidate), None)


def calls(run: Run) -> Calls:
    """What language models were asked so far, and for what."""
    with run.lock:
        events = list(run.events)
    return read_calls(events)


def read_calls(events: Sequence[Event]) -> Calls:
    """The same from the events alone."""
    owners = _owners(events)
    total = Spending()
    roles: dict[str, Spending] = {}
    models: dict[str, Spending] = {}
    candidates: dict[str, Spending] = {}
    for event in events:
        if event.kind != "llm_called":
            continue
        called = event.data
        owner = str(called.get("candidate") or "") or owners.get(_number(called), "")
        groups = ((roles, "role"), (models, "model"))
        total.add(called)
        for group, name in groups:
            group.setdefault(str(called.get(name) or "unknown"), Spending()).add(called)
        if owner:
            candidates.setdefault(owner, Spending()).add(called)
    order = {role: place for place, role in enumerate(ROLES)}
    by_cost = sorted(candidates.items(), key=lambda c: (-c[1].money, -c[1].tokens, c[0]))
    return Calls(
        total=total,
        roles=tuple(sorted(roles.items(), key=lambda r: order.get(r[0], len(order)))),
        models=tuple(models.items()),
        candidates=tuple(by_cost),
        changes=tuple(e.data for e in events if e.kind == "agents_changed"),
    )


def pages(run: Run, candidate: str) -> tuple[tuple[str, str], ...]:
    """The web pages behind a candidate, as (address, title): its model card's, its debugger's."""
    with run.lock:
        events, one = list(run.events), run.state.candidates.get(candidate)
        cards = [*run.state.cards, *run.state.own_cards]
    found: dict[str, str] = {}
    if one is not None and one.stage == "initialize":
        for card in cards:
            if one.plan == card["name"] or one.plan.startswith(f"{card['name']}: "):
                found.update(card_pages(card))
                break
    for event in events:
        if event.kind == "llm_called" and event.data.get("candidate") == candidate:
            found.update(_pages(event.data.get("pages") or ()))
    return tuple(found.items())


def card_pages(card: Mapping[str, Any]) -> dict[str, str]:
    """The pages of a model card, title by address; its source alone when it names no others."""
    found = _pages(card.get("pages") or ())
    source = str(card.get("source") or "")
    if source and source not in found and source.startswith(("http://", "https://")):
        return {source: "", **found}
    return found


def _pages(given: Iterable[Any]) -> dict[str, str]:
    """Pages as a journal has them: pairs, or objects with a url and a title."""
    found = {}
    for page in given:
        if isinstance(page, Mapping):
            url, title = page.get("url"), page.get("title")
        elif isinstance(page, str):
            url, title = page, ""
        else:
            url, title = (*page, "", "")[:2]
        if url:
            found[str(url)] = str(title or "")
    return found


def _number(called: Mapping[str, Any]) -> int:
    number = called.get("number")
    return -1 if number is None else int(number)


def _owners(events: Sequence[Event]) -> dict[int, str]:
    """The candidate that each call was made for, as far as its role's answer became one."""
    proposed = [e for e in events if e.kind == "candidate_proposed"]
    owners: dict[int, str] = {}
    for event in events:
        if event.kind == "role_answered":
            owner = str(event.data.get("candidate") or "") or _became(event, proposed)
            if owner:
                owners.update((int(n), owner) for n in event.data.get("calls") or ())
    return owners


def _became(answered: Event, proposed: Sequence[Event]) -> str:
    """The candidate that an answer became: the next one with its plan, in its branch."""
    plan, block = str(answered.data.get("plan") or ""), answered.data.get("block")
    if not plan:
        return ""
    # Ensembles belong to no branch, and those who make them are asked in the first one.
    is_ensemble = answered.data.get("role") in ("plan_ensemble", "ensemble")
    branch = -1 if is_ensemble else answered.data.get("branch")
    same = [
        e
        for e in proposed
        if e.data["branch"] == branch
        and (not block or e.data["block"] in (None, block))
        and (e.data["plan"] == plan or e.data["plan"].startswith(f"{plan}: "))
    ]
    later = next((e for e in same if e.seq > answered.seq), None)
    if later is not None:
        return str(later.data["id"])
    # A resumed run gets the same answer again, for what was proposed before.
    return str(same[-1].data["id"]) if same else ""
