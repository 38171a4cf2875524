"""Warm kernels and reuse of first cells: the same results, nothing shared, nothing left behind."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpec
from nbformat.v4 import new_code_cell, new_notebook
from waiting import wait_for

from mlestar_jupyter.candidate import Outcome
from mlestar_jupyter.execution import prefix, servers, starting, warm
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.execution.process import Order
from mlestar_jupyter.execution.servers import start_kernel
from mlestar_jupyter.execution.warm import WarmKernels
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")

Run = Callable[..., Any]
WRITE = "open(predictions_path, 'w').write(repr(x))"


@pytest.fixture(autouse=True, scope="module")
def little_is_worth_it() -> Iterator[None]:
    """So that the cells of these tests need not take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix, "WORTH", 0.3)
        yield


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def executor(said: list[str]) -> Iterator[PapermillExecutor]:
    executor = PapermillExecutor(jobs=2, tell=said.append)
    yield executor
    executor.close()
    assert said == [], "no way was closed in any test"


@pytest.fixture(scope="module")
def plain() -> Iterator[PapermillExecutor]:
    executor = PapermillExecutor(jobs=2, warm=False)
    yield executor
    executor.close()


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmKernels]:
    """Warm kernels of the test's own, in place of those that the process shares."""
    own = WarmKernels()
    monkeypatch.setattr(starting, "shared", own)
    yield own
    own.close()


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Execution]:
    def build(*sources: str, label: str = "fold-0", fresh: bool = False) -> Execution:
        own = f"# of {tmp_path.name}\n"  # no test meets the snapshots of another
        if not sources[0].startswith("%"):
            sources = (own + sources[0], *sources[1:])
        blocks = tuple(Block(f"b{number}", source) for number, source in enumerate(sources, 1))
        data = tmp_path / "train.csv"
        if not data.exists():
            data.write_text("a\n1\n2\n")
        return Execution(
            Solution(blocks), {"train.csv": data}, {"seed": 3}, Limits(60), tmp_path / "out", label,
            fresh,
        )  # fmt: skip

    return build


def outputs(execution: Execution) -> list[list[Any]]:
    """What each cell shows, without what differs by itself."""
    notebook = nbformat.read(execution.executed, as_version=4)
    text = [[json.dumps(output, sort_keys=True) for output in c.outputs] for c in notebook.cells]
    same = [[re.sub(r"/tmp/[^\s\"':]*|0x[0-9a-f]+|ipykernel_\d+", "*", t) for t in c] for c in text]
    return [[*cell, str(c.execution_count)] for cell, c in zip(same, notebook.cells, strict=True)]


def reused(execution: Execution) -> int:
    """How many blocks of the executed notebook are marked as reused."""
    notebook = nbformat.read(execution.executed, as_version=4)
    marks = [cell.metadata.get("mlestar", {}) for cell in notebook.cells]
    return sum("reused" in mark and "block" in mark for mark in marks)


def blocks(outcome: Outcome) -> int:
    """How many blocks were reused; the two cells of parameters before them do not count."""
    return max(0, outcome.reused - 2)


