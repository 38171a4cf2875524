"""The channel answers whatever is asked, and never disturbs a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from front_end import Comm, connected

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError, SettingsError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter import channel as channel_module
from mlestar_jupyter.jupyter.channel import Channel, name_of
from mlestar_jupyter.jupyter.front_end import told
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.settings import Settings

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture
def run(
    build: Callable[..., Path], diabetes: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    made = Run.create(
        Path("mlestar_runs/trial"), from_folder(build(*diabetes)), Settings(folds=2, solutions=1)
    )
    yield made
    made.close()


def heard(channel: Channel) -> Comm:
    """The comm for events, in the place of the kernel's."""
    channel._events = Comm()
    return channel._events


def seqs(comm: Comm) -> list[int]:
    return [m["seq"] for m in comm.sent if m["type"] == "event"]


def predicted(held: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"id": held["id"], "progression": held["progression"] + 1})


def test_cells_come_after_their_event_and_a_status_after_all(
    run: Run, judge: Callable[..., Candidate]
) -> None:
    channel = Channel({})
    events = heard(channel)
    connected(channel)
    channel.attach(run, anchor="cell-1")
    judge(run, "first", predicted)
    run.emit("incumbent_changed", branch=0, id="0001", best=True, reason="the first")
    assert channel.flush(60)
    kinds = [(m["type"], m["seq"]) for m in events.sent if m["type"] != "status"]
    judged, accepted = run.events[-2].seq, run.events[-1].seq
    assert kinds == [
        ("event", judged - 1), ("event", judged), ("cells", judged), ("event", accepted),
        ("cells", accepted),
    ]  # fmt: skip
    status = events.sent[-1]
    assert (status["type"], status["seq"], status["best"]["id"]) == ("status", accepted, "0001")
    cells = next(m for m in events.sent if m["type"] == "cells")
    assert cells["anchor"] == "cell-1"


def test_without_a_front_end_nothing_is_made_or_sent(
    run: Run, judge: Callable[..., Candidate]
) -> None:
    channel = Channel({})
    events = heard(channel)
    channel.attach(run)
    judge(run, "first", predicted)
    assert channel.flush(60)
    assert not events.sent
    assert channel._sender is None
    comm = connected(channel)
    run.emit("note", text="now")
    assert channel.flush(60)
    assert seqs(events) == [run.events[-1].seq]
    comm.closed({})
    assert not channel.is_listening
    run.emit("note", text="unheard")
    assert channel.flush(60)
    assert len(seqs(events)) == 1


def test_a_run_that_is_attached_again_is_heard_once_and_keeps_its_place(run: Run) -> None:
    channel = Channel({})
    events = heard(channel)
    connected(channel)
    assert channel.attach(run, anchor="cell-1") == "mlestar_runs/trial"
    run.close()
    again = Run.open(run.folder, run.task, write=True)
    assert channel.attach(again) == "mlestar_runs/trial"
    again.emit("note", text="once")
    assert channel.flush(60)
    assert seqs(events) == [1, 2]  # session_started, which came before it was attached, as well
    assert channel._attached_runs()[-1].anchor == "cell-1"
    channel.detach(again)
    again.emit("note", text="unheard")
    assert channel.flush(60)
    assert len(seqs(events)) == 2
    again.close()


def test_a_run_that_is_only_spoken_to_is_heard_and_does_not_become_the_last_one(run: Run) -> None:
    channel = Channel({})
    events = heard(channel)
    connected(channel)
    other = Run.create(Path("mlestar_runs/other"), run.task, Settings(folds=2, solutions=1))
    channel.attach(run, anchor="cell-1")
    channel.attach(other)
    run.close()
    again = Run.open(run.folder, run.task, write=True)
    channel.attach(again, is_last=False)
    again.emit("note", text="said at rest")
    assert channel.flush(60)
    assert seqs(events) == [1, 2]
    names = [(entry.name, entry.anchor) for entry in channel._attached_runs()]
    assert names == [("mlestar_runs/trial", "cell-1"), ("mlestar_runs/other", None)]
    again.close()
    other.close()


def test_what_an_agent_writes_is_told_by_its_last_words_while_somebody_listens(run: Run) -> None:
    channel = Channel({})
    events = heard(channel)
    channel.attach(run)
    run.show(Writing("plan", 0, "nobody hears this"))
    connected(channel)
    run.show(Writing("plan", 1, "x" * 3000 + "bins"))
    assert channel.flush(60)
    run.show(Writing("plan", 1, ""))
    assert channel.flush(60)
    told = [m for m in events.sent if m["type"] == "writing"]
    assert [(m["role"], m["branch"], m["text"][-4:]) for m in told] == [
        ("plan", 1, "bins"), ("plan", 1, ""),
    ]  # fmt: skip
    assert len(told[0]["text"]) == 2000
    channel.detach(run)
    assert run.watchers == []


