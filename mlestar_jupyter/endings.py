"""What ends a stage of the search early: control flow, no errors."""

from __future__ import annotations


class OutOfMeans(Exception):  # noqa: N818 (it ends a stage, it is no error)
    """Nothing is left to begin more work with: no time, no money, or no agents that answer."""


class Stopped(OutOfMeans):
    """The user asked to stop: nothing more is begun, in any stage."""
