"""How the solution was found and what matters in it, as cells of the finished notebook."""

from __future__ import annotations

from nbformat import NotebookNode

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.notebook.cells import (
    cards_words,
    chart_cell,
    gain_over,
    plan_words,
    study_words,
)
from mlestar_jupyter.notebook.charts import gains_chart, progress_chart
from mlestar_jupyter.notebook.markdown import escape, signed, table
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.solution import markdown_cell

#: So many gains are shown in the chart.
LARGEST = 12
