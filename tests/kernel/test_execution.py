"""Executions in real kernels: outcomes, limits, isolation, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from waiting import is_running, wait_for

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import warm
from mlestar_jupyter.execution.environment import without_secrets
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.outputs import printed_score
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import Block, Solution

posix_only = pytest.mark.skipif(os.name != "posix", reason="speaks of POSIX processes")

Build = Callable[..., Execution]


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Temporary folders go to a folder of ours; processes carry a variable of ours."""
    tmp_path_factory.getbasetemp()  # made where it always is
    # Short, because unix sockets are made in it.
    temporary = Path(tempfile.mkdtemp(prefix="x"))
    mark = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("TMPDIR", str(temporary))
        patch.setenv("MLESTAR_TEST", mark)
        warm.shared.close()  # what other tests have left must not be used here
        yield temporary
        warm.shared.close()
    assert list(temporary.iterdir()) == []
    assert [process for process in _others() if _carries(process, mark)] == []
    temporary.rmdir()


def _left(temporary: Path) -> list[Path]:
    """What executions have left; the servers of warm kernels stay."""
    return [path for path in temporary.iterdir() if not path.name.startswith("mlestar-server-")]


def _others() -> list[psutil.Process]:
    """All processes but ours and our servers of warm kernels, which stay."""
    ours = {os.getpid(), *(p.pid for p in psutil.Process().children() if _is_server(p))}
    return [process for process in psutil.process_iter() if process.pid not in ours]


def _is_server(process: psutil.Process) -> bool:
    try:
        return "fork_server" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get("MLESTAR_TEST") == mark)
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def executor() -> Iterator[PapermillExecutor]:
    executor = PapermillExecutor(jobs=2)
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def unwalled() -> Iterator[PapermillExecutor]:
    """For notebooks that tell a test, outside of their folder, how far they are."""
    executor = PapermillExecutor(jobs=2, sandbox="off")
    yield executor
    executor.close()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build(
        *sources: str,
        label: str = "fold-0",
        seconds: float = 60,
        inputs: Mapping[str, Path] | None = None,
        output: Path | None = None,
        **parameters: str | int,
    ) -> Execution:
        names = ("load", "model", "predict")
        blocks = [
            Block(name, textwrap.dedent(source).strip())
            for name, source in zip(names, sources, strict=False)
        ]
        return Execution(
            solution=Solution(tuple(blocks)),
            inputs=inputs or {},
            parameters=parameters,
            limits=Limits(seconds),
            output=output or tmp_path / "out",
            label=label,
        )

    return build


def _read(execution: Execution) -> Any:
    return nbformat.read(execution.executed, as_version=4)


def _printed(execution: Execution) -> str:
    return "".join(
        output.text
        for cell in _read(execution).cells
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    )


# ---------------------------------------------------------------------- what an execution gives


def test_a_solution_reads_its_inputs_and_gives_predictions_a_model_and_a_notebook(
    executor: PapermillExecutor, build: Build, tmp_path: Path
) -> None:
    (tmp_path / "some.csv").write_text("x\n1\n2\n")
    data = tmp_path / "files"
    (data / "deep").mkdir(parents=True)
    (data / "deep" / "note.txt").write_text("a note")
    (data / "loop").symlink_to(data)
    (data / "lost").symlink_to(tmp_path / "nowhere")
    execution = build(
        "rows = open(train_path).read().splitlines()",
        "print(open(data_dir + '/deep/note.txt').read(), seed)",
        """
        open(predictions_path, "w").write("\\n".join(rows))
        open(model_path, "w").write("fitted")
        """,
        inputs={"train.csv": tmp_path / "some.csv", "data": data},
        seed=7,
    )
    outcome = executor.run(execution)
    assert (outcome.status, outcome.failure, outcome.printed) == ("ok", None, None)
    assert 0 < outcome.cell_seconds < outcome.seconds
    assert execution.predictions.read_text() == "x\n1\n2"
    assert execution.model.read_text() == "fitted"
    assert _printed(execution) == "a note 7\n"
    metadata = _read(execution).metadata
    assert metadata.mlestar.status == "ok"
    assert metadata.papermill.exception is False
    assert sorted(path.name for path in execution.output.iterdir()) == [
        "fold-0.csv",
        "fold-0.ipynb",
        "fold-0.joblib",
    ]


