"""The journal survives a crash at any moment, and a run is rebuilt from it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar_jupyter.candidate import Finding, Proposal
from mlestar_jupyter.errors import JournalError, MlestarError, TaskError
from mlestar_jupyter.events import Event
from mlestar_jupyter.inference import from_folder, from_frames, reopen
from mlestar_jupyter.journal import Journal, is_locked, read_events
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Overrides


def filled(path: Path, count: int = 3) -> bytes:
    """A journal of ``count`` notes; gives its bytes."""
    with Journal.create(path) as journal:
        for number in range(count):
            journal.append("note", 1.5, 0.25, {"text": f"ü {number}"})
    return path.read_bytes()


def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as caught:
        Journal.open(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


# The file


def test_what_is_appended_is_read_again(path):
    filled(path)
    events = read_events(path)
    assert events[1] == Event(1, "note", 1.5, 0.25, {"text": "ü 1"})
    assert [event.seq for event in events] == [0, 1, 2]


def test_the_journal_is_one_plain_json_object_a_line(path):
    lines = filled(path).decode().splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0]) == {
        "seq": 0, "kind": "note", "at": 1.5, "elapsed": 0.25, "text": "ü 0",
    }  # fmt: skip


def test_an_event_is_on_disk_when_append_returns(path):
    with Journal.create(path) as journal:
        for number in range(5):
            journal.append("note", 0, 0, {"n": number})
            assert path.read_bytes().count(b"\n") == number + 1


def test_the_journal_is_only_ever_appended_to(path):
    before = filled(path)
    journal, _ = Journal.open(path)
    with journal:
        journal.append("note", 2, 2, {"text": "more"})
    assert path.read_bytes().startswith(before)
    assert len(path.read_bytes()) > len(before)


def test_numbering_goes_on_after_opening_again(path):
    filled(path)
    journal, events = Journal.open(path)
    with journal:
        assert len(events) == 3
        assert journal.append("note", 0, 0, {}).seq == 3
    assert [event.seq for event in read_events(path)] == [0, 1, 2, 3]


def test_a_torn_last_line_is_dropped_and_the_run_goes_on(path):
    content = filled(path)
    start = content.rfind(b"\n", 0, -1) + 1
    for length in range(start, len(content)):
        path.write_bytes(content[:length])
        assert [event.seq for event in read_events(path)] == [0, 1]
        journal, events = Journal.open(path)
        with journal:
            assert len(events) == 2
            journal.append("note", 0, 0, {"text": "after"})
        assert [event.data["text"] for event in read_events(path)] == ["ü 0", "ü 1", "after"]


@pytest.mark.parametrize("torn", [b'{"seq": 3, "ki\n', b"\x00\x00\x00\n", b"17\n", b"{}\n"])
@pytest.mark.parametrize("count", [0, 3])
def test_a_last_line_torn_before_its_line_break_is_dropped_for_good(path, torn, count):
    filled(path, count)
    with path.open("ab") as file:
        file.write(torn)
    assert len(read_events(path)) == count
    for more in (1, 2):
        journal, events = Journal.open(path)
        with journal:
            assert len(events) == count + more - 1
            journal.append("note", 0, 0, {})
        assert [event.seq for event in read_events(path)] == list(range(count + more))


@pytest.mark.parametrize("damage", [b"{not json}", b'{"seq": 1}', b"[1, 2]", b"\xff\xfe"])
def test_damage_in_the_middle_names_the_line_and_changes_nothing(path, damage):
    lines = filled(path).splitlines(keepends=True)
    lines[1] = damage + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match="line 2 is damaged; remove that line"):
        read_events(path)
    assert "line 2 is damaged" in refusal(path)
    assert path.read_bytes() == b"".join(lines)


def test_a_journal_that_was_mended_opens_at_once(path):
    lines = filled(path).splitlines(keepends=True)
    path.write_bytes(lines[0] + b"damage\n" + lines[2])
    with pytest.raises(JournalError) as kept:  # a notebook keeps the last error, and its frames
        Journal.open(path)
    path.write_bytes(lines[0] + lines[2])
    journal, events = Journal.open(path)
    journal.close()
    assert len(events) == 2
    assert "line 2" in str(kept.value)


def test_an_empty_journal_has_no_events(path):
    path.touch()
    assert read_events(path) == []
    journal, events = Journal.open(path)
    with journal:
        assert events == []
        assert journal.append("note", 0, 0, {}).seq == 0


def test_a_folder_without_journal_is_refused(path):
    with pytest.raises(JournalError, match="give the folder of a run"):
        read_events(path)
    assert "give the folder of a run" in refusal(path)


def test_a_second_journal_in_one_place_is_refused(path):
    before = filled(path)
    with pytest.raises(JournalError, match="already holds a run"):
        Journal.create(path)
    assert path.read_bytes() == before


def test_text_that_is_no_proper_unicode_can_be_noted(path):
    with Journal.create(path) as journal:
        journal.append("note", 0, 0, {"text": os.fsdecode(b"caf\xe9")})
        journal.append("note", 0, 0, {"text": "a\u2028b\nc\x00"})
    assert [e.data["text"] for e in read_events(path)] == ["caf\udce9", "a\u2028b\nc\x00"]


def test_many_threads_append_whole_lines(path):
    with Journal.create(path) as journal:

        def work(name: int) -> None:
            for number in range(40):
                journal.append("note", 0, 0, {"who": name, "n": number, "text": "x" * 200})

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = read_events(path)
    assert [event.seq for event in events] == list(range(160))
    for name in range(4):
        assert [e.data["n"] for e in events if e.data["who"] == name] == list(range(40))


# Two processes


CHILD = """
import sys
from pathlib import Path
from mlestar_jupyter.journal import Journal
path = Path(sys.argv[1])
journal = Journal.open(path)[0] if path.exists() else Journal.create(path)
print("ready", flush=True)
{body}
"""


def start(path: Path, body: str) -> subprocess.Popen[str]:
    """A real second process that has the journal open."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(body=body), str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate(timeout=20)


