"""The kernel that this process is, if it is one."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython import get_ipython


def kernel() -> Any:
    """The kernel; None in a terminal and outside IPython."""
    return getattr(get_ipython(), "kernel", None)


def namespace() -> Mapping[str, Any]:
    """The user's variables; none outside IPython."""
    return getattr(get_ipython(), "user_ns", {})


def cell_id() -> str | None:
    """The id of the cell that is being executed; only some front ends tell."""
    try:
        parent = kernel().get_parent()
        found = (parent.get("metadata") or {}).get("cellId")
    except Exception:  # kernels other than ipykernel, and none at all
        return None
    return found if isinstance(found, str) else None


def facts() -> dict[str, Any]:
    """What a front end may want to know of the kernel."""
    own = kernel()
    package = sys.modules.get("ipykernel")  # loaded if this is one
    return {
        "python": platform.python_version(),
        "ipykernel": getattr(package, "__version__", None),
        "subshells": bool(getattr(own, "_supports_kernel_subshells", False)),
        "folder": str(Path.cwd()),
    }
