"""Views of several candidates: a table of them, and what a verb has tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlestar_jupyter import report
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.jupyter.views import frames, words
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views.study import study_table, study_text
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading import Study, standings, studies
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds

if TYPE_CHECKING:
    import pandas as pd


class TriedView(View):
    """What a verb has tried: the studies, the candidates, and the best of the run afterwards.

    ``tried`` is a DataFrame; ``candidates`` are the new candidates themselves.
    """

    def __init__(self, run: Run, candidates: Sequence[Candidate]) -> None:
        super().__init__()
        self.run = run
        self.candidates = list(candidates)

    @property
    def tried(self) -> pd.DataFrame:
        """The new candidates as a DataFrame."""
        frame = frames.candidates_frame(self.run)
        return frame[frame["id"].isin([c.id for c in self.candidates])].reset_index(drop=True)

    @property
    def studies(self) -> list[Study]:
        """The studies that measured some of them."""
        ids = {c.id for c in self.candidates}
        return [s for s in studies(self.run) if any(r.candidate in ids for r in s.results)]

    @property
    def _plans(self) -> list[Candidate]:
        """The candidates that stand in no study."""
        told = {r.candidate for study in self.studies for r in study.results}
        return [c for c in self.candidates if c.id not in told]

    @property
    def _best(self) -> str:
        best = self.run.best
        if best is None:
            return "no candidate has a score yet"
        is_new = any(c.id == best.id for c in self.candidates)
        metric = self.run.task.metric.name
        return f"the best is {'now' if is_new else 'still'} {best.id}: {metric} {best.score}"

    @property
    def text(self) -> str:
        """The view as plain text."""
        parts = [
            f"what the blocks of {study.candidate} are worth\n{study_text(self.run, study)}"
            for study in self.studies
        ]
        if self._plans:
            parts.append(candidates_text(self.run, self._plans))
        if not self.candidates:
            parts.append("nothing new was tried")
        return "\n\n".join([*parts, self._best])

    @property
    def markup(self) -> str:
        """The view as HTML."""
        parts = [
            m.section(
                f"What the blocks of {study.candidate} are worth", study_table(self.run, study)
            )
            for study in self.studies
        ]
        if self._plans:
            parts.append(m.section("What was tried", candidates_table(self.run, self._plans)))
        if not self.candidates:
            parts.append(m.line("nothing new was tried"))
        return m.frame(*parts, m.line(m.esc(self._best)))


def candidates_table(run: Run, candidates: Sequence[Candidate]) -> str:
    """Candidates as a table in HTML."""
    standing = standings(run)
    rows = [
        [
            words.standing_mark(standing.get(c.id, "scored")),
            m.mono(c.id),
            m.esc(c.stage) + (f" {m.mono(c.block)}" if c.block else ""),
            words.score_markup(c),
            words.gain_markup(gain_over(c, _parent(run, c))),
            m.esc(format_seconds(c.seconds)),
            m.esc(words.what(c)),
        ]
        for c in candidates
    ]
    heads = ["", "id", "stage", f">{run.task.metric.name}", ">gain", ">time", "what"]
    return m.table(heads, rows, wide=[6])


def candidates_text(run: Run, candidates: Sequence[Candidate]) -> str:
    """Candidates as a table in plain text."""
    standing = standings(run)
    rows = [
        [
            words.MARKS[standing.get(c.id, "scored")],
            c.id,
            f"{c.stage} {c.block or ''}".rstrip(),
            words.score_words(c),
            words.gain_words(gain_over(c, _parent(run, c))),
            format_seconds(c.seconds),
            words.what(c, 60),
        ]
        for c in candidates
    ]
    heads = ["", "id", "stage", run.task.metric.name, "gain", "time", "what"]
    return report.table(heads, rows)


def _parent(run: Run, candidate: Candidate) -> Candidate | None:
    return run.state.candidates.get(candidate.parents[0]) if candidate.parents else None
