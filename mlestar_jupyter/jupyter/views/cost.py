"""The view of what a run has cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlestar_jupyter import report
from mlestar_jupyter.jupyter.views import frames, words
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views.view import WIDTH, View
from mlestar_jupyter.reading import Cost, cost
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds

if TYPE_CHECKING:
    import pandas as pd


class CostView(View):
    """What a run has cost, stage by stage. ``stages`` is the table as a DataFrame."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.cost: Cost = cost(run)

    @property
    def stages(self) -> pd.DataFrame:
        """What each stage has cost."""
        return frames.cost_frame(self.cost)

    @property
    def seconds(self) -> float:
        """Seconds of all executions added up."""
        return self.cost.seconds

    def _facts(self) -> list[tuple[str, str]]:
        spent = self.cost
        clock = f"{format_seconds(spent.elapsed)} of {format_seconds(spent.limit)}"
        many = f", in {spent.sessions} sessions" if spent.sessions > 1 else ""
        rows = [
            ("time", clock + many),
            (
                "executions",
                f"{spent.executions}, {format_seconds(spent.seconds)} of work in all "
                f"(up to {self.run.settings.jobs} side by side)",
            ),
        ]
        if spent.tokens or spent.money:
            rows.append(("agents", f"{spent.tokens:,} tokens, ${spent.money:.2f}"))
        return rows

    @property
    def text(self) -> str:
        """The view as plain text."""
        heads = ["stage", "candidates", "scored", "executions", "time", "share"]
        rows = [
            [
                s.stage, str(s.candidates), str(s.scored), str(s.executions),
                format_seconds(s.seconds), f"{s.share:4.0%} {'█' * round(20 * s.share)}",
            ]
            for s in self.cost.stages
        ]  # fmt: skip
        parts = [report.pairs(self._facts(), WIDTH)]
        if rows:
            parts.append(report.table(heads, rows))
        longest = [
            [c.id, c.stage, c.block or "", format_seconds(c.seconds), words.what(c, 60)]
            for c in self.cost.dearest
        ]
        if longest:
            table = report.table(["id", "stage", "block", "time", "what"], longest)
            parts.append(f"took longest\n{table}")
        return "\n\n".join(parts)

    @property
    def markup(self) -> str:
        """The view as HTML."""
        heads = ["stage", ">candidates", ">scored", ">executions", ">time", ">share", ""]
        rows = [
            [
                m.esc(s.stage), str(s.candidates), str(s.scored), str(s.executions),
                format_seconds(s.seconds), f"{s.share:.0%}", m.bar(s.share),
            ]
            for s in self.cost.stages
        ]  # fmt: skip
        longest = [
            [
                m.mono(c.id), m.esc(c.stage), m.mono(c.block) if c.block else "",
                format_seconds(c.seconds), m.esc(words.what(c)),
            ]
            for c in self.cost.dearest
        ]  # fmt: skip
        table = m.table(["id", "stage", "block", ">time", "what"], longest, wide=[4])
        return m.frame(
            m.pairs((word, m.esc(value)) for word, value in self._facts()),
            m.table(heads, rows) if rows else m.line("nothing was executed yet"),
            m.section("Took longest", table if longest else ""),
        )
