"""The journal: append-only, one event a line, flushed to disk. It is a run's only state."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mlestar_jupyter.errors import JournalError
from mlestar_jupyter.events import Event

#: Whoever looks whether a run is at work holds its lock for a moment: try again, in seconds.
_TRIES, _BETWEEN = 4, 0.05


def read_events(path: Path) -> list[Event]:
    """All whole events of a journal. A torn last line (a crash while writing) is dropped.

    Raises JournalError naming the line when the journal is damaged elsewhere.
    """
    if not path.is_file():
        raise JournalError(f"no journal in {path.parent}; give the folder of a run")
    return _parse(path.read_bytes(), path)[0]


def _parse(content: bytes, path: Path) -> tuple[list[Event], int]:
    """The whole events, and how many bytes they take."""
    lines = content.split(b"\n")[:-1]  # what stands after the last line break is torn, or nothing
    events: list[Event] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                events.append(Event.from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                break  # a line break that came to disk before the line did: torn as well
            raise JournalError(
                f"{path}, line {number} is damaged; remove that line to go on without it"
            ) from error
        size += len(line) + 1
    return events, size


class Journal:
    """Appends events to a file that it alone writes; others may read it at any time."""

    def __init__(self, path: Path, file: IO[bytes], count: int) -> None:
        self.path = path
        self._file = file
        self._count = count
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> Journal:
        """A new journal; JournalError when there is one already."""
        try:
            file = path.open("xb", buffering=0)
        except FileExistsError:
            raise JournalError(
                f"{path.parent} already holds a run; resume it or choose another folder"
            ) from None
        _lock_file(file, path)
        return cls(path, file, 0)

    @classmethod
    def open(cls, path: Path) -> tuple[Journal, list[Event]]:
        """Open for going on: takes the lock, cuts a torn last line off, gives the events."""
        if not path.is_file():
            raise JournalError(f"no journal in {path.parent}; give the folder of a run")
        file = path.open("r+b", buffering=0)
        try:
            _lock_file(file, path)
            events, size = _parse(path.read_bytes(), path)
            file.truncate(size)
            file.seek(size)
        except BaseException:
            file.close()
            raise
        return cls(path, file, events[-1].seq + 1 if events else 0), events

    def append(self, kind: Any, at: float, elapsed: float, data: dict[str, Any]) -> Event:
        """Write one event and flush it to disk before it counts."""
        with self._lock:
            event = Event(self._count, kind, at, elapsed, data)
            line = _encode(event) + b"\n"
            place = self._file.tell()
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except BaseException as error:  # an interrupt must not leave half of it either
                with contextlib.suppress(OSError):
                    self._file.truncate(place)
                    self._file.seek(place)
                if not isinstance(error, OSError):
                    raise
                raise JournalError(
                    f"cannot write {self.path}: {error.strerror}; make room and resume the run"
                ) from error
            self._count += 1
            return event

    def close(self) -> None:
        """Give the lock back."""
        with self._lock, contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def is_locked(path: Path) -> bool:
    """Whether some process is writing this journal now."""
    try:
        with path.open("r+b") as file:
            _take(file)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _encode(event: Event) -> bytes:
    """One line of JSON; what is no proper Unicode (a file name, an output) is escaped."""
    record = event.to_json()
    try:
        return json.dumps(record, default=str, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(record, default=str).encode()


def _lock_file(file: IO[bytes], path: Path) -> None:
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            _take(file)
            return
        except BlockingIOError:
            if tries_left:
                time.sleep(_BETWEEN)
    file.close()
    raise JournalError(
        f"the run in {path.parent} is in use by another process on {socket.gethostname()}; "
        f"wait for it or stop it"
    )


def _take(file: IO[bytes]) -> None:
    """An exclusive lock that the system drops by itself when the process ends."""
    if os.name == "nt":
        import msvcrt

        # Far behind the content, so that others can read what is written.
        place = file.tell()
        file.seek(2**40)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError as error:
            raise BlockingIOError from error
        finally:
            file.seek(place)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