def test_parameters_of_any_name_are_injected_by_papermill_without_a_word_in_our_logs(
    executor: PapermillExecutor,
    build: Build,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    execution = build("print(seed, test_path, colour)", seed=3, colour="red", test_path="t.csv")
    assert executor.run(execution).status == "ok"
    assert _printed(execution) == "3 t.csv red\n"
    tags = [cell.metadata.tags for cell in _read(execution).cells]
    assert tags == [["parameters"], ["injected-parameters"], ["mlestar:load"]]
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_a_failure_names_the_block_and_the_exception(
    executor: PapermillExecutor, build: Build
) -> None:
    execution = build("print('loaded')", "1 / 0", "print('never')")
    outcome = executor.run(execution)
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert str(outcome.failure) == "block model: ZeroDivisionError: division by zero"
    assert "1 / 0" in outcome.failure.traceback
    assert "\x1b" not in outcome.failure.traceback
    notebook = _read(execution)
    assert notebook.metadata.mlestar.status == "failed"
    assert notebook.metadata.papermill.exception is True
    assert "input_path" not in notebook.metadata.papermill
    assert [cell.metadata.papermill.status for cell in notebook.cells] == [
        *("completed", "completed", "failed", "pending")
    ]
    assert _printed(execution) == "loaded\n"


def test_what_an_earlier_execution_left_under_the_label_is_gone(
    executor: PapermillExecutor, build: Build
) -> None:
    first = build("open(predictions_path, 'w').write('old')")
    executor.run(first)
    assert first.predictions.exists()
    executor.run(build("raise ValueError('new')"))
    assert not first.predictions.exists()


def test_leaving_early_on_purpose_is_no_failure(executor: PapermillExecutor, build: Build) -> None:
    assert executor.run(build("import sys; sys.exit(0)", "print(1)")).status == "ok"
    outcome = executor.run(build("import sys; sys.exit('no data')"))
    assert outcome.status == "failed"
    assert str(outcome.failure) == "block load: SystemExit: no data"


def test_the_printed_score_is_read_even_after_a_flood_of_output(
    executor: PapermillExecutor, build: Build
) -> None:
    execution = build(
        "print('Final Validation Performance: 1e9')",
        """
        for _ in range(300):
            print("x" * 100_000)
        print("Final Validation Performance: 0.8125 (accuracy)")
        """,
    )
    assert executor.run(execution).printed == 0.8125
    assert execution.executed.stat().st_size < 2_000_000
    assert "left out here" in _printed(execution)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Final Validation Performance: 0.85 (RMSE)", 0.85),
        ("Final Validation Performance: -1.5e-3", -0.0015),
        ("Final Validation Performance: 12.", 12.0),
        ("final validation performance : .5\n", 0.5),
        ("Final Validation Performance: np.float64(0.25)", 0.25),
        ("Final Validation Performance: 1\nFinal Validation Performance: 2\n", 2.0),
        ("Final Validation Performance: 1\nFinal Validation Performance: nan\n", None),
        ("Final Validation Performance: inf", None),
        ("Final Validation Performance: 1e999", None),
        ("Final Validation Performance: 1,234.5", None),
        ("Final Validation Performance:", None),
        ("Performance: 0.85", None),
    ],
)
def test_a_printed_score_is_a_finite_number_or_none(text: str, score: float | None) -> None:
    cells = [
        new_code_cell(outputs=[new_output("stream", name="stdout", text=text)]),
        new_code_cell(outputs=[new_output("stream", name="stderr", text="no score")]),
    ]
    assert printed_score(new_notebook(cells=cells)) == score


# --------------------------------------------------------------------------------------- limits


