"""The client that takes a notebook through a kernel, cell by cell, for papermill's sake."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine

from mlestar_jupyter.execution.engine import CellError, Progress
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.kernels import Kernel
from mlestar_jupyter.execution.outputs import OutputLimit
from mlestar_jupyter.execution.prefix import ReusedCell

# nbclient logs through the root otherwise, that is into the user's cell.
_log = logging.getLogger("mlestar_jupyter.execution.nbclient")
_log.addHandler(logging.NullHandler())
_log.propagate = False

# A reply is on its way when the process that sent it has ended.
_LAST_WORDS = 0.3


class ClientEngine(Engine):  # type: ignore[misc]
    """papermill's engine protocol on top of a ``Kernel``."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        kernel: Kernel | None = None,
        progress: Progress | None = None,
        reused: Sequence[ReusedCell] = (),
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        execution_timeout: int | None = None,
        **_: Any,
    ) -> None:
        """Execute the notebook that ``nb_man`` holds. DeadKernelError when the kernel ends."""
        progress = progress or Progress()
        progress.notebook = nb_man.nb
        with contextlib.ExitStack() as stack:
            if kernel is None:
                folder = stack.enter_context(WorkingFolder())
                kernel = Kernel(folder.scratch, Path.cwd(), os.environ)
            client = NotebookClient(
                nb_man,
                kernel,
                progress,
                reused,
                kernel_name=kernel_name,
                log_output=log_output,
                stdout_file=stdout_file,
                stderr_file=stderr_file,
                timeout=execution_timeout,
            )
            _run_in_new_loop(client.run)


class NotebookClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, driven by one loop from the start of the kernel to its end."""

    def __init__(
        self,
        nb_man: Any,
        kernel: Kernel,
        progress: Progress,
        reused: Sequence[ReusedCell] = (),
        **options: Any,
    ) -> None:
        super().__init__(
            nb_man,
            log=_log,
            record_timing=False,
            coalesce_streams=True,
            # The reply says how a cell went; some late output is not worth failing for.
            raise_on_iopub_timeout=False,
            iopub_timeout=10,
            **options,
        )
        self._kernel = kernel
        self._progress = progress
        self._reused = deque(reused)
        self._limit = OutputLimit()

    async def run(self) -> None:
        """Start the kernel, execute the cells, end the kernel."""
        kernel = self._kernel
        try:
            kernel.start()
            cells = asyncio.ensure_future(self._execute_cells())
            ended = asyncio.ensure_future(kernel.ended())
            await asyncio.wait({cells, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not cells.done():
                await asyncio.wait({cells}, timeout=_LAST_WORDS)
            if not cells.done():
                cells.cancel()
                await asyncio.gather(cells, return_exceptions=True)
                self._progress.exit_code = kernel.exit_code
                self._progress.log = kernel.log
                raise DeadKernelError("the kernel ended")
            cells.result()
        finally:
            kernel.close()

    async def _execute_cells(self) -> None:
        self.kc = await self._kernel.connect()
        self._progress.enclosed = self._kernel.enclosed
        self.nb.metadata["language_info"] = self._kernel.language
        for index, cell in enumerate(self.nb.cells):
            self._progress.block = cell.metadata.get("mlestar", {}).get("block", "")
            began = time.monotonic()
            self.nb_man.cell_start(cell, index)
            try:
                if self._reused and cell.cell_type == "code":
                    self._reuse(cell, index, self._reused.popleft())
                    continue
                await self.async_execute_cell(cell, index)
                if cell.cell_type == "code":
                    self._progress.seconds.append(time.monotonic() - began)
            except CellExecutionError as error:
                self._progress.error = _cell_error(cell, error)
                self.nb_man.cell_exception(cell, index)
                break
            except BaseException:
                # Else papermill's metadata would say that this cell was completed.
                self.nb_man.cell_exception(cell, index)
                raise
            finally:
                if cell.cell_type == "code":
                    cell.outputs += self._limit.finish()
                self._progress.cell_seconds += time.monotonic() - began
                self.nb_man.cell_complete(cell, index)
        self.set_widgets_metadata()

    def _reuse(self, cell: Any, index: int, reused: ReusedCell) -> None:
        """Put in what the cell said when it was executed, and say that it was not now."""
        cell.outputs = []
        self.clear_before_next_output = False
        cell.execution_count = reused.count
        for said in reused.said:
            header = {"msg_type": said["type"]}
            message = {"header": header, "msg_type": said["type"], "content": said["content"]}
            self.process_message(message | {"parent_header": {}}, cell, index)
        mark = cell.metadata.setdefault("mlestar", {})
        mark["reused"] = {"seconds": round(reused.seconds, 3)}

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel into the cell, unless the cell has said too much."""
        if not self._limit.admits(msg):
            return None
        return super().process_message(msg, cell, cell_index)


def _cell_error(cell: Any, error: CellExecutionError) -> CellError:
    # nbclient's own text repeats the cell and all that it printed.
    shown = [output for output in cell.outputs if output.output_type == "error"]
    traceback = "\n".join(shown[-1].traceback) if shown else ""
    return CellError(error.ename, error.evalue, traceback)


def _run_in_new_loop(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run to the end; in a thread when this one has a loop already, as in a Jupyter kernel."""

    def run() -> None:
        # zmq needs a loop that can watch sockets, which Windows' default cannot.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(start())

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        run()
        return
    errors: list[BaseException] = []

    def run_and_keep() -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run_and_keep, name="mlestar-papermill", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
