"""Started as a file: encloses its own process, then becomes what its arguments say.

    python launch.py FOLDER -m ipykernel_launcher ARGUMENT...
    python launch.py FOLDER SCRIPT ARGUMENT...

FOLDER has ``enclosure.json``, and is told in ``enclosed.json`` what holds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlestar_jupyter.execution.enclosure import Enclosed, Enclosure

#: The module that becomes the kernel.
KERNEL = "ipykernel_launcher"
_ASKED, _TOLD = "enclosure.json", "enclosed.json"


def command(folder: Path, enclosure: Enclosure | None, arguments: list[str]) -> list[str]:
    """How to start this interpreter with these arguments, enclosed if that is asked for.

    OSError when ``folder`` cannot be written.
    """
    if enclosure is None or os.name != "posix":
        return [sys.executable, *arguments]
    (folder / _ASKED).write_text(json.dumps(enclosure.to_json()))
    return [sys.executable, __file__, str(folder), *arguments]


def tell(folder: Path, enclosed: Enclosed) -> None:
    """Write down in ``folder`` what holds, for ``enclosed``."""
    (folder / _TOLD).write_text(json.dumps(enclosed.to_json()))


def enclosed(folder: Path) -> Enclosed:
    """What holds of an enclosure that was asked for by ``command``, once it was started."""
    from mlestar_jupyter.execution.enclosure import Enclosed

    try:
        return Enclosed.from_json(json.loads((folder / _TOLD).read_text()))
    except (OSError, ValueError):
        return Enclosed()


def main(folder: Path, arguments: list[str]) -> None:
    """Enclose this process; never returns but from a kernel that has ended."""
    # Python puts the folder of a script first; what comes next has its own.
    del sys.path[0]
    _find_ourselves()
    # All of it now: our own files need not be readable afterwards.
    from mlestar_jupyter.execution.enclosure import Enclosure, enclose
    from mlestar_jupyter.execution.inside import adapt_ipykernel

    for name in [name for name in sys.modules if name.partition(".")[0] == "mlestar_jupyter"]:
        del sys.modules[name]  # a kernel starts without us
    enclosure = Enclosure.from_json(json.loads((folder / _ASKED).read_text()))
    enclosed = enclose(enclosure)
    tell(folder, enclosed)
    if arguments[:2] != ["-m", KERNEL]:
        os.execv(sys.executable, [sys.executable, *arguments])
    if enclosure.walls:
        adapt_ipykernel()
    sys.path.insert(0, os.getcwd())
    sys.argv = [KERNEL, *arguments[2:]]
    runpy.run_module(KERNEL, run_name="__main__", alter_sys=True)


def _find_ourselves() -> None:
    """Make this very package importable, also from a source tree; nothing else beside it."""
    package = Path(__file__).parents[1]
    spec = importlib.util.spec_from_file_location(package.name, package / "__init__.py")
    assert spec is not None
    sys.modules[package.name] = importlib.util.module_from_spec(spec)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
