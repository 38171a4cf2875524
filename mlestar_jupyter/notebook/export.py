"""Export: a solution as a finished notebook or as a script, wherever the user wants it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError, TaskError
from mlestar_jupyter.notebook.cells import score_words
from mlestar_jupyter.notebook.finished import build_finished, parameters_cell
from mlestar_jupyter.notebook.plain_data import TaskData
from mlestar_jupyter.notebook.python_source import fold_code
from mlestar_jupyter.notebook.solution_story import solution_of
from mlestar_jupyter.notebook.writing import write_whole
from mlestar_jupyter.run import Run
from mlestar_jupyter.solution import Block, Solution

SUFFIXES = (".ipynb", ".py")
#: Below the first marker of a script, so that the script can be read as a solution again.
_OURS = "# Written by mlestar-jupyter: "


def export(run: Run, path: Path, candidate: str | None = None) -> Path:
    """Write a candidate (by default the delivered one) to ``path``, by its suffix.

    Gives the path that was written. Raises TaskError, in one line, for another suffix, for a
    folder that is not there, and for a file that is somebody else's.
    """
    path = path.expanduser().absolute()
    if path.suffix not in SUFFIXES:
        raise TaskError(f"cannot export to {path.name}; end it in one of {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise TaskError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise TaskError(f"no folder {path.parent}; make it or choose another")
    if path.exists() and not is_ours(path):
        raise TaskError(f"{path} was not written by mlestar-jupyter; choose another name")
    notebook = _delivered(run) if candidate is None else None
    chosen = _find(run, candidate if notebook is None else notebook.metadata.mlestar.candidate)
    if path.suffix == ".py":
        solution = chosen.solution if notebook is None else solution_of(notebook)
        text = script(run, chosen, solution)
    else:
        text = nbformat.writes(notebook or build_finished(run, chosen)) + "\n"
    try:
        write_whole(path, text)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror}; choose another place") from error
    return path


def script(run: Run, candidate: Candidate, solution: Solution) -> str:
    """A ``# %%`` script that plain Python runs in the folder of the data: parameters first."""
    data = TaskData(run)
    words = f"run {run.folder.name}, candidate {candidate.id}, {score_words(run, candidate)}"
    parts = [
        f'# %% parameters\n{_OURS}{words}.\ntask_folder = "."  # the folder that holds the data',
        *([fold_code(run.validation)] if data.leaves_rows_out else []),
        data.preparation(),
        str(parameters_cell(data).source),
    ]
    blocks = tuple(Block(b.name, _without_magics(b.source)) for b in solution.blocks)
    return "\n\n".join(part for part in parts if part) + "\n\n" + Solution(blocks).to_script()


def is_ours(path: Path) -> bool:
    """Whether an existing file was exported by us, so that it may be written again."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            return any(line.startswith(_OURS) for line in text.splitlines()[:2])
        # Being part of a run is not enough: the user's own notebook may be marked with one.
        return json.loads(text)["metadata"]["mlestar"].get("finished") is True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _delivered(run: Run) -> NotebookNode | None:
    """The finished notebook of the run folder, if there is one that can be read."""
    try:
        notebook: NotebookNode = nbformat.read(run.folder / "finished.ipynb", as_version=4)
        solution_of(notebook)
        known = notebook.metadata.mlestar.candidate in run.state.candidates
    except (OSError, ValueError, AttributeError, MlestarError):
        return None
    return notebook if known else None


def _find(run: Run, candidate: str | None) -> Candidate:
    if candidate is None:
        if run.best is None:
            raise TaskError("no candidate has been scored yet; let the run go on first")
        return run.best
    found = run.state.candidates.get(candidate) or run.state.candidates.get(candidate.zfill(4))
    if found is None:
        known = ", ".join(list(run.state.candidates)[-8:]) or "none yet"
        raise TaskError(f"no candidate {candidate!r}; the last ones are {known}")
    return found


def _without_magics(source: str) -> str:
    """The source with magics as comments, if it has some: plain Python would stop at them."""
    try:
        ast.parse(source)
    except SyntaxError:
        lines = source.split("\n")
        if lines[0].startswith("%%"):
            return "\n".join(f"# {line}" for line in lines)
        return "\n".join(re.sub(r"^(\s*)(?=[%!])", r"\1pass  # ", line) for line in lines)
    return source
