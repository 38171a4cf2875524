"""Candidates on a real Dask cluster: a scheduler and worker processes on this machine."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import psutil
import pytest
from cast import SmallCast
from waiting import is_running, wait_for

from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import cluster_link, cluster_worker, parcels, shipping
from mlestar_jupyter.execution.cluster import DaskExecutor
from mlestar_jupyter.execution.papermill import PapermillExecutor
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

distributed = pytest.importorskip("distributed")

Build = Callable[..., Execution]

FIT = """
import numpy as np, pandas as pd
from sklearn.tree import DecisionTreeRegressor
train, test = pd.read_csv(train_path), pd.read_csv(test_path)
model = DecisionTreeRegressor(random_state=seed).fit(train[["a", "b"]], train["y"])
test["y"] = model.predict(test[["a", "b"]])
test.to_csv(predictions_path, index=False)
import joblib
joblib.dump(model, model_path)
"""


def start_cluster(workers: int = 2, **options: Any) -> Any:
    # A scheduler and worker processes, each under a nanny, as `dask worker` starts them.
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, **options
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with start_cluster() as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: Any) -> Iterator[DaskExecutor]:
    # Not enclosed: the candidates of these tests say in files outside which processes they are.
    executor = DaskExecutor(Settings(dask=cluster.scheduler_address, sandbox="off"))
    yield executor
    executor.close()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build(
        source: str,
        *,
        label: str = "fold-0",
        seconds: float = 60,
        inputs: Mapping[str, Path] | None = None,
        output: Path | None = None,
    ) -> Execution:
        solution = Solution((Block("model", textwrap.dedent(source).strip()),))
        target = output or tmp_path / "out"
        return Execution(solution, inputs or {}, {"seed": 3}, Limits(seconds), target, label)

    return build


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Path]:
    frame = pd.DataFrame({"a": range(200), "b": [n * 7 % 31 for n in range(200)]})
    frame["y"] = frame["a"] * 0.3 + frame["b"]
    frame[:150].to_csv(tmp_path / "train.csv", index=False)
    frame[150:].drop(columns="y").to_csv(tmp_path / "test.csv", index=False)
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "deep" / "note.txt").write_text("a note")
    (folder / "nothing.txt").write_text("")
    return {"train.csv": tmp_path / "train.csv", "test.csv": tmp_path / "test.csv", "data": folder}


def worker_of(kernel: Path) -> psutil.Process:
    """The worker process that is an ancestor of a kernel."""
    for process in psutil.Process(int(kernel.read_text())).parents():
        if "spawn_main" in " ".join(process.cmdline()):
            return process
    raise AssertionError("the kernel has no worker")


def nap(pid_file: Path) -> str:
    return f"""
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                                 start_new_session=True)
        open({str(pid_file) + ".child"!r}, "w").write(str(child.pid))
        open({str(pid_file)!r} + ".new", "w").write(str(os.getpid()))
        os.rename({str(pid_file)!r} + ".new", {str(pid_file)!r})
        time.sleep(600)
    """


@pytest.mark.slow
def test_candidates_give_the_same_on_a_cluster_as_here(
    executor: DaskExecutor, build: Build, data: dict[str, Path], tmp_path: Path
) -> None:
    sources = {
        "fit": FIT,
        "print": "import os\nprint(sorted(os.walk(data_dir)))\nopen(predictions_path, 'w')",
        "raise": "x = 1\nprint('before')\nraise ValueError('no good: ' + str(x))",
        "leave": "import os\nos._exit(7)",
        "sleep": "print('tired', flush=True)\nimport time\ntime.sleep(60)",
    }
    here, there = {}, {}
    local = PapermillExecutor(jobs=2)
    try:
        with ThreadPoolExecutor(4) as pool:
            for name, source in sources.items():
                seconds = 6 if name == "sleep" else 60
                for which, results, runs in ((local, here, "here"), (executor, there, "there")):
                    execution = build(
                        source, label=name, inputs=data, output=tmp_path / runs, seconds=seconds
                    )
                    results[name] = (pool.submit(which.run, execution), execution)
    finally:
        local.close()
    for name in sources:
        (mine, first), (theirs, second) = here[name], there[name]
        a, b = mine.result(), theirs.result()
        assert a.status == b.status
        assert (a.failure is None) == (b.failure is None)
        if a.failure is not None and b.failure is not None:
            assert (a.failure.block, a.failure.name) == (b.failure.block, b.failure.name)
            assert a.failure.message == b.failure.message or name == "sleep"
        assert (
            first.predictions.exists() == second.predictions.exists() == (name in ("fit", "print"))
        )
        if first.predictions.exists():
            assert first.predictions.read_bytes() == second.predictions.read_bytes()
        assert outputs(first.executed) == outputs(second.executed)
    statuses = {name: future.result().status for name, (future, _) in there.items()}
    assert statuses == {
        "fit": "ok", "print": "ok", "raise": "failed", "leave": "failed", "sleep": "timed_out",
    }  # fmt: skip
    assert here["fit"][1].model.read_bytes() == there["fit"][1].model.read_bytes()
    assert "note.txt" in str(outputs(there["print"][1].executed))


def outputs(path: Path) -> list[Any]:
    notebook = nbformat.read(path, as_version=4)
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            kind = output.output_type
            found.append((kind, output.get("text", output.get("evalue", ""))))
    return found


@pytest.mark.slow
def test_data_is_sent_to_each_worker_once_and_leaves_this_machine_once(
    executor: DaskExecutor, build: Build, data: dict[str, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sent: list[int] = []
    taken: list[str] = []
    read, call = parcels.read, cluster_link.Link.call

    def reads(source: Path, piece: Any) -> list[bytes]:
        parts = read(source, piece)
        sent.append(sum(map(len, parts)))
        return parts

    def calls(self: Any, worker: str, function: Any, *arguments: Any, **options: Any) -> Any:
        if function is cluster_worker.take:
            taken.append(f"{worker} {arguments[1].key} {arguments[2]}")
        return call(self, worker, function, *arguments, **options)

    monkeypatch.setattr(shipping, "read", reads)
    monkeypatch.setattr(cluster_link.Link, "call", calls)
    with ThreadPoolExecutor(6) as pool:
        executions = [
            build("import time\ntime.sleep(1)\nprint(open('data/deep/note.txt').read())",
                  label=f"fold-{n}", inputs=data)
            for n in range(6)
        ]  # fmt: skip
        outcomes = list(pool.map(executor.run, executions))
    assert [outcome.status for outcome in outcomes] == ["ok"] * 6
    size = sum(p.stat().st_size for path in data.values()
               for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())  # fmt: skip
    assert sum(sent) == size
    assert len({line.split()[0] for line in taken}) == 2
    assert len(taken) == len(set(taken)) == 6  # three parcels on two workers

    sent.clear(), taken.clear()
    copy = tmp_path / "copy.csv"  # the same content from another place
    copy.write_bytes(data["train.csv"].read_bytes())
    assert executor.run(build("1", inputs={**data, "train.csv": copy})).status == "ok"
    assert (sent, taken) == ([], [])


def test_cancelling_ends_all_processes_of_a_candidate_at_once(
    executor: DaskExecutor, build: Build, tmp_path: Path
) -> None:
    pids = [tmp_path / "one", tmp_path / "two"]
    executions = [build(nap(pid), label=pid.name) for pid in pids]
    waiting = build("1", label="waits")
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(executor.run, execution) for execution in executions]
        wait_for(lambda: all(pid.exists() for pid in pids))
        last = pool.submit(executor.run, waiting)
        executor.cancel(executions[0])
        assert futures[0].result().status == "cancelled"
        assert not is_running(pids[0])
        assert not is_running(tmp_path / "one.child")
        assert last.result().status == "ok"  # there was room again
        assert is_running(pids[1])
        executor.cancel()
        assert futures[1].result().status == "cancelled"
        assert not is_running(pids[1])
    assert executor.run(build("1", label="after")).status == "ok"


def test_a_candidate_whose_worker_is_killed_is_executed_on_another(
    executor: DaskExecutor, build: Build, data: dict[str, Path], tmp_path: Path
) -> None:
    pid, again = tmp_path / "pid", tmp_path / "again"
    source = (
        f"import os, time\nfirst = not os.path.exists({str(pid)!r})\n"
        f"open({str(pid)!r} if first else {str(again)!r}, 'w').write(str(os.getpid()))\n"
        f"if first: time.sleep(600)\n{FIT}"
    )
    execution = build(source, inputs=data)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(executor.run, execution)
        wait_for(lambda: pid.exists() and pid.read_text())
        worker_of(pid).kill()
        outcome = future.result()
    assert outcome.status == "ok"
    assert again.exists()
    wait_for(lambda: not is_running(pid))
    local = PapermillExecutor(jobs=1)
    reference = build(FIT, inputs=data, label="reference")
    assert local.run(reference).status == "ok"
    local.close()
    assert execution.predictions.read_bytes() == reference.predictions.read_bytes()


@pytest.mark.slow
def test_a_candidate_that_takes_workers_down_is_given_up(
    executor: DaskExecutor, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlestar_jupyter.execution.cluster.ATTEMPTS", 2)
    source = """
        import os, signal, psutil
        for process in psutil.Process().parents():
            if "spawn_main" in " ".join(process.cmdline()):
                process.kill()
                break
        import time
        time.sleep(600)
    """
    execution = build(source)
    outcome = executor.run(execution)
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert outcome.failure.name == "WorkersLost"
    assert "2 workers were lost while they executed it" in outcome.words
    assert nbformat.read(execution.executed, as_version=4).metadata.mlestar.status == "failed"


def test_workers_have_warm_kernels_and_snapshots_of_their_own(
    executor: DaskExecutor, tmp_path: Path
) -> None:
    first = Block("load", "import sys, time\ntime.sleep(1)\nprint('lightgbm' in sys.modules)")
    outcomes = []
    for number in range(6):
        last = Block("model", f"open(predictions_path, 'w').write('{number}')")
        solution = Solution((first, last))
        execution = Execution(solution, {}, {"seed": 3}, Limits(60), tmp_path / "out", f"n{number}")
        outcomes.append(executor.run(execution))
        assert execution.predictions.read_text() == str(number)
        notebook = nbformat.read(execution.executed, as_version=4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert [o.text for o in outputs if o.output_type == "stream"] == ["True\n"]
    assert outcomes[-1].reused
    assert outcomes[-1].saved > 1


def test_what_cannot_be_written_here_is_no_fault_of_a_worker(
    executor: DaskExecutor, build: Build, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    source = f"""
        import os
        os.mkdir({str(output / "fold-0.csv")!r})  # the candidates of these tests are not enclosed
        open({str(tmp_path / "begun")!r}, "a").write("once ")
        open(predictions_path, "w").write("1")
    """
    with pytest.raises(ExecutionError, match="cannot write to"):
        executor.run(build(source, output=output))
    assert (tmp_path / "begun").read_text() == "once "


@pytest.mark.slow
def test_a_whole_run_has_the_same_best_score_on_a_cluster_as_here(
    cluster: Any, tmp_path: Path
) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))
    best = []
    for name, dask in (("here", None), ("there", cluster.scheduler_address)):
        settings = Settings(
            dask=dask, seconds=300, jobs=2, models=2, outer_steps=1, inner_steps=1, solutions=1,
            ensemble_rounds=0, folds=2,
        )  # fmt: skip
        with Session.start(task, settings, tmp_path / name, agents=SmallCast()) as session:
            result = session.solve()
        assert result.reproduced
        best.append((result.score, Path(result.submission).read_bytes()))
        executed = [e for e in session.run.events if e.kind == "candidate_executed"]
        assert {e.data["status"] for e in executed} == {"ok"}
    assert best[0] == best[1]


@pytest.mark.slow
def test_a_run_whose_cluster_is_gone_goes_on_here(tmp_path: Path) -> None:
    task = from_folder(write_demo_task(tmp_path / "task"))
    settings = Settings(
        seconds=300, models=2, outer_steps=0, solutions=1, ensemble_rounds=0, folds=2
    )
    with start_cluster() as gone:
        address = gone.scheduler_address
        chosen = settings.replace(dask=address, jobs=0)
        session = Session.start(task, chosen, tmp_path / "run", agents=SmallCast())
    assert session.run.settings.jobs == 2  # one candidate for each worker
    with pytest.raises(ExecutionError, match=f"scheduler at {address} is gone"), session:
        session.solve()
    with Session.resume(tmp_path / "run", dask="off", agents=SmallCast()) as again:
        assert again.solve().reproduced
    assert again.run.settings.dask is None