@posix_only
def test_a_timeout_ends_the_whole_tree_and_keeps_the_outputs_so_far(
    unwalled: PapermillExecutor, build: Build, tmp_path: Path
) -> None:
    execution = build(
        "print('before')",
        """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open(pids + "/grandchild", "w").write(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        os.wait()
        open(pids + "/child", "w").write(str(child.pid))
        print("under way", flush=True)
        time.sleep(600)
        """,
        "print('never')",
        seconds=5,
        pids=str(tmp_path),
    )
    outcome = unwalled.run(execution)
    assert outcome.status == "timed_out"
    assert str(outcome.failure) == "block model: TimeLimitExceeded: not done within 5 s"
    for name in ("child", "grandchild"):
        assert not is_running(tmp_path / name)
    notebook = _read(execution)
    assert _printed(execution) == "before\nunder way\n"
    assert notebook.metadata.mlestar.status == "timed_out"
    assert notebook.metadata.papermill.exception is True
    assert [cell.metadata.papermill.status for cell in notebook.cells[2:]] == [
        *("completed", "failed", "pending")
    ]


def test_time_that_is_up_before_the_first_cell_is_a_timeout_with_a_notebook(
    executor: PapermillExecutor, build: Build
) -> None:
    execution = build("print(1)", seconds=0.05)
    outcome = executor.run(execution)
    assert outcome.status == "timed_out"
    assert "before the first cell" in str(outcome.failure)
    assert _read(execution).metadata.mlestar.status == "timed_out"


@posix_only
def test_a_daemon_of_a_finished_notebook_is_not_left_behind(
    unwalled: PapermillExecutor, build: Build, tmp_path: Path
) -> None:
    execution = build(
        """
        import subprocess
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        open(pids + "/child", "w").write(str(child.pid))
        """,
        pids=str(tmp_path),
    )
    assert unwalled.run(execution).status == "ok"
    assert not is_running(tmp_path / "child")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux shows such a process as a zombie")
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "plain"])
def test_a_process_whose_first_thread_has_ended_is_not_left_behind(
    build: Build, tmp_path: Path, warm: bool
) -> None:
    execution = build(
        """
        import subprocess, sys, time
        code = (
            "import ctypes, threading, time; "
            "threading.Thread(target=time.sleep, args=(600,)).start(); "
            "ctypes.CDLL(None).pthread_exit(None)"
        )
        child = subprocess.Popen([sys.executable, "-c", code])
        while open(f"/proc/{child.pid}/stat").read().split()[2] != "Z":
            time.sleep(0.01)
        open(pids + "/child", "w").write(str(child.pid))
        """,
        pids=str(tmp_path),
    )
    executor = PapermillExecutor(jobs=1, sandbox="off", warm=warm)
    try:
        assert executor.run(execution).status == "ok"
        wait_for(lambda: not psutil.pid_exists(int((tmp_path / "child").read_text())))
    finally:
        executor.close()


@posix_only
def test_shared_memory_of_killed_workers_is_given_back(
    unwalled: PapermillExecutor, build: Build, tmp_path: Path
) -> None:
    execution = build(
        """
        from multiprocessing.shared_memory import SharedMemory
        memory = SharedMemory(create=True, size=1000)
        open(pids + "/name", "w").write(memory.name)
        """,
        pids=str(tmp_path),
    )
    assert unwalled.run(execution).status == "ok"
    assert not Path("/dev/shm", (tmp_path / "name").read_text()).exists()


@posix_only
def test_a_kernel_that_is_killed_by_the_system_ran_out_of_memory(
    executor: PapermillExecutor, build: Build
) -> None:
    execution = build("print('so far')", "import os; os.kill(os.getpid(), 9)")
    outcome = executor.run(execution)
    assert outcome.status == "out_of_memory"
    assert outcome.failure is not None
    assert (outcome.failure.block, outcome.failure.name) == ("model", "KernelDied")
    assert _printed(execution) == "so far\n"
    assert _read(execution).metadata.mlestar.status == "out_of_memory"


