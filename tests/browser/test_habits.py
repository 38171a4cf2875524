"""What a user of JupyterLab expects of every panel: themes, keys, settings, the launcher."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab import Lab

pytestmark = pytest.mark.slow

#: What texts and signs need to be seen by most people (WCAG 2, level AA).
CONTRAST, SIGN_CONTRAST = 4.5, 3.0

# Each text in the panel with its colour and its contrast against what lies behind it. Texts of
# what cannot be used now are exempt, as are those for screen readers.
_TEXTS = """root => {
  const pixel = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const over = (behind, color, opacity) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    const share = opacity * alpha / 255;
    return [red, green, blue].map((value, i) => value * share + behind[i] * (1 - share));
  };
  const ancestors = element =>
    element === null ? [] : [...ancestors(element.parentElement), element];
  const luminance = color => {
    const [red, green, blue] = color.map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const texts = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (text === '' || !element.checkVisibility() ||
        element.closest('.mlestar-sr, [aria-disabled=true], option')) {
      continue;
    }
    let behind = [255, 255, 255];
    let opacity = 1;
    for (const each of ancestors(element)) {
      const style = getComputedStyle(each);
      opacity *= Number(style.opacity);
      behind = over(behind, style.backgroundColor, opacity);
    }
    const style = getComputedStyle(element);
    const color = over(behind, style.fill !== 'rgb(0, 0, 0)' ? style.fill : style.color, opacity);
    texts.push({text, color: color.map(Math.round).join(' '), contrast: contrast(color, behind)});
  }
  return texts;
}"""


def texts(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.panel.evaluate(_TEXTS)
    return found


def faint(lab: Lab) -> list[tuple[str, str, float]]:
    """The texts in the panel that are hard to read."""
    return [
        (each["text"], each["color"], round(each["contrast"], 2))
        for each in texts(lab)
        if each["contrast"] < (CONTRAST if re.search(r"\w", each["text"]) else SIGN_CONTRAST)
    ]


def turn_to(lab: Lab, theme: str) -> None:
    lab.command("apputils:change-theme", theme=theme)
    lab.wait("theme => document.body.dataset.jpThemeName === theme", theme)


@pytest.fixture
def settings(served: tuple[str, Any]) -> Iterator[Any]:
    """A function that sets our settings, before a page is opened."""
    address = f"{served[0]}/lab/api/settings/mlestar-jupyter-labextension:plugin"

    def put(raw: str) -> None:
        body = json.dumps({"raw": raw}).encode()
        with urllib.request.urlopen(urllib.request.Request(address, body, method="PUT")):
            pass

    yield put
    put("{}")


def test_texts_can_be_read_in_the_light_and_in_the_dark(recorded: Lab) -> None:
    from playwright.sync_api import expect

    expect(recorded.candidates.first).to_be_visible()
    assert not faint(recorded)
    light = {each["color"] for each in texts(recorded)}

    turn_to(recorded, "JupyterLab Dark")
    assert not faint(recorded)
    assert light.isdisjoint({each["color"] for each in texts(recorded)})

    page = recorded.open_candidate(recorded.judged("refine")[0])
    expect(page.get_by_role("heading", name="Changes against")).to_be_visible()
    assert not faint(recorded)
    turn_to(recorded, "JupyterLab Light")
    assert not faint(recorded)


def test_the_keyboard_reaches_the_panel_and_its_candidates(recorded: Lab) -> None:
    from playwright.sync_api import expect

    keys = recorded.page.keyboard
    recorded.command("application:toggle-right-area")
    expect(recorded.panel).to_be_hidden()
    keys.press("Control+Shift+C")
    keys.type("Show the MLE-STAR Panel")
    expect(recorded.page.get_by_role("menuitem", name="Show the MLE-STAR Panel")).to_be_visible()
    keys.press("Enter")
    expect(recorded.panel).to_be_visible()

    tree = recorded.panel.get_by_role("tree")
    tree.focus()
    keys.press("Home")
    keys.press("ArrowDown")
    second = recorded.candidates.nth(1)
    expect(second).to_have_attribute("aria-selected", "true")
    name = second.locator(".mlestar-Tree-id").inner_text()
    keys.press("Enter")
    page = recorded.panel.get_by_role("article", name=f"Candidate {name}")
    expect(page.get_by_role("heading", name=name).first).to_be_focused()
    keys.press("Shift+Tab")
    expect(page.get_by_role("button", name="Back")).to_be_focused()
    keys.press("Enter")
    expect(tree).to_be_focused()


def test_cells_do_not_come_by_themselves_if_the_settings_say_so(
    settings: Any, request: pytest.FixtureRequest
) -> None:
    from playwright.sync_api import expect

    settings('{"insertCells": false, "side": "left"}')
    recorded: Lab = request.getfixturevalue("recorded")

    left = recorded.page.locator("#jp-left-stack")
    expect(left.get_by_role("region", name="MLE-STAR")).to_be_visible()
    expect(recorded.candidates.first).to_be_visible()
    assert all(cell.run is None for cell in recorded.cells())
    recorded.press("Insert all cells")
    recorded.until_cells("cells.some(cell => cell.run !== null)")


def test_the_launcher_leads_to_a_form_whose_folder_is_picked(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.page.goto(f"{lab.address}/lab/tree/{lab.folder.name}?reset")
    lab.page.locator(".jp-LauncherCard", has_text="MLE-STAR").click()
    expect(lab.panel.get_by_role("form", name="New task")).to_be_visible()
    expect(lab.page.get_by_role("tab", name="Untitled.ipynb")).to_be_visible()

    lab.press("Browse…")
    dialog = lab.page.get_by_role("dialog")
    dialog.get_by_text("task", exact=True).click()
    dialog.get_by_role("button", name="Select").click()
    expect(lab.panel.get_by_label("Folder", exact=True)).to_have_value("task")
    written = lab.panel.get_by_role("group", name="The cell that is written")
    expect(written).to_contain_text("%%mlestar --data task")
