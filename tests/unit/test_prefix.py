"""Which states are named alike, and which of them are kept."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlestar_jupyter.execution.parcels import Weighing
from mlestar_jupyter.execution.prefix import (
    ReusedCell,
    Snapshot,
    Snapshots,
    chain,
    draws_from_the_system,
    salt,
    seeds,
)


@dataclass
class Held:
    """A holder without a process."""

    memory: int = 10
    is_alive: bool = True
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Parking:
    """Makes holders, and remembers what it was asked for."""

    works: bool = True
    asked: list[tuple[int, int]] = field(default_factory=list)
    made: list[Held] = field(default_factory=list)

    def __call__(
        self, base: Snapshot | None, cells: int
    ) -> tuple[Held, tuple[ReusedCell, ...]] | None:
        begin = len(base.cells) if base else 0
        self.asked.append((begin, cells))
        if not self.works:
            return None
        self.made.append(Held())
        return self.made[-1], tuple(ReusedCell(n + 1, 1.0, []) for n in range(begin, cells))


def names(*cells: str) -> list[str]:
    return chain(cells, "salt")


def test_states_are_named_alike_when_all_that_led_to_them_is_alike() -> None:
    one, other = names("a", "b", "c"), names("a", "b", "d")
    assert one[:2] == other[:2]
    assert one[2] != other[2]
    assert names("a", "x", "c")[2] != one[2]
    assert names("ab", "c")[1] != names("a", "bc")[1]
    assert chain(["a"], "other salt") != names("a")


def test_the_salt_follows_the_environment_and_the_content_of_the_data(tmp_path: Path) -> None:
    table, folder = tmp_path / "train.csv", tmp_path / "data"
    folder.mkdir()
    table.write_text("a\n1\n")
    (folder / "more.csv").write_text("b\n2\n")
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    (folder / "inner").mkdir()
    (folder / "inner" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.csv").write_text("c\n1\n")
    weighing = Weighing()

    def told(environment: dict[str, str]) -> str:
        inputs = {"train.csv": table, "data": linked}
        return salt(environment, [(n, weighing.parcel(n, p).key) for n, p in inputs.items()])

    first = told({"OMP_NUM_THREADS": "1"})
    assert told({"OMP_NUM_THREADS": "1"}) == first
    assert told({"OMP_NUM_THREADS": "2"}) != first
    table.write_text("a\n3\n")
    second = told({"OMP_NUM_THREADS": "1"})
    assert second != first
    (folder / "more.csv").write_text("b\n2\n3\n")
    third = told({"OMP_NUM_THREADS": "1"})
    assert third != second
    (tmp_path / "elsewhere" / "x.csv").write_text("c\n2\n9\n")
    assert told({"OMP_NUM_THREADS": "1"}) != third, "what links lead to is staged as well"


@pytest.mark.parametrize(
    ("source", "draws"),
    [
        ("x = np.random.default_rng(0)", False),
        ("x = np.random.default_rng(seed=seed)", False),
        ("x = np.random.default_rng()", True),
        ("x = np.random.default_rng(None)", True),
        ("np.random.seed()", True),
        ("np.random.seed(3)", False),
        ("rng = np.random.RandomState()", True),
        ("r = random.Random(1)", False),
        ("r = random.SystemRandom()", True),
        ("import secrets", True),
        ("from secrets import token_bytes", True),
        ("name = uuid.uuid4()", True),
        ("os.urandom(3)", True),
        ("await something()", True),
        ("%matplotlib inline", True),
        ("model = Ridge().fit(X, y)", False),
    ],
)
def test_randomness_of_the_system_is_told_from_the_source(source: str, draws: bool) -> None:
    assert draws_from_the_system([source]) is draws


def test_seeding_the_common_generators_is_told_from_the_source() -> None:
    assert seeds(["import numpy as np", "np.random.seed(0)"])
    assert seeds(["random.seed(seed)"])
    assert not seeds(["x = np.random.rand()"])


def test_a_state_is_kept_from_the_second_time_that_it_is_met() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    assert kept.take(names("a", "b", "c"), park) is None
    kept.learn(names("a", "b", "c"), [1, 1, 1])
    taken = kept.take(names("a", "b", "d"), park)
    assert taken is not None
    snapshot, is_new = taken
    assert (len(snapshot.cells), is_new, park.asked) == (2, True, [(0, 2)])
    kept.give_back(snapshot)
    again = kept.take(names("a", "b", "e"), park)
    assert again == (snapshot, False)
    assert park.asked == [(0, 2)]


def test_a_longer_state_goes_on_from_a_shorter_one() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    kept.learn(names("a", "b", "c", "d"), [1, 1, 1, 1])
    first = kept.take(names("a", "x"), park)
    second = kept.take(names("a", "b", "c", "y"), park)
    assert first is not None
    assert second is not None
    assert park.asked == [(0, 1), (1, 3)]
    assert [cell.count for cell in second[0].cells] == [1, 2, 3]


def test_what_takes_no_time_is_not_kept() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    kept.learn(names("a", "b", "c"), [0.1, 0.2, 9])
    assert kept.take(names("a", "b", "d"), park) is None
    assert park.asked == []


def test_a_state_that_saves_less_than_is_asked_for_is_neither_made_nor_taken() -> None:
    kept, park = Snapshots(32, 1000), Parking()
    kept.learn(names("a", "b", "c"), [1.0, 2.0, 3.0])
    assert kept.take(names("a", "b", "x"), park, 3.5) is None
    assert park.asked == []
    taken = kept.take(names("a", "b", "x"), park, 3.0)
    assert taken is not None
    kept.give_back(taken[0])
    assert kept.take(names("a", "b", "y"), park, 3.5) is None


def test_a_notebook_that_was_executed_is_never_taken_whole() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    kept.learn(names("a", "b"), [5, 5])
    taken = kept.take(names("a", "b"), park)
    assert taken is not None
    assert len(taken[0].cells) == 1


def test_what_cannot_be_kept_is_not_tried_again() -> None:
    kept, park = Snapshots(10, 1000), Parking(works=False)
    kept.learn(names("a", "b"), [5, 5])
    assert kept.take(names("a", "c"), park) is None
    assert kept.take(names("a", "d"), park) is None
    assert park.asked == [(0, 1)]


def test_an_error_while_it_is_made_leaves_nothing_in_use() -> None:
    kept = Snapshots(10, 1000)
    kept.learn(names("a", "b", "c"), [5, 5, 5])
    base = kept.take(names("a", "x"), Parking())
    assert base is not None

    def broken(*_: object) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        kept.take(names("a", "b", "y"), broken)
    assert base[0].users == 1


@pytest.mark.parametrize(("most", "memory"), [(2, 1000), (10, 25)])
def test_the_least_recently_used_states_go_when_there_are_too_many(most: int, memory: int) -> None:
    kept, park = Snapshots(most, memory), Parking()
    for cell in ("a", "b", "c"):
        kept.learn(names(cell, "z"), [5, 5])
    for cell in ("a", "b", "a", "c"):
        taken = kept.take(names(cell, "y"), park)
        assert taken is not None
        kept.give_back(taken[0])
    assert [held.closed for held in park.made] == [False, True, False]


def test_what_is_in_use_or_stood_upon_does_not_go() -> None:
    kept, park = Snapshots(1, 1000), Parking()
    kept.learn(names("a", "b", "c"), [5, 5, 5])
    first = kept.take(names("a", "x"), park)
    second = kept.take(names("a", "b", "x"), park)
    assert first is not None
    assert second is not None
    assert not any(held.closed for held in park.made)
    kept.give_back(first[0])
    assert not any(held.closed for held in park.made), "the second stands on it"
    kept.give_back(second[0])
    assert [held.closed for held in park.made] == [False, True]


def test_a_state_whose_process_has_died_is_made_again() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    kept.learn(names("a", "b"), [5, 5])
    first = kept.take(names("a", "c"), park)
    assert first is not None
    kept.give_back(first[0])
    park.made[0].is_alive = False
    again = kept.take(names("a", "c"), park)
    assert again is not None
    assert again[1]
    assert park.asked == [(0, 1), (0, 1)]


def test_two_at_once_make_a_state_once() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    kept.learn(names("a", "b"), [5, 5])
    taken: list[bool] = []

    def take(cell: str) -> None:
        found = kept.take(names("a", cell), park)
        assert found is not None
        taken.append(found[1])

    threads = [threading.Thread(target=take, args=(cell,)) for cell in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, True]
    assert park.asked == [(0, 1)]


def test_giving_up_ends_all_that_is_idle_and_what_it_stood_on() -> None:
    kept, park = Snapshots(32, 1000), Parking()
    for cells in (("a", "b", "c"), ("a", "x", "y")):
        kept.learn(names(*cells), [1.0, 2.0, 3.0])
        taken = kept.take(names(*cells[:2], "z"), park)
        assert taken is not None
        if cells[1] == "x":
            used = taken[0]
        else:
            kept.give_back(taken[0])
    kept.give_up_idle()
    assert [held.closed for held in park.made] == [s is not used.holder for s in park.made]
    kept.give_back(used)
    kept.give_up_idle()
    assert all(held.closed for held in park.made)


def test_closing_ends_those_that_stand_on_others_first() -> None:
    kept, park = Snapshots(10, 1000), Parking()
    kept.learn(names("a", "b", "c"), [5, 5, 5])
    kept.take(names("a", "x"), park)
    kept.take(names("a", "b", "x"), park)
    kept.close()
    assert all(held.closed for held in park.made)
