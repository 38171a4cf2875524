"""Copies of folders with many files: handed on when nobody changed them, and never shared."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mlestar_jupyter.execution.copies import Copies
from mlestar_jupyter.execution.folder import WorkingFolder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="GNU find tells what was changed")

FILES = 150
Seen = dict[str, tuple[int, int]]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder that nobody else uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for number in range(FILES):
        (folder / "deep" / f"{number}.png").write_text(f"picture {number}")
    (folder / "7.png").write_text("original")
    return folder


@pytest.fixture
def copies() -> Iterator[Copies]:
    copies = Copies(2)
    yield copies
    copies.close()


@contextmanager
def execution(copies: Copies, source: Path) -> Iterator[Path]:
    """What an execution sees of the source, in a working folder of its own."""
    with WorkingFolder() as folder:
        lent = copies.stage(folder, {"images": source}, lambda: False)
        time.sleep(0.02)  # a kernel takes longer to start
        yield folder.work / "images"
        copies.take_back(lent)


def seen(folder: Path) -> Seen:
    """Which files these are; a new one may have the number of one that is gone, not its time."""
    stats = {str(path.relative_to(folder)): path.stat() for path in folder.rglob("*")}
    return {name: (stat.st_ino, stat.st_ctime_ns) for name, stat in stats.items()}


def content(folder: Path) -> dict[str, object]:
    """Names, modes and texts of all that is in a folder, and the mode of the folder."""
    paths = [folder, *folder.rglob("*")]
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.is_file() and path.read_text())
        for path in paths
    }


def test_what_an_execution_left_as_it_was_is_what_the_next_one_gets(
    copies: Copies, images: Path
) -> None:
    found = []
    for _ in range(3):
        with execution(copies, images) as folder:
            found.append(seen(folder))
            assert content(folder) == content(images)
    assert found[1:] == [found[0]] * 2
    assert not found[0].items() & seen(images).items()


def _write_in_place(folder: Path) -> None:
    before = (folder / "7.png").stat()
    (folder / "7.png").write_text("ORIGINAL")
    os.utime(folder / "7.png", ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(folder: Path) -> None:
    before = (folder / "7.png").stat()
    (folder / "new").write_text("ORIGINAL")
    os.utime(folder / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "new").rename(folder / "7.png")


def _move_and_link(folder: Path) -> None:
    (folder / "deep" / "7.png").rename(folder.parent / "7.png")
    (folder / "deep" / "7.png").symlink_to(folder.parent / "7.png")


def _link_the_whole(folder: Path) -> None:
    folder.rename(folder.parent / "moved")
    folder.symlink_to(folder.parent / "moved")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_write_in_place, id="a file is written in place, and its time set back"),
        pytest.param(_replace, id="another file of that size and time has its name"),
        pytest.param(_move_and_link, id="a link has its name"),
        pytest.param(_link_the_whole, id="a link has the name of the folder"),
        pytest.param(lambda f: (f / "deep" / "new").write_text(""), id="a file is added"),
        pytest.param(lambda f: (f / "deep" / "7.png").unlink(), id="a file is removed"),
        pytest.param(lambda f: (f / "7.png").unlink(), id="a file of the folder is removed"),
        pytest.param(lambda f: (f / "7.png").chmod(0o444), id="the mode of a file"),
        pytest.param(lambda f: (f / "deep").chmod(0o500), id="the mode of a folder in it"),
        pytest.param(lambda f: f.chmod(0o500), id="the mode of the folder"),
        pytest.param(lambda f: (f / "x").hardlink_to(f / "7.png"), id="a second name"),
        pytest.param(shutil.rmtree, id="all is removed"),
    ],
)
def test_what_an_execution_changed_is_copied_anew_for_the_next(
    copies: Copies, images: Path, change: Callable[[Path], object]
) -> None:
    with execution(copies, images) as folder:
        first = seen(folder)
        change(folder)
    with execution(copies, images) as folder:
        assert content(folder) == content(images)
        assert not first.items() & seen(folder).items()


def test_what_was_handed_on_and_then_changed_is_copied_anew(copies: Copies, images: Path) -> None:
    for _ in range(2):
        with execution(copies, images) as folder:
            handed_on = seen(folder)
    with execution(copies, images) as folder:
        assert seen(folder) == handed_on
        _write_in_place(folder)
    with execution(copies, images) as folder:
        assert content(folder) == content(images)


def test_executions_side_by_side_never_share_a_copy(copies: Copies, images: Path) -> None:
    pairs = []
    for _ in range(2):
        with execution(copies, images) as one, execution(copies, images) as two:
            pairs.append((seen(one), seen(two)))
    for one, two in pairs:
        assert not one.items() & two.items()
    assert all(copy in pairs[0] for copy in pairs[1])


def test_no_more_are_kept_than_there_are_jobs_and_none_when_it_is_closed(
    images: Path, temporary: Path
) -> None:
    copies = Copies(2)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(execution(copies, images))
    assert len(list(temporary.rglob("7.png"))) == 2 * 2
    copies.close()
    assert list(temporary.iterdir()) == []
    with execution(copies, images) as folder:
        assert content(folder) == content(images)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_write_in_place, id="a file is written in place, and its time set back"),
        pytest.param(lambda f: (f / "deep" / "new").write_text("new"), id="a file is added"),
        pytest.param(lambda f: (f / "7.png").chmod(0o444), id="a mode"),
        pytest.param(
            lambda f: (f.parent / "far").write_text("FARAWAY!"), id="what a link leads to"
        ),
    ],
)
def test_a_source_that_has_changed_is_copied_anew(
    copies: Copies, images: Path, change: Callable[[Path], object]
) -> None:
    (images.parent / "far").write_text("far away")
    (images / "link.png").symlink_to(images.parent / "far")
    for _ in range(2):
        with execution(copies, images) as folder:
            first = seen(folder)
            assert (folder / "link.png").read_text() == "far away"
    change(images)
    with execution(copies, images) as folder:
        assert not first.items() & seen(folder).items()
        for name in ("7.png", "link.png"):
            assert (folder / name).read_text() == (images / name).read_text()
            assert (folder / name).stat().st_mode == (images / name).stat().st_mode
        assert (folder / "deep" / "new").exists() == (images / "deep" / "new").exists()


def test_the_copy_of_an_unchanged_copy_is_one_of_the_original(copies: Copies, images: Path) -> None:
    with execution(copies, images) as folder:
        first = seen(folder)
    with (
        execution(copies, images) as parked,
        execution(copies, images),
        WorkingFolder() as aside,
    ):
        assert seen(parked) == first
        lent = copies.stage(aside, {"images": images}, lambda: False)
        waiting = seen(aside.work / "images")
        copies.take_back(lent)
        with execution(copies, parked) as fork:
            assert seen(fork) == waiting
        _write_in_place(parked)
        with execution(copies, parked) as fork:
            assert (fork / "7.png").read_text() == "ORIGINAL"


def test_inputs_that_lie_in_one_another_are_not_taken_for_one_of_them(
    copies: Copies, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "note").write_text("a note")
    with WorkingFolder() as folder:
        inputs = {"images/deep/note": tmp_path / "note", "images": images}
        lent = copies.stage(folder, inputs, lambda: False)
        assert (folder.work / "images" / "deep" / "note").read_text() == "a note"
        copies.take_back(lent)
    with execution(copies, images) as whole:
        assert content(whole) == content(images)


def test_half_of_a_copy_is_not_handed_on(copies: Copies, images: Path) -> None:
    with WorkingFolder() as folder:
        lent = copies.stage(folder, {"images": images}, lambda: True)
        copies.take_back(lent)
    with execution(copies, images) as whole:
        assert content(whole) == content(images)


def test_without_the_program_that_tells_changes_everything_is_copied(
    copies: Copies, images: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "find" else which(name))
    for _ in range(2):
        with execution(copies, images) as folder:
            assert content(folder) == content(images)
        assert list(temporary.iterdir()) == []


def test_where_folders_cannot_be_moved_everything_is_copied(copies: Copies, images: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    with pytest.MonkeyPatch.context() as patch, execution(copies, images) as folder:
        not_taken_back = seen(folder)
        patch.setattr(Path, "rename", refuse)
    with execution(copies, images) as folder:
        waiting = seen(folder)
        assert not not_taken_back.items() & waiting.items()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with execution(copies, images) as folder:
            assert not waiting.items() & seen(folder).items()
            assert content(folder) == content(images)
