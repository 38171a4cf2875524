"""Importing the package is light and silent."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "pandas", "numpy", "sklearn", "papermill", "IPython", "google.genai", "matplotlib", "lightgbm",
)  # fmt: skip


def _fresh(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, mlestar_jupyter\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], mlestar_jupyter.__version__)"
    )
    out = _fresh(code).stdout.split()
    assert out[0] == "[]", f"loaded by the import: {out}"
    assert out[1].count(".") == 2


def test_importing_the_package_prints_nothing():
    done = _fresh("import mlestar_jupyter")
    assert done.stdout == ""
    assert done.stderr == ""


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    code = (
        "import mlestar_jupyter\n"
        "try:\n    mlestar_jupyter.nonsense\n"
        "except AttributeError as error:\n    print(error)"
    )
    assert "nonsense" in _fresh(code).stdout
