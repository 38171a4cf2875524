"""A solution is a notebook: an ordered list of named code blocks, each of them one cell."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.parsing import parse_python

#: What every execution may rely on (the contract of the solution notebook). A run replaces the
#: values through papermill, so the source is the same for every fold and purpose.
DEFAULT_PARAMETERS: Mapping[str, str | int] = {
    "train_path": "train.csv",
    "test_path": "test.csv",
    "sample_path": "sample_submission.csv",
    "data_dir": "data",
    "predictions_path": "predictions.csv",
    "model_path": "model.joblib",
    "seed": 0,
}

_PARAMETER_NOTES = {
    "train_path": "rows with the target",
    "test_path": "rows to predict",
    "sample_path": "the form to fill for the rows of test_path",
    "data_dir": "the other files of the task",
    "predictions_path": "what this notebook writes",
    "model_path": "optional: the fitted model",
}

_MARKER = re.compile(r"^# %%[ \t]*(?P<name>[^\n]*?)[ \t]*$")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Block:
    """One code block (= one cell). ``name`` is an identifier, unique in its solution."""

    name: str
    source: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ReplyError(
                f"block name {self.name!r} is not an identifier; use letters, digits and _"
            )


@dataclass(frozen=True)
class Solution:
    """An ordered list of uniquely named blocks, with a title for people.

    Nothing in it depends on paths or folds: those are parameters of an execution.
    """

    blocks: tuple[Block, ...]
    title: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        names = self.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ReplyError(f"two blocks are named {twice[0]!r}; block names must be unique")
        if not self.blocks:
            raise ReplyError("a solution needs at least one block")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the blocks, in order."""
        return tuple(block.name for block in self.blocks)

    @property
    def key(self) -> str:
        """Hash of the normalised source: equal for solutions that do the same, word for word.

        Comments, blank lines and the names of blocks do not count.
        """
        text = "\n".join(normalise(block.source) for block in self.blocks)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def source(self, name: str) -> str:
        """The source of the block ``name``; ReplyError when there is none."""
        for block in self.blocks:
            if block.name == name:
                return block.source
        raise ReplyError(f"no block is named {name!r}; the blocks are {', '.join(self.names)}")

    def replace(self, name: str, source: str, *, title: str | None = None) -> Solution:
        """The same solution with one block's source replaced."""
        self.source(name)
        blocks = tuple(Block(b.name, source) if b.name == name else b for b in self.blocks)
        return Solution(blocks, self.title if title is None else title)

    def changed(self, other: Solution | None) -> tuple[str, ...]:
        """Names of the blocks that are new or different here, compared with ``other``."""
        before = {} if other is None else {b.name: b.source for b in other.blocks}
        return tuple(b.name for b in self.blocks if before.get(b.name) != b.source)

    def check_compiles(self) -> None:
        """Raise ReplyError naming the block and line that is not Python (magics are allowed)."""
        for block in self.blocks:
            try:
                _parse(block.source)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 1
                raise ReplyError(
                    f"block {block.name!r}, line {line}: {getattr(error, 'msg', error)}"
                ) from error

    def to_notebook(self, parameters: Mapping[str, Any] | None = None) -> nbformat.NotebookNode:
        """The solution as a notebook, the cell tagged ``parameters`` first."""
        cells = [parameters_cell(parameters or DEFAULT_PARAMETERS)]
        cells += [block_cell(block) for block in self.blocks]
        notebook: nbformat.NotebookNode = new_notebook(cells=cells, metadata=notebook_metadata())
        notebook.metadata["mlestar"] = {"title": self.title}
        return notebook

    @classmethod
    def from_notebook(cls, notebook: nbformat.NotebookNode, title: str = "") -> Solution:
        """Read a notebook: our metadata where there is some, else each code cell is a block.

        Cells tagged ``parameters`` or ``injected-parameters``, and empty cells, are no blocks.
        A foreign cell is named by the heading above it, else ``cell_1``, ``cell_2``, ...
        """
        blocks: list[Block] = []
        heading = ""
        reserved = {_ours(cell) for cell in notebook.cells}
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                found = re.search(r"^#+\s+(.+)$", cell.source, re.MULTILINE)
                heading = found.group(1) if found else heading
            ours = _ours(cell)
            if cell.cell_type != "code" or not (cell.source.strip() or ours):
                continue
            tags = cell.metadata.get("tags", [])
            if "parameters" in tags or "injected-parameters" in tags:
                continue
            name = ours or _identifier(heading) or f"cell_{len(blocks) + 1}"
            heading = ""
            blocks.append(Block(ours or _unique(name, blocks, reserved), cell.source))
        return cls(tuple(blocks), title or notebook.metadata.get("mlestar", {}).get("title", ""))

    def to_script(self) -> str:
        """The blocks as a ``# %% NAME`` script; ``from_script`` gives the same blocks back."""
        return "".join(f"# %% {b.name}\n{_escape(b.source)}\n" for b in self.blocks)

    @classmethod
    def from_script(cls, text: str, title: str = "") -> Solution:
        """Read a ``# %% NAME`` script. What stands above the first marker is the block ``cell_1``.

        A marker whose words are no identifier is turned into one; ``parameters`` is no block.
        """
        blocks: list[Block] = []
        name, lines = "", list[str]()

        def close() -> None:
            source = "\n".join(_unescape(line) for line in lines)
            if name == "parameters" or (not name and not source.strip()):
                return
            wanted = name if _NAME.fullmatch(name) else _identifier(name)
            blocks.append(Block(_unique(wanted or f"cell_{len(blocks) + 1}", blocks), source))

        for line in text.removesuffix("\n").split("\n"):
            marker = _MARKER.match(line)
            if marker:
                close()
                name, lines = marker["name"].replace("[markdown]", "").strip(), []
            else:
                lines.append(line)
        close()
        return cls(tuple(blocks), title)


