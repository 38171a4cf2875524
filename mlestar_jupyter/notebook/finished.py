"""The finished notebook: task, data, search, findings, solution, validation, submission, sources.

It is what a data scientist hands on. It runs in a plain kernel without this package, gives the
same score and the same submission, and shows the score again after any of its cells was edited.
"""

from __future__ import annotations

import copy
import re
from typing import Literal

from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from mlestar_jupyter._version import __version__
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.notebook.cells import part_cell, plain_cell, score_words
from mlestar_jupyter.notebook.charts import validation_chart
from mlestar_jupyter.notebook.markdown import escape, signed, table, without_headings
from mlestar_jupyter.notebook.plain_data import TaskData
from mlestar_jupyter.notebook.plain_validation import (
    execution_code,
    grading_code,
    metric_code,
    scoring_code,
    staging_code,
)
from mlestar_jupyter.notebook.python_source import assignment, fold_code, literal, look_code
from mlestar_jupyter.notebook.search_story import matters_cells, search_cells
from mlestar_jupyter.notebook.solution_story import solution_cells
from mlestar_jupyter.notebook.sources import sources_words
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number
from mlestar_jupyter.settings import NOT_ISOLATED
from mlestar_jupyter.solution import Solution, notebook_metadata

Verdict = Literal["reproduced", "differs", "not verified"]
_STAMP = re.compile(r"^\*\*(✔ Reproduced|✘ Differs|Not verified)\*\*: .*$", re.MULTILINE)
_WORDS = {"reproduced": "✔ Reproduced", "differs": "✘ Differs", "not verified": "Not verified"}


def build_finished(
    run: Run, candidate: Candidate, solution: Solution | None = None
) -> NotebookNode:
    """The notebook that is handed on; ``solution`` is the candidate's as it was fitted last."""
    solution = solution or candidate.solution
    data = TaskData(run)
    cells = [
        part_cell(_headline(run, candidate), "headline"),
        part_cell(_task(run), "task"),
        *_data_cells(run, data),
        *search_cells(run, candidate),
        *matters_cells(run),
        *solution_cells(run, candidate, solution),
        *_validation_cells(run, data),
        *_submission_cells(data),
        part_cell(sources_words(run, solution), "sources"),
    ]
    notebook: NotebookNode = new_notebook(cells=cells, metadata=notebook_metadata())
    notebook.metadata["mlestar"] = {
        "run": run.folder.name,
        "candidate": candidate.id,
        "title": solution.title,
        "version": __version__,
        "finished": True,
    }
    return stamp(notebook, "not verified", "it was not executed since it was written")


def stamp(notebook: NotebookNode, verdict: Verdict, detail: str) -> NotebookNode:
    """A copy whose headline says whether an execution in a fresh kernel gave the same."""
    stamped = copy.deepcopy(notebook)
    line = f"**{_WORDS[verdict]}**: {escape(detail)}"
    for cell in stamped.cells:
        cell.metadata.pop("papermill", None)
        if cell.metadata.get("mlestar", {}).get("part") == "headline":
            if _STAMP.search(cell.source):
                cell.source = _STAMP.sub(lambda _: line, cell.source)
            else:
                cell.source += f"\n\n{line}"
    stamped.metadata.pop("papermill", None)
    ours = stamped.metadata.setdefault("mlestar", {})
    ours.pop("status", None)
    ours.update(reproduced=verdict, detail=detail)
    return stamped


def _headline(run: Run, candidate: Candidate) -> str:
    task, validation = run.task, run.validation
    title = escape(candidate.solution.title or f"candidate {candidate.id}", 120)
    facts = [
        f"**{score_words(run, candidate)}** ({task.metric.direction})",
        f"validation: {escape(validation.describe())}",
        f"candidate {candidate.id} of run {escape(run.folder.name)}",
    ]
    return "\n\n".join(
        [
            f"# {escape(task.name)}: {title}",
            " · ".join(facts),
            "\n".join(f"- {line}" for line in trust_lines(run, candidate)),
            "**Not verified**: ",
        ]
    )


def trust_lines(run: Run, candidate: Candidate) -> list[str]:
    """What a reader may rely on, and what not, as lines of Markdown."""
    lines = []
    if run.task.is_self_scored:
        lines.append("The score is what the solution itself printed: nothing else measured it.")
    else:
        lines.append(
            "The score was measured from outside, on rows whose answers the solution was not given."
        )
        judged = sum(1 for other in run.scored if other.stage != "ablate")
        if judged > 1:
            lines.append(
                f"It is the choice among {judged} scored candidates: expect new data to be a "
                "little harder."
            )
    unsealed = run.state.unsealed
    if unsealed is not None and unsealed["id"] == candidate.id:
        value, optimism = format_number(unsealed["value"]), signed(unsealed["optimism"])
        lines.append(
            f"On {unsealed['rows']:,} sealed rows, used once and for no choice, it gave "
            f"**{value}**: validation had looked better by {optimism}."
        )
    elif run.validation.has_sealed:
        lines.append("Some rows are sealed: no choice and no fit used them, here neither.")
    is_isolated, words = run.isolation
    if is_isolated:
        lines.append(
            "Isolated: candidates could read only what was put into their own folder, write only "
            "there, and had no network."
        )
    elif not words.startswith(NOT_ISOLATED):
        lines.append(f"Not fully isolated from the user's files and network ({escape(words)}).")
    else:
        lines.append(
            "Not isolated: candidates ran with the user's rights. They were given no answers of "
            "held-out rows, but nothing enclosed them."
        )
    return lines


