"""``%mlestar panel``: a dashboard of ipywidgets, for front ends that cannot have our extension."""

from __future__ import annotations

import functools
import html
import shlex
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from mlestar_jupyter.errors import MlestarError
from mlestar_jupyter.jupyter import views
from mlestar_jupyter.jupyter.form import Form
from mlestar_jupyter.jupyter.live import live_markup
from mlestar_jupyter.jupyter.work import work_on
from mlestar_jupyter.reading import progress
from mlestar_jupyter.run import Run

#: Seconds between two looks at the run.
EVERY = 1.0
HINT = (
    "While a cell is running, buttons act once it has ended: start runs with --background (as this "
    "panel does), and they act at once. Otherwise interrupt the cell, which stops the run softly."
)
#: Buttons that say a verb: what is on them, the verb, what they do.
BUTTONS = (
    ("Pause", "pause", "begin nothing more; the clock stands"),
    ("Go on / step", "resume --background", "after a pause, with the next step, or after a stop"),
    ("Stop", "stop", "end what is under way; the run can be resumed"),
    ("Refine", "refine --background", "one outer step more on the best candidate"),
    ("Ensemble", "ensemble --background", "combine the best solutions"),
    ("Undo", "undo", "take the best candidate back"),
)

Magic = Callable[..., Any]


class Desk(Protocol):
    """What the panel needs to know of the magics' workspace."""

    folder: Path | None

    @property
    def namespace(self) -> Mapping[str, Any]:
        """The user's variables."""

    def run(self, values: Mapping[str, Any]) -> Run:
        """The current run, to read."""


def panel(workspace: Desk, mlestar: Magic) -> Any:
    """The dashboard as a widget. ``mlestar(line, cell=None)`` is the magic: buttons type for you.

    MlestarError when ipywidgets is not installed.
    """
    global _shown
    made = Panel(_ipywidgets(), workspace, mlestar)
    if _shown is not None:
        _shown.close()
    _shown = made
    made.follow()
    return made.widget