NOTEBOOKS = {
    "text and numbers": ["print('one'); print('two')\n41 + 1", "import sys; sys.stderr.write('e')"],
    "tables and plots": [
        "import pandas as pd\nd = pd.DataFrame({'a': [1, 2]})\nd",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.figure()",
    ],
    "an error": ["def f(): return 1 / 0", "f()"],
    "a warning": ["import warnings\nwarnings.warn('careful', UserWarning)", "x = 1"],
    "displays that change": [
        "from IPython.display import display, clear_output, HTML\n"
        "handle = display(HTML('<b>1</b>'), display_id=True)\nhandle.update(HTML('<b>2</b>'))",
        "print('gone'); clear_output(); print('stays')",
    ],
    "magics and shells": ["%env MLESTAR_X=1", "!echo shell", "%%time\nx = 1"],
    "random numbers": [
        "import random, numpy as np\nrandom.seed(seed); np.random.seed(seed)",
        "print(random.random(), np.random.rand())",
    ],
    "models": [
        "import numpy as np, lightgbm\nrng = np.random.default_rng(seed)\n"
        "X = rng.normal(size=(3000, 8)); y = X[:, 0] + rng.normal(size=3000)",
        "m = lightgbm.LGBMRegressor(n_estimators=20, verbose=-1).fit(X, y)\nm.predict(X[:9])",
    ],
    "names of the machine": ["import os, sys\nprint(sys.argv[1:2], sys.path[:1], sys.flags)",
                             "print(__name__, sorted(k for k in os.environ if 'THREADS' in k))"],
    "an exit": ["print('before')\nexit()", "print('never')"],
    "a late import": ["import sqlite3, decimal\nprint(decimal.Decimal('1.1'))"],
}  # fmt: skip


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_warm_kernel_gives_the_same_notebook_as_one_that_is_started_from_nothing(
    name: str, executor: PapermillExecutor, plain: PapermillExecutor, build: Callable[..., Any]
) -> None:
    ours, theirs = build(*NOTEBOOKS[name], label="warm"), build(*NOTEBOOKS[name], label="plain")
    warm_outcome, plain_outcome = executor.run(ours), plain.run(theirs)
    assert warm_outcome.status == plain_outcome.status
    assert str(warm_outcome.failure) == str(plain_outcome.failure)
    if name == "magics and shells":  # %%time says how long
        assert len(outputs(ours)) == len(outputs(theirs))
    else:
        assert outputs(ours) == outputs(theirs)


