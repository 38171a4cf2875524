"""The same extension in Notebook 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import LOAD, tiny

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.slow

SEVEN = tiny("seven")


def test_the_panel_shows_and_drives_a_run_in_notebook_7(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.application = "notebooks"
    lab.open(LOAD, SEVEN)
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()

    expect(lab.panel.get_by_role("heading", name="seven")).to_be_visible()
    lab.press("Pause")
    expect(lab.standing).to_contain_text("paused")
    lab.press("Go on")
    lab.until_finished()
    lab.until_cells("cells.some(cell => cell.run === 'seven')")
    assert lab.users_cells() == [LOAD, SEVEN]
