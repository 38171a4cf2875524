"""The sidebar's main path, in a real browser: from a kernel that knows nothing to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import LOAD

if TYPE_CHECKING:
    from lab import Lab

BELOW = "print('below')"


def test_a_kernel_without_the_package_is_told_of_and_a_button_loads_it(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open("x = 1")

    expect(lab.panel).to_contain_text("mlestar_jupyter is not loaded in this kernel.")
    lab.press("Load it")

    expect(lab.panel).to_contain_text("No run yet.")
    assert [cell.source for cell in lab.cells()] == [LOAD, "x = 1"]


def test_the_form_alone_leads_from_data_to_the_finished_notebook(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open("", BELOW)
    expect(lab.panel).to_contain_text("is not loaded")

    lab.press("New task")
    lab.fill(folder="task", target="progression", time_limit="45s", jobs="1", name="clicked")
    # Without a description: the folder may have one, and IPython refuses a cell with no body.
    text = "%%mlestar clicked --data task --target progression --time 45s --jobs 1"
    expect(lab.panel.get_by_role("group", name="The cell that is written")).to_have_text(text)
    lab.press("Run")

    expect(lab.candidates.first).to_contain_text("0001")
    expect(lab.panel.get_by_role("heading", name="clicked")).to_be_visible()
    cells = lab.until_cells("cells.some(cell => cell.run !== null)")
    assert [cell.source.strip() for cell in cells[:2]] == [LOAD, text]
    assert cells[2].run is not None
    lab.until_finished()
    cells = lab.cells()
    assert lab.users_cells() == [LOAD, text, BELOW]
    assert cells[-1].source == BELOW

    lab.press("Open finished.ipynb")
    expect(lab.page.get_by_role("tab", name="finished.ipynb")).to_be_visible()
