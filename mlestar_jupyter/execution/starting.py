"""How an execution begins: from a snapshot of its first cells, in a warm kernel, or from nothing.

Each is as good as the next and faster than it; what does not work here is left out, and said once.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal

import psutil

from mlestar_jupyter.execution.copies import Copies
from mlestar_jupyter.execution.enclosure import Enclosure
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.limits import ProcessTree
from mlestar_jupyter.execution.memory import machine_memory
from mlestar_jupyter.execution.parcels import Weighing
from mlestar_jupyter.execution.prefix import (
    Holder,
    ReusedCell,
    Snapshot,
    Snapshots,
    chain,
    draws_from_the_system,
    salt,
    seeds,
)
from mlestar_jupyter.execution.process import Order, Start, start_process
from mlestar_jupyter.execution.servers import (
    ForkServer,
    ServedProcess,
    Spares,
    WarmError,
    start_kernel,
)
from mlestar_jupyter.execution.warm import shared

#: Snapshots that are kept at the most, and their share of the machine's memory.
MOST_SNAPSHOTS, MEMORY_SHARE = 32, 0.2
_REPORT = "cells.json"
_TRUST_SECONDS = 60.0  # the data lies in the run's own folder
# Of parked processes: several runs of a process have one server.
_numbers = count(1)


Way = Literal["reuse", "warm", "plain"]


@dataclass(frozen=True)
class Wanted:
    """What is to be executed: the cells as they will be, the data, and how they are watched."""

    cells: Sequence[str]
    inputs: Mapping[str, Path]
    common: Mapping[str, str]  # what is the same in the environments of all folders
    environment: Callable[[WorkingFolder], Mapping[str, str]]
    enclosure: Callable[[WorkingFolder], Enclosure | None]
    tree: ProcessTree
    is_over: Callable[[], object]
    begun: Callable[[int], None]  # a cell was begun, by its number
    least_saved: float = 0.0  # seconds that a snapshot must save


@dataclass(frozen=True)
class Beginning:
    """A working folder with the data in it, and how to start a kernel in it.

    ``reused`` are the first cells, which need not be executed; ``saved`` what they took in seconds
    when they were, 0 when that was just now. ``names`` are those of the states after each cell.
    """

    folder: WorkingFolder
    start: Start
    reused: tuple[ReusedCell, ...] = ()
    saved: float = 0.0
    names: tuple[str, ...] = ()
    server: ForkServer | Spares | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the kernel died because what it was started by is gone."""
        return self.server is not None and not self.server.is_alive


