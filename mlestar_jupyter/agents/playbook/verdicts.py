"""The two checkers and the last step (section 3.4): leakage, use of data, and all rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from mlestar_jupyter.agents.playbook.assembly import is_ours
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.features import features_block
from mlestar_jupyter.agents.playbook.joins import join_block, keys_only
from mlestar_jupyter.candidate import Finding
from mlestar_jupyter.interfaces import DataUsageEvidence, DataUsageVerdict, LeakageVerdict
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Block, Solution

_PATHS = {str(value): name for name, value in DEFAULT_PARAMETERS.items() if name.endswith("_path")}
_THINNED = ("sample", "head", "tail")


def judge_leakage(facts: Facts, solution: Solution, evidence: Sequence[Finding]) -> LeakageVerdict:
    """Certain findings are leaks; they are mended where a rule knows how."""
    certain = [finding for finding in evidence if finding.certain]
    if not certain:
        return LeakageVerdict(False, "nothing that was seen is certain to leak")
    blocks: dict[str, str] = {}
    for finding in certain:
        source = blocks.get(finding.block, solution.source(finding.block))
        mended = _mended(facts, finding, source)
        if mended != source:
            blocks[finding.block] = mended
    return LeakageVerdict(True, str(certain[0]), blocks)


def _mended(facts: Facts, finding: Finding, source: str) -> str:
    lines = source.split("\n")
    number = finding.line - 1
    if not 0 <= number < len(lines):
        return source
    line = lines[number]
    if finding.rule == "fit_on_test":
        line = re.sub(r"pd\.concat\(\[\s*([\w.\[\]\"']*)\s*,[^\]]*\][^)]*\)", r"\1", line)
        if line == lines[number]:
            line = re.sub(r"\.fit_transform\((\w*test\w*)\)", r".transform(\1)", line, flags=re.I)
        if line == lines[number] and re.fullmatch(r"\s*\w+\.fit\(\w*test\w*\)\s*", line, re.I):
            line = re.match(r"\s*", line)[0] + "pass"  # type: ignore[index]
        lines[number] = line
    elif finding.rule == "target_in_features":
        lines[number:number] = _dropping(facts, source, finding.line)
    elif finding.rule == "unstaged_file":
        for literal, name in _PATHS.items():
            line = re.sub(rf"""(["'])[^"']*\b{re.escape(literal)}\1""", name, line)
        lines[number] = line
    return "\n".join(lines)


def _dropping(facts: Facts, source: str, line: int) -> list[str]:
    """A line that takes the target, and what only train has, out of the fitted table."""
    try:
        tree = parse_python(source)
    except SyntaxError:
        return []
    forbidden = [facts.task.target, *facts.task.train_only]
    for part in ast.walk(tree):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.args:
            data = part.args[0]
            within = part.lineno <= line <= (part.end_lineno or part.lineno)
            if within and part.func.attr.startswith("fit") and isinstance(data, ast.Name):
                begin = source.split("\n")[line - 1]
                indent = begin[: len(begin) - len(begin.lstrip())]
                drop = f'{data.id}.drop(columns={forbidden!r}, errors="ignore")'
                return [f"{indent}{data.id} = {drop}"]
    return []


def judge_usage(facts: Facts, solution: Solution, evidence: DataUsageEvidence) -> DataUsageVerdict:
    """Join the side tables that a solution leaves unused, where it keeps our conventions."""
    tables = {join.table.path for join in facts.joins if join.columns}
    unused = [file for file in evidence.unused_files if file in tables]
    if not unused:
        rest = ", ".join((*evidence.unused_files, *evidence.unused_columns)[:5])
        why = f"{rest}: nothing that a row could be joined to" if rest else "everything is used"
        return DataUsageVerdict(True, why)
    reason = f"{', '.join(unused)} can be joined and is left unused"
    joined = join_block(facts.joins, keys_only(facts.task, facts.joins))
    if not is_ours(solution) or not joined:
        return DataUsageVerdict(False, reason)
    kept = [block for block in solution.blocks if block.name != "join"]
    blocks = []
    for block in kept:
        source = block.source
        if block.name == "features" and "X_test = train.copy(), test.copy()" in source:
            source = features_block(facts)
        blocks.append(Block(block.name, source))
        if block.name == "load":
            blocks.append(Block("join", joined))
    return DataUsageVerdict(False, reason, Solution(tuple(blocks), solution.title))


def with_all_rows(solution: Solution) -> Solution:
    """The solution without lines that only thin out the training rows."""
    for block in solution.blocks:
        source = re.sub(r"^most_rows = \d+$", "most_rows = None", block.source, flags=re.MULTILINE)
        source = _unthinned(source)
        if source != block.source:
            solution = solution.replace(block.name, source)
    return solution


def _unthinned(source: str) -> str:
    """Without ``nrows=`` of train, and without ``train = train.sample(...)`` and its like."""
    try:
        tree = parse_python(source)
    except SyntaxError:
        return source
    lines = source.split("\n")
    gone: set[int] = set()
    trains = {
        target.id
        for part in ast.walk(tree)
        if isinstance(part, ast.Assign) and "train_path" in ast.unparse(part.value)
        for target in part.targets
        if isinstance(target, ast.Name)
    } | {"train"}
    for part in tree.body:
        match part:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=same), attr=attr)) as call,
            ) if name == same and name in trains and attr in _THINNED:
                # A shuffle of all rows is no thinning.
                whole = any(
                    k.arg == "frac" and ast.unparse(k.value) in ("1", "1.0") for k in call.keywords
                )
                if not whole:
                    gone |= set(range(part.lineno - 1, part.end_lineno or part.lineno))
    kept = [line for number, line in enumerate(lines) if number not in gone]
    text = "\n".join(kept)
    return re.sub(r"(read_\w+\(\s*train_path[^)\n]*?),\s*nrows\s*=\s*[\w.]+", r"\1", text)
