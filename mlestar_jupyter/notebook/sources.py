"""Where things come from: packages with versions and licences, and the data's fingerprints."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import sys
from collections.abc import Iterable
from importlib import metadata

from mlestar_jupyter.notebook.cells import card_links
from mlestar_jupyter.notebook.markdown import code, escape, table
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.run import Run
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.spending import change_words


def sources_words(run: Run, solution: Solution) -> str:
    """The section on sources and licences, as Markdown."""
    parts = ["## Sources and licences"]
    cards = [card for card in run.state.cards if card.get("source") or card.get("pages")]
    if cards:
        lines = [f"- {escape(card['name'])}: {card_links(card)}" for card in cards]
        parts.append("Models were taken from these sources:\n\n" + "\n".join(lines))
    if not run.state.spending.is_none:
        parts.append(agents_words(run))
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    packages = table(["package", ">version", "licence"], package_rows(solution))
    parts.append(f"The solution was written with {python} and these packages:\n\n{packages}")
    files = table(["file", "SHA-256"], fingerprint_rows(run))
    parts.append(f"It was found on these files:\n\n{files}")
    return "\n\n".join(parts)


def agents_words(run: Run) -> str:
    """Which language models wrote, what that has cost, and who went on, as Markdown."""
    spending, settings = run.state.spending, run.settings
    models = ", ".join(code(model) for model in spending.models)
    prices = ", by the prices that were set then" if spending.money else ""
    words = f"{escape(spending.words(settings.cost))}{prices}"
    changes = "".join(f" {escape(change_words(c), 500)}." for c in run.state.changes)
    agents = escape(settings.agents)
    return f"Language models proposed solutions ({agents}: {models}): {words}.{changes}"


def proposers(run: Run) -> str:
    """The casts that took part."""
    casts = [run.settings.agents, *(change["to"] for change in run.state.changes)]
    return " and ".join(escape(cast) for cast in dict.fromkeys(casts) if cast)


def package_rows(solution: Solution) -> list[list[str]]:
    """Name, version and licence of each package that the solution imports."""
    versions = package_versions(imported_modules(solution))
    return [[escape(n), escape(v), escape(licence_of(n))] for n, v in versions.items()]


def package_versions(modules: Iterable[str]) -> dict[str, str]:
    """The installed packages that these modules belong to, and their versions, by name."""
    installed = metadata.packages_distributions()
    names = {name for module in modules for name in installed.get(module, ())}
    versions = {}
    for name in sorted(names, key=str.lower):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def imported_modules(solution: Solution) -> set[str]:
    """The modules that the blocks import, by their first name, without the standard library."""
    return modules_in(block.source for block in solution.blocks)


def modules_in(sources: Iterable[str]) -> set[str]:
    """The modules that these cells import, by their first name, without the standard library."""
    found: set[str] = set()
    for source in sources:
        lines = [x for x in source.split("\n") if not x.lstrip().startswith(("%", "!"))]
        try:
            tree = parse_python("\n".join(lines))
        except (SyntaxError, ValueError):
            continue
        for statement in ast.walk(tree):
            if isinstance(statement, ast.Import):
                found |= {alias.name.split(".")[0] for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                found.add(statement.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


def licence_of(distribution: str) -> str:
    """What a package says about its licence: the expression, a classifier, or the first line."""
    about = metadata.metadata(distribution)
    if expression := about.get_all("License-Expression"):
        return str(expression[0])
    classifiers = about.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    if named:
        return ", ".join(named)
    first = "".join(about.get_all("License") or []).strip().splitlines()
    return first[0][:80] if first else "see the package"


def frozen_fingerprints(run: Run) -> dict[str, str]:
    """SHA-256 of each file of the task, as they were frozen when the run began."""
    try:
        frozen = json.loads((run.folder / "task.json").read_text(encoding="utf-8"))
        return dict(frozen["fingerprints"])
    except (OSError, ValueError, KeyError):
        return run.task.source.fingerprints()


def fingerprint_rows(run: Run) -> list[list[str]]:
    """File and SHA-256, as they were frozen when the run began; one line for a whole folder."""
    prints = frozen_fingerprints(run)
    folders: dict[str, list[str]] = {}
    rows = []
    for name, digest in prints.items():
        folder, inside, _ = name.partition("/")
        if inside:
            folders.setdefault(folder, []).append(f"{digest}  {name}\n")
        else:
            rows.append([code(name), code(digest)])
    for folder, lines in folders.items():
        together = hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
        count = f"{len(lines):,} files: of the sorted lines `SHA-256  name`"
        rows.append([f"{code(folder + '/')} ({count})", code(together)])
    return rows
