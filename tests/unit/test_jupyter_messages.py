"""The protocol: each message is that of the golden file, which the front end's tests read too."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from front_end import Comm
from nbformat.v4 import new_output
from spent import answer, call

from mlestar_jupyter import run as run_module
from mlestar_jupyter.agents.llm.keys import VARIABLES
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.events import Event
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter import kernel as kernel_module
from mlestar_jupyter.jupyter import messages
from mlestar_jupyter.jupyter.channel import Channel
from mlestar_jupyter.notebook.telling import places, tellings, told_by
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
GOLDEN = Path(__file__).parents[1] / "golden" / "messages.json"
SOLUTION = Solution(
    (Block("load", "train = 1"), Block("model", "train + 1"), Block("predict", "train + 2")),
    "a first solution",
)
#: One transparent pixel, in the place of pictures that differ between versions of matplotlib.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)


@pytest.fixture
def run(
    build: Callable[..., Path],
    diabetes: Frames,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Run]:
    """A run in which each event takes half a second."""
    ticks = count(0, 0.25)
    clock = SimpleNamespace(
        time=lambda: 1_795_000_000.0 + next(ticks), monotonic=lambda: 100.0 + next(ticks)
    )
    monkeypatch.setattr(run_module, "time", clock)
    monkeypatch.setattr(run_module, "__version__", "0.1.0")
    monkeypatch.setattr(messages, "__version__", "0.1.0")
    monkeypatch.chdir(tmp_path)
    made = Run.create(
        Path("mlestar_runs/trial"),
        from_folder(build(*diabetes)),
        Settings(folds=2, solutions=1, jobs=2),
    )
    yield made
    made.close()


def judged(
    run: Run, solution: Solution, value: float | None, stage: Any = "refine", **more: Any
) -> Event:
    """Record a candidate whose first fold was executed; gives the event of its judgement."""
    parents = more.get("parents", ())
    name = run.propose(Proposal(stage, solution, more.get("plan", ""), parents, more.get("block")))
    if value is not None:
        notebook = solution.to_notebook()
        for number, cell in enumerate(notebook.cells):
            cell.execution_count = number + 1
            cell.outputs = [new_output("stream", name="stdout", text="fitted\n")]
        nbformat.write(notebook, run.candidate_folder(name) / "fold-1.ipynb")
    score = (
        None
        if value is None
        else Score(value, (value - 1, value + 1), (60, 60), 1.5, "rmse", False)
    )
    status: Any = "ok" if score else "failed"
    run.record(
        Candidate(
            name, stage, solution, status=status, score=score, seconds=4.5, slowest=2.5, **more
        )
    )
    return next(e for e in reversed(run.events) if e.kind == "candidate_judged")


def spend(run: Run) -> None:
    """What a cast of language models writes of two calls."""
    page = [["https://example.org/forests", "How many trees"]]
    call(run, 1, "plan", model="gemini-2.5-flash")
    call(run, 2, "code", candidate="0003", pages=page)
    answer(run, "plan", [1], plan="more trees", block="model")


def play(run: Run) -> dict[str, Event]:
    """A small run, from the first solution to the end."""
    heard = {"stage": run.emit("stage_started", stage="initialize", branch=None)}
    heard["judged"] = judged(run, SOLUTION, 60.0, "initialize")
    heard["accepted"] = run.emit(
        "incumbent_changed", branch=0, id="0001", best=True, reason="the first"
    )
    run.emit("stage_started", stage="refine", branch=0)
    variant = SOLUTION.replace("model", "train", title="without the model")
    judged(run, variant, 72.0, "ablate", parents=("0001",), block="model")
    results = [
        {"block": "model", "change": "a constant", "candidate": "0002", "score": 72.0,
         "gain": 12.0, "seconds": 4.5},
        {"block": "predict", "change": "not clipped", "candidate": "0003", "score": 59.5,
         "gain": -0.5, "seconds": 4.5},
    ]  # fmt: skip
    heard["study"] = run.emit(
        "ablation_measured", candidate="0001", branch=0, results=results, summary="It is the model."
    )
    run.emit(
        "target_chosen", candidate="0001", branch=0, block="model", plan="more trees",
        reason="the largest gain",
    )  # fmt: skip
    better = SOLUTION.replace("model", "train + 10", title="more trees")
    judged(run, better, 58.0, parents=("0001",), block="model", plan="more trees")
    run.emit("incumbent_changed", branch=0, id="0003", best=True, reason="better in 99 % of draws")
    worse = SOLUTION.replace("model", "train + nothing", title="fewer trees")
    judged(run, worse, None, parents=("0003",), block="model", plan="fewer trees",
           reason="block model: NameError: name 'nothing' is not defined")  # fmt: skip
    heard["lost"] = run.emit("plan_lost", branch=0, id="0004", reason="it failed")
    return heard


def settled(value: Any, run: Run) -> Any:
    """The message without what differs between machines."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text = text.replace(str(run.folder.parents[1]), "/home/user")
    return _without_pictures(json.loads(text))