@posix_only
@pytest.mark.slow
def test_a_kernel_that_is_killed_before_its_first_cell_is_an_outcome_too(
    executor: PapermillExecutor, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "zmq.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "early"))
    outcome = executor.run(build("print(1)"))
    assert outcome.status == "out_of_memory"
    assert "SIGKILL" in str(outcome.failure)


@posix_only
def test_a_kernel_that_crashes_failed_and_its_last_words_are_told(
    executor: PapermillExecutor, build: Build
) -> None:
    deep = "import faulthandler\ndef f(n):\n    f(n - 1) if n else faulthandler._sigsegv()\nf(90)"
    outcome = executor.run(build(deep))
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert outcome.failure.message == "the kernel was ended by SIGSEGV"
    assert "Segmentation fault" in outcome.failure.traceback


def test_a_memory_error_in_a_cell_is_out_of_memory(
    executor: PapermillExecutor, build: Build
) -> None:
    outcome = executor.run(build("import numpy as np; np.ones((10**9, 10**9))"))
    assert outcome.status == "out_of_memory"


# ------------------------------------------------------------------------- cancel, queue, threads


def test_cancel_ends_what_runs_and_what_waits_and_later_runs_work(
    build: Build, tmp_path: Path
) -> None:
    executor = PapermillExecutor(jobs=1, sandbox="off")
    source = "import time; open(started, 'w').close(); time.sleep(600)"
    with ThreadPoolExecutor(3) as pool:
        futures = [
            pool.submit(executor.run, build(source, label=str(i), started=str(tmp_path / "s")))
            for i in range(3)
        ]
        wait_for((tmp_path / "s").exists)
        executor.cancel()
        assert [future.result(20).status for future in futures] == ["cancelled"] * 3
    assert executor.run(build("print('again')")).status == "ok"
    executor.close()
    with pytest.raises(ExecutionError, match="closed"):
        executor.run(build("print(1)"))


def test_jobs_run_side_by_side_but_no_more_than_allowed_and_first_come_first(
    build: Build, tmp_path: Path
) -> None:
    executor = PapermillExecutor(jobs=2, sandbox="off")
    source = """
        import time
        began = time.monotonic()
        time.sleep(1)
        open(times, "w").write(f"{began} {time.monotonic()}")
        """
    with ThreadPoolExecutor(4) as pool:
        futures = []
        for i in range(4):
            execution = build(source, label=str(i), times=str(tmp_path / f"t{i}"))
            futures.append(pool.submit(executor.run, execution))
            # Each has taken its place before the next comes.
            wait_for(lambda i=i: len(executor._waiting) + len(executor._running) == i + 1)
        assert [future.result(30).status for future in futures] == ["ok"] * 4
    executor.close()
    spans = [tuple(map(float, (tmp_path / f"t{i}").read_text().split())) for i in range(4)]
    assert max(spans[0][0], spans[1][0]) < min(spans[0][1], spans[1][1])
    for later in (2, 3):
        assert spans[later][0] > min(spans[0][1], spans[1][1])
    began = [span[0] for span in spans]
    assert sum(start < spans[3][0] < end for start, end in spans[:3]) <= 1
    assert max(began[:2]) < min(began[2:])


def test_it_works_where_an_event_loop_is_running(executor: PapermillExecutor, build: Build) -> None:
    async def main() -> str:
        return executor.run(build("print(1)")).status

    assert asyncio.run(main()) == "ok"


def test_it_works_inside_a_jupyter_kernel(unwalled: PapermillExecutor, build: Build) -> None:
    # The cell below runs in a real kernel, with its loop, and starts kernels of its own.
    source = """
        from pathlib import Path
        from mlestar_jupyter.execution.papermill import PapermillExecutor
        from mlestar_jupyter.interfaces import Execution, Limits
        from mlestar_jupyter.solution import Block, Solution
        solution = Solution((Block("load", "import os; os.write(2, b'noise'); print(1)"),))
        inner = PapermillExecutor(jobs=1)
        outcome = inner.run(Execution(solution, {}, {}, Limits(60), Path("inner"), "x"))
        print(outcome.status)
        """
    execution = build(source)
    outcome = unwalled.run(execution)
    assert outcome.failure is None
    assert _printed(execution) == "ok\n"
    assert [o.get("name") for cell in _read(execution).cells for o in cell.outputs] == ["stdout"]


# ------------------------------------------------------------------------------------ isolation


def test_secrets_of_our_environment_are_not_in_the_kernels(
    executor: PapermillExecutor, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "hidden")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:hidden@host/db")
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/hidden.ipynb")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "science")
    execution = build("import json, os; print(json.dumps(dict(os.environ)))")
    assert executor.run(execution).status == "ok"
    environment = json.loads(_printed(execution))
    assert "hidden" not in str(environment)
    assert environment["CONDA_DEFAULT_ENV"] == "science"
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["OMP_NUM_THREADS"] == environment["LOKY_MAX_CPU_COUNT"] == "1"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "MYSQL_PWD"),
        *("SSH_AUTH_SOCK", "GOOGLE_APPLICATION_CREDENTIALS", "githubToken", "npm_config__auth"),
        *("JUPYTERHUB_API_URL", "PRIVATE_PEM", "DBUS_SESSION_BUS_ADDRESS", "OPENAIKEY"),
    ],
)
def test_a_secret_is_told_by_its_name(name: str) -> None:
    assert without_secrets({name: "x"}) == {}


