"""Tab completion of ``%mlestar``: from the parsers, the run and the user's namespace."""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlestar_jupyter.jupyter import arguments
from mlestar_jupyter.jupyter.namespace import frame_names, function_names, is_frame
from mlestar_jupyter.metrics import METRICS
from mlestar_jupyter.run import RUNS, Run
from mlestar_jupyter.settings import ROLES
from mlestar_jupyter.tables import DELIMITERS

_MAGIC = re.compile(
    r"^\s*(?:[A-Za-z_]\w*\s*=\s*)?(?P<escape>%{1,2})mlestar(?P<rest>\s.*)$", re.DOTALL
)
_OPEN_QUOTE = re.compile(r"""^(["'])(.*)$""", re.DOTALL)
#: A header line that is longer belongs to a file that is no table.
_HEADER_AT_MOST = 1_000_000
_IDS = {"id", "other", "candidate", "what"}
_COLUMNS = {"target", "id_column", "group", "time_column"}
_FRAMES = {"train", "test", "sample"}


def complete(line: str, user_ns: Mapping[str, Any], run: Run | None) -> list[str]:
    """What the last word of ``line`` may become; [] for what IPython knows better, such as paths.

    ``line`` ends at the cursor. Quick, never raises, and never reads a whole table.
    """
    return _completed(line, user_ns, lambda: run)


def last_word(line: str) -> str:
    """The word that is being typed at the end of ``line``, with its open quote if it has one."""
    return _words(line)[1]


def columns_of(words: Sequence[str], user_ns: Mapping[str, Any]) -> list[str]:
    """The columns of what is given with ``--train`` or ``--data``; [] when it is not there."""
    given = dict(itertools.pairwise(words))
    try:
        if "--train" in given:
            frame = user_ns.get(given["--train"])
            return _frame_columns(frame) if is_frame(frame) else []
        if "--data" in given:
            return _header(Path(given["--data"]).expanduser())
    except Exception:  # a file that is being written, an odd kind of DataFrame
        return []
    return []