def _without_pictures(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: PIXEL if k == "image/png" and isinstance(v, str) else _without_pictures(v)
            for k, v in value.items()
        }
    return [_without_pictures(v) for v in value] if isinstance(value, list) else value


def examples(run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One example of each message, by what it is."""
    kernel = {"python": "3.11.7", "ipykernel": "7.4.0", "subshells": True, "folder": "/home/user"}
    monkeypatch.setattr(kernel_module, "facts", lambda: kernel)
    trips = pd.DataFrame({"km": [1.0, 2.0], "fare": [3, 4]})
    for variable in (*VARIABLES["gemini"], *VARIABLES["openai"], "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("GOOGLE_GENAI_USE_VERTEXAI", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-that-is-never-sent")
    monkeypatch.setattr(kernel_module, "namespace", lambda: {"trips": trips, "_": trips})

    def pin(folder: Path | None, block: str | None = None) -> str:
        return f"the next target block is {block}"

    verbs = {"pin": pin, "pause": lambda folder: None, "status": lambda folder: {}}
    # The thread that sends looks at the clock, which ticks at each look: nothing is sent here.
    monkeypatch.setattr(Channel, "_start_sender", lambda self: None)
    channel = Channel(verbs, lambda: {"agents": "playbook", "jobs": 2, "time": "10m"})
    channel.attach(run, anchor="the-cell-of-the-magic")
    comm = Comm()
    greeting = {"type": "hello", "id": "1", "protocol": 1, "front_end": "jupyterlab 0.1.0",
                "comm": None}  # fmt: skip
    greeted: dict[str, Any] = {}

    def ask(name: str, request: dict[str, Any]) -> None:
        asked[name] = {"request": request, "reply": comm.ask(request)}

    heard = play(run)
    os.utime(run.folder / "journal.jsonl", (1_795_000_100.0,) * 2)
    channel._opened(comm, {"content": {"data": greeting}})
    greeted = {"request": greeting, "reply": comm.sent[-1]}
    asked: dict[str, Any] = {"hello": greeted}
    ask("snapshot", {"type": "snapshot", "id": "2", "run": None})
    headings = [t["heading"] for t in asked["snapshot"]["reply"]["result"]["tellings"]]
    name = asked["snapshot"]["reply"]["result"]["run"]
    ask("cells", {"type": "cells", "id": "3", "run": name, "headings": headings[-1:]})
    ask("candidate", {"type": "candidate", "id": "4", "run": name, "candidate": "0003"})
    ask("runs", {"type": "runs", "id": "5"})
    ask("command", {"type": "command", "id": "6", "run": name, "verb": "pin",
                    "arguments": {"block": "model"}})  # fmt: skip
    ask("unknown verb", {"type": "command", "id": "7", "run": name, "verb": "dance",
                         "arguments": {}})  # fmt: skip
    ask("unknown run", {"type": "snapshot", "id": "8", "run": "mlestar_runs/nowhere"})
    ask("form", {"type": "form", "id": "10", "data": None, "train": "trips"})
    stranger = Comm()
    channel._opened(stranger, {"content": {"data": {**greeting, "id": "9", "protocol": 2}}})
    asked["version mismatch"] = {
        "request": {**greeting, "id": "9", "protocol": 2}, "reply": stranger.sent[-1],
    }  # fmt: skip

    prefix = asked["snapshot"]["reply"]["result"]["prefix"]
    anchor = "the-cell-of-the-magic"

    def cells(event: Event) -> dict[str, Any]:
        told = told_by(run, event)
        assert told is not None
        return messages.cells(name, prefix, anchor, told)

    def status(**more: Any) -> dict[str, Any]:
        last = run.events[-1]
        values = {"elapsed": last.elapsed, "is_at_work": True, **more}
        return messages.status(name, run.state, last.seq, **values)

    sent = {
        "hello": messages.hello(kernel, channel.handlers),
        "event": messages.event(name, heard["judged"]),
        "event: a study": messages.event(name, heard["study"]),
        "cells: a candidate": cells(heard["judged"]),
        "cells: a verdict": cells(heard["accepted"]),
        "cells: a study": cells(heard["study"]),
        "status: working": status(),
        "status: cut off": status(is_at_work=False),
    }
    report = {"branch": 0, "number": 1, "of": 4, "incumbent": "0003", "found": "it is the model",
              "next": "refine model"}  # fmt: skip
    run.emit("step_waiting", reports=[report])
    sent["status: waiting"] = status()
    run.emit("resumed")
    run.emit("paused")
    sent["status: paused"] = status()
    run.emit("resumed")
    spend(run)
    ask("a candidate that models have proposed", {"type": "candidate", "id": "11", "run": name,
                                                  "candidate": "0003"})  # fmt: skip
    sent["writing"] = messages.writing(name, Writing("plan", 0, "Bin the widths by quantiles"))
    run.emit("agents_changed", **{"from": "gemini", "to": "playbook", "reason": "no money is left"})
    sent["event: the cast has changed"] = messages.event(name, run.events[-1])
    sent["status: with what was spent"] = status()
    run.emit("run_finished", reason="stopped")
    sent["status: stopped"] = status()
    run.emit("session_started")
    run.emit("run_finished", reason="finished")
    sent["status: finished"] = status(is_at_work=False)
    return {"protocol": messages.PROTOCOL, "mlestar": sent, "mlestar.control": asked}


def test_each_message_is_that_of_the_golden_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = settled(examples(run, monkeypatch), run)
    if os.environ.get("MLESTAR_UPDATE_GOLDEN"):
        text = json.dumps(made, indent=1, ensure_ascii=False)
        GOLDEN.write_text(f"{text}\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for way in ("mlestar", "mlestar.control"):
        assert list(made[way]) == list(golden[way])
        for name, message in made[way].items():
            assert message == golden[way][name], f"{name} has changed: see tests/golden/README.md"
    assert made["protocol"] == golden["protocol"]


def test_no_key_is_in_any_message() -> None:
    assert "never-sent" not in GOLDEN.read_text(encoding="utf-8")


def test_the_golden_cells_are_cells_of_a_notebook() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    told = [m for name, m in golden["mlestar"].items() if name.startswith("cells")]
    assert len(told) == 3
    for message in told:
        notebook = nbformat.from_dict(
            {"cells": message["cells"], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        )
        nbformat.validate(notebook)
        for cell in message["cells"]:
            assert cell["id"].startswith(message["prefix"])
            assert cell["metadata"]["mlestar"]["run"] == "trial"


def test_the_documentation_names_every_message_and_field() -> None:
    text = (GOLDEN.parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    exchanged = [*golden["mlestar"].values()]
    for asked in golden["mlestar.control"].values():
        exchanged += [asked["request"], asked["reply"]]
        if isinstance(asked["reply"].get("result"), dict) and "type" in asked["reply"]["result"]:
            exchanged.append(asked["reply"]["result"])
    for message in exchanged:
        assert f"`{message['type']}`" in text
        for field in message:
            assert f"`{field}`" in text, f"{message['type']}: {field}"


def test_what_a_snapshot_tells_is_what_was_told_as_it_happened(run: Run) -> None:
    live: dict[str, Any] = {}
    run.listeners.append(lambda event: live.update({event.seq: told_by(run, event)}))
    play(run)
    shown: dict[str, str] = {}
    for told in live.values():
        for cell in told.cells if told else ():
            if cell.id in shown and shown[cell.id] != cell.source:
                assert shown[cell.id] in told.replaces[cell.id]
            shown[cell.id] = cell.source
    known = places("trial", run.events)
    assert [(p.candidate, p.is_study) for p in known] == [
        ("0001", False), ("0001", True), ("0003", False), ("0004", False),
    ]  # fmt: skip
    later = list(tellings(run, {p.heading for p in known}))
    assert [t.cells[0].id for t in later] == [p.heading for p in known]
    assert {c.id: c.source for t in later for c in t.cells} == shown


def test_a_variant_of_a_study_and_what_was_cut_off_have_no_cells(run: Run) -> None:
    variant = judged(run, SOLUTION, 60.0, "ablate")
    assert told_by(run, variant) is None
    lost = run.emit("plan_lost", branch=0, id="0001", reason="no gain")
    assert told_by(run, lost) is None
    cut = judged(run, SOLUTION.replace("model", "0"), None)
    off = Event(cut.seq, cut.kind, cut.at, cut.elapsed, {**cut.data, "status": "cancelled"})
    assert told_by(run, off) is None


def test_what_is_no_json_becomes_json() -> None:
    value = {
        1: float("nan"), "inf": np.float64("inf"), "count": np.int64(3), "path": Path("a/b"),
        "set": {2}, "bool": np.bool_(True), "array": np.arange(3),
    }  # fmt: skip
    made = messages.plain(value)
    assert made == {
        "1": None, "inf": None, "count": 3, "path": str(Path("a/b")), "set": [2], "bool": True,
        "array": "[0 1 2]",
    }  # fmt: skip
    json.dumps(made, allow_nan=False)


def test_tracebacks_stay_in_the_notebooks() -> None:
    failure = {"block": "model", "name": "E", "message": "m", "traceback": "long"}
    happened = Event(0, "candidate_executed", 0.0, 0.0, {"id": "0001", "failure": failure})
    assert "traceback" not in messages.record(happened)["failure"]
    assert "traceback" in failure
