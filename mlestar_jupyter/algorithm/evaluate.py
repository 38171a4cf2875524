"""The one door through which every solution is judged (the paper's evaluation of a script).

``judge`` does, in this order: recognise what was judged before, static leakage check, execute on
every fold, debug, grade, leakage check of what the debugger wrote, write the judgement down.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from mlestar_jupyter.algorithm.acceptance import spread
from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.gate import Gate
from mlestar_jupyter.candidate import Candidate, Failure, Finding, Outcome, Proposal, Status
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.grading import InvalidPredictions
from mlestar_jupyter.interfaces import Agents, Brief, Execution, Executor, Limits
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score, weighted_mean
from mlestar_jupyter.solution import Solution

#: One execution is ended after this share of the run's time, unless the settings say otherwise;
#: agents are told half of it, so that what they propose does not come near.
SHARE_OF_ONE_EXECUTION = 0.25
#: A kernel needs some seconds before its first cell; less time than this is not worth a start.
LEAST_SECONDS = 5.0


@dataclass
class Context:
    """What the algorithm works with: the run, its cast, its executor and its budget.

    ``said`` is, for each branch, what the user suggested for the outer step that is under way.
    """

    run: Run
    agents: Agents
    executor: Executor
    budget: Budget
    jobs: ThreadPoolExecutor = field(init=False)
    gate: Gate = field(init=False)
    said: dict[int, tuple[str, ...]] = field(default_factory=dict)
    _keys: dict[str, threading.Lock] = field(default_factory=dict)
    _keys_lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # First come, first served: the folds of one candidate before those of the next.
        self.jobs = ThreadPoolExecutor(self.run.settings.jobs, "mlestar-job")
        self.gate = Gate(self.run, lambda: self.budget.is_stopped)

    def close(self) -> None:
        """Begin nothing more, end what is under way, and wait for it."""
        self.budget.stop()
        self.executor.cancel()
        self.jobs.shutdown(wait=True, cancel_futures=True)

    @property
    def limit(self) -> float:
        """Wall clock in seconds that one execution may take."""
        # As the run began: with more time later, what was judged must still be recognised.
        settings = self.run.state.began_with
        return settings.candidate_seconds or max(20.0, SHARE_OF_ONE_EXECUTION * settings.seconds)

    @property
    def threads(self) -> int:
        """Threads that one execution may use: the cores shared out among the jobs."""
        return max(1, (os.cpu_count() or 1) // self.run.settings.jobs)

    def side_by_side(self, branches: int) -> int:
        """How many plans to try at once, so that no job idles; 1 is the paper's order."""
        executions = max(1, self.run.validation.folds) * max(1, branches)
        return max(1, self.run.settings.jobs // executions)

    def brief(self, branch: int = 0) -> Brief:
        """What the agents are told in this branch."""
        seed, said = self.run.settings.seed, self.said.get(branch, ())
        return Brief(self.run.task, self.limit / 2, self.threads, branch, seed, said)

    def judge(self, proposal: Proposal, *, is_asked: bool = False) -> Candidate:
        """Judge one proposal. Raises OutOfMeans when there is no time to begin.

        ``is_asked``: the user waits for just this one, so a pause does not hold it back.
        """
        key = proposal.solution.key
        with self._keys_lock:
            lock = self._keys.setdefault(key, threading.Lock())
        with lock:
            known = self.run.find(key)
            if known is not None:
                return known
            if not is_asked:
                self.gate.wait_while_paused()
            # Stages have shares of the time only once there is something to go on with.
            stage = proposal.stage if self.run.best or self.run.scored else "first"
            self.budget.check(stage, self.expected(proposal))
            candidate = self.run.propose(proposal)
            return _Judgement(self, proposal, candidate).reach()

    def judge_all(self, proposals: Sequence[Proposal]) -> list[Candidate]:
        """Judge several side by side, in order; those that time does not allow are left out."""
        if not proposals:
            return []
        # As many as there are jobs: whatever waits has not begun, so the budget may still end it.
        with ThreadPoolExecutor(self.run.settings.jobs, "mlestar-judge") as pool:
            futures = [pool.submit(self.judge, proposal) for proposal in proposals]
        candidates = []
        for future in futures:
            try:
                candidates.append(future.result())
            except Stopped:
                raise
            except OutOfMeans:
                continue
        return candidates

    def expected(self, proposal: Proposal) -> float:
        """Seconds that judging is expected to take, from what the parents took."""
        parents = [self.run.state.candidates.get(p) for p in proposal.parents]
        known = [p for p in parents if p is not None]
        added = proposal.stage in ("merge", "ensemble")
        slowest = (sum if added else max)([p.slowest for p in known] or [0.0])
        rounds = math.ceil(max(1, self.run.validation.folds) / self.run.settings.jobs)
        return slowest * rounds


class _Judgement:
    """One candidate on its way through the door."""

    def __init__(self, context: Context, proposal: Proposal, candidate: str) -> None:
        self.context = context
        self.run = context.run
        self.proposal = proposal
        self.id = candidate
        self.brief = context.brief(proposal.branch)
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
            verdict = self.context.agents.check_leakage(self.brief, solution, findings)
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

    def _may_debug(self, status: Status) -> bool:
        mendable = status in ("failed", "invalid_predictions")
        return mendable and self.rounds < self.run.settings.debug_rounds

    def _debug(self, solution: Solution, failure: Failure) -> Solution | None:
        """One round of the debugger (section 3.4); None when it offers nothing new."""
        self.rounds += 1
        try:
            corrected = self.context.agents.debug(self.brief, solution, failure)
        except ReplyError:
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
        folds = self.run.validation.purposes
        outcomes = self._execute(solution, folds)
        for outcome in outcomes:
            if outcome.status != "ok":
                failure = outcome.failure or Failure("", "", outcome.words)
                return outcome.status, failure, None
        try:
            graded = self.run.graded(self.id)
        except InvalidPredictions as error:
            last = solution.names[-1]
            return "invalid_predictions", Failure(last, "InvalidPredictions", str(error)), None
        values = tuple(fold.value for fold in graded)
        rows = tuple(len(fold.actual) for fold in graded)
        metric, settings = self.run.task.metric, self.run.settings
        deviation = spread(metric, graded, settings.bootstrap, settings.seed)
        mean = weighted_mean(values, rows)
        score = Score(mean, values, rows, deviation, metric.name, metric.greater_is_better)
        return "ok", None, score

    def _try_self_scored(self, solution: Solution) -> tuple[Status, Failure | None, Score | None]:
        (outcome,) = self._execute(solution, ("all",))
        metric = self.run.task.metric
        if outcome.status != "ok":
            failure = outcome.failure or Failure("", "", outcome.words)
            return outcome.status, failure, None
        if outcome.printed is None:
            text = "print `Final Validation Performance: <number>` in the last block"
            failure = Failure(solution.names[-1], "NoScore", text)
            return "invalid_predictions", failure, None
        value = outcome.printed
        score = Score(value, (value,), (1,), 0.0, metric.name, metric.greater_is_better, True)
        return "ok", None, score

    def _execute(self, solution: Solution, purposes: Sequence[object]) -> list[Outcome]:
        """Execute for each purpose, as jobs come free."""
        jobs = self.context.jobs
        futures = [jobs.submit(self._run_one, solution, purpose) for purpose in purposes]
        outcomes = [future.result() for future in futures]
        self.seconds += sum(outcome.seconds for outcome in outcomes)
        self.slowest = max(self.slowest, *(outcome.seconds for outcome in outcomes))
        return outcomes

    def _run_one(self, solution: Solution, purpose: object) -> Outcome:
        run, budget = self.run, self.context.budget
        limit = min(self.context.limit, budget.search_left)
        if budget.is_stopped or limit < LEAST_SECONDS:
            return Outcome("cancelled", 0.0)
        label = f"fold-{purpose}" if isinstance(purpose, int) else str(purpose)
        outcome = self.context.executor.run(
            Execution(
                solution=solution,
                inputs=run.staging.inputs(purpose),  # type: ignore[arg-type]
                parameters={**run.staging.parameters, "seed": run.settings.seed},
                limits=Limits(limit, self.context.threads),
                output=run.candidate_folder(self.id),
                label=label,
            )
        )
        run.emit("candidate_executed", id=self.id, purpose=label, **outcome.to_json())
        return outcome

    def _record(
        self, solution: Solution, status: Status, reason: str, score: Score | None = None
    ) -> Candidate:
        proposal = self.proposal
        return self.run.record(
            Candidate(
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
        )
