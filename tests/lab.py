"""JupyterLab for tests: a server of its own, and a page in a browser, driven as by a user.

Playwright is imported only where it is used, so that this module loads without it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_core.paths import jupyter_path

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

#: Seconds; however slow the machine, nothing waits longer, and nothing waits without need.
PATIENCE = 300.0
EXTENSION = "mlestar-jupyter-labextension"
#: A kernel without our package.
BARE = "bare"
LOAD = "%load_ext mlestar_jupyter"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# The shared models of the notebook in focus, which the page shows only in part.
_CELLS = """() => jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(cell => ({
  id: cell.getId(), source: cell.getSource(),
  run: cell.getMetadata('mlestar')?.run ?? null,
  candidate: cell.getMetadata('mlestar')?.candidate ?? null
}))"""


def tiny(name: str, more: str = "") -> str:
    """A cell that is as little of a run as can be, with every stage but the ensemble."""
    return (
        f"%%mlestar {name} --data task --time 5m --models 1 --solutions 1 --outer 1 --inner 1 "
        f"--ensemble-rounds 0 --folds 1 --jobs 1 --no-reproduce {more}".rstrip()
        + "\nfew steps"
    )


def obstacle() -> str:
    """Why there can be no test in a browser here; "" if there can."""
    for package in ("playwright", "jupyterlab"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed: make test-browser installs it"
    if not any((Path(p) / EXTENSION / "package.json").is_file() for p in _extension_folders()):
        return "the JupyterLab extension is not built: make labextension builds it"
    if browser() is None:
        return "no Chromium. On Debian: apt-get install -y chromium fonts-dejavu-core"
    return ""


def browser() -> str | None:
    """The browser's executable."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _extension_folders() -> list[str]:
    return list(jupyter_path("labextensions"))


