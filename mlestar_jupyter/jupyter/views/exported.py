"""The view of an export: where it lies, and whether it proved itself."""

from __future__ import annotations

from pathlib import Path

from mlestar_jupyter import report
from mlestar_jupyter.exporting import Exported
from mlestar_jupyter.jupyter.views import markup as m
from mlestar_jupyter.jupyter.views import words
from mlestar_jupyter.jupyter.views.view import WIDTH, View


class ExportedView(View):
    """What was exported: ``path``, ``verdict``, ``files``."""

    def __init__(self, exported: Exported) -> None:
        super().__init__()
        self.exported = exported

    @property
    def path(self) -> Path:
        """The file or the folder that was written."""
        return self.exported.path

    @property
    def verdict(self) -> str:
        """Whether executing it gave the same score and predictions."""
        return self.exported.verdict

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files."""
        return self.exported.files

    @property
    def _has_files(self) -> bool:
        return self.files != (self.path.name,)

    @property
    def text(self) -> str:
        """The view as plain text."""
        rows = [("exported to", str(self.path)), ("verdict", self._verdict)]
        if self._has_files:
            rows.append(("files", ", ".join(self.files)))
        return report.pairs(rows, WIDTH)

    @property
    def _verdict(self) -> str:
        return f"{self.verdict}: {self.exported.detail}" if self.exported.detail else self.verdict

    @property
    def markup(self) -> str:
        """The view as HTML."""
        color = m.GOOD if self.verdict == "reproduced" else m.WARM
        verdict = f"{m.pill(self.verdict, color)} {m.esc(self.exported.detail)}"
        rows = [("exported to", words.path_markup(self.path)), ("verdict", verdict)]
        if self._has_files:
            names = [words.link(self.path / n, n) or m.mono(n) for n in self.files]
            rows.append(("files", ", ".join(names)))
        return m.frame(m.pairs(rows))
