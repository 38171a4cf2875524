"""What to expect of a run before anything is asked: calls, tokens, money and time, as ranges.

It reckons with the loops of the algorithm, the real texts of prompts and data, and experience with
how long replies, calls and candidates are. Both ends of each range are guesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlestar_jupyter.agents.llm import telling
from mlestar_jupyter.agents.llm.calls import model_for
from mlestar_jupyter.agents.llm.doors import open_llm
from mlestar_jupyter.agents.llm.llm import LLM, Usage
from mlestar_jupyter.agents.llm.money import Money
from mlestar_jupyter.agents.llm.prices import cost_of
from mlestar_jupyter.agents.llm.prompt import template
from mlestar_jupyter.interfaces import Brief
from mlestar_jupyter.settings import ROLES, Settings
from mlestar_jupyter.solution import DEFAULT_PARAMETERS
from mlestar_jupyter.task import Task

Span = tuple[float, float]

#: Seconds of a call, and of judging a candidate.
CALL_SECONDS: Span = (4.0, 20.0)
CANDIDATE_SECONDS: Span = (3.0, 20.0)
#: Shares of the time in which steps of refinement, and ensembles, may begin.
REFINE_SHARE, ENSEMBLE_SHARE = 0.45, 0.2
#: Characters of a token.
CHARACTERS: Span = (4.2, 3.0)
#: Tokens of a whole solution, and of what a model thinks when it is left to it.
SOLUTION: Span = (800.0, 3000.0)
THOUGHTS: Span = (300.0, 3000.0)
#: Tokens of the lowest level of thinking.
LOW_LEVEL = 1024
#: Variants of a study; shares of candidates that are debugged, and that seem to leak.
VARIANTS, DEBUGGED, LEAKING = 3, (0.05, 0.25), (0.0, 0.1)
#: Of a hundred questions, so many are asked again to correct a reply or after an error.
AGAIN: Span = (0.0, 0.15)
#: By role: solutions that a prompt shows, other tokens in it, and tokens of the reply.
SIZES: dict[str, tuple[int, Span, Span]] = {
    "retrieve": (0, (500, 4000), (400, 1500)),
    "initialize": (0, (200, 800), SOLUTION),
    "merge": (2, (0, 0), (1200, 4000)),
    "ablate": (1, (50, 800), (400, 3000)),
    "summarize": (1, (200, 600), (100, 400)),
    "extract": (1, (200, 1000), (100, 400)),
    "plan": (1, (100, 800), (60, 400)),
    "code": (1, (50, 300), (200, 1500)),
    "plan_ensemble": (2, (50, 800), (60, 400)),
    "ensemble": (2, (50, 300), (300, 1500)),
    "debug": (1, (200, 2500), (200, 3000)),
    "check_leakage": (1, (50, 400), (50, 800)),
    "check_data_usage": (1, (50, 500), (100, 3000)),
    "finalize": (1, (0, 0), (200, 3000)),
}


@dataclass(frozen=True)
class RoleEstimate:
    """What a role is expected to use. ``money`` is in dollars; None: the price is not known."""

    role: str
    model: str
    calls: Span
    prompt: Span
    output: Span
    money: Span | None


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to use. ``seconds`` are those of the calls, all added up."""

    roles: tuple[RoleEstimate, ...]
    unpriced: tuple[str, ...]

    @property
    def calls(self) -> Span:
        """Requests."""
        return _sum([role.calls for role in self.roles])

    @property
    def tokens(self) -> Span:
        """All tokens, thoughts too."""
        return _sum([part for role in self.roles for part in (role.prompt, role.output)])

    @property
    def money(self) -> Span | None:
        """Dollars, without a limit; None when some price is not known."""
        known = [role.money for role in self.roles if role.money is not None]
        return _sum(known) if len(known) == len(self.roles) else None

    @property
    def seconds(self) -> Span:
        """Seconds of the calls added up; calls of several branches run side by side."""
        low, high = self.calls
        return low * CALL_SECONDS[0], high * CALL_SECONDS[1]


def estimate(task: Task, settings: Settings) -> Estimate:
    """What a run with these settings is expected to use. Needs no key; asks nothing.

    SettingsError when no model is named, or when there is a limit of money and no price.
    """
    llm = open_llm(settings.replace(replay="none"))  # without key and network
    counts = calls_by_role(settings, searches=llm.searches)
    low, high = _sum(list(counts.values()))
    if settings.calls_per_minute is not None:
        allowed = max(1.0, settings.seconds / 60 * settings.calls_per_minute)
        counts = {
            role: (span[0] * min(1.0, allowed / low), span[1] * min(1.0, allowed / high))
            for role, span in counts.items()
        }
    common = _common(task, settings)
    money = Money(settings, [], local=llm.local)
    roles, unpriced = [], []
    for role in ROLES:
        if counts[role][1] <= 0:
            continue
        model = model_for(settings, llm, role)
        money.check_price(model)
        found = _role(role, model, counts[role], common, llm, settings)
        roles.append(found)
        if found.money is None and model not in unpriced:
            unpriced.append(model)
    return Estimate(tuple(roles), tuple(unpriced))


