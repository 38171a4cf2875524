"""Paths as text, and what is read from them.

The parameters of a solution stand in angle brackets: ``<data_dir>/stores.csv``.
"""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING

from mlestar_jupyter.checks.sightings import Read
from mlestar_jupyter.checks.values import UNKNOWN, Value, container, is_literal, mixed, names_in

if TYPE_CHECKING:
    from mlestar_jupyter.checks.calls import Arguments
    from mlestar_jupyter.checks.dataflow import Flow

#: Functions that make a path of a path, or only ask about one.
_SAME_PATH = frozenset({
    "Path", "PurePath", "PosixPath", "PurePosixPath", "str", "fspath", "abspath", "realpath",
    "normpath", "expanduser", "resolve", "absolute", "as_posix", "expandvars",
})  # fmt: skip
_ASKS = frozenset({
    "exists", "isfile", "isdir", "is_file", "is_dir", "getsize", "basename", "splitext", "stat",
    "suffix", "print", "endswith", "startswith", "len", "format", "display", "split", "getmtime",
})  # fmt: skip
_LISTS = frozenset({"glob", "iglob", "rglob", "listdir", "walk", "scandir", "iterdir"})
_READS_TEXT = frozenset({"read_text", "read_bytes"})
_OPENS = frozenset({
    "open", "loadtxt", "genfromtxt", "fromfile", "imread", "memmap", "File", "ZipFile",
    "ExcelFile", "HDFStore", "urlopen", "urlretrieve", "copyfile", "copy2", "copytree",
    "load_model", "load_dataset", "fetch_openml", "load_npz", "loadmat",
})  # fmt: skip
_LOADERS = frozenset({"numpy", "np", "joblib", "torch", "pickle", "cloudpickle", "dill", "json"})
_SOURCE_NAMES = ("filepath_or_buffer", "path", "io", "source", "filename", "file", "fname", "url")


def combined(left: Value, op: ast.operator, right: Value) -> Value:
    """``left / right``, ``left + right`` or ``left % right`` of paths and strings."""
    rows = mixed([left, right])
    first = UNKNOWN if left.const is None else str(left.const)
    second = UNKNOWN if right.const is None else str(right.const)
    match op:
        case ast.Div():
            text = joined([first, second])
        case ast.Add():
            text = first + second
        case _:
            text = UNKNOWN
    return Value(const=text, rows=rows.rows, sure=rows.sure, part=rows.part)


def joined(pieces: list[str]) -> str:
    """The pieces as one path; a later absolute piece begins anew, as in os.path.join."""
    return posixpath.join(*pieces) if pieces else ""


def attribute(base: Value, name: str) -> Value:
    """``path.parent``, ``path.name`` and the like."""
    text = base.text or ""
    if name == "parent":
        return Value(const=_parent(text))
    if name == "parents":
        above = [_parent(text)]
        for _ in range(4):
            above.append(_parent(above[-1]))
        return container([Value(const=parent) for parent in above])
    if name == "name" and UNKNOWN not in text and not text.endswith(">"):
        return Value(const=posixpath.basename(text))
    return Value()


def call(flow: Flow, symbol: str, base: Value | None, arguments: Arguments) -> Value | None:
    """What a call with a path gives, and see what it reads; None when it is no such call."""
    name = arguments.name
    if base is not None and base.text is not None:
        return _method(flow, base, arguments)
    first = arguments.get(0, *_SOURCE_NAMES)
    text = None if first is None else first.text
    if base is None or base.symbol:
        name = symbol.rsplit(".", 1)[-1] or name
        made = _made(name, symbol, arguments)
        if made is not None:
            return made
        if name.startswith("fetch_") and "datasets" in symbol:
            flow.see(Read(flow.place(arguments.tree), name, "https://www.openml.org"))
            return Value()
        if text is not None and _reads(name, symbol, arguments):
            flow.see(Read(flow.place(arguments.tree), name, text, name in _LISTS))
            return Value() if name in _LISTS else table(flow, text, arguments)
    for value in arguments.values:
        # Any other call that names a file may have written it: dump, to_csv, save_model, ...
        if value.text is not None:
            flow.mentioned_paths.add(value.text)
    if text in ("<train_path>", "<test_path>", "<sample_path>"):
        return table(flow, text, arguments)
    return None


