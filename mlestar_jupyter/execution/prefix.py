"""Which first cells of a notebook were executed before, and what can be begun with.

Almost all candidates differ from their parent in one cell. All that stands before it gives the
same state again, as far as it is told by the cells' sources, the parameters, the content of the
data files, the environment and the packages: the chain of their hashes names that state.
"""

from __future__ import annotations

import ast
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlestar_jupyter.parsing import parse_python

#: Less than this is not worth a process that waits, in seconds.
WORTH = 0.5
#: States that are remembered as seen.
_SEEN = 20_000
# Calls that draw from the system's randomness unless they are given a seed.
_GENERATORS = frozenset({"default_rng", "RandomState", "Random", "SeedSequence", "Generator"})
_ENTROPY = frozenset({"SystemRandom", "urandom", "getrandom", "uuid1", "uuid4", "token_hex"})
_ENTROPY_MODULES = frozenset({"secrets"})


def chain(cells: Sequence[str], salt: str) -> list[str]:
    """The name of the state after each cell: a hash of all that led to it."""
    names, name = [], salt
    for source in cells:
        name = hashlib.sha256(f"{name}\0{source}".encode()).hexdigest()
        names.append(name)
    return names


def salt(environment: Mapping[str, str], inputs: Iterable[tuple[str, str]]) -> str:
    """What a state depends on beside the cells: the environment, and the data by content."""
    parts = [*(f"{k}={v}" for k, v in sorted(environment.items()))]
    parts += [f"{name}:{digest}" for name, digest in sorted(inputs)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def draws_from_the_system(cells: Iterable[str]) -> bool:
    """Whether some cell makes a generator without a seed, or cannot be read at all."""
    for source in cells:
        try:
            tree = parse_python(source)
        except (SyntaxError, ValueError):
            return True  # magics may do anything
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                if modules & _ENTROPY_MODULES:
                    return True
            if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
                return True  # such cells run in the loop of a connected kernel
            if isinstance(node, ast.Call) and _is_unseeded(node):
                return True
    return False


def seeds(cells: Iterable[str]) -> bool:
    """Whether some cell seeds a generator that everybody shares."""
    found = False
    for source in cells:
        calls = [n for n in ast.walk(parse_python(source)) if isinstance(n, ast.Call)]
        found = found or any(_called(call) in ("seed", "setstate", "set_state") for call in calls)
    return found


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_unseeded(call: ast.Call) -> bool:
    name = _called(call)
    if name in _ENTROPY:
        return True
    if name not in _GENERATORS and name != "seed":
        return False
    first = [*call.args, *(keyword.value for keyword in call.keywords)][:1]
    return not first or (isinstance(first[0], ast.Constant) and first[0].value is None)


@dataclass(frozen=True)
class ReusedCell:
    """A cell that need not be executed: its number among the executed, what it took, and said."""

    count: int
    seconds: float
    said: list[dict[str, Any]]


class Holder(Protocol):
    """What holds a state: a parked process with its folder."""

    @property
    def is_alive(self) -> bool:
        """Whether it can be begun with."""

    @property
    def memory(self) -> int:
        """Bytes that only it holds."""

    def close(self) -> None:
        """End it, and take its folder away."""


@dataclass(eq=False)
class Snapshot:
    """The state after the first cells of a notebook."""

    name: str
    cells: tuple[ReusedCell, ...]
    holder: Holder
    base: Snapshot | None
    users: int = 0  # executions that began with it, and snapshots that stand on it
    used: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """What its cells took when they were executed."""
        return sum(cell.seconds for cell in self.cells)


Park = Callable[[Snapshot | None, int], tuple[Holder, tuple[ReusedCell, ...]] | None]


class Snapshots:
    """The states that are kept: bounded in number and memory; the least recently used go first."""

    def __init__(self, most: int, memory: int) -> None:
        self._most = most
        self._memory = memory
        self._lock = threading.Lock()
        self._kept: dict[str, Snapshot] = {}
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._refused: set[str] = set()
        self._parking: dict[str, threading.Lock] = {}

    def learn(self, names: Sequence[str], seconds: Sequence[float]) -> None:
        """Cells were executed: the names of their states, and what each of them took."""
        total = 0.0
        with self._lock:
            for name, spent in zip(names, seconds, strict=False):
                total += spent
                # The least of what was measured: machines are noisy.
                self._seen[name] = min(total, self._seen.get(name, total))
                self._seen.move_to_end(name)
            while len(self._seen) > _SEEN:
                self._seen.popitem(last=False)

    def take(
        self, names: Sequence[str], park: Park, least: float = 0.0
    ) -> tuple[Snapshot, bool] | None:
        """The best state to begin with, and whether it was made just now; None when there is none.

        A state that was seen before and is worth it is made by ``park``, which gets the state to
        go on from and the number of cells. Those whose cells took less than ``least`` seconds are
        left alone. The caller gives it back by ``give_back``.
        """
        with self._lock:
            known = (self._seen.get(n, 0.0) for n in names[:-1] if n not in self._refused)
            if max(known, default=0.0) < least:
                return None
        wanted = self._wanted(names)
        if wanted:
            with self._lock:
                turn = self._parking.setdefault(names[wanted - 1], threading.Lock())
            with turn:
                made = self._make(names, wanted, park)
                if made is not None:
                    return made, True
        with self._lock:
            found = self._longest(names)
            if found is None or found.seconds < least:
                return None
            self._use(found)
            return found, False

    def give_back(self, snapshot: Snapshot) -> None:
        """An execution that began with it is over."""
        with self._lock:
            snapshot.users -= 1
            gone = self._surplus()
        _close(gone)

    def give_up_idle(self) -> None:
        """End those that nobody uses: they will not be asked for again."""
        gone: list[Snapshot] = []
        with self._lock:
            while idle := [s for s in self._kept.values() if not s.users]:
                for snapshot in idle:
                    self._drop(snapshot, gone)
        _close(gone)

    def close(self) -> None:
        """End all."""
        with self._lock:
            kept = sorted(self._kept.values(), key=lambda s: -len(s.cells))
            self._kept.clear()
        _close(kept)

    def _wanted(self, names: Sequence[str]) -> int:
        """The number of first cells whose state should be made now; 0 for none."""
        with self._lock:
            present = self._longest(names)
            begin = len(present.cells) if present else 0
            saved = self._seen.get(names[begin - 1], 0.0) if begin else 0.0
            for cells in range(len(names) - 1, begin, -1):
                name = names[cells - 1]
                if name in self._refused or name not in self._seen:
                    continue
                return cells if self._seen[name] - saved >= WORTH else 0
        return 0

    def _make(self, names: Sequence[str], cells: int, park: Park) -> Snapshot | None:
        name = names[cells - 1]
        with self._lock:
            present = self._kept.get(name)
            if name in self._refused or (present is not None and present.holder.is_alive):
                return None  # another execution was here first
            if present is not None:  # dead; it goes when nobody is in its folder any more
                self._kept[f"{name} {id(present)}"] = self._kept.pop(name)
            base = self._longest(names[:cells])
            if base is not None:
                self._use(base)
        parked = None
        try:
            parked = park(base, cells)
        finally:
            with self._lock:
                if parked is None:
                    self._refused.add(name)
                    if base is not None:
                        base.users -= 1
        if parked is None:
            return None
        holder, said = parked
        snapshot = Snapshot(name, (*(base.cells if base else ()), *said), holder, base)
        with self._lock:
            self._kept[name] = snapshot
            self._use(snapshot)
            gone = self._surplus()
        _close(gone)
        return snapshot

    def _use(self, snapshot: Snapshot) -> None:
        snapshot.users += 1
        snapshot.used = time.monotonic()

    def _longest(self, names: Sequence[str]) -> Snapshot | None:
        """The state with the most first cells of these, but not with all of them."""
        for name in reversed(names[:-1] if names else ()):
            snapshot = self._kept.get(name)
            if snapshot is not None and snapshot.holder.is_alive:
                return snapshot
        return None

    def _surplus(self) -> list[Snapshot]:
        """Take out what is too much; the caller closes it."""
        gone: list[Snapshot] = []
        dead = [s for s in self._kept.values() if not s.holder.is_alive and not s.users]
        for snapshot in dead:
            self._drop(snapshot, gone)
        sizes = {id(s): s.holder.memory for s in self._kept.values()}
        while len(sizes) > self._most or sum(sizes.values()) > self._memory:
            idle = [s for s in self._kept.values() if not s.users]
            if not idle:
                break
            oldest = min(idle, key=lambda s: s.used)
            self._drop(oldest, gone)
            del sizes[id(oldest)]
        return gone

    def _drop(self, snapshot: Snapshot, gone: list[Snapshot]) -> None:
        self._kept = {name: s for name, s in self._kept.items() if s is not snapshot}
        if snapshot.base is not None:
            snapshot.base.users -= 1
        gone.append(snapshot)


def _close(snapshots: Iterable[Snapshot]) -> None:
    for snapshot in snapshots:
        snapshot.holder.close()
