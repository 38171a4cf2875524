"""A run at work, steered by the sidebar: pause, step, stop, pin, suggest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from lab import LOAD, tiny

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.slow

TINY = tiny("tiny")
STEPS = tiny("steps", "--step")
BELOW = "print('below')"


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
    lab.until_finished()
    ids = [cell.id for cell in lab.cells()]
    assert len(ids) == len(set(ids))
    assert lab.users_cells() == [LOAD, TINY, BELOW]
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


def test_a_run_waits_at_its_gates_and_goes_on_step_by_step(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, STEPS, BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    gate = lab.panel.get_by_role("region", name="The run waits for you")
    expect(gate).to_contain_text("1 of 1")
    expect(lab.standing).to_contain_text("waiting")
    expect(lab.notebook).to_contain_text("below")  # the kernel is free while the run waits

    lab.panel.get_by_label("Something to try").fill("log of the target")
    lab.press("Suggest")
    expect(lab.panel).to_contain_text("understood as: model: learn the logarithm of the target")
    expect(lab.panel.get_by_label("Something to try")).to_have_value("")

    before = lab.candidates.count()
    lab.press("Step")
    lab.until_finished()
    assert lab.candidates.count() > before
    assert lab.users_cells() == [LOAD, STEPS, BELOW]


def test_a_stopped_run_keeps_what_was_judged_and_goes_on(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.open(LOAD, TINY, BELOW)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    lab.until_cells("cells.some(cell => cell.run !== null)")
    best = lab.panel.get_by_role("button", name="Candidate 0001").first

    lab.press("Stop")

    expect(lab.standing).to_contain_text("stopped")
    expect(lab.notebook).to_contain_text("nothing that was judged is lost")
    expect(best).to_be_visible()
    kept = [cell.id for cell in lab.cells()]

    lab.press("Go on")
    expect(lab.standing).to_contain_text("working")
    lab.until_finished()
    ids = [cell.id for cell in lab.cells()]
    assert len(ids) == len(set(ids))
    assert set(kept) < set(ids)
    assert lab.users_cells() == [LOAD, TINY, BELOW]
