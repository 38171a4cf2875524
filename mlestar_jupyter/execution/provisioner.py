"""Warm kernels for everybody: a provisioner that any kernel spec can name.

    "metadata": {"kernel_provisioner": {"provisioner_name": "mlestar-warm"}}

in a spec of ipykernel for this interpreter gives its kernels to JupyterLab, nbclient and papermill.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from mlestar_jupyter.execution.process import Order, Process
from mlestar_jupyter.execution.servers import WarmError, start_kernel
from mlestar_jupyter.execution.warm import shared

_LAUNCHER = "ipykernel_launcher"


class WarmProvisioner(LocalProvisioner):
    """Starts ipykernel in a process that has done its imports; all else as if it were new."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Start the kernel of this command warm; as ever, where that cannot be."""
        arguments = _arguments(cmd)
        process = None
        if arguments is not None:
            environment = dict(options.get("env") or os.environ)
            work = str(options.get("cwd") or os.getcwd())
            process = _start(arguments, environment, work)
        if process is None:
            return await super().launch_kernel(cmd, **options)
        self.process = process  # type: ignore[assignment]
        self.pid = self.pgid = process.pid  # it leads a group of its own
        self.cwd = options.get("cwd")
        return self.connection_info


def _arguments(command: list[str]) -> list[str] | None:
    """What ipykernel is told by a command that starts it with this interpreter, else None."""
    if len(command) < 3 or command[1:3] != ["-m", _LAUNCHER]:
        return None
    is_ours = os.path.realpath(command[0]) == os.path.realpath(sys.executable)
    return command[3:] if is_ours else None


def _start(arguments: list[str], environment: dict[str, str], work: str) -> Process | None:
    # Where a notebook lies has nothing to do with what is imported.
    common = {name: value for name, value in environment.items() if not name.startswith("JPY_")}
    order = Order(arguments, Path(work), Path(work), environment)
    try:
        with open(os.devnull, "wb") as log:
            return start_kernel(shared.server(common), order, log)
    except (WarmError, OSError):
        return None
