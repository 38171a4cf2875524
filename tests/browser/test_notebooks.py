"""The sidebar and its notebooks: several at once, closed and reopened, kernels that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import BARE, LOAD, tiny

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.slow

BELOW = "print('below')"


def runs_of_cells(lab: Lab) -> set[str | None]:
    """The runs whose cells are in the notebook in focus."""
    return {cell.run for cell in lab.cells() if cell.run is not None}


def test_each_of_two_notebooks_has_its_own_run(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, tiny("one"), BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    expect(lab.panel.get_by_role("heading", name="one")).to_be_visible()

    lab.open_beside("other.ipynb", LOAD, tiny("two"), BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    expect(lab.panel.get_by_role("heading", name="two")).to_be_visible()
    expect(lab.panel.get_by_role("heading", name="one")).to_have_count(0)
    expect(lab.standing).to_contain_text("finished")
    assert runs_of_cells(lab) == {"two"}
    assert lab.users_cells() == [LOAD, tiny("two"), BELOW]

    lab.focus("mine.ipynb")
    expect(lab.panel.get_by_role("heading", name="one")).to_be_visible()
    expect(lab.standing).to_contain_text("finished")
    assert runs_of_cells(lab) == {"one"}
    assert lab.users_cells() == [LOAD, tiny("one"), BELOW]


def test_versions_that_differ_are_told_of_with_what_to_do(lab: Lab) -> None:
    from playwright.sync_api import expect

    newer = "import mlestar_jupyter.jupyter.messages as messages\nmessages.PROTOCOL = 2"
    lab.open(f"{newer}\n{LOAD}")
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()

    expect(lab.panel.get_by_role("alert")).to_contain_text(
        "bring the JupyterLab extension up to date (pip install -U mlestar-jupyter)"
    )


def test_a_kernel_where_the_package_is_not_installed_is_told_of(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open("x = 1", kernel=BARE)

    expect(lab.panel).to_contain_text("mlestar-jupyter is not installed where this kernel runs.")
    expect(lab.panel.get_by_role("button", name="Install it")).to_be_visible()
