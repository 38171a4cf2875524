"""The roles that make whole solutions: retriever, initializer, merger and ensembler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlestar_jupyter.agents.llm import data, ensembles, replies, work
from mlestar_jupyter.agents.llm.asking import Asking, Question
from mlestar_jupyter.agents.llm.contract import check_solution
from mlestar_jupyter.agents.llm.fences import material
from mlestar_jupyter.agents.llm.llm import Page
from mlestar_jupyter.agents.llm.prompt import render
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Agents, Attempt, Brief, ModelCard
from mlestar_jupyter.solution import Solution

#: Of what the search found, so many characters go into the second question.
MOST_NOTES = 20_000


def retrieve(asking: Asking, brief: Brief, count: int, catalogue: Agents | None) -> list[ModelCard]:
    """Models that the web speaks of: one question that searches, then one for cards as data.

    Most models refuse search and schema at once. A model that cannot search gets its cards from
    the ``catalogue``, and so does one that gives none.
    """
    llm = asking.line.llm
    if not llm.searches and catalogue is not None:
        cards = catalogue.retrieve(brief, count)
        if cards:
            asking.say(f"{llm.name} cannot search the web: models come from the catalogue")
            return cards
    try:
        notes, pages = _search(asking, brief, count) if llm.searches else ("", ())
        return _cards(asking, brief, count, notes, pages)
    except ReplyError as error:
        cards = [] if catalogue is None else catalogue.retrieve(brief, count)
        if not cards:
            raise
        asking.say(f"models come from the catalogue: {error}")
        return cards


def _search(asking: Asking, brief: Brief, count: int) -> tuple[str, tuple[Page, ...]]:
    prompt = render(
        "retrieve", task=asking.about(brief), count=str(count), suggestions=work.suggestions(brief)
    )
    try:
        return asking.ask_with_pages(brief, Question("retrieve", prompt, _notes, search=True))
    except ReplyError as error:  # the model still knows something by itself
        asking.say(f"the search for models gave nothing: {error}")
        return "", ()


def _notes(text: str) -> str:
    return text.strip()


def _cards(
    asking: Asking, brief: Brief, count: int, notes: str, pages: tuple[Page, ...]
) -> list[ModelCard]:
    listed = "\n".join(f"{n}. {page.title}: {page.url}" for n, page in enumerate(pages, start=1))
    prompt = render(
        "retrieve_cards",
        task=asking.about(brief),
        count=str(count),
        suggestions=work.suggestions(brief),
        notes=material("notes of the search", notes or "(nothing was found)", MOST_NOTES),
        pages=material("pages that were read, by number", listed or "(none)"),
    )

    def read(text: str) -> list[ModelCard]:
        found = data.read(text, data.CARDS)["models"]
        cards = [_card(model, pages) for model in found if model["name"].strip()]
        unique = list({card.name.lower(): card for card in reversed(cards)}.values())[::-1]
        if not unique:
            raise ReplyError("it names no model")
        return unique[:count]

    return asking.ask(brief, Question("retrieve", prompt, read, schema=data.CARDS))


def _card(model: dict[str, Any], pages: tuple[Page, ...]) -> ModelCard:
    numbers = [number for number in model["pages"] if 1 <= number <= len(pages)]
    own = [pages[number - 1] for number in dict.fromkeys(numbers)]
    read = tuple(
        (page.url, page.title) for page in own if page.url.startswith(("https://", "http://"))
    )
    parts = [part.text for part in replies.fences(model["example"])]
    example = "\n".join(parts) if parts else model["example"]
    name, reason = (" ".join(str(model[key]).split()) for key in ("name", "reason"))
    return ModelCard(name[:80], reason, example.strip("\n"), read[0][0] if read else "", read)


def initialize(asking: Asking, brief: Brief, card: ModelCard) -> Solution:
    """One simple, complete solution with this model."""
    prompt = render("initialize", task=asking.about(brief), card=work.card(card))

    def read(text: str) -> Solution:
        return _checked(brief, replies.solution(text, card.name))

    plan = f"{card.name}: {card.reason}"
    return asking.ask(brief, Question("initialize", prompt, read, plan=plan))


def merge(asking: Asking, brief: Brief, base: Solution, other: Solution) -> Solution:
    """The base with the other's model beside its own."""
    prompt = render(
        "merge",
        task=asking.about(brief),
        branch=work.branches(brief, asking.settings.solutions),
        base_title=base.title or "untitled",
        base=work.script(base),
        other_title=other.title or "untitled",
        other=work.script(other),
    )
    title = f"{base.title or 'base'} + {other.title or 'other'}"

    def read(text: str) -> Solution:
        merged = _checked(brief, replies.solution(text, title))
        if merged.key in (base.key, other.key):
            raise ReplyError("it is one of the two, unchanged; it must have the models of both")
        return merged

    plan = f"merge {other.title} into {base.title}"
    return asking.ask(brief, Question("merge", prompt, read, plan=plan))


def plan_ensemble(
    asking: Asking, brief: Brief, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
) -> str | None:
    """The next plan to combine; None when the model has none, or where nothing is predicted."""
    if brief.task.is_self_scored:
        return None
    prompt = render(
        "plan_ensemble",
        task=asking.about(brief),
        suggestions=work.suggestions(brief),
        members=work.members(solutions),
        attempts=work.attempts(attempts, "the best member"),
    )
    return asking.ask(brief, Question("plan_ensemble", prompt, new_plan(attempts)))


def ensemble(asking: Asking, brief: Brief, solutions: Sequence[Candidate], plan: str) -> Solution:
    """The members inlined, and what the model wrote to combine them."""
    files = ", ".join(f"`{ensembles.member_file(n)}`" for n in range(1, len(solutions) + 1))
    prompt = render(
        "ensemble",
        task=asking.about(brief),
        files=files,
        plan=plan,
        members=work.members(solutions),
    )

    def read(text: str) -> Solution:
        return ensembles.combined(text, solutions, plan)

    return asking.ask(brief, Question("ensemble", prompt, read, plan=plan, block=ensembles.COMBINE))


def new_plan(attempts: Sequence[Attempt]) -> Callable[[str], str | None]:
    """A reader of plans that refuses one that was tried; NONE is None."""
    tried = {" ".join(a.plan.lower().split()): n for n, a in enumerate(attempts, start=1)}

    def read(text: str) -> str | None:
        if replies.is_none(text):
            return None
        plan = " ".join(replies.plain(text).split())
        if number := tried.get(plan.lower()):
            raise ReplyError(f"it repeats plan {number}; propose another one, or reply NONE")
        return plan

    return read


def _checked(brief: Brief, solution: Solution) -> Solution:
    check_solution(solution, self_scored=brief.task.is_self_scored)
    return solution
