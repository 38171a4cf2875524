"""How the solution was found and what matters in it, as cells of the finished notebook."""

from __future__ import annotations

from nbformat import NotebookNode

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.notebook.cells import (
    cards_words,
    gain_over,
    part_cell,
    plain_cell,
    plan_words,
    study_words,
)
from mlestar_jupyter.notebook.charts import gains_chart, progress_chart
from mlestar_jupyter.notebook.markdown import escape, signed, table
from mlestar_jupyter.notebook.sources import proposers
from mlestar_jupyter.notebook.study import study_gains
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number
from mlestar_jupyter.settings import format_seconds

#: So many gains are shown in the chart.
LARGEST = 12


def search_cells(run: Run, winner: Candidate) -> list[NotebookNode]:
    """How it was found: the candidates, their scores over time, the models that were retrieved."""
    known = run.state.candidates.values()
    tried = [c for c in known if c.stage != "ablate"]
    ablations = len(known) - len(tried)
    scored = sum(1 for c in tried if c.is_scored)
    beside = f", beside {ablations} ablations (next section)" if ablations else ""
    words = (
        f"Candidates: {len(tried)} in {format_seconds(run.state.elapsed)}, proposed by the "
        f"{proposers(run)} agents; {scored} of them have a score{beside}. "
        "✔ marks those that became the incumbent of their branch, **bold** is the winner."
    )
    shown = _candidate_table(run, tried, winner)
    cells = [part_cell(f"## How it was found\n\n{words}\n\n{shown}", "search")]
    points = [
        (event.elapsed / 60, float(event.data["score"]["value"]))
        for event in run.events
        if event.kind == "candidate_judged" and event.data["score"] is not None
        and event.data["stage"] != "ablate"
    ]  # fmt: skip
    if len(points) > 1:
        metric = run.task.metric
        chart = progress_chart(points, metric.name, greater_is_better=metric.greater_is_better)
        cells.append(plain_cell(chart, "search-chart", is_hidden=True))
    if run.state.cards:
        text = f"### The models that were retrieved\n\n{cards_words(run.state.cards)}"
        cells.append(part_cell(text, "cards"))
    return cells


def matters_cells(run: Run) -> list[NotebookNode]:
    """What matters: the ablation studies and their largest gains; nothing if there is none."""
    studies = [s for s in run.state.studies if s["results"]]
    if not studies:
        return []
    gains = study_gains(studies)
    largest = sorted(gains.items(), key=lambda pair: -abs(pair[1]))[:LARGEST]
    words = (
        "In an ablation study one block of a solution is changed and everything else stays. "
        "The gain says how much better the solution is than the variant: "
        "a positive one means that the block helps as it is."
    )
    cells = [part_cell(f"## What matters\n\n{words}", "matters")]
    if largest:
        largest.sort(key=lambda pair: -pair[1])
        chart = gains_chart(largest, run.task.metric.name)
        cells.append(plain_cell(chart, "matters-chart", is_hidden=True))
    for number, study in enumerate(studies, start=1):
        candidate = run.state.candidates.get(study["candidate"])
        score = "" if candidate is None or candidate.score is None else f" ({candidate.score})"
        heading = f"### Ablation study of {study['candidate']}{score}"
        cells.append(part_cell(f"{heading}\n\n{study_words(run, study)}", f"study-{number}"))
    return cells


def _candidate_table(run: Run, candidates: list[Candidate], winner: Candidate) -> str:
    accepted = {e.data["id"] for e in run.events if e.kind == "incumbent_changed"}
    rows = []
    for candidate in sorted(candidates, key=lambda c: c.id):
        parent = run.state.candidates.get(candidate.parents[0]) if candidate.parents else None
        bold = "**" if candidate.id == winner.id else ""
        score = candidate.score
        rows.append(
            [
                f"{bold}{candidate.id}{bold}" + (" ✔" if candidate.id in accepted else ""),
                candidate.stage,
                escape(plan_words(candidate)),
                f"{bold}{format_number(score.value)}{bold}" if score else _status(candidate),
                signed(gain_over(candidate, parent)),
                format_seconds(candidate.seconds),
            ]
        )
    metric = f">{escape(run.task.metric.name)}"
    return table(["candidate", "stage", "what", metric, ">gain", ">time"], rows)


def _status(candidate: Candidate) -> str:
    return candidate.status.replace("_", " ")
