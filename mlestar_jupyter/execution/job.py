"""One execution, from the queue to its outcome: begin, let papermill execute, judge, hand over."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import logging
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution.confinement import Confinement
from mlestar_jupyter.execution.engine import NAME, CellError, MlestarEngine, Progress
from mlestar_jupyter.execution.folder import (
    WorkingFolder,
    copy_file,
    execution_error,
    replace_file,
)
from mlestar_jupyter.execution.judgement import judge, stamp
from mlestar_jupyter.execution.limits import ProcessTree, Watchdog
from mlestar_jupyter.execution.memory import Watcher
from mlestar_jupyter.execution.servers import WarmError
from mlestar_jupyter.execution.starting import Beginning, Starter, Wanted, Way
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Solution

#: The threads in which executions are; what papermill logs in them is nobody's affair.
THREAD = "mlestar-execution"
_KILLED = (-9, -15)  # exit codes of a process that another one ended


class Job:
    """One execution, from the queue to its outcome."""

    def __init__(
        self,
        execution: Execution,
        starter: Starter,
        confinement: Confinement,
        read: Sequence[Path] = (),
    ) -> None:
        self.execution = execution
        self.starter = starter
        self.output = execution.output.absolute()
        self.confinement = confinement.within(execution.limits)
        self.read = read
        self.tree = ProcessTree()
        self.watchdog = Watchdog(self.tree.fell)
        self.watcher = Watcher(self.tree, self.watchdog, self.confinement.memory)
        self.done = threading.Event()
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None

    def result(self) -> Outcome:
        """Wait for the outcome. In short pieces: Ctrl-C does not end a wait on Windows."""
        while not self.done.wait(1.0):
            pass
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        return self.outcome

    def execute(self) -> Outcome:
        """Stage, run, judge, hand over, clear up."""
        _check_installation()
        if self._ways() != ("plain",):  # a server starts once: not on the clock of a candidate
            self.starter.prepare(self.confinement.common(self.execution.limits.threads))
        self._began = time.monotonic()
        self.watchdog.start(self.execution.limits.left)
        self.watcher.start()
        failed = outcome = None
        try:
            for way in self._ways():
                outcome = self._attempt(way)
                if outcome is not None and (not outcome.reused or self._is_good(outcome)):
                    break
                failed = failed or outcome  # from a snapshot: not to be held against the candidate
        finally:
            self.watchdog.release()
            self.watcher.stop()
        assert outcome is not None, "a kernel that is started from nothing gives an outcome"
        if failed is not None and self._is_good(outcome) and self.watchdog.reason is None:
            why = failed.failure or "no predictions were written"
            self.starter.stop_reusing(f"a candidate failed with them and not without ({why})")
        return outcome

    def _ways(self) -> tuple[Way, ...]:
        """How to begin, and what to try when that has failed."""
        return ("warm", "plain") if self.execution.fresh else ("reuse", "warm", "plain")

    def _is_good(self, outcome: Outcome) -> bool:
        """Whether it did what it should, or could not because it was ended from outside."""
        if outcome.status != "ok":
            return self.watchdog.reason is not None
        return outcome.printed is not None or self.execution.predictions.is_file()

    def _attempt(self, way: Way) -> Outcome | None:
        """Execute once. None when a kernel of this kind cannot be had, or was lost."""
        progress, limits = Progress(), self.execution.limits
        self._clear_output()  # also what an attempt before this one has left
        wanted = self._wanted(progress)
        with self.starter.begin(wanted, way) as beginning:
            if self.watchdog.reason is None:
                try:
                    self._run(wanted, beginning, progress)
                except WarmError as error:
                    self.starter.stop_warming(str(error))
                    return None
            reason, words = self.watchdog.reason, self.watchdog.words
            if way != "plain" and reason is None and _is_lost(beginning, progress):
                return None
            self.starter.learn(beginning, progress.seconds)
            seconds = time.monotonic() - self._began
            outcome = judge(progress, reason, words, limit=limits.seconds, seconds=seconds)
            outcome = dataclasses.replace(
                outcome, reused=len(beginning.reused), saved=beginning.saved
            )
            self._hand_over(beginning.folder, progress.notebook, outcome)
            return outcome

    def _wanted(self, progress: Progress) -> Wanted:
        """What is to be executed, for the starter."""
        cells = self._cells()

        def begun(cell: int) -> None:
            progress.block = cells[cell].metadata.get("mlestar", {}).get("block", "")

        threads = self.execution.limits.threads
        return Wanted(
            cells=[cell.source for cell in cells],
            inputs=self.execution.inputs,
            common=self.confinement.common(threads),
            environment=lambda folder: self.confinement.environment(folder, threads),
            enclosure=lambda folder: self.confinement.enclosure(folder, self.read),
            tree=self.tree,
            is_over=lambda: self.watchdog.reason,
            begun=begun,
            least_saved=self.execution.least_saved,
        )

    def _cells(self) -> list[Any]:
        """The cells as papermill will have them executed."""
        from papermill.parameterize import parameterize_notebook

        notebook, parameters = self._notebook(), dict(self.execution.parameters)
        if parameters:
            notebook.metadata["papermill"] = {}
            notebook = parameterize_notebook(
                notebook, parameters, kernel_name="python3", language="python"
            )
        return list(notebook.cells)

    def _run(self, wanted: Wanted, beginning: Beginning, progress: Progress) -> None:
        """Let papermill execute the notebook; what goes wrong in it is told by ``progress``."""
        from nbclient.exceptions import DeadKernelError
        from papermill import PapermillExecutionError, execute_notebook
        from papermill.engines import papermill_engines

        from mlestar_jupyter.execution.kernels import Kernel

        logging.getLogger("papermill").addFilter(_is_not_ours)
        papermill_engines.register(NAME, MlestarEngine)  # also when we run from a source tree
        execution, folder = self.execution, beginning.folder
        environment, enclosure = wanted.environment(folder), wanted.enclosure(folder)
        kernel = Kernel(
            folder.scratch, folder.work, environment, self.tree, enclosure, beginning.start
        )
        try:
            execute_notebook(
                self._notebook(),
                None,  # with a path, papermill would change the folder of our process to write it
                parameters=dict(execution.parameters),
                engine_name=NAME,
                kernel_name="python3",  # the kernel is ours; a notebook need not name one
                language="python",
                progress_bar=False,
                kernel=kernel,
                progress=progress,
                reused=beginning.reused,
            )
        except (PapermillExecutionError, DeadKernelError):
            pass
        except (ExecutionError, WarmError):
            raise
        except Exception as error:
            if progress.block is None:
                raise ExecutionError(
                    f"no notebook can be executed here: {type(error).__name__}: {error}; "
                    "check the installation of papermill and ipykernel"
                ) from error
            # The kernel said something that nobody can read: the notebook's doing, too.
            progress.error = CellError(type(error).__name__, str(error))
        finally:
            kernel.close()
        code = progress.exit_code
        # One that was killed before its first cell is one execution lost, not a broken machine.
        ended_itself = code is not None and code not in _KILLED
        if progress.block is None and ended_itself and not self.watchdog.reason:
            last = progress.log.splitlines()[-1:] or [f"exit code {code}"]
            raise ExecutionError(
                f"the kernel did not start: {last[0]}; try `{sys.executable} -m ipykernel_launcher`"
            )

    def _notebook(self) -> Any:
        """The solution as a notebook, whose parameters cell names all that will be injected."""
        parameters = dict(DEFAULT_PARAMETERS)
        for name, value in self.execution.parameters.items():
            parameters.setdefault(name, value)
        return self.execution.solution.to_notebook(parameters)

    def _written(self) -> tuple[str, str]:
        """The names under which the notebook writes predictions and model."""
        parameters = {**DEFAULT_PARAMETERS, **self.execution.parameters}
        return str(parameters["predictions_path"]), str(parameters["model_path"])

    def _clear_output(self) -> None:
        """Make the output folder, without what an earlier execution of this label left there."""
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            for path in self._results:
                (self.output / path.name).unlink(missing_ok=True)
        except OSError as error:
            raise execution_error("write to", self.output, error) from error

    @property
    def _results(self) -> tuple[Path, Path, Path]:
        execution = self.execution
        return execution.executed, execution.predictions, execution.model

    def _hand_over(self, folder: WorkingFolder, notebook: Any, outcome: Outcome) -> None:
        """Put the executed notebook and what it wrote into the output folder."""
        notebook = self._notebook() if notebook is None else notebook
        stamp(notebook, outcome)
        text = nbformat.v4.writes(notebook)
        executed, predictions, model = (self.output / path.name for path in self._results)
        names = self._written()
        written = {predictions: folder.work / names[0], model: folder.work / names[1]}
        try:
            replace_file(executed, partial(_write, text))
            for target, source in written.items():
                if source.is_file():
                    replace_file(target, partial(copy_file, source))
        except OSError as error:
            raise execution_error("write to", self.output, error) from error


class NotebookJob(Job):
    """One execution of a notebook that is no solution: it says itself where its data lies."""

    def __init__(
        self,
        notebook: nbformat.NotebookNode,
        limits: Limits,
        output: Path,
        label: str,
        starter: Starter,
        confinement: Confinement,
        read: Sequence[Path],
    ) -> None:
        execution = Execution(Solution.from_notebook(notebook), {}, {}, limits, output, label)
        super().__init__(execution, starter, confinement, read)
        self._given = notebook

    def _ways(self) -> tuple[Way, ...]:
        """From nothing: what a user would get."""
        return ("plain",)

    def _notebook(self) -> Any:
        return copy.deepcopy(self._given)

    def _written(self) -> tuple[str, str]:
        return "submission.csv", str(DEFAULT_PARAMETERS["model_path"])


def _is_lost(beginning: Beginning, progress: Progress) -> bool:
    """Whether the kernel died with its server, or was killed before it executed anything."""
    if progress.exit_code is None:
        return False
    return beginning.is_lost or (progress.exit_code in _KILLED and not progress.seconds)


def _check_installation() -> None:
    if not sys.executable or importlib.util.find_spec("ipykernel") is None:
        raise ExecutionError(
            f"ipykernel is missing in {sys.executable or 'this Python'}; "
            "install it with `pip install ipykernel`"
        )
    # papermill takes a second or two to import, once: not on the clock of the first candidate.
    importlib.import_module("mlestar_jupyter.execution.client")


def _is_not_ours(_: logging.LogRecord) -> bool:
    # What papermill logs while it works for us would end up in the user's cell.
    return threading.current_thread().name != THREAD


def _write(text: str, path: Path) -> None:
    # A cell can print half a surrogate pair, which is no text.
    path.write_bytes(text.encode(errors="replace"))
