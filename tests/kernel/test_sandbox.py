"""What an enclosed candidate cannot do, and that real libraries work inside."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from mlestar_jupyter import doctor, executors
from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.execution import landlock, seccomp
from mlestar_jupyter.execution.confinement import Confinement
from mlestar_jupyter.execution.enclosure import Enclosed
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.execution.script import Ran, run_python
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.report import understood
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

pytestmark = pytest.mark.skipif(
    landlock.version() < landlock.SIGNALS_SINCE or not seccomp.is_known(),
    reason="this system cannot close all that is tested",
)


@pytest.fixture(scope="module")
def executor() -> Iterator[PapermillExecutor]:
    executor = PapermillExecutor(jobs=2)
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def unwalled() -> Iterator[PapermillExecutor]:
    executor = PapermillExecutor(jobs=2, sandbox="off")
    yield executor
    executor.close()


Run = Callable[..., tuple[Outcome, str]]


@pytest.fixture
def run(executor: PapermillExecutor, tmp_path: Path) -> Run:
    """Execute a source, enclosed unless another executor is given: the outcome, what it printed."""

    def run(
        source: str, *, by: PapermillExecutor = executor, memory: int | None = None, **values: Any
    ) -> tuple[Outcome, str]:
        execution = Execution(
            solution=Solution((Block("load", textwrap.dedent(source).strip()),)),
            inputs={},
            parameters={name: str(value) for name, value in values.items()},
            limits=Limits(120, memory=memory),
            output=tmp_path / "out",
            label="it",
        )
        return by.run(execution), _printed(execution.executed)

    return run


def _printed(path: Path) -> str:
    return "".join(
        output.text
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )


# ------------------------------------------------------------------------------- what is denied

# Each line does something that a candidate has no business to do; what came of it is printed.
_ATTEMPTS = """
import ctypes, glob, json, os, pathlib, resource, signal, socket, subprocess, sys, tempfile

def connected(family, kind, address):
    with socket.socket(family, kind) as ours:
        ours.settimeout(2)
        ours.connect(address)

def sent(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.sendto(b"x", path)

def traced():
    if ctypes.CDLL(None, use_errno=True).ptrace(16, int(outside), None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(int(outside), 0)
    ctypes.CDLL(None).ptrace(17, int(outside), None, None)

libc = ctypes.CDLL(None, use_errno=True)

def called(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), str(number))

attempts = {
    "write the data": lambda: open(data, "a"),
    "truncate the data": lambda: os.truncate(data, 0),
    "remove the data": lambda: os.unlink(data),
    "rename the data": lambda: os.rename(data, data + "2"),
    "read the data where it lies": lambda: open(data).read(),
    "link a secret into the folder": lambda: os.link(secret, "linked"),
    "read a secret through a link": lambda: (os.symlink(secret, "link"), open("link").read()),
    "read a secret in another process": lambda: subprocess.run(["cat", secret], check=True),
    "read a secret in home": lambda: open(secret).read(),
    "list home": lambda: os.listdir(os.path.dirname(secret)),
    "write to home": lambda: open(os.path.dirname(secret) + "/.bashrc", "w"),
    "read the answers of the run": lambda: open(answers).read(),
    "write to another execution": lambda: open(sibling + "/x", "w"),
    "read of another execution": lambda: open(sibling + "/theirs").read(),
    "write to the temporary folder": lambda: open(top + "/mlestar-x", "w"),
    "list the temporary folder": lambda: os.listdir(top),
    "write to site-packages": lambda: open(json.__file__.replace("json/", "mlestar_x_"), "w"),
    "read passwords": lambda: open("/etc/shadow").read(),
    "list shared memory of others": lambda: os.listdir("/dev/shm"),
    "connect by TCP": lambda: connected(
        socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(port))),
    "listen by TCP": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    "connect by UDP": lambda: connected(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
    "connect by IPv6": lambda: connected(socket.AF_INET6, socket.SOCK_STREAM, ("::1", int(port))),
    "connect in another process": lambda: subprocess.run(
        [sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}))"],
        check=True, capture_output=True),
    "connect to a unix socket": lambda: connected(socket.AF_UNIX, socket.SOCK_STREAM, server),
    "connect to an abstract socket": lambda: connected(
        socket.AF_UNIX, socket.SOCK_STREAM, chr(0) + server),
    "send to a unix socket": lambda: sent(server + "2"),
    "look whether a process is there": lambda: os.kill(int(outside), 0),
    "end another process": lambda: os.kill(int(outside), signal.SIGCONT),
    "read another's environment": lambda: open(f"/proc/{outside}/environ").read(),
    "read another's memory": lambda: open(f"/proc/{outside}/mem", "rb"),
    "go through another's root": lambda: os.listdir(f"/proc/{outside}/root/"),
    "go through another's files": lambda: os.readlink(f"/proc/{outside}/fd/0"),
    "trace another process": traced,
    "limit another process": lambda: resource.prlimit(
        int(outside), resource.RLIMIT_CORE, resource.prlimit(int(outside), resource.RLIMIT_CORE)),
    "make a user namespace": lambda: called(272, 0x10000000),
    "use io_uring": lambda: called(425, 1, ctypes.create_string_buffer(120)),
}
results = {}
for name, attempt in attempts.items():
    try:
        attempt()
        results[name] = "done"
    except BaseException as error:
        results[name] = type(error).__name__
