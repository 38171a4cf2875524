"""Where a run waits for its user: nothing passes before it was shown, and the clock stands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlestar_jupyter.algorithm.gate import Gate
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings

PATIENCE = 30.0


@pytest.fixture
def run(build: Callable[..., Path], diabetes: object, tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", from_folder(build(*diabetes)), Settings(folds=2))  # type: ignore[misc]


class Branch(threading.Thread):
    """A branch that waits at the gate in a thread of its own."""

    def __init__(self, gate: Gate, number: int) -> None:
        super().__init__(daemon=True)
        self.gate, self.number = gate, number
        self.is_stopped = False
        gate.enter(number)

    def run(self) -> None:
        try:
            self.gate.wait_for_user(self.number, {"branch": self.number})
        except Stopped:
            self.is_stopped = True

    def begin(self) -> Branch:
        self.start()
        return self


def arrived(gate: Gate, number: int) -> bool:
    return number in gate._reports


def until(condition: Callable[[], bool]) -> None:
    changed = threading.Event()
    for _ in range(round(PATIENCE / 0.01)):
        if condition():
            return
        changed.wait(0.01)
    raise AssertionError("it never came")


def test_branches_wait_for_each_other_and_the_user_is_told_of_all_of_them(run: Run) -> None:
    gate = Gate(run, lambda: False)
    first, second = Branch(gate, 0), Branch(gate, 1)
    first.begin()
    until(lambda: arrived(gate, 0))
    assert run.state.waiting == []
    second.begin()
    until(lambda: bool(run.state.waiting))
    assert run.state.waiting == [{"branch": 0}, {"branch": 1}]
    before = run.elapsed
    assert run.elapsed == before
    gate.open()
    first.join(PATIENCE)
    second.join(PATIENCE)
    assert not first.is_alive()
    assert not second.is_alive()
    assert run.state.waiting == []


def test_a_pause_does_not_let_a_branch_pass_that_nobody_was_told_of(run: Run) -> None:
    gate = Gate(run, lambda: False)
    first, second = Branch(gate, 0), Branch(gate, 1)
    first.begin()
    until(lambda: arrived(gate, 0))
    gate.pause()
    assert run.state.paused
    gate.open()
    assert not run.state.paused
    assert arrived(gate, 0), "it waits still"
    second.begin()
    until(lambda: len(run.state.waiting) == 2)
    gate.open()
    first.join(PATIENCE)
    assert not first.is_alive()
    second.join(PATIENCE)


def test_a_branch_that_ends_is_waited_for_no_longer(run: Run) -> None:
    gate = Gate(run, lambda: False)
    first = Branch(gate, 0)
    gate.enter(1)
    first.begin()
    until(lambda: arrived(gate, 0))
    gate.leave(1)
    assert run.state.waiting == [{"branch": 0}]
    gate.open()
    first.join(PATIENCE)
    assert not first.is_alive()


def test_a_stop_is_heard_by_who_waits(run: Run) -> None:
    stopped = threading.Event()
    gate = Gate(run, stopped.is_set)
    branch = Branch(gate, 0).begin()
    until(lambda: bool(run.state.waiting))
    stopped.set()
    branch.join(PATIENCE)
    assert branch.is_stopped
    gate.pause()
    with pytest.raises(Stopped):
        gate.wait_while_paused()
