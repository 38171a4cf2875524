"""The grammar of ``%mlestar`` and ``%%mlestar``: one parser for all verbs, one for the cell."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.options import (
    Parser,
    add_settings_options,
    add_task_options,
    dollars,
    seconds,
)

#: Verbs that take a cell's text: ``%%mlestar adopt`` and so on. No run can have these names.
CELL_VERBS = ("adopt", "suggest", "card", "task")


def split(line: str) -> list[str]:
    """The words of a magic's line; quotes keep spaces. SettingsError when a quote is left open."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise SettingsError(f"cannot read {line!r}: {error}; close the quotes") from error


def split_line(line: str) -> list[str]:
    """The words of a magic's line. What is suggested may have apostrophes of its own."""
    verb, _, rest = line.strip().partition(" ")
    try:
        return split(line)
    except SettingsError:
        if verb != "suggest":
            raise
        return [verb, rest]


def cell_parser() -> Parser:
    """The options of ``%%mlestar``; the cell's body is the task in the user's words."""
    parser = Parser(prog="%%mlestar", add_help=False, description="Solve a task.")
    parser.add_argument("name", nargs="?", help="a name for the run")
    _add_data_options(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    _add_background(parser)
    parser.add_argument("-h", "--help", action="store_true", help="show this")
    add_task_options(parser)
    add_settings_options(parser)
    return parser


def line_parser() -> Parser:
    """The verbs of ``%mlestar``; each sets ``verb``."""
    parser = Parser(prog="%mlestar", add_help=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    def verb(name: str, text: str, *, of_run: bool = True) -> Parser:
        added: Any = verbs.add_parser(name, help=text, description=text, add_help=False)
        added.add_argument("-h", "--help", action="store_true", help="show this")
        if of_run:
            added.add_argument(
                "--run", type=Path, metavar="DIR", help="another run than the last one"
            )
        return added  # type: ignore[no-any-return]

    _add_work(verb)
    _add_steering(verb)
    _add_reading(verb)
    _add_results(verb)
    verb("panel", "a dashboard with buttons, in the notebook")
    verb("config", "the defaults, and how to change them", of_run=False)
    verb("doctor", "what works on this machine", of_run=False)
    demo = verb("demo", "a whole run in a minute, on data that ships with us", of_run=False)
    demo.add_argument("--time", type=seconds, default=60.0, metavar="TIME")
    _add_background(demo)
    verb("help", "what can be typed", of_run=False)
    return parser


def _add_work(verb: Any) -> None:
    refine = verb("refine", "one outer step: ablate, choose a block, refine it")
    refine.add_argument("--block", metavar="NAME", help="the block to refine")
    refine.add_argument("--outer", type=int, default=1, metavar="N", help="outer steps")
    refine.add_argument("--inner", type=int, metavar="N", help="plans to try on the block")
    ablate = verb("ablate", "measure what each block of the best solution is worth")
    ensemble = verb("ensemble", "combine the best solutions")
    ensemble.add_argument("--rounds", type=int, metavar="N", help="plans to try")
    merge = verb("merge", "merge one candidate into another")
    merge.add_argument("id", help="the candidate to keep")
    merge.add_argument("other", help="the candidate whose model is added")
    search = verb("search", "try models that were not tried yet")
    search.add_argument("--models", type=int, default=1, metavar="N", help="so many")
    debug = verb("debug", "give a candidate that failed to the debugger once more")
    debug.add_argument("id")
    check = verb("check", "leakage and use of the data, told from a candidate's source")
    check.add_argument("id", nargs="?", default="best")
    for timed in (refine, ablate, ensemble, merge, search, debug):
        timed.add_argument("--time", type=seconds, default=120.0, metavar="TIME")
    for long in (refine, ablate, ensemble, search):
        _add_background(long)
    task = verb("task", "what is understood of a task, before anything is spent")
    _add_data_options(task)
    add_task_options(task)
    add_settings_options(task)


def _add_steering(verb: Any) -> None:
    pin = verb("pin", "make a block the target of the next outer step")
    pin.add_argument("block", nargs="?", help="its name")
    pin.add_argument("--clear", action="store_true", help="take the pin back")
    suggest = verb("suggest", "give the agents something to try in the next outer step")
    suggest.add_argument("words", nargs="*", help="in your words")
    card = verb("card", "try a model of your own; %%mlestar card NAME takes its code")
    card.add_argument("name", help="what the model is called")
    card.add_argument("--why", default="", metavar="TEXT", help="why it is worth a try")
    card.add_argument("--source", default="", metavar="URL", help="where it is described")
    adopt = verb("adopt", "accept a candidate; %%mlestar adopt [ID] judges your own blocks")
    adopt.add_argument("what", nargs="?", default="", help="a candidate, or an edited .ipynb")
    adopt.add_argument("--block", metavar="NAME", help="the block that the cell is")
    adopt.add_argument("--candidate", metavar="ID", help="what an edited notebook began from")
    for timed in (card, adopt):
        timed.add_argument("--time", type=seconds, default=120.0, metavar="TIME")
    undo = verb("undo", "take a candidate back, for good")
    undo.add_argument("id", nargs="?", help="its id; the best if none is named")
    verb("pause", "begin nothing more; the clock stands")
    resume = verb("resume", "go on: after a pause, with the next step, or after a stop")
    resume.add_argument("--time", type=seconds, metavar="TIME", help="new limit of the whole run")
    resume.add_argument("--cost", type=dollars, metavar="DOLLARS", help="and of what it pays")
    _add_background(resume)
    verb("stop", "end what is under way; the run can be resumed")


def _add_reading(verb: Any) -> None:
    verb("status", "where the run stands, and its best candidates")
    verb("tree", "which candidate came from which")
    show = verb("show", "a candidate, block by block")
    show.add_argument("id", nargs="?", default="best", help="its id, or best")
    diff = verb("diff", "what differs between two candidates, cell by cell")
    diff.add_argument("id", nargs="?", default="best", help="its id, or best")
    diff.add_argument("other", nargs="?", help="the one it is compared with; its first parent")
    why = verb("why", "why a candidate is as it is, and what was tried and lost")
    why.add_argument("id", nargs="?", default="best", help="its id, or best")
    verb("cost", "where the time and the money went")
    runs = verb("runs", "the runs in a folder", of_run=False)
    runs.add_argument("folder", nargs="?", type=Path, help="mlestar_runs")


def _add_results(verb: Any) -> None:
    insert = verb("insert", "a candidate's blocks as a new cell, to edit and to adopt")
    insert.add_argument("id", nargs="?", default="best", help="its id, or best")
    insert.add_argument("--all", action="store_true", help="all blocks, not just the changed ones")
    export = verb("export", "the solution as a notebook, a script, a report (.html) or a folder")
    export.add_argument("path", nargs="?", default="solution.ipynb", help="its suffix says which")
    export.add_argument("--candidate", metavar="ID", help="another one than the best")
    export.add_argument("--no-verify", action="store_true", help="do not execute it again")
    submit = verb("submit", "the submission of the best candidate")
    submit.add_argument("path", type=Path, nargs="?", help="where to put a copy")
    unseal = verb("unseal", "grade the best on the sealed rows, once")
    for timed in (export, submit, unseal):
        timed.add_argument("--time", type=seconds, default=300.0, metavar="TIME")


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the data")
    group.add_argument("--data", type=Path, metavar="DIR", help="folder with train and test")
    group.add_argument("--train", metavar="NAME", help="a DataFrame of this notebook")
    group.add_argument("--test", metavar="NAME", help="a DataFrame of the rows to predict")
    group.add_argument("--sample", metavar="NAME", help="a DataFrame: the form of a submission")
    group.add_argument(
        "--needs",
        choices=["value", "label", "probability"],
        help="what a metric function of your own takes",
    )


def _add_background(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--background", action="store_true", help="give the kernel back at once")


def usage() -> str:
    """Help on everything, as text."""
    return f"{cell_parser().format_help()}\n{line_parser().format_help()}"


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    for action in line_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def verb_help(verb: str) -> str:
    """Help on one verb, as text."""
    return verb_parsers()[verb].format_help()
