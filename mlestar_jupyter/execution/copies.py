"""Copies of folders with many files, handed on from one execution to the next.

To make thousands of files costs the system more than a whole execution; to move their folder is
one call. So what an execution has left as it was is what the next one gets.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.execution.folder import IsOver, WorkingFolder, copy_elsewhere, elsewhere

# Times of change cannot be set: whatever is done to a file or folder, even its name, makes them
# those of the clock, and a kernel takes longer to start than the clock to go on.
_ENTRY = r"%P\0%i %C@ %s %m %y\0"  # path, inode, time of change, size, mode, type
# The time of the folder itself is not looked at here, for it changes when the folder is moved.
_TOP = r"%m\0"
_WHOLE_SECOND = b".0000000000 "


@dataclass(frozen=True)
class Lent:
    """A copy that an execution has: where it lies, and when that folder itself was changed."""

    place: Path
    changed: int  # ns


class Copies:
    """Copies of which an execution has each for itself; at most ``most`` wait for the next one.

    How a folder looks names its content: nothing needs to be read, and its source is looked at
    each time. May be used from many threads.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._folder: WorkingFolder | None = None
        self._is_closed = False
        self._numbers = itertools.count(1)
        self._idle: list[tuple[str, Path]] = []  # by what they are copies of, the oldest first
        self._originals: dict[str, str] = {}  # how a copy looks, and how what it was made of did

    def stage(
        self, folder: WorkingFolder, inputs: Mapping[str, Path], is_over: IsOver
    ) -> list[Lent]:
        """Stage the inputs as ``WorkingFolder.stage`` does; gives what can be taken back."""
        lent: list[Lent] = []

        def copy(source: Path, target: Path, is_over: IsOver) -> None:
            if self._copy(source, target, is_over):
                lent.append(Lent(target, target.lstat().st_ctime_ns))

        folder.stage(inputs, is_over, copy)
        return lent

    def take_back(self, lent: list[Lent]) -> None:
        """Keep those that nobody has changed; nobody may be able to change them any more."""
        for copy in lent:
            # What cannot be kept goes with its folder.
            with contextlib.suppress(OSError, ExecutionError):
                if copy.place.lstat().st_ctime_ns == copy.changed:
                    original = self._originals.get(_look(copy.place, "-P", lambda: False))
                    if original is not None:
                        self._keep(original, copy.place)

    def close(self) -> None:
        """Remove those that wait, and keep none from now on."""
        with self._lock:
            self._is_closed = True
            self._idle.clear()
            folder, self._folder = self._folder, None
        if folder is not None:
            folder.remove()

    def _copy(self, source: Path, target: Path, is_over: IsOver) -> bool:
        """Take a copy or make one; whether it is known how that looks."""
        # Where something lies already, what comes out is no copy of this source alone.
        look = "" if target.exists() else _look(source, "-L", is_over)
        original = self._originals.get(look, look)  # the copy of a copy is as good as another
        if original and self._take(original, target):
            return True
        copy_elsewhere(source, target, is_over)
        look = _look(target, "-P", is_over) if original else ""
        if not look or is_over():  # then it may be half of a copy
            return False
        self._originals[look] = original
        return True

    def _take(self, original: str, target: Path) -> bool:
        """Move a copy to its place; False when there is none, or it cannot be moved."""
        with self._lock:
            found = next((copy for copy in self._idle if copy[0] == original), None)
            if found is None:
                return False
            self._idle.remove(found)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            found[1].rename(target)
        except OSError:
            return False
        return True

    def _keep(self, original: str, place: Path) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._folder = self._folder or WorkingFolder()
            kept = self._folder.work / str(next(self._numbers))
            place.rename(kept)
            self._idle.append((original, kept))
            if len(self._idle) > self._most:
                self._idle.pop(0)[1].rename(place)  # it goes in its stead


def _look(folder: Path, links: str, is_over: IsOver) -> str:
    """How a folder looks: it looks different after any change; "" where that cannot be told.

    ``links`` in it are followed ("-L") or not ("-P").
    """
    path = str(folder)
    tests = ("-samefile", path, "-printf", _TOP, "-o", "-printf", _ENTRY)
    try:
        with tempfile.TemporaryFile() as output:
            if not elsewhere("find", links, path, *tests, is_over=is_over, output=output):
                return ""  # GNU's is wanted
            output.seek(0)
            listing = output.read()
    except OSError:
        return ""
    # Some file systems count times of change in whole seconds, in which much can happen.
    return "" if _WHOLE_SECOND in listing else hashlib.sha256(listing).hexdigest()
