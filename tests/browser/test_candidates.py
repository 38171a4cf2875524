"""The candidates of a run that has finished: looked at, edited, adopted, exported, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from lab import Lab
    from playwright.sync_api import Locator

pytestmark = pytest.mark.slow

MINE = "mine = 1"


def toolbar(lab: Lab, name: str) -> Locator:
    """The small toolbar below the heading of a candidate's cells."""
    return lab.notebook.get_by_role("toolbar", name=f"Candidate {name}")


def edit(lab: Lab, cell: Locator) -> None:
    """Write a line at the end of a cell."""
    cell.locator(".cm-content").click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type(f"\n{MINE}")


def test_the_page_of_a_candidate_shows_what_it_changes_of_its_parent(recorded: Lab) -> None:
    from playwright.sync_api import expect

    name = recorded.judged("refine")[0]
    page = recorded.open_candidate(name)

    expect(page.get_by_role("heading", name="Changes against")).to_be_visible()
    expect(page.get_by_text("added: ").first).to_be_attached()
    expect(page.get_by_role("heading", name="Plan")).to_be_visible()
    expect(page.get_by_role("heading", name="Checks")).to_be_visible()
    expect(page.get_by_text("unchanged").first).to_be_visible()

    parent = page.locator("dd").get_by_role("button", name="Candidate ")
    parent.click()
    expect(recorded.panel.get_by_role("heading", name="Changes against")).to_have_count(0)
    recorded.press("Back")
    expect(recorded.candidates.first).to_be_visible()


def test_cells_come_once_and_come_back_when_they_are_asked_for(recorded: Lab) -> None:
    from playwright.sync_api import expect

    first = recorded.judged("initialize")[0]
    recorded.press("Insert all cells")
    expect(recorded.panel).to_contain_text("all cells of this run are in the notebook")
    whole = recorded.cells()

    lost = [cell.id for cell in whole if f"-{first}" in cell.id]
    recorded.page.evaluate(
        """lost => {
          const shared = jupyterapp.shell.currentWidget.content.model.sharedModel;
          shared.transact(() => {
            for (let i = shared.cells.length - 1; i >= 0; i--) {
              if (lost.includes(shared.cells[i].getId())) {
                shared.deleteCell(i);
              }
            }
          });
        }""",
        lost,
    )
    assert len(recorded.cells()) == len(whole) - len(lost) < len(whole)
    recorded.open_candidate(first)
    recorded.press("Show cells")
    expect(toolbar(recorded, first)).to_be_visible()
    recorded.press("Show cells")
    expect(toolbar(recorded, first)).to_be_visible()
    assert [cell.id for cell in recorded.cells()] == [cell.id for cell in whole]


def test_edited_cells_are_accepted_and_judged(recorded: Lab) -> None:
    from playwright.sync_api import expect

    name = recorded.judged("refine")[0]
    recorded.until_cells(f"cells.some(cell => cell.candidate === '{name}')")
    recorded.open_candidate(name)
    recorded.press("Show cells")
    below = f".jp-MarkdownCell:has([aria-label='Candidate {name}']) + .jp-CodeCell"
    edit(recorded, recorded.notebook.locator(below))

    toolbar(recorded, name).get_by_role("button", name="Accept").click()

    recorded.press("Back")
    adopted = recorded.candidates.filter(has_text="edited by you")
    expect(adopted).to_contain_text("rejected")  # it is no better
    adopted.click()
    changes = recorded.panel.get_by_role("region", name=f"Changes against {name}")
    expect(changes).to_contain_text(f"added: {MINE}")


def test_a_candidate_is_inserted_as_a_cell_that_adopts_it(recorded: Lab) -> None:
    from playwright.sync_api import expect

    recorded.press("Insert the best candidate")
    recorded.until_cells("cells.some(cell => cell.source.startsWith('%%mlestar adopt'))")
    cell = recorded.notebook.locator(".jp-CodeCell.jp-mod-active")
    expect(cell).to_contain_text("%%mlestar adopt")
    edit(recorded, cell)

    recorded.page.keyboard.press("Shift+Enter")

    expect(recorded.candidates.filter(has_text="edited by you")).to_contain_text("rejected")
    expect(recorded.notebook).to_contain_text("adopted from you")


def test_the_best_is_exported_as_a_notebook_that_opens(recorded: Lab) -> None:
    from playwright.sync_api import expect

    recorded.panel.get_by_label("Export as").fill("mine/solution.ipynb")
    (recorded.folder / "mine").mkdir()
    recorded.press("Export")

    expect(recorded.notebook).to_contain_text("%mlestar export mine/solution.ipynb")
    expect(recorded.notebook).to_contain_text("reproduced")
    exported = nbformat.read(recorded.folder / "mine" / "solution.ipynb", 4)
    assert "mlestar_jupyter" not in "".join(cell.source for cell in exported.cells)
    recorded.command("docmanager:open", path=f"{recorded.folder.name}/mine/solution.ipynb")
    expect(recorded.page.get_by_role("tab", name="solution.ipynb")).to_be_visible()


def test_the_best_is_taken_back_after_a_question(recorded: Lab) -> None:
    from playwright.sync_api import expect

    head = recorded.panel.locator("header").get_by_role("button", name="Candidate ")
    best = head.inner_text()
    recorded.press("Undo")
    expect(recorded.panel.get_by_role("group", name=f"Take {best} back")).to_be_visible()
    recorded.press("No")
    expect(head).to_have_text(best)

    page = recorded.open_candidate(best)
    recorded.press("Reject")
    recorded.press("Yes")

    expect(head).not_to_have_text(best)
    expect(page.get_by_role("heading", level=2)).to_contain_text("undone")


def test_the_story_of_the_run_opens(recorded: Lab) -> None:
    from playwright.sync_api import expect

    recorded.press("Open run.ipynb")

    recorded.until_ready("run.ipynb")
    expect(recorded.notebook.get_by_role("heading").first).to_be_visible()
    assert Path(recorded.folder / "mlestar_runs" / "recorded" / "run.ipynb").is_file()
