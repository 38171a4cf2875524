"""Parcels: files and folders named by their content, cut into pieces, and kept where they arrive.

Nothing here knows how a piece travels.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution.folder import WorkingFolder, execution_error, files_below

#: Bytes of a piece: what is in memory at once on its way, for each parcel.
PIECE = 32 * 2**20


@dataclass(frozen=True)
class Cut:
    """A part of one file: its name in the parcel ("": the parcel is this file), in bytes."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True)
class Parcel:
    """A file or a folder by its content: equal content has an equal ``key``, wherever it lies.

    ``folders`` and ``files`` (with their sizes in bytes) are relative names; a parcel that is a
    single file has no folders and the one name "".
    """

    key: str
    folders: tuple[str, ...]
    files: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)

    def pieces(self) -> list[list[Cut]]:
        """How it is cut into pieces of up to PIECE bytes; small files share one."""
        pieces: list[list[Cut]] = [[]]
        room = PIECE
        for name, size in self.files:
            for offset in range(0, max(size, 1), PIECE):
                length = min(PIECE, size - offset)
                if length > room:
                    pieces.append([])
                    room = PIECE
                pieces[-1].append(Cut(name, offset, length))
                room -= length
        return pieces


@dataclass(frozen=True)
class _Weighed:
    state: object
    parcel: Parcel
    until: float  # as time.monotonic counts: before it, nobody asks whether it has changed


class Weighing:
    """Gives the parcels of this machine's files; each is read once, and again when it changed.

    Whether a folder has changed is looked at again after ``trust`` seconds: to ask for thousands of
    files takes long where other threads compute.
    """

    def __init__(self, trust: float = 0.0) -> None:
        self._trust = trust
        self._known: dict[Path, _Weighed] = {}
        self._lock = threading.Lock()

    def parcel(self, name: str, source: Path) -> Parcel:
        """The parcel of an input; ExecutionError when it is not there or cannot be read."""
        if not source.exists():
            raise ExecutionError(f"input {name} is not there: {source}; put it back")
        with self._lock:
            known = self._known.get(source)
        if known is not None and time.monotonic() < known.until:
            return known.parcel
        try:
            folders, files = _listing(source)
            stats = [(source / name).stat() for name in files]
            state = (folders, files, [(s.st_ino, s.st_mtime_ns, s.st_size) for s in stats])
            parcel = known.parcel if known and known.state == state else weigh(source)
        except OSError as error:
            raise execution_error("read", source, error) from error
        until = time.monotonic() + self._trust if folders else 0.0
        with self._lock:
            self._known[source] = _Weighed(state, parcel, until)
        return parcel


def weigh(source: Path) -> Parcel:
    """Read a file or folder and name it by its content."""
    folders, names = _listing(source)
    whole = hashlib.sha256(repr((source.is_dir(), folders)).encode())
    files = []
    for name in names:
        with (source / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        files.append((name, size))
        whole.update(repr((name, size, digest)).encode())
    return Parcel(whole.hexdigest(), folders, tuple(files))


def read(source: Path, piece: Sequence[Cut]) -> list[bytes]:
    """The bytes of a piece."""
    parts = []
    for cut in piece:
        with (source / cut.name).open("rb") as file:
            file.seek(cut.offset)
            parts.append(file.read(cut.length))
    return parts


class Store:
    """Parcels that have arrived, in a temporary folder of at most ``most`` bytes.

    What was not used for longest goes when there is no room; what is held stays.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._folder = WorkingFolder()
        self._lock = threading.Lock()
        self._kept: dict[str, int] = {}  # bytes by key, the least recently used first
        self._held: Counter[str] = Counter()

    def path(self, key: str) -> Path | None:
        """Where a parcel lies; None when it is not here (any more)."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept[key] = self._kept.pop(key)
            return self._folder.work / key

    @contextlib.contextmanager
    def holding(self, keys: Collection[str]) -> Iterator[list[str]]:
        """Keep these parcels while they are used; gives those that are missing."""
        with self._lock:
            self._held.update(keys)
        try:
            yield [key for key in keys if self.path(key) is None]
        finally:
            with self._lock:
                self._held.subtract(keys)

    def put(
        self, parcel: Parcel, number: int, parts: Sequence[bytes], keep: Collection[str] = ()
    ) -> None:
        """Take in one piece; pieces come in order. With the last, the parcel is looked over.

        Those to ``keep`` do not make room for it.
        """
        if self.path(parcel.key) is not None:
            return
        pieces = parcel.pieces()
        target = self._folder.scratch / f"{parcel.key}.partial"
        try:
            if number == 0:
                self._make_room(parcel.size, keep)
                _remove(target)
                for name in parcel.folders:
                    (target / name).mkdir(parents=True)
            for cut, part in zip(pieces[number], parts, strict=True):
                with (target / cut.name).open("ab" if cut.offset else "wb") as file:
                    file.write(part)
            if number < len(pieces) - 1:
                return
            if weigh(target).key != parcel.key:
                _remove(target)
                raise ExecutionError("data was changed while it was sent; leave it as it is")
            with self._lock:
                target.rename(self._folder.work / parcel.key)
                self._kept[parcel.key] = parcel.size
        except OSError as error:
            _remove(target)
            raise execution_error("keep data in", self._folder.scratch, error) from error

    def close(self) -> None:
        """Remove everything."""
        self._folder.remove()

    def _make_room(self, size: int, keep: Collection[str]) -> None:
        with self._lock:
            free = shutil.disk_usage(self._folder.work).free
            for key in list(self._kept):
                used = sum(self._kept.values())
                if used + size <= self._most and size <= free:
                    return
                if self._held[key] <= 0 and key not in keep:
                    free += self._kept.pop(key)
                    _remove(self._folder.work / key)


def _listing(source: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Relative names of the folders and of the files of ``source``, in order."""
    if not source.is_dir():
        return (), ("",)
    folders, files = [], []
    for folder, names in files_below(source):
        folders.append(folder.as_posix())
        files += [(folder / name).as_posix() for name in names]
    return tuple(sorted(folders)), tuple(sorted(files))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
