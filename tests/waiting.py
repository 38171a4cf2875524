"""Waiting for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds; no test waits so long but one that fails.
PATIENCE = 60.0


def wait_for(condition: Callable[[], object], what: str = "what was waited for") -> None:
    """Come back when the condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.02)
