"""Export: what of a run is exported, and a solution as a script that plain Python runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError, TaskError
from mlestar_jupyter.notebook.cells import score_words
from mlestar_jupyter.notebook.export_place import SCRIPT_MARK
from mlestar_jupyter.notebook.finished import build_finished, parameters_cell, stamp
from mlestar_jupyter.notebook.plain_data import TaskData
from mlestar_jupyter.notebook.python_source import fold_code
from mlestar_jupyter.notebook.solution_story import solution_of
from mlestar_jupyter.notebook.sources import sources_words
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.run import Run
from mlestar_jupyter.solution import Block, Solution

#: After one of these events the best candidate may be another one than was delivered.
_NEW_BEST = ("incumbent_changed", "undone")


@dataclass(frozen=True)
class Chosen:
    """What is exported: a candidate, its solution as it was fitted last, its finished notebook.

    ``is_delivered``: the run's submission is what this solution predicts. ``is_proven``: the
    notebook was executed again when it was delivered, gave the same, and is as it was then.
    """

    candidate: Candidate
    solution: Solution
    notebook: NotebookNode
    is_delivered: bool = False
    is_proven: bool = False


def choose(run: Run, candidate: str | None = None) -> Chosen:
    """The candidate of this id; without one, what was delivered, or the best if that is newer.

    Raises TaskError, in one line, when there is no such candidate.
    """
    delivered = _delivered(run)
    found = _find(run, candidate) if candidate is not None else None
    if delivered is not None:
        ours = run.state.candidates[delivered.metadata.mlestar.candidate]
        if (found or (ours if _is_current(run, ours) else run.best)) == ours:
            notebook, is_proven = _proven(run, ours, delivered)
            submission = run.state.submission
            is_delivered = submission is not None and submission["id"] == ours.id
            return Chosen(ours, solution_of(notebook), notebook, is_delivered, is_proven)
    found = found or run.best
    if found is None:
        raise TaskError("no candidate has been scored yet; let the run go on first")
    return Chosen(found, found.solution, build_finished(run, found))


def script(run: Run, candidate: Candidate, solution: Solution) -> str:
    """A ``# %%`` script that plain Python runs in the folder of the data: parameters first."""
    data = TaskData(run)
    words = f"run {run.folder.name}, candidate {candidate.id}, {score_words(run, candidate)}"
    folder = 'task_folder = "."  # the folder that holds the data'
    parts = [
        f"# %% parameters\n{SCRIPT_MARK}{words}.\n{folder}",
        *([fold_code(run.validation)] if data.leaves_rows_out else []),
        data.preparation(),
        str(parameters_cell(data).source),
    ]
    blocks = tuple(Block(b.name, _without_magics(b.source)) for b in solution.blocks)
    return "\n\n".join(part for part in parts if part) + "\n\n" + Solution(blocks).to_script()


def _delivered(run: Run) -> NotebookNode | None:
    """The finished notebook of the run folder, if there is one that can be read."""
    try:
        notebook: NotebookNode = nbformat.read(run.folder / "finished.ipynb", as_version=4)
        solution_of(notebook)
        known = notebook.metadata.mlestar.candidate in run.state.candidates
    except (OSError, ValueError, AttributeError, MlestarError):
        return None
    return notebook if known else None


def _is_current(run: Run, delivered: Candidate) -> bool:
    """Whether no better candidate was found since this one was delivered."""
    if run.best is None or run.best.id == delivered.id:
        return True
    for event in reversed(run.events):
        if event.kind == "finished_notebook_written":
            return bool(event.data["id"] == delivered.id)
        if event.kind in _NEW_BEST:
            return False
    return False


def _proven(run: Run, candidate: Candidate, delivered: NotebookNode) -> tuple[NotebookNode, bool]:
    """The delivered notebook with its sources brought up to date; whether that is as executed."""
    sources = sources_words(run, solution_of(delivered))
    is_same = True
    for cell in delivered.cells:
        if cell.metadata.get("mlestar", {}).get("part") == "sources" and cell.source != sources:
            cell.source, is_same = sources, False
    said = run.state.finished
    if not is_same or said is None or said["verdict"] != "reproduced":
        return delivered, False
    try:
        executed = nbformat.read(run.folder / "final" / "finished.ipynb", as_version=4)
    except (OSError, ValueError):
        return delivered, False
    before = stamp(executed, said["verdict"], said["detail"])
    is_same = said["id"] == candidate.id and nbformat.writes(before) == nbformat.writes(delivered)
    return delivered, is_same


def _find(run: Run, candidate: str) -> Candidate:
    found = run.state.candidates.get(candidate) or run.state.candidates.get(candidate.zfill(4))
    if found is None:
        known = ", ".join(list(run.state.candidates)[-8:]) or "none yet"
        raise TaskError(f"no candidate {candidate!r}; the last ones are {known}")
    return found


def _without_magics(source: str) -> str:
    """The source with magics as comments, if it has some: plain Python would stop at them."""
    try:
        parse_python(source)
    except SyntaxError:
        lines = source.split("\n")
        if lines[0].startswith("%%"):
            return "\n".join(f"# {line}" for line in lines)
        return "\n".join(re.sub(r"^(\s*)(?=[%!])", r"\1pass  # ", line) for line in lines)
    return source
