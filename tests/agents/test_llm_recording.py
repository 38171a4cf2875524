"""Recorded replies: found again whole, never half, never with a key, and shared between runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from mlestar_jupyter.agents.llm import keys
from mlestar_jupyter.agents.llm.llm import Page, Reply, Request, Usage
from mlestar_jupyter.agents.llm.recording import Recording, find_replay
from mlestar_jupyter.errors import JournalError, SettingsError

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
REQUEST = Request("plan", "m", "système", "which? \ud83d 模型", SCHEMA, temperature=0.5, seed=1)
REPLY = Reply("the plan\nit is — “so”", "stop", Usage(1, 2, 3, 4), (Page("https://a", "A"),), "m-1")


@pytest.fixture
def make_run(tmp_path):
    """A function that makes a folder that looks like a run's."""

    def make(name: str) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").touch()
        return folder

    return make


def file_of(run: Path, request: Request = REQUEST) -> Path:
    return run / "replies" / f"{request.key}.json"


def test_a_reply_is_found_again_as_it_was(make_run):
    run = make_run("a")
    Recording(run).keep(REQUEST, REPLY)
    assert Recording(run).find(REQUEST) == REPLY
    assert Recording(run).find(Request("plan", "m", "s", "another")) is None


def test_a_record_can_be_read_without_us(make_run):
    run = make_run("a")
    request = Request("plan", "m", "système", "which?", most=500)
    Recording(run).keep(request, REPLY)
    content = json.loads(file_of(run, request).read_text(encoding="utf-8"))
    assert content["request"]["prompt"] == "which?"
    assert content["reply"]["text"] == REPLY.text
    assert content["reply"]["usage"]["thoughts"] == 4
    assert "most" not in content["request"]
    assert "système" in file_of(run, request).read_text(encoding="utf-8")


@pytest.mark.parametrize("finish", ["blocked", "length", "other"])
def test_in_its_own_run_any_reply_is_found_and_in_another_only_a_good_one(make_run, finish):
    first, second = make_run("a"), make_run("b")
    reply = Reply("half", finish, reason="WHY")
    Recording(first).keep(REQUEST, reply)
    assert Recording(first).find(REQUEST) == reply
    assert Recording(second).find(REQUEST) is None
    assert Recording(second, replay=first).find(REQUEST) == reply


def test_what_is_found_elsewhere_is_kept_here(make_run):
    first, second = make_run("a"), make_run("b")
    Recording(first).keep(REQUEST, REPLY)
    assert Recording(second).find(REQUEST) == REPLY
    file_of(first).unlink()
    assert Recording(second).find(REQUEST) == REPLY


def test_the_run_to_replay_may_lie_anywhere(make_run, tmp_path):
    far = tmp_path / "elsewhere" / "old"
    far.mkdir(parents=True)
    (far / "journal.jsonl").touch()
    Recording(far).keep(REQUEST, REPLY)
    assert Recording(make_run("a"), replay=far).find(REQUEST) == REPLY


def test_folders_beside_a_run_that_are_no_runs_are_left_alone(make_run):
    run = make_run("a")
    other = run.parent / "other" / "replies"
    other.mkdir(parents=True)
    Recording(run).keep(REQUEST, REPLY)
    (other / file_of(run).name).write_bytes(file_of(run).read_bytes())
    file_of(run).unlink()
    assert Recording(run).find(REQUEST) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace('"stop"', '"perhaps"'),
        lambda text: text.replace('"usage": {', '"usage": [{').replace('"pages"', '"p"'),
        lambda text: text.replace('"text":', '"words":'),
        lambda text: text.replace(REQUEST.key, "0" * 32),
    ],
)
def test_a_damaged_record_is_none(make_run, damage):
    run = make_run("a")
    Recording(run).keep(REQUEST, REPLY)
    path = file_of(run)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert Recording(run).find(REQUEST) is None
    Recording(run).keep(REQUEST, REPLY)
    assert Recording(run).find(REQUEST) == REPLY


def test_a_record_that_is_a_folder_or_not_text_is_none(make_run):
    run = make_run("a")
    file_of(run).mkdir(parents=True)
    assert Recording(run).find(REQUEST) is None
    other = Request("plan", "m", "", "b")
    file_of(run, other).write_bytes(b"\xff\xfe\x00")
    assert Recording(run).find(other) is None


def test_threads_that_keep_the_same_reply_leave_one_whole_file(make_run):
    run = make_run("a")
    threads = [
        threading.Thread(target=Recording(run).keep, args=(REQUEST, REPLY)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in (run / "replies").iterdir()] == [file_of(run).name]
    assert Recording(run).find(REQUEST) == REPLY


def test_no_key_is_written(make_run):
    run = make_run("a")
    keys.remember("a-secret-of-mine")
    request = Request("plan", "m", "s", "the key is a-secret-of-mine")
    Recording(run).keep(request, Reply("AIzaSyA-bcdefghijklmnopqrstuvwxyz012345 a-secret-of-mine"))
    text = file_of(run, request).read_text()
    assert "a-secret-of-mine" not in text
    assert "AIza" not in text
    found = Recording(run).find(request)
    assert found is not None
    assert found.text == "(key) (key)"


def test_a_folder_that_cannot_be_written_is_one_line(make_run):
    run = make_run("a")
    (run / "replies").write_text("a file in the way")
    with pytest.raises(JournalError, match="make room and resume"):
        Recording(run).keep(REQUEST, REPLY)


def test_durations_and_the_limit_of_an_answer_do_not_change_a_question(make_run):
    slow = Request("plan", "m", "s", "it took 12.3 s, score 0.5", most=100)
    fast = Request("plan", "m", "s", "it took 4 s, score 0.5")
    other = Request("plan", "m", "s", "it took 4 s, score 0.6")
    assert slow.key == fast.key != other.key


def test_a_run_to_replay_is_found_by_path_or_by_name(make_run):
    run = make_run("a")
    Recording(run).keep(REQUEST, REPLY)
    assert find_replay(str(run), run.parent) == find_replay("a", run.parent) == run.resolve()


def test_a_run_that_cannot_be_replayed_is_refused_in_one_line(make_run):
    run = make_run("a")
    with pytest.raises(SettingsError, match="no recorded replies"):
        find_replay("a", run.parent)
    with pytest.raises(SettingsError, match="no run in 'b' to replay"):
        find_replay("b", run.parent)
