"""Kill a run at any moment: it goes on, and nothing that was judged is run again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from cast import SmallCast

from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.errors import JournalError
from mlestar_jupyter.journal import read_events
from mlestar_jupyter.session import Session, open_run

RUN = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from cast import SmallCast
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
settings = Settings(seconds=120, models=3, outer_steps=1, inner_steps=1, solutions=1,
                    ensemble_rounds=0, folds=1, reproduce=False)
with Session.start(from_folder(Path({task!r})), settings, Path({run!r}), agents=SmallCast()) as s:
    s.solve()
"""


def start(task: Path, run: Path) -> subprocess.Popen[bytes]:
    code = RUN.format(tests=str(Path(__file__).parents[1]), task=str(task), run=str(run))
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def wait_for(run: Path, kind: str, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the journal has so many events of a kind."""
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        path = run / "journal.jsonl"
        if path.exists() and path.read_text().count(f'"kind": "{kind}"') >= count:
            return
        time.sleep(0.05)
    assert process.poll() is None, "the run ended before it could be killed"


def executed(run: Path) -> Counter[tuple[str, str]]:
    """How often each fold of each candidate was executed, before its judgement or after."""
    events = read_events(run / "journal.jsonl")
    return Counter(
        (e.data["id"], e.data["purpose"]) for e in events if e.kind == "candidate_executed"
    )


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("candidate_judged", 2),
        pytest.param("candidate_proposed", 2, marks=pytest.mark.slow),
        pytest.param("ablation_measured", 1, marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_in_the_middle_goes_on_and_runs_no_scored_candidate_again(
    tmp_path: Path, kind: str, count: int
) -> None:
    task, run = write_demo_task(tmp_path / "task"), tmp_path / "run"
    process = start(task, run)
    try:
        wait_for(run, kind, count, process)
        time.sleep(random.Random(count).random())  # a moment of its own for each case
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = open_run(run)
    judged = {c.id: c.score for c in before.scored}

    with Session.resume(run, agents=SmallCast()) as session:
        result = session.solve()

    assert result.submission is not None
    assert result.submission.is_file()
    after = open_run(run)
    for candidate, score in judged.items():
        assert after.state.candidates[candidate].score == score
        assert executed(run)[candidate, "fold-1"] == 1, "it was judged: not run again"
    assert len(after.scored) > len(judged)
    seqs = [e.seq for e in read_events(run / "journal.jsonl")]
    assert seqs == list(range(len(seqs)))
    keys = [c.solution.key for c in after.scored]
    assert len(keys) == len(set(keys))


@pytest.mark.slow
def test_a_torn_last_line_is_cut_off_and_the_run_goes_on(tmp_path: Path) -> None:
    task, run = write_demo_task(tmp_path / "task"), tmp_path / "run"
    process = start(task, run)
    try:
        wait_for(run, "candidate_judged", 1, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with (run / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"seq": 9999, "kind": "candidate_judged", "id": "00')
    with Session.resume(run, agents=SmallCast()) as session:
        session.solve()
    for line in (run / "journal.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_second_writer_is_refused_while_a_run_is_at_work(tmp_path: Path) -> None:
    task, run = write_demo_task(tmp_path / "task"), tmp_path / "run"
    process = start(task, run)
    try:
        wait_for(run, "run_started", 1, process)
        with pytest.raises(JournalError, match="in use by another process"):
            Session.resume(run, agents=SmallCast())
        assert open_run(run).is_busy, "reading is allowed"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_changed_data_is_named_instead_of_mixed_into_the_run(tmp_path: Path) -> None:
    from mlestar_jupyter.errors import TaskError

    task, run = write_demo_task(tmp_path / "task"), tmp_path / "run"
    process = start(task, run)
    try:
        wait_for(run, "run_started", 1, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with (task / "train.csv").open("a") as table:
        table.write("9999,50,1,25,90,150,90,50,3,4.5,90,150\n")
    with pytest.raises(TaskError, match=r"train\.csv has changed"):
        Session.resume(run, agents=SmallCast())