def _task(run: Run) -> str:
    rows = [[escape(word), escape(value, 500)] for word, value in run.task.describe()]
    rows.append(["validation", escape(run.validation.describe())])
    understood = table(["what was understood", ""], rows)
    told = without_headings(run.task.description)
    return "\n\n".join(["## The task", *([told] if told else []), understood])


def _data_cells(run: Run, data: TaskData) -> list[NotebookNode]:
    cells = [part_cell("## The data", "data"), plain_cell(folder_code(data), "folder")]
    preparation = data.preparation()
    if preparation:
        if data.leaves_rows_out:
            cells.append(plain_cell(fold_code(run.validation), "folds", is_hidden=True))
        cells.append(plain_cell(preparation, "prepare"))
    cells.append(parameters_cell(data))
    if data.train is None:
        return cells
    lines = [
        "import pandas as pd",
        "",
        f"train = {look_code(data.staged['train_path'], 'train_path')}",
    ]
    if data.test is not None:
        lines.append(f"test = {look_code(data.staged['test_path'], 'test_path')}")
        sizes = "{len(train):,} rows to learn from, {len(test):,} to predict"
    else:
        sizes = "{len(train):,} rows to learn from"
    lines += [f'print(f"{sizes}, {{train.shape[1]}} columns")', "train.head()"]
    return [*cells, plain_cell("\n".join(lines), "look")]


def folder_code(data: TaskData) -> str:
    """Source of ``task_folder``. A notebook that is moved with its data finds them beside it."""
    return f"""\
from pathlib import Path

task_folder = {literal(str(data.folder))}  # change this when you move the data
if not {data.is_there}:
    task_folder = "."  # they were moved, so they should lie beside this notebook"""


def parameters_cell(data: TaskData) -> NotebookNode:
    """The cell tagged ``parameters``: what the blocks of the solution rely on."""
    notes = {
        "train_path": "rows with the target",
        "test_path": "rows to predict",
        "sample_path": "the form to fill for the rows of test_path",
        "data_dir": "the other files of the task",
        "predictions_path": "what the solution writes",
        "model_path": "what was fitted, if the solution keeps it",
    }
    lines = [
        f"{name} = {source}" + (f"  # {notes[name]}" if name in notes else "")
        for name, source in data.parameters().items()
    ]
    cell = plain_cell("\n".join(lines), "parameters")
    cell.metadata["tags"] = ["parameters"]
    return cell


def _validation_cells(run: Run, data: TaskData) -> list[NotebookNode]:
    if run.task.is_self_scored:
        words = "There are no rows to grade: the score is what the solution printed above."
        return [part_cell(f"## Validation\n\n{words}", "validation")]
    words = (
        f"How candidates were judged: {escape(run.validation.describe())}. Each fold is a folder "
        "with the rows to learn from and the held-out rows without their answers; the cells of "
        "the solution above run there in a process of their own, and what they predict is graded "
        "here. Edit a cell of the solution, keep its first line, execute it and then the cell "
        "that prints the score: that is the score of what you changed."
    )
    cells = [part_cell(f"## Validation\n\n{words}", "validation")]
    cells.append(part_cell("### How a fold is staged, executed and graded", "machinery"))
    if not data.leaves_rows_out:
        cells.append(plain_cell(fold_code(run.validation), "folds", is_hidden=True))
    cells += [
        plain_cell(metric_code(run.task.metric), "metric"),
        plain_cell(staging_code(data), "staging"),
        plain_cell(execution_code(data), "execution"),
        plain_cell(grading_code(run.task), "grading"),
        part_cell("### The score", "the-score"),
        plain_cell(scoring_code(run.task), "score"),
    ]
    chart = validation_chart(run.task)
    return cells if chart is None else [*cells, plain_cell(chart, "validation-chart")]


def _submission_cells(data: TaskData) -> list[NotebookNode]:
    if data.test is None:
        return []
    is_number = data.task.metric.needs in ("value", "probability")
    text = "" if is_number else ", dtype=str, keep_default_na=False"
    check = (
        "np.isfinite(predicted.to_numpy(dtype=float)).all()"
        if is_number
        else '(predicted != "").to_numpy().all()'
    )
    source = f"""\
{assignment("predicted_columns", list(data.task.target_columns))}
submission = pd.read_csv("submission.csv"{text})
form = pd.read_csv(sample_path)
assert list(submission.columns) == list(form.columns), "the columns are not those of the form"
assert len(submission) == len(form), "the number of rows is not that of the form"
predicted = submission[predicted_columns]
assert {check}, "some predictions are missing"

print(f"submission.csv: {{len(submission):,}} rows, all of them predicted")
submission.head()"""
    words = "What the solution wrote for the rows to predict, fitted on all rows."
    return [
        part_cell(f"## Submission\n\n{words}", "submission"),
        plain_cell(source, "submission-check"),
    ]
