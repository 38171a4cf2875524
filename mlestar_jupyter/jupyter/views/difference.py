"""The view of a difference: cell by cell, added lines green, removed ones red."""

from __future__ import annotations

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views import words
from mlestar_jupyter.jupyter.views.view import View
from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading import BlockChange, Difference, Line, difference, hunks
from mlestar_jupyter.run import Run

#: Whole blocks of more lines than this are folded.
LONG = 30
_COLORS = {"+": m.ADDED, "-": m.REMOVED, " ": "transparent"}
_WORD_COLORS = {"+": m.ADDED_WORD, "-": m.REMOVED_WORD}
_KINDS = {"added": m.GOOD, "removed": m.POOR, "renamed": m.WARM, "changed": m.ACCENT}


class DiffView(View):
    """What changes from ``other`` to ``candidate``. Its text is a unified diff.

    ``changed`` names the blocks that are not the same, ``blocks`` says of each what became of it.
    """

    def __init__(self, run: Run, candidate: Candidate, other: Candidate | None = None) -> None:
        super().__init__()
        self.run = run
        self.candidate = candidate
        self.other = other
        before, name = (None, "nothing") if other is None else (other.solution, other.id)
        self.difference: Difference = difference(before, candidate.solution, name, candidate.id)

    @property
    def gain(self) -> float | None:
        """What the difference gained; positive is better."""
        return gain_over(self.candidate, self.other)

    @property
    def facts(self) -> str:
        """The scores and the gain in words."""
        if self.other is None:
            return ""
        scores = f"{words.score_words(self.other)} → {words.score_words(self.candidate)}"
        gain = "" if self.gain is None else f", gain {words.gain_words(self.gain)}"
        return f"{self.run.task.metric.name} {scores}{gain}"

    @property
    def before(self) -> str:
        """What the earlier solution is called."""
        return self.difference.before

    @property
    def after(self) -> str:
        """What the later solution is called."""
        return self.difference.after

    @property
    def blocks(self) -> dict[str, str]:
        """What became of each block: same, changed, added, removed or renamed."""
        return {block.name: block.kind for block in self.difference.blocks}

    @property
    def changed(self) -> list[str]:
        """The names of the blocks that are not the same."""
        return [block.name for block in self.difference.changed]

    @property
    def text(self) -> str:
        """The view as plain text: a unified diff."""
        head = f"{self.before} → {self.after}"
        if self.facts:
            head += f": {self.facts}"
        return f"{head}\n\n{self.difference.unified() or 'no block is different'}"

    @property
    def markup(self) -> str:
        """The view as HTML: the blocks that are not the same, then the names of the others."""
        arrow = m.span(f"{m.esc(self.before)} → {m.esc(self.after)}", "font-weight:600")
        facts = m.muted(m.esc(self.facts)) if self.facts else ""
        parts = [m.heading(f"{arrow} &nbsp;{facts}")]
        changed = self.difference.changed
        parts += [_block(block) for block in changed]
        same = [block.name for block in self.difference.blocks if block not in changed]
        if not changed:
            parts.append(m.line("no block is different"))
        elif same:
            parts.append(m.line(m.muted("the same: ") + m.muted(", ".join(map(m.mono, same)))))
        return m.frame(*parts)


def _block(block: BlockChange) -> str:
    name = m.span(m.mono(block.name), "font-weight:600")
    kind = m.pill("moved" if block.kind == "same" else block.kind, _KINDS.get(block.kind, m.WARM))
    was = f" {m.muted('was ' + m.mono(block.old_name))}" if block.kind == "renamed" else ""
    moved = f" {m.pill('moved', m.WARM)}" if block.is_moved and block.kind != "same" else ""
    counts = " ".join(
        m.span(f"{sign}{count}", f"color:{color};font-size:.9em")
        for sign, count, color in (("+", block.added, m.GOOD), ("−", block.removed, m.POOR))
        if count
    )
    rows = []
    for number, hunk in enumerate(hunks(block.lines)):
        if number:
            rows.append(_row("", "", m.muted("⋯"), "transparent"))
        rows += [_line(line) for line in hunk]
    table = (
        f'<table style="border-collapse:collapse;border:none;margin:0;width:100%;{m.MONO};'
        f'font-size:.88em;line-height:1.45;table-layout:auto"><tbody>{"".join(rows)}</tbody></table>'
    )
    box = f"border:1px solid {m.LINE};border-radius:3px;overflow-x:auto;margin:.1em 0 .3em"
    body = f'<div style="{box}">{table}</div>' if rows else ""
    is_open = block.kind not in ("added", "removed") or len(block.lines) <= LONG
    return m.fold(f"{name} {kind}{was}{moved} {counts}", body, is_open=is_open)


def _line(line: Line) -> str:
    number = line.after if line.before is None else line.before
    parts, place = [], 0
    for start, end in line.spans:
        parts.append(m.esc(line.text[place:start]))
        style = f"background:{_WORD_COLORS[line.mark]};border-radius:2px"
        parts.append(m.span(m.esc(line.text[start:end]), style))
        place = end
    parts.append(m.esc(line.text[place:]))
    mark = {"+": "+", "-": "−", " ": ""}[line.mark]
    return _row(str(number or ""), mark, "".join(parts), _COLORS[line.mark])


def _row(number: str, mark: str, markup: str, color: str) -> str:
    common = "border:none;vertical-align:top;padding:0"
    small = f"{common};text-align:right;opacity:.55;user-select:none;width:1%;white-space:pre"
    return (
        f'<tr style="background:{color}">'
        f'<td style="{small};padding:0 .6em">{number}</td>'
        f'<td style="{small};padding:0 .6em 0 0">{mark}</td>'
        f'<td style="{common};text-align:left;white-space:pre;max-width:none">{markup}</td></tr>'
    )
