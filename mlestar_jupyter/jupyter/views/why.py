"""The view of a why: how a candidate came to be, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlestar_jupyter import report
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views import words
from mlestar_jupyter.jupyter.views.study import study_table, study_text
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.reading import Decision, Relative, Study, branch_words, why
from mlestar_jupyter.run import Run

if TYPE_CHECKING:
    import pandas as pd

#: So many of the other attempts are shown, the last ones.
OTHERS = 12


class WhyView(View):
    """Why a candidate is there: plan, evidence, parents, checks, decision, and what else was tried.

    ``why`` has all of it as data; ``others`` is a DataFrame.
    """

    def __init__(self, run: Run, candidate: Candidate) -> None:
        super().__init__()
        self.run = run
        self.why = why(run, candidate.id)

    @property
    def candidate(self) -> Candidate:
        """The candidate in question."""
        return self.why.candidate

    @property
    def plan(self) -> str:
        """What it was to try."""
        return self.why.plan

    @property
    def evidence(self) -> tuple[Study, ...]:
        """The ablation studies behind it."""
        return self.why.evidence

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided about it, in order."""
        return self.why.decisions

    @property
    def others(self) -> pd.DataFrame:
        """What else was tried at the same place."""
        import pandas as pd

        columns = ["id", "standing", "score", "gain", "plan"]
        rows = [
            [
                o.candidate.id, o.standing,
                None if o.candidate.score is None else o.candidate.score.value, o.gain,
                o.candidate.plan,
            ]
            for o in self.why.others
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns).astype({"score": "float64", "gain": "float64"})

    def _decided(self) -> list[str]:
        return [decision_words(self.run, d) for d in self.why.decisions] or [
            "no decision about it: it was measured, not proposed"
            if self.why.standing == "measured"
            else "no decision yet"
        ]

    def _place(self) -> str:
        block = self.candidate.block
        return f"on block {block}" if block else f"in the stage {self.candidate.stage}"

    @property
    def text(self) -> str:
        """The view as plain text."""
        why, c = self.why, self.candidate
        rows = [
            ("score", f"{self.run.task.metric.name} {words.score_words(c)}"),
            ("standing", words.STANDING_WORDS[why.standing]),
            ("proposed by", why.proposer),
            ("plan", words.plan(c) or "none"),
        ]
        rows += [("no score", c.reason)] if c.reason else []
        rows += [("target", why.target)] if why.target else []
        rows += [("source", words.page_words(page)) for page in why.pages]
        rows += [("steering", words_) for words_ in why.steering]
        rows += [("parent", _relative_text(r, "gain over it")) for r in why.parents]
        rows += [("check", words_) for words_ in (*why.findings, *why.corrections)]
        rows += [("debugger", words_) for words_ in why.debugging]
        rows += [("decision", words_) for words_ in self._decided()]
        parts = [f"Why {words.title(c)}", report.pairs(rows, 100)]
        parts += [
            f"Evidence: {_study_title(study)}\n{study_text(self.run, study)}"
            for study in why.evidence
        ]
        if why.others:
            shown = [
                [
                    words.MARKS[o.standing], o.candidate.id, words.score_words(o.candidate),
                    words.gain_words(o.gain), words.what(o.candidate, 60),
                ]
                for o in why.others[-OTHERS:]
            ]  # fmt: skip
            heads = ["", "id", self.run.task.metric.name, "gain", "plan"]
            parts.append(f"Also tried {self._place()}\n{report.table(heads, shown)}")
        return "\n\n".join(parts)

    @property
    def markup(self) -> str:
        """The view as HTML."""
        why, c = self.why, self.candidate
        title = m.span(m.esc(f"Why {words.title(c)}"), "font-weight:600")
        rows = [
            ("score", f"{m.esc(self.run.task.metric.name)} {words.score_markup(c)}"),
            ("proposed by", m.esc(why.proposer)),
            ("plan", m.esc(words.plan(c)) if why.plan else m.muted("none")),
        ]
        rows += [("no score", m.esc(c.reason))] if c.reason else []
        rows += [("target", m.esc(why.target))] if why.target else []
        rows += [("source", words.page_markup(page)) for page in why.pages]
        rows += [("steering", m.esc(words_)) for words_ in why.steering]
        rows += [("parent", _relative_markup(r, "gain over it")) for r in why.parents]
        rows += [("check", m.esc(words_)) for words_ in (*why.findings, *why.corrections)]
        rows += [("debugger", m.esc(words_)) for words_ in why.debugging]
        rows += [("decision", m.esc(words_)) for words_ in self._decided()]
        evidence = "".join(
            m.section(f"Evidence: {_study_title(study)}", study_table(self.run, study, c.block))
            for study in why.evidence
        )
        others = [
            [
                words.standing_mark(o.standing), m.mono(o.candidate.id),
                words.score_markup(o.candidate), words.gain_markup(o.gain),
                m.esc(words.what(o.candidate)),
            ]
            for o in why.others[-OTHERS:]
        ]  # fmt: skip
        heads = ["", "id", f">{self.run.task.metric.name}", ">gain", "plan"]
        table = m.table(heads, others, wide=[4]) if others else ""
        return m.frame(
            m.heading(f"{title} {words.standing_pill(why.standing)}"),
            m.pairs(rows),
            evidence,
            m.section(f"Also tried {self._place()}", table),
        )


def decision_words(run: Run, decision: Decision) -> str:
    """One decision in a line."""
    where = branch_words(run, decision.branch)
    place = f" in {where}" if where and decision.branch >= 0 else ""
    place = " among the ensembles" if decision.branch < 0 else place
    if decision.kind == "undone":
        return "undone by you" + (f"; {decision.other} came back" if decision.other else "")
    if decision.kind == "rejected":
        against = f" against {decision.other}" if decision.other else ""
        return f"rejected{place}{against}: {decision.reason}"
    best = ", the best of the run then" if decision.best else ""
    over = f", replaced {decision.other}" if decision.other else ""
    return f"accepted{place}{best}{over}: {decision.reason}"


def _study_title(study: Study) -> str:
    return f"what the blocks of {study.candidate} are worth"


def _relative_text(relative: Relative, words_: str) -> str:
    c = relative.candidate
    gain = "" if relative.gain is None else f", {words_} {words.gain_words(relative.gain)}"
    return f"{words.title(c)}: {words.score_words(c)}{gain}; {words.what(c, 60)}"


def _relative_markup(relative: Relative, words_: str) -> str:
    c = relative.candidate
    gain = "" if relative.gain is None else f", {m.esc(words_)} {words.gain_markup(relative.gain)}"
    name = m.esc(words.title(c))
    return f"{name}: {words.score_markup(c)}{gain} {m.muted(m.esc(words.what(c, 80)))}"
