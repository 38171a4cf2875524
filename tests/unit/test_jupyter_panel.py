"""The panel: what is clicked is what could have been typed, and errors are lines in it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError, SettingsError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter import arguments
from mlestar_jupyter.jupyter import panel as panel_module
from mlestar_jupyter.jupyter.form import cell_line
from mlestar_jupyter.jupyter.panel import BUTTONS, Panel, panel
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import AGENTS, Settings

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
widgets = pytest.importorskip("ipywidgets")


class Desk:
    """A workspace that says what was typed."""

    def __init__(self, run: Run | None = None) -> None:
        self.folder = None if run is None else run.folder
        self.namespace: Mapping[str, Any] = {"houses": pd.DataFrame({"price": [1], "year": [2]})}
        self._run = run
        self.typed: list[tuple[str, str | None]] = []

    def run(self, values: Mapping[str, Any]) -> Run:
        assert self._run is not None
        return self._run

    def mlestar(self, line: str, cell: str | None = None) -> Any:
        self.typed.append((line, cell))
        if line.startswith("pause"):
            raise SettingsError("nothing is at work; <b>start</b> a run")
        if line.startswith("stop"):
            raise ZeroDivisionError("oh")
        return "done" if cell is None else None


@pytest.fixture
def run(
    build: Callable[..., Path], diabetes: Frames, tmp_path: Path, judge: Callable[..., Candidate]
) -> Run:
    made = Run.create(tmp_path / "trial", from_folder(build(*diabetes)), Settings(folds=2))
    for shift, title in ((0.0, "first"), (5.0, "second")):

        def predict(held: pd.DataFrame, shift: float = shift) -> pd.DataFrame:
            return pd.DataFrame({"id": held["id"], "progression": held["progression"] + shift})

        judge(made, title, predict)
    made.emit("incumbent_changed", branch=0, id="0001", best=True, reason="the first")
    return made


def shown(desk: Desk) -> Panel:
    return Panel(widgets, desk, desk.mlestar)


def test_the_form_is_a_cell_that_could_have_been_typed() -> None:
    desk = Desk()
    made = shown(desk)
    made.form.fields["train"].value = "houses"
    made.form.fields["target"].value = "price per m2"
    made.form.fields["step"].value = True
    made.form.words.value = "What is a house worth?"
    cell = made.form.preview.value
    assert cell == (
        "%%mlestar --train houses --target 'price per m2' --time 10m --step\nWhat is a house worth?"
    )
    line = cell.splitlines()[0].removeprefix("%%mlestar ")
    values = vars(arguments.cell_parser().parse_args(shlex.split(line)))
    assert (values["train"], values["target"], values["time"]) == ("houses", "price per m2", 600.0)
    made.buttons["Run"].click()
    assert desk.typed == [(f"{line} --background", "What is a house worth?")]
    assert "started in the background" in made.message.value


def test_the_form_has_the_casts_and_a_limit_of_money() -> None:
    form = shown(Desk()).form
    assert [value for _, value in form.fields["agents"].options] == ["", *AGENTS]
    assert "--agents" not in form.line
    form.fields["agents"].value = "gemini"
    form.fields["cost"].value = "2"
    assert form.line == "--time 10m --agents gemini --cost 2"


def test_the_form_offers_what_is_there() -> None:
    made = shown(Desk())
    assert made.form.fields["train"].options == ("houses",)
    assert made.form.fields["target"].options == ()
    made.form.fields["train"].value = "houses"
    assert made.form.fields["target"].options == ("price", "year")
    assert cell_line({"name": " ", "data": "my data", "metric": None}) == "--data 'my data'"


def test_every_button_says_a_verb_that_exists(run: Run) -> None:
    desk = Desk(run)
    made = shown(desk)
    for words, verb, _ in BUTTONS:
        made.buttons[words].click()
        assert desk.typed[-1] == (verb, None)
    made.block.value, made.words.value = "model", "it's target encoding"
    for words in ("Pin", "Suggest", "Export"):
        made.buttons[words].click()
    for line, _ in desk.typed:
        words = shlex.split(line)
        assert vars(arguments.line_parser().parse_args(words))["verb"] == words[0]
    assert [line for line, _ in desk.typed[-3:]] == [
        "pin model", "suggest 'it'\"'\"'s target encoding'", "export solution.ipynb",
    ]  # fmt: skip


def test_an_error_is_a_line_in_the_panel(run: Run) -> None:
    made = shown(Desk(run))
    made.buttons["Pause"].click()
    assert "nothing is at work; &lt;b&gt;start&lt;/b&gt; a run" in made.message.value
    made.buttons["Stop"].click()
    assert "ZeroDivisionError: oh" in made.message.value
    made.buttons["Pin"].click()
    assert "pin what?" in made.message.value
    made.buttons["Undo"].click()
    assert "done" in made.message.value


def test_it_shows_the_run_with_its_candidates_chart_and_blocks(run: Run) -> None:
    made = shown(Desk(run))
    assert "trial" in made.now.value
    assert "0001" in made.results.value
    assert "<svg" in made.results.value or "<img" in made.results.value
    assert made.block.options == ("model",)
    before = made.results.value
    run.emit("note", text="nothing new to see")
    made.refresh()
    assert made.results.value == before


def test_a_run_that_is_gone_is_said_and_nothing_raised(run: Run) -> None:
    desk = Desk(run)

    def gone(values: Mapping[str, Any]) -> Run:
        raise MlestarError("the run folder is gone")

    desk.run = gone  # type: ignore[method-assign]
    assert "the run folder is gone" in shown(desk).now.value


def test_it_says_when_buttons_act() -> None:
    texts = [child.value for child in shown(Desk()).widget.children if hasattr(child, "value")]
    assert any("buttons act once it has ended" in str(text) for text in texts)
    assert any("No run yet" in str(text) for text in texts)


def test_a_new_panel_takes_the_place_of_the_one_before() -> None:
    desk = Desk()
    panel(desk, desk.mlestar)
    first = panel_module._shown
    assert first is not None
    panel(desk, desk.mlestar)
    assert first._closed.is_set()
    assert panel_module._shown is not None
    panel_module._shown.close()


def test_without_ipywidgets_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MlestarError, match="pip install ipywidgets"):
        panel(Desk(), Desk().mlestar)
