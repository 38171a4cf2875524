"""What happened in a run as notebook cells: a candidate, an ablation study, the model cards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.events import Event
from mlestar_jupyter.notebook.markdown import code, escape, link, one_line, quote, signed, table
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.solution import Block, block_cell, markdown_cell

#: Printed text and single outputs beyond these sizes would make a notebook slow to open.
PRINTED_AT_MOST, OUTPUT_AT_MOST = 10_000, 1_000_000
#: Needs a kernel behind it; without one a front end shows an error in its place.
_WIDGET = "application/vnd.jupyter.widget-view+json"


def cell_id(run: Run, *parts: str) -> str:
    """An id that is the same whenever a cell is made again, and differs between runs."""
    return id_of(id_prefix(run.folder.name, run.events), *parts)


def id_prefix(name: str, events: Sequence[Event]) -> str:
    """What the ids of all cells of a run begin with."""
    # Not the path: a run may be moved. When it began tells runs of one name apart.
    # As the journal has it, or a run that is opened again would have other ids.
    began = round(events[0].at, 3) if events else 0.0
    return "m" + hashlib.sha256(f"{name} {began}".encode()).hexdigest()[:8]


def id_of(prefix: str, *parts: str) -> str:
    """A cell id, as nbformat wants one, of a run's prefix and what the cell is."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", "-".join((prefix, *parts)))
    if len(name) <= 64:
        return name
    return f"{name[:55]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def text_cell(run: Run, text: str, *parts: str, **metadata: Any) -> NotebookNode:
    """A Markdown cell of this run, with an id made of ``parts``."""
    return markdown_cell(text, cell_id(run, *parts), run=run.folder.name, **metadata)


def candidate_cells(run: Run, candidate: Candidate, parent: Candidate | None) -> list[NotebookNode]:
    """A candidate as cells: a heading that folds, then the blocks that differ from its parent's.

    Blocks carry what they gave when fold 1 was executed. Ids are the same at each call, so that
    cells that are inserted twice are one.
    """
    heading = text_cell(
        run, candidate_heading(run, candidate, parent), candidate.id, candidate=candidate.id
    )
    cells = [heading]
    solution = candidate.solution
    executed = executed_cells(run, candidate)
    for name in solution.changed(None if parent is None else parent.solution):
        block = Block(name, solution.source(name))
        cell = block_cell(block, run=run.folder.name, candidate=candidate.id)
        cell.id = cell_id(run, candidate.id, name)
        before = executed.get(name)
        if before is not None:
            cell.outputs = before.outputs
            cell.execution_count = before.execution_count
        cells.append(cell)
    return cells


def executed_cells(run: Run, candidate: Candidate) -> dict[str, NotebookNode]:
    """A candidate's blocks as they were executed on fold 1, without what would weigh too much.

    A block that was rewritten after that execution has none.
    """
    if not candidate.is_scored:
        return {}
    found = {}
    for name, cell in _executed(run, candidate).items():
        known = name in candidate.solution.names
        if known and cell.source.strip() == candidate.solution.source(name).strip():
            cell.outputs = [_light(output) for output in cell.outputs]
            found[name] = cell
    return found


def candidate_heading(run: Run, candidate: Candidate, parent: Candidate | None) -> str:
    """A candidate in words: stage, id, title, score, gain, seconds, status, plan."""
    block = f" {code(candidate.block)}" if candidate.block else ""
    title = escape(candidate.solution.title or "without a title", 120)
    facts = [f"**{score_words(run, candidate)}**"]
    if parent is not None and (gain := gain_over(candidate, parent)) is not None:
        facts.append(f"gain {signed(gain)} over {parent.id}")
    facts.append(format_seconds(candidate.seconds))
    facts.append(candidate.status.replace("_", " "))
    if candidate.debug_rounds:
        rounds = "round" if candidate.debug_rounds == 1 else "rounds"
        facts.append(f"{candidate.debug_rounds} debug {rounds}")
    parts = [f"### {candidate.id} · {candidate.stage}{block} · {title}", " · ".join(facts)]
    if candidate.reason:
        parts.append(f"Reason: {escape(candidate.reason)}")
    if candidate.plan and candidate.plan not in candidate.solution.title:
        parts.append(quote(candidate.plan))
    return "\n\n".join(parts)


def verdict_words(run: Run, event: Event) -> str | None:
    """What an event says about a candidate that was judged before; None for other events."""
    data = event.data
    match event.kind:
        case "incumbent_changed":
            best = ", **the best so far**" if data["best"] else ""
            return f"✔ accepted{in_branch(run, data)}{best}: {escape(data['reason'])}"
        case "plan_lost":
            return f"✘ rejected{in_branch(run, data)}: {escape(data['reason'])}"
        case "undone":
            best = f"; {escape(data['to'])} is the best again" if data["to"] else ""
            return f"↶ taken back by the user{best}"
        case _:
            return None


