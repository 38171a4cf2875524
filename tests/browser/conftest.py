"""One JupyterLab for all tests in a browser, and for each a folder, a notebook and a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, lab_server, obstacle, open_page

from mlestar_jupyter.demo import write_demo_task


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server, and its folder."""
    if why := obstacle():
        pytest.skip(why)
    root = tmp_path_factory.mktemp("root")
    with lab_server(root, tmp_path_factory.mktemp("server")) as address:
        yield address, root


@pytest.fixture
def lab(served: tuple[str, Path], request: pytest.FixtureRequest) -> Iterator[Lab]:
    """JupyterLab in a browser; beside the notebook lies the demo's data, in ``task``."""
    address, root = served
    folder = root / request.node.name[:40]
    write_demo_task(folder / "task")
    with open_page() as page:
        yield Lab(page, address, folder)