@pytest.mark.parametrize(
    "value",
    [
        "https://user:password@host/simple",
        "Server=db;Password=abc;",
        "-----BEGIN RSA PRIVATE KEY-----",
        "sk-abcdefghijklmnopqrst",
    ],
)
def test_a_secret_is_told_by_its_value(value: str) -> None:
    assert without_secrets({"HARMLESS": value}) == {}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LANG", "PWD", "LD_LIBRARY_PATH", "CONDA_PREFIX", "VIRTUAL_ENV"),
        *("TOKENIZERS_PARALLELISM", "KEYBOARD_LAYOUT", "CUDA_VISIBLE_DEVICES", "PYTHONPATH"),
    ],
)
def test_what_is_harmless_is_kept(name: str) -> None:
    environment = {name: "https://host/path?a=b"}
    assert without_secrets(environment) == environment


def test_what_a_notebook_writes_to_stderr_does_not_reach_ours(
    executor: PapermillExecutor, build: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    source = """
        import os, subprocess, sys, warnings
        warnings.warn("noise")
        os.write(2, b"noise")
        print("noise", file=sys.__stderr__)
        subprocess.run([sys.executable, "-c", "import sys; print('noise', file=sys.stderr)"])
        """
    assert executor.run(build(source)).status == "ok"
    assert executor.run(build(source + "\n        os.kill(os.getpid(), 9)")).status != "ok"
    assert capfd.readouterr() == ("", "")


def test_inputs_are_copies_and_stay_as_they_were(
    executor: PapermillExecutor, build: Build, tmp_path: Path
) -> None:
    train, data = tmp_path / "train.csv", tmp_path / "data"
    train.write_text("mine")
    data.mkdir()
    (data / "more.csv").write_text("mine")
    execution = build(
        """
        import os
        print([os.path.islink(p) or os.stat(p).st_nlink for p in (train_path, "data/more.csv")])
        print(os.path.basename(os.getcwd()), sorted(os.listdir()))
        for path in (train_path, "data/more.csv"):
            open(path, "w").write("spoilt")
        """,
        inputs={"train.csv": train, "data": data},
    )
    here = Path.cwd()
    assert executor.run(execution).status == "ok"
    assert _printed(execution) == "[1, 1]\nwork ['data', 'train.csv']\n"
    assert train.read_text() == (data / "more.csv").read_text() == "mine"
    assert Path.cwd() == here


@pytest.mark.skipif(sys.platform != "linux", reason="GNU find tells what was changed")
@pytest.mark.parametrize("reuse", [True, False], ids=["with reuse", "without"])
def test_a_folder_of_many_files_is_handed_on_until_an_execution_writes_to_it(
    build: Build, tmp_path: Path, nothing_is_left_behind: Path, reuse: bool
) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    for number in range(150):
        (tmp_path / "data" / "images" / f"{number}.png").write_text("original")
    look = """
    import os
    stat = os.stat("data/images/7.png")
    print(open("data/images/7.png").read(), stat.st_ino, stat.st_ctime_ns)
    """
    spoil = """
    open("data/images/7.png", "w").write("ORIGINAL")
    os.utime("data/images/7.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    """
    executor, printed = PapermillExecutor(jobs=1, reuse=reuse), []
    try:
        for number, last in enumerate(("", "1 / 0", spoil, "")):
            cells = (f"# {number}", look, last)
            execution = build(*cells, inputs={"data": tmp_path / "data"})
            assert (executor.run(execution).status == "ok") == (last != "1 / 0")
            printed.append(_printed(execution).split())
    finally:
        executor.close()
    assert [word for word, _, _ in printed] == ["original"] * 4
    assert printed[:3] == [printed[0]] * 3
    assert printed[3] != printed[0]
    assert _left(nothing_is_left_behind) == []


def test_the_working_folder_is_gone_even_when_the_notebook_locks_it(
    executor: PapermillExecutor, build: Build, nothing_is_left_behind: Path
) -> None:
    execution = build(
        """
        import os, tempfile
        os.makedirs("deep/er")
        tempfile.mkdtemp()
        os.chmod("deep", 0o500)
        print(os.getcwd())
        """
    )
    assert executor.run(execution).status == "ok"
    assert _printed(execution).startswith(str(nothing_is_left_behind.resolve() / "mlestar-"))
    assert _left(nothing_is_left_behind) == []


# ------------------------------------------------------------- what cannot be executed, and exits


def test_what_keeps_everything_from_running_is_one_line_with_the_mend(
    executor: PapermillExecutor, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExecutionError, match=r"cannot write to .*file/out.*; choose another"):
        executor.run(build("print(1)", output=tmp_path / "file" / "out"))
    with pytest.raises(ExecutionError, match=r"train\.csv is not there.*; put it back"):
        executor.run(build("print(1)", inputs={"train.csv": tmp_path / "gone.csv"}))
    with pytest.raises(ExecutionError, match="leaves the working folder"):
        executor.run(build("print(1)", inputs={"../train.csv": tmp_path / "file"}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "zmq.py").write_text("raise ImportError('zmq is broken')")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "broken"))
        with pytest.raises(ExecutionError, match=r"kernel did not start: .*zmq is broken; try"):
            executor.run(build("print(1)"))
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    with pytest.raises(ExecutionError, match="pip install ipykernel"):
        executor.run(build("print(1)"))


