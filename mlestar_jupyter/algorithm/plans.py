"""From plans to judged candidates: what the planners say and what comes of it, up to so many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.candidate import Candidate, Proposal, Stage
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Attempt

#: Why a plan has no score yet, for the planner.
PENDING = "it is being tried side by side with the next"


class Plans:
    """Tries plans, ``width`` at a time: when one is judged, the next is asked for.

    ``plan`` gives the next plan in view of what was tried, None when there is none; ``make`` makes
    a proposal of it, ``take`` takes note of what became of it. Where nothing could be made of a
    plan, that is an attempt too, and the note about it begins with ``failed``.
    """

    def __init__(
        self,
        context: Context,
        stage: Stage,
        width: int,
        *,
        plan: Callable[[Sequence[Attempt]], str | None],
        make: Callable[[str], Proposal],
        take: Callable[[str, Candidate], Attempt],
        failed: str,
    ) -> None:
        self.context, self.stage, self.width = context, stage, width
        self.plan, self.make, self.take, self.failed = plan, make, take, failed
        self.attempts: list[Attempt] = []
        self._pending: dict[str, Future[Candidate]] = {}

    def go(self, steps: int) -> bool:
        """Try up to so many plans; False if the means ended before the plans did.

        Raises OutOfMeans when there were none for a single one.
        """
        end: OutOfMeans | None = None
        with ThreadPoolExecutor(self.width, "mlestar-plan") as pool:
            while True:
                try:
                    while end is None and len(self._pending) < min(self.width, self._left(steps)):
                        if not self._begin_next(pool):
                            break
                    if not self._pending:
                        break
                    self._take_first_done()
                except Stopped:
                    raise
                except OutOfMeans as error:
                    end = error  # what was begun can still be judged
        if end is not None and not self.attempts:
            raise end
        return end is None

    def _left(self, steps: int) -> int:
        return steps - len(self.attempts)

    def _begin_next(self, pool: ThreadPoolExecutor) -> bool:
        """Ask for a plan and begin to judge what is made of it; False when there is none now."""
        named = "(no plan)"
        pending = [Attempt(p, None, None, 0.0, False, PENDING, "pending") for p in self._pending]
        try:
            self.context.check(self.stage)  # no plan is paid for that could not be judged
            words = self.plan([*self.attempts, *pending])
            if words is None or words in self._pending:
                return False
            named = words
            proposal = self.make(words)
            proposal.solution.check_compiles()
        except ReplyError as error:
            self.context.run.emit("note", text=f"{self.failed}: {error}")
            self.attempts.append(Attempt(named, None, None, 0.0, reason=str(error)))
            return True
        known = self.context.run.find(proposal.solution.key)
        if known is None:
            self._pending[words] = pool.submit(self.context.judge, proposal)
        else:
            self._pending[words] = Future()
            self._pending[words].set_result(known)
        return True

    def _take_first_done(self) -> None:
        """Wait for a candidate, and take note of it.

        Of several the one that was judged first: so a resumed run, which knows them all at once,
        takes them in the same order, and its planners are asked the same questions.
        """
        wait(self._pending.values(), return_when=FIRST_COMPLETED)
        judged = list(self.context.run.state.candidates)
        done = [words for words, future in self._pending.items() if future.done()]

        def order(words: str) -> int:
            error = self._pending[words].exception()
            return -1 if error is not None else judged.index(self._pending[words].result().id)

        words = min(done, key=order)
        candidate = self._pending.pop(words).result()
        self.attempts.append(self.take(words, candidate))


def attempt(plan: str, candidate: Candidate, over: Candidate, *, accepted: bool) -> Attempt:
    """What became of a plan, with the gain over the solution that it was tried on."""
    gain = None
    if candidate.score is not None and over.score is not None:
        gain = candidate.score.gain_over(over.score)
    return Attempt(
        plan, candidate.score, gain, candidate.seconds, accepted, candidate.reason, candidate.status
    )
