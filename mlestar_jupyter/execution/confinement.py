"""How executions are confined: the walls and limits that an executor gives each of them."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar_jupyter.execution import landlock, launch
from mlestar_jupyter.execution.enclosure import Enclosed, Enclosure
from mlestar_jupyter.execution.environment import PER_EXECUTION, away_from_home, kernel_environment
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.memory import PROCESSES, default_memory
from mlestar_jupyter.interfaces import Limits

_LEAST_FILE = 2**30  # bytes
# The system counts threads: the watcher's limit is the strict one, this is a net below it.
_THREADS = 8


@functools.cache
def isolation(sandbox: str) -> Enclosed:
    """What holds here for executions with this setting, found by enclosing a process."""
    with WorkingFolder() as folder:
        enclosure = Confinement.for_jobs(1, sandbox).enclosure(folder)
        command = launch.command(folder.scratch, enclosure, ["-c", ""])
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return launch.enclosed(folder.scratch)


@dataclass(frozen=True)
class Confinement:
    """``memory`` is what one execution may use, in bytes; ``walls`` whether it is enclosed too."""

    memory: int
    walls: bool = True

    @classmethod
    def for_jobs(cls, jobs: int, sandbox: str = "auto", memory: int | None = None) -> Confinement:
        """That of each of so many jobs; without ``memory`` they share what the machine has."""
        return cls(memory or default_memory(jobs), sandbox != "off")

    def within(self, limits: Limits) -> Confinement:
        """The same with these limits of memory, where they have one."""
        return dataclasses.replace(self, memory=limits.memory or self.memory)

    def enclosure(self, folder: WorkingFolder, read: Sequence[Path] = ()) -> Enclosure:
        """What an execution in this folder may do; ``read`` are more paths that it may read."""
        free = shutil.disk_usage(folder.scratch).free
        return Enclosure(
            read=tuple(str(path.absolute()) for path in read),
            write=(str(folder.scratch),),
            walls=self.walls,
            memory=self.memory,
            processes=_THREADS * PROCESSES,
            file_size=max(_LEAST_FILE, free // 2),
        )

    def common(self, threads: int) -> dict[str, str]:
        """The environment that executions have in common: what is no matter of their folders."""
        environment = self._environment(threads, Path(), Path(), Path.home)
        return {name: value for name, value in environment.items() if name not in PER_EXECUTION}

    def environment(self, folder: WorkingFolder, threads: int) -> Mapping[str, str]:
        """The environment of an execution in this folder, with a home folder that it can use."""
        return self._environment(threads, folder.work, folder.scratch, lambda: folder.home)

    def _environment(
        self, threads: int, work: Path, scratch: Path, home: Callable[[], Path]
    ) -> dict[str, str]:
        environment = kernel_environment(os.environ, threads=threads, work=work, scratch=scratch)
        if self.walls and landlock.version():
            return away_from_home(environment, home())
        return environment
