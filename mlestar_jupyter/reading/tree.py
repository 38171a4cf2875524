"""The tree of a run: which candidate came from which, and the ablation studies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.notebook.cells import gain_over
from mlestar_jupyter.reading.decisions import Standing, standings
from mlestar_jupyter.run import Run


@dataclass(frozen=True)
class Measured:
    """One measured variant of a study. ``gain`` is that of the block as it is; None: no score."""

    block: str
    change: str
    candidate: str
    score: float | None
    gain: float | None
    seconds: float


@dataclass(frozen=True)
class Study:
    """An ablation study of a candidate in a branch; the variant that cost most comes first.

    ``is_whole`` is False while its variants are still being measured.
    """

    candidate: str
    branch: int
    results: tuple[Measured, ...]
    summary: str = ""
    is_whole: bool = True
    seq: int = 0


@dataclass(frozen=True)
class Lineage:
    """A candidate, its studies, and the candidates that came from it.

    ``gain`` is over its first parent; ``others`` are its further parents (a merge, an ensemble).
    """

    candidate: Candidate
    standing: Standing
    gain: float | None
    others: tuple[str, ...]
    studies: tuple[Study, ...]
    children: tuple[Lineage, ...]


def tree(run: Run) -> tuple[Lineage, ...]:
    """The forest of a run's candidates: those without a known parent, in the order of their ids.

    Variants of ablation studies stand in their study, and as a candidate of their own where they
    were accepted or others came from them.
    """
    with run.lock:
        known = dict(sorted(run.state.candidates.items()))
        standing = standings(run)
        found = studies(run)
    children: dict[str | None, list[str]] = {}
    parents = {parent for candidate in known.values() for parent in candidate.parents}
    for name, candidate in known.items():
        is_own = standing[name] in ("best", "incumbent", "accepted", "undone") or name in parents
        if candidate.stage != "ablate" or is_own:
            first = candidate.parents[0] if candidate.parents else None
            # Parents are older than their children; anything else would be a circle.
            children.setdefault(first if first in known and first < name else None, []).append(name)

    def lineage(name: str) -> Lineage:
        candidate = known[name]
        first = known.get(candidate.parents[0]) if candidate.parents else None
        return Lineage(
            candidate,
            standing[name],
            gain_over(candidate, first),
            candidate.parents[1:],
            tuple(study for study in found if study.candidate == name),
            tuple(lineage(child) for child in children.get(name, [])),
        )

    return tuple(lineage(name) for name in children.get(None, []))


def studies(run: Run, candidate: str | None = None) -> list[Study]:
    """The ablation studies (of one candidate), in order, then those that are under way."""
    found = [
        study_of(event.data, event.seq)
        for event in list(run.events)
        if event.kind == "ablation_measured"
    ]
    told = {result.candidate for study in found for result in study.results}
    under_way: dict[tuple[str, int], list[Measured]] = {}
    known = dict(run.state.candidates)
    for variant in sorted(known.values(), key=lambda c: c.id):
        if variant.stage == "ablate" and variant.id not in told and variant.parents:
            owner = known.get(variant.parents[0])
            gain = gain_over(owner, variant) if owner is not None else None
            value = None if variant.score is None else variant.score.value
            under_way.setdefault((variant.parents[0], variant.branch), []).append(
                Measured(
                    variant.block or "", variant.plan, variant.id, value, gain, variant.seconds
                )
            )
    for (owner_id, branch), results in under_way.items():
        found.append(Study(owner_id, branch, _sorted(results), is_whole=False, seq=len(run.events)))
    return [study for study in found if candidate is None or study.candidate == candidate]


def study_of(data: Mapping[str, Any], seq: int = 0) -> Study:
    """A study from what the journal has of it."""
    results = [
        Measured(r["block"], r["change"], r["candidate"], r["score"], r["gain"], r["seconds"])
        for r in data["results"]
    ]
    summary = str(data.get("summary", ""))
    return Study(data["candidate"], data["branch"], _sorted(results), summary, seq=seq)


def _sorted(results: list[Measured]) -> tuple[Measured, ...]:
    return tuple(sorted(results, key=lambda r: float("inf") if r.gain is None else -r.gain))
