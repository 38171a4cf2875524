"""Views of a run: where it stands, and what was understood of its task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlestar_jupyter import report
from mlestar_jupyter.jupyter import charts
from mlestar_jupyter.jupyter.views import frames, words
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views.candidate import CandidateView
from mlestar_jupyter.jupyter.views.candidates import candidates_table
from mlestar_jupyter.jupyter.views.view import PairsView, View
from mlestar_jupyter.reading import progress
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.task import Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: So many of the best candidates are listed.
BEST = 8


class RunView(View):
    """Where a run stands: its best candidates, its scores over time, and where the results lie.

    It shows the run as it is whenever it is looked at.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder

    @property
    def task(self) -> Task:
        """The task."""
        return self.run.task

    @property
    def state(self) -> str:
        """What it does now, or how it ended."""
        return words.state_words(self.run)

    @property
    def best(self) -> CandidateView | None:
        """The best candidate so far."""
        best = self.run.best
        return None if best is None else CandidateView(self.run, best)

    @property
    def score(self) -> Score | None:
        """The score of the best candidate: ``.value``, ``.spread``, ``.folds``."""
        best = self.run.best
        return None if best is None else best.score

    @property
    def candidates(self) -> pd.DataFrame:
        """All judged candidates as a DataFrame."""
        return frames.candidates_frame(self.run)

    @property
    def submission(self) -> Path | None:
        """The submission, once it is written."""
        written = self.run.state.submission
        return self.folder / written["path"] if written and written["path"] else None

    @property
    def notebook(self) -> Path | None:
        """The finished notebook, once it is written."""
        finished = self.run.state.finished
        return self.folder / finished["path"] if finished else None

    @property
    def story(self) -> Path:
        """``run.ipynb``, the story of the run so far."""
        return self.folder / "run.ipynb"

    def chart(self) -> Figure:
        """The scores over time as a matplotlib figure."""
        now = progress(self.run)
        return charts.score_chart(
            now.points,
            now.bests,
            metric=now.metric,
            greater_is_better=now.greater_is_better,
            until=now.elapsed / 60,
        )

    @property
    def text(self) -> str:
        """The view as plain text."""
        run = self.run
        parts = [report.status(run), report.score_table(run, BEST), report.delivered(run)]
        return "\n\n".join(part for part in parts if part)

    @property
    def markup(self) -> str:
        """The view as HTML."""
        now = progress(self.run)
        name = m.span(m.esc(now.name), "font-weight:600")
        facts = [
            f"{now.scored} scored ({now.ablations} ablations), {now.failed} not",
            f"{format_seconds(now.elapsed)} of {format_seconds(now.limit)}",
        ]
        parts = [m.heading(f"{name} &nbsp;{words.state_pill(self.state)}")]
        if now.best is not None:
            score = m.span(words.score_markup(now.best), "font-weight:600")
            found = f"best {m.esc(now.metric)} {score} {m.muted('by ' + m.esc(now.best.id))}"
            parts.append(m.line(found))
        parts.append(m.line(m.muted(m.esc(" · ".join(facts)))))
        if (agents := report.agents_line(self.run)) is not None:
            parts.append(m.line(m.muted(m.esc(f"agents: {agents}"))))
        if len(now.points) > 1:
            parts.append(charts.image(self.chart(), f"{now.metric} of all candidates over time"))
        parts += [self._table(), self._files()]
        return m.frame(*parts)

    def _table(self) -> str:
        run, metric = self.run, self.run.task.metric
        sign = -1 if metric.greater_is_better else 1
        ranked = sorted(
            (c for c in run.scored if c.stage != "ablate" or c.id == run.state.best),
            key=lambda c: sign * (c.score.value if c.score else 0.0),
        )
        if not ranked:
            return m.line("no candidate has a score yet")
        return candidates_table(run, ranked[:BEST])

    def _files(self) -> str:
        links = []
        if self.submission is not None:
            links.append(words.path_markup(self.submission, "submission"))
        if self.notebook is not None and self.run.state.finished is not None:
            verdict = m.muted(f"({m.esc(self.run.state.finished['verdict'])})")
            link = words.path_markup(self.notebook, "finished notebook")
            links.append(f"{link} {verdict}")
        if self.story.exists():
            links.append(words.path_markup(self.story, "story of the run"))
        return m.line(" · ".join(links)) + m.line(m.muted(m.mono(self.folder)))


class TaskView(PairsView):
    """What was understood of a task, and how candidates are judged."""

    def __init__(self, task: Task, rows: Sequence[tuple[str, str]] | None = None) -> None:
        super().__init__(task.describe() if rows is None else rows, "What was understood")
        self.task = task
