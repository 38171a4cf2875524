"""A process that has imported what candidates import, and becomes a kernel when it is told to.

It is either forked from a server (``fork_server``) or waits for its one order (``main``). What is
imported here is imported by every kernel: nothing but the standard library.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlestar_jupyter.execution import launch
from mlestar_jupyter.execution.enclosure import Enclosure, enclose
from mlestar_jupyter.execution.inside import adapt_ipykernel
from mlestar_jupyter.execution.system import adopt_orphans

#: What candidates are likely to import, and what ipykernel imports when it starts.
MODULES = (
    *("numpy", "pandas", "pyarrow", "scipy.sparse", "scipy.stats", "joblib", "skrub"),
    *("sklearn.calibration", "sklearn.cluster", "sklearn.compose", "sklearn.decomposition"),
    *("sklearn.ensemble", "sklearn.feature_extraction.text", "sklearn.feature_selection"),
    *("sklearn.impute", "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection"),
    *("sklearn.naive_bayes", "sklearn.neighbors", "sklearn.neural_network", "sklearn.pipeline"),
    *("sklearn.preprocessing", "sklearn.svm", "lightgbm", "xgboost", "catboost"),
    "matplotlib.pyplot",
    *("ipykernel.kernelapp", "ipykernel.zmqshell", "ipykernel.debugger", "IPython.core.magics"),
    *("IPython.extensions.storemagic", "jedi", "sqlite3", "zmq.asyncio", "faulthandler"),
)


def preload(modules: Iterable[str] = MODULES) -> None:
    """Import these, as far as they are there. They compute nothing, so they start no threads."""
    for name in modules:
        # A broken package is the affair of the candidate that imports it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def settle(order: dict[str, Any], log: int) -> None:
    """Take the environment, the folder and the log of the order, and nothing of who was here."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(OSError):  # it leads a session already
            os.setsid()
    for number in (getattr(signal, name, None) for name in ("SIGCHLD", "SIGTERM", "SIGPIPE")):
        if number is not None:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDWR)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["work"])
    tempfile.tempdir = None
    _give_blas_its_threads()
    adopt_orphans(True)
    if order["enclosure"] is not None:
        enclosure = Enclosure.from_json(order["enclosure"])
        launch.tell(Path(order["scratch"]), enclose(enclosure))
        if enclosure.walls:
            adapt_ipykernel()


def _give_blas_its_threads() -> None:
    """OpenBLAS was loaded with one thread, for a server with more of them could not be forked."""
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "")
    threadpoolctl = sys.modules.get("threadpoolctl")
    if threadpoolctl is not None and threads.isdigit() and int(threads) > 1:
        threadpoolctl.threadpool_limits(int(threads), user_api="blas")


def draw_new_randomness() -> None:
    """Two kernels that do not seed must not draw the same numbers."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def become_kernel(arguments: list[str], go_on: Callable[[Any], None] | None = None) -> None:
    """Be an IPython kernel with these arguments, until it ends. Never returns.

    ``go_on`` is called with the initialised application, before the first cell.
    """
    code = 1
    try:
        import ipykernel_launcher
        from ipykernel.kernelapp import IPKernelApp
        from ipykernel.zmqshell import ZMQInteractiveShell

        sys.argv = [ipykernel_launcher.__file__, *arguments]
        app: Any = IPKernelApp.instance()
        if ZMQInteractiveShell.initialized():  # it has executed cells before
            app.user_ns = ZMQInteractiveShell.instance().user_ns
        app.parent_handle = 1  # we end with our parent without a thread that looks for it
        app.initialize(arguments)
        if go_on is not None:
            go_on(app)
        app.start()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        for stream in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                stream.flush()  # type: ignore[union-attr]
        # Not as Python ends: objects of the server's, such as its sockets, are none of ours.
        os._exit(code)


def main() -> None:
    """Get ready, wait for one order on stdin, and become that kernel."""
    preload()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    settle(order, log)
    become_kernel(order["arguments"])