@contextmanager
def lab_server(root: Path, own: Path) -> Iterator[str]:
    """JupyterLab with ``root`` as its folder, and settings below ``own``; gives its address."""
    settings, log = own / "settings", own / "server.log"
    notifications = settings / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    notifications.parent.mkdir(parents=True)
    notifications.write_text(json.dumps({"fetchNews": "false"}), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    _write_bare_kernel(own / "data" / "kernels" / BARE)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_PATH": str(own / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    environment.pop("MPLBACKEND", None)
    with log.open("wb") as written:
        server = subprocess.Popen(command, stdout=written, stderr=written, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, f"{address}/api/status", log)
        yield address
    finally:
        server.terminate()  # it ends its kernels
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _write_bare_kernel(folder: Path) -> None:
    """A kernel in which our package cannot be found, as where it is not installed."""
    code = (
        "import sys; sys.modules['mlestar_jupyter'] = None; "
        "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    )
    command = [sys.executable, "-c", code, "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": BARE, "language": "python"}
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > end:
                said = log.read_text("utf-8", "replace")
                raise AssertionError(f"JupyterLab did not start:\n{said}") from None
            time.sleep(0.1)  # a server gives no sign of being ready but its answer


def end_kernels(address: str) -> None:
    """End all kernels of a server, with what they have begun."""
    kernels = f"{address}/api/kernels"
    with urllib.request.urlopen(kernels) as answer:
        found = json.load(answer)
    for kernel in found:
        request = urllib.request.Request(f"{kernels}/{kernel['id']}", method="DELETE")
        with urllib.request.urlopen(request):
            pass


@contextmanager
def open_browser(**context_options: Any) -> Iterator[BrowserContext]:
    """A browser to open pages in; the options are those of Playwright's contexts."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=arguments)
        try:
            options = {"viewport": {"width": 1500, "height": 1000}, **context_options}
            context = chromium.new_context(**options)
            context.set_default_timeout(PATIENCE * 1000)
            # "Leave the page?", with a notebook that is not saved.
            context.on("dialog", lambda dialog: dialog.accept())
            yield context
        finally:
            chromium.close()


@contextmanager
def open_page(**context_options: Any) -> Iterator[Page]:
    """An empty page in a browser of its own."""
    with open_browser(**context_options) as context:
        yield context.new_page()


@dataclass
class Cell:
    """A cell of the notebook in focus; ``run`` is set in those that our extension inserted."""

    id: str
    source: str
    run: str | None
    candidate: str | None


@dataclass
class Lab:
    """JupyterLab in a browser, with our panel open."""

    page: Page
    address: str
    folder: Path
    #: How the address of a notebook begins; "notebooks" is Notebook 7.
    application: str = "lab/tree"

    @property
    def panel(self) -> Locator:
        """Our sidebar."""
        return self.page.get_by_role("region", name="MLE-STAR")

    @property
    def standing(self) -> Locator:
        """How the run stands, as the panel's head says it."""
        return self.panel.locator("header").get_by_role("status")

    @property
    def candidates(self) -> Locator:
        """The rows of the tree of candidates."""
        return self.panel.get_by_role("tree").get_by_role("treeitem")

    @property
    def notebook(self) -> Locator:
        """The notebook that is in view."""
        return self.page.locator(".jp-NotebookPanel:visible")

    def open(self, *cells: str, kernel: str = "python3", run: str | None = None) -> None:
        """Make a notebook of these cells and open it, with the panel beside it.

        ``run`` is the run that it showed when it was saved, none of whose cells it has had.
        """
        path = self.write("mine.ipynb", *cells, kernel=kernel, run=run)
        self.page.goto(f"{self.address}/{self.application}/{path}?reset")
        self._show()

    def open_beside(self, name: str, *cells: str) -> None:
        """Open another notebook in a tab of its own; one that is there is not made anew."""
        path = self.write(name, *cells) if cells else f"{self.folder.name}/{name}"
        self.command("docmanager:open", path=path)
        self.until_ready(name)

    def write(self, name: str, *cells: str, kernel: str = "python3", run: str | None = None) -> str:
        """Write a notebook of these cells; gives its path below the server's folder."""
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {
            "name": kernel, "display_name": kernel, "language": "python",
        }  # fmt: skip
        if run is not None:
            notebook.metadata["mlestar"] = {"run": run, "told": {run: -1}}
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(notebook, self.folder / name)
        return f"{self.folder.name}/{name}"

    def focus(self, name: str) -> None:
        """Bring the tab of an open notebook to the front."""
        self.page.get_by_role("main").get_by_role("tab", name=name).click()
        self.until_ready(name)

    def reload(self) -> None:
        """Load the page again, as the browser's button does."""
        self.page.reload()
        self._show()

    def close(self) -> None:
        """Save the notebook in focus, and close its tab."""
        self.page.evaluate("""async () => {
          const { currentWidget } = jupyterapp.shell;
          await currentWidget.context.save();
          currentWidget.dispose();
        }""")

    def command(self, name: str, **arguments: Any) -> None:
        """Execute a command of JupyterLab without waiting for its end."""
        execute = "([name, given]) => { void jupyterapp.commands.execute(name, given) }"
        self.page.evaluate(execute, [name, arguments])

    def run_cells(self) -> None:
        """Run all cells, without waiting for their end."""
        self.command("notebook:run-all-cells")

    def press(self, name: str) -> None:
        """Press a button of the panel, once it can be pressed."""
        self.panel.get_by_role("button", name=name, exact=True, disabled=False).click()

    def fill(self, **fields: str) -> None:
        """Fill in fields of the form, by their labels in small letters."""
        for label, text in fields.items():
            name = label.capitalize().replace("_", " ")
            self.panel.get_by_label(name, exact=True).fill(text)

    def judged(self, stage: str, run: str = "recorded") -> list[str]:
        """The candidates of a stage that have a score, as the journal of a run has them."""
        journal = self.folder / "mlestar_runs" / run / "journal.jsonl"
        events = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
        return [
            event["id"]
            for event in events
            if event["kind"] == "candidate_judged" and event["stage"] == stage and event["score"]
        ]

    def open_candidate(self, name: str) -> Locator:
        """Open a candidate's page by its row in the tree."""
        self.candidates.filter(has_text=name).first.click()
        page = self.panel.get_by_role("article", name=f"Candidate {name}")
        page.get_by_role("heading", name=name, exact=False).first.wait_for()
        return page

    def cells(self) -> list[Cell]:
        """The cells of the notebook in focus."""
        return [Cell(**cell) for cell in self.page.evaluate(_CELLS)]

    def until_finished(self) -> None:
        """Wait until the run has finished; if it ends otherwise, what the page says of it."""
        from playwright.sync_api import expect

        try:
            expect(self.standing).to_contain_text("finished")
        except AssertionError:
            said = f"{self.panel.inner_text()}\n{self.notebook.inner_text()}"
            raise AssertionError(f"the run did not finish\n{said}") from None

    def users_cells(self) -> list[str]:
        """The sources of the cells that are the user's own."""
        return [cell.source.strip() for cell in self.cells() if cell.run is None]

    def until_cells(self, condition: str) -> list[Cell]:
        """Wait until a condition in JavaScript holds for ``cells``, and give them."""
        self.wait(f"() => {{ const cells = ({_CELLS})(); return {condition}; }}")
        return self.cells()

    def until_ready(self, name: str) -> None:
        """Wait until the notebook of that name is in focus and can be used."""
        self.wait(
            """name => {
              const context = window.jupyterapp?.shell.currentWidget?.context;
              return context?.isReady && context.path.endsWith(`/${name}`);
            }""",
            name,
        )

    def wait(self, function: str, argument: Any = None) -> None:
        """Wait until a function in JavaScript gives what is true."""
        self.page.wait_for_function(function, arg=argument, timeout=PATIENCE * 1000)

    def _show(self) -> None:
        self.until_ready("mine.ipynb")
        self.wait("() => jupyterapp.commands.hasCommand('mlestar:open')")
        self.command("mlestar:open")
        self.panel.wait_for()
