"""One JupyterLab for all tests in a browser, and for each a folder, a notebook and a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import LOAD, Lab, end_kernels, lab_server, obstacle, open_browser

import mlestar_jupyter
from mlestar_jupyter.demo import write_demo_task

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

#: The run that a recorded notebook shows.
RECORDED = "mlestar_runs/recorded"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server, and its folder."""
    if why := obstacle():
        pytest.skip(why)
    root = tmp_path_factory.mktemp("root")
    with lab_server(root, tmp_path_factory.mktemp("server")) as address:
        yield address, root


@pytest.fixture(scope="session")
def browser(served: tuple[str, Path]) -> Iterator[BrowserContext]:
    """A browser, which need not read JupyterLab again for each page."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def lab(
    served: tuple[str, Path], browser: BrowserContext, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """JupyterLab in a page; beside the notebook lies the demo's data, in ``task``."""
    address, root = served
    folder = root / request.node.name.removeprefix("test_")[:40]
    write_demo_task(folder / "task")
    page = browser.new_page()
    yield Lab(page, address, folder)
    page.close()
    end_kernels(address)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run that has finished."""
    folder = tmp_path_factory.mktemp("finished")
    task = write_demo_task(folder / "task")
    mlestar_jupyter.solve(
        task, out=folder / "run", time_limit=240, models=2, solutions=1, outer_steps=1,
        inner_steps=2, ensemble_rounds=0, folds=1, jobs=2, reproduce=False,
    )  # fmt: skip
    return folder / "run"


@pytest.fixture
def recorded(lab: Lab, finished: Path) -> Lab:
    """A notebook that shows a finished run, and has had no cells of it."""
    shutil.copytree(finished, lab.folder / RECORDED)
    lab.open(LOAD, "print('below')", run=RECORDED)
    lab.press("Load it")
    lab.panel.get_by_role("heading", name="recorded").wait_for()
    return lab
