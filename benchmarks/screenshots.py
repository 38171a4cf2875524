"""Pictures of the sidebar, taken of one real run in a real JupyterLab.

    python benchmarks/screenshots.py FOLDER [--time 3m]

Nothing is staged: the run solves the demo's task, and each picture is taken when the run has come
to it. Needs what `make test-browser` installs, and for one picture of Notebook 7 the package
`notebook`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image
from playwright.sync_api import Locator, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from lab import Lab, lab_server, obstacle, open_page

from mlestar_jupyter.demo import write_demo_task

SIZE = {"width": 1440, "height": 770}
#: Widths of the panel, in pixels.
WIDE, USUAL, NARROW = 560, 420, 260
TITLE = "# Diabetes progression\n\nHow far does the disease progress within a year?"
LOOK = "import pandas as pd\n\npd.read_csv('task/train.csv').head(3)"
LOAD = "%load_ext mlestar_jupyter"
BROKEN = "%%mlestar adopt best --block model\nmodel = LinearRegresion()"


class Shots:
    """Takes pictures of a page into a folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, name: str, of: Locator | None = None) -> None:
        """The whole window, or one element of it, as a small PNG."""
        page = self.lab.page
        page.mouse.move(5, SIZE["height"] - 5)  # no tooltip, nothing that hovers
        page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 80)))"
        )
        path = self.folder / f"{name}.png"
        (of or page).screenshot(path=path, animations="disabled", caret="hide")
        with Image.open(path) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path}  {path.stat().st_size / 1024:.0f} kB", flush=True)

    def take_both(self, name: str) -> None:
        """The whole window in the light and in the dark theme."""
        self.take(name)
        self.theme("JupyterLab Dark")
        self.take(f"{name}-dark")
        self.theme("JupyterLab Light")

    def theme(self, name: str) -> None:
        """Change the theme."""
        execute(self.lab, "apputils:change-theme", theme=name)
        self.lab.wait("name => document.body.dataset.jpThemeName === name", name)

    def panel_width(self, pixels: int) -> None:
        """Drag the edge of the panel until it is so wide."""
        page, panel = self.lab.page, self.lab.panel
        box = panel.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] - 2, y)
        page.mouse.down()
        page.mouse.move(box["x"] - 2 + box["width"] - pixels, y, steps=4)
        page.mouse.up()

    def top(self) -> None:
        """Scroll the panel to its top."""
        self.lab.page.locator(".mlestar-Body").evaluate("body => { body.scrollTop = 0 }")


def execute(lab: Lab, command: str, **arguments: str) -> None:
    """Execute a command of JupyterLab, to its end."""
    lab.page.evaluate(
        "([name, args]) => jupyterapp.commands.execute(name, args)", [command, arguments]
    )


def write_notebook(lab: Lab, name: str, *cells: nbformat.NotebookNode) -> str:
    """Write a notebook into the folder; gives its path below the root of the server."""
    notebook = new_notebook(cells=list(cells))
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python",
    }  # fmt: skip
    nbformat.write(notebook, lab.folder / name)
    return f"{lab.folder.name}/{name}"


def open_notebook(lab: Lab, address: str) -> None:
    """Load the page with this notebook, and open the panel."""
    lab.page.goto(address)
    lab.wait("() => window.jupyterapp?.shell.currentWidget?.content?.model?.sharedModel")
    lab.wait("() => jupyterapp.shell.currentWidget.context.isReady")
    lab.wait("() => jupyterapp.commands.hasCommand('mlestar:open')")
    lab.command("mlestar:open")
    lab.panel.wait_for()


def before_the_run(lab: Lab, shots: Shots) -> None:
    """What is seen while there is no run."""
    path = write_notebook(lab, "diabetes.ipynb", new_markdown_cell(TITLE), new_code_cell(LOOK))
    open_notebook(lab, f"{lab.address}/lab/tree/{path}?reset")
    execute(lab, "application:toggle-left-area")
    expect(lab.panel).to_contain_text("is not loaded")
    lab.run_cells()
    shots.panel_width(USUAL)
    shots.take("not-loaded")
    lab.press("Load it")
    expect(lab.panel).to_contain_text("No run yet.")
    shots.take("empty")


