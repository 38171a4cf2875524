"""Limits of memory, processes and files; whole trees of processes; waiting for memory."""

from __future__ import annotations

import os
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import nbformat
import psutil
import pytest
from waiting import is_running, wait_for

from mlestar_jupyter.execution import memory, papermill
from mlestar_jupyter.execution.limits import ProcessTree, Watchdog
from mlestar_jupyter.execution.memory import Watcher, used_memory
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import Block, Solution

pytestmark = pytest.mark.skipif(os.name != "posix", reason="speaks of POSIX processes")

Build = Callable[..., Execution]


@pytest.fixture(scope="module")
def executor() -> Iterator[PapermillExecutor]:
    executor = PapermillExecutor(jobs=2, sandbox="off", memory=2**29)
    yield executor
    executor.close()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build(source: str, *, label: str = "it", seconds: float = 60, **values: Path) -> Execution:
        return Execution(
            solution=Solution((Block("load", textwrap.dedent(source).strip()),)),
            inputs={},
            parameters={name: str(value) for name, value in values.items()},
            limits=Limits(seconds),
            output=tmp_path / "out",
            label=label,
        )

    return build


# ------------------------------------------------------------------------------------- limits


def test_a_grandchild_that_takes_too_much_memory_ends_the_execution(
    executor: PapermillExecutor, build: Build, tmp_path: Path
) -> None:
    # Each process stays below the limit; together they do not.
    execution = build(
        """
        import os, subprocess, sys, time
        hog = "x = bytearray(400_000_000); import time; time.sleep(600)"
        for _ in range(2):
            subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{hog}' & echo $! > {pid}; wait"])
        time.sleep(600)
        """,
        pid=tmp_path / "pid",
    )
    outcome = executor.run(execution)
    assert outcome.status == "out_of_memory"
    assert outcome.failure is not None
    assert outcome.failure.name == "MemoryLimitExceeded"
    assert outcome.failure.block == "load"
    assert "512M are allowed" in outcome.failure.message
    assert "--memory" in outcome.failure.message
    assert not is_running(tmp_path / "pid")


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="a limit of Linux")
def test_one_process_gets_a_memory_error_and_lives(
    executor: PapermillExecutor, build: Build
) -> None:
    execution = build(
        """
        try:
            x = bytearray(3 * 2**30)
        except MemoryError:
            print("caught")
        """
    )
    assert executor.run(execution).status == "ok"
    assert nbformat.read(execution.executed, 4).cells[-1].outputs[0].text == "caught\n"


