"""The example notebooks run headless, from any folder, and show what they promise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

EXAMPLES = Path(__file__).parents[2] / "example_notebooks"
#: What each notebook is executed with, and what must stand in its outputs.
NOTEBOOKS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "quickstart.ipynb": (
        {"time_limit": "70s", "refine_time": "25s"},
        ["finished notebook", "default LightGBM", "solution.ipynb"],
    ),
    "refine_step_by_step.ipynb": (
        {"time_limit": "3m"},
        ["outer step 1 of 2", "pinned by you", "litres_per_cylinder", "cars.ipynb"],
    ),
    "own_dataframe_and_metric.ipynb": (
        {"time_limit": "60s"},
        ["within_seven_percent (higher is better)", "run: birds never seen", "mean of species"],
    ),
    "several_tables.ipynb": (
        {"time_limit": "80s"},
        ["weather.csv", "files used", "run: test"],
    ),
}


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.ipynb")} == set(NOTEBOOKS)


def test_examples_are_kept_without_outputs() -> None:
    for path in EXAMPLES.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), f"{path.name} has outputs; clear them"


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_example_runs_headless_and_shows_what_it_promises(tmp_path: Path, name: str) -> None:
    parameters, promised = NOTEBOOKS[name]
    shutil.copy(EXAMPLES / name, tmp_path)
    executed = papermill.execute_notebook(
        tmp_path / name, tmp_path / "executed.ipynb", parameters, cwd=tmp_path,
        kernel_name="python3", progress_bar=False,
    )  # fmt: skip
    shown = "\n".join(
        str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
        for cell in executed.cells
        for output in cell.get("outputs", [])
    )
    for words in promised:
        assert words in shown
    assert list(tmp_path.rglob("finished.ipynb"))
