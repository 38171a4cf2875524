"""The static half of the paper's leakage checker (section 3.4 and its appendix).

The paper asks a language model whether rows that judge a solution help to prepare it. These rules
find the usual forms of that by following the data, before anything is executed; their findings
are evidence for the leakage checker, and those that are certain need no second opinion.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from mlestar_jupyter.candidate import Finding
from mlestar_jupyter.checks.dataflow import Flow
from mlestar_jupyter.checks.sightings import Encoded, Fitted, Read, Summarised
from mlestar_jupyter.checks.values import UNKNOWN, Place
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Solution
from mlestar_jupyter.task import Task

_PARAMETER = re.compile(r"<(\w+)>")
_REMOTE = re.compile(r"^[a-z][a-z0-9+]*://", re.IGNORECASE)
_OUTSIDE = re.compile(r"[a-z][a-z0-9+]*://|/|~|\.\.(/|$)|[a-z]:[\\/]", re.IGNORECASE)
_ANSWERS = re.compile(r"(answers?|solutions?|labels?_test|test_labels?|ground_?truth)\b", re.I)
#: What a solution may ask of its machine.
_MACHINE = ("/proc/", "/dev/", "/sys/")
#: Names that the contract stages, and the parameter to use for each.
_STAGED = {str(value): name for name, value in DEFAULT_PARAMETERS.items() if name != "seed"}


def find_leaks(solution: Solution, task: Task) -> list[Finding]:
    """What in the solution lets test rows, the target or unstaged files into what it learns.

    Findings are in the order of blocks and lines; one rule speaks once for a line. A block that
    is not Python gives none: it fails when it is executed.
    """
    flow = Flow(task)
    flow.walk(solution)
    found: dict[tuple[str, str, int], Finding] = {}
    for finding in _judged(flow):
        key = finding.rule, finding.block, finding.line
        if key not in found or (finding.certain and not found[key].certain):
            found[key] = finding
    order = {name: position for position, name in enumerate(solution.names)}
    return sorted(found.values(), key=lambda f: (order.get(f.block, 0), f.line, f.rule))


def _judged(flow: Flow) -> Iterator[Finding]:
    for seen in flow.sightings:
        match seen:
            case Fitted():
                yield from _fit_on_test(seen)
                yield from _target_in_features(seen, flow)
                yield from _encoded_features(seen, flow)
            case Summarised(place=place, call=call):
                yield _finding(
                    "test_statistics", place, f"{call} is taken over train and test together",
                    "take it over train alone", certain=False,
                )  # fmt: skip
            case Encoded(place=place, what=what, certain=certain, mend=mend):
                if flow.task.target:
                    yield _finding("target_statistics", place, what, mend, certain=certain)
            case Read():
                yield from _unstaged_file(seen, flow)


def _fit_on_test(seen: Fitted) -> Iterator[Finding]:
    for value in (seen.data, seen.answers):
        if seen.trains and "test" in value.rows:
            rows = "rows of test_path together with others" if value.is_mixed else "test_path"
            # Scaling predictions, to blend them, prepares no training rows.
            certain = value.sure and seen.certain and not value.predicted
            yield _finding(
                "fit_on_test", seen.place, f"{seen.call} learns from {rows}",
                "fit on rows of train_path alone, then transform or predict the test rows",
                certain=certain,
            )  # fmt: skip
            return


def _target_in_features(seen: Fitted, flow: Flow) -> Iterator[Finding]:
    # An estimator that picks its columns (a ColumnTransformer) may well be given the whole table.
    if not (seen.estimator.takes_all and seen.answers.is_target and seen.data.leaky):
        return
    if seen.data.is_target:  # y itself is given as data: an encoder of labels
        return
    names = ", ".join(sorted(seen.data.leaky))
    target = flow.task.target in seen.data.leaky
    what = "the target" if target else "a column that the test rows do not have"
    yield _finding(
        "target_in_features", seen.place, f"{names} ({what}) is among the features of {seen.call}",
        f"drop {names} from the features", certain=seen.certain,
    )  # fmt: skip


def _encoded_features(seen: Fitted, flow: Flow) -> Iterator[Finding]:
    statistic = seen.data.encoded
    if statistic is not None and flow.task.target:
        yield _finding(
            "target_statistics", seen.place,
            f"{seen.call} is given statistics of the target taken from the same rows",
            "compute them inside folds of train", certain=statistic.certain,
        )  # fmt: skip


def _unstaged_file(seen: Read, flow: Flow) -> Iterator[Finding]:
    path = posixpath.normpath(seen.path) if not _REMOTE.match(seen.path) else seen.path
    shown = _PARAMETER.sub(r"\1", path.replace(UNKNOWN, "*"))
    written = {posixpath.normpath(p) for p in flow.mentioned_paths if p}
    if _OUTSIDE.match(path):
        if not path.startswith(_MACHINE) and path not in written:
            yield _finding(
                "unstaged_file", seen.place, f"{seen.call} reads {shown}, which no run stages",
                "read only the parameters (train_path, test_path, ...) and files under data_dir",
            )  # fmt: skip
        return
    yield from _inside(seen, flow, path, shown, written)


def _inside(seen: Read, flow: Flow, path: str, shown: str, written: set[str]) -> Iterator[Finding]:
    files = flow.task.source.files
    parameter = _PARAMETER.fullmatch(path)
    if _ANSWERS.search(posixpath.basename(path)) and not _is_file(path, files):
        if path not in written and not parameter:
            yield _finding(
                "unstaged_file", seen.place, f"{seen.call} reads {shown}, by its name the answers",
                "predict from the features",
            )  # fmt: skip
        return
    if seen.lists or UNKNOWN in path.split("/")[0]:
        return
    if parameter:
        if parameter[1] in ("predictions_path", "model_path") and path not in written:
            yield _finding(
                "unstaged_file", seen.place, f"{seen.call} reads {shown}, which nothing wrote",
                "write it first; only train_path, test_path, sample_path and data_dir are staged",
                certain=False,
            )  # fmt: skip
        return
    if path.startswith("<data_dir>/"):
        if not _is_file(path, files) and path not in written:
            known = ", ".join(files[:5]) or "no file"
            yield _finding(
                "unstaged_file", seen.place, f"{shown} is not among the task's files",
                f"data_dir holds {known}", certain=UNKNOWN not in path,
            )  # fmt: skip
        return
    if path.startswith("<") or path in written or UNKNOWN in path:
        return
    yield _literal(seen, flow, path, shown)


def _literal(seen: Read, flow: Flow, path: str, shown: str) -> Finding:
    """A relative name word for word: it may be staged, but parameters are what holds."""
    source = flow.task.source
    names = dict(_STAGED) | {
        given.name: f"{kind}_path"
        for kind in ("train", "test", "sample")
        if (given := getattr(source, kind)) is not None
    }
    folder = str(DEFAULT_PARAMETERS["data_dir"])
    if path in names:
        mend = f"use the parameter {names[path]}"
    elif (inner := path.removeprefix(f"{folder}/")) in source.files:
        mend = f'read it under the parameter data_dir: f"{{data_dir}}/{inner}"'
    else:
        mend = "only the parameters and files under data_dir are staged"
    return _finding("unstaged_file", seen.place, f"{seen.call} reads {shown} by name", mend, False)


def _is_file(path: str, files: tuple[str, ...]) -> bool:
    inner = path.removeprefix("<data_dir>/").replace(UNKNOWN, "*")
    return any(fnmatch(f, inner) or f.startswith(inner.rstrip("/") + "/") for f in files)


def _finding(rule: str, place: Place, what: str, mend: str, certain: bool = True) -> Finding:
    text = " ".join(f"{what}; {mend}".split())
    return Finding(rule, place.block, place.line, text, certain)
