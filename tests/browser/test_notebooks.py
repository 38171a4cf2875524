"""The sidebar and its notebooks: several at once, closed and reopened, kernels that come and go."""

from __future__ import annotations

import re
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
    lab.until_finished()
    assert runs_of_cells(lab) == {"two"}
    assert lab.users_cells() == [LOAD, tiny("two"), BELOW]

    lab.focus("mine.ipynb")
    expect(lab.panel.get_by_role("heading", name="one")).to_be_visible()
    lab.until_finished()
    assert runs_of_cells(lab) == {"one"}
    assert lab.users_cells() == [LOAD, tiny("one"), BELOW]


def test_cells_arrive_in_a_notebook_that_was_closed_and_are_not_doubled(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, tiny("away"), BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    before = lab.until_cells("cells.some(cell => cell.run !== null)")
    lab.close()
    expect(lab.panel).to_contain_text("Open a notebook")
    lab.wait(
        """async folder => {
          const journal = await fetch(`/files/${folder}/mlestar_runs/away/journal.jsonl`);
          return (await journal.text()).includes('run_finished');
        }""",
        lab.folder.name,
    )

    lab.open_beside("mine.ipynb")
    lab.until_finished()
    lab.until_cells(f"cells.length > {len(before)}")
    lab.press("Insert all cells")
    expect(lab.panel).to_contain_text("all cells of this run are in the notebook")
    whole = [cell.id for cell in lab.cells()]
    assert len(whole) == len(set(whole)) > len(before)
    assert lab.users_cells() == [LOAD, tiny("away"), BELOW]

    lab.close()
    lab.open_beside("mine.ipynb")
    lab.until_finished()
    lab.press("Insert all cells")
    expect(lab.panel).to_contain_text("all cells of this run are in the notebook")
    assert [cell.id for cell in lab.cells()] == whole


def test_a_run_is_found_again_after_a_restart_of_the_kernel_and_goes_on(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, tiny("restarted"), BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    lab.until_cells("cells.some(cell => cell.run !== null)")

    lab.command("kernelmenu:restart")
    lab.page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    expect(lab.panel).to_contain_text("mlestar_jupyter is not loaded in this kernel.")
    expect(lab.standing).to_contain_text("cut off")
    expect(lab.candidates.first).to_be_visible()

    lab.press("Load it")
    expect(lab.panel.get_by_text("is not loaded")).to_have_count(0)
    # A kernel that has a moment left before it ends stops its run softly.
    expect(lab.standing).to_contain_text(re.compile("cut off|stopped"))
    lab.press("Go on")
    lab.until_finished()
    ids = [cell.id for cell in lab.cells()]
    assert len(ids) == len(set(ids))
    assert lab.users_cells() == [LOAD, tiny("restarted"), BELOW]


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
