"""ipykernel inside walls: what it does with TCP or a terminal, it does without them."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Any


def adapt_ipykernel() -> None:
    """Change how kernels of this process work; call it before one is made.

    ipykernel opens a port even with unix sockets, for prints of forked children, and libzmq ends
    the process when TCP is refused to it. What they print goes to their file descriptors instead,
    which ipykernel watches. Shell commands (``!ls``) get a pipe instead of a terminal.
    """
    from ipykernel import iostream, kernelapp
    from ipykernel.zmqshell import ZMQInteractiveShell
    from IPython.core import interactiveshell
    from IPython.utils import _process_common

    class WithoutPipe(iostream.IOPubThread):
        def __init__(self, socket: Any, pipe: bool = False, **options: Any) -> None:
            del pipe
            super().__init__(socket, pipe=False, **options)  # type: ignore[no-untyped-call]

    def speak_plainly() -> None:
        for ours, plain in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)):
            if isinstance(ours, iostream.OutStream) and isinstance(plain, TextIOWrapper):
                plain.reconfigure(line_buffering=True)
                # On the stream itself: loggers and others hold it too.
                vars(ours).update(write=plain.write, flush=plain.flush)

    vars(kernelapp)["IOPubThread"] = WithoutPipe
    ZMQInteractiveShell.system = ZMQInteractiveShell.system_raw
    vars(interactiveshell)["getoutput"] = _process_common.getoutput
    os.register_at_fork(after_in_child=speak_plainly)
