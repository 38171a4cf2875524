"""Read what a model wrote: code with prose around it, named blocks, plain text, NONE.

Whatever cannot be read is a ReplyError in one line, which the model is told once.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from mlestar_jupyter.agents.llm.llm import Reply
from mlestar_jupyter.errors import ReplyError, short_list
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.solution import Block, Solution

_OPENING = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$")
_MARKER = re.compile(r"^#+[ \t]*%%[ \t]*(?P<words>[^\n]*)$", re.MULTILINE)
_HEADING = re.compile(r"^\W*(?:(?:block|cell)\W+)?(?P<name>[A-Za-z][A-Za-z0-9_]*)\W*$", re.I)
_LANGUAGES = ("", "python", "py", "python3", "ipython", "ipython3")


class Blocked(ReplyError):  # noqa: N818 (a finish reason)
    """The provider refused to answer; to ask the same again is of no use."""


@dataclass(frozen=True)
class Fence:
    """A fenced part of a reply. ``above`` is the last line of prose before it."""

    language: str
    text: str
    above: str = ""


def usable(reply: Reply) -> str:
    """The text of a reply that is whole. ReplyError for one that is blocked, cut or empty."""
    why = f" ({reply.reason})" if reply.reason else ""
    if reply.finish == "blocked":
        raise Blocked(f"the model refused to answer{why}")
    if reply.finish == "length":
        raise ReplyError(f"it was cut off at the limit of length{why}: be shorter")
    if not reply.text.strip():
        raise ReplyError(f"it was empty{why}")
    return reply.text


def is_none(text: str) -> bool:
    """Whether the reply is the single word NONE, with or without decoration."""
    return re.fullmatch(r"\W*none\W*", text.strip(), re.IGNORECASE) is not None


def plain(text: str) -> str:
    """A plan or a summary: prose without fences around it and without a heading."""
    found = fences(text)
    stripped = text.strip()
    if len(found) == 1 and re.match(r"\s*(`{3,}|~{3,})", text):
        stripped = found[0].text.strip()
    stripped = re.sub(r"^#+[^\n]*\n+", "", stripped).strip()
    stripped = re.sub(r"^\**(?:plan|summary)\**\s*:\**\s*", "", stripped, flags=re.IGNORECASE)
    if not re.search(r"\w", stripped):
        raise ReplyError("it says nothing")
    return stripped


def fences(text: str) -> list[Fence]:
    """The fenced parts, in order; the last one may be left open."""
    found: list[Fence] = []
    opened: re.Match[str] | None = None
    inside: list[str] = []
    above = ""
    for line in text.splitlines():
        if opened is None:
            opened = _OPENING.match(line)
            inside = []
            if opened is None and line.strip():
                above = line.strip()
            continue
        mark = opened["fence"]
        if re.fullmatch(rf"[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*", line):
            found.append(Fence(opened["info"].strip().lower(), "\n".join(inside), above))
            opened, above = None, ""
        else:
            inside.append(line)
    if opened is not None and any(line.strip() for line in inside):
        found.append(Fence(opened["info"].strip().lower(), "\n".join(inside), above))
    return found


def block_source(text: str, name: str) -> str:
    """The source of one block, from a reply that should hold nothing else."""
    parts = _python(text)
    if not parts:
        raise ReplyError("it holds no fenced block of Python")
    named = {
        block.name: block.source
        for part in parts
        if _MARKER.search(part.text)
        for block in _blocks(part.text)
    }
    for found, source in named.items():
        if found.lower() == name.lower():
            return source.strip("\n")
    if len(named) > 1:
        raise ReplyError(
            f"it holds the blocks {short_list(list(named))}; give the block {name} alone"
        )
    parts = sorted(parts, key=lambda part: -len(part.text))
    longest, whole = len(parts[0].text), sum(len(part.text) for part in parts)
    if longest < 0.6 * whole:
        raise ReplyError(f"it holds {len(parts)} fenced blocks; give the block {name} in one")
    source = parts[0].text
    first = _MARKER.match(source.lstrip("\n"))
    return (source.lstrip("\n")[first.end() :] if first else source).strip("\n")


def solution(text: str, title: str) -> Solution:
    """A whole solution, from a script with a line ``# %% NAME`` above each block."""
    return Solution(_named_blocks(text), title)


