"""A view: what a verb gives back. It looks like HTML where there is HTML, else like its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlestar_jupyter import report
from mlestar_jupyter.jupyter.views import markup as m

#: How wide plain text is made.
WIDTH = 100


class View:
    """Something to look at, as HTML and as plain text alike."""

    def __init__(self, text: str = "", markup: str | None = None) -> None:
        self._text = text
        self._markup = markup

    @property
    def text(self) -> str:
        """The view as plain text."""
        return self._text

    @property
    def markup(self) -> str:
        """The view as HTML."""
        return self._markup if self._markup is not None else m.frame(m.pre(m.esc(self.text)))

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.markup}


class TextView(View):
    """Words, or help in columns: long lines are broken where the page ends."""

    @property
    def markup(self) -> str:
        """The view as HTML."""
        return m.frame(m.pre(m.esc(self.text), is_wrapped=True))


class PairsView(View):
    """Words and what they mean. ``pairs`` has them as a dict, ``view[word]`` is one of them."""

    def __init__(self, rows: Sequence[tuple[str, str]], title: str = "") -> None:
        super().__init__()
        self.title = title
        self.rows = [(str(word), str(value)) for word, value in rows]

    @property
    def pairs(self) -> dict[str, str]:
        """The pairs as a dict."""
        return dict(self.rows)

    def __getitem__(self, word: str) -> str:
        return self.pairs[word]

    @property
    def text(self) -> str:
        """The view as plain text."""
        lines = [self.title] if self.title else []
        return "\n".join([*lines, report.pairs(self.rows, WIDTH)] if self.rows else lines)

    @property
    def markup(self) -> str:
        """The view as HTML."""
        title = m.heading(m.span(m.esc(self.title), "font-weight:600")) if self.title else ""
        return m.frame(title, m.pairs((word, m.esc(value)) for word, value in self.rows))