print(json.dumps(results))
"""


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a candidate might reach for: files, servers, a process."""
    home, run, sibling = (tmp_path / name for name in ("home", "run", "sibling"))
    for folder in (home, run, sibling):
        folder.mkdir()
    files = {
        "secret": home / "token", "data": tmp_path / "train.csv", "answers": run / "answers.csv",
    }  # fmt: skip
    for path in [*files.values(), sibling / "theirs"]:
        path.write_text("mine")
    with tempfile.TemporaryDirectory(prefix="s") as short, contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address, kind in (
            (f"{short}/s", socket.SOCK_STREAM),
            (f"\0{short}/s", socket.SOCK_STREAM),
            (f"{short}/s2", socket.SOCK_DGRAM),
        ):
            server = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            server.bind(address)
            if kind == socket.SOCK_STREAM:
                server.listen()
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        yield {
            **files, "sibling": sibling, "top": tempfile.gettempdir(), "server": f"{short}/s",
            "port": listening.getsockname()[1], "outside": process.pid,
        }  # fmt: skip
        process.kill()
        process.wait()
    for path in [*files.values(), sibling / "theirs"]:
        assert path.read_text() == "mine"


def _results(printed: str) -> dict[str, str]:
    """What the attempts gave; shell commands may say something before or after it."""
    (line,) = [line for line in printed.splitlines() if line.startswith("{")]
    results: dict[str, str] = json.loads(line)
    return results


def test_a_candidate_reaches_nothing_outside(run: Run, surroundings: dict[str, Any]) -> None:
    outcome, printed = run(_ATTEMPTS, **surroundings)
    assert outcome.failure is None
    results = _results(printed)
    odd = {
        "link a secret into the folder": "OSError",  # as if it were on another disk
        "read a secret in another process": "CalledProcessError",
        "connect in another process": "CalledProcessError",
    }
    assert results == {name: odd.get(name, "PermissionError") for name in results}
    assert len(results) > 30


def test_without_the_sandbox_the_same_candidate_reaches_it(
    run: Run, unwalled: PapermillExecutor, surroundings: dict[str, Any]
) -> None:
    harmless = {
        "read the answers of the run", "read a secret in home", "connect by TCP",
        "connect to a unix socket", "look whether a process is there", "read another's environment",
        "write to another execution",
    }  # fmt: skip
    source = _ATTEMPTS.replace("results = {}", f"{harmless = }\nresults = {{}}")
    source = source.replace("    try:", "    if name not in harmless: continue\n    try:")
    outcome, printed = run(source, by=unwalled, **surroundings)
    assert outcome.failure is None
    assert _results(printed) == dict.fromkeys(harmless, "done")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("open(secret)", "Permission denied: .* (candidates read only the files of their working"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "have no network"),
        ("import urllib.request; urllib.request.urlopen('http://x.test')", "have no network"),
    ],
)
def test_the_debugger_is_told_of_the_wall(
    run: Run, surroundings: dict[str, Any], source: str, words: str
) -> None:
    outcome, _ = run(source, secret=surroundings["secret"])
    assert outcome.status == "failed"
    assert re.search(re.escape(words).replace(r"\.\*", ".*"), outcome.failure.message)