def changed_blocks(text: str, base: Solution) -> dict[str, str]:
    """New sources of blocks of ``base`` by name."""
    parts = _python(text)
    if len(parts) == 1 and not _MARKER.search(parts[0].text) and len(base.blocks) == 1:
        return {base.names[0]: parts[0].text.strip("\n")}
    names = {name.lower(): name for name in base.names}
    sources: dict[str, str] = {}
    for block in _named_blocks(text):
        if block.name.lower() not in names:
            known = ", ".join(base.names)
            raise ReplyError(f"the solution has no block {block.name}; its blocks are {known}")
        sources[names[block.name.lower()]] = block.source
    return sources


def _named_blocks(text: str) -> tuple[Block, ...]:
    parts = _python(text)
    if not parts:
        raise ReplyError("it holds no fenced block of Python")
    marked = [part for part in parts if _MARKER.search(part.text)]
    if not marked:
        return _headed_blocks(parts)
    blocks: list[Block] = []
    for part in marked:
        blocks += _blocks(part.text)
    if not blocks:
        raise ReplyError("its blocks are empty")
    Solution(tuple(blocks))  # block names must be unique
    return tuple(blocks)


def _headed_blocks(parts: list[Fence]) -> tuple[Block, ...]:
    """Blocks in fences of their own, each below a line with its name."""
    names = [_HEADING.match(part.above) for part in parts]
    blocks = [
        Block(name["name"], part.text.strip("\n"))
        for part, name in zip(parts, names, strict=True)
        if name
    ]
    if len(blocks) < len(parts):
        raise ReplyError("its blocks have no names: put each below a line `# %% NAME`")
    Solution(tuple(blocks))
    return tuple(blocks)


def _blocks(text: str) -> list[Block]:
    """The blocks of a script; what stands above the first marker belongs to the first block."""
    lines = _MARKER.sub(lambda found: f"# %% {_name(found['words'])}", text)
    above, marker, rest = lines.partition("# %% ")
    if not marker:
        return []
    blocks = []
    for piece in re.split(r"^# %% ", rest, flags=re.MULTILINE):
        name, _, source = piece.partition("\n")
        if name.strip() == "parameters":  # models like to repeat what is given
            continue
        blocks.append(Block(name.strip(), source.strip("\n")))
    if blocks and above.strip():
        blocks[0] = Block(blocks[0].name, f"{above.strip()}\n{blocks[0].source}")
    return blocks


def _name(words: str) -> str:
    """The name in a marker's words, such as ``[load]``, ``Block: load`` or ``load - reads``."""
    words = re.sub(r"^\W*(?:block|cell)\b\s*\d*\s*:?", "", words, flags=re.IGNORECASE)
    words = re.split(r"[:(,]|\s-+\s|\s\u2013\s|\s\u2014\s", words.strip(" []`*"))[0]
    return re.sub(r"\W+", "_", words.strip(" []`*")).strip("_") or "block"


def _python(text: str) -> list[Fence]:
    """The parts of a reply that are Python; the whole of it if it is nothing but code."""
    found = [f for f in fences(text) if f.language.split(" ")[0] in _LANGUAGES and f.text.strip()]
    if found:
        return found
    try:
        tree = parse_python(text)
    except (SyntaxError, ValueError):
        return [Fence("", text)] if _MARKER.match(text.lstrip()) else []
    is_code = any(not isinstance(part, ast.Expr) for part in tree.body)
    return [Fence("", text)] if is_code else []
