"""The working folder of one execution: filled with copies, taken away at the end."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from types import TracebackType
from typing import IO

from mlestar_jupyter.errors import ExecutionError

_FICLONE = 0x40049409  # linux/fs.h: let a file share the blocks of another, copied on write
_MENDS = {
    errno.ENOSPC: "make room on that disk (TMPDIR chooses another one for working folders)",
    errno.EDQUOT: "make room: the quota is used up",
    errno.EACCES: "make it readable and writable",
    errno.EPERM: "make it readable and writable",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOTDIR: "choose another folder",
    errno.EEXIST: "choose another folder",
    errno.EMFILE: "run fewer jobs side by side, or raise `ulimit -n`",
}


_LOOK_SECONDS = 0.2
_MANY = 100  # files: a process of its own costs as much
_PREFIX = "mlestar-"
_LOCK = "mlestar.lock"
_ABANDONED_AFTER = 60.0  # seconds: a folder that has just been made may not be locked yet

IsOver = Callable[[], object]
#: Copies a folder with many files to a place; stops half-way when it is over.
CopyMany = Callable[[Path, Path, IsOver], None]


class WorkingFolder:
    """A new temporary folder: ``work``, where the notebook runs, and beside it what we need.

    As a context it is removed at the end, whatever happens. Those of a process that was killed
    are removed by the next one: a lock, which the system drops by itself, tells who is alive.

    With ``within`` it lies in the other one, and is gone when that is.
    """

    def __init__(self, within: WorkingFolder | None = None) -> None:
        self.scratch: Path
        self._inner = itertools.count(1)
        parent = Path(tempfile.gettempdir()) if within is None else within.scratch
        if within is None:
            _remove_abandoned(parent)
        try:
            if within is None:
                self.scratch = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
            else:  # a short name: paths of unix sockets end up under it
                self.scratch = parent / str(next(within._inner))
                self.scratch.mkdir(0o700)
        except OSError as error:
            raise execution_error("make a working folder in", parent, error) from error
        try:
            self._lock = (self.scratch / _LOCK).open("wb")
            _is_taken(self._lock)
            self.work = self.scratch / "work"
            self.work.mkdir()
            self.home = self.scratch / "home"
            for folder in (self.scratch / "t", self.home):
                folder.mkdir()
        except OSError as error:
            _remove(self.scratch)
            raise execution_error("make a working folder in", parent, error) from error

    def __enter__(self) -> WorkingFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def stage(
        self, inputs: Mapping[str, Path], is_over: IsOver, copy_many: CopyMany | None = None
    ) -> None:
        """Copy the inputs to their names in ``work``; stop half-way when ``is_over``.

        Folders with many files are copied by ``copy_many``, if it is given.
        """
        for name, source in inputs.items():
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ExecutionError(f"input name {name!r} leaves the working folder; rename it")
            if not source.exists():
                raise ExecutionError(f"input {name} is not there: {source}; put it back")
            copy = (copy_many or copy_elsewhere) if _has_many(source) else _copy
            try:
                copy(source, self.work / name, is_over)
            except OSError as error:
                raise execution_error(f"copy {source} to", self.work, error) from error

    def remove(self) -> None:
        """Take the folder away."""
        self._lock.close()
        if _has_many(self.scratch):
            elsewhere("rm", "-rf", "--", str(self.scratch), is_over=lambda: False)
        _remove(self.scratch)


def copy_file(source: Path, target: Path) -> None:
    """Copy content only, by sharing blocks where the file system can (the copy stays private)."""
    if not _clone(source, target):
        shutil.copyfile(source, target)


def files_below(source: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below ``source``, relative to it, and the names of its files; links followed."""
    seen: set[Path] = set()
    for folder, names, files in os.walk(source, followlinks=True):
        here = Path(folder)
        # A link that leads back up would go round for ever.
        real = here.resolve()
        known = real in seen
        if known:
            names.clear()
        seen.add(real)
        # No sockets and pipes, no links that lead nowhere.
        found = [] if known else [name for name in files if (here / name).is_file()]
        yield here.relative_to(source), found


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file beside ``path``, then put it in its place: nobody ever sees half of it."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        write(partial)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def execution_error(action: str, path: Path, error: OSError) -> ExecutionError:
    """One line that names the thing and the mend."""
    what = error.strerror or str(error) or type(error).__name__
    mend = _MENDS.get(error.errno or 0, "check the folder")
    return ExecutionError(f"cannot {action} {path}: {what}; {mend}")


def _remove(root: Path) -> None:
    for attempt in range(10):
        shutil.rmtree(root, ignore_errors=True)
        if not root.exists():
            return
        for folder, _, _ in os.walk(root):  # the notebook may have made some read-only
            with contextlib.suppress(OSError):
                os.chmod(folder, stat.S_IRWXU)
        # On Windows a file stays locked for a moment after the process that had it open.
        time.sleep(0.02 * attempt)


def _remove_abandoned(parent: Path) -> None:
    """Remove the working folders of processes that were killed before they could."""
    if os.name != "posix":
        return
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError):
            state = lock.stat()
            is_ours = state.st_uid == os.geteuid()
            if not is_ours or time.time() - state.st_mtime < _ABANDONED_AFTER:
                continue
            with lock.open("r+b") as file:
                if not _is_taken(file):
                    _remove(lock.parent)


def _is_taken(file: IO[bytes]) -> bool:
    """Take the lock; True when another process has it."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def copy_elsewhere(source: Path, target: Path, is_over: IsOver) -> None:
    """Copy a folder in another process, or in this one where that cannot be."""
    target.mkdir(parents=True, exist_ok=True)
    if not elsewhere("cp", "-RL", "--", f"{source}/.", str(target), is_over=is_over):
        _remove(target)  # links that lead nowhere or in a circle are not for cp
        _copy(source, target, is_over)


def _copy(source: Path, target: Path, is_over: IsOver) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_file(source, target)
        return
    for folder, names in files_below(source):
        if is_over():
            return
        (target / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            copy_file(source / folder / name, target / folder / name)


def _has_many(path: Path) -> bool:
    """Whether it is a folder with so many files that they are not for our own process."""
    left, folders = _MANY, [path] if path.is_dir() else []
    while folders:
        # One that cannot be read is passed over, as when it is copied.
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    return True
                if entry.is_dir():
                    folders.append(Path(entry.path))
    return False


def elsewhere(
    program: str, *arguments: str, is_over: IsOver, output: IO[bytes] | None = None
) -> bool:
    """Let another process work on many files, until ``is_over``; False when it cannot.

    Other threads of ours may compute, among them the user's own cells: Python would then wait for
    them at each call of the system, and a folder of 2,000 small files takes minutes.
    """
    path = shutil.which(program) if os.name == "posix" else None
    if path is None:
        return False
    null = subprocess.DEVNULL
    process = subprocess.Popen([path, *arguments], stdin=null, stdout=output or null, stderr=null)
    while True:
        try:
            return process.wait(_LOOK_SECONDS) == 0
        except subprocess.TimeoutExpired:
            if is_over():
                process.kill()
                process.wait()
                return True


def _clone(source: Path, target: Path) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        with source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except OSError:
        return False  # another file system, or one that cannot share blocks
    return True
