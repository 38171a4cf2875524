"""The view of an ablation study: what each block is worth, as a table with bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlestar_jupyter import report
from mlestar_jupyter.jupyter import charts
from mlestar_jupyter.jupyter.views import frames, words
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.notebook.markdown import one_line
from mlestar_jupyter.reading import Study, branch_words, study_of
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number
from mlestar_jupyter.settings import format_seconds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class StudyView(View):
    """An ablation study: ``results`` is a DataFrame, ``summary`` says it in words."""

    def __init__(self, run: Run, study: Study | Mapping[str, Any]) -> None:
        super().__init__()
        self.run = run
        self.study: Study = study if isinstance(study, Study) else study_of(study)

    @property
    def candidate(self) -> str:
        """The id of the candidate that was studied."""
        return self.study.candidate

    @property
    def results(self) -> pd.DataFrame:
        """The measured variants; ``gain`` is that of the block as it is."""
        return frames.study_frame(self.study)

    @property
    def summary(self) -> str:
        """The study in words."""
        return self.study.summary

    def chart(self) -> Figure:
        """What each block is worth as a matplotlib figure."""
        return charts.ablation_bars(self.study.results, metric=self.run.task.metric.name)

    @property
    def title(self) -> str:
        """Whose study it is."""
        where = branch_words(self.run, self.study.branch)
        words_ = f"Ablation study of {self.study.candidate}" + (f", {where}" if where else "")
        return words_ if self.study.is_whole else f"{words_} (under way)"

    @property
    def text(self) -> str:
        """The view as plain text."""
        parts = [self.title, study_text(self.run, self.study)]
        return "\n\n".join(part for part in [*parts, self.summary] if part)

    @property
    def markup(self) -> str:
        """The view as HTML."""
        return m.frame(
            m.heading(m.span(m.esc(self.title), "font-weight:600")),
            study_table(self.run, self.study),
            m.quote(self.summary),
        )


def study_text(run: Run, study: Study) -> str:
    """The measured table as plain text."""
    if not study.results:
        return "no variant was measured"
    rows = [
        [
            r.block,
            one_line(r.change, 60),
            r.candidate,
            "no score" if r.score is None else format_number(r.score),
            "" if r.gain is None else words.gain_words(r.gain),
        ]
        for r in study.results
    ]
    return report.table(["block", "without", "id", run.task.metric.name, "worth"], rows)


def study_table(run: Run, study: Study, block: str | None = None) -> str:
    """The measured table with bars, as markup. The rows of ``block`` stand out."""
    if not study.results:
        return m.line(m.muted("no variant was measured"))
    largest = max((abs(r.gain) for r in study.results if r.gain is not None), default=0.0)
    has_losses = any(r.gain is not None and r.gain < 0 for r in study.results)
    rows = []
    for r in study.results:
        name = m.mono(r.block)
        if block is not None and r.block == block:
            name = m.span(name, f"font-weight:600;color:{m.ACCENT}")
        score = m.span("no score", f"color:{m.POOR}") if r.score is None else format_number(r.score)
        rows.append(
            [
                name, m.esc(r.change), m.mono(r.candidate), score, words.gain_markup(r.gain),
                m.signed_bar(r.gain, largest, has_losses=has_losses), format_seconds(r.seconds),
            ]
        )  # fmt: skip
    metric = run.task.metric.name
    heads = ["block", "without", "id", f">{metric}", ">worth", "", ">time"]
    return m.table(heads, rows, wide=[1])
