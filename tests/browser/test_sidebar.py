"""The sidebar, in a real browser: what is read there, and what a click does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab import Lab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

LOAD = "%load_ext mlestar_jupyter"
#: As little as a run can be.
TINY = (
    "%%mlestar tiny --data task --time 60s --models 2 --solutions 1 --outer 1 --inner 1 "
    "--ensemble-rounds 0 --folds 1 --jobs 1 --no-reproduce\nfew steps"
)
BELOW = "print('below')"


def users_cells(lab: Lab) -> list[str]:
    return [cell.source.strip() for cell in lab.cells() if cell.run is None]


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
    lab.fill(folder="task", target="progression", time_limit="90s", jobs="1", name="clicked")
    # Without a description: the folder may have one, and IPython refuses a cell with no body.
    text = "%%mlestar clicked --data task --target progression --time 90s --jobs 1"
    expect(lab.panel.get_by_role("group", name="The cell that is written")).to_have_text(text)
    lab.press("Run")

    expect(lab.candidates.first).to_contain_text("0001")
    expect(lab.panel.get_by_role("heading", name="clicked")).to_be_visible()
    cells = lab.until_cells("cells.some(cell => cell.run !== null)")
    assert [cell.source.strip() for cell in cells[:2]] == [LOAD, text]
    assert cells[2].run is not None
    expect(lab.standing).to_contain_text("finished")
    cells = lab.cells()
    assert users_cells(lab) == [LOAD, text, BELOW]
    assert cells[-1].source == BELOW

    lab.press("Open finished.ipynb")
    expect(lab.page.get_by_role("tab", name="finished.ipynb")).to_be_visible()


def test_a_busy_cell_is_paused_survives_a_reload_and_goes_on(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, TINY, BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    expect(lab.candidates.first).to_be_visible()

    lab.press("Pause")
    expect(lab.standing).to_contain_text("paused")
    expect(lab.page.get_by_text("[*]:").first).to_be_visible()

    lab.reload()
    expect(lab.standing).to_contain_text("paused")
    expect(lab.panel.get_by_role("heading", name="tiny")).to_be_visible()
    expect(lab.candidates.first).to_be_visible()

    lab.press("Go on")
    expect(lab.standing).to_contain_text(re.compile("working|finished"))
    expect(lab.standing).to_contain_text("finished")
    ids = [cell.id for cell in lab.cells()]
    assert len(ids) == len(set(ids))
    assert users_cells(lab) == [LOAD, TINY, BELOW]
    assert lab.cells()[-1].source == BELOW


def test_a_click_on_a_bar_of_the_ablation_pins_its_block(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, TINY)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    bars = lab.panel.get_by_role("list", name="What the blocks of").get_by_role("button")
    block = bars.first.locator("code").inner_text()

    bars.first.click()

    expect(bars.and_(lab.panel.get_by_role("button", pressed=True))).to_contain_text(block)
    expect(lab.panel).to_contain_text(f"next target: {block}")
    lab.press("Take the pin back")
    expect(lab.panel.get_by_role("button", name="Take the pin back")).to_have_count(0)
