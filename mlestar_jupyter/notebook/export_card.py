"""What lies beside an exported solution: MODEL_CARD.md, requirements.txt and the fingerprint."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable
from typing import Any

from mlestar_jupyter._version import __version__
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import short_list
from mlestar_jupyter.notebook.cells import card_links, plan_words
from mlestar_jupyter.notebook.finished import trust_lines
from mlestar_jupyter.notebook.markdown import escape, table, without_headings
from mlestar_jupyter.notebook.sources import (
    agents_words,
    frozen_fingerprints,
    modules_in,
    package_versions,
    proposers,
)
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import format_number
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.solution import Solution

#: What pandas needs for these formats without that a source imports it.
_ENGINES = {
    "pyarrow": re.compile(r"\b(?:read|to)_(?:parquet|feather)\("),
    "openpyxl": re.compile(r"\bread_excel\("),
}


def packages_of(sources: Iterable[str]) -> dict[str, str]:
    """The packages that these sources import, or need for a format, and their versions."""
    sources = list(sources)
    modules = modules_in(sources)
    modules |= {m for m, read in _ENGINES.items() if any(read.search(text) for text in sources)}
    return package_versions(modules)


def requirements(packages: dict[str, str]) -> str:
    """requirements.txt, with exact versions."""
    lines = [
        f"# Imported by solution.ipynb and predict.py, in Python {platform.python_version()}.",
        "# To execute the notebook, a kernel as well: pip install ipykernel",
        *(f"{name}=={version}" for name, version in packages.items()),
    ]
    return "\n".join(lines) + "\n"


def fingerprint(
    run: Run, candidate: Candidate, solution: Solution, packages: dict[str, str]
) -> dict[str, Any]:
    """What the solution was found on: hashes of the data, folds, seeds, versions."""
    validation, settings = run.validation, run.settings
    return {
        "version": __version__,
        "run": run.folder.name,
        "candidate": candidate.id,
        "solution": solution.key,
        "score": None if candidate.score is None else candidate.score.to_json(),
        "data": frozen_fingerprints(run),
        "folds": {
            "rows": {str(f): len(validation.held_rows(f)) for f in validation.purposes},
            "ordered_in_time": validation.ordered,
            "sealed": len(validation.held_rows("sealed")),
            "sha256": hashlib.sha256(validation.fold_of.tobytes()).hexdigest(),
        },
        "seeds": {"solution": settings.seed, "folds": settings.seed, "bootstrap": settings.seed},
        "versions": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **packages,
        },
    }


def model_card(
    run: Run, candidate: Candidate, solution: Solution, proof: str, predicts: str
) -> str:
    """The model card: facts of the run. ``proof`` and ``predicts`` say what was checked."""
    title = escape(solution.title or f"candidate {candidate.id}", 120)
    understood = [[escape(word), escape(value)] for word, value in run.task.describe()]
    parts = [
        f"# {escape(run.task.name)}: {title}",
        "## Intended use",
        _use(run),
        predicts,
        "## Task",
        *([without_headings(run.task.description)] if run.task.description else []),
        table(["what was understood", ""], understood),
        "## Score",
        _score(run, candidate),
        f"Validation: {escape(run.validation.describe())}.",
        f"{proof} This was checked when it was exported.",
        "## How it was found",
        _search(run, candidate),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(run, candidate)),
    ]
    cards = [card for card in run.state.cards if card.get("source") or card.get("pages")]
    if cards:
        lines = [f"- {escape(card['name'])}: {card_links(card)}" for card in cards]
        parts += ["## Sources of the models that were retrieved", "\n".join(lines)]
    facts = "Versions are in requirements.txt, hashes of the data and the folds in fingerprint.json"
    parts.append(f"{facts}, the code and the licences of its packages in solution.ipynb.")
    return "\n\n".join(parts) + "\n"


def _use(run: Run) -> str:
    task = run.task
    if task.is_self_scored:
        return "What the description below says; the notebook prints its own score."
    columns = escape(short_list(task.features, 12), 500)
    name, metric = escape(task.target), escape(task.metric.name)
    what = f"the probability of {name}" if task.metric.needs == "probability" else name
    return (
        f"To predict {what} ({task.kind}) for rows with the columns {columns}, "
        f"where {metric} ({task.metric.direction}) says how good a prediction is."
    )


def _score(run: Run, candidate: Candidate) -> str:
    score = candidate.score
    if score is None:
        status = candidate.status.replace("_", " ")
        return f"None: the candidate was judged and {status}. {escape(candidate.reason)}".strip()
    metric = run.task.metric
    told = f"**{escape(metric.name)} {score}** ({metric.direction}; ± is the standard error)"
    if len(score.folds) < 2:
        return told
    rows = [
        [str(number), f"{count:,}", format_number(value)]
        for number, (value, count) in enumerate(zip(score.folds, score.rows, strict=True), start=1)
    ]
    return f"{told}\n\n{table(['fold', '>rows', f'>{escape(metric.name)}'], rows)}"


def _search(run: Run, candidate: Candidate) -> str:
    known = run.state.candidates.values()
    scored = sum(1 for other in known if other.score and other.stage != "ablate")
    ablations = sum(1 for other in known if other.stage == "ablate")
    lines = [
        f"Candidate {candidate.id} of run {escape(run.folder.name)}, from the stage "
        f"{candidate.stage}: {escape(plan_words(candidate))}",
        f"- {len(known) - ablations} candidates in {format_seconds(run.state.elapsed)}, "
        f"{scored} of them with a score, and {ablations} ablations",
        f"- agents: {proposers(run)}; seed {run.settings.seed}; mlestar-jupyter {__version__}",
        *([f"- {agents_words(run)}"] if not run.state.spending.is_none else []),
    ]
    for parent in candidate.parents:
        before = run.state.candidates.get(parent)
        if before is not None:
            score = f" ({before.score})" if before.score else ""
            lines.append(f"- made from {parent}{score}: {escape(plan_words(before))}")
    return "\n".join([lines[0], "", *lines[1:]])


def _limits(run: Run, candidate: Candidate) -> list[str]:
    lines = trust_lines(run, candidate)
    task = run.task
    if not task.is_self_scored:
        rows = int((run.validation.fold_of < 254).sum())
        lines.append(f"It learned from {rows:,} rows; no rows from elsewhere were looked at.")
    if run.validation.ordered:
        lines.append("Validation lies after training in time, as rows to predict do.")
    elif task.group is not None:
        lines.append(f"Rows of one {escape(task.group)} were kept together in validation.")
    return lines