def normalise(source: str) -> str:
    """Source without comments, blank lines and trailing white space (for comparing solutions)."""
    try:
        tokens = [
            token
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type not in (tokenize.COMMENT, tokenize.NL)
        ]
        # How a line ends is no part of what it does.
        kept = [(t.type, "" if t.type == tokenize.NEWLINE else t.string) for t in tokens]
        return repr(kept)
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return "\n".join(line.rstrip() for line in source.splitlines() if line.strip())


def prefixed(solution: Solution, prefix: str) -> tuple[Block, ...]:
    """The blocks under new names ``prefix + name``, as members of an ensemble carry them."""
    return tuple(Block(prefix + block.name, block.source) for block in solution.blocks)


def block_cell(block: Block, **metadata: Any) -> nbformat.NotebookNode:
    """A code cell that says which block it is, in its metadata and as a tag."""
    cell: nbformat.NotebookNode = new_code_cell(block.source)
    cell.id = _cell_id(block.name)
    cell.metadata["mlestar"] = {"block": block.name, **metadata}
    cell.metadata["tags"] = [f"mlestar:{block.name}"]
    return cell


def parameters_cell(parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
    """The cell tagged ``parameters``, as papermill wants it."""
    lines = []
    for name, value in parameters.items():
        note = _PARAMETER_NOTES.get(name)
        lines.append(f"{name} = {value!r}" + (f"  # {note}" if note else ""))
    cell: nbformat.NotebookNode = new_code_cell("\n".join(lines))
    cell.id = "parameters"
    cell.metadata["tags"] = ["parameters"]
    return cell


def markdown_cell(text: str, cell_id: str = "", **metadata: Any) -> nbformat.NotebookNode:
    """A Markdown cell, with our metadata if any is given."""
    cell: nbformat.NotebookNode = new_markdown_cell(text)
    if cell_id:
        cell.id = _cell_id(cell_id)
    if metadata:
        cell.metadata["mlestar"] = metadata
    return cell


def notebook_metadata() -> dict[str, Any]:
    """Notebook metadata that every Jupyter front end accepts."""
    return {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def _cell_id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64] or "cell"


def _identifier(words: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:40]
    return name if _NAME.fullmatch(name) else ""


def _ours(cell: nbformat.NotebookNode) -> str | None:
    name: str | None = cell.metadata.get("mlestar", {}).get("block")
    return name


def _unique(name: str, blocks: Iterable[Block], reserved: Iterable[str | None] = ()) -> str:
    taken = {"parameters", *(block.name for block in blocks), *reserved}
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _parse(source: str) -> ast.Module:
    """Parse a cell; lines of IPython's own syntax are passed over if it is no Python without."""
    try:
        return parse_python(source)
    except SyntaxError:
        return parse_python(_without_magics(source))


def _without_magics(source: str) -> str:
    lines = source.split("\n")
    if lines and lines[0].startswith("%%"):
        return ""
    kept = []
    for line in lines:
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        kept.append(f"{indent}pass" if bare.startswith(("%", "!")) else line)
    return "\n".join(kept)


# A source line that itself looks like a marker gets one more "#": reading takes it away again.
def _escape(source: str) -> str:
    return re.sub(r"^(#+ %%)", r"#\1", source, flags=re.MULTILINE)


def _unescape(line: str) -> str:
    return line[1:] if re.match(r"^##+ %%", line) else line
