"""One candidate on its way through the door: check, execute, debug, grade, write down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlestar_jupyter.algorithm.acceptance import score_of
from mlestar_jupyter.algorithm.folds import Folds, first_bad
from mlestar_jupyter.algorithm.racing import Race, opponent
from mlestar_jupyter.candidate import ADDED, Candidate, Failure, Finding, Outcome, Proposal, Status
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.grading import InvalidPredictions
from mlestar_jupyter.interfaces import LeakageVerdict
from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Solution

if TYPE_CHECKING:
    from mlestar_jupyter.algorithm.evaluate import Context


class Judgement:
    """One candidate on its way through the door.

    ``is_asked``: the user asked for just this one and is told its score, so it is not raced.
    """

    def __init__(
        self, context: Context, proposal: Proposal, candidate: str, *, is_asked: bool = False
    ) -> None:
        self.context = context
        self.run = context.run
        self.proposal = proposal
        self.id = candidate
        made_of = () if is_asked else proposal.parents
        brief = context.brief(proposal.branch, made_of=made_of, added=proposal.stage in ADDED)
        self.brief = replace(brief, candidate=candidate)
        self.opponent = None if is_asked else opponent(self.run, proposal)
        self.seconds = 0.0
        self.slowest = 0.0
        self.rounds = 0
        self.findings: tuple[Finding, ...] = ()

    def reach(self) -> Candidate:
        """Judge, and write the judgement to the journal."""
        solution, leak = self._without_leaks(self.proposal.solution)
        if leak:
            return self._record(solution, "leaked", leak)
        while True:
            status, failure, score = self._try(solution)
            if status == "cancelled" and self.context.budget.is_stopped:
                raise Stopped  # in flight when the user stopped: done again on resume
            if failure is None or not self._may_debug(status):
                break
            corrected = self._debug(solution, failure)
            if corrected is None:
                break
            solution, leak = self._without_leaks(corrected)
            if leak:
                return self._record(solution, "leaked", leak)
        reason = "" if failure is None else str(failure)
        return self._record(solution, status, reason, score)

    def _without_leaks(self, solution: Solution) -> tuple[Solution, str]:
        """The solution, corrected where it leaked (section 3.4), and why if it still leaks."""
        for corrections_left in (1, 0):
            findings = tuple(find_leaks(solution, self.run.task))
            self.findings = findings
            if not findings:
                return solution, ""
            verdict = self._verdict(solution, findings)
            if not verdict.leaks:
                return solution, ""
            reason = verdict.reason or str(findings[0])
            if not corrections_left or not verdict.blocks:
                return solution, reason
            for name, source in verdict.blocks.items():
                solution = solution.replace(name, source)
            blocks = list(verdict.blocks)
            self.run.emit("candidate_corrected", id=self.id, reason=reason, blocks=blocks)
            self.run.write_solution(self.id, solution)
        return solution, ""

    def _verdict(self, solution: Solution, findings: tuple[Finding, ...]) -> LeakageVerdict:
        """The leakage checker's verdict; without one, what is certain counts as a leak."""
        try:
            return self.context.agents.check_leakage(self.brief, solution, findings)
        except Stopped:
            raise
        except (ReplyError, OutOfMeans) as error:
            self.run.emit("note", text=f"{self.id} has no verdict on leakage: {error}")
            certain = [str(finding) for finding in findings if finding.certain]
            return LeakageVerdict(bool(certain), certain[0] if certain else "")

    def _may_debug(self, status: Status) -> bool:
        mendable = status in ("failed", "invalid_predictions")
        return mendable and self.rounds < self.run.settings.debug_rounds

    def _debug(self, solution: Solution, failure: Failure) -> Solution | None:
        """One round of the debugger (section 3.4); None when it offers nothing new."""
        self.rounds += 1
        try:
            corrected = self.context.agents.debug(self.brief, solution, failure)
        except Stopped:
            raise
        except (ReplyError, OutOfMeans) as error:
            self.run.emit("note", text=f"{self.id} was not debugged: {error}")
            return None
        if corrected is None or corrected.key == solution.key:
            return None
        blocks = list(corrected.changed(solution))
        self.run.emit(
            "candidate_debugged", id=self.id, round=self.rounds, error=str(failure), blocks=blocks
        )
        self.run.write_solution(self.id, corrected)
        return corrected

    def _try(self, solution: Solution) -> tuple[Status, Failure | None, Score | None]:
        """Execute on every fold and grade."""
        try:
            solution.check_compiles()
        except ReplyError as error:
            return "failed", Failure("", "SyntaxError", str(error)), None
        if self.run.task.is_self_scored:
            return self._try_self_scored(solution)
        try:
            outcomes, lost = self._execute(solution, self.run.validation.purposes)
            if lost:
                return "stopped_early", Failure("", "", lost), None
            if (ended := first_bad(outcomes)) is not None:
                return ended.status, ended.problem, None
            score = score_of(self.run, self.id)
        except InvalidPredictions as error:
            last = solution.names[-1]
            return "invalid_predictions", Failure(last, "InvalidPredictions", str(error)), None
        return "ok", None, score

    def _try_self_scored(self, solution: Solution) -> tuple[Status, Failure | None, Score | None]:
        (outcome,), _ = self._execute(solution, ("all",))
        metric = self.run.task.metric
        if outcome.status != "ok":
            return outcome.status, outcome.problem, None
        if outcome.printed is None:
            text = "print `Final Validation Performance: <number>` in the last block"
            failure = Failure(solution.names[-1], "NoScore", text)
            return "invalid_predictions", failure, None
        value = outcome.printed
        score = Score(value, (value,), (1,), 0.0, metric.name, metric.greater_is_better, True)
        return "ok", None, score

    def _execute(self, solution: Solution, purposes: Sequence[object]) -> tuple[list[Outcome], str]:
        """Execute for each purpose. The words say why the race was ended early, if it was."""
        self.run.forget_grades(self.id)
        race = None if self.opponent is None else Race(self.run, self.id, self.opponent)
        expected = self.context.expected(self.proposal)
        least = self.context.least_saved(self.proposal)
        limit = self.brief.limit
        folds = Folds(
            self.context, self.id, solution, limit, race, expected=expected, least_saved=least
        )
        outcomes = folds.execute(purposes)
        self._count(outcomes)
        return outcomes, folds.lost

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        """Add up what executions took; the slowest as if every cell had been executed."""
        self.seconds += sum(outcome.seconds for outcome in outcomes)
        whole = [outcome.seconds + outcome.saved for outcome in outcomes]
        self.slowest = max([self.slowest, *whole])

    def _record(
        self, solution: Solution, status: Status, reason: str, score: Score | None = None
    ) -> Candidate:
        proposal = self.proposal
        candidate = Candidate(
            id=self.id,
            stage=proposal.stage,
            solution=replace(solution, title=proposal.solution.title),
            plan=proposal.plan,
            parents=proposal.parents,
            block=proposal.block,
            branch=proposal.branch,
            status=status,
            score=score,
            seconds=self.seconds,
            slowest=self.slowest,
            reason=reason,
            debug_rounds=self.rounds,
            findings=self.findings,
        )
        return self.run.record(candidate)
