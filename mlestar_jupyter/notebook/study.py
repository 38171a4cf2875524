"""An ablation study as cells: the measured table under a heading that folds, and its bars."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from mlestar_jupyter.events import Event
from mlestar_jupyter.notebook.cells import cell_id, in_branch, study_words, text_cell
from mlestar_jupyter.notebook.charts import gains_chart
from mlestar_jupyter.notebook.markdown import one_line, signed
from mlestar_jupyter.run import Run

#: Dots to the inch of a chart: twice what a page has, so that it is sharp on fine screens.
DPI = 144
_IMPORT = "import matplotlib.pyplot as plt\n"
#: matplotlib's caches of fonts and of text layout are not made for several threads at once.
_drawing = threading.Lock()


def study_cells(run: Run, event: Event) -> list[NotebookNode]:
    """The cells of an event ``ablation_measured``; their ids are the same at each call.

    The bars are a code cell with its source hidden and its output drawn already, so that every
    front end shows them and nobody has to execute anything.
    """
    study, key = event.data, f"e{event.seq}"
    heading = f"### Ablation study of {study['candidate']}{in_branch(run, study)}"
    words = f"{heading}\n\n{study_words(run, study)}"
    cells = [text_cell(run, words, key, candidate=study["candidate"], study=True)]
    gains = sorted(study_gains([study]).items(), key=lambda pair: -pair[1])
    if not gains:
        return cells
    source = gains_chart(gains, run.task.metric.name)
    chart: NotebookNode = new_code_cell(source)
    chart.id = cell_id(run, key, "chart")
    chart.metadata["mlestar"] = {
        "run": run.folder.name, "candidate": study["candidate"], "chart": "gains",
    }  # fmt: skip
    chart.metadata["jupyter"] = {"source_hidden": True}
    chart.metadata["tags"] = ["hide-input"]
    # Some text of an agent may have no glyphs, a user's matplotlib may be odd: the table stays.
    with contextlib.suppress(Exception):
        chart.outputs = [drawn(source, text_bars(gains))]
        return [*cells, chart]
    return cells


def study_gains(studies: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What each ablation was worth, by words for it that tell all of them apart."""
    gains: dict[str, float] = {}
    for study in studies:
        for result in study["results"]:
            if result["gain"] is None:
                continue
            name = one_line(f"{result['block']}: {result['change']}", 56)
            for which in (study.get("candidate"), result["candidate"]):
                name = f"{name} ({which})" if name in gains else name
            gains[name] = float(result["gain"])
    return gains


def text_bars(gains: Sequence[tuple[str, float]], width: int = 24) -> str:
    """The same bars in letters, for front ends that show no pictures."""
    largest = max((abs(gain) for _, gain in gains), default=0.0) or 1.0
    longest = max(len(name) for name, _ in gains)
    lines = []
    for name, gain in gains:
        bar = ("█" if gain > 0 else "░") * round(width * abs(gain) / largest)
        lines.append(f"{name:<{longest}}  {signed(gain):>8}  {bar}".rstrip())
    return "\n".join(lines)


def drawn(source: str, text: str) -> NotebookNode:
    """What the source of one of our charts draws, as the output of its cell, and the same as text.

    Drawn in this process with a figure of its own: the user's pyplot has no part in it.
    """
    with _drawing:
        image, width, height = _draw(source)
    data = {"image/png": image, "text/plain": text}
    size = {"image/png": {"width": width, "height": height}}
    output: NotebookNode = new_output("display_data", data=data, metadata=size)
    return output


@functools.lru_cache(maxsize=32)
def _draw(source: str) -> tuple[str, int, int]:
    # Each study is drawn for run.ipynb and for the notebook: once is enough.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figures: list[Figure] = []

    def subplots(*shape: int, **options: Any) -> tuple[Figure, Any]:
        figure = Figure(**options)
        FigureCanvasAgg(figure)
        figures.append(figure)
        return figure, figure.subplots(*shape)

    pyplot = SimpleNamespace(subplots=subplots, show=lambda: None)
    exec(compile(source.replace(_IMPORT, "", 1), "<chart>", "exec"), {"plt": pyplot})
    stream = io.BytesIO()
    figures[-1].savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    width, height = (round(inches * DPI / 2) for inches in figures[-1].get_size_inches())
    return base64.b64encode(stream.getvalue()).decode(), width, height