def _made(name: str, symbol: str, arguments: Arguments) -> Value | None:
    """A path made of paths, or something only asked about one."""
    texts = [UNKNOWN if v.text is None else v.text for v in arguments.args]
    if name in ("home", "cwd", "getcwd"):
        return Value(const="~" if name == "home" else ".")
    if name == "join" and "path" in symbol:
        return Value(const=joined(texts))
    if name == "dirname" and texts:
        return Value(const=_parent(texts[0]))
    if name in _SAME_PATH and texts and (texts[0] != UNKNOWN or "Path" in name):
        # Unknown pieces keep their rows: an image file named by a row of test is data of test.
        whole = mixed(arguments.args)
        return whole.but(const=joined(texts) if "Path" in name else texts[0])
    if name in _ASKS and (texts or name == "print"):
        return Value()
    return None


def table(flow: Flow, text: str, arguments: Arguments) -> Value:
    """The rows that a path leads to: those of train, of test, or others."""
    stem = posixpath.basename(text).split(".")[0].strip("<>")
    known: dict[str, Value] = {
        "train": Value(
            kind="frame", rows=frozenset({"train"}), leaky=flow.forbidden, exact=True, wide=True
        ),
        "test": Value(kind="frame", rows=frozenset({"test"}), exact=True),
        "sample": Value(kind="sample"),
    }
    for name, value in known.items():
        source = getattr(flow.task.source, name, None)
        if stem in (f"{name}_path", name) or (source and posixpath.basename(text) == source.name):
            chosen = arguments.keywords.get("usecols") or arguments.keywords.get("columns")
            if chosen is not None and name == "train":
                value = value.but(leaky=value.leaky & names_in(chosen), wide=not is_literal(chosen))
            return value
    # Rows that name a file (an image) own what is in it.
    whole = mixed(arguments.args)
    frame = arguments.name.startswith(("read_", "scan_"))
    return Value(kind="frame" if frame else "", rows=whole.rows, sure=whole.sure, part=whole.part)


def _method(flow: Flow, base: Value, arguments: Arguments) -> Value:
    name, text = arguments.name, base.text or ""
    first = arguments.get(0)
    if name in _SAME_PATH:
        return base
    if name in ("append", "join"):
        return mixed(arguments.args)  # ", ".join(names)
    if name == "joinpath":
        return Value(const=joined([text, *(v.text or UNKNOWN for v in arguments.args)]))
    if name in ("with_name", "with_suffix", "with_stem"):
        given = UNKNOWN if first is None or first.text is None else first.text
        return Value(const=joined([_parent(text), given if name == "with_name" else UNKNOWN]))
    if name in _LISTS or name in _READS_TEXT or name == "open":
        writes = name == "open" and _writes(arguments, 0)
        if writes:
            flow.mentioned_paths.add(text)
        else:
            flow.see(Read(flow.place(arguments.tree), name, text, name in _LISTS))
        if name in _LISTS:
            return Value()
        return base.but(const=None) if base.rows else table(flow, text, arguments)
    if name in ("write_text", "write_bytes", "mkdir", "touch"):
        flow.mentioned_paths.add(text)
    if name == "format":
        return Value(const=UNKNOWN)
    return Value()


def _reads(name: str, symbol: str, arguments: Arguments) -> bool:
    root = symbol.split(".")[0]
    if name == "open" and _writes(arguments, 1):
        return False
    if name.startswith(("read_", "scan_")) or name in _OPENS or name in _LISTS:
        return True
    if name == "get":
        return root in ("requests", "httpx")
    return name == "load" and root in _LOADERS


def _writes(arguments: Arguments, position: int) -> bool:
    mode = arguments.get(position, "mode")
    return mode is not None and mode.text is not None and any(m in mode.text for m in "wax")


def _parent(text: str) -> str:
    # The parameters are relative names, so above them is the working folder, and above that "..".
    if text in ("", ".") or text == "..":
        return "../.." if text == ".." else ".."
    return posixpath.dirname(text) or "."
