"""The solution block by block: why each block is as it is, then its code."""

from __future__ import annotations

import re

from nbformat import NotebookNode

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.notebook.cells import gain_over, part_cell, plan_words
from mlestar_jupyter.notebook.markdown import code, escape, signed
from mlestar_jupyter.run import Run
from mlestar_jupyter.solution import Block, Solution, block_cell

_MARKER = re.compile(r"^# %% (\w+)\n")


def solution_cells(run: Run, candidate: Candidate, solution: Solution) -> list[NotebookNode]:
    """Each block as a code cell that begins with ``# %% NAME``, below a heading that says why."""
    words = (
        f"Candidate {candidate.id}, fitted here on all rows. The first line of each cell names "
        "its block: the validation below collects the blocks by it."
    )
    cells = [part_cell(f"## The solution, block by block\n\n{words}", "solution")]
    told: set[str] = set()
    for number, block in enumerate(solution.blocks, start=1):
        why = block_reasons(run, candidate, block, told)
        heading = f"### {code(block.name)}"
        cells.append(part_cell("\n\n".join([heading, *why]), f"why-{number}"))
        cell = block_cell(block)
        cell.id = f"block-{number}"
        cell.source = marked(block)
        cells.append(cell)
    return cells


def marked(block: Block) -> str:
    """The block's source below its marker. A cell magic must be first, so it becomes a call."""
    source = block.source
    if source.startswith("%%"):
        first, _, body = source.partition("\n")
        magic, _, line = first.removeprefix("%%").partition(" ")
        source = f"get_ipython().run_cell_magic({magic!r}, {line.strip()!r}, {body!r})"
    return f"# %% {block.name}\n{source}"


def solution_of(notebook: NotebookNode) -> Solution:
    """The solution that a finished notebook carries. ReplyError when there is none."""
    blocks = [
        Block(name, _MARKER.sub("", cell.source))
        for cell in notebook.cells
        if cell.cell_type == "code" and (name := cell.metadata.get("mlestar", {}).get("block"))
    ]
    return Solution(tuple(blocks), notebook.metadata.get("mlestar", {}).get("title", ""))


def block_reasons(run: Run, candidate: Candidate, block: Block, told: set[str]) -> list[str]:
    """Why a block is as it is. ``told`` are the candidates whose plan was told above."""
    origin = _origin(run, candidate, block)
    if origin is None:
        return ["Changed for the last fit, on all rows."]
    reasons = []
    if origin.id not in told:
        told.add(origin.id)
        parent = run.state.candidates.get(origin.parents[0]) if origin.parents else None
        gain = gain_over(origin, parent)
        over = "" if gain is None or parent is None else f" (gain {signed(gain)} over {parent.id})"
        plan = escape(plan_words(origin, 400))
        reasons.append(f"From {origin.id}, {origin.stage}: {plan}{over}")
    worth = _largest_worth(run, block)
    if worth is not None:
        change, gain = worth
        metric = escape(run.task.metric.name)
        reasons.append(
            f"Measured: gain {signed(gain)} in {metric} over the ablation “{escape(change)}”."
        )
    return reasons


def _origin(run: Run, candidate: Candidate, block: Block) -> Candidate | None:
    """The candidate that brought this block in as it is; None when not even this one has it."""
    found = None
    looked_at: Candidate | None = candidate
    while looked_at is not None and block in looked_at.solution.blocks:
        found = looked_at
        parents = looked_at.parents
        looked_at = run.state.candidates.get(parents[0]) if parents else None
    return found


def _largest_worth(run: Run, block: Block) -> tuple[str, float] | None:
    """The ablation of exactly this block with the largest gain: (what was changed, gain)."""
    found: tuple[str, float] | None = None
    for study in run.state.studies:
        studied = run.state.candidates.get(study["candidate"])
        if studied is None or block not in studied.solution.blocks:
            continue
        for result in study["results"]:
            gain = result["gain"]
            if result["block"] != block.name or gain is None:
                continue
            if found is None or abs(gain) > abs(found[1]):
                found = result["change"], float(gain)
    return found
