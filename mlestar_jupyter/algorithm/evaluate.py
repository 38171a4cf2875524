"""The one door through which every solution is judged (the paper's evaluation of a script).

``judge`` does, in this order: recognise what was judged before, static leakage check, execute on
every fold, debug, grade, leakage check of what the debugger wrote, write the judgement down.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mlestar_jupyter.algorithm.budget import SURELY, Budget
from mlestar_jupyter.algorithm.gate import Gate
from mlestar_jupyter.algorithm.judging import Judgement
from mlestar_jupyter.candidate import ADDED, Candidate, Proposal
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.interfaces import Agents, Brief, Executor
from mlestar_jupyter.run import Run

#: One execution is ended after this share of the run's time, unless the settings say otherwise;
#: agents are told half of it, so that what they propose does not come near.
SHARE_OF_ONE_EXECUTION = 0.25
#: What is made of other candidates may take so many times what these took, and this share of the
#: run's time on top: early in a long run a slow idea is welcome, a hopeless one is not.
TIMES_THE_PARENTS, SHARE_ON_TOP = 5.0, 0.05
#: A kernel needs some seconds before its first cell; less time than this is not worth a start.
LEAST_SECONDS = 5.0
#: No limit of ours is shorter, in seconds.
LEAST_LIMIT = 20.0
#: A kernel's start, papermill and writing the notebook, in seconds (benchmarks/execution).
NOTEBOOK_SECONDS = 8.0
#: What a process of its own takes to import what a solution imports: warm kernels have done so.
IMPORT_SECONDS = 4.0
#: All rows are more than a fold's, and machines are noisy.
SAFETY = 1.5
#: About so many of what changes a solution, and of what adds up several, would be accepted, and are
#: executed once more from clean kernels: to begin with a snapshot must save more than that.
CONFIRMED_CHANGES, CONFIRMED_SUMS = 0.15, 0.7


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
        """Wall clock in seconds that any one execution may take."""
        # As the run began: with more time later, what was judged must still be recognised.
        settings = self.run.state.began_with
        share = SHARE_OF_ONE_EXECUTION * settings.seconds
        return settings.candidate_seconds or max(LEAST_LIMIT, share)

    def limit_of(self, parents: Sequence[str], *, added: bool = False) -> float:
        """Wall clock in seconds that one execution of what is made of these candidates may take.

        It is learned from what they took, added up for what does the work of all (``added``), and
        hangs on the journal alone. A limit of the user's own holds as it is.
        """
        settings = self.run.state.began_with
        expected = self._expected(parents, added=added)
        if settings.candidate_seconds is not None or not expected:
            return self.limit
        learned = TIMES_THE_PARENTS * expected + SHARE_ON_TOP * settings.seconds
        return min(self.limit, math.ceil(max(LEAST_LIMIT, learned)))

    @property
    def threads(self) -> int:
        """Threads that one execution may use: the cores shared out among the jobs."""
        # An executor that works elsewhere knows what there is.
        there: int | None = getattr(self.executor, "threads", None)
        return there or self.run.settings.threads_here

    def least_saved(self, proposal: Proposal) -> float:
        """Seconds that taking over cells must save in one execution; inf: all are executed.

        What was made of nothing has nothing to beat, so that is executed whole at once.
        """
        share = CONFIRMED_SUMS if proposal.stage in ADDED else CONFIRMED_CHANGES
        return share * self.expected(proposal) or math.inf

    def side_by_side(self, branches: int) -> int:
        """How many plans to try at once, so that no job idles; 1 is the paper's order."""
        executions = max(1, self.run.validation.folds) * max(1, branches)
        return math.ceil(self.run.settings.jobs / executions)

    def brief(self, branch: int = 0, *, made_of: Sequence[str] = (), added: bool = False) -> Brief:
        """What the agents are told in this branch, of what they make of these candidates."""
        seed, said = self.run.settings.seed, self.said.get(branch, ())
        limit = self.limit_of(made_of, added=added)
        return Brief(self.run.task, self.limit / 2, self.threads, branch, seed, said, limit=limit)

    def turn(self, key: str) -> threading.Lock:
        """To be held by who executes the solution with this key."""
        with self._keys_lock:
            return self._keys.setdefault(key, threading.Lock())

    def judge(self, proposal: Proposal, *, is_asked: bool = False) -> Candidate:
        """Judge one proposal. Raises OutOfMeans when there is no time to begin.

        ``is_asked``: the user waits for just this one, so a pause does not hold it back, and if it
        was ended early it is judged once more, on all folds.
        """
        key = proposal.solution.key
        with self.turn(key):
            known = self.run.find(key)
            is_finished = known is not None and known.status != "stopped_early"
            if known is not None and (is_finished or not is_asked):
                return known
            if not is_asked:
                self.gate.wait_while_paused()
            # Stages have shares of the time only once there is something to go on with.
            stage = proposal.stage if self.run.best or self.run.scored else "first"
            self.check(stage, self.expected(proposal))
            candidate = known.id if known is not None else self.run.propose(proposal)
            return Judgement(self, proposal, candidate, is_asked=is_asked).reach()

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

    def check(self, stage: str, slowest: float = 0.0) -> None:
        """Raise OutOfMeans when no more work of a stage should begin.

        ``slowest`` is what one execution of it is expected to take, in seconds. Time is kept back
        to land with the present best, and what landing takes longer with this one comes on top.
        """
        self._keep_back()
        if stage == "refine" and not self._has_room_for_ensemble():
            stage = "ensemble"  # nobody else would use the time that is kept for that
        rounds = _rounds(self.run, self.run.settings.jobs)
        self.budget.check(stage, rounds * slowest, self._longer(slowest))

    def has_time(self, seconds: float) -> bool:
        """Whether one execution that should take so long may begin now, as the best is now."""
        self._keep_back()
        least = max(LEAST_SECONDS, SURELY * seconds)
        return not self.budget.is_stopped and self.budget.search_left >= least

    def _keep_back(self) -> None:
        if self.run.best is not None:
            self.budget.keep_back(landing_seconds(self.run, self.run.best.slowest))

    def _has_room_for_ensemble(self) -> bool:
        """Whether an ensemble of the incumbents could still begin when refinement has ended."""
        run = self.run
        if not run.settings.ensemble_rounds:
            return False
        names = [name for branch, name in dict(run.state.incumbents).items() if branch >= 0]
        took = [run.state.candidates[name].slowest for name in names]
        slowest = sum(took if len(took) > 1 else took * 2)  # at least two are combined
        rounds = _rounds(run, run.settings.jobs)
        return self.budget.has_room_after("refine", rounds * slowest, self._longer(slowest))

    def _longer(self, slowest: float) -> float:
        """How much longer landing takes with what takes so long, in seconds."""
        best = self.run.best
        if best is None:
            return 0.0
        present = landing_seconds(self.run, best.slowest)
        return max(0.0, landing_seconds(self.run, slowest) - present)

    def expected(self, proposal: Proposal) -> float:
        """Seconds that one execution of a proposal should take, by its parents; 0 if unknown."""
        return self._expected(proposal.parents, added=proposal.stage in ADDED)

    def _expected(self, parents: Sequence[str], *, added: bool) -> float:
        """Seconds that one execution of what is made of these should take; 0 if unknown."""
        known = self.run.state.candidates
        took = [known[parent].slowest for parent in parents if parent in known]
        return (sum if added else max)(took or [0.0])


def landing_seconds(run: Run, slowest: float) -> float:
    """Seconds to fit on all rows and, beside it, to execute the finished notebook.

    The finished notebook fits on all rows and then once for each fold, in processes of their own.
    ``slowest`` is what one execution takes, in seconds.
    """
    if not run.settings.reproduce:
        return NOTEBOOK_SECONDS + SAFETY * slowest
    # The finished notebook is executed on this machine, wherever the candidates are.
    rounds = _rounds(run, run.settings.jobs_here)
    return NOTEBOOK_SECONDS + IMPORT_SECONDS * rounds + SAFETY * slowest * (1 + rounds)


def _rounds(run: Run, jobs: int) -> int:
    """How often so many jobs are at work to execute each fold."""
    return math.ceil(max(1, run.validation.folds) / jobs)