def register(shell: Any, current_run: Callable[[], Run | None]) -> None:
    """Let ``shell`` complete our magics, in a terminal and in every front end of a kernel.

    A matcher with a context is what reaches both: hooks of ``complete_command`` see neither which
    line of a cell the cursor is in nor words with a quote.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    def find(context: Any) -> Any:
        line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found: list[str] = []
        # ``%%`` means something in the first line of a cell alone.
        if "mlestar" in line and not (context.cursor_line and line.lstrip().startswith("%%")):
            found = _completed(line, shell.user_ns, current_run)
        return {
            "completions": [SimpleCompletion(text=text, type="mlestar") for text in found],
            "matched_fragment": last_word(line) if found else context.token,
            "suppress": bool(found),
            "ordered": True,
        }

    matchers = shell.Completer.custom_matchers
    known = [m for m in matchers if getattr(m, "matcher_identifier", "") == "mlestar"]
    for matcher in known:  # the extension was loaded again
        matchers.remove(matcher)
    # Before the files and names that fit as well.
    matchers.append(context_matcher(identifier="mlestar", priority=200)(find))


def _completed(
    line: str, user_ns: Mapping[str, Any], current_run: Callable[[], Run | None]
) -> list[str]:
    try:
        return _complete(line, user_ns, current_run)
    except Exception:  # half a line, an odd object, a run that is gone: typing goes on
        return []


def _complete(
    line: str, user_ns: Mapping[str, Any], current_run: Callable[[], Run | None]
) -> list[str]:
    magic = _MAGIC.match(line)
    if magic is None:
        return []
    words, word = _words(magic["rest"])
    verbs = arguments.verb_parsers()
    is_cell = magic["escape"] == "%%"
    parser = _cell_parser()
    if words and (not is_cell or words[0] in arguments.CELL_VERBS):
        if words[0] not in verbs:
            return []
        parser, words = verbs[words[0]], words[1:]
    elif not words and not is_cell:
        return _fitting(verbs, word)
    before = words[-1] if words else ""
    option = _option(parser, before)
    if option is not None and option.nargs != 0:
        return _fitting(_values(option, words, user_ns, current_run), word)
    if word.startswith("-"):
        return _fitting(_unused(parser, words), word)
    if is_cell and parser is _cell_parser():  # a name of the user's choice, a verb, an option
        return _fitting([*([] if words else arguments.CELL_VERBS), *_unused(parser, words)], word)
    positional = _positional(parser, words)
    if positional is None:
        return _fitting(_unused(parser, words), word)
    return _fitting(_values(positional, words, user_ns, current_run), word)


@functools.cache
def _cell_parser() -> argparse.ArgumentParser:
    return arguments.cell_parser()


def _words(text: str) -> tuple[list[str], str]:
    """The whole words of a line, and the one that is being typed, as it stands."""
    start = 0
    quote = ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter.isspace():
            start = place + 1
    done, word = text[:start], text[start:]
    try:
        return shlex.split(done), word
    except ValueError:
        return done.split(), word


def _fitting(values: Iterable[str], word: str) -> list[str]:
    """The values that begin with the word, quoted where they need it, each once."""
    opened = _OPEN_QUOTE.match(word)
    quote, typed = (opened[1], opened[2]) if opened else ("", word)
    found = dict.fromkeys(v for v in values if v.startswith(typed))
    if not found:
        found = dict.fromkeys(v for v in values if v.lower().startswith(typed.lower()))
    if quote:
        return [f"{quote}{value}{quote}" for value in found if quote not in value]
    return [shlex.quote(value) for value in found]


def _option(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    """The option that a word is; a unique beginning of one counts, as argparse has it."""
    if not word.startswith("-"):
        return None
    known = parser._option_string_actions
    if word in known:
        return known[word]
    fitting = {id(a): a for name, a in known.items() if name.startswith(word)}
    return next(iter(fitting.values())) if len(fitting) == 1 and word.startswith("--") else None


def _unused(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    used = {id(_option(parser, word)) for word in words if word.startswith("-")}
    return [
        next((s for s in action.option_strings if s.startswith("--")), action.option_strings[0])
        for action in parser._actions
        if action.option_strings
        and (id(action) not in used or isinstance(action, argparse._AppendAction))
    ]


def _positional(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Action | None:
    """The positional argument that comes next."""
    given, is_value = 0, False
    for word in words:
        option = _option(parser, word)
        if option is not None:
            is_value = option.nargs != 0
        elif is_value:
            is_value = False
        else:
            given += 1
    known = [action for action in parser._actions if not action.option_strings]
    if given < len(known):
        return known[given]
    return known[-1] if known and known[-1].nargs in ("*", "+") else None


def _values(
    action: argparse.Action,
    words: Sequence[str],
    user_ns: Mapping[str, Any],
    current_run: Callable[[], Run | None],
) -> list[str]:
    """What an argument may be, as far as that is known."""
    name = action.dest
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    if name in _IDS:
        return _candidates(current_run())
    if name == "block":
        return _blocks(current_run())
    if name in _COLUMNS:
        return columns_of(words, user_ns)
    if name in _FRAMES:
        return frame_names(user_ns)
    if name == "metric":
        return [*METRICS, *function_names(user_ns)]
    if name in ("models_named", "price"):
        return _models(name)
    if name == "replay":
        return [path.parent.as_posix() for path in sorted(RUNS.glob("*/replies"))]
    return []


def _models(name: str) -> list[str]:
    """Names of models whose price is known, and of roles."""
    from mlestar_jupyter.agents.llm.prices import PRICES

    roles = [f"{role}=" for role in ROLES] if name == "models_named" else []
    return [*sorted(PRICES), *roles]


def _candidates(run: Run | None) -> list[str]:
    if run is None:
        return []
    return ["best", *sorted(run.state.candidates, reverse=True)]


def _blocks(run: Run | None) -> list[str]:
    best = None if run is None else run.best
    return [] if best is None else list(best.solution.names)


def _frame_columns(frame: Any) -> list[str]:
    lazy = getattr(frame, "collect_schema", None)  # polars warns when a LazyFrame is asked directly
    return [str(column) for column in (lazy().names() if lazy is not None else frame.columns)]


def _header(folder: Path) -> list[str]:
    """The columns of a folder's train table, from its first line or its footer alone."""
    for suffix, delimiter in DELIMITERS.items():
        path = folder / f"train{suffix}"
        if path.is_file():
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                line = file.readline(_HEADER_AT_MOST)
            return next(csv.reader([line], delimiter=delimiter), [])
    path = folder / "train.parquet"
    if path.is_file():
        import pyarrow.parquet

        return [str(name) for name in pyarrow.parquet.read_schema(path).names]
    return []