WRITING = "for n in range(10**9):\n    journal.append('note', n, n, {'n': n, 'text': 'ü' * 300})\n"


def test_a_second_writer_is_refused_and_let_in_when_the_first_is_gone(path):
    before = filled(path)
    child = start(path, "sys.stdin.read()")
    try:
        assert "in use by another process" in refusal(path)
        assert is_locked(path)
        assert path.read_bytes() == before
        assert len(read_events(path)) == 3, "reading needs no lock"
    finally:
        end(child)
    assert not is_locked(path)
    journal, _ = Journal.open(path)
    assert is_locked(path)
    journal.close()
    assert not is_locked(path)


def test_whether_a_journal_is_locked_can_be_asked_of_any_path(tmp_path):
    assert not is_locked(tmp_path / "nothing.jsonl")
    assert not is_locked(tmp_path)


def test_a_journal_is_read_while_another_process_writes(path):
    child = start(path, WRITING)
    try:
        counts = []
        deadline = time.monotonic() + 20
        while len(set(counts)) < 10 and time.monotonic() < deadline:
            events = read_events(path)
            assert [event.seq for event in events] == list(range(len(events)))
            counts.append(len(events))
    finally:
        end(child)
    assert len(set(counts)) >= 10
    assert counts == sorted(counts)


def test_a_process_that_is_killed_while_writing_leaves_a_journal_that_goes_on(path):
    expected = 0
    for _ in range(4):
        child = start(path, WRITING)
        deadline = time.monotonic() + 20
        while len(read_events(path)) < expected + 20 and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=20)
        events = read_events(path)
        assert len(events) >= expected + 20
        assert [event.seq for event in events] == list(range(len(events)))
        journal, again = Journal.open(path)
        with journal:
            assert len(again) == len(events)
            assert journal.append("note", 0, 0, {}).seq == len(events)
        expected = len(events) + 1