def calls_by_role(settings: Settings, *, searches: bool) -> dict[str, Span]:
    """How often each role is asked: as far as the time allows, and at most as the loops go."""
    models, inner = settings.models, settings.inner_steps
    branches = min(settings.solutions, models)
    steps = _that_fit(settings, settings.outer_steps, REFINE_SHARE, 2 + 2 * inner, VARIANTS + inner)
    rounds = _that_fit(settings, settings.ensemble_rounds, ENSEMBLE_SHARE, 2, 1)
    if branches < 2:
        rounds = (0.0, 0.0)
    merges = (float(branches if models > 1 else 0), _merges(models, branches))
    studies = _times(steps, branches)
    tried = _times(studies, inner)
    candidates = _sum([(models, models), merges, _times(studies, VARIANTS), tried, rounds])
    debugging = (candidates[0] * DEBUGGED[0], candidates[1] * DEBUGGED[1])
    counts: dict[str, Span] = {
        "retrieve": (2.0, 2.0) if searches else (0.0, 1.0),
        "initialize": (float(models), float(models)),
        "merge": merges,
        "ablate": studies,
        "summarize": studies,
        "extract": studies,
        "plan": _times(studies, max(0, inner - 1)),
        "code": tried,
        "plan_ensemble": rounds,
        "ensemble": rounds,
        "debug": debugging if settings.debug_rounds else (0.0, 0.0),
        "check_leakage": (candidates[0] * LEAKING[0], candidates[1] * LEAKING[1]),
        "check_data_usage": (0.0, float(branches)),
        "finalize": (1.0, 1.0),
    }
    return {role: (c[0] * (1 + AGAIN[0]), c[1] * (1 + AGAIN[1])) for role, c in counts.items()}


def _that_fit(settings: Settings, most: int, share: float, calls: int, candidates: int) -> Span:
    """How many rounds of so many calls and candidates fit into a share of the time, up to most."""
    room = settings.seconds * share
    slow, fast = (calls * CALL_SECONDS[end] + candidates * CANDIDATE_SECONDS[end] for end in (1, 0))
    return min(most, room / slow), min(most, room / fast)


def _merges(models: int, branches: int) -> float:
    return float(sum(max(0, models - 1 - branch) for branch in range(branches)))


def _common(task: Task, settings: Settings) -> Span:
    """Tokens that every prompt has: the contract, the task, the profile of the data."""
    brief = Brief(task, settings.seconds / 8)
    told = telling.task(brief, DEFAULT_PARAMETERS, examples=settings.examples)
    return _tokens(template("system") + told)


def _role(
    role: str, model: str, calls: Span, common: Span, llm: LLM, settings: Settings
) -> RoleEstimate:
    shown, extra, reply = SIZES[role]
    if role in ("plan_ensemble", "ensemble"):
        shown = max(2, settings.solutions)
    thoughts = THOUGHTS
    if settings.thinking is not None:
        # Where a model knows levels only, even the lowest is some thinking.
        least = 0 if re.search(r"gemini-[12]\b", model) else LOW_LEVEL
        most = float(max(least, settings.thinking))
        thoughts = (min(THOUGHTS[0], most), most)
    written = _tokens(template(role))
    prompts, outputs, money = [], [], []
    for end in (0, 1):
        prompt = common[end] + written[end] + shown * SOLUTION[end] + extra[end]
        prompts.append(calls[end] * prompt)
        outputs.append(calls[end] * (reply[end] + thoughts[end]))
        usage = Usage(prompt=int(prompts[end]), output=int(outputs[end]))
        money.append(cost_of(usage, model, settings.prices, local=llm.local))
    low, high = money
    return RoleEstimate(
        role, model, calls, (prompts[0], prompts[1]), (outputs[0], outputs[1]),
        None if low is None or high is None else (low, high),
    )  # fmt: skip


def _tokens(text: str) -> Span:
    return len(text) / CHARACTERS[0], len(text) / CHARACTERS[1]


def _times(span: Span, factor: float) -> Span:
    return span[0] * factor, span[1] * factor


def _sum(spans: list[Span]) -> Span:
    return sum(span[0] for span in spans), sum(span[1] for span in spans)
