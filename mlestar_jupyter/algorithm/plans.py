"""From plans to proposals: what the planners say and what is made of it, up to so many."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.candidate import Proposal
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Attempt

#: Why a plan has no score yet, for the planner.
PENDING = "it is being tried side by side with the next"


def new_proposals(
    context: Context,
    attempts: list[Attempt],
    wanted: int,
    *,
    stage: str,
    plan: Callable[[Sequence[Attempt]], str | None],
    make: Callable[[str], Proposal],
    failed: str,
) -> dict[str, Proposal]:
    """Up to so many proposals by their plans. ``attempts`` are those before, and grow by plans of
    which nothing could be made; the note about such a one begins with ``failed``.

    ``plan`` gives the next plan in view of what was tried, None when there is none; ``make`` makes
    a proposal of it. Raises OutOfMeans when nothing was proposed and nothing more can be.
    """
    proposals: dict[str, Proposal] = {}
    while len(proposals) < wanted:
        tried = [
            *attempts,
            *(Attempt(p, None, None, 0.0, False, PENDING, "pending") for p in proposals),
        ]
        named = "(no plan)"
        try:
            context.check(stage)  # no plan is paid for that could not be judged
            words = plan(tried)
            if words is None or words in proposals:
                break
            named = words
            proposal = make(words)
            proposal.solution.check_compiles()
        except Stopped:
            raise
        except OutOfMeans:
            if proposals:  # what was proposed before can still be judged
                break
            raise
        except ReplyError as error:
            context.run.emit("note", text=f"{failed}: {error}")
            attempts.append(Attempt(named, None, None, 0.0, reason=str(error)))
            wanted -= 1
            continue
        proposals[words] = proposal
    return proposals