FULL = """
import resource, signal
from mlestar_jupyter.errors import JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for n in range(3):
    journal.append("note", 0, 0, {"n": n})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
try:
    journal.append("note", 0, 0, {"n": "lost"})
except JournalError as error:
    print(error, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.append("note", 0, 0, {"n": 3})
journal.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_a_full_disk_is_told_and_leaves_no_trace_of_the_lost_event(path):
    child = start(path, FULL)
    output, _ = child.communicate(timeout=20)
    assert child.returncode == 0
    assert "cannot write" in output
    assert "make room and resume" in output
    assert output.count("\n") == 1
    events = read_events(path)
    assert [event.data["n"] for event in events] == [0, 1, 2, 3]
    assert [event.seq for event in events] == [0, 1, 2, 3]


# Creating a run


@pytest.fixture
def task(build, diabetes):
    return from_folder(build(*diabetes))


def test_a_new_run_holds_what_was_frozen(task, tmp_path):
    run = Run.create(tmp_path / "runs" / "one", task, Settings(seed=3))
    names = sorted(path.name for path in run.folder.iterdir())
    assert names == ["candidates", "folds", "journal.jsonl", "task.json"]
    assert run.is_busy
    run.close()
    assert not run.is_busy
    (event,) = read_events(run.folder / "journal.jsonl")
    assert event.kind == "run_started"
    assert event.data["metric"] == "rmse"
    assert event.data["settings"]["seed"] == 3


def test_the_answers_of_the_held_out_rows_are_not_copied_into_a_new_run(task, tmp_path):
    run = Run.create(tmp_path / "run", task, Settings())
    run.close()
    text = "".join(p.read_text() for p in run.folder.rglob("*") if p.is_file())
    assert "151.0" in (task.source.folder / "train.csv").read_text()
    assert "151.0" not in text


def test_a_run_is_not_created_over_another(task, tmp_path):
    first = Run.create(tmp_path / "run", task, Settings())
    first.close()
    before = {p: p.read_bytes() for p in first.folder.rglob("*") if p.is_file()}
    with pytest.raises(JournalError, match="holds another run; resume it"):
        Run.create(tmp_path / "run", task, Settings())
    assert {p: p.read_bytes() for p in first.folder.rglob("*") if p.is_file()} == before


def test_a_run_is_not_created_in_a_folder_in_use(task, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    with pytest.raises(JournalError, match="not empty; choose another folder"):
        Run.create(tmp_path / "mine", task, Settings())
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_run_is_created_in_an_empty_folder(task, tmp_path):
    (tmp_path / "empty").mkdir()
    Run.create(tmp_path / "empty", task, Settings()).close()
    assert (tmp_path / "empty" / "task.json").is_file()


def test_a_run_is_not_created_in_place_of_a_file(task, tmp_path):
    (tmp_path / "file").write_text("words")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(JournalError, match="choose a") as caught:
            Run.create(folder, task, Settings())
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "words"


def test_of_two_who_create_one_run_at_once_one_wins_and_keeps_everything(task, tmp_path):
    for number in range(5):
        folder, barrier = tmp_path / f"run{number}", threading.Barrier(2)
        runs: list[Run] = []
        refused: list[str] = []

        def create(folder=folder, barrier=barrier, runs=runs, refused=refused) -> None:
            barrier.wait()
            try:
                runs.append(Run.create(folder, task, Settings()))
            except JournalError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=create) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(runs), len(refused)) == (1, 1)
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["candidates", "folds", "journal.jsonl", "task.json"]
        runs[0].close()
        assert len(Run.open(folder, reopen(folder)).events) == 1


def test_a_run_that_cannot_cut_its_folds_leaves_nothing_behind(build, diabetes, tmp_path):
    train, test, sample = diabetes
    task = from_folder(build(train.iloc[:12], test, sample))
    with pytest.raises(TaskError, match="too few"):
        Run.create(tmp_path / "run", task, Settings())
    assert not (tmp_path / "run").exists()


def test_dataframes_that_cannot_be_kept_leave_nothing_behind(tmp_path, diabetes):
    train, test, _ = diabetes
    frames = {"train": train.assign(odd=[object()] * 120), "test": test.assign(odd=[object()] * 40)}
    task = from_frames(frames, tmp_path / "run" / "data", Overrides())
    with pytest.raises(MlestarError) as caught:
        Run.create(tmp_path / "run", task, Settings(), frames=frames)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_dataframes_are_kept_and_their_task_is_reopened(tmp_path, cancer):
    train, test, _ = cancer
    frames = {"train": train, "test": test.reset_index(drop=True)}
    task = from_frames(frames, tmp_path / "run" / "data", Overrides())
    Run.create(tmp_path / "run", task, Settings(), frames=frames).close()
    again = reopen(tmp_path / "run")
    assert again == task
    pd.testing.assert_frame_equal(again.train, task.train)


# Opening a run


def shifted(by: float):
    def predict(held: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"id": held["id"], "progression": held["progression"] + by})

    return predict


def story(run: Run, judge) -> None:
    """A short run by hand: two candidates that ran, one that did not, and what they led to."""
    run.emit("stage_started", stage="initialize", branch=None)
    run.emit("cards_retrieved", cards=[{"name": "ridge"}])
    first = judge(run, "first", shifted(10.0))
    run.emit("incumbent_changed", branch=0, id=first.id, best=True, reason="the first")
    judge(run, "broken", None)
    run.emit("stage_started", stage="refine", branch=0)
    run.emit("ablation_measured", candidate=first.id, rows=[])
    run.emit("target_chosen", block="model", plan="more", branch=0)
    second = judge(run, "second", shifted(5.0), branch=1)
    run.emit("incumbent_changed", branch=1, id=second.id, best=False, reason="a tie")
    run.emit("submission_written", score=1.0)


def test_an_opened_run_is_as_it_was(task, tmp_path, judge):
    run = Run.create(tmp_path / "run", task, Settings(seed=4, inner_steps=2))
    story(run, judge)
    run.close()
    again = Run.open(run.folder, reopen(run.folder))
    state = again.state
    assert state.candidates == run.state.candidates
    assert list(state.candidates) == ["0001", "0002", "0003"]
    assert again.settings == Settings(seed=4, inner_steps=2)
    assert (state.stage, state.incumbents) == ("refine", {0: "0001", 1: "0003"})
    assert again.best == run.state.candidates["0001"]
    assert [c.id for c in again.scored] == ["0001", "0003"]
    assert state.candidates["0001"].score.value == pytest.approx(10.0)
    assert state.candidates["0002"].score is None
    assert state.candidates["0002"].reason == "it broke"
    assert state.studies[0]["candidate"] == "0001"
    assert state.targets[0]["block"] == "model"
    assert state.cards == [{"name": "ridge"}]
    assert state.submission == {"score": 1.0}
    assert again.events == read_events(run.folder / "journal.jsonl")
    assert (again.validation.fold_of == run.validation.fold_of).all()
    assert [g.value for g in again.graded("0001")] == [g.value for g in run.graded("0001")]


def test_a_run_that_is_opened_to_read_cannot_be_written(task, tmp_path):
    run = Run.create(tmp_path / "run", task, Settings())
    reader = Run.open(run.folder, task)
    with pytest.raises(JournalError, match="reading only"):
        reader.emit("note", text="x")
    run.emit("note", text="the writer goes on")
    run.close()
    assert [e.kind for e in read_events(run.folder / "journal.jsonl")] == ["run_started", "note"]


def test_a_run_has_one_writer_at_a_time(task, tmp_path):
    run = Run.create(tmp_path / "run", task, Settings())
    with pytest.raises(JournalError, match="in use"):
        Run.open(run.folder, task, write=True)
    run.close()
    again = Run.open(run.folder, task, write=True)
    assert again.events[-1].kind == "session_started"
    again.close()


def test_a_run_goes_on_with_ids_and_time(task, tmp_path, judge):
    run = Run.create(tmp_path / "run", task, Settings(), began=time.monotonic() - 100)
    story(run, judge)
    run.close()
    again = Run.open(run.folder, task, write=True)
    assert again.elapsed >= 100
    assert judge(again, "third", shifted(1.0)).id == "0004"
    assert again.elapsed < 130, "the time between sessions does not count"
    again.close()


def test_a_solution_that_was_judged_is_found_by_its_source(task, tmp_path, judge):
    run = Run.create(tmp_path / "run", task, Settings())
    judged = judge(run, "first", shifted(10.0))
    run.close()
    again = Run.open(run.folder, task)
    same = Solution((Block("other_name", "model = 'first'  # the same\n\n"),))
    assert again.find(same.key) == judged
    assert again.find(Solution((Block("model", "model = 'else'"),)).key) is None


def test_work_in_flight_keeps_its_id_when_it_is_done_again(task, tmp_path, judge):
    run = Run.create(tmp_path / "run", task, Settings())
    judge(run, "first", shifted(10.0))
    solution = Solution((Block("model", "in_flight = 1"),))
    assert run.propose(Proposal("refine", solution)) == "0002"
    run.close()
    again = Run.open(run.folder, task, write=True)
    assert again.find(solution.key) is None
    assert again.propose(Proposal("refine", solution)) == "0002"
    assert again.propose(Proposal("refine", Solution((Block("m", "new = 1"),)))) == "0003"
    again.close()


def test_a_solution_with_an_emptied_block_is_rebuilt(task, tmp_path):
    run = Run.create(tmp_path / "run", task, Settings())
    solution = Solution((Block("load", "x = 1"), Block("features", "")))
    name = run.propose(Proposal("ablate", solution, block="features"))
    run.close()
    assert Run.open(run.folder, task).read_solution(name).blocks == solution.blocks


def test_findings_and_plans_survive(task, tmp_path, judge):
    from dataclasses import replace

    run = Run.create(tmp_path / "run", task, Settings())
    candidate = judge(run, "first", shifted(1.0))
    finding = Finding("fit-on-test", "features", 3, "fits on test rows", certain=False)
    run.record(replace(candidate, findings=(finding,), parents=("0000",), block="model"))
    run.close()
    again = Run.open(run.folder, task).state.candidates[candidate.id]
    assert again.findings == (finding,)
    assert (again.parents, again.block, again.plan) == (("0000",), "model", "plan first")


def test_a_candidate_whose_notebook_is_gone_is_named(task, tmp_path, judge):
    run = Run.create(tmp_path / "run", task, Settings())
    judge(run, "first", shifted(1.0))
    run.close()
    (run.candidate_folder("0001") / "solution.ipynb").write_text("{torn")
    with pytest.raises(JournalError, match=r"0001.*solution.ipynb is damaged or gone"):
        Run.open(run.folder, task)
    with pytest.raises(JournalError):
        Run.open(run.folder, task, write=True)
    assert not run.is_busy, "a run that could not be opened is not kept locked"


def test_listeners_hear_of_an_event_when_it_is_on_disk(task, tmp_path):
    run = Run.create(tmp_path / "run", task, Settings())
    heard = []
    run.listeners.append(
        lambda event: heard.append((event.kind, len(read_events(run.folder / "journal.jsonl"))))
    )
    run.emit("note", text="a")
    run.emit("note", text="b")
    run.close()
    assert heard == [("note", 2), ("note", 3)]


RUNNING = """
import sys
from pathlib import Path
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.inference import reopen
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Block, Solution
folder = Path(sys.argv[1])
run = Run.open(folder, reopen(folder), write=True)
print("ready", flush=True)
for number in range(10**9):
    solution = Solution((Block("model", f"x = {number}, {len(run.events)}"),))
    name = run.propose(Proposal("refine", solution))
    score = Score(number, (number,), (1,), 0.0, "rmse", False)
    run.record(Candidate(name, "refine", solution, score=score))
    run.emit("incumbent_changed", branch=0, id=name, best=True, reason="on and on")
"""


def test_a_run_that_is_killed_again_and_again_loses_nothing_that_was_judged(task, tmp_path):
    run = Run.create(tmp_path / "run", task, Settings())
    run.close()
    journal = run.folder / "journal.jsonl"
    known: dict[str, object] = {}
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", RUNNING, str(run.folder)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        target = len(read_events(journal)) + 30
        deadline = time.monotonic() + 20
        while len(read_events(journal)) < target and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=20)
        again = Run.open(run.folder, reopen(run.folder))
        assert len(again.events) >= target
        assert known.items() <= again.state.candidates.items()
        assert len(again.state.candidates) >= len(known) + 9
        assert again.best is not None
        assert not again.is_busy
        known = dict(again.state.candidates)
    assert [int(c) for c in sorted(known)] == sorted(int(c) for c in known)
    assert len(np.unique([c.solution.key for c in known.values()])) == len(known)
