"""Verbs that try something: solve, refine, ablate, ensemble, merge, search, debug, and the task."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mlestar_jupyter import accounts, report
from mlestar_jupyter.api import Given, new_folder
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.checks.data_usage import find_unused
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.demo import write_demo_task
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.jupyter import views
from mlestar_jupyter.jupyter.namespace import cells_above, frame, is_path, own_metric
from mlestar_jupyter.jupyter.work import Work
from mlestar_jupyter.jupyter.workspace import Values, Workspace
from mlestar_jupyter.options import to_overrides, to_settings
from mlestar_jupyter.session import Session


def solve(workspace: Workspace, values: Values, body: str, cell: str) -> Any:
    """``%%mlestar``: a whole run. The same cell executed again attaches to its run."""
    began = time.monotonic()
    background = values["background"] or workspace.config.background
    known = workspace.attached_to(cell)
    if known is not None:
        workspace.attach(known, background=background)
        return _standing(workspace, {"run": known.folder}, background=background)
    if values["resume"]:
        told = {"run": values["out"], "time": values["time"], "background": background}
        told["cost"] = values["cost"]
        return resume(workspace, told)
    settings = to_settings(values, workspace.config.settings())
    own, start = values["start"], None
    if own is not None and not is_path(own):
        start = cells_above(own.split(","), workspace.namespace.get("In", []))
        settings = settings.replace(start=None)
    task, kept, folder = _given(workspace, values, body).understand()
    if values["dry_run"]:
        return views.TextView(accounts.expected(task, settings))
    session = Session.start(task, settings, folder, began=began, frames=kept, start=start)
    intro = views.pairs_view(report.understood(session.run))
    workspace.begin(session, "solve", Session.solve, background=background, intro=intro, cell=cell)
    return _standing(workspace, {"run": session.run.folder}, background=background)


def task(workspace: Workspace, values: Values, body: str = "") -> Any:
    """What is understood of a task: of the data that is named, or of the current run."""
    if not (values["data"] or values["train"]):
        run = workspace.run(values)
        return views.TaskView(run.task, report.understood(run))
    understood, _, _ = _given(workspace, values, body).understand()
    if values["dry_run"]:
        settings = to_settings(values, workspace.config.settings())
        return views.TextView(accounts.expected(understood, settings))
    return views.TaskView(understood, understood.describe())


def resume(workspace: Workspace, values: Values) -> Any:
    """Go on: a run that is paused, that waits for its next step, or that was stopped."""
    background = values["background"]
    folder = workspace.current(values)
    told = {"run": folder}
    live = workspace.live(told)
    cost = values.get("cost")
    if live is not None:
        if cost is not None:
            raise SettingsError("the run is at work; stop it, then give it more with --cost")
        if values["time"] is not None:
            live.session.change_limit(values["time"])
        live.session.resume_work()
        workspace.attach(live, background=background)
        return _standing(workspace, told, background=background)
    run = workspace.run(told)
    if run.state.ended == "finished" and values["time"] is None and cost is None:
        raise SettingsError("this run is finished; give it more time: %mlestar resume --time 20m")
    session = workspace.resume(told, seconds=values["time"], cost=cost)
    workspace.begin(session, "solve", Session.solve, background=background)
    return _standing(workspace, told, background=background)


def refine(workspace: Workspace, values: Values) -> Any:
    """Outer steps on the best candidate; where a run waits for its next step, that step."""
    live = workspace.live(values)
    if live is not None and live.is_waiting:
        if all(report["branch"] < 0 for report in live.run.state.waiting):
            raise SettingsError("all steps are done; go on with %mlestar resume, refine later")
        if values["block"]:
            live.session.pin(values["block"])
        known = set(live.run.state.candidates)
        live.session.resume_work()
        workspace.attach(live, background=values["background"])
        return _tried(workspace, values, known, background=values["background"])
    known = _known(workspace, values)

    def work(session: Session) -> Candidate:
        return session.refine(outer=values["outer"], inner=values["inner"], block=values["block"])

    workspace.extend(values, "refine", work, background=values["background"])
    return _tried(workspace, values, known, background=values["background"])


def ablate(workspace: Workspace, values: Values) -> Any:
    """An ablation study of the best candidate."""
    background = values["background"]
    workspace.extend(values, "ablate", Session.ablate, background=background)
    if background:
        return None
    run = workspace.run(values)
    studies = [s for s in run.state.studies if s["candidate"] == run.state.best]
    if not studies:
        raise SettingsError("nothing could be measured in this time; give more, with --time 5m")
    return views.StudyView(run, studies[-1])


def ensemble(workspace: Workspace, values: Values) -> Any:
    """Plans to combine the branches' solutions."""
    known = _known(workspace, values)
    workspace.extend(
        values, "ensemble", lambda session: session.ensemble(rounds=values["rounds"]),
        background=values["background"],
    )  # fmt: skip
    return _tried(workspace, values, known, background=values["background"])


