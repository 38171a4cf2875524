"""HTML for outputs: inline styles only, legible in light and dark themes and outside Jupyter.

Colours are the front end's variables where it has them, else tones of middle lightness that stand
out from white and from black alike. Everything that is text is escaped with ``esc``.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

MONO = "font-family:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace)"
ACCENT = "var(--jp-brand-color1,#2f7fe0)"
LINK = "var(--jp-content-link-color,#2f7fe0)"
GOOD, POOR, WARM, GREY = "#2a9a4b", "#d9534a", "#b9770e", "#808080"
LINE = "rgba(128,128,128,.3)"
FAINT = "rgba(128,128,128,.1)"
#: Behind added and removed lines, and behind the words in them that differ.
ADDED, REMOVED = "rgba(46,160,67,.15)", "rgba(229,83,75,.15)"
ADDED_WORD, REMOVED_WORD = "rgba(46,160,67,.4)", "rgba(229,83,75,.4)"

#: Colours of tokens: CodeMirror's variables in Jupyter, else tones for any background.
_TOKENS = (
    ("Comment", "var(--jp-mirror-editor-comment-color,#7a8a8a);font-style:italic"),
    ("Keyword", "var(--jp-mirror-editor-keyword-color,#2b9445);font-weight:600"),
    ("Operator.Word", "var(--jp-mirror-editor-operator-color,#a45bd0);font-weight:600"),
    ("Literal.String", "var(--jp-mirror-editor-string-color,#cf5148)"),
    ("Literal.Number", "var(--jp-mirror-editor-number-color,#2b9445)"),
    ("Name.Builtin", "var(--jp-mirror-editor-builtin-color,#2b9445)"),
    ("Name.Decorator", "var(--jp-mirror-editor-meta-color,#a45bd0)"),
    ("Name.Function", "var(--jp-mirror-editor-def-color,#2f7fe0)"),
    ("Name.Class", "var(--jp-mirror-editor-def-color,#2f7fe0)"),
    ("Operator", "var(--jp-mirror-editor-operator-color,#a45bd0)"),
)


def esc(text: object) -> str:
    """Text that HTML shows as it is."""
    return html.escape(str(text))


def span(markup: str, style: str) -> str:
    """A stretch of text in a style."""
    return f'<span style="{style}">{markup}</span>'


def muted(markup: str) -> str:
    """What matters less."""
    return span(markup, "opacity:.65")


def mono(text: object) -> str:
    """A name in code letters."""
    return span(esc(text), f"{MONO};font-size:.92em")


def pill(text: object, color: str = GREY) -> str:
    """A short word in a frame."""
    style = (
        f"display:inline-block;padding:0 .55em;border:1px solid {color};border-radius:1em;"
        f"font-size:.85em;line-height:1.5;color:{color};white-space:nowrap"
    )
    return span(esc(text), style)


def frame(*parts: str) -> str:
    """One output: the parts below each other."""
    style = "line-height:1.5;color:var(--jp-ui-font-color1,inherit);overflow-x:auto;max-width:72em"
    return f'<div style="{style}">{"".join(part for part in parts if part)}</div>'


def heading(markup: str) -> str:
    """The first line of an output."""
    return f'<div style="font-size:1.1em;margin:.2em 0 .4em">{markup}</div>'


def section(title: str, markup: str) -> str:
    """A part under a small title; nothing when it is empty."""
    if not markup:
        return ""
    style = "font-weight:600;font-size:.9em;margin:.9em 0 .2em;opacity:.75"
    return f'<div style="{style}">{esc(title)}</div>{markup}'


def prose(text: object) -> str:
    """Words in which code stands between backticks."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return esc(text)
    return "".join(mono(part) if n % 2 else esc(part) for n, part in enumerate(parts))


def line(markup: str) -> str:
    """A line of its own."""
    return f'<div style="margin:.1em 0">{markup}</div>'