_SCRIPT = """
import sys, threading, time
from pathlib import Path
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import Block, Solution

folder = Path(sys.argv[1])
solution = Solution((Block("load", "open(started, 'w').close(); import time; time.sleep(600)"),))
execution = Execution(
    solution, {}, {"started": str(folder / "started")}, Limits(600), folder / "out", "x"
)
executor = PapermillExecutor(sandbox="off")
"""


@posix_only
@pytest.mark.parametrize("ending", ["Ctrl-C", pytest.param("exit", marks=pytest.mark.slow)])
def test_nothing_survives_an_interrupt_or_the_end_of_our_process(
    ending: str, tmp_path: Path, nothing_is_left_behind: Path
) -> None:
    script = tmp_path / "script.py"
    if ending == "exit":
        script.write_text(
            _SCRIPT + "threading.Thread(target=executor.run, args=[execution], daemon=True).start()"
            "\nwhile not (folder / 'started').exists():\n    time.sleep(0.01)\n"
        )
    else:
        script.write_text(_SCRIPT + "executor.run(execution)\n")
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    wait_for((tmp_path / "started").exists)
    if ending == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert ("KeyboardInterrupt" in errors) == (ending == "Ctrl-C")
    assert _left(nothing_is_left_behind) == []
    mark = os.environ["MLESTAR_TEST"]
    assert [process for process in _others() if _carries(process, mark)] == []


@posix_only
@pytest.mark.slow
def test_what_a_killed_process_left_is_taken_away_by_the_next_one(
    executor: PapermillExecutor, build: Build, tmp_path: Path, nothing_is_left_behind: Path
) -> None:
    (tmp_path / "script.py").write_text(_SCRIPT + "executor.run(execution)\n")
    process = subprocess.Popen([sys.executable, tmp_path / "script.py", tmp_path])
    wait_for((tmp_path / "started").exists)
    process.kill()
    process.wait()
    (abandoned,) = _left(nothing_is_left_behind)
    wait_for(lambda: not any(_carries(p, os.environ["MLESTAR_TEST"]) for p in _others()))
    executor.run(build("print('too young to be sure')"))
    assert abandoned.exists()
    os.utime(abandoned / "mlestar.lock", (0, 0))
    executor.run(build("print('old enough')"))
    assert not abandoned.exists()


