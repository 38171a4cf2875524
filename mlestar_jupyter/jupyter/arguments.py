"""The grammar of ``%mlestar`` and ``%%mlestar``: one parser for all verbs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.options import Parser, add_settings_options, add_task_options, seconds


def split(line: str) -> list[str]:
    """The words of a magic's line; quotes keep spaces. SettingsError when a quote is left open."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise SettingsError(f"cannot read {line!r}: {error}; close the quotes") from error


def cell_parser() -> Parser:
    """The options of ``%%mlestar``; the cell's body is the task in the user's words."""
    parser = Parser(prog="%%mlestar", add_help=False, description="Solve a task.")
    parser.add_argument("name", nargs="?", help="a name for the run")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with train and test")
    parser.add_argument("--train", metavar="NAME", help="a DataFrame of this notebook")
    parser.add_argument("--test", metavar="NAME", help="a DataFrame of the rows to predict")
    parser.add_argument("--sample", metavar="NAME", help="a DataFrame: the form of a submission")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("-h", "--help", action="store_true", help="show this")
    add_task_options(parser)
    add_settings_options(parser)
    return parser


def line_parser() -> Parser:
    """The verbs of ``%mlestar``; each sets ``verb``."""
    parser = Parser(prog="%mlestar", add_help=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    def verb(name: str, text: str) -> Parser:
        added: Any = verbs.add_parser(name, help=text, description=text, add_help=False)
        added.add_argument("-h", "--help", action="store_true", help="show this")
        added.add_argument("--run", type=Path, metavar="DIR", help="another run than the last one")
        return added  # type: ignore[no-any-return]

    refine = verb("refine", "one outer step: ablate, choose a block, refine it")
    refine.add_argument("--block", metavar="NAME", help="the block to refine")
    refine.add_argument("--outer", type=int, default=1, metavar="N", help="outer steps")
    refine.add_argument("--inner", type=int, metavar="N", help="plans to try on the block")
    ensemble = verb("ensemble", "combine the best solutions")
    ensemble.add_argument("--rounds", type=int, metavar="N", help="plans to try")
    ablate = verb("ablate", "measure what each block of the best solution is worth")
    for timed in (refine, ensemble, ablate):
        timed.add_argument("--time", type=seconds, default=120.0, metavar="TIME")
    verb("status", "where the run stands, and its best candidates")
    show = verb("show", "the blocks of a candidate")
    show.add_argument("id", nargs="?", default="best", help="its id, or best")
    export = verb("export", "the solution as a notebook (.ipynb) or a script (.py)")
    export.add_argument("path", type=Path)
    export.add_argument("--candidate", metavar="ID", help="another one than the best")
    submit = verb("submit", "the submission of the best candidate")
    submit.add_argument("path", type=Path, nargs="?", help="where to put a copy")
    submit.add_argument("--time", type=seconds, default=300.0, metavar="TIME")
    verb("help", "what can be typed")
    return parser


def usage() -> str:
    """Help on everything, as text."""
    return f"{cell_parser().format_help()}\n{line_parser().format_help()}"


def verb_help(parser: Parser, verb: str) -> str:
    """Help on one verb, as text."""
    for action in parser._actions:
        choices = action.choices
        if isinstance(choices, dict) and verb in choices:
            return str(choices[verb].format_help())
    return parser.format_help()
