"""A run in plain text: what was understood, what happens, what came out. For every surface."""

from __future__ import annotations

import itertools
import shutil
import textwrap
from collections.abc import Sequence

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.events import Event
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score, format_number
from mlestar_jupyter.settings import Settings, format_seconds
from mlestar_jupyter.spending import change_words, dollars

_STAGES = {
    "initialize": "searching for models, one solution for each",
    "merge": "merging the best",
    "check": "checking that all data is used",
    "refine": "refining block by block",
    "ensemble": "combining the solutions",
    "finalize": "fitting on all rows, writing the finished notebook",
}


def understood(run: Run) -> list[tuple[str, str]]:
    """What was inferred of the task, and how candidates are judged."""
    settings = run.settings
    rows = list(run.task.describe())
    rows.append(("validation", run.validation.describe()))
    rows.append(("time", f"{format_seconds(settings.seconds)}, {settings.jobs} side by side"))
    if settings.agents != "playbook":
        rows.append(("agents", agents_words(settings)))
    before = itertools.takewhile(lambda event: event.kind != "stage_started", run.events)
    rows += [("note", str(event.data["text"])) for event in before if event.kind == "note"]
    rows.append(("isolation", run.isolation[1]))
    rows.append(("run folder", str(run.folder)))
    return rows


def agents_words(settings: Settings) -> str:
    """Cast, models and limit of money, as they were asked for."""
    models = [settings.model] if settings.model else []
    models += [f"{model} for {role}" for role, model in settings.role_models.items()]
    parts = [settings.agents, *models]
    if settings.replay is not None:
        parts.append(f"replies replayed from {settings.replay}")
    elif settings.cost is not None:
        parts.append(f"at most {dollars(settings.cost)}")
    return ", ".join(parts)


def pairs(rows: Sequence[tuple[str, str]], width: int | None = None) -> str:
    """Two columns of text, the second wrapped between words; a path stays whole, to be copied."""
    width = width or shutil.get_terminal_size((100, 20)).columns
    left = max(len(word) for word, _ in rows) + 2
    wrapper = textwrap.TextWrapper(
        max(30, width - left), break_long_words=False, break_on_hyphens=False
    )
    lines = []
    for word, value in rows:
        wrapped = wrapper.wrap(value) or [""]
        lines.append(f"{word:<{left}}{wrapped[0]}")
        lines += [" " * left + line for line in wrapped[1:]]
    return "\n".join(lines)


def event_line(run: Run, event: Event) -> str | None:
    """One line for an event that a user wants to see; None for the others."""
    data = event.data
    at = f"{format_seconds(event.elapsed):>7}  "
    match event.kind:
        case "stage_started":
            branch = data.get("branch")
            where = (
                "" if branch is None or run.settings.solutions == 1 else f" (branch {branch + 1})"
            )
            return f"{at}{_STAGES.get(data['stage'], data['stage'])}{where}"
        case "candidate_judged":
            return at + candidate_line(run, run.state.candidates[data["id"]])
        case "incumbent_changed" if data["best"]:
            best = run.state.candidates[data["id"]]
            return f"{at}best is now {best.id}: {_score(best)}"
        case "target_chosen":
            return f"{at}target block: {data['block']}" + _because(data["reason"])
        case "submission_written" if data["path"]:
            return f"{at}submission written by {data['id']}"
        case "finished_notebook_written":
            return f"{at}finished notebook: {data['verdict']} ({data['detail']})"
        case "agents_changed":
            return f"{at}agents: {change_words(data)}"
        case "note":
            return f"{at}note: {data['text']}"
        case _:
            return None


def candidate_line(run: Run, candidate: Candidate) -> str:
    """A candidate in one line: id, stage, score, gain over its parent, seconds, what it is."""
    what = candidate.plan or candidate.solution.title
    if candidate.score is None:
        return f"{candidate.id} {candidate.stage:<10} {candidate.status}: {candidate.reason[:120]}"
    words = " ".join(what.split())[:80]
    return (
        f"{candidate.id} {candidate.stage:<10} {candidate.score!s:<18} "
        f"{gain(run, candidate):>10} {candidate.seconds:5.1f}s  {words}"
    )


