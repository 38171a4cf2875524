"""What a cast of language models writes to the journal, by hand, beside ``searched.search``."""

from __future__ import annotations

from typing import Any

from mlestar_jupyter.run import Run

PAGES = [["https://ridge.org/how", "How to <b>ridge</b>"], ["https://example.org/a", "A page"]]


def call(run: Run, number: int, role: str, **more: Any) -> None:
    """One event ``llm_called``, of a call that went well unless ``more`` says otherwise."""
    data = {
        "number": number, "role": role, "branch": 0, "candidate": "", "model": "gemini-2.5-flash",
        "try": 1, "status": "ok", "finish": "stop", "prompt": 1000, "cached": 100, "output": 200,
        "thoughts": 300, "cost": 0.01, "seconds": 2.0, "key": f"k{number}", "replayed": False,
        "pages": [],
    }  # fmt: skip
    run.emit("llm_called", **{**data, **more})


def answer(run: Run, role: str, calls: list[int], **more: Any) -> None:
    """One event ``role_answered``."""
    data = {"branch": 0, "candidate": "", "plan": "", "block": None}
    run.emit("role_answered", role=role, calls=calls, **{**data, **more})


def spend(run: Run) -> None:
    """Calls of a run that ``search`` was played on: good, failed, sent again, replayed."""
    nothing = {"prompt": 0, "cached": 0, "output": 0, "thoughts": 0, "cost": 0.0, "finish": ""}
    call(run, 1, "retrieve", pages=PAGES)
    answer(run, "retrieve", [1])
    call(run, 2, "initialize", status="429", **nothing)
    call(run, 3, "initialize", **{"try": 2})
    answer(run, "initialize", [2, 3], plan="Ridge")
    call(run, 4, "plan", model="gemini-2.5-pro", cost=0.05)
    answer(run, "plan", [4], plan="add ratios", block="features")
    call(run, 5, "code")
    answer(run, "code", [5], plan="add ratios", block="features")
    call(run, 6, "debug", candidate="0006", pages=PAGES[1:])
    answer(run, "debug", [6], candidate="0006")
    call(run, 7, "summarize", replayed=True, cost=0.0)
