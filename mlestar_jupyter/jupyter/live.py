"""What the live display says, as HTML and as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views import words
from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading import STAGES, Progress
from mlestar_jupyter.settings import format_seconds

_STATES = {"paused": "paused", "waiting": "waiting for you", "at work": "at work"}
_GO_ON = "go on with %mlestar resume"


def live_markup(
    now: Progress,
    folder: Path,
    chart: str,
    title: str = "",
    ended: str = "",
    writing: Sequence[str] = (),
) -> str:
    """A run at one moment as HTML. ``ended`` are words about how the work ended, ``writing`` what
    agents are writing just now.
    """
    name = m.span(m.esc(now.name), "font-weight:600")
    story = words.path_markup(folder / "run.ipynb", "story of the run")
    doing = f" {m.muted(m.esc(title))}" if title else ""
    return m.frame(
        m.heading(f"{name}{doing} &nbsp;{words.state_pill(_state(now, ended))}"),
        _timeline(now),
        _time(now),
        _best(now),
        m.line(m.muted(m.esc(line))) if (line := _branches(now)) else "",
        m.line(m.muted(m.esc(line))) if (line := _agents(now)) else "",
        m.line(m.span(m.esc(now.changed), f"color:{m.WARM}")) if now.changed else "",
        *(m.line(m.span(f"✎ {m.esc(line)}", "opacity:.65;font-style:italic")) for line in writing),
        _waiting(now),
        f'<div style="margin:.4em 0">{chart}</div>' if chart else "",
        _last(now),
        m.line(m.prose(ended)) if ended else "",
        m.line(m.span(story, "font-size:.9em")),
    )


def live_text(now: Progress, title: str = "", ended: str = "", writing: Sequence[str] = ()) -> str:
    """A run at one moment as plain text."""
    share = _share(now)
    bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
    doing = f" {title}" if title else ""
    lines = [
        f"{now.name}{doing}: {_state(now, ended)}",
        " › ".join(f"[{stage}]" if stage in now.stages else stage for stage in STAGES),
        f"{bar}  {_clock(now)}",
        f"{_best_text(now)}   {_counts(now)}",
    ]
    if where := _branches(now):
        lines.append(where)
    lines += [line for line in (_agents(now), now.changed) if line]
    lines += [f"✎ {line}" for line in writing]
    lines += [line for report in now.reports for line in _report_lines(report)]
    if now.reports or now.state == "paused":
        lines.append(_GO_ON)
    lines += [
        f"{c.id} {c.stage + ' ' + (c.block or ''):<20} {words.score_words(c):<18} "
        f"{words.gain_words(_gain(now, c)):>9} "
        f"{format_seconds(c.seconds):>7}  {words.what(c, 60)}"
        for c in now.last
    ]
    return "\n".join([*lines, *([ended] if ended else [])])


def plain_text(now: Progress, title: str = "", ended: str = "") -> str:
    """A run at one moment in a line or two, for notebooks that nobody looks at."""
    doing = f" {title}" if title else ""
    stage = "" if now.state == "ended" or ended else f", {', '.join(now.stages) or 'beginning'}"
    line = f"{now.name}{doing}: {_state(now, ended)}{stage}; {_clock(now)}; {_best_text(now)}"
    reports = [line for report in now.reports for line in _report_lines(report)]
    agents = [words for words in (now.changed, _agents(now) if ended else "") if words]
    return "\n".join([line, *agents, *reports, *([ended] if ended else [])])


def _gain(now: Progress, candidate: Candidate) -> float | None:
    parents = candidate.parents
    return gain_over(candidate, now.parents.get(parents[0]) if parents else None)


def _state(now: Progress, ended: str) -> str:
    if now.state == "ended":
        return now.ended
    return "stopped" if ended and now.state == "at work" else _STATES[now.state]


def _timeline(now: Progress) -> str:
    """The six stages, and where the run is: branches may be in different ones."""
    places = [STAGES.index(stage) for stage in now.stages if stage in STAGES]
    first = min(places, default=-1)
    is_over = now.state == "ended" and now.ended == "finished"
    parts = []
    for number, stage in enumerate(STAGES):
        style = "display:inline-block;padding:.05em .7em;border-radius:1em;font-size:.88em;"
        if is_over or (number < first and places):
            parts.append(m.span(f"✓ {stage}", f"{style}opacity:.75"))
        elif number in places:
            style += f"border:1px solid {m.ACCENT};color:{m.ACCENT};font-weight:600"
            inside = [b.words.removeprefix("branch ") for b in now.branches if b.stage == stage]
            many = len(now.branches) > 1 and any(inside) and len(places) > 1
            which = f" {m.span(m.esc(', '.join(inside)), 'font-weight:400')}" if many else ""
            parts.append(m.span(f"{stage}{which}", style))
        else:
            parts.append(m.span(stage, f"{style}opacity:.5"))
    arrow = m.span("›", "opacity:.4;margin:0 .25em")
    return f'<div style="margin:.3em 0;line-height:2">{arrow.join(parts)}</div>'


def _time(now: Progress) -> str:
    color = m.WARM if now.state in ("paused", "waiting") else m.ACCENT
    bar = m.bar(_share(now), color, "min(22em,45%)")
    return m.line(f"{bar} &nbsp;{m.esc(_clock(now))}")


def _share(now: Progress) -> float:
    time = now.limit - now.start
    return max(0.0, min(1.0, (now.elapsed - now.start) / time)) if time > 0 else 1.0


def _clock(now: Progress) -> str:
    spent = now.elapsed - now.start
    if now.elapsed > now.limit:
        return format_seconds(spent)
    clock = f"{format_seconds(spent)} of {format_seconds(now.limit - now.start)}"
    return clock if now.state == "ended" else f"{clock}, {format_seconds(now.left)} left"


def _best(now: Progress) -> str:
    counts = m.muted(m.esc(f" · {_counts(now)}"))
    if now.best is None:
        return m.line(f"no score yet{counts if now.failed else ''}")
    score = m.span(words.score_markup(now.best), "font-weight:600;font-size:1.1em")
    by = m.muted(f"by {m.mono(now.best.id)} {m.esc(words.what(now.best, 60))}")
    return m.line(f"best {m.esc(now.metric)} {score} {by}{counts}")


def _best_text(now: Progress) -> str:
    if now.best is None:
        return "no score yet"
    return f"best {now.metric} {now.best.score} ({now.best.id})"


def _counts(now: Progress) -> str:
    failed = f", {now.failed} without a score" if now.failed else ""
    variants = f" ({now.ablations} ablations)" if now.ablations else ""
    return f"{now.scored} scored{variants}{failed}"


def _branches(now: Progress) -> str:
    """What each branch refines, when there is something to tell."""
    told = [
        f"{b.words + ': ' if b.words else ''}refining block {b.target} of {b.incumbent}"
        for b in now.branches
        if b.stage == "refine" and b.target and "refine" in now.stages
    ]
    return "; ".join(told) if now.state == "at work" else ""


def _agents(now: Progress) -> str:
    """The cast and what it has cost; nothing with the playbook alone."""
    if not now.spent:
        return "" if now.agents in ("", "playbook") else f"agents: {now.agents}"
    return f"agents: {now.agents}, {now.spent}"


def _report_lines(report: object) -> list[str]:
    assert isinstance(report, dict)
    branch = report.get("branch", 0)
    who = "" if branch < 0 else f"branch {branch + 1}, "
    step = f"{who}step {report.get('number', 0)} of {report.get('of', 0)} done"
    if branch < 0:
        step = "all branches are done"
    return [f"{step}: {report.get('found', '')}", f"  next: {report.get('next', '')}"]


def _waiting(now: Progress) -> str:
    """What the run waits for, in a box that is not overlooked."""
    if now.state not in ("paused", "waiting"):
        return ""
    parts: Iterable[str] = []
    if now.state == "waiting":
        lines = [_report_lines(report) for report in now.reports]
        parts = [m.line(f"{m.esc(found)}<br>{m.muted(m.esc(then))}") for found, then in lines]
    suggest = m.mono('%mlestar suggest "words"')
    commands = (
        f"go on with {m.mono('%mlestar resume')}, steer with {m.mono('%mlestar pin BLOCK')} or "
        f"{suggest}, end with {m.mono('%mlestar stop')}"
    )
    box = (
        f"margin:.5em 0;padding:.3em .9em;border-left:3px solid {m.WARM};"
        f"background:{m.FAINT};border-radius:0 3px 3px 0"
    )
    return f'<div style="{box}">{"".join(parts)}{m.line(commands)}</div>'


def _last(now: Progress) -> str:
    rows = [
        [
            m.mono(c.id),
            m.esc(c.stage) + (f" {m.mono(c.block)}" if c.block else ""),
            words.score_markup(c),
            words.gain_markup(_gain(now, c)),
            m.esc(format_seconds(c.seconds)),
            m.esc(words.what(c)),
        ]
        for c in now.last
    ]
    heads = ["id", "stage", f">{now.metric}", ">gain", ">time", "what"]
    return m.table(heads, rows, wide=[5]) if rows else ""
