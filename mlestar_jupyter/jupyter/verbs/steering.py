"""Verbs that steer: pin, suggest, a model card, adopt, undo, pause and stop. All are journaled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat

from mlestar_jupyter import report
from mlestar_jupyter.algorithm.asked import edited
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.errors import MlestarError, SettingsError
from mlestar_jupyter.interfaces import ModelCard
from mlestar_jupyter.jupyter import views
from mlestar_jupyter.jupyter.work import Work
from mlestar_jupyter.jupyter.workspace import Values, Workspace
from mlestar_jupyter.solution import Solution


def pin(workspace: Workspace, values: Values) -> Any:
    """Make a block the target of each branch's next outer step."""
    block = values["block"]
    if block is None and not values["clear"]:
        pinned = workspace.run(values).state.pinned
        return views.TextView(f"pinned: {pinned or 'no block'}")
    workspace.steer(values, lambda session: session.pin(None if values["clear"] else block))
    if values["clear"]:
        return views.TextView("no block is pinned")
    return views.TextView(
        f"the next outer step refines {block}; {_how_to_go_on(workspace, values)}"
    )


def suggest(workspace: Workspace, values: Values, body: str = "") -> Any:
    """Give the agents something to try in the next outer step."""
    words = " ".join([*values["words"], body]).strip()
    meaning = workspace.steer(values, lambda session: session.suggest(words))
    understood = f" It is understood as: {meaning}." if meaning else ""
    go_on = _how_to_go_on(workspace, values)
    return views.TextView(f"the next outer step tries {words!r} first.{understood} {go_on}")


def card(workspace: Workspace, values: Values, body: str = "") -> Any:
    """Judge a solution with a model of the user's own; the cell's text is its code."""
    reason = values["why"] or "a model of your own"
    given = ModelCard(values["name"], reason, body.strip("\n"), values["source"])
    candidate = workspace.ask(values, "card", lambda session: session.try_card(given))
    assert candidate is not None
    run = workspace.run(values)
    return views.CandidateView(run, run.state.candidates[candidate.id])


def adopt(workspace: Workspace, values: Values, body: str = "") -> Any:
    """Judge the user's own blocks in the place of a candidate's; the difference is shown.

    A candidate that is named alone is accepted as it is.
    """
    run = workspace.run(values)
    what, block = values["what"], values["block"]
    if what.endswith(".ipynb"):
        base, sources = _from_notebook(workspace, run, Path(what), values["candidate"])
    elif not what and not body.strip():
        raise SettingsError(
            "adopt what? name a candidate to accept as it is, or a notebook that you edited; "
            "`%mlestar insert ID` gives a cell to edit"
        )
    else:
        base = workspace.candidate(run, what or "best")
        sources = _sources(base, body, block) if body.strip() else {}
    if edited(base, sources) is None:
        best = workspace.steer(values, lambda session: session.accept(base))
        line = report.candidate_line(workspace.run(values), best)
        return views.TextView(f"the best by your word, until a better one is found: {line}")
    adopted = workspace.ask(values, "adopt", lambda session: session.adopt(sources, base))
    assert adopted is not None
    after = workspace.run(values)
    candidate = after.state.candidates[adopted.id]
    workspace.show(views.DiffView(after, candidate, base))
    workspace.show(views.TextView(_verdict(after, candidate, base)))
    return views.CandidateView(after, candidate)


def undo(workspace: Workspace, values: Values) -> Any:
    """Take a candidate back: the best, or the one that is named."""
    before = workspace.run(values)
    named = None if values["id"] is None else workspace.candidate(before, values["id"])
    best = workspace.steer(values, lambda session: session.undo(named))
    shown = named or before.best
    gone = shown.id if shown else "nothing"
    run = workspace.run(values)
    return views.TextView(f"{gone} is undone; the best is {report.candidate_line(run, best)}")


def pause(workspace: Workspace, values: Values) -> Any:
    """Begin nothing more; the clock stands."""
    work = at_work(workspace, values)
    work.session.pause()
    return views.TextView(
        "paused: what is under way is finished, nothing more begins, the clock stands. "
        "Go on with %mlestar resume"
    )


def stop(workspace: Workspace, values: Values) -> Any:
    """End what is under way; the run can be resumed."""
    work = at_work(workspace, values)
    work.stop()
    return views.TextView(work.stopped_words)


STEERING = {
    "pin": pin, "suggest": suggest, "card": card, "adopt": adopt, "undo": undo, "pause": pause,
    "stop": stop,
}  # fmt: skip


def at_work(workspace: Workspace, values: Values) -> Work:
    """The work on the current run in this kernel; MlestarError when there is none."""
    work = workspace.live(values)
    if work is None:
        raise MlestarError("the run is not at work in this kernel: nothing to pause or to stop")
    return work


def _how_to_go_on(workspace: Workspace, values: Values) -> str:
    work = workspace.live(values)
    if work is None:
        return "run it with %mlestar refine"
    if work.is_waiting or work.run.state.paused:
        return "go on with %mlestar resume"
    return "the run goes on"


def _sources(base: Candidate, body: str, block: str | None) -> dict[str, str]:
    """The blocks of a cell's text: marked by ``# %% NAME``, or one block that is named."""
    if block is not None:
        base.solution.source(block)
        return {block: body.rstrip("\n")}
    if not body.lstrip().startswith("# %% "):
        names = ", ".join(base.solution.names)
        raise SettingsError(
            f"which block is this? begin it with `# %% NAME`, or say --block NAME; "
            f"{base.id} has {names}"
        )
    own = Solution.from_script(body.strip("\n"))
    return {b.name: b.source.rstrip("\n") for b in own.blocks}


def _from_notebook(
    workspace: Workspace, run: Any, path: Path, candidate: str | None
) -> tuple[Candidate, dict[str, str]]:
    """The blocks of an edited notebook, and the candidate that it began from."""
    try:
        notebook = nbformat.read(path.expanduser(), as_version=4)
        known = notebook.metadata.get("mlestar", {}).get("candidate")
        solution = Solution.from_notebook(notebook)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as a notebook; check its name") from error
    base = workspace.candidate(run, candidate or known or "best")
    sources = {b.name: b.source for b in solution.blocks}
    if not set(sources) & set(base.solution.names):
        names = ", ".join(base.solution.names)
        raise SettingsError(f"{path.name} has no block of {base.id}, which has {names}")
    return base, sources


def _verdict(run: Any, candidate: Candidate, base: Candidate) -> str:
    line = report.candidate_line(run, candidate)
    accepted = run.state.incumbents.get(candidate.branch) == candidate.id
    is_best = " and is the best now" if run.state.best == candidate.id else ""
    word = f"accepted{is_best}" if accepted else f"not accepted; {base.id} stays"
    new = [name for name in candidate.solution.names if name not in base.solution.names]
    added = f"\nnew blocks, before the last one: {', '.join(new)}" if new else ""
    return f"{line}\n{word}{added}"
