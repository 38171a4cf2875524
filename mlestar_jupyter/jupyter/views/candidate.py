"""The view of a candidate: a heading, then its blocks."""

from __future__ import annotations

from pathlib import Path

from mlestar_jupyter.candidate import Candidate, Status
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views import words
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading import branch_words, calls, pages, standings
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.spending import Spending, counted


class CandidateView(View):
    """A candidate: ``score``, ``blocks`` (source by name), ``plan``, ``parents``, ``folder``..."""

    def __init__(self, run: Run, candidate: Candidate) -> None:
        super().__init__()
        self.run = run
        self.candidate = candidate

    @property
    def id(self) -> str:
        """Its id, such as ``0014``."""
        return self.candidate.id

    @property
    def stage(self) -> str:
        """The stage that it comes from."""
        return self.candidate.stage

    @property
    def score(self) -> Score | None:
        """Its score (``.value``, ``.spread``, ``.folds``); None when it has none."""
        return self.candidate.score

    @property
    def gain(self) -> float | None:
        """The gain over its first parent; positive is better."""
        return gain_over(self.candidate, self._parent)

    @property
    def status(self) -> Status:
        """``ok``, or what went wrong."""
        return self.candidate.status

    @property
    def reason(self) -> str:
        """Why it has no score; "" when it has one."""
        return self.candidate.reason

    @property
    def plan(self) -> str:
        """What it was to try, in words."""
        return self.candidate.plan

    @property
    def seconds(self) -> float:
        """Wall clock of all its executions."""
        return self.candidate.seconds

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of the candidates that it came from."""
        return self.candidate.parents

    @property
    def solution(self) -> Solution:
        """The solution itself."""
        return self.candidate.solution

    @property
    def blocks(self) -> dict[str, str]:
        """The source of each block, in order."""
        return {block.name: block.source for block in self.candidate.solution.blocks}

    def source(self, name: str) -> str:
        """The source of one block."""
        return self.candidate.solution.source(name)

    @property
    def folder(self) -> Path:
        """Where its notebooks and predictions lie."""
        return self.run.candidate_folder(self.id)

    @property
    def sources(self) -> list[tuple[str, str]]:
        """The pages of the web behind it, as (address, title)."""
        return list(pages(self.run, self.id))

    @property
    def spent(self) -> Spending | None:
        """What language models have cost for it; None when nothing is known to be for it alone."""
        return calls(self.run).of(self.id)

    @property
    def executed(self) -> list[Path]:
        """Its executed notebooks, one for each fold that was run."""
        return sorted(p for p in self.folder.glob("*.ipynb") if p.name != "solution.ipynb")

    @property
    def _parent(self) -> Candidate | None:
        parents = self.candidate.parents
        return self.run.state.candidates.get(parents[0]) if parents else None

    def _facts(self) -> list[str]:
        candidate, parent, gain = self.candidate, self._parent, self.gain
        facts = []
        if gain is not None and parent is not None:
            facts.append(f"gain {words.gain_words(gain)} over {parent.id}")
        facts.append(format_seconds(candidate.seconds))
        if where := branch_words(self.run, candidate.branch):
            facts.append(where)
        if candidate.debug_rounds:
            rounds = "round" if candidate.debug_rounds == 1 else "rounds"
            facts.append(f"{candidate.debug_rounds} debug {rounds}")
        if (spent := self.spent) is not None and spent.calls:
            facts.append(f"{counted(spent.tokens, 'token')}, {spent.money_words()}")
        return facts

    def _changed(self) -> tuple[str, ...]:
        """The blocks that its first parent does not have like this; all when it has none."""
        parent = self._parent
        return self.solution.changed(None if parent is None else parent.solution)

    @property
    def text(self) -> str:
        """The view as plain text: a heading, then the solution as a script."""
        candidate, metric = self.candidate, self.run.task.metric.name
        score = "no score" if candidate.score is None else f"{metric} {candidate.score}"
        standing = words.STANDING_WORDS[standings(self.run)[self.id]]
        lines = [words.title(candidate), " · ".join([score, *self._facts(), standing])]
        if candidate.reason:
            lines.append(f"{candidate.status.replace('_', ' ')}: {candidate.reason}")
        if candidate.plan:
            lines.append(f"plan: {words.plan(candidate)}")
        lines += [f"source: {words.page_words(page)}" for page in self.sources]
        changed = self._changed()
        parts = ["\n".join(lines)]
        for block in candidate.solution.blocks:
            is_new = self._parent is not None and block.name in changed
            parts.append(f"# %% {block.name}{'  (changed)' if is_new else ''}\n{block.source}")
        return "\n\n".join(parts)

    @property
    def markup(self) -> str:
        """The view as HTML: blocks like those of its parent are folded."""
        changed, has_parent = self._changed(), self._parent is not None
        blocks = []
        for block in self.solution.blocks:
            is_new = block.name in changed
            mark = f" {m.pill('changed', m.ACCENT)}" if is_new and has_parent else ""
            count = len(block.source.split("\n"))
            lines = m.muted(f"{count} {'line' if count == 1 else 'lines'}")
            name = m.span(m.mono(block.name), "font-weight:600")
            blocks.append(
                m.fold(f"{name} {lines}{mark}", m.pre(m.code(block.source)), is_open=is_new)
            )
        return m.frame(*self._head(), *blocks)

    def _head(self) -> list[str]:
        candidate, metric = self.candidate, self.run.task.metric.name
        standing = words.standing_pill(standings(self.run)[self.id])
        parts = [
            m.heading(f"{m.span(m.esc(words.title(candidate)), 'font-weight:600')} {standing}")
        ]
        score = m.span("no score", f"color:{m.POOR}")
        if candidate.score is not None:
            found = m.span(words.score_markup(candidate), "font-weight:600")
            score = f"{m.esc(metric)} {found}"
        facts = " · ".join(m.esc(fact) for fact in self._facts())
        parts.append(m.line(f"{score} {m.muted(f'· {facts}')}"))
        if candidate.reason:
            status = m.esc(candidate.status.replace("_", " "))
            parts.append(m.line(f"{m.span(status, f'color:{m.POOR}')}: {m.esc(candidate.reason)}"))
        parts.append(m.quote(words.plan(candidate)))
        if links := [words.page_markup(page) for page in self.sources]:
            parts.append(m.line(m.muted(f"sources: {' · '.join(links)}")))
        return parts
