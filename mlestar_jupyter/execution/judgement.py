"""The outcome of an execution, told from what happened and never from papermill's metadata."""

from __future__ import annotations

import re
import signal
from typing import Any

from mlestar_jupyter.candidate import Failure, Outcome, Status
from mlestar_jupyter.execution.enclosure import Enclosed
from mlestar_jupyter.execution.engine import CellError, Progress
from mlestar_jupyter.execution.limits import Reason
from mlestar_jupyter.execution.outputs import plain, printed_score

_TRACEBACK = 10_000  # characters that are kept of a traceback's end
# papermill puts its own cells around an error, with this tag.
_ERROR_MARKER = "papermill-error-cell-tag"
_SIGKILL = -9
_MEMORY_ERRORS = ("MemoryError", "OutOfMemoryError")


def judge(
    progress: Progress, reason: Reason | None, words: str = "", *, limit: float, seconds: float
) -> Outcome:
    """What the execution gave. ``reason`` is why it was ended from outside, if it was, in words."""
    status, failure = _verdict(progress, reason, words, limit)
    printed = printed_score(progress.notebook) if status == "ok" else None
    return Outcome(status, seconds, progress.cell_seconds, failure, printed)


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


def _verdict(
    progress: Progress, reason: Reason | None, words: str, limit: float
) -> tuple[Status, Failure | None]:
    block, error, code = progress.block or "", progress.error, progress.exit_code
    if reason == "cancelled":
        return "cancelled", None
    if reason == "timed_out":
        where = "" if progress.block is not None else ", before the first cell began"
        return reason, Failure(block, "TimeLimitExceeded", f"not done within {limit:g} s{where}")
    if reason == "out_of_memory":
        return reason, Failure(block, "MemoryLimitExceeded", words)
    if reason == "too_many_processes":
        return "failed", Failure(block, "ProcessLimitExceeded", words)
    if code is not None:
        ran_out = code == _SIGKILL or _speaks_of_memory(progress.log)
        failure = Failure(block, "KernelDied", _death(code), plain(progress.log))
        return "out_of_memory" if ran_out else "failed", failure
    if error is None or (error.name == "SystemExit" and error.message in ("", "0", "None")):
        return "ok", None  # a notebook may leave early on purpose
    ran_out = error.name.endswith(_MEMORY_ERRORS) or _speaks_of_memory(error.message)
    message = plain(error.message) + _hint(error, progress.enclosed)
    failure = Failure(block, error.name, message, plain(error.traceback)[-_TRACEBACK:])
    return "out_of_memory" if ran_out else "failed", failure


def _hint(error: CellError, enclosed: Enclosed) -> str:
    """What a debugger should know of the walls, when a candidate seems to have met one."""
    text = f"{error.name}: {error.message}"
    if enclosed.landlock and re.search(r"Errno (13|30)|Permission denied", text):
        return (
            " (candidates read only the files of their working folder, write only there and in "
            "the temporary folder, and signal only their own processes)"
        )
    if enclosed.network and re.search(r"Errno 1\]|gaierror|name resolution|URLError|HTTP", text):
        return " (candidates have no network and connect to no sockets)"
    return ""


def _speaks_of_memory(text: str) -> bool:
    # What is left of a MemoryError behind C++, in worker processes, and of the system's own kill.
    signs = ("MemoryError", "bad_alloc", "bad allocation", "SIGKILL", "out of memory")
    return any(sign in text for sign in signs)


def _death(code: int) -> str:
    if code == _SIGKILL:
        return "the kernel was killed by SIGKILL, as happens when memory runs out"
    if code < 0:
        try:
            return f"the kernel was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"the kernel was ended by signal {-code}"
    return f"the kernel ended by itself with exit code {code}"
