"""Waiting for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

#: Seconds; no test waits so long but one that fails.
PATIENCE = 60.0


def wait_for(condition: Callable[[], object]) -> None:
    """Come back when the condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def is_running(pid_file: Path) -> bool:
    """Whether the process whose number a file has is there, and no mere zombie."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
