"""The ablation study (section 3.2): each variant changes one block and is measured like any other.

The paper asks an LLM for one script that prints its findings; here every variant is a run of the
same notebook with one cell changed, judged by the harness, so its figures can be reproduced.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import AblationResult


def study(
    context: Context,
    incumbent: Candidate,
    earlier: Sequence[AblationResult],
    branch: int = 0,
) -> list[AblationResult]:
    """Measure what each block of the incumbent is worth. Raises OutOfMeans if none could begin."""
    run, brief = context.run, context.brief(branch, made_of=(incumbent.id,))
    assert incumbent.score is not None
    context.check("refine")
    variants, proposals = [], []
    for ablation in context.agents.ablate(brief, incumbent.solution, earlier):
        try:
            title = f"without: {ablation.change}"
            solution = incumbent.solution.replace(ablation.block, ablation.source, title=title)
            solution.check_compiles()
        except ReplyError as error:
            run.emit("note", text=f"ablation of {ablation.block} left out: {error}")
            continue
        variants.append(ablation)
        proposals.append(
            Proposal("ablate", solution, ablation.change, (incumbent.id,), ablation.block, branch)
        )
    judged = {c.solution.key: c for c in context.judge_all(proposals)}
    results = []
    for ablation, proposal in zip(variants, proposals, strict=True):
        candidate = judged.get(proposal.solution.key) or run.find(proposal.solution.key)
        if candidate is None:
            continue
        gain = incumbent.score.gain_over(candidate.score) if candidate.score else None
        results.append(
            AblationResult(ablation, candidate.id, candidate.score, gain, candidate.seconds)
        )
    if proposals and not results:
        raise OutOfMeans
    if results:
        _write_down(context, incumbent, results, branch)
    return results


def _write_down(
    context: Context, incumbent: Candidate, results: list[AblationResult], branch: int
) -> None:
    run = context.run
    measured = [r.candidate for r in results]
    for past in run.state.studies:
        same = [r["candidate"] for r in past["results"]] == measured
        if same and past["candidate"] == incumbent.id and past["branch"] == branch:
            return  # a resumed run comes by a study that stands in its journal
    try:
        summary = context.agents.summarize(context.brief(branch), incumbent.solution, results)
    except Stopped:
        raise
    except (ReplyError, OutOfMeans) as error:
        summary = f"(no summary: {error})"
    run.emit(
        "ablation_measured",
        candidate=incumbent.id,
        branch=branch,
        summary=summary,
        results=[
            {
                "block": r.ablation.block,
                "change": r.ablation.change,
                "candidate": r.candidate,
                "score": None if r.score is None else r.score.value,
                "gain": r.gain,
                "seconds": round(r.seconds, 3),
            }
            for r in results
        ],
    )
