"""What prompts say of the work: solutions, studies, attempts, failures, and what the user said.

Candidates have no numbers here: those depend on which branch was faster, and a question must be
recognised when it is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlestar_jupyter.agents.llm.fences import code, material
from mlestar_jupyter.agents.llm.telling import duration
from mlestar_jupyter.candidate import Candidate, Failure, Finding
from mlestar_jupyter.interfaces import (
    AblationResult,
    Attempt,
    Brief,
    DataUsageEvidence,
    ModelCard,
    Target,
)
from mlestar_jupyter.score import Score, format_number
from mlestar_jupyter.solution import Solution

#: Of a traceback, so many characters of its end are told.
MOST_TRACEBACK = 4_000

# What differs from run to run in errors and tracebacks: folders, addresses, processes.
_PACKAGES = re.compile(r"(?:/[^\s:'\"]*|[A-Za-z]:\\[^\s:'\"]*)[/\\](?:site|dist)-packages[/\\]")
_FOLDER = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?(?:[/\\][\w.+-]+)+[/\\](?=[\w.-]+)")
_CELL_FILE = re.compile(r"\b\d{5,}\.py\b")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def script(solution: Solution) -> str:
    """The blocks as one script in a fence, each below ``# %% NAME``."""
    return code(solution.to_script())


def card(card: ModelCard) -> str:
    """A model card: what it says comes from the web or from a person."""
    parts = [f"model: {card.name}", f"why: {card.reason}" if card.reason else ""]
    parts.append(f"example:\n{card.example.strip()}" if card.example.strip() else "")
    return material("model card", "\n\n".join(part for part in parts if part))


def suggestions(brief: Brief) -> str:
    """What the user wants tried, word for word; "" if nothing."""
    if not brief.suggestions:
        return ""
    words = "\n".join(f"- {text}" for text in brief.suggestions)
    return (
        f"# The user's wish\n\nThe user asks for this. Unless it was tried already, follow it "
        f"before ideas of your own:\n\n{words}"
    )


def branches(brief: Brief, solutions: int) -> str:
    """That there are others at work, for all but the first of several branches."""
    if brief.branch < 1 or solutions < 2:
        return ""
    return (
        f"This is solution {brief.branch + 1} of {solutions} that are refined side by side and "
        f"combined in the end. Go another way than the most obvious one: an ensemble of "
        f"near copies gains nothing."
    )


def studies(results: Sequence[AblationResult]) -> str:
    """Measured variants, those that matter most first."""
    if not results:
        return "(nothing was measured)"
    ordered = sorted(results, key=lambda r: -abs(r.gain) if r.gain is not None else 1.0)
    return "\n".join(_study(result) for result in ordered)


def _study(result: AblationResult) -> str:
    ablation = result.ablation
    head = f"- block `{ablation.block}`, without: {ablation.change}"
    if result.score is None or result.gain is None:
        return f"{head}: did not run"
    word = "worse" if result.gain > 0 else "better"
    change = f"{format_number(abs(result.gain))} {word}" if result.gain else "no difference"
    return f"{head}: {_score(result.score)}, {change}, {duration(result.seconds)} for all folds"


def measured(earlier: Sequence[AblationResult]) -> str:
    """What was measured before, to be left out this time."""
    seen = dict.fromkeys(f"- `{r.ablation.block}`: {r.ablation.change}" for r in earlier)
    return "\n".join(seen) or "(nothing yet)"


def targets(earlier: Sequence[Target]) -> str:
    """Blocks that were refined before, and with which first plan."""
    lines = [f"- `{target.block}`: {target.plan}" for target in earlier]
    return "\n".join(lines) or "(none yet)"


def attempts(tried: Sequence[Attempt], base: str) -> str:
    """Plans that were tried and what each gave over ``base``."""
    if not tried:
        return "(none yet)"
    return "\n\n".join(
        f"{number}. {attempt.plan.strip()}\n   Result: {_result(attempt, base)}"
        for number, attempt in enumerate(tried, start=1)
    )


def _result(attempt: Attempt, base: str) -> str:
    if attempt.status == "stopped_early":
        return f"it ran, but was ended early and not kept: {steady(attempt.reason)[:400]}"
    if attempt.status == "timed_out":
        return f"no score, for it took too long: {steady(attempt.reason)[:400]}"
    if attempt.score is None:
        return f"no score: {steady(attempt.reason)[:400]}" if attempt.reason else "no score"
    parts = [_score(attempt.score)]
    if attempt.gain is not None:
        word = "better" if attempt.gain > 0 else "worse"
        size = format_number(abs(attempt.gain))
        parts.append(f"{size} {word} than {base}" if attempt.gain else f"the same as {base}")
    parts.append(f"{duration(attempt.seconds)} for all folds")
    return ", ".join(parts) + (", kept" if attempt.accepted else ", not kept")


def standing(score: Score | None) -> str:
    """A score in words."""
    return "its score is not known" if score is None else _score(score)


def _score(score: Score) -> str:
    return f"{score.metric} {score}"


def members(solutions: Sequence[Candidate]) -> str:
    """The solutions to combine, each with its score, its time and its blocks."""
    parts = []
    for number, member in enumerate(solutions, start=1):
        title = member.solution.title or "untitled"
        parts.append(
            f"## Member s{number}: {title}\n\n{standing(member.score)}, "
            f"{duration(member.slowest)} for one run\n\n{script(member.solution)}"
        )
    return "\n\n".join(parts)


def failure(failure: Failure) -> str:
    """What went wrong, as material: errors quote data."""
    where = f"in block {failure.block}" if failure.block else "in no block in particular"
    name = f"{failure.name}: " if failure.name else ""
    lines = [where, f"{name}{steady(failure.message)[:1500]}"]
    if failure.traceback:
        lines += ["", steady(failure.traceback)[-MOST_TRACEBACK:]]
    return material("error of the execution", "\n".join(lines))


def evidence(findings: Sequence[Finding]) -> str:
    """What the static check saw."""
    return "\n".join(
        f"- block `{f.block}`, line {f.line}: {f.message} ({'sure' if f.certain else 'suspected'})"
        for f in findings
    )


def unused(evidence: DataUsageEvidence) -> str:
    """Files and columns that no block mentions."""
    lines = [f"file: {name}" for name in evidence.unused_files]
    lines += [f"column: {name!r}" for name in evidence.unused_columns]
    return material("what no block mentions", "\n".join(lines))


def steady(text: str) -> str:
    """An error without what differs from run to run: colours, folders, addresses."""
    text = _ANSI.sub("", text)
    text = _PACKAGES.sub("", text)
    text = _CELL_FILE.sub("cell.py", _FOLDER.sub("", text))
    return _ADDRESS.sub("0x...", text)
