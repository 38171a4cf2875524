"""Plain Python: run a script in a working folder, in a process of its own and under limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import launch
from mlestar_jupyter.execution.confinement import Confinement
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.limits import MARK, ProcessTree, Watchdog
from mlestar_jupyter.execution.memory import Watcher
from mlestar_jupyter.execution.outputs import plain
from mlestar_jupyter.interfaces import Limits


@dataclass(frozen=True)
class Ran:
    """What a script printed, and why it failed, in one line; "" when it did not."""

    printed: str
    problem: str = ""


def run_python(
    folder: WorkingFolder,
    arguments: Sequence[str],
    limits: Limits,
    confinement: Confinement,
    read: Sequence[Path] = (),
) -> Ran:
    """Run this interpreter in ``folder.work``; nothing that it started is left behind.

    ``read`` are folders and files that the script reads where they lie. What it does wrong is
    told in the result. ExecutionError when it cannot be started.
    """
    confinement = confinement.within(limits)
    tree = ProcessTree()
    watchdog = Watchdog(tree.fell)
    watcher = Watcher(tree, watchdog, confinement.memory)
    environment = dict(confinement.environment(folder, limits.threads))
    # The backend of notebooks shows nothing outside of one, and may not be installed.
    environment |= {MARK: tree.mark, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    log = folder.scratch / "script.log"
    try:
        command = launch.command(
            folder.scratch, confinement.enclosure(folder, read), list(arguments)
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder.work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
    except OSError as error:
        raise ExecutionError(
            f"cannot start {sys.executable}: {error.strerror or error}; free memory and disk"
        ) from error
    try:
        tree.plant(process.pid)
        watchdog.start(limits.seconds)
        watcher.start()
        code = process.wait()
    finally:
        reason = watchdog.release()
        watcher.stop()
        tree.kill()
    printed = plain(log.read_bytes().decode(errors="replace"))
    if watchdog.words:
        return Ran(printed, watchdog.words)
    if reason is not None:
        return Ran(printed, f"it was not done within {limits.seconds:.0f} s")
    if code:
        last = printed.strip().splitlines()[-1:] or [f"exit code {code}"]
        return Ran(printed, last[0][:300])
    return Ran(printed)
