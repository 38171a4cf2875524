"""A person's own model: the example of their card becomes the model block of a first solution."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import symtable

from mlestar_jupyter.agents.playbook.catalogue import BY_NAME, ENTRIES, Entry, find
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.rendering import Code, render
from mlestar_jupyter.errors import ReplyError, short_list
from mlestar_jupyter.interfaces import ModelCard
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.solution import DEFAULT_PARAMETERS

#: What an example may use without making it: the block ``load`` has them.
GIVEN = frozenset({"np", "pd", "Path", "seed"})
#: What other blocks rely on.
RESERVED = frozenset({
    "X", "X_test", "y", "train", "test", "sample", "target", "ids", "folds", "learn", "check",
    "classes", "check_predictions", "test_predictions", *DEFAULT_PARAMETERS,
})  # fmt: skip
_WANTED = (
    "it must define `model`, an estimator with fit and predict that is not fitted yet, "
    "such as `from sklearn.linear_model import Ridge; model = Ridge(alpha=3)`"
)


def entry_of(card: ModelCard) -> Entry:
    """The catalogue's model of the card's name, or the person's own model in the example.

    ReplyError when there is neither, or when the example makes no model.
    """
    known = find(card.name)
    if known is None:
        if card.example.strip():
            return _own(card, _definition(card))
        names = ", ".join(entry.name for entry in ENTRIES if entry.is_installed)
        raise ReplyError(
            f"the playbook has no model {card.name!r}; it has {names}; "
            f"or give the card an example that defines `model`"
        )
    if card.example.strip():
        try:
            return _own(card, _definition(card))
        except ReplyError:
            # A whole script, such as a block of ours, only shows what the model is like.
            if ".fit(" not in card.example:
                raise
    if not known.is_installed:
        raise ReplyError(f"{known.name} is not installed here; install {known.package}")
    return known


def _own(card: ModelCard, source: str) -> Entry:
    name = _identifier(card.name)

    def model(facts: Facts) -> str:
        values = {"title": Code(" ".join(card.name.split())), "example": Code(source), "name": name}
        return render("models/own", facts.words, values)

    return Entry(name, card.reason, card.source, lambda _: 1.0, model)


def _identifier(words: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "model"
    return f"own_{name}" if name in BY_NAME or name == "model" else name


def _definition(card: ModelCard) -> str:
    """The example, ending with ``model`` defined."""
    source = card.example.strip().replace("\r\n", "\n")
    where = f"the example of {card.name!r}"
    try:
        tree = parse_python(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ReplyError(f"{where} is no Python (line {line}); {_WANTED}") from error
    if "model" not in _assigned(tree):
        source = _with_model(source, tree, where)
        tree = parse_python(source)
    _check_names(source, tree, where)
    _check_installed(tree, where)
    return source


def _with_model(source: str, tree: ast.Module, where: str) -> str:
    """The source whose last expression is assigned to ``model``."""
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or not isinstance(last.value, ast.Call | ast.Name):
        raise ReplyError(f"{where} makes no model; {_WANTED}")
    if isinstance(last.value, ast.Name) and last.value.id not in _assigned(tree):
        raise ReplyError(f"{where} makes no model; {_WANTED}")
    lines = source.split("\n")
    line = lines[last.lineno - 1].encode()
    begin, end = line[: last.col_offset].decode(), line[last.col_offset :].decode()
    lines[last.lineno - 1] = f"{begin}model = {end}"
    return "\n".join(lines)


def _assigned(tree: ast.Module) -> set[str]:
    """Names that the example's own lines (not its functions) give a value."""
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        parts = [p for p in ast.walk(statement) if isinstance(p, ast.Name)]
        found |= {part.id for part in parts if isinstance(part.ctx, ast.Store)}
    return found


def _check_names(source: str, tree: ast.Module, where: str) -> None:
    """Everything that the example uses is made or imported by it, and nothing else is touched."""
    table = symtable.symtable(source, "example", "exec")
    made = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    made |= {child.get_name() for child in table.get_children()}
    unknown = sorted(_used(table) - made - GIVEN - set(dir(builtins)))
    if unknown:
        names = short_list(unknown, 4)
        raise ReplyError(f"{where} uses {names}, which it neither imports nor makes; {_WANTED}")
    taken = sorted((_assigned(tree) | made) & RESERVED)
    if taken:
        raise ReplyError(f"{where} gives {taken[0]} a value that other blocks need; rename it")


def _used(table: symtable.SymbolTable) -> set[str]:
    """Global names that are read, in functions too."""
    top = table.get_type() == "module"
    names = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (top or symbol.is_global())
    }
    return names.union(*(_used(child) for child in table.get_children()))


def _check_installed(tree: ast.Module, where: str) -> None:
    for part in ast.walk(tree):
        modules = []
        if isinstance(part, ast.Import):
            modules = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
            modules = [part.module]
        for module in modules:
            package = module.split(".")[0]
            if importlib.util.find_spec(package) is None:
                raise ReplyError(f"{where} imports {package}, which is not installed here")