class Starter:
    """The ways to begin that are open. ``begin`` may be called from many threads, ``jobs`` at once.

    ``tell`` is called with what a user should know: that a way is closed, and why.
    """

    def __init__(self, *, jobs: int, warm: bool, reuse: bool, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._kernels = shared.borrow() if warm else None
        self._reuses = warm and reuse and sys.platform == "linux"
        memory = int(MEMORY_SHARE * machine_memory())
        self._snapshots = Snapshots(MOST_SNAPSHOTS, memory)
        self._weighing = Weighing(_TRUST_SECONDS)
        self._copies = Copies(jobs)
        self._last: ForkServer | None = None
        self._lock = threading.Lock()

    def prepare_in_advance(self, common: Mapping[str, str]) -> None:
        """Let warm kernels with this environment be prepared, without waiting for them."""
        kernels = self._kernels
        if kernels is None:
            return
        kernels.borrow()

        def prepare() -> None:
            try:
                kernels.server(common)
            except (WarmError, OSError):
                pass  # said when a kernel is wanted
            finally:
                kernels.give_back()

        threading.Thread(target=prepare, name="mlestar-warm", daemon=True).start()

    def prepare(self, common: Mapping[str, str]) -> None:
        """Wait until warm kernels with this environment can be had, or are known not to be."""
        self._server(common)

    @contextmanager
    def begin(self, wanted: Wanted, way: Way) -> Iterator[Beginning]:
        """A start in this way or, where it is closed, in the next; its folder goes at the end."""
        server = self._server(wanted.common) if way != "plain" else None
        names: tuple[str, ...] = ()
        if self._reuses and isinstance(server, ForkServer):
            names = self._names(wanted, server)
            if self._last is not server:
                self._last = server
                self._snapshots.give_up_idle()  # what the one before holds would keep it alive
            if way == "reuse":
                with self._from_snapshot(wanted, names, server) as found:
                    if found is not None:
                        yield found
                        return
        with self._folder(wanted, wanted.inputs) as folder:
            start = start_process if server is None else partial(start_kernel, server)
            yield Beginning(folder, start, names=names, server=server)

    def learn(self, beginning: Beginning, seconds: Sequence[float]) -> None:
        """Cells of this beginning were executed without error; what each of them took."""
        if beginning.names:
            spent = [cell.seconds for cell in beginning.reused] + list(seconds)
            self._snapshots.learn(beginning.names, spent)

    def stop_reusing(self, reason: str) -> None:
        """Execute every cell from now on, and say why."""
        with self._lock:
            was, self._reuses = self._reuses, False
        if was:
            self._tell(f"unchanged cells are executed again from now on: {reason}")

    def stop_warming(self, reason: str) -> None:
        """Start every kernel from nothing from now on, and say why."""
        with self._lock:
            was, self._kernels = self._kernels, None
        if was is not None:
            was.give_back()
            self._tell(f"kernels are started from nothing from now on: {reason}")

    def close(self) -> None:
        """End what is kept."""
        self._snapshots.close()
        self._copies.close()
        with self._lock:
            was, self._kernels = self._kernels, None
        if was is not None:
            was.give_back()

    @contextmanager
    def _folder(
        self, wanted: Wanted, files: Mapping[str, Path], within: WorkingFolder | None = None
    ) -> Iterator[WorkingFolder]:
        """A working folder with these files in it; of copies, the next execution may have some."""
        with WorkingFolder(within) as folder:
            lent = self._copies.stage(folder, files, wanted.is_over)
            yield folder
            # Not when something went wrong, nor while somebody is left who could write to them.
            if lent and not wanted.tree.members():
                self._copies.take_back(lent)

    def _server(self, common: Mapping[str, str]) -> ForkServer | Spares | None:
        kernels = self._kernels
        if kernels is None:
            return None
        try:
            return kernels.server(common)
        except (WarmError, OSError) as error:
            self.stop_warming(str(error))
            return None

    def _names(self, wanted: Wanted, server: ForkServer) -> tuple[str, ...]:
        """The names of the states, up to the first cell whose state is not given by its source.

        A state is its server's, which is another one when packages or the environment change.
        """
        weigh = self._weighing.parcel
        inputs = [(name, weigh(name, path).key) for name, path in wanted.inputs.items()]
        names = chain(wanted.cells, salt({**wanted.common, "": str(server.pid)}, inputs))
        certain = 0
        while certain < len(wanted.cells) and not draws_from_the_system([wanted.cells[certain]]):
            certain += 1
        # The last name is never begun with: something is left to execute.
        return tuple(names[: certain + 1])

    @contextmanager
    def _from_snapshot(
        self, wanted: Wanted, names: tuple[str, ...], server: ForkServer
    ) -> Iterator[Beginning | None]:
        taken = self._snapshots.take(
            names, lambda base, n: self._park(wanted, server, base, n), wanted.least_saved
        )
        if taken is None or wanted.is_over():
            if taken is not None:
                self._snapshots.give_back(taken[0])
            yield None
            return
        snapshot, is_new = taken
        holder = snapshot.holder
        assert isinstance(holder, _Parked)
        try:
            with self._folder(wanted, holder.files, holder.folder) as folder:
                start = partial(start_kernel, server, number=holder.number)
                known = snapshot.base if is_new else snapshot
                saved = known.seconds if known is not None else 0.0
                yield Beginning(folder, start, snapshot.cells, saved, names, server)
        finally:
            self._snapshots.give_back(snapshot)

    def _park(
        self, wanted: Wanted, server: ForkServer, base: Snapshot | None, cells: int
    ) -> tuple[Holder, tuple[ReusedCell, ...]] | None:
        """Execute first cells in a process that then waits; None when its forks would differ."""
        before = base.holder if base is not None else None
        assert before is None or isinstance(before, _Parked)
        begin = len(base.cells) if base is not None else 0
        sources = list(wanted.cells[begin:cells])
        folder = WorkingFolder(before.folder if before is not None else None)
        holder, process, number = None, None, next(_numbers)
        try:
            files = wanted.inputs if before is None else before.files
            self._copies.stage(folder, files, wanted.is_over)  # it keeps them
            environment, enclosure = wanted.environment(folder), wanted.enclosure(folder)
            place = Order([], folder.work, folder.scratch, environment, enclosure)
            order = {
                "do": "park",
                "from": None if before is None else before.number,
                "number": number,
                "cells": sources,
                "seeds": seeds(sources),
                "report": str(folder.scratch / _REPORT),
                **place.to_json(),
            }
            with (folder.scratch / "kernel.log").open("wb") as log:
                process = server.start(order, log)
            wanted.tree.plant(process.pid)
            parked = _Parked(number, process, folder)
            if parked.wait(lambda cell: wanted.begun(begin + cell)) is None:
                said = json.loads((folder.scratch / _REPORT).read_text(encoding="utf-8"))
                wanted.tree.spare(process.pid)
                holder = parked
                return holder, tuple(ReusedCell(**cell) for cell in said)
        except (WarmError, OSError):
            pass
        finally:
            if holder is None:
                if process is not None:
                    process.line.close()
                folder.remove()
        return None


class _Parked:
    """A parked process and its folder, in which those of its forks lie."""

    def __init__(self, number: int, process: ServedProcess, folder: WorkingFolder) -> None:
        self.number = number
        self.folder = folder
        self.memory = 0  # bytes that only it holds
        self._process = process

    def wait(self, begun: Callable[[int], None]) -> str | None:
        """Wait until it is parked; what hinders it, if something does."""
        try:
            while True:
                message = self._process.line.receive()
                if message is None or "exit" in message:
                    return "it ended"
                if "began" in message:
                    begun(message["began"])
                if "parked" in message:
                    with contextlib.suppress(psutil.Error):
                        self.memory = psutil.Process(self._process.pid).memory_full_info().uss
                    return str(message["parked"]) or None
        finally:
            self._process.is_parking = False

    @property
    def is_alive(self) -> bool:
        """Whether it can be begun with."""
        return self._process.poll() is None

    @property
    def files(self) -> dict[str, Path]:
        """What its forks shall find in their own folders."""
        work = self.folder.work
        _, folders, names = next(os.walk(work), ("", [], []))  # nothing when it cannot be read
        return {name: work / name for name in (*folders, *names) if os.path.exists(work / name)}

    def close(self) -> None:
        """End it, and take its folder away."""
        self._process.line.close()
        self.folder.remove()
