"""Candidates in a few words, the same in all views."""

from __future__ import annotations

import math
import os
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.notebook.markdown import one_line
from mlestar_jupyter.reading import Standing
from mlestar_jupyter.run import Run

MARKS: dict[Standing, str] = {
    "best": "★",
    "incumbent": "✔",
    "accepted": "✔",
    "rejected": "✘",
    "undone": "↶",
    "failed": "!",
    "measured": "·",
    "scored": "·",
}
STANDING_WORDS: dict[Standing, str] = {
    "best": "the best of the run",
    "incumbent": "the best of its branch",
    "accepted": "accepted, improved on later",
    "rejected": "rejected",
    "undone": "undone by you",
    "failed": "no score",
    "measured": "a measured variant",
    "scored": "scored",
}
_COLORS: dict[Standing, str] = {
    "best": m.ACCENT,
    "incumbent": m.GOOD,
    "accepted": m.GOOD,
    "rejected": m.GREY,
    "undone": m.WARM,
    "failed": m.POOR,
    "measured": m.GREY,
    "scored": m.GREY,
}


def standing_pill(standing: Standing) -> str:
    """Where a candidate stands, as markup."""
    return m.pill(STANDING_WORDS[standing], _COLORS[standing])


def standing_mark(standing: Standing) -> str:
    """Where a candidate stands in one sign, as markup; the words show under the pointer."""
    return (
        f'<span title="{m.esc(STANDING_WORDS[standing])}" '
        f'style="color:{_COLORS[standing]}">{MARKS[standing]}</span>'
    )


def score_words(candidate: Candidate) -> str:
    """The score with its spread, or the status of what has none."""
    if candidate.score is None:
        return candidate.status.replace("_", " ")
    return str(candidate.score)


def score_markup(candidate: Candidate) -> str:
    """The same as markup: the spread matters less."""
    if candidate.score is None:
        words = m.esc(candidate.status.replace("_", " "))
        color = m.GREY if candidate.status == "stopped_early" else m.POOR
        return f'<span title="{m.esc(candidate.reason)}" style="color:{color}">{words}</span>'
    value, plus, spread = str(candidate.score).partition(" ± ")
    return m.esc(value) + (m.muted(m.esc(plus + spread)) if plus else "")


def gain_markup(gain: float | None) -> str:
    """A signed gain, green when it is one."""
    if gain is None:
        return ""
    color = m.GOOD if gain > 0 else m.POOR if gain < 0 else "inherit"
    return m.span(m.esc(gain_words(gain)), f"color:{color}")


def gain_words(gain: float | None) -> str:
    """A signed gain in three digits and without exponents, or nothing."""
    if gain is None or not math.isfinite(gain):
        return ""
    size = f"{abs(gain):,.0f}" if abs(gain) >= 100 else f"{Decimal(f'{abs(gain):.3g}'):f}"
    return "±0" if gain == 0 else f"{'+' if gain > 0 else '−'}{size}"


def what(candidate: Candidate, most: int = 100) -> str:
    """What a candidate is about, in one line."""
    return one_line(plan(candidate) or candidate.solution.title or candidate.stage, most)


def plan(candidate: Candidate) -> str:
    """The plan; of a variant in a study, what it goes without."""
    is_variant = candidate.stage == "ablate" and candidate.plan
    return f"without {candidate.plan}" if is_variant else candidate.plan


def title(candidate: Candidate) -> str:
    """``0014 · refine model_xgboost``: id, stage, block."""
    block = f" {candidate.block}" if candidate.block else ""
    return f"{candidate.id} · {candidate.stage}{block}"


def link(path: Path, words: str) -> str | None:
    """A link to a file below the working folder (the notebook's, usually); None to any other."""
    try:
        relative = os.path.relpath(path, Path.cwd())
    except (OSError, ValueError):
        return None
    if relative.startswith("..") or not path.exists():
        return None
    address = m.esc(quote(Path(relative).as_posix()))
    return (
        f'<a href="{address}" target="_blank" title="{m.esc(path)}" style="color:{m.LINK}">'
        f"{m.esc(words)}</a>"
    )


def path_markup(path: Path, words: str = "") -> str:
    """A path, as a link where there can be one."""
    named = f"{m.esc(words)}: {m.mono(path)}" if words else m.mono(path)
    return link(path, words or str(path)) or named


def page_words(page: tuple[str, str]) -> str:
    """A page of the web: ``title (address)``."""
    address, title = (one_line(part, 300) for part in page)
    return f"{title} ({address})" if title else address


def page_markup(page: tuple[str, str]) -> str:
    """The same as a link, if it leads to the web: address and title are not ours."""
    address, title = page
    if re.fullmatch(r"https?://[^\s<>\"']+", address) is None:
        return m.esc(page_words(page))
    shown = one_line(title or re.sub(r"^https?://(www\.)?", "", address), 80)
    return (
        f'<a href="{m.esc(address)}" target="_blank" rel="noopener noreferrer" '
        f'title="{m.esc(address)}" style="color:{m.LINK}">{m.esc(shown)}</a>'
    )


def state_words(run: Run) -> str:
    """What a run does now: at work, paused, waiting for you, its end, or that it was cut off."""
    state = run.state
    if not state.ended and run.is_busy:
        return "paused" if state.paused else "waiting for you" if state.waiting else "at work"
    return state.ended or "cut off: resume it"


def state_pill(words: str) -> str:
    """The state of a run as markup."""
    colors = {
        "at work": m.ACCENT,
        "finished": m.GOOD,
        "paused": m.WARM,
        "waiting for you": m.WARM,
        "damaged": m.POOR,
    }
    return m.pill(words, colors.get(words, m.GREY))
