"""What works on this machine: versions, a real kernel, room to work, isolation."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from mlestar_jupyter.agents.llm.gemini import GET_A_KEY, Gemini, uses_vertex
from mlestar_jupyter.agents.llm.keys import find_key, scrub
from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.execution import warm
from mlestar_jupyter.execution.confinement import Confinement, isolation
from mlestar_jupyter.execution.servers import ForkServer, WarmError
from mlestar_jupyter.executors import make_executor
from mlestar_jupyter.interfaces import Limits
from mlestar_jupyter.settings import Settings

_NEEDED = ("ipykernel", "papermill", "nbformat", "pandas", "scikit-learn", "skrub", "lightgbm")
_OPTIONAL = (
    ("xgboost-cpu", "pip install 'mlestar-jupyter[boost]'"),
    ("catboost", "pip install 'mlestar-jupyter[boost]'"),
    ("jupyterlab", "pip install 'mlestar-jupyter[lab]'"),
    ("openpyxl", "pip install 'mlestar-jupyter[excel]'"),
    ("google-genai", "pip install google-genai"),
    ("openai", "pip install 'mlestar-jupyter[openai]'"),
    ("distributed", "for --dask: pip install 'mlestar-jupyter[dask]'"),
    ("keyring", "pip install 'mlestar-jupyter[keyring]'"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; ``works`` is False only when a run cannot do without it."""

    what: str
    found: str
    works: bool = True

    @property
    def mark(self) -> str:
        """For a table."""
        return "ok" if self.works else "NO"


def examine() -> list[Check]:
    """Look at everything that a run needs. Starts one kernel."""
    checks = [Check("python", f"{platform.python_version()} ({sys.executable})")]
    for name in _NEEDED:
        version = _version(name)
        checks.append(Check(name, version or f"missing: pip install {name}", bool(version)))
    for name, mend in _OPTIONAL:
        checks.append(Check(name, _version(name) or f"not installed (optional): {mend}"))
    checks += [_gemini(), _openai()]
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    checks.append(Check("cores", str(os.cpu_count())))
    checks.append(Check("disk", f"{free:.1f} GB free here", free > 0.5))
    writable = os.access(Path.cwd(), os.W_OK)
    checks.append(Check("this folder", "writable" if writable else "not writable", writable))
    checks += [_kernel(), _warm_kernels(), _isolation()]
    return checks


def _gemini() -> Check:
    """Whether Gemini could be asked, and with which model; the key itself is never shown."""
    model = f"; {Gemini.default_model} is asked unless --model says otherwise"
    if uses_vertex():
        project = os.environ.get("GOOGLE_CLOUD_PROJECT")
        where = f"of project {project}" if project else "but GOOGLE_CLOUD_PROJECT is not set"
        return Check("Gemini", f"by Vertex AI, {where}{model if project else ''}")
    found = find_key("gemini")
    if found is None:
        return Check("Gemini", f"no key (optional): set GEMINI_API_KEY; {GET_A_KEY}")
    return Check("Gemini", f"key found in {_place(found[1])}{model}")


def _openai() -> Check:
    """Whether a server that speaks OpenAI's protocol could be asked."""
    found, address = find_key("openai"), os.environ.get("OPENAI_BASE_URL")
    parts = [f"key found in {_place(found[1])}"] if found else []
    parts += [f"server {scrub(address)}"] if address else []
    if not parts:
        return Check("OpenAI", "no key (optional): set OPENAI_API_KEY; local servers need none")
    return Check("OpenAI", f"{', '.join(parts)}; name a model with --model")


def _place(where: str) -> str:
    return "the keyring" if where == "keyring" else where


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _kernel() -> Check:
    """Execute a notebook as a run would."""
    outcome, _ = _execute("import lightgbm, sklearn\nprint(6 * 7)")
    if outcome.status == "ok":
        return Check("kernel", f"executed a notebook in {outcome.seconds:.1f} s")
    return Check("kernel", f"{outcome.status}: {outcome.failure or 'no answer'}", False)


# What a candidate should not be able to do; each line that works is printed.
_ATTEMPTS = """
import os, socket
attempts = {{
    "read your files": lambda: open({file!r}).read(),
    "write your files": lambda: open({file!r}, "a").close(),
    "use the network": lambda: socket.create_connection(("127.0.0.1", {port}), 5).close(),
    "signal your processes": lambda: os.kill({pid}, 0),
    "see their environment": lambda: open("/proc/{pid}/environ").read(),
}}
for name, attempt in attempts.items():
    try:
        attempt()
        print(name)
    except OSError:
        pass
"""


def _warm_kernels() -> Check:
    """How kernels are made ready beforehand, if they can be."""
    try:
        with_imports = warm.shared.server(Confinement.for_jobs(1).common(1))
    except (WarmError, OSError) as error:
        return Check("warm kernels", f"none, each is started from nothing: {error}")
    if isinstance(with_imports, ForkServer):
        return Check("warm kernels", "forked from a server; first cells are reused")
    return Check("warm kernels", "processes wait with their imports done; no cells are reused")


def _isolation() -> Check:
    """Let a candidate try to break out, and tell what it could do."""
    with (
        tempfile.NamedTemporaryFile(prefix="mlestar-doctor-") as file,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        port = server.getsockname()[1]
        outcome, printed = _execute(_ATTEMPTS.format(file=file.name, port=port, pid=os.getpid()))
    if outcome.status != "ok":
        return Check("isolation", "not known: no notebook was executed")
    could = ", ".join(printed.split("\n")[:-1])
    tried = f"a candidate could {could}" if could else "a candidate tried to break out, in vain"
    return Check("isolation", f"{tried} ({isolation(Settings().sandbox).words})")


def _execute(source: str) -> tuple[Outcome, str]:
    """Execute a cell in a kernel as a run would: the outcome and what was printed."""
    executor = make_executor(Settings(jobs=1))
    try:
        with tempfile.TemporaryDirectory(prefix="mlestar-doctor-") as folder:
            notebook = new_notebook(cells=[new_code_cell(source)])
            outcome = executor.run_notebook(notebook, Limits(60.0), Path(folder), "check")
            executed = nbformat.read(Path(folder, "check.ipynb"), as_version=4)
    finally:
        executor.close()
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    return outcome, "".join(output.get("text", "") for output in outputs)
