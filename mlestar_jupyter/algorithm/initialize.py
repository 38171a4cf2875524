"""Algorithm 1 of the paper: search for models, one solution for each, merge the best."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

from mlestar_jupyter.algorithm.evaluate import Context
from mlestar_jupyter.algorithm.incumbent import decide_confirmed, replace_incumbent
from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.checks.data_usage import find_unused
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import BudgetError, MlestarError, ReplyError, SettingsError
from mlestar_jupyter.interfaces import ModelCard
from mlestar_jupyter.solution import Solution


def initialize(context: Context) -> list[Candidate]:
    """Retrieve M models, judge one solution for each, and rank them, the best first.

    Raises BudgetError when time was too short for any, MlestarError when all of them failed.
    """
    run = context.run
    proposals = []
    if run.settings.start is not None:
        own = read_start(run.folder / run.settings.start)
        proposals.append(Proposal("initialize", own, "the notebook that the run starts from"))
    cards, obstacle = _cards(context)
    found, other = _first_solutions(context, cards)
    proposals += found
    obstacle = obstacle or other
    candidates = context.judge_all(proposals)
    ranked = rank(candidates)
    if ranked:
        return ranked
    if not proposals and obstacle:
        raise BudgetError(f"no solution could be proposed: {obstacle}")
    failed = [c for c in candidates if c.status not in ("cancelled", "timed_out")]
    if not failed:
        raise BudgetError(
            f"no candidate could be judged within {run.settings.seconds:g}s; "
            f"give more time, for example --time 5m"
        )
    reasons = "; ".join(f"{c.id} {c.solution.title}: {c.reason}" for c in failed[:3])
    raise MlestarError(f"none of {len(failed)} initial solutions could be scored: {reasons}")


def _cards(context: Context) -> tuple[list[ModelCard], str]:
    """What the retriever gives, and why that is nothing, if something went wrong."""
    run = context.run
    try:
        cards = context.agents.retrieve(context.brief(), run.settings.models)
    except Stopped:
        raise
    except (ReplyError, OutOfMeans) as error:
        run.emit("note", text=f"no models were found: {error}")
        return [], str(error)
    if not run.state.cards:
        run.emit("cards_retrieved", cards=[card.to_json() for card in cards])
    return cards, ""


def _first_solutions(context: Context, cards: list[ModelCard]) -> tuple[list[Proposal], str]:
    """A solution for each card, asked for side by side, and why there is none where there is none.

    A cast may take a minute for each.
    """
    agents, brief = context.agents, context.brief()
    with ThreadPoolExecutor(context.run.settings.calls_at_once, "mlestar-initial") as pool:
        futures = [pool.submit(agents.initialize, brief, card) for card in cards]
    proposals, obstacle = [], ""
    for card, future in zip(cards, futures, strict=True):
        try:
            solution = future.result()
        except Stopped:
            raise
        except (ReplyError, OutOfMeans) as error:
            obstacle = obstacle or str(error)
            context.run.emit("note", text=f"no solution for the model {card.name}: {error}")
            continue
        proposals.append(Proposal("initialize", solution, f"{card.name}: {card.reason}"))
    return proposals, obstacle


def rank(candidates: list[Candidate]) -> list[Candidate]:
    """The scored candidates, the best point score first."""
    scored = [c for c in candidates if c.score is not None]
    sign = -1 if any(c.score.greater_is_better for c in scored if c.score) else 1
    return sorted(scored, key=lambda c: sign * c.score.value if c.score else 0.0)


def merge(context: Context, ranked: list[Candidate], branch: int) -> Candidate:
    """Merge the models that come after the branch's base into it, until one does not help.

    Branch b starts from the solution ranked b-th, so that the L solutions differ; with one
    branch this is the paper's loop (Algorithm 1, lines 6 to 17).
    """
    base = ranked[min(branch, len(ranked) - 1)]
    replace_incumbent(context.run, branch, base, "the best of the initial solutions")
    for other in ranked[branch + 1 :]:
        try:
            context.check("merge")  # nothing is asked for that could not be judged
            parents = (base.id, other.id)
            brief = context.brief(branch, made_of=parents, added=True)
            merged = context.agents.merge(brief, base.solution, other.solution)
            plan = f"merge {other.solution.title or other.id} into {base.solution.title or base.id}"
            candidate = context.judge(Proposal("merge", merged, plan, parents, branch=branch))
        except ReplyError as error:
            context.run.emit("note", text=f"no merge of {base.id} and {other.id}: {error}")
            continue
        except Stopped:
            raise
        except OutOfMeans:
            break
        candidate, decision = decide_confirmed(context, candidate, base)
        if not decision.accepted:
            context.run.emit("plan_lost", branch=branch, id=candidate.id, reason=decision.reason)
            break
        replace_incumbent(context.run, branch, candidate, decision.reason, base)
        base = candidate
    return base


def use_all_data(context: Context, incumbent: Candidate, branch: int) -> Candidate:
    """The data-usage check after initialization (section 3.4): use what was left unused."""
    evidence = find_unused(incumbent.solution, context.run.task)
    brief = context.brief(branch, made_of=(incumbent.id,))
    try:
        verdict = context.agents.check_data_usage(brief, incumbent.solution, evidence)
        if verdict.complete or verdict.solution is None:
            return incumbent
        candidate = context.judge(
            Proposal("check", verdict.solution, verdict.reason, (incumbent.id,), branch=branch)
        )
    except ReplyError as error:
        context.run.emit("note", text=f"data-usage check of {incumbent.id}: {error}")
        return incumbent
    except Stopped:
        raise
    except OutOfMeans:
        return incumbent
    candidate, decision = decide_confirmed(context, candidate, incumbent)
    if not decision.accepted:
        context.run.emit("plan_lost", branch=branch, id=candidate.id, reason=decision.reason)
        return incumbent
    replace_incumbent(context.run, branch, candidate, decision.reason, incumbent)
    return candidate


def read_start(path: Path) -> Solution:
    """The user's own notebook or script as a solution; SettingsError when it cannot be one."""
    if path.suffix not in (".ipynb", ".py"):
        raise SettingsError(f"{path.name} is neither .ipynb nor .py; give one of them with --from")
    try:
        if path.suffix == ".ipynb":
            notebook = nbformat.read(path, as_version=4)
            own = Solution.from_notebook(notebook, f"own notebook {path.name}")
        else:
            text = path.read_text(encoding="utf-8")
            own = Solution.from_script(text, f"own script {path.name}")
        own.check_compiles()
    except FileNotFoundError:
        raise SettingsError(f"no file {path} to start from; check --from") from None
    except (OSError, ValueError, ReplyError) as error:
        raise SettingsError(f"{path} cannot be read as a notebook or script: {error}") from error
    return own