def test_a_script_is_enclosed_too(surroundings: dict[str, Any]) -> None:
    confinement, limits = Confinement.for_jobs(1), Limits(60)
    with WorkingFolder() as folder:
        code = f"open('own', 'w').write('x'); open({str(surroundings['secret'])!r})"
        ran = run_python(folder, ["-c", code], limits, confinement)
        assert (folder.work / "own").read_text() == "x"
        assert ran.problem.startswith("PermissionError")
        places = [surroundings["secret"]]
        assert run_python(folder, ["-c", code], limits, confinement, places).problem == ""
        assert run_python(folder, ["-c", code], limits, replace(confinement, walls=False)) == Ran(
            ""
        )


def test_a_notebook_reads_what_it_is_given_where_it_lies_and_nothing_else(
    executor: PapermillExecutor, tmp_path: Path, surroundings: dict[str, Any]
) -> None:
    source = "print(open({!r}).read())"
    for name, status in (("data", "ok"), ("secret", "failed")):
        notebook = new_notebook(cells=[new_code_cell(source.format(str(surroundings[name])))])
        places = [surroundings["data"]]
        outcome = executor.run_notebook(notebook, Limits(60), tmp_path / "out", name, places)
        assert outcome.status == status


def test_a_second_enclosure_narrows_the_first(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    code = f"""
        import os
        from mlestar_jupyter.execution.enclosure import Enclosure, enclose
        folder = {str(tmp_path)!r}
        print(enclose(Enclosure(write=(folder,), memory=2**31)).is_isolated, flush=True)
        open(folder + "/a/x", "w"), open(folder + "/b/x", "w")
        if os.fork() == 0:
            print(enclose(Enclosure(write=(folder + "/b",), memory=2**30)).is_isolated)
            open(folder + "/b/y", "w")
            try:
                open(folder + "/a/y", "w")
            except PermissionError:
                print("narrower", flush=True)
            try:
                os.kill(os.getppid(), 0)
            except PermissionError:
                print("apart", flush=True)
            os._exit(0)
        os.wait()
        open(folder + "/a/z", "w")
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("True\nTrue\nnarrower\napart\n", "")


def test_enclosing_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; import mlestar_jupyter.execution.enclosure; "
        "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'psutil', 'zmq')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


# ---------------------------------------------------------------------------- what works inside

_LIBRARIES = {
    "its own folder": """
        import os, pathlib, shutil, tempfile
        os.makedirs("a/b"); open("a/b/x", "w").write("x")
        os.replace("a/b/x", "y"); shutil.copy("y", "z"); os.link("z", "l"); os.symlink("z", "s")
        shutil.rmtree("a")
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "x").write_text("x")
        cache = pathlib.Path.home() / ".cache" / "library"
        cache.mkdir(parents=True)
        (cache / "x").write_text("x")
        """,
    "LightGBM, sklearn and joblib's processes": """
        import lightgbm, numpy as np
        from joblib import Parallel, delayed
        from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
        from sklearn.model_selection import cross_val_score
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(2000, 5)), rng.normal(size=2000)
        lightgbm.LGBMRegressor(n_estimators=5, n_jobs=2, verbose=-1).fit(X, y).predict(X)
        cross_val_score(HistGradientBoostingRegressor(max_iter=5), X, y, cv=2, n_jobs=2)
        assert Parallel(2)(delayed(np.sum)(X * i) for i in range(4))[0] == 0
        big = np.zeros(2_000_000)  # is shared by a file
        assert Parallel(2)(delayed(len)(big) for i in range(2)) == [2_000_000] * 2
        RandomForestRegressor(10, n_jobs=2).fit(X, y)
        """,
    "multiprocessing": """
        import multiprocessing as mp
        from multiprocessing import shared_memory
        def work(i):
            print("child", i)
            return i * i
        with mp.Pool(2) as pool:
            assert pool.map(work, range(4)) == [0, 1, 4, 9]
        queue = mp.Queue()
        process = mp.Process(target=queue.put, args=("x",))
        process.start()
        assert queue.get(timeout=20) == "x"
        process.join()
        with mp.get_context("spawn").Pool(1) as pool:
            assert pool.map(abs, [-1]) == [1]
        memory = shared_memory.SharedMemory(create=True, size=1000)
        memory.close(); memory.unlink()
        process = mp.Process(target=work, args=(9,))
        process.start(); process.terminate(); process.join()
        """,
    "tables": """
        import pandas as pd, sqlite3, zipfile
        import polars as pl, pyarrow.parquet as pq
        frame = pd.DataFrame({"a": range(100), "b": list("xy") * 50})
        frame.to_parquet("f.parquet"); frame.to_feather("f.feather")
        assert pd.read_parquet("f.parquet").equals(frame)
        assert pl.read_parquet("f.parquet").group_by("b").len().height == 2
        frame.to_csv("f.csv.gz"); frame.to_sql("t", sqlite3.connect("f.db"))
        pd.Timestamp("2024-01-01", tz="Europe/Berlin")
        """,
    "plots": """
        import matplotlib.pyplot as plt
        plt.plot([1, 2]); plt.title("αβγ"); plt.savefig("a.png"); plt.savefig("a.pdf"); plt.show()
        """,
    "the other boosters": """
        import numpy as np
        xgboost = __import__("xgboost"); catboost = __import__("catboost")
        X, y = np.random.default_rng(0).normal(size=(500, 5)), np.arange(500.0)
        xgboost.XGBRegressor(n_estimators=5, n_jobs=2).fit(X, y)
        catboost.CatBoostRegressor(iterations=5, verbose=0).fit(X, y)
        import os
        assert os.path.isdir("catboost_info")
        """,
    "skrub": """
        import pandas as pd, skrub
        frame = pd.DataFrame({"when": ["2024-01-01", "2024-02-01"] * 20, "what": list("xy") * 20})
        skrub.TableVectorizer().fit_transform(frame)
        """,
    "subprocesses": """
        import getpass, os, socket, subprocess, sys, time, urllib.request
        assert subprocess.run(["sh", "-c", "echo $HOME; ls"], capture_output=True).returncode == 0
        sleeper = subprocess.Popen(["sleep", "60"])
        sleeper.kill(); sleeper.wait()
        a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
        import ssl; assert ssl.create_default_context().get_ca_certs() is not None
        os.cpu_count(), os.getloadavg(), open("/proc/self/status").read(), getpass.getuser()
        !echo shell
        (said,) = !echo captured
        assert said == "captured"
        """,
}  # fmt: skip


_LONG = ("tables", "plots", "the other boosters", "skrub")


@pytest.mark.parametrize(
    "library",
    [pytest.param(n, marks=pytest.mark.slow) if n in _LONG else n for n in _LIBRARIES],
)
def test_libraries_work_inside(run: Run, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # ipykernel would watch no file descriptors
    outcome, printed = run(_LIBRARIES[library])
    assert outcome.failure is None, outcome.failure.traceback
    assert outcome.status == "ok"
    assert "Permission" not in printed
    assert "Warning" not in printed
    if library == "multiprocessing":
        assert printed.count("child") >= 4


# ----------------------------------------------------------------------------------- what is told


def test_a_run_says_what_held_and_a_resumed_one_what_does_not_hold_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))
    with Session.start(task, Settings(folds=2), tmp_path / "run") as begun:
        assert begun.run.isolation[0]
        assert ("isolation", begun.run.isolation[1]) in understood(begun.run)
        assert begun.run.isolation[1].startswith("closed: files, network, other processes")
    with Session.resume(tmp_path / "run") as same:
        assert same.run.isolation[0]
        assert [e for e in same.run.events if e.kind == "note" and "isolated" in e.data] == []
    monkeypatch.setattr(executors, "isolation", lambda _: Enclosed(problems=("no Landlock",)))
    with Session.resume(tmp_path / "run") as other:
        words = "not isolated: candidates run with your rights; no Landlock"
        assert other.run.isolation == (False, words)
    monkeypatch.undo()
    with Session.start(task, Settings(folds=2, sandbox="off"), tmp_path / "off") as off:
        assert off.run.isolation == (False, words.replace("no Landlock", "switched off"))


def test_doctor_lets_a_candidate_try_to_break_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._isolation().found.startswith("a candidate tried to break out, in vain (closed:")
    monkeypatch.setattr(doctor, "Settings", functools.partial(Settings, sandbox="off"))
    assert doctor._isolation().found.startswith(
        "a candidate could read your files, write your files, use the network, signal your"
    )
