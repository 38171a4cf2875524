"""Whole solutions: the blocks load, join, features, model and predict put together, and merged."""

from __future__ import annotations

import re

from mlestar_jupyter.agents.playbook.catalogue import Entry
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.joins import join_block, keys_only
from mlestar_jupyter.agents.playbook.rendering import Code, render
from mlestar_jupyter.solution import Block, Solution

_PREDICTS = re.compile(r'^test_predictions\["(\w+)"\] = ', re.MULTILINE)
#: Metrics of labels that a threshold or a lift of rare classes serves: function and options.
_LABEL_SCORES = {
    "f1": ("f1_score", ""),
    "f1_macro": ("f1_score", ', average="macro"'),
    "f1_weighted": ("f1_score", ', average="weighted"'),
    "mcc": ("matthews_corrcoef", ""),
    "kappa": ("cohen_kappa_score", ""),
    "balanced_accuracy": ("balanced_accuracy_score", ""),
}


def first_solution(facts: Facts, entry: Entry) -> Solution:
    """One simple, complete solution with one model."""
    blocks = [Block("load", load_block(facts))]
    joined = join_block(facts.joins, keys_only(facts.task, facts.joins))
    if joined:
        blocks.append(Block("join", joined))
    blocks.append(Block("features", entry.features(facts)))
    blocks.append(Block("model", entry.model(facts)))
    blocks.append(Block("predict", predict_block(facts, several=False)))
    return Solution(tuple(blocks), entry.name.replace("_", " "))


def load_block(facts: Facts) -> str:
    """The block ``load``."""
    task = facts.task
    useless = [n for n, c in task.profile.columns.items() if c.kind == "constant"]
    left_out, why = [], []
    if task.id_column in task.features and task.id_column not in task.profile.columns:
        left_out, why = [task.id_column], ["an id says nothing"]
    if task.group is not None:
        left_out.append(task.group)
        why.append("test has other groups")
    if useless:
        left_out += useless
        why.append("one value everywhere")
    left_out = [n for n in left_out if n not in keys_only(task, facts.joins)]
    words = facts.words | ({"left_out"} if left_out else set())
    values = {
        "target": task.target,
        "left_out": left_out,
        "why_left_out": Code("; ".join(why)),
        "most_rows": max(20_000, int(20_000_000 / max(1, len(facts.columns)))),
        "group": task.group,
        "time": task.time,
        "time_format": facts.formats.get(task.time or "", "mixed"),
        "block_days": task.block_days,
        "id_column": task.id_column,
    }
    return render("load", words, values)


def predict_block(facts: Facts, *, several: bool) -> str:
    """The block ``predict``, for one model or a blend of several."""
    words = facts.words | label_words(facts) | {"blend" if several else "single"}
    start = render("predict", words, {"id_column": facts.task.id_column})
    score = label_score(facts)[0]
    needed = f"from sklearn.metrics import {score}\n\n" if score else ""
    return f"{needed}{start}\n{form(facts)}"


def label_score(facts: Facts) -> tuple[str, str]:
    """The scikit-learn function and options of a metric of labels that is tuned; "" if none is."""
    return _LABEL_SCORES.get(facts.task.metric.name, ("", ""))


def label_words(facts: Facts) -> set[str]:
    """How labels are chosen from probabilities."""
    if "label" not in facts.words:
        return set()
    if not label_score(facts)[0]:
        return {"plain_label"}
    return {"threshold" if facts.task.kind == "binary" else "lift"}


def form(facts: Facts) -> str:
    """The end of a solution: ``predicted`` in the form of the sample submission."""
    task = facts.task
    score, options = label_score(facts)
    values = {
        "positive": task.positive_class,
        "score": Code(score),
        "options": Code(options),
        "target": task.target,
        "column": task.target_columns[0] if task.target_columns else task.target,
        "class_columns": list(task.target_columns),
    }
    return render("form", facts.words | label_words(facts), values)


def model_names(solution: Solution) -> list[str]:
    """The models whose predictions the solution averages, by the names that blocks give them."""
    return [name for block in solution.blocks for name in _PREDICTS.findall(block.source)]


def best_first(solution: Solution) -> list[str]:
    """The blocks in their order, but of several features or models those of the best one first.

    That is the last: see ``merged``.
    """
    kinds = [_kind(block) for block in solution.blocks]
    left = {kind: [b.name for b in solution.blocks if _kind(b) == kind] for kind in kinds}
    return [left[kind].pop() for kind in kinds]


def _kind(block: Block) -> str:
    if block.name.startswith("features"):
        return "features"
    return "model" if _PREDICTS.search(block.source) else block.name


def is_ours(solution: Solution) -> bool:
    """Whether the solution keeps the playbook's conventions, so that blocks can be exchanged."""
    names = set(solution.names)
    return {"load", "features", "predict"} <= names and bool(model_names(solution))


def merged(facts: Facts, base: Solution, other: Solution) -> Solution | None:
    """The base with the models of the other beside its own; None when there is nothing to add.

    They go before the base's own: the better a model, the more it is worked on, and what stands
    before it need not be executed again.
    """
    if not (is_ours(base) and is_ours(other)):
        return None
    known = set(model_names(base))
    blocks = list(base.blocks[:-1])
    added = []
    for block in other.blocks:
        if _kind(block) == "features":
            features = block.source
        names = _PREDICTS.findall(block.source)
        if not names or set(names) <= known:
            continue
        made = [n for n, b in enumerate(blocks) if _kind(b) == "features"]
        place = next((n for n in made if blocks[n].source == features), None)
        if place is None:
            place = made[0]
            blocks.insert(place, Block(_free(f"features_{names[0]}", blocks), features))
        blocks.insert(place + 1, Block(_free(f"model_{names[0]}", blocks), block.source))
        added += names
    if not added:
        return None
    blocks.append(Block(base.blocks[-1].name, predict_block(facts, several=True)))
    return Solution(tuple(blocks), f"{base.title} + {' + '.join(added)}".replace("_", " "))


def _free(name: str, blocks: list[Block]) -> str:
    taken = {block.name for block in blocks}
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
