"""Clusters that are not there, do not fit, or go away in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from waiting import is_running, wait_for

from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.errors import ExecutionError, SettingsError
from mlestar_jupyter.execution import cluster_link
from mlestar_jupyter.execution.cluster import DaskExecutor
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

pytest.importorskip("distributed")

Launch = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts parts of Dask in processes of their own, and ends them."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, path: Path | None = None) -> subprocess.Popen[bytes]:
        places = [str(path)] if path else []
        places += [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(launch: Launch, tmp_path: Path) -> tuple[str, subprocess.Popen[bytes]]:
    file = tmp_path / "scheduler.json"
    process = launch("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    wait_for(lambda: file.exists() and '"address"' in file.read_text())
    return file.read_text().split('"address": "')[1].split('"')[0], process


def sleeper(pid_file: Path, tmp_path: Path) -> Execution:
    source = (
        f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    solution = Solution((Block("model", source),))
    return Execution(solution, {}, {}, Limits(300), tmp_path / "out", "fold-0")


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("tcp://127.0.0.1:9", ExecutionError, "no Dask scheduler answers at tcp://127.0.0.1:9; "),
        ("nonsense://x", SettingsError, "cannot use the Dask address 'nonsense://x'"),
        ("tcp://127.0.0.1:port", SettingsError, "cannot use the Dask address 'tcp://127.0.0.1:po"),
    ],
)
def test_a_wrong_address_is_one_line_before_a_folder_is_made(
    address: str, kind: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_link, "CONNECT_SECONDS", 1.0)
    task = from_folder(write_demo_task(tmp_path / "task"))
    with pytest.raises(kind) as caught:
        Session.start(task, Settings(dask=address), tmp_path / "run")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_workers_that_are_missing_or_do_not_fit_are_named(
    scheduler: tuple[str, object], launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = scheduler
    monkeypatch.setattr(cluster_link, "CONNECT_SECONDS", 2.0)
    executor = DaskExecutor(Settings(dask=address))
    with pytest.raises(
        ExecutionError, match=f"no worker is at the Dask scheduler {address}; start"
    ):
        executor.connect()

    monkeypatch.setattr(cluster_link, "CONNECT_SECONDS", 60.0)
    other = tmp_path / "other"
    (other / "skrub-0.0.1.dist-info").mkdir(parents=True)
    (other / "skrub-0.0.1.dist-info" / "METADATA").write_text("Name: skrub\nVersion: 0.0.1\n")
    worker = launch("worker", address, "--no-dashboard", "--no-nanny", path=other)
    with pytest.raises(ExecutionError, match=r"skrub is 0\.0\.1 there and .* here; install the s"):
        executor.connect()
    worker.kill()
    worker.wait()

    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "mlestar_jupyter.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'mlestar_jupyter'\")\n"
    )
    launch("worker", address, "--no-dashboard", "--no-nanny", path=bare)
    with pytest.raises(ExecutionError, match="it has no mlestar-jupyter; install the same p"):
        executor.connect()
    executor.close()


@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_line_that_names_it(
    scheduler: tuple[str, subprocess.Popen[bytes]], launch: Launch, tmp_path: Path
) -> None:
    address, process = scheduler
    launch("worker", address, "--no-dashboard", "--no-nanny", "--nthreads", "1")
    executor, pid = DaskExecutor(Settings(dask=address, sandbox="off")), tmp_path / "pid"
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(executor.run, sleeper(pid, tmp_path))
        wait_for(lambda: pid.exists() and pid.read_text())
        process.kill()
        with pytest.raises(ExecutionError, match=f"the Dask scheduler at {address} is gone; start"):
            future.result()
    with pytest.raises(ExecutionError, match="is gone"):
        executor.run(sleeper(pid, tmp_path))
    executor.close()


CLIENT = """
import sys
from pathlib import Path
sys.path[:0] = {tests!r}
from test_cluster import DaskExecutor, Settings, sleeper
executor = DaskExecutor(Settings(dask={address!r}, sandbox="off"))
executor.run(sleeper(Path({pid!r}), Path({folder!r})))
"""


@pytest.mark.slow
def test_candidates_of_a_killed_client_and_of_a_hung_worker_do_not_go_on(
    scheduler: tuple[str, object], launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = scheduler
    first = launch("worker", address, "--no-dashboard", "--no-nanny", "--nthreads", "1")
    pid = tmp_path / "client's"
    here = Path(__file__).parent
    tests = [str(here), str(here.parent)]
    names = {"tests": tests, "address": address, "pid": str(pid)}
    source = CLIENT.format(**names, folder=str(tmp_path))
    client = subprocess.Popen([sys.executable, "-c", source])
    wait_for(lambda: pid.exists() and pid.read_text())
    client.kill()
    client.wait()
    wait_for(lambda: not is_running(pid))

    monkeypatch.setattr(cluster_link, "SILENT_SECONDS", 4.0)
    executor = DaskExecutor(Settings(dask=address, sandbox="off"))
    done = tmp_path / "done"
    hung = sleeper(tmp_path / "hung", tmp_path)
    text = hung.solution.source("model")
    text = text.replace(
        "time.sleep(600)", f"time.sleep(600 if not os.path.exists({str(done)!r}) else 0)"
    )
    execution = Execution(Solution((Block("model", text),)), {}, {}, Limits(300), tmp_path, "x")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(executor.run, execution)
        wait_for(lambda: (tmp_path / "hung").exists() and (tmp_path / "hung").read_text())
        done.touch()
        first.send_signal(signal.SIGSTOP)
        launch("worker", address, "--no-dashboard", "--no-nanny", "--nthreads", "1")
        assert future.result().status == "ok"
    executor.close()