def test_a_file_that_is_too_large_fails_and_dumps_no_core(
    executor: PapermillExecutor, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlestar_jupyter.execution import confinement

    disk = type("Disk", (), {"free": 0})
    monkeypatch.setattr(confinement.shutil, "disk_usage", lambda _: disk)
    monkeypatch.setattr(confinement, "_LEAST_FILE", 10_000_000)
    outcome = executor.run(build("open('large', 'wb').write(bytes(11_000_000))"))
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert "File too large" in outcome.failure.message
    limits = "import resource; assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)"
    assert executor.run(build(limits)).status == "ok"


def test_too_many_processes_end_the_execution(
    executor: PapermillExecutor, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROCESSES", 30)
    execution = build(
        """
        import os, time
        for _ in range(6):  # at most 64 processes, each with a life of its own
            os.fork()
        time.sleep(600)
        """
    )
    outcome = executor.run(execution)
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert outcome.failure.name == "ProcessLimitExceeded"
    assert "30 are allowed" in outcome.failure.message


def test_memory_that_processes_share_counts_once() -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("shared memory is told apart on Linux only")
    shared = bytearray(os.urandom(50_000_000))
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            time.sleep(600)
            os._exit(0)
        children.append(psutil.Process(pid))
    try:
        alone, together = used_memory(children[:1]), used_memory(children)
        assert together < 2 * alone + 1_000_000
        ours = psutil.Process()
        assert used_memory([ours, *children]) < 1.5 * ours.memory_info().rss
        assert together < sum(child.memory_info().rss for child in children) - len(shared)
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert used_memory(children) == 0


# ------------------------------------------------------------------------- trees of processes

_RUNAWAY = """
import os, time
def run_away():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    os.execve(sys.executable, [sys.executable, "-c", code, pid], {})
import sys
run_away()
while not os.path.exists(pid) or not os.path.getsize(pid):
    time.sleep(0.01)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="orphans are ours on Linux only")
@pytest.mark.parametrize("ending", ["", "time.sleep(2); os.kill(os.getpid(), 9)"])
def test_a_daemon_that_cleared_its_environment_is_not_left_behind(
    executor: PapermillExecutor, build: Build, tmp_path: Path, ending: str
) -> None:
    pid = tmp_path / "pid"
    outcome = executor.run(build(f"{_RUNAWAY}\n{ending}", pid=pid))
    assert outcome.status == ("out_of_memory" if ending else "ok")
    assert not is_running(pid)


# ------------------------------------------------------------------------- waiting for memory


def test_an_execution_waits_while_memory_is_short_and_one_always_runs(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = PapermillExecutor(jobs=2, sandbox="off")
    source = """
        import os, time
        open(started, "w").close()
        while not os.path.exists(go):
            time.sleep(0.01)
        """

    def begin(name: str) -> threading.Thread:
        places = {"started": tmp_path / name, "go": tmp_path / "go"}
        thread = threading.Thread(
            target=executor.run, args=[build(source, label=name, **places)], daemon=True
        )
        thread.start()
        return thread

    try:
        # The first tells how much one takes; nothing is known before.
        assert executor.run(build("x = bytearray(100_000_000)\nimport time; time.sleep(1)"))
        assert executor._peak > 100_000_000
        monkeypatch.setattr(papermill, "available_memory", lambda: 10_000_000)
        first = begin("first")
        wait_for((tmp_path / "first").exists)
        second = begin("second")
        wait_for(lambda: len(executor._waiting) == 1)
        assert len(executor._running) == 1
        (tmp_path / "go").touch()
        for thread in (first, second):
            thread.join(30)
        assert (tmp_path / "second").exists()
        (tmp_path / "go").unlink()
        monkeypatch.setattr(papermill, "available_memory", lambda: 2**40)
        threads = [begin("third"), begin("fourth")]
        wait_for(lambda: (tmp_path / "third").exists() and (tmp_path / "fourth").exists())
        (tmp_path / "go").touch()
        for thread in threads:
            thread.join(30)
    finally:
        executor.close()


@pytest.mark.parametrize(
    ("texts", "least", "most"),
    [
        ({"memory.max": "max\n", "memory.current": "1000\n"}, None, None),
        ({"memory.max": "5000000\n", "memory.current": "2000000\n"}, 5_000_000, 3_500_000),
    ],
)
def test_a_container_has_what_its_limit_leaves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: Mapping[str, str],
    least: int | None,
    most: int | None,
) -> None:
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 500000\n")
    groups = ((tmp_path / "memory.max", tmp_path / "memory.current"),)
    monkeypatch.setattr(memory, "_GROUPS", groups)
    total = psutil.virtual_memory().total
    assert memory.machine_memory() == (least or total)
    available = memory.available_memory()
    assert available == most if most else available > 5_000_000
    assert memory.default_memory(4) == int(0.8 * (least or total)) // 4


def test_a_watcher_stops_looking_when_the_execution_is_over() -> None:
    tree = ProcessTree()
    tree.plant(os.getpid())
    watcher = Watcher(tree, Watchdog(lambda: None), 2**50)
    watcher.start()
    wait_for(lambda: watcher.peak > 0)
    assert 0 < watcher.now <= watcher.peak
    watcher.stop()
    wait_for(lambda: all(thread.name != "mlestar-memory" for thread in threading.enumerate()))
