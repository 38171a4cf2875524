"""The form of the panel: what is clicked becomes the text of a ``%%mlestar`` cell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from mlestar_jupyter.jupyter.completion import columns_of
from mlestar_jupyter.jupyter.namespace import frame_names
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.settings import AGENTS

#: Fields of the form and the options that they are; the task itself is the cell's text.
OPTIONS = {
    "data": "--data", "train": "--train", "test": "--test", "target": "--target",
    "metric": "--metric", "time": "--time", "agents": "--agents", "cost": "--cost",
}  # fmt: skip


def cell_line(given: Mapping[str, Any]) -> str:
    """The words behind ``%%mlestar`` for what was filled in; empty fields are left out."""
    words = [str(given["name"]).strip()] if str(given.get("name") or "").strip() else []
    for field, option in OPTIONS.items():
        value = str(given.get(field) or "").strip()
        if value:
            words += [option, value]
    if given.get("step"):
        words.append("--step")
    return shlex.join(words)


class Form:
    """Fields for a task, and the cell that they mean. ``widget`` is what is shown."""

    def __init__(self, widgets: Any, namespace: Callable[[], Mapping[str, Any]]) -> None:
        self._widgets, self._namespace = widgets, namespace
        style = {"description_width": "7em"}
        wide = widgets.Layout(width="auto", flex="1 1 22em")

        def field(kind: Any, words: str, hint: str = "", **more: Any) -> Any:
            options = {"placeholder": hint} if hint else {}
            return kind(description=words, style=style, layout=wide, **options, **more)

        combo = {"ensure_option": False}
        self.fields: dict[str, Any] = {
            "data": field(widgets.Text, "data folder", "with train.csv and test.csv"),
            "train": field(widgets.Combobox, "or DataFrame", "rows to learn from", **combo),
            "test": field(widgets.Combobox, "to predict", "a DataFrame", **combo),
            "target": field(widgets.Combobox, "target", "found out if left empty", **combo),
            "metric": field(
                widgets.Combobox, "metric", "found out if left empty",
                options=tuple(METRICS), **combo,
            ),
            "time": field(widgets.Text, "time", "90s, 10m, 1h", value="10m"),
            "agents": field(
                widgets.Dropdown, "agents",
                options=[("as %config has it", ""), *((name, name) for name in AGENTS)],
            ),
            "cost": field(widgets.Text, "limit in $", "2, for language models alone"),
            "name": field(widgets.Text, "name", "of the run"),
            "step": field(widgets.Checkbox, "step by step", value=False, indent=True),
        }  # fmt: skip
        self.words = widgets.Textarea(
            placeholder="The task in your words: what is to be predicted, from what, and what for.",
            layout=widgets.Layout(width="auto", height="5em"),
        )
        self.preview = widgets.Textarea(
            disabled=True, layout=widgets.Layout(width="auto", height="6em")
        )
        for changed in (*self.fields.values(), self.words):
            changed.observe(lambda _: self.show(), names="value")
        rows = widgets.Box(
            list(self.fields.values()),
            layout=widgets.Layout(display="flex", flex_flow="row wrap"),
        )
        self.widget = widgets.VBox([rows, self.words, self.preview])
        self.show()

    @property
    def line(self) -> str:
        """What stands behind ``%%mlestar``."""
        return cell_line({name: field.value for name, field in self.fields.items()})

    @property
    def body(self) -> str:
        """The task in the user's words."""
        return str(self.words.value).strip()

    @property
    def cell(self) -> str:
        """The whole cell, to keep it as text."""
        # IPython refuses a cell magic whose body is empty: a blank line is a body.
        return f"%%mlestar {self.line}".rstrip() + "\n" + (self.body or "\n")

    def show(self) -> None:
        """Bring the preview and what can be chosen up to date."""
        self.preview.value = self.cell
        namespace = self._namespace()
        frames = tuple(frame_names(namespace))
        self.fields["train"].options = self.fields["test"].options = frames
        words = shlex.split(self.line)
        self.fields["target"].options = tuple(columns_of(words, namespace))