def fill_form(lab: Lab, shots: Shots, time: str) -> None:
    """The form, with what is wrong in it marked, and filled in."""
    lab.press("New task")
    lab.press("Run")
    shots.take("form-problems", lab.panel)
    lab.fill(folder="task", target="progression", time_limit=time, name="diabetes")
    lab.panel.get_by_label("Description").fill("Predict the progression within a year.")
    shots.take_both("form")
    shots.panel_width(NARROW)
    shots.take("form-narrow", lab.panel)
    shots.panel_width(USUAL)
    lab.press("Run")


def while_it_runs(lab: Lab, shots: Shots) -> None:
    """A run at work, and the page of a candidate that changed one block."""
    expect(lab.candidates.first).to_be_visible()
    shots.take("begun")
    lab.panel.get_by_role("list", name="What the blocks of").wait_for()
    refined = lab.candidates.filter(has_text=re.compile(r"features|model")).filter(
        has_text=re.compile(r"\d\.\d")
    )
    refined.first.wait_for()
    shots.panel_width(WIDE)
    shots.top()
    shots.take_both("running")
    refined.last.click()
    expect(lab.panel.get_by_role("article")).to_contain_text("Changes against")
    shots.take_both("candidate")
    lab.press("Back")


def after_the_run(lab: Lab, shots: Shots) -> None:
    """A run that has finished: its page in all widths, and its parts."""
    expect(lab.standing).to_contain_text("finished")
    shots.panel_width(USUAL)
    shots.top()
    shots.take_both("finished")
    for title in ("Scores", "Candidates", "Ablation", "Steer", "Files", "Events"):
        section = lab.panel.get_by_role("region", name=title, exact=True)
        section.scroll_into_view_if_needed()
        shots.take(f"part-{title.lower()}", section)
    shots.panel_width(NARROW)
    shots.top()
    shots.take("narrow")
    shots.panel_width(USUAL)


def in_the_notebook(lab: Lab, shots: Shots) -> None:
    """The cells that arrived, folded but for those of the first candidate, with their toolbar."""
    lab.candidates.first.click()
    lab.press("Show cells")
    expect(lab.page.get_by_role("toolbar", name="Candidate 0001")).to_be_in_viewport()
    shots.take_both("cells")
    lab.press("Back")


def what_fails(lab: Lab, shots: Shots) -> None:
    """A candidate that failed, and a run whose kernel was restarted under it."""
    execute(lab, "notebook:move-cursor-down")
    lab.page.evaluate(
        """source => {
          const { content } = jupyterapp.shell.currentWidget;
          const shared = content.model.sharedModel;
          shared.insertCell(shared.cells.length, { cell_type: 'code', source });
          content.activeCellIndex = shared.cells.length - 1;
        }""",
        BROKEN,
    )
    lab.command("notebook:run-cell")
    failed = lab.candidates.filter(has_text="failed").last
    failed.click()
    shots.take("failed")
    lab.press("Back")


def in_notebook_7(lab: Lab, shots: Shots) -> None:
    """The same notebook in Notebook 7."""
    execute(lab, "docmanager:save")
    path = f"{lab.folder.name}/diabetes.ipynb"
    open_notebook(lab, f"{lab.address}/notebooks/{path}")
    expect(lab.candidates.first).to_be_visible()
    shots.take("notebook7")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time", default="3m", help="limit of the run")
    arguments = parser.parse_args()
    if why := obstacle():
        sys.exit(why)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_demo_task(root / "demo" / "task")
        with (
            lab_server(root, root / "own") as address,
            open_page(viewport=SIZE, device_scale_factor=2) as page,
        ):
            lab = Lab(page, address, root / "demo")
            shots = Shots(lab, arguments.folder)
            before_the_run(lab, shots)
            fill_form(lab, shots, arguments.time)
            while_it_runs(lab, shots)
            after_the_run(lab, shots)
            in_the_notebook(lab, shots)
            what_fails(lab, shots)
            if importlib.util.find_spec("notebook") is not None:
                in_notebook_7(lab, shots)


if __name__ == "__main__":
    main()
