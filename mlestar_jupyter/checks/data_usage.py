"""The static half of the paper's data-usage checker (section 3.4 and its appendix).

Which files and columns of the task do the blocks never mention? It is evidence for the checker,
which judges whether what is left out would help.
"""

from __future__ import annotations

import ast
import posixpath
import re
from fnmatch import fnmatch

from mlestar_jupyter.checks.dataflow import Flow
from mlestar_jupyter.checks.sightings import Fitted
from mlestar_jupyter.checks.source import parse
from mlestar_jupyter.interfaces import DataUsageEvidence
from mlestar_jupyter.profile import IMAGE_SUFFIXES
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.task import Task

_LISTINGS = ("listdir", "iterdir", "scandir", "walk", "rglob", "glob", "iglob")


def find_unused(solution: Solution, task: Task) -> DataUsageEvidence:
    """Files and feature columns that the blocks mention, and those that they never do.

    Images of a folder count as one file, the folder (``images/``). A column is unused only when
    everything that is fitted takes its columns from lists written out in the source.
    """
    mentions = _Mentions(solution)
    entries = list(dict.fromkeys(_entry(file) for file in task.source.files))
    used = tuple(entry for entry in entries if mentions.has_file(entry))
    columns = [c for c in task.features if c != task.id_column and not mentions.has_column(c)]
    # A training loop of its own (torch) fits nothing that we see.
    if columns and ("backward" in mentions.words or not _takes_listed_columns(solution, task)):
        columns = []
    unused = tuple(entry for entry in entries if entry not in used)
    return DataUsageEvidence(used, unused, tuple(columns))


def _takes_listed_columns(solution: Solution, task: Task) -> bool:
    flow = Flow(task)
    flow.walk(solution)
    fits = [seen for seen in flow.sightings if isinstance(seen, Fitted)]
    known = [seen for seen in fits if "train" in seen.data.rows]
    return bool(known) and all(seen.estimator.narrow or not seen.data.wide for seen in fits)


def _entry(file: str) -> str:
    folder = posixpath.dirname(file)
    return f"{folder}/" if folder and file.lower().endswith(IMAGE_SUFFIXES) else file


class _Mentions:
    """The strings, attributes and keywords of the blocks."""

    def __init__(self, solution: Solution) -> None:
        self.strings: set[str] = set()
        self.patterns: set[str] = set()
        self.words: set[str] = set()
        self.lists_all = False
        self.joins_unknown = False
        for block in solution.blocks:
            tree = parse(block.source)
            if tree is None:  # a block that is not Python may mention anything
                self.words.update(re.findall(r"\w+", block.source))
                self.strings.update(re.findall(r"[\w./*-]+", block.source))
                continue
            for part in ast.walk(tree):
                self._note(part)
        self.text = "\n".join(self.strings)

    def has_file(self, entry: str) -> bool:
        """Whether a file, or a folder of images (with a final slash), is mentioned."""
        if self.lists_all:
            return True
        name = posixpath.basename(entry.rstrip("/"))
        if any(_is_part(name, s) or _is_part(entry.rstrip("/"), s) for s in self.strings):
            return True
        if entry.endswith("/"):
            # Names from a column may carry the folder: data_dir / row.file.
            suffixes = any(s.lower().lstrip("*") in IMAGE_SUFFIXES for s in self.strings)
            return suffixes or self.joins_unknown
        folders = posixpath.dirname(entry).split("/")
        if any(folder and folder in _segments(s) for folder in folders for s in self.strings):
            return True
        return any(fnmatch(p, name) or fnmatch(name, p) for p in self.patterns)

    def has_column(self, column: str) -> bool:
        """Whether a column is named: as a string, in a query, as an attribute or a keyword."""
        if column in self.words or column in self.strings:
            return True
        if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", self.text):
            return True
        return any(fnmatch(column, pattern) for pattern in self.patterns)

    def _note(self, tree: ast.AST) -> None:
        match tree:
            case ast.Constant(value=str() as text):
                self.strings.add(text)
                if "*" in text:
                    self._note_pattern(posixpath.basename(text))
            case ast.JoinedStr(values=pieces):
                self._note_formatted(pieces)
            case ast.Attribute(attr=name) | ast.keyword(arg=str() as name):
                self.words.add(name)
            case ast.BinOp(left=left, op=ast.Div(), right=right) if _names_data(left):
                self.joins_unknown |= not isinstance(right, ast.Constant)
            case ast.Call(func=ast.Attribute(attr="join" | "joinpath"), args=args):
                self.joins_unknown |= any(map(_names_data, args)) and not isinstance(
                    args[-1], ast.Constant
                )
            case ast.Call(func=ast.Attribute(value=base, attr=name), args=args):
                if name in _LISTINGS and any(map(_names_data, (base, *args))):
                    # With no word in it the pattern is "*", or there is none: all is listed.
                    parts: list[ast.AST] = [p for a in (base, *args) for p in ast.walk(a)]
                    texts = [p.value for p in parts if isinstance(p, ast.Constant)]
                    self.lists_all |= not any(re.search(r"\w", str(text)) for text in texts)

    def _note_formatted(self, pieces: list[ast.expr]) -> None:
        text = "".join(
            str(piece.value) if isinstance(piece, ast.Constant) else "*" for piece in pieces
        )
        self._note_pattern(posixpath.basename(text))
        if _names_data(pieces[0]) and posixpath.basename(text) == "*":
            self.joins_unknown = True

    def _note_pattern(self, pattern: str) -> None:
        # A pattern of nothing but wildcards would match every name.
        if re.search(r"\w", pattern):
            self.patterns.add(pattern)


def _names_data(tree: ast.AST) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "data_dir" for part in ast.walk(tree))


def _segments(text: str) -> list[str]:
    return text.split("/")


def _is_part(name: str, text: str) -> bool:
    """Whether a path in the text ends with this file or passes through this folder."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None
