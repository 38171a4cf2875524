"""Finalize (section 3.4 and appendix): fit the winner on all rows and write the submission."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.initialize import rank
from mlestar_jupyter.candidate import Candidate, Failure, Outcome
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.grading import InvalidPredictions, grade
from mlestar_jupyter.interfaces import Execution, Limits
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.submission import write_submission
from mlestar_jupyter.validation import Purpose

#: Kept for the notebook and for ending what runs, when the winner is fitted.
LAST_SECONDS = 2.0


@dataclass(frozen=True)
class Final:
    """The winner as it was fitted on all rows."""

    candidate: Candidate
    solution: Solution
    seconds: float


def final_solution(context: Context, candidate: Candidate) -> Solution:
    """The candidate without what only saved time while searching; itself where that leaks."""
    brief = context.brief(candidate.branch)
    try:
        solution = context.agents.finalize(brief, candidate.solution)
        solution.check_compiles()
    except Stopped:
        raise
    except (ReplyError, OutOfMeans) as error:
        context.run.emit("note", text=f"{candidate.id} is delivered as it is: {error}")
        return candidate.solution
    if any(finding.certain for finding in find_leaks(solution, context.run.task)):
        context.run.emit("note", text=f"{candidate.id} is delivered as it is: its final form leaks")
        return candidate.solution
    return solution


def finalize(context: Context, candidate: Candidate) -> Final | None:
    """Fit on all rows and write ``submission.csv``.

    When the winner fails on all rows, or no time is left for it, the next best that is cheaper is
    taken, so that a run ends with a submission. None when nothing could be fitted.
    """
    run = context.run
    cheaper = [
        other
        for other in rank(run.scored)
        if other.id != candidate.id
        and other.slowest <= candidate.slowest
        and other.stage != "ablate"
        and other.id not in run.state.rejected
    ]
    for choice in (candidate, *cheaper[:3]):
        solution = final_solution(context, choice)
        for _ in range(1 + run.settings.debug_rounds):
            if context.budget.is_stopped or context.budget.left < LAST_SECONDS:
                return None
            outcome = fit(context, solution, "all")
            failure = outcome.problem
            if outcome.status == "ok":
                problem = _deliver(context, choice, solution, outcome)
                if problem is None:
                    return Final(choice, solution, outcome.seconds)
                failure = problem
            elif outcome.status != "failed":
                break
            try:
                corrected = context.agents.debug(context.brief(), solution, failure)
            except Stopped:
                raise
            except (ReplyError, OutOfMeans):
                break
            if corrected is None or corrected.key == solution.key:
                break
            solution = corrected
        run.emit("note", text=f"{choice.id} could not be fitted on all rows: {failure}")
    return None


def fit(context: Context, solution: Solution, purpose: Purpose) -> Outcome:
    """Execute a solution for all rows, or trained without the sealed ones."""
    run = context.run
    outcome = context.executor.run(
        Execution(
            solution=solution,
            inputs=run.staging.inputs(purpose),
            parameters={**run.staging.parameters, "seed": run.settings.seed},
            limits=Limits(max(LAST_SECONDS, context.budget.left - LAST_SECONDS), context.threads),
            output=run.folder / "final",
            label=str(purpose),
            fresh=True,
        )
    )
    run.emit("candidate_executed", id="final", purpose=str(purpose), **outcome.to_json())
    return outcome


def _deliver(
    context: Context, candidate: Candidate, solution: Solution, outcome: Outcome
) -> Failure | None:
    """Check the submission against the sample and put it into the run folder."""
    run = context.run
    path = None
    if run.task.source.test is not None:
        path = run.folder / "submission.csv"
        try:
            write_submission(run.task, run.folder / "final" / "all.csv", path)
        except InvalidPredictions as error:
            return Failure(solution.names[-1], "InvalidPredictions", str(error))
    run.emit(
        "submission_written",
        id=candidate.id,
        path=None if path is None else path.name,
        seconds=round(outcome.seconds, 3),
    )
    return None


def unseal(context: Context, candidate: Candidate) -> tuple[float, float] | None:
    """Grade the winner, trained without them, on the sealed rows. Once; the journal keeps it.

    Gives (the sealed score, the optimism: how much better validation looked), or None when it
    could not be executed.
    """
    run = context.run
    assert candidate.score is not None
    outcome = fit(context, candidate.solution, "sealed")
    if outcome.status != "ok":
        return None
    rows = run.validation.held_rows("sealed")
    graded = grade(run.task, rows, run.folder / "final" / "sealed.csv")
    sealed = replace(candidate.score, value=graded.value)
    optimism = candidate.score.gain_over(sealed)
    run.emit("unsealed", id=candidate.id, value=graded.value, optimism=optimism, rows=len(rows))
    return graded.value, optimism
