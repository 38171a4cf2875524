"""Parcels: content has a name, is cut into pieces, and arrives as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution import parcels
from mlestar_jupyter.execution.parcels import Parcel, Store, Weighing, read, weigh


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "PIECE", 100)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(1_000)
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name, size in {"a": 0, "deep/b": 250, "deep/c": 30, "deep/er/d": 100, "e": 1}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(size))
    (folder / "empty").mkdir()
    return folder


def send(source: Path, store: Store, parcel: Parcel | None = None) -> Path | None:
    parcel = parcel or weigh(source)
    for number, piece in enumerate(parcel.pieces()):
        store.put(parcel, number, read(source, piece))
    return store.path(parcel.key)


def content(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_folder_arrives_with_every_byte_and_every_empty_folder(
    folder: Path, store: Store
) -> None:
    arrived = send(folder, store)
    assert arrived is not None
    assert content(arrived) == content(folder)


def test_no_piece_is_larger_than_allowed_and_small_files_share_one(folder: Path) -> None:
    pieces = weigh(folder).pieces()
    sizes = [sum(map(len, read(folder, piece))) for piece in pieces]
    assert max(sizes) == 100
    assert sum(sizes) == 381
    assert len(pieces) == 5


@pytest.mark.parametrize("size", [0, 1, 100, 101, 700])
def test_a_file_arrives_as_a_file(size: int, tmp_path: Path, store: Store) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes(os.urandom(size))
    arrived = send(file, store)
    assert arrived is not None
    assert arrived.read_bytes() == file.read_bytes()


def test_equal_content_has_one_name_and_other_content_another(folder: Path, tmp_path: Path) -> None:
    weighing = Weighing()
    before = weighing.parcel("data", folder)
    copy = tmp_path / "copy"
    for name, data in content(folder).items():
        path = copy / name
        path.mkdir(parents=True) if data is None else None
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    assert weighing.parcel("data", copy).key == before.key
    (folder / "e").rename(folder / "f")
    assert weighing.parcel("data", folder).key != before.key
    (folder / "f").rename(folder / "e")
    assert weighing.parcel("data", folder).key == before.key
    (folder / "e").write_bytes(b"other")
    assert weighing.parcel("data", folder).key != before.key


def test_what_was_used_long_ago_makes_room_and_what_is_held_stays(
    tmp_path: Path, store: Store
) -> None:
    files = []
    for name in "abcd":
        (tmp_path / name).write_bytes(os.urandom(300))
        files.append(tmp_path / name)
    first, second, third, fourth = (weigh(file) for file in files)
    for file in files[:3]:
        assert send(file, store) is not None
    store.path(second.key)
    with store.holding([first.key]) as missing:
        assert missing == []
        send(files[3], store)
        kept = [p for p in (first, second, third, fourth) if store.path(p.key) is not None]
    assert kept == [first, second, fourth]
    with store.holding([first.key, third.key]) as missing:
        assert missing == [third.key]


def test_data_that_is_changed_on_its_way_is_not_kept(tmp_path: Path, store: Store) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes(bytes(150))
    parcel = weigh(file)
    file.write_bytes(b"x" * 150)
    with pytest.raises(ExecutionError, match="data was changed while it was sent"):
        send(file, store, parcel)
    assert store.path(parcel.key) is None


def test_a_folder_is_trusted_for_some_time_and_then_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(parcels.time, "monotonic", lambda: now)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("1")
    weighing = Weighing(trust=60)
    first = weighing.parcel("data", tmp_path / "data")
    (tmp_path / "data" / "b").write_text("2")
    now += 59
    assert weighing.parcel("data", tmp_path / "data") is first
    now += 2
    assert weighing.parcel("data", tmp_path / "data").key != first.key
