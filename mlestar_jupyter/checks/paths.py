"""Paths as text, and what is read from them.

The parameters of a solution stand in angle brackets: ``<data_dir>/stores.csv``.
"""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING

from mlestar_jupyter.checks.sightings import Read
from mlestar_jupyter.checks.values import UNKNOWN, Value, is_literal, mixed, names_in

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
    if name == "name" and UNKNOWN not in text and not text.endswith(">"):
        return Value(const=posixpath.basename(text))
    return Value()


def call(flow: Flow, name: str, base: Value | None, arguments: Arguments) -> Value | None:
    """What a call with a path gives, and see what it reads; None when it is no such call."""
    texts = [v.text for v in arguments.args if v.text is not None]
    first = arguments.get(0, *_SOURCE_NAMES)
    if base is not None and base.text is not None:
        return _method(flow, name, base, arguments)
    if base is not None and not base.symbol:
        return None
    module = "" if base is None else base.symbol
    if name in ("home", "cwd", "getcwd"):
        return Value(const="~" if name == "home" else ".")
    if name == "join" and module.endswith("path"):
        return Value(const=joined([UNKNOWN if v.text is None else v.text for v in arguments.args]))
    if name == "dirname" and texts:
        return Value(const=_parent(texts[0]))
    if name in _SAME_PATH and first is not None and first.text is not None:
        many = [UNKNOWN if v.text is None else v.text for v in arguments.args]
        return Value(const=joined(many) if name.startswith(("P", "p")) else texts[0])
    if name in _ASKS:
        return Value()
    if name.startswith("fetch_") and "datasets" in module + _origin(flow, arguments):
        flow.see(Read(flow.place(arguments.tree), name, "http://openml.org"))
        return Value()
    if first is None or first.text is None:
        _mention(flow, arguments)
        return None
    if _reads(name, module, arguments):
        flow.see(Read(flow.place(arguments.tree), name, first.text, name in _LISTS))
        return Value() if name in _LISTS else table(flow, first.text, arguments)
    _mention(flow, arguments)
    return table(flow, first.text, arguments) if first.text[:1] == "<" else None


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
    return Value(kind="frame" if "read" in _name(arguments.tree) else "")


def _method(flow: Flow, name: str, base: Value, arguments: Arguments) -> Value:
    text = base.text or ""
    first = arguments.get(0)
    if name in _SAME_PATH:
        return base
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
        return Value() if name in _LISTS else table(flow, text, arguments)
    if name in ("write_text", "write_bytes", "mkdir", "touch"):
        flow.mentioned_paths.add(text)
    if name == "format":
        return Value(const=UNKNOWN)
    return Value()


def _reads(name: str, module: str, arguments: Arguments) -> bool:
    if name in ("open",) and _writes(arguments, 1):
        return False
    if name.startswith(("read_", "scan_")) or name in _OPENS or name in _LISTS:
        return True
    if name == "get" and module.split(".")[0] in ("requests", "httpx"):
        return True
    return name == "load" and module.split(".")[0] in _LOADERS


def _writes(arguments: Arguments, position: int) -> bool:
    mode = arguments.get(position, "mode")
    return mode is not None and mode.text is not None and any(m in mode.text for m in "wax")


def _mention(flow: Flow, arguments: Arguments) -> None:
    # Any other call that names a file may have written it: dump, to_csv, save_model, ...
    for value in (*arguments.args, *arguments.keywords.values()):
        if value.text is not None:
            flow.mentioned_paths.add(value.text)


def _parent(text: str) -> str:
    # The parameters are relative names, so above them is the working folder, and above that "..".
    if text in ("", ".") or text == "..":
        return "../.." if text == ".." else ".."
    return posixpath.dirname(text) or "."


def _origin(flow: Flow, arguments: Arguments) -> str:
    callee = arguments.tree.func
    return flow.value(callee).symbol if isinstance(callee, ast.Name) else ""


def _name(tree: ast.Call) -> str:
    match tree.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