def in_branch(run: Run, data: Mapping[str, Any]) -> str:
    """Which branch it was in, counted from 1; nothing to say when there is only one."""
    branch = data.get("branch")
    if branch is None or (branch >= 0 and run.settings.solutions == 1):
        return ""
    return " among the ensembles" if branch < 0 else f" in branch {branch + 1}"


def score_words(run: Run, candidate: Candidate) -> str:
    """``rmse 54.12 ± 0.8``, or that there is no score."""
    if candidate.score is None:
        return "no score"
    return f"{escape(run.task.metric.name)} {candidate.score}"


def gain_over(candidate: Candidate, other: Candidate | None) -> float | None:
    """How much better a candidate is than another; None unless both have a score."""
    if candidate.score is None or other is None or other.score is None:
        return None
    return candidate.score.gain_over(other.score)


def study_words(run: Run, study: Mapping[str, Any]) -> str:
    """An ablation study: the measured table, the largest gain first, then the summary."""
    results = sorted(study["results"], key=_by_gain)
    metric = escape(run.task.metric.name)
    rows = [
        [
            code(result["block"]),
            escape(result["change"]),
            "failed" if result["score"] is None else format_number(result["score"]),
            signed(result["gain"]),
            format_seconds(result["seconds"]),
            result["candidate"],
        ]
        for result in results
    ]
    headers = [
        "block",
        "ablation",
        f">{metric}",
        ">gain of the block as it is",
        ">time",
        "candidate",
    ]
    parts = [table(headers, rows) if rows else "No variant could be measured."]
    if str(study.get("summary", "")).strip():
        parts.append(quote(str(study["summary"])))
    return "\n\n".join(parts)


def cards_words(cards: Sequence[Mapping[str, Any]]) -> str:
    """The model cards that were retrieved, as a table."""
    rows = [
        [f"**{escape(card['name'])}**", escape(card["reason"]), card_links(card)] for card in cards
    ]
    return table(["model", "why", "source"], rows)


def card_links(card: Mapping[str, Any]) -> str:
    """The pages of a model card as links, its source first."""
    pages = {str(url): str(title) for url, title in card.get("pages") or ()}
    source = str(card.get("source") or "")
    known = {source: pages.pop(source, "")} if source else {}
    return ", ".join(link(url, title) for url, title in {**known, **pages}.items())


def _by_gain(result: Mapping[str, Any]) -> float:
    return float("inf") if result["gain"] is None else -result["gain"]


def _executed(run: Run, candidate: Candidate) -> dict[str, NotebookNode]:
    """The executed cells of a candidate's first fold, by block; {} when they cannot be read."""
    label = "all" if run.task.is_self_scored else "fold-1"
    try:
        path = run.candidate_folder(candidate.id) / f"{label}.ipynb"
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return {}
    found = {}
    for cell in notebook.cells:
        block = cell.metadata.get("mlestar", {}).get("block")
        if cell.cell_type == "code" and block:
            found[block] = cell
    return found


def _light(output: NotebookNode) -> NotebookNode:
    """An output without what would weigh a notebook down."""
    light = NotebookNode(output)
    if light.output_type == "stream" and len(light.text) > PRINTED_AT_MOST:
        light.text = "…\n" + light.text[-PRINTED_AT_MOST:]
    if "data" in light:
        kept = {
            kind: value
            for kind, value in light.data.items()
            if kind != _WIDGET and len(str(value)) <= OUTPUT_AT_MOST
        }
        light.data = NotebookNode(kept or {"text/plain": "(output left out: too large)"})
    return light


def plan_words(candidate: Candidate, most: int = 160) -> str:
    """What a candidate is about, in one line: its plan, or else its title."""
    return one_line(candidate.plan or candidate.solution.title or candidate.stage, most)


def part_cell(text: str, part: str) -> NotebookNode:
    """A Markdown cell of a finished notebook, named by the part that it is."""
    return markdown_cell(text, part, part=part)


def plain_cell(source: str, part: str, *, is_hidden: bool = False) -> NotebookNode:
    """A code cell of a finished notebook that is no block of the solution."""
    cell: NotebookNode = new_code_cell(source)
    cell.id = part
    cell.metadata["mlestar"] = {"part": part}
    if is_hidden:
        cell.metadata["jupyter"] = {"source_hidden": True}
        cell.metadata["tags"] = ["hide-input"]
    return cell
