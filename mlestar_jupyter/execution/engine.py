"""The engine that papermill loads by entry point, and what it tells about an execution.

papermill imports this module in every process that imports papermill, half-way through its own
import: nothing but the standard library may be imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.execution.enclosure import Enclosed

if TYPE_CHECKING:
    from mlestar_jupyter.execution.kernels import Kernel
    from mlestar_jupyter.execution.prefix import ReusedCell

NAME = "mlestar"


@dataclass(frozen=True)
class CellError:
    """The exception that ended a notebook."""

    name: str
    message: str
    traceback: str = ""


@dataclass
class Progress:
    """How far a notebook has come; the engine writes it, and it can be read when all went wrong.

    ``block`` is the one that is under way or was the last: "" for the parameters, None before
    the first cell. ``seconds`` is what each code cell took that was executed without error.
    ``error`` is what ended the notebook there, ``exit_code`` how the kernel ended if it did so by
    itself, with its ``log``; ``enclosed`` what it could not do.
    """

    notebook: Any = None
    block: str | None = None
    cell_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)
    error: CellError | None = None
    exit_code: int | None = None
    log: str = ""
    enclosed: Enclosed = field(default_factory=Enclosed)


class MlestarEngine:
    """What papermill asks of an engine; the work is done in ``client``, imported on first use.

    ``papermill --engine mlestar`` works too: it starts a kernel of papermill's own interpreter.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        *,
        kernel: Kernel | None = None,
        progress: Progress | None = None,
        reused: Sequence[ReusedCell] = (),
        **options: Any,
    ) -> Any:
        """Execute ``nb`` in ``kernel``, or in a new one in the current folder.

        The kernel has executed the first code cells already if some are ``reused``.
        """
        from mlestar_jupyter.execution.client import ClientEngine

        return ClientEngine.execute_notebook(
            nb,
            kernel_name,
            kernel=kernel,
            progress=progress or Progress(),
            reused=reused,
            **options,
        )

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """As papermill's own engine: by the notebook's metadata."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """As papermill's own engine: by the notebook's metadata."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))
