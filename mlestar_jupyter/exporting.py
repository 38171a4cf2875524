"""Export any candidate: as a notebook, a script, an HTML report or a folder, each proven first.

The run may be open for reading only: nothing is written but the export.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from mlestar_jupyter.errors import ExecutionError
from mlestar_jupyter.interfaces import Executor
from mlestar_jupyter.notebook.export import Chosen, choose, script
from mlestar_jupyter.notebook.export_card import (
    fingerprint,
    model_card,
    packages_of,
    requirements,
)
from mlestar_jupyter.notebook.export_html import html_page
from mlestar_jupyter.notebook.export_place import FINGERPRINT, Form, Place
from mlestar_jupyter.notebook.finished import Verdict
from mlestar_jupyter.proving import Proof, Prover, Said, worst
from mlestar_jupyter.run import Run


@dataclass(frozen=True)
class Exported:
    """What was written, and whether executing it gave the run's score and predictions again.

    ``files`` are the names of the files in a folder, else that of the one file.
    """

    path: Path
    form: Form
    verdict: Verdict
    detail: str
    files: tuple[str, ...]


def export(
    run: Run,
    path: Path | str,
    candidate: str | None = None,
    *,
    executor: Executor | None = None,
    seconds: float = 300.0,
    verify: bool = True,
) -> Exported:
    """Write a candidate to ``path``: .ipynb, .py, .html, or a folder (no suffix, or a final /).

    Without an id it is what was delivered, or the best if that was found later. Before it is
    written it is executed, for at most ``seconds`` in all: notebooks by ``executor``, scripts by
    this interpreter. What was not executed, or has no executor, is called not verified. Raises
    TaskError, in one line, for a path that nothing may be written to and for an unknown id.
    """
    place = Place.of(run, path)
    chosen = choose(run, candidate)
    try:
        with tempfile.TemporaryDirectory(prefix="mlestar-export-") as name:
            prover = Prover(run, chosen, Path(name), executor, seconds if verify else 0.0)
            return _write(place, chosen, prover)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExecutionError(f"cannot export to {place.path}: {reason}; make room") from error


def _write(place: Place, chosen: Chosen, prover: Prover) -> Exported:
    run = prover.run
    if place.form == "script":
        text = script(run, chosen.candidate, chosen.solution)
        said = prover.script(text)
        place.write(text)
        return Exported(place.path, place.form, said.verdict, said.detail, (place.path.name,))
    proof = prover.notebook()
    said = proof.said
    files: tuple[str, ...] = (place.path.name,)
    if place.form == "report":
        place.write(html_page(proof.notebook))
    elif place.form == "notebook":
        place.write(nbformat.writes(proof.notebook) + "\n")
    else:
        contents, facts, said = _folder(prover, chosen, proof)
        place.write_folder(contents, facts)
        files = (*contents, FINGERPRINT)
    return Exported(place.path, place.form, said.verdict, said.detail, files)


def _folder(
    prover: Prover, chosen: Chosen, proof: Proof
) -> tuple[dict[str, bytes], Mapping[str, object], Said]:
    """The files of a folder by name, the facts of its fingerprint, and what was proven."""
    run, candidate = prover.run, chosen.candidate
    text = nbformat.writes(proof.notebook) + "\n"
    files = {"solution.ipynb": text.encode()}
    if proof.submission is not None:
        files["submission.csv"] = proof.submission.read_bytes()
    sources = [cell.source for cell in proof.notebook.cells if cell.cell_type == "code"]
    said, words = proof.said, "There is no predict.py: there are no rows to predict."
    predictor = prover.predictor(proof, text)
    if predictor is not None:
        files["predict.py"] = predictor.source.encode()
        if predictor.model is not None:
            files["model.joblib"] = predictor.model
        sources.append(predictor.source)
        said, words = worst(said, predictor.said), predictor.words
    packages = packages_of(sources)
    checked = f"**{said.verdict.capitalize()}**: {said.detail}."
    card = model_card(run, candidate, chosen.solution, checked, words)
    files["requirements.txt"] = requirements(packages).encode()
    files["MODEL_CARD.md"] = card.encode()
    facts = {
        **fingerprint(run, candidate, chosen.solution, packages),
        "verdict": said.verdict,
        "detail": said.detail,
    }
    return files, facts, said