# ------------------------------------------------------------------------ beside papermill's own


def test_importing_the_executor_or_the_engine_imports_no_papermill() -> None:
    code = """
        import sys
        import mlestar_jupyter.execution.engine
        assert not {"papermill", "nbclient", "nbformat", "psutil", "zmq"} & set(sys.modules)
        import mlestar_jupyter.execution.papermill
        assert not {"papermill", "nbclient", "jupyter_client", "zmq"} & set(sys.modules)
        import papermill.engines
        assert papermill.engines.papermill_engines.get_engine("mlestar")
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=30)


def test_the_engine_serves_papermill_itself(tmp_path: Path) -> None:
    import papermill

    path, done = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(Solution((Block("load", "print(seed)"),)).to_notebook(), path)
    papermill.execute_notebook(
        path, done, parameters={"seed": 5}, engine_name="mlestar", progress_bar=False
    )
    notebook = nbformat.read(done, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "5\n"
    nbformat.write(Solution((Block("load", "1 / 0"),)).to_notebook(), path)
    with pytest.raises(papermill.PapermillExecutionError, match="division"):
        papermill.execute_notebook(path, done, engine_name="mlestar", progress_bar=False)


def test_threads_started_for_executions_end_with_them(executor: PapermillExecutor) -> None:
    def ours() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("mlestar-execution")]

    wait_for(lambda: ours() == [])


def test_an_execution_that_had_to_wait_ends_when_the_run_must(
    executor: PapermillExecutor, build: Build
) -> None:
    execution = build("import time\ntime.sleep(500)", seconds=400)
    limits = dataclasses.replace(execution.limits, until=time.monotonic() + 3)
    outcome = executor.run(dataclasses.replace(execution, limits=limits))
    assert outcome.status == "timed_out"
    late = dataclasses.replace(limits, until=time.monotonic() - 3)
    assert executor.run(dataclasses.replace(execution, limits=late)).status == "timed_out"


def test_kernels_are_the_same_before_and_after_scikit_learn_is_imported_here() -> None:
    code = (
        "import sys\n"
        "from mlestar_jupyter.execution.confinement import Confinement\n"
        "confinement = Confinement.for_jobs(1, 'off', None)\n"
        "before = confinement.common(1)\n"
        "assert 'sklearn' not in sys.modules\n"
        "import sklearn\n"
        "assert confinement.common(1) == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_files_of_any_size_are_staged_as_they_are(tmp_path: Path) -> None:
    sizes = (0, 5, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20)
    for size in sizes:
        (tmp_path / "data" / "deep").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "deep" / str(size)).write_bytes(os.urandom(size))
    with WorkingFolder() as folder:
        folder.stage({"data": tmp_path / "data"}, lambda: False)
        for size in sizes:
            original = tmp_path / "data" / "deep" / str(size)
            copy = folder.work / "data" / "deep" / str(size)
            assert copy.read_bytes() == original.read_bytes()
            assert copy.stat().st_ino != original.stat().st_ino


@posix_only
def test_a_folder_of_many_files_does_not_wait_for_threads_that_compute(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(300):
        (tmp_path / "data" / str(number)).write_text(str(number))
    (tmp_path / "data" / "7").chmod(0o444)
    (tmp_path / "data" / "nowhere").symlink_to(tmp_path / "gone")
    is_over, turns = False, 0

    def compute() -> None:
        nonlocal turns
        while not is_over:
            turns += 1

    with WorkingFolder() as folder:
        folder.stage({"whole": tmp_path / "data"}, lambda: False)
        (tmp_path / "data" / "nowhere").unlink()
        thread = threading.Thread(target=compute)
        thread.start()
        try:
            folder.stage({"data": tmp_path / "data"}, lambda: False)
        finally:
            is_over = True
            thread.join()
        for name in ("data", "whole"):
            found = {p.name: p.read_text() for p in (folder.work / name).iterdir()}
            assert found == {str(n): str(n) for n in range(300)}
    assert turns
    assert not folder.scratch.exists()
