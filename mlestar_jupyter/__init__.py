"""MLE-STAR in your notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlestar_jupyter._version import __version__

if TYPE_CHECKING:
    from mlestar_jupyter.api import solve

__all__ = ["__version__", "load_ipython_extension", "solve"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `import mlestar_jupyter` stays light.
    if name == "solve":
        from mlestar_jupyter.api import solve

        return solve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where the built JupyterLab extension is; for those who develop it."""
    return [{"src": "labextension", "dest": "mlestar-jupyter-labextension"}]


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext mlestar_jupyter``: makes the magics known."""
    from mlestar_jupyter.jupyter.magics import register

    register(shell)
