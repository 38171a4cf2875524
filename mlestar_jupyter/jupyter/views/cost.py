"""The view of what a run has cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlestar_jupyter import accounts
from mlestar_jupyter.jupyter.views import frames, words
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views.view import WIDTH, View
from mlestar_jupyter.reading import Cost, cost
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.spending import Spending

if TYPE_CHECKING:
    import pandas as pd


class CostView(View):
    """What a run has cost: ``stages``, ``roles``, ``models`` and ``candidates`` are DataFrames."""

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

    @property
    def money(self) -> float:
        """What language models have cost, in dollars, as far as their prices are known."""
        return self.cost.money

    @property
    def roles(self) -> pd.DataFrame:
        """Calls, tokens and money by role."""
        return frames.spending_frame("role", self.cost.calls.roles)

    @property
    def models(self) -> pd.DataFrame:
        """Calls, tokens and money by model."""
        return frames.spending_frame("model", self.cost.calls.models)

    @property
    def candidates(self) -> pd.DataFrame:
        """Calls, tokens and money by candidate, the dearest first."""
        return frames.spending_frame("id", self.cost.calls.candidates)

    @property
    def text(self) -> str:
        """The view as plain text."""
        return accounts.text(self.run, WIDTH)

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
        facts = accounts.facts(self.run, self.cost)
        return m.frame(
            m.pairs((word, m.esc(value)) for word, value in facts),
            m.table(heads, rows) if rows else m.line("nothing was executed yet"),
            m.section("Took longest", table if longest else ""),
            *(
                m.section(title.capitalize(), _spending(first, found))
                for title, first, found in accounts.groups(self.cost.calls)
            ),
        )


def _spending(first: str, found: Sequence[tuple[str, Spending]]) -> str:
    heads = [first, *(f">{head}" for head in accounts.SPENDING_HEADS)]
    rows = [[m.esc(name), *(m.esc(cell) for cell in accounts.cells(s))] for name, s in found]
    return m.table(heads, rows)