def gain(run: Run, candidate: Candidate) -> str:
    """The gain over the first parent, signed; "" when there is nothing to compare with."""
    parent = run.state.candidates.get(candidate.parents[0]) if candidate.parents else None
    if parent is None or parent.score is None or candidate.score is None:
        return ""
    value = candidate.score.gain_over(parent.score)
    return f"{'+' if value >= 0 else '-'}{format_number(abs(value))}"


def score_table(run: Run, most: int = 12) -> str:
    """The best candidates, the best first, as a text table; "" when none is scored."""
    metric = run.task.metric
    sign = -1 if metric.greater_is_better else 1
    scored = [c for c in run.scored if c.stage != "ablate" or c.id == run.state.best]
    scored.sort(key=lambda c: sign * (c.score.value if c.score else 0.0))
    if not scored:
        return ""
    head = ["", "id", "stage", metric.name, "seconds", "what"]
    rows = []
    for candidate in scored[:most]:
        assert candidate.score is not None
        mark = "*" if candidate.id == run.state.best else ""
        what = " ".join((candidate.plan or candidate.solution.title).split())[:60]
        rows.append(
            [mark, candidate.id, candidate.stage, str(candidate.score),
             f"{candidate.seconds:.1f}", what]
        )  # fmt: skip
    return table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text under a header line."""
    widths = [max(len(str(line[i])) for line in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
             for row in [head, ["-" * w for w in widths], *rows]]  # fmt: skip
    return "\n".join(lines)


def status(run: Run) -> str:
    """Where a run stands, in some lines."""
    state = run.state
    candidates = state.candidates.values()
    ablations = sum(1 for c in candidates if c.stage == "ablate" and c.score)
    scored = sum(1 for c in candidates if c.score)
    standing = "at work" if run.is_busy else (state.ended or "cut off: resume it")
    rows = [
        ("run", str(run.folder)),
        ("state", f"{standing}, stage {state.stage or 'none'}"),
        ("time", f"{format_seconds(state.elapsed)} of {format_seconds(run.settings.seconds)}"),
        ("candidates", f"{scored} scored ({ablations} ablations), {len(candidates) - scored} not"),
    ]
    if (line := agents_line(run)) is not None:
        rows.append(("agents", line))
    if run.best is not None:
        rows.append(("best", f"{run.best.id}: {run.task.metric.name} {_score(run.best)}"))
    return pairs(rows)


def agents_line(run: Run) -> str | None:
    """What language models have cost, and which cast is at work; None with the playbook alone."""
    state = run.state
    if state.spending.is_none and run.settings.agents == "playbook":
        return None
    spent = "nothing was asked yet" if state.spending.is_none else ""
    line = f"{state.agents}: {spent or state.spending.words(run.settings.cost)}"
    return line if state.cast is None else f"{line} (at first {run.settings.agents})"


def delivered(run: Run) -> str:
    """Where the results lie, in some lines."""
    rows = []
    finished, submission = run.state.finished, run.state.submission
    if submission is not None and submission["path"]:
        rows.append(("submission", str(run.folder / submission["path"])))
    if finished is not None:
        path = run.folder / finished["path"]
        rows.append(("finished notebook", f"{path} ({finished['verdict']})"))
        if finished["verdict"] != "reproduced":
            rows.append(("", finished["detail"]))
    if submission is not None and submission["id"] != run.state.best:
        rows.append(
            ("", f"still those of {submission['id']}: submit the present best to renew them")
        )
    rows.append(("story of the run", str(run.folder / "run.ipynb")))
    return pairs(rows)


def _score(candidate: Candidate) -> str:
    score: Score | None = candidate.score
    return "no score" if score is None else str(score)


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