def test_words_that_come_in_faster_than_they_are_sent_are_told_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel({})
    events = heard(channel)
    connected(channel)
    channel.attach(run)
    with channel._lock:  # the sender cannot take what waits for it
        for count in range(20):
            run.show(Writing("code", 0, f"line {count}"))
    assert channel.flush(60)
    told = [m["text"] for m in events.sent if m["type"] == "writing"]
    assert told == ["line 19"]
    channel.detach(run)


def test_work_that_nobody_waits_for_tells_what_went_wrong(run: Run) -> None:
    def work(session: Any) -> None:
        raise MlestarError("no block is called colour")

    with pytest.raises(MlestarError):
        told("refine", work)(SimpleNamespace(run=run))
    assert run.events[-1].data["text"] == "refine: no block is called colour"


def test_a_comm_that_breaks_never_reaches_the_run(
    run: Run, judge: Callable[..., Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel({})
    events = heard(channel)
    connected(channel)
    channel.attach(run)

    def broken(data: Any) -> None:
        raise OSError("the socket is closed")

    with monkeypatch.context() as patch:
        patch.setattr(events, "send", broken)
        judge(run, "first", predicted)
        assert channel.flush(60)
    monkeypatch.setattr(channel_module, "told_by", lambda run, event: 1 / 0)
    run.emit("note", text="still there")
    assert channel.flush(60)
    assert seqs(events)[-1] == run.events[-1].seq


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("hello", "a request is an object"),
        (None, "a request is an object"),
        ({"id": "1"}, "unknown request None; known are: hello, snapshot"),
        ({"id": "1", "type": "dance"}, "unknown request 'dance'"),
        ({"id": "1", "type": "snapshot", "run": "nowhere"}, "no run nowhere"),
        ({"id": "1", "type": "snapshot", "run": ["?"]}, "no run ['?']"),
        ({"id": "1", "type": "cells", "run": None}, "give headings"),
        ({"id": "1", "type": "cells", "run": None, "headings": ["x"] * 51}, "at most 50"),
        ({"id": "1", "type": "candidate", "run": None, "candidate": "0009"}, "no candidate '0009'"),
        ({"id": "1", "type": "command", "verb": None}, "unknown verb None; known are: fail, pin"),
        ({"id": "1", "type": "command", "verb": "pin", "arguments": [1]}, "names and values"),
        (
            {"id": "1", "type": "command", "verb": "pin", "arguments": {"block": 1, "x": 2}},
            "pin: got an",
        ),
        ({"id": "1", "type": "command", "verb": "pin"}, "pin: missing a required argument"),
        ({"id": "1", "type": "command", "verb": "fail"}, "ValueError: two lines"),
        ({"id": "1", "type": "hello", "protocol": "x"}, "speaks protocol x"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_line(
    run: Run, request_: Any, words: str
) -> None:
    def fail(folder: Any) -> None:
        raise ValueError("two\nlines")

    channel = Channel({"pin": lambda folder, block: None, "fail": fail})
    channel.attach(run)
    answer = connected(channel).ask(request_)
    assert answer["ok"] is False
    assert words in answer["error"]
    assert "\n" not in answer["error"]
    channel.detach(run)


def test_a_command_gets_the_folder_and_its_result_is_plain(run: Run) -> None:
    calls: list[Any] = []

    class Shown:
        def __repr__(self) -> str:
            return "in words"

    def show(folder: Path | None, id: str = "best") -> Shown:  # noqa: A002 (the verb's argument)
        calls.append((folder, id))
        return Shown()

    def pause(folder: Path | None) -> None:
        calls.append(folder)
        raise SettingsError("nothing is at work; start a run")

    channel = Channel({"show": show, "pause": pause})
    comm = connected(channel)
    request = {"type": "command", "verb": "show", "arguments": {"id": "0001"}}
    assert comm.ask({**request, "id": "a"})["result"] == "in words"
    assert calls == [(None, "0001")]
    channel.attach(run)
    assert comm.ask({**request, "id": "b", "run": None})["ok"]
    assert calls[-1] == (run.folder, "0001")
    refused = comm.ask({"type": "command", "id": "c", "verb": "pause", "run": None})
    assert refused["error"] == "nothing is at work; start a run"
    assert comm.ask({"type": "command", "id": "c", "verb": "pause", "run": None}) == refused
    assert len(calls) == 3
    for number in range(channel_module.REMEMBERED + 5):
        comm.ask({**request, "id": f"n{number}"})
    assert len(channel._replies) == channel_module.REMEMBERED


def test_a_run_is_named_from_where_the_kernel_is(run: Run, tmp_path: Path) -> None:
    assert name_of(run.folder) == "mlestar_runs/trial"
    assert name_of(Path("/elsewhere/run")) == "/elsewhere/run"