def quote(text: str) -> str:
    """Somebody's words."""
    style = f"margin:.3em 0;padding:.1em .9em;border-left:3px solid {LINE};white-space:pre-wrap"
    return f'<div style="{style}">{esc(text)}</div>' if text.strip() else ""


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, wide: Sequence[int] = ()
) -> str:
    """A table of markup. A header that begins with ``>`` aligns its column to the right.

    Columns in ``wide`` may break their lines; the others never do. A row of one cell fills it.
    """
    names = [header.removeprefix(">") for header in headers]
    sides = ["right" if header.startswith(">") else "left" for header in headers]

    def cells(tag: str, row: Sequence[str], style: str) -> str:
        found = []
        is_alone = len(row) == 1 < len(headers)
        for number, cell in enumerate(row):
            space = "normal;min-width:14em" if number in wide or is_alone else "nowrap"
            across = f' colspan="{len(headers)}"' if is_alone else ""
            css = (
                f"text-align:{sides[number]};padding:.15em .8em .15em 0;border:none;"
                f"vertical-align:top;max-width:none;white-space:{space};{style}"
            )
            found.append(f'<{tag}{across} style="{css}">{cell}</{tag}>')
        return "".join(found)

    below = f"border-bottom:1px solid {LINE};"
    row_style = f'style="background:none;{below}"'
    head = ""
    if any(names):
        shown = cells("th", [esc(name) for name in names], "font-weight:600;opacity:.75")
        head = f'<thead><tr style="background:none;{below}">{shown}</tr></thead>'
    body = "".join(f"<tr {row_style}>{cells('td', row, '')}</tr>" for row in rows)
    style = "border-collapse:collapse;border:none;margin:.3em 0;font-size:.93em;table-layout:auto"
    return f'<table style="{style}">{head}<tbody>{body}</tbody></table>'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Words and what they mean (markup), in two columns."""
    return table(["", ""], [[muted(esc(word)), value] for word, value in rows], wide=[1])


def bar(share: float, color: str = ACCENT, width: str = "9em") -> str:
    """A bar that is filled from the left to ``share``."""
    filled = max(0.0, min(1.0, share)) * 100
    outer = (
        f"display:inline-block;width:{width};height:.7em;border-radius:.35em;"
        f"background:rgba(128,128,128,.2);overflow:hidden;vertical-align:baseline"
    )
    inner = f"display:block;width:{filled:.1f}%;height:100%;background:{color}"
    return span(span("", inner), outer)


def signed_bar(value: float | None, largest: float, *, has_losses: bool, width: float = 6.0) -> str:
    """A bar to the right of a line for a gain, to the left of it for a loss."""
    share = 0.0 if value is None or largest <= 0 else min(1.0, abs(value) / largest)
    size = max(share * width, 0.15 if value else 0.0)
    empty = f"display:inline-block;height:.75em;width:{width}em;text-align:right"
    filled = "display:inline-block;height:.75em;width:{:.2f}em;background:{}"
    is_gain = (value or 0.0) > 0
    loss = "" if is_gain or not value else span("", filled.format(size, POOR))
    left = span(loss, empty) if has_losses else ""
    right = span("", filled.format(size, ACCENT)) if is_gain else ""
    rule = f"border-left:1px solid {GREY};text-align:left"
    return left + span(right, f"{empty};{rule}")


def code(source: str) -> str:
    """Python in colours, as the content of a ``pre``."""
    from pygments.lexers.python import PythonLexer
    from pygments.token import string_to_tokentype

    colors = [(string_to_tokentype(name), color) for name, color in _TOKENS]
    parts = []
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        color = next((color for token, color in colors if kind in token), None)
        parts.append(esc(text) if color is None else span(esc(text), f"color:{color}"))
    return "".join(parts)


def pre(markup: str, *, is_wrapped: bool = False) -> str:
    """Code or text in columns."""
    space = "pre-wrap" if is_wrapped else "pre"
    style = (
        f"{MONO};font-size:.88em;line-height:1.45;margin:.2em 0;padding:.5em .8em;"
        f"background:{FAINT};border:none;border-radius:3px;overflow-x:auto;white-space:{space};"
        f"color:inherit"
    )
    return f'<pre style="{style}">{markup}</pre>'


def fold(summary: str, markup: str, *, is_open: bool) -> str:
    """What can be folded away. ``summary`` is markup."""
    state = " open" if is_open else ""
    style = "cursor:pointer;margin:.2em 0"
    return (
        f'<details{state} style="margin:.3em 0"><summary style="{style}">{summary}</summary>'
        f"{markup}</details>"
    )
