"""What is printed: the machine, sections with the load around them, rows of figures."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlestar_jupyter.execution.memory import machine_memory

_VERSIONS = (
    *("mlestar-jupyter", "papermill", "nbclient", "ipykernel", "jupyter_client", "pyzmq"),
    *("numpy", "pandas", "scikit-learn", "lightgbm"),
)
_FIRST = 46


def machine() -> str:
    """Machine and versions, in a few lines."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _VERSIONS)
    return (
        f"{platform.platform()}, {cores()} cores, {machine_memory() / 2**30:.0f} GB\n"
        f"Python {platform.python_version()}; {versions}"
    )


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def section(name: str, words: str) -> Iterator[None]:
    """A headline, and at the end how long it took; the load (of 1 minute) at both ends.

    What goes wrong in a section is said, and the next begins.
    """
    print(f"\n{name}: {words}\n{'load at the beginning':<{_FIRST}}{_load():>10}", flush=True)
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        print(f"FAILED: {type(error).__name__}: {error}", flush=True)
    seconds = time.monotonic() - began
    print(f"{'load at the end, after':<{_FIRST}}{_load():>10}{seconds:>10.0f} s", flush=True)


def head(*names: str) -> None:
    """Names of columns, the first of them wide."""
    row(names[0], *names[1:])


def row(first: str, *rest: str | float | None) -> None:
    """One line; numbers with two digits behind the point, None as a gap."""
    cells = "".join(f"{_plain(value):>12}" for value in rest)
    print(f"  {first:<{_FIRST - 2}}{cells}".rstrip(), flush=True)


def times(whole: float, part: float) -> str:
    """How many times faster."""
    return f"{whole / part:.1f} times"


def equal(predictions: Sequence[Sequence[bytes]]) -> str:
    """Whether all ways gave the same predictions; how many candidates differ if some do."""
    differ = sum(len(set(ways)) > 1 for ways in predictions)
    total = len(predictions)
    if differ:
        return f"NO: {differ} of {total} candidates differ"
    return f"equal to the byte, {total} of {total}"


def _plain(value: str | float | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.2f}"


def _load() -> str:
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