def test_nothing_of_one_kernel_is_seen_by_the_next(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    leave = (
        "import os, random, sys, threading, time, warnings, tempfile\nimport numpy as np\n"
        "import pandas as pd\nimport sklearn\n"
        "os.environ['MLESTAR_LEFT'] = '1'; np.random.seed(1); random.seed(1); pd.left = 1\n"
        "sklearn.set_config(assume_finite=True); warnings.simplefilter('ignore')\n"
        "sys.path.append('/left'); np.set_printoptions(precision=1)\n"
        "pd.set_option('display.width', 7)\n"
        "open('left.txt', 'w').write('x'); open(tempfile.gettempdir() + '/left', 'w').write('x')\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); left = 1"
    )
    look = (
        "import os, random, sys, threading, tempfile\nimport numpy as np, pandas as pd, sklearn\n"
        "x = [os.environ.get('MLESTAR_LEFT'), hasattr(pd, 'left'), '/left' in sys.path,\n"
        "     sklearn.get_config()['assume_finite'], np.get_printoptions()['precision'],\n"
        "     pd.get_option('display.width'), sorted(os.listdir('.')), 'left' in globals(),\n"
        "     os.listdir(tempfile.gettempdir()), 'mlestar_jupyter' in sys.modules]\n" + WRITE
    )
    assert executor.run(build(leave)).status == "ok"
    execution = build(look)
    assert executor.run(execution).status == "ok"
    expected = [None, False, False, False, 8, 80, ["train.csv"], False, [], False]
    assert execution.predictions.read_text() == repr(expected)


def test_kernels_that_do_not_seed_draw_different_numbers(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    source = "import random, numpy as np\nx = (random.random(), np.random.rand())\n" + WRITE
    drawn = []
    for number in range(3):
        execution = build(source, label=f"n{number}")
        executor.run(execution)
        drawn.append(execution.predictions.read_text())
    assert len(set(drawn)) == 3


def test_blas_has_as_many_threads_as_in_a_kernel_that_is_started_from_nothing(
    executor: PapermillExecutor, plain: PapermillExecutor, build: Callable[..., Any]
) -> None:
    source = (
        "import numpy as np, threadpoolctl\nfrom scipy import linalg\n"
        "X = np.random.default_rng(0).normal(size=(2000, 400))\n"
        "values = [X.T @ X, np.linalg.svd(X, full_matrices=False)[1], linalg.eigh(X.T @ X)[0]]\n"
        "blas = [d for d in threadpoolctl.threadpool_info() if d['user_api'] == 'blas']\n"
        "x = (sorted(d['num_threads'] for d in blas), [v.tobytes().hex() for v in values])\n"
    )
    texts = []
    for runs, label in ((executor, "warm"), (plain, "plain")):
        execution = build(source + WRITE, label=label)
        execution = dataclasses.replace(execution, limits=Limits(60, threads=2))
        assert runs.run(execution).status == "ok"
        texts.append(execution.predictions.read_text())
    assert texts[0][:8] == texts[1][:8]
    assert texts[0] == texts[1]


def test_what_a_dead_kernel_leaves_behind_is_ended(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    executor = PapermillExecutor(jobs=1, sandbox="off")
    pids = tmp_path / "pids"
    escape = (
        "import os, time, signal\n"
        "for _ in range(2):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n"
        f"        open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "        time.sleep(600)\n"
        f"while not os.path.exists({str(pids)!r}) or open({str(pids)!r}).read().count('\\n') < 2:\n"
        "    time.sleep(0.01)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    outcome = executor.run(build(escape))
    executor.close()
    assert outcome.status == "out_of_memory"
    left = [int(pid) for pid in pids.read_text().split()]
    assert len(left) == 2
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in left))


SLOW = "import time; time.sleep(0.4)\nx = 1"


def test_unchanged_first_cells_are_taken_from_an_earlier_execution(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    first = (
        "import time, numpy as np\nprint('first'); time.sleep(0.4)\nrng = np.random.default_rng(4)"
    )
    last = "x = rng.random(3).tolist()\n" + WRITE
    executions, outcomes = [], []
    for number in range(4):
        execution = build(first, last + f"  # {number}", label=f"n{number}")
        outcomes.append(executor.run(execution))
        executions.append(execution)
    assert [outcome.status for outcome in outcomes] == ["ok"] * 4
    assert [reused(execution) for execution in executions] == [0, 1, 1, 1]
    assert [blocks(outcome) for outcome in outcomes] == [0, 1, 1, 1]
    assert [outcome.saved > 0.39 for outcome in outcomes] == [False, False, True, True]
    shown = [outputs(execution) for execution in executions]
    assert shown[1:] == [shown[0]] * 3
    assert len({execution.predictions.read_text() for execution in executions}) == 1
    fresh = build(first, last, label="fresh", fresh=True)
    assert executor.run(fresh).reused == 0
    assert fresh.predictions.read_text() == executions[0].predictions.read_text()


def test_a_snapshot_that_stands_on_another_counts_what_that_one_saved(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    first = "import time; time.sleep(0.4)"
    executor.run(build(first, "time.sleep(0.4)", "x = 1\n" + WRITE))
    executor.run(build(first, "time.sleep(0.41)", "x = 1\n" + WRITE))
    outcome = executor.run(build(first, "time.sleep(0.41)", "x = 2\n" + WRITE))
    assert blocks(outcome) == 2
    assert outcome.saved > 0.39  # of the first cell; the second was executed just now
    assert outcome.seconds > 0.4


def test_the_snapshots_of_two_runs_in_one_process_are_not_mixed_up(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    other = PapermillExecutor(jobs=2)
    try:
        for number in range(4):
            for who, ours in (("one", executor), ("two", other)):
                first = f"import time; time.sleep(0.4)\nx = {who!r}"
                execution = build(first, f"{WRITE}  # {number}", label=who)
                outcome = ours.run(execution)
                assert outcome.status == "ok"
                assert execution.predictions.read_text() == repr(who)
            assert blocks(outcome) == (number > 0)
    finally:
        other.close()


def test_other_data_or_parameters_are_other_states(
    executor: PapermillExecutor, build: Callable[..., Any], tmp_path: Path
) -> None:
    cells = ["import time; time.sleep(0.4)\nx = open(train_path).read()", WRITE]
    for _ in range(2):
        execution = build(*cells)
        outcome = executor.run(execution)
    assert blocks(outcome) == 1
    (tmp_path / "train.csv").write_text("a\n7\n")
    outcome = executor.run(execution)
    assert blocks(outcome) == 0
    assert execution.predictions.read_text() == repr("a\n7\n")


def test_what_the_first_cells_wrote_set_and_logged_to_goes_on(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    first = (
        "import logging, os, random, sys, time\nimport numpy as np\n"
        "random.seed(1); np.random.seed(1)\n"
        "open('mine.txt', 'w').write('abc'); f = open('mine.txt'); f.read(1)\n"
        "os.environ['MINE'] = '1'; os.environ.pop('TQDM_DISABLE')\n"
        "logging.basicConfig(stream=sys.stdout, force=True)\ntime.sleep(0.4)"
    )
    last = (
        "logging.warning('heard')\n"
        "x = [f.read(1), os.environ.get('MINE'), os.environ.get('TQDM_DISABLE'),\n"
        "     random.random(), np.random.rand(), sorted(os.listdir('.'))]\n" + WRITE
    )
    texts = []
    for number in range(3):
        execution = build(first, last, label=f"n{number}")
        assert blocks(executor.run(execution)) == (1 if number else 0)
        assert "heard" in str(outputs(execution)[-1])
        texts.append(execution.predictions.read_text())
    assert len(set(texts)) == 1


def test_forks_of_snapshots_hand_on_what_the_first_cells_left_as_it_was(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("kept", "changed"):
        (tmp_path / name).mkdir()
        for number in range(150):
            (tmp_path / name / str(number)).write_text("original")
    inputs = {name: tmp_path / name for name in ("kept", "changed")}
    first = "import os, time; time.sleep(0.4)\nopen('changed/7', 'w').write('ORIGINAL')"
    last = "x = [(os.stat(n).st_ctime_ns, open(n).read()) for n in ('kept/7', 'changed/7')]\n"
    executor, found = PapermillExecutor(jobs=2), []
    try:
        for number in range(4):
            execution = build(first, f"{last}{WRITE}  # {number}")
            outcome = executor.run(dataclasses.replace(execution, inputs=inputs))
            assert (outcome.status, blocks(outcome)) == ("ok", min(number, 1))
            found.append(ast.literal_eval(execution.predictions.read_text()))
    finally:
        executor.close()
    assert [[text for _, text in files] for files in found] == [["original", "ORIGINAL"]] * 4
    assert found[1:] == [found[1]] * 3


HINDRANCES = {
    "a thread": "import threading\n"
    "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
    "a file that is written": "f = open('o.txt', 'w')",
    "a database": "import sqlite3; c = sqlite3.connect('d.db'); c.execute('create table t(a)')",
    "a socket": "import socket; s = socket.socket(socket.AF_UNIX)",
    "a process": "import subprocess; p = subprocess.Popen(['sleep', '30'])",
    "another folder": "import os; os.mkdir('sub'); os.chdir('sub')",
    "randomness without a seed": "import numpy as np; r = np.random.rand()",
    "randomness of sklearn": "from sklearn.cluster import KMeans\n"
    "k = KMeans(2, n_init=1).fit([[0], [1], [2]])",
    "randomness of the system": "import os; r = os.urandom(3)",
    "a path": "import os; here = {'out': [os.path.abspath('predictions.csv')]}",
    "a mapped file": "import numpy as np\nm = np.memmap('m.bin', dtype='f4', mode='w+', shape=9)",
    "polars": "import polars\n"
    "d = polars.DataFrame({'a': range(9)}).lazy().group_by('a').len().collect()",
    "a signal": "import signal; signal.signal(signal.SIGUSR1, lambda *a: None)",
    "an alarm": "import signal; signal.setitimer(signal.ITIMER_REAL, 1000)",
    "a temporary file": "import tempfile; t = tempfile.TemporaryDirectory()",
    "a file at home": "import os; open(os.path.expanduser('~/kept'), 'w').write('x')",
    "text past Python": "import os; os.write(1, b'raw')",
}


@pytest.mark.parametrize("name", HINDRANCES)
def test_what_could_differ_is_executed_again(
    name: str, executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    if name == "polars":
        pytest.importorskip("polars")
    first = f"import time\n{HINDRANCES[name]}\ntime.sleep(0.4)\nx = 1"
    for number in range(3):
        outcome = executor.run(build(first, WRITE, label=f"n{number}"))
        assert (outcome.status, blocks(outcome)) == ("ok", 0)


COMPUTED = {
    "histogram boosting": "from sklearn.ensemble import HistGradientBoostingRegressor as M\n"
    "m = M(max_iter=20, random_state=0).fit(X, y)",
    "lightgbm": "from lightgbm import LGBMRegressor as M\n"
    "m = M(n_estimators=20, verbose=-1).fit(X, y)",
    "xgboost": "from xgboost import XGBRegressor as M\nm = M(n_estimators=20).fit(X, y)",
    "forest": "from sklearn.ensemble import RandomForestRegressor as M\n"
    "m = M(10, n_jobs=2, random_state=0).fit(X, y)",
    "clusters": "from sklearn.cluster import KMeans\n"
    "m = KMeans(3, n_init=1, random_state=0).fit(X); m.predict(X)",
    "blas": "m = np.linalg.svd(X[:300]); m = X.T @ X",
    "arrow": "import pandas as pd\npd.DataFrame(X).to_parquet('x.pq'); m = pd.read_parquet('x.pq')",
    "loky": "from joblib import Parallel, delayed\n"
    "m = Parallel(2)(delayed(abs)(i) for i in range(9))",
    "multiprocessing": "import multiprocessing as mp\n"
    "with mp.get_context('fork').Pool(2) as pool: m = pool.map(abs, range(9))\ndel pool",
}
DATA = (
    "import numpy as np, time\nrng = np.random.default_rng(0)\n"
    "X = rng.normal(size=(4000, 6)); y = X[:, 0] + rng.normal(size=4000)"
)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_fork_after_computing_computes_again_and_the_same(
    name: str, executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    if name == "xgboost":
        pytest.importorskip("xgboost")
    compute = COMPUTED[name]
    last = f"{compute}\nx = repr(getattr(m, 'predict', lambda X: m)(X[:5]))\n" + WRITE
    texts = []
    for number in range(3):
        execution = build(DATA, f"{compute}\ntime.sleep(0.4)", last, label=f"n{number}")
        outcome = executor.run(execution)
        assert (outcome.status, blocks(outcome)) == ("ok", 2 if number else 0)
        texts.append(execution.predictions.read_text())
    assert len(set(texts)) == 1


def test_forks_of_snapshots_are_enclosed_too(
    executor: PapermillExecutor, build: Callable[..., Any], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not read")
    last = (
        "import os, socket\ndef attempt(call, *arguments):\n"
        "    try: return str(call(*arguments))\n"
        "    except OSError as error: return type(error).__name__\n"
        f"x = [attempt(open, {str(secret)!r}), attempt(os.listdir, {str(tmp_path)!r}),\n"
        f"     attempt(open, {str(tmp_path / 'new')!r}, 'w'), attempt(socket.socket),\n"
        "     attempt(os.kill, os.getppid(), 0)]\n" + WRITE
    )
    for number in range(2):
        execution = build(SLOW, last, label=f"n{number}")
        assert blocks(executor.run(execution)) == (1 if number else 0)
        assert execution.predictions.read_text() == repr(["PermissionError"] * 5)


def test_a_candidate_that_fails_from_a_snapshot_is_executed_again_from_the_beginning(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    for number in range(2):
        executor.run(build(SLOW, WRITE + f"  # {number}"))
    execution = build(SLOW, "x = 1 / 0")
    outcome = executor.run(execution)
    assert (outcome.status, outcome.reused) == ("failed", 0)
    assert outcome.failure is not None
    assert outcome.failure.block == "b2"
    assert reused(execution) == 0


def test_a_failure_that_only_a_snapshot_has_turns_reuse_off_and_is_told(
    build: Callable[..., Any],
) -> None:
    said: list[str] = []
    executor = PapermillExecutor(jobs=1, tell=said.append)
    try:
        first = "import os, time\ntime.sleep(0.4)\nmine = os.getpid()"
        last = "assert mine == os.getpid()\nx = 1\n" + WRITE
        assert executor.run(build(first, last)).status == "ok"
        assert executor.run(build(first, last)).status == "ok"
        assert blocks(executor.run(build(first, last))) == 0
    finally:
        executor.close()
    assert len(said) == 1
    assert "unchanged cells are executed again" in said[0]


def test_what_a_failed_attempt_wrote_is_not_taken_for_the_next_ones(
    build: Callable[..., Any],
) -> None:
    executor = PapermillExecutor(jobs=1, tell=lambda _: None)
    first = "import os, time\ntime.sleep(0.4)\nmine = os.getpid()"
    last = "if mine != os.getpid():\n    x = 1\n    " + WRITE + "\n    raise ValueError"
    try:
        for _ in range(2):
            execution = build(first, last)
            assert executor.run(execution).status == "ok"
            assert not execution.predictions.exists()
    finally:
        executor.close()


def test_time_that_is_up_in_the_first_cells_names_the_block(
    executor: PapermillExecutor, build: Callable[..., Any]
) -> None:
    execution = build(SLOW.replace("0.4", "3"), WRITE)
    assert executor.run(execution).status == "ok"
    outcome = executor.run(dataclasses.replace(execution, limits=Limits(2)))
    assert outcome.status == "timed_out"
    assert outcome.failure is not None
    assert outcome.failure.block == "b1"


def test_a_server_that_is_killed_costs_nobody_a_candidate(
    build: Callable[..., Any], kernels: WarmKernels
) -> None:
    executor = PapermillExecutor(jobs=2)
    try:
        executor.run(build("x = 1\n" + WRITE))
        (server,) = kernels.servers
        execution = build("import time; time.sleep(2); x = 2\n" + WRITE, label="killed")
        outcomes: list[Any] = []
        thread = threading.Thread(target=lambda: outcomes.append(executor.run(execution)))
        thread.start()
        wait_for(psutil.Process(server.pid).children)
        os.kill(server.pid, 9)
        thread.join()
        assert [outcome.status for outcome in outcomes] == ["ok"]
        assert execution.predictions.read_text() == "2"
    finally:
        executor.close()


def test_where_there_can_be_no_server_kernels_are_plain_and_that_is_said_once(
    build: Callable[..., Any], kernels: WarmKernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(servers, "_BOOT", "raise SystemExit(3)  # {init} {module}")
    executor = PapermillExecutor(jobs=1, tell=said.append)
    try:
        for _ in range(2):
            execution = build("x = 5\n" + WRITE)
            assert executor.run(execution).status == "ok"
            assert execution.predictions.read_text() == "5"
    finally:
        executor.close()
    assert len(said) == 1
    assert "kernels are started from nothing" in said[0]


@pytest.mark.slow
def test_without_safe_forks_processes_wait_with_their_imports_done(
    build: Callable[..., Any], kernels: WarmKernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "CAN_FORK", False)
    executor = PapermillExecutor(jobs=2)
    try:
        for name in ("text and numbers", "tables and plots", "an error", "an exit"):
            execution = build(*NOTEBOOKS[name])
            assert blocks(executor.run(execution)) == 0
        look = build("import sys\nx = 'lightgbm' in sys.modules\n" + WRITE)
        assert executor.run(look).status == "ok"
        assert look.predictions.read_text() == "True"
    finally:
        executor.close()


def test_kernels_know_of_packages_that_were_installed_meanwhile(
    build: Callable[..., Any],
    kernels: WarmKernels,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    packages = tmp_path / "our-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(str(packages))
    said: list[str] = []
    executor = PapermillExecutor(jobs=1, tell=said.append)
    first = "import time; time.sleep(0.4)\nx = 1"
    try:
        assert [blocks(executor.run(build(first, WRITE))) for _ in range(2)] == [0, 1]
        (before,) = kernels.servers
        (packages / "fresh.py").write_text("")
        assert [blocks(executor.run(build(first, WRITE))) for _ in range(3)] == [0, 1, 1]
        (after,) = kernels.servers
        assert before is not after
        wait_for(lambda: not before.is_alive)
        assert said == []
    finally:
        executor.close()


@pytest.mark.slow
def test_servers_that_are_asked_no_more_end_when_their_kernels_have(
    build: Callable[..., Any], kernels: WarmKernels
) -> None:
    executor = PapermillExecutor(jobs=1, reuse=False)
    us = psutil.Process()

    def servers_alive() -> set[int]:
        found = [child for child in us.children() if child.status() != psutil.STATUS_ZOMBIE]
        return {child.pid for child in found if "fork_server" in " ".join(child.cmdline())}

    before = servers_alive()
    try:
        for threads in (1, 2, 3, 4):
            execution = dataclasses.replace(build("x = 1\n" + WRITE), limits=Limits(60, threads))
            assert executor.run(execution).status == "ok"
        assert len(servers_alive() - before) == 2
    finally:
        executor.close()


def test_nothing_is_left_when_the_process_that_owns_the_server_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from mlestar_jupyter.execution.papermill import PapermillExecutor\n"
        "from mlestar_jupyter.interfaces import Execution, Limits\n"
        "from mlestar_jupyter.solution import Block, Solution\n"
        "if __name__ == '__main__':\n"
        "    e = PapermillExecutor(jobs=1)\n"
        "    s = Solution((Block('a', 'import time; print(1, flush=True); time.sleep(600)'),))\n"
        f"    e.run(Execution(s, {{}}, {{}}, Limits(500), Path({str(tmp_path)!r}), 'x'))\n"
    )
    environment = {**os.environ, "MLESTAR_TEST_OWNER": tmp_path.name}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    owner = subprocess.Popen([sys.executable, "-c", program], env=environment)

    def ours() -> list[int]:
        mark = f"MLESTAR_TEST_OWNER={tmp_path.name}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    wait_for(lambda: len(ours()) >= 3)  # owner, server and kernel
    owner.kill()
    owner.wait()
    wait_for(lambda: ours() == [])


def test_any_kernel_spec_can_have_warm_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbclient import NotebookClient

    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "mlestar-warm"}},
    )
    folder = tmp_path / "kernels" / "warm"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(spec.to_json())
    notebook = new_notebook(cells=[new_code_cell("import sys\nprint('lightgbm' in sys.modules)")])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    NotebookClient(notebook, kernel_name="warm").execute()
    assert notebook.cells[0].outputs[0].text == "True\n"


def test_kernels_are_made_ready_before_they_are_wanted(
    build: Callable[..., Any], kernels: WarmKernels
) -> None:
    settings, executor = Settings(jobs=1), PapermillExecutor(jobs=1)
    limits = Limits(60, settings.threads_here)
    try:
        executor.prepare(settings)
        wait_for(lambda: kernels.servers)
        (server,) = kernels.servers
        assert executor.run(dataclasses.replace(build("x = 1"), limits=limits)).status == "ok"
        assert kernels.servers == [server]
    finally:
        executor.close()


def test_a_server_that_nobody_borrows_ends_with_the_last_of_its_kernels(
    kernels: WarmKernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_IDLE_SECONDS", 0.05)
    kernels.borrow()
    server = kernels.server(os.environ)
    folder = WorkingFolder()
    with (tmp_path / "log").open("wb") as log:
        arguments = ["-f", str(folder.scratch / "connection.json")]
        order = Order(arguments, folder.work, folder.scratch, os.environ)
        process = start_kernel(server, order, log)
    kernels.give_back()
    first = kernels._idle
    wait_for(lambda: kernels._idle is not first)  # it has looked, and will look again
    assert process.poll() is None
    assert server.is_alive
    process.kill()
    wait_for(lambda: not server.is_alive)
    folder.remove()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that nobody else uses; a short name, for sockets are made in it."""
    with tempfile.TemporaryDirectory(prefix="x") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


@pytest.mark.slow
def test_two_hundred_kernels_with_random_ends_leave_nothing(
    build: Callable[..., Any], kernels: WarmKernels, temporary: Path
) -> None:
    _wear(build, kernels, temporary, 200, kills=True)


@pytest.mark.slow
def test_a_thousand_kernels_one_after_another_leave_nothing(
    build: Callable[..., Any], kernels: WarmKernels, temporary: Path
) -> None:
    _wear(build, kernels, temporary, 1000, kills=False)


def _wear(
    build: Callable[..., Any], kernels: WarmKernels, temporary: Path, count: int, *, kills: bool
) -> None:
    chance = random.Random(0)
    executor = PapermillExecutor(jobs=2)
    ours = psutil.Process()
    try:
        executor.run(build("x = 1\n" + WRITE))
        (server,) = kernels.servers
        process = psutil.Process(server.pid)
        before = ours.num_fds(), ours.num_threads(), process.num_fds(), process.num_threads()
        memory = process.memory_info().rss
        for number in range(count):
            source = f"x = {number}\n" + WRITE
            if kills and chance.random() < 0.5:
                kind = chance.choice(["os._exit(3)", "os.kill(os.getpid(), 9)", "os.abort()"])
                source = f"import os, subprocess\nsubprocess.Popen(['sleep', '600'])\n{kind}"
            execution = build(source)
            status = executor.run(execution).status
            assert status == ("ok" if "os." not in source else status)
        assert process.children() == []
        after = ours.num_fds(), ours.num_threads(), process.num_fds(), process.num_threads()
        assert after[0] <= before[0] + 2
        assert after[1] <= before[1] + 2
        assert after[2:] == before[2:]
        assert process.memory_info().rss < memory + 20 * 2**20
    finally:
        executor.close()
    left = [path.name for path in temporary.iterdir()]
    assert [name for name in left if not name.startswith("mlestar-server-")] == []