def merge(workspace: Workspace, values: Values) -> Any:
    """Merge one candidate into another."""
    run = workspace.run(values)
    base = workspace.candidate(run, values["id"])
    other = workspace.candidate(run, values["other"])
    if base.id == other.id:
        raise SettingsError(f"{base.id} cannot be merged into itself; name two candidates")
    return _judged(workspace, values, "merge", lambda session: session.merge(base, other))


def debug(workspace: Workspace, values: Values) -> Any:
    """The debugger once more, on a candidate that failed."""
    failed = workspace.candidate(workspace.run(values), values["id"])
    return _judged(workspace, values, "debug", lambda session: session.debug(failed))


def search(workspace: Workspace, values: Values) -> Any:
    """Models that were not tried yet."""
    known = _known(workspace, values)

    def work(session: Session) -> list[Candidate]:
        return session.search_more(values["models"])

    if workspace.live(values) is None:
        workspace.extend(values, "search", work, background=values["background"])
    else:
        workspace.ask(values, "search", work)
    return _tried(workspace, values, known, background=values["background"])


def check(workspace: Workspace, values: Values) -> Any:
    """What the leakage check and the data-usage check see in a candidate's source."""
    run = workspace.run(values)
    candidate = workspace.candidate(run, values["id"])
    leaks = find_leaks(candidate.solution, run.task)
    evidence = find_unused(candidate.solution, run.task)
    rows = [("candidate", report.candidate_line(run, candidate))]
    rows += [("leakage", f"{f}{'' if f.certain else ' (not certain)'}") for f in leaks]
    if not leaks:
        rows.append(("leakage", "none seen in the source"))
    rows.append(("files used", ", ".join(evidence.used_files) or "train and test only"))
    rows.append(("files unused", ", ".join(evidence.unused_files) or "none"))
    rows.append(("columns unused", ", ".join(evidence.unused_columns) or "none"))
    return views.pairs_view(rows)


def demo(workspace: Workspace, values: Values) -> Any:
    """A whole run in a minute, on data that ships with scikit-learn."""
    began = time.monotonic()
    folder = new_folder("demo")
    settings = workspace.config.settings().replace(seconds=values["time"])
    data, _, out = Given(write_demo_task(folder / "task"), out=folder / "run").understand()
    session = Session.start(data, settings, out, began=began)
    intro = views.pairs_view(report.understood(session.run))
    workspace.begin(session, "solve", Session.solve, background=values["background"], intro=intro)
    return _standing(workspace, {"run": out}, background=values["background"])


def _given(workspace: Workspace, values: Values, body: str) -> Given:
    """The data, the task's words and what else was said of it."""
    names = workspace.namespace
    frames: dict[str, Any] = {}
    data: Any = values["data"]
    if values["train"]:
        for name in ("train", "test", "sample"):
            if values[name]:
                frames[name] = frame(values[name], names, f"--{name}")
        data = frames.pop("train")
    elif data is None:
        raise SettingsError("give the data: --data DIR, or --train NAME with a DataFrame")
    told: Mapping[str, Any] = dict(values)
    if values["metric"]:
        direction = values["direction"]
        greater = None if direction is None else direction == "maximize"
        needs = values["needs"] or _needs(data, values["target"])
        metric = own_metric(values["metric"], names, greater, needs)
        is_own = not isinstance(metric, str)  # the direction is a part of it then
        told = {**values, "metric": metric, "direction": None if is_own else direction}
    return Given(
        data,
        **frames,
        name=values.get("name") or values["train"],
        description=body.strip(),
        overrides=to_overrides(told),
        out=values.get("out"),
    )


def _needs(data: Any, target: str | None) -> Literal["value", "label"]:
    """What a metric of the user's own takes when it is not said: labels, if the target has some."""
    if isinstance(data, str | Path) or target is None or target not in data.columns:
        return "value"
    return "value" if data[target].dtype.kind in "iuf" else "label"


def _known(workspace: Workspace, values: Values) -> set[str]:
    return set(workspace.run(values).state.candidates)


def _judged(workspace: Workspace, values: Values, title: str, work: Any) -> Any:
    """Ask for one candidate and show it."""
    candidate = workspace.ask(values, title, work)
    run = workspace.run(values)
    assert candidate is not None
    return views.CandidateView(run, run.state.candidates[candidate.id])


def _tried(workspace: Workspace, values: Values, known: set[str], *, background: bool) -> Any:
    """What was tried since: the run, and the new candidates in words."""
    if background:
        return None
    run = workspace.run(values)
    new = sorted((c for c in run.state.candidates.values() if c.id not in known), key=_id)
    return views.TriedView(run, new)


def _standing(workspace: Workspace, values: Values, *, background: bool) -> Any:
    """Where a run stands now; nothing while it goes on in the background."""
    work: Work | None = workspace.live(values)
    if background and work is not None:
        return None
    return views.run_view(workspace.run(values))


def _id(candidate: Candidate) -> str:
    return candidate.id


WORKING = {
    "refine": refine, "ablate": ablate, "ensemble": ensemble, "merge": merge, "search": search,
    "debug": debug, "check": check, "task": task, "resume": resume, "demo": demo,
}  # fmt: skip
