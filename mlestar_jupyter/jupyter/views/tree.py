"""The view of the tree: which candidate came from which."""

from __future__ import annotations

from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views import words
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.notebook.markdown import one_line
from mlestar_jupyter.reading import Lineage, Study, tree
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds

#: So many variants of a study are told.
SHOWN = 3
_LEGEND = "★ best   ✔ accepted   ✘ rejected   ! no score   ↶ undone"


class TreeView(View):
    """The candidates of a run as a tree. ``roots`` are those that came from no other."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.roots: tuple[Lineage, ...] = tree(run)

    @property
    def text(self) -> str:
        """The view as plain text."""
        if not self.roots:
            return "no candidate was judged yet"
        rows: list[tuple[str, str]] = []
        for number, root in enumerate(self.roots):
            _tell(root, "", number == len(self.roots) - 1, rows, is_root=True)
        width = max(len(left) for left, _ in rows)
        lines = [f"{left:<{width}}  {right}".rstrip() for left, right in rows]
        return "\n".join([f"{self.run.folder.name}: {_LEGEND}", "", *lines])

    @property
    def markup(self) -> str:
        """The view as HTML."""
        if not self.roots:
            return m.frame(m.line("no candidate was judged yet"))
        rows: list[list[str]] = []
        for root in self.roots:
            _rows(root, 0, rows)
        metric = self.run.task.metric.name
        heads = ["candidate", f">{metric}", ">gain", ">time", "what"]
        legend = m.span(m.esc(_LEGEND), "opacity:.65;font-size:.85em;white-space:pre-wrap")
        return m.frame(m.table(heads, rows, wide=[4]), m.line(legend))


def _tell(
    one: Lineage, before: str, is_last: bool, rows: list[tuple[str, str]], *, is_root: bool = False
) -> None:
    """The line of a candidate, then those of its studies and children."""
    c = one.candidate
    corner = "" if is_root else ("└─ " if is_last else "├─ ")
    block = f" {c.block}" if c.block else ""
    left = f"{before}{corner}{words.MARKS[one.standing]} {c.id} {c.stage}{block}"
    gain = f" ({words.gain_words(one.gain)})" if one.gain is not None else ""
    also = f", with {', '.join(one.others)}" if one.others else ""
    rows.append((left, f"{words.score_words(c)}{gain}  {words.what(c, 60)}{also}"))
    inner = before if is_root else before + ("   " if is_last else "│  ")
    below = len(one.studies) + len(one.children)
    for number, study in enumerate(one.studies):
        mark = "└─ " if number == below - 1 else "├─ "
        rows.append((f"{inner}{mark}study", _study_words(study)))
    for number, child in enumerate(one.children):
        _tell(child, inner, len(one.studies) + number == below - 1, rows)


def _rows(one: Lineage, depth: int, rows: list[list[str]]) -> None:
    c = one.candidate
    block = f" {m.mono(c.block)}" if c.block else ""
    name = m.span(m.mono(c.id), "font-weight:600" if one.standing == "best" else "")
    also = m.muted(f", with {m.esc(', '.join(one.others))}") if one.others else ""
    rows.append(
        [
            f"{_indent(depth)}{words.standing_mark(one.standing)} {name} {m.esc(c.stage)}{block}",
            words.score_markup(c),
            words.gain_markup(one.gain),
            format_seconds(c.seconds),
            m.esc(words.what(c, 64)) + also,
        ]
    )
    for study in one.studies:
        told = f"study, {_study_words(study)}"
        rows.append([f"{_indent(depth + 1)}{m.muted(m.esc(told))}"])
    for child in one.children:
        _rows(child, depth + 1, rows)


def _indent(depth: int) -> str:
    guide = f"display:inline-block;width:1.1em;margin-left:.35em;border-left:1px solid {m.LINE}"
    return m.span("&nbsp;", guide) * depth


def _study_words(study: Study) -> str:
    """``ratios (features) +0.0076, catboost (model) +0.0087``: what the blocks are worth."""
    shown = [
        f"{one_line(r.change, 24)} ({r.block}) "
        + ("no score" if r.gain is None else words.gain_words(r.gain))
        for r in study.results[:SHOWN]
    ]
    more = f" and {len(study.results) - SHOWN} more" if len(study.results) > SHOWN else ""
    return ("worth: " + ", ".join(shown) + more) if shown else "no variant was measured"
