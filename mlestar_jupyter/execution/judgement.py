"""The outcome of an execution, told from what happened and never from papermill's metadata."""

from __future__ import annotations

import signal
from typing import Any

from mlestar_jupyter.candidate import Failure, Outcome
from mlestar_jupyter.execution.engine import CellError, Progress
from mlestar_jupyter.execution.limits import Reason
from mlestar_jupyter.execution.outputs import plain, printed_score

_TRACEBACK = 10_000  # characters that are kept of a traceback's end
# papermill puts its own cells around an error, with this tag.
_ERROR_MARKER = "papermill-error-cell-tag"
_SIGKILL = -9


def judge(
    progress: Progress, reason: Reason | None, *, limit: float, seconds: float
) -> Outcome:
    """What the execution gave. ``reason`` is why it was ended from outside, if it was."""
    outcome = Outcome("ok", seconds, progress.cell_seconds, printed=None)
    block = _block(progress)
    if reason == "cancelled":
        return _with(outcome, "cancelled", None)
    if reason == "timed_out":
        where = "" if progress.cell is not None else ", before the first cell began"
        message = f"not done within {limit:g} s{where}"
        return _with(outcome, "timed_out", Failure(block, "TimeLimitExceeded", message))
    if progress.exit_code is not None:
        status = "out_of_memory" if _ran_out_of_memory(progress) else "failed"
        failure = Failure(block, "KernelDied", _death(progress.exit_code), plain(progress.log))
        return _with(outcome, status, failure)
    error = progress.error
    if error is not None and not _left_on_purpose(error):
        status = "out_of_memory" if _is_memory_error(error) else "failed"
        traceback = plain(error.traceback)[-_TRACEBACK:]
        return _with(outcome, status, Failure(block, error.name, plain(error.message), traceback))
    return Outcome("ok", seconds, progress.cell_seconds, printed=printed_score(progress.notebook))


def stamp(notebook: Any, outcome: Outcome) -> None:
    """Make the executed notebook say what happened: ours, and papermill's metadata set right."""
    notebook.cells = [
        cell for cell in notebook.cells if _ERROR_MARKER not in cell.metadata.get("tags", [])
    ]
    notebook.metadata.setdefault("mlestar", {})["status"] = outcome.status
    if outcome.failure is not None:
        notebook.metadata["mlestar"]["failure"] = str(outcome.failure)
    papermill = notebook.metadata.get("papermill")
    if papermill is None:
        return
    papermill["exception"] = outcome.status != "ok"
    for name in ("input_path", "output_path"):
        papermill.pop(name, None)  # there was no file: papermill puts the whole notebook here
    for cell in notebook.cells:
        mark = cell.metadata.get("papermill", {})
        if mark.get("status") == "completed" and mark.get("start_time") is None:
            mark["status"] = "pending"