class Panel:
    """The dashboard: a form, the run as it is now, and buttons. ``widget`` is what is shown.

    An error, whatever it is, is shown as a line in the panel.
    """

    def __init__(self, widgets: Any, workspace: Desk, mlestar: Magic) -> None:
        self._workspace, self._mlestar, self._widgets = workspace, mlestar, widgets
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._run: Run | None = None  # as it was read, while nobody is at work on it
        self._seen: tuple[Any, ...] = ()
        self._drawn: tuple[Any, ...] = ()
        self.form = Form(widgets, lambda: workspace.namespace)
        self.message, self.now, self.results = (widgets.HTML() for _ in range(3))
        # What verbs display goes here; the panel shows the run itself.
        self._aside = widgets.Output()
        self.buttons: dict[str, Any] = {}
        self.block = widgets.Combobox(
            placeholder="block", ensure_option=False, layout=widgets.Layout(width="12em")
        )
        self.words = widgets.Text(
            placeholder="try target encoding for city", layout=widgets.Layout(flex="1 1 16em")
        )
        self.path = widgets.Text(value="solution.ipynb", layout=widgets.Layout(width="14em"))
        self.widget = self._layout()
        self.refresh()

    def _layout(self) -> Any:
        widgets = self._widgets

        def row(*children: Any) -> Any:
            layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center")
            return widgets.Box(children, layout=layout)

        verbs = [
            self._button(words, why, functools.partial(self._mlestar, verb))
            for words, verb, why in BUTTONS
        ]
        pin = self._button("Pin", "refine this block next", lambda: self._say("pin", self.block))
        suggest = self._button(
            "Suggest", "something to try in the next step", lambda: self._say("suggest", self.words)
        )
        export = self._button(
            "Export", "as .ipynb, .py, .html or a folder", lambda: self._say("export", self.path)
        )
        run = self._button("Run", "start this cell in the background", self._start)
        run.button_style = "primary"
        form = widgets.Accordion([widgets.VBox([self.form.widget, run])], titles=("A new run",))
        form.selected_index = 0 if self._workspace.folder is None else None
        self._form = form
        refresh = self._button("Refresh", "look at the run again", lambda: None)
        hint = widgets.HTML(f'<div style="opacity:.75;font-size:90%">{html.escape(HINT)}</div>')
        return widgets.VBox(
            [
                form,
                self.now,
                row(*verbs, refresh),
                row(self.block, pin, self.words, suggest),
                row(self.path, export),
                self.message,
                self.results,
                hint,
            ]
        )

    def _button(self, words: str, why: str, act: Callable[[], Any]) -> Any:
        button = self._widgets.Button(
            description=words, tooltip=why, layout=self._widgets.Layout(width="auto")
        )
        button.on_click(lambda _: self._act(words, act))
        self.buttons[words] = button
        return button

    def _act(self, words: str, act: Callable[[], Any]) -> None:
        """Do what a button says, and say what came of it."""
        self._tell(f"{words} …")
        with self._aside:  # which swallows what is raised in it
            said, is_error = _outcome(act)
        self._tell(said, is_error=is_error)
        self.refresh()

    def _say(self, verb: str, field: Any) -> Any:
        words = str(field.value).strip()
        if not words:
            raise MlestarError(f"{verb} what? fill in the field beside the button")
        return self._mlestar(f"{verb} {shlex.quote(words)}")

    def _start(self) -> Any:
        result = self._mlestar(f"{self.form.line} --background", self.form.body)
        self._form.selected_index = None
        return "started in the background" if result is None else result

    def _tell(self, words: str, *, is_error: bool = False) -> None:
        color = "color:var(--jp-error-color1,#c62828);" if is_error else ""
        line = html.escape("\n".join(words.strip().splitlines()[:12]))
        style = f"margin:.3em 0;white-space:pre-wrap;{color}"
        self.message.value = f'<pre role="status" style="{style}">{line}</pre>' if line else ""

    def refresh(self) -> None:
        """Bring the panel up to date; called from any thread, and never raises."""
        with self._lock:
            try:
                self._look()
            except Exception as error:  # a run folder that is gone or damaged
                words = " ".join(str(error).split()) or type(error).__name__
                self.now.value = f"<pre>{html.escape(words)}</pre>"

    def _look(self) -> None:
        folder = self._workspace.folder
        if folder is None:
            self.now.value = "<i>No run yet: fill in the form, or start one with %%mlestar.</i>"
            return
        work = work_on(folder)
        if work is not None:
            self._run = None
        elif self._run is None or self._run.folder != folder.expanduser().absolute():
            self._run = self._workspace.run({"run": folder})
        run = self._run if work is None else work.run
        assert run is not None
        seen = (run.folder, len(run.events), work is not None, int(run.elapsed / 2))
        if seen == self._seen:
            return
        self._seen = seen
        title = "" if work is None else work.title
        self.now.value = live_markup(progress(run), run.folder, "", title)
        best = run.best
        self.block.options = () if best is None else best.solution.names
        drawn = (run.folder, len(run.state.candidates), run.state.best, run.state.ended)
        if drawn != self._drawn:  # the chart costs more than the rest
            self._drawn = drawn
            self.results.value = views.run_view(run).markup

    def follow(self) -> None:
        """Look at the run now and then, until the panel is closed."""
        threading.Thread(target=self._follow, name="mlestar-panel", daemon=True).start()

    def _follow(self) -> None:
        while not self._closed.wait(EVERY):
            self.refresh()

    def close(self) -> None:
        """Look no more; what is shown stays."""
        self._closed.set()


_shown: Panel | None = None


def _outcome(act: Callable[[], Any]) -> tuple[str, bool]:
    """What an act gave, in words, and whether it went wrong."""
    try:
        result = act()
    except MlestarError as error:
        return str(error), True
    except Exception as error:
        return f"{type(error).__name__}: {error}", True
    return "" if result is None else str(result), False


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError as error:
        raise MlestarError(
            "the panel needs ipywidgets: pip install ipywidgets, then reload the page"
        ) from error
    return ipywidgets
