"""The steps of which plans are made, each a short sentence, and how each changes a block.

A plan is one step or several, joined by ``; ``. What a step does follows from its words and the
block alone, so that the coder gives the same source for the same plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mlestar_jupyter.agents.playbook import columns, literals, sections
from mlestar_jupyter.agents.playbook.assembly import first_solution, model_names
from mlestar_jupyter.agents.playbook.catalogue import BY_NAME, Entry, suited
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.features import DROPPED, FEATURES, ORDER, TABLE, section
from mlestar_jupyter.agents.playbook.rendering import render
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.solution import Solution

AND = "; "
NO_SIDE_TABLES = "what was joined"
OWN_WEIGHTS = "the weights of the blend"
TUNED_VALUES = "the tuned numbers of the model"
OTHER_MODEL = "the model"

#: Numbers of estimators that may be left to the library.
TUNED = frozenset({
    "learning_rate", "num_leaves", "max_leaf_nodes", "max_depth", "depth", "min_child_samples",
    "min_child_weight", "min_samples_leaf", "subsample", "subsample_freq", "colsample_bytree",
    "max_features", "rsm", "reg_lambda", "reg_alpha", "l2_leaf_reg", "l2_regularization",
    "border_count", "alpha", "C", "n_neighbors", "gamma", "epsilon", "min_df", "batch_size",
})  # fmt: skip

_JOINED_GONE = """

# Without what was joined: its columns are empty.
joined = [column for column in train.columns if column not in columns]
train[joined], test[joined] = np.nan, np.nan"""
_FIT_ALL = re.compile(
    r"^(?P<fit>model = Model\(\*\*settings.*\)\.fit\(.*\))\n"
    r'test_predictions\["(?P<name>\w+)"\] = (?P<told>.+)$',
    re.MULTILINE,
)
#: Where a model's own predictions are taken: of the check rows, the test rows, one of its seeds.
_TOLD = re.compile(
    r'^(?P<into>(?:check|test)_predictions\["\w+"\] = | *several\.append\()(?!np\.expm1)'
    r"(?P<told>model\.predict\(.*?\)(?: \* scale \+ centre)?|trials\[least\]\[1\])(?P<end>\)?)$",
    re.MULTILINE,
)
#: Between the steps of a plan; not within the quotes of a column's name.
_BETWEEN = re.compile(r'; (?=(?:[^"]*"[^"]*")*[^"]*$)')

Change = Callable[[str, Facts, re.Match[str]], str]


def apply(plan: str, source: str, facts: Facts) -> str:
    """The block's source after every step of a plan. ReplyError for a step that is not known."""
    for step in _BETWEEN.split(plan):
        source = _apply_one(step.strip(), source, facts)
    return source


def is_known(plan: str) -> bool:
    """Whether every step of a plan is one of ours."""
    return all(any(p.fullmatch(step.strip()) for p in _STEPS) for step in _BETWEEN.split(plan))


def _apply_one(step: str, source: str, facts: Facts) -> str:
    for pattern, change in _STEPS.items():
        match = pattern.fullmatch(step)
        if match:
            changed = change(source, facts, match)
            if changed == source:
                raise ReplyError(f"the step {step!r} changes nothing here")
            return changed
    raise ReplyError(f"the playbook knows no step like {step!r}")


def _set(source: str, _: Facts, match: re.Match[str]) -> str:
    pairs = re.findall(r"(\w+) to (-?[\d.]+(?:e-?\d+)?)", match["pairs"])
    values = {name: float(v) if re.search(r"[.e]", v) else int(v) for name, v in pairs}
    return literals.set_numbers(source, values)


def _add(source: str, facts: Facts, match: re.Match[str]) -> str:
    names = columns.unquoted(match["columns"]) if match["columns"] else []
    if TABLE not in source:
        raise ReplyError("only the features block of a table takes further features")
    for feature in FEATURES:
        if feature.name == match["name"]:
            _check_known(names, facts)
            new = section(feature, facts, names)
            if new is None:
                what = f"the columns {columns.quoted(names)}" if names else "this task"
                raise ReplyError(f"{feature.name} does not apply to {what}")
            if names:
                new = columns.united(_present(source, feature.name), new)
            unwanted = columns.listed(_present(source, DROPPED))
            new = columns.without(new, unwanted, feature.least) or new
            return _gaps_of_kept(sections.add(source, new, ORDER))
    raise ReplyError(f"the playbook has no features named {match['name']!r}")


def _check_known(names: list[str], facts: Facts) -> None:
    for name in names:
        if name not in facts.columns:
            raise ReplyError(f"no column is named {name!r}")


def _present(source: str, name: str) -> str:
    """The source of the section ``name``, "" when the block has none."""
    return next((s.source for s in sections.split(source)[1] if s.name == name), "")


def _leave_out_columns(source: str, facts: Facts, match: re.Match[str]) -> str:
    """Without columns: in one section, or wherever the block names them."""
    names = columns.unquoted(match["columns"])
    _check_known(names, facts)
    if TABLE not in source and match["name"] is None:
        rest = columns.without(source, names)
        if rest is None:
            raise ReplyError(f"without {columns.quoted(names)} nothing would be left to learn from")
        return rest
    start, parts = sections.split(source)
    least = {feature.name: feature.least for feature in FEATURES}
    kept = []
    for part in parts:
        left: str | None = part.source
        if part.name == match["name"] or (match["name"] is None and part.name != DROPPED):
            left = columns.without(part.source, names, least.get(part.name, 1))
        if left is None and not part.optional:
            raise ReplyError(f"the section {part.name} cannot do without {columns.quoted(names)}")
        if left is not None:
            kept.append(sections.Section(part.name, part.words, left, part.optional))
    changed = sections.unite(start, kept)
    if match["name"] is not None:
        return changed
    unwanted = [*columns.listed(_present(source, DROPPED)), *names]
    if set(facts.columns) <= set(unwanted):
        raise ReplyError("without these columns nothing would be left to learn from")
    new = render("features/dropped", (), {"columns": list(dict.fromkeys(unwanted))})
    return _gaps_of_kept(sections.add(changed, new, ORDER))


def _gaps_of_kept(source: str) -> str:
    """What is missing in a column that is left out says nothing either."""
    every, kept = "for column in train.columns if", "for column in train.columns.drop(dropped) if"
    if _present(source, DROPPED):
        return source.replace(every, kept)
    return source.replace(kept, every)


def _leave_out(source: str, _: Facts, match: re.Match[str]) -> str:
    what = match["what"]
    if what == NO_SIDE_TABLES:
        return source + _JOINED_GONE
    if what == TUNED_VALUES:
        return literals.without_keywords(source, TUNED)
    if what == OWN_WEIGHTS:
        return re.sub(
            r"^weights = .*$",
            "weights = {name: 1 / len(test_predictions) for name in test_predictions}",
            source,
            flags=re.MULTILINE,
        )
    if what.startswith(f"{OTHER_MODEL} "):
        return f"# Left out: {what}."
    return _gaps_of_kept(sections.without(source, what))


def _replace_model(_: str, facts: Facts, match: re.Match[str]) -> str:
    return _model(match["name"]).model(facts)


def _add_model(source: str, facts: Facts, match: re.Match[str]) -> str:
    return f"{source}\n\n{_model(match['name']).model(facts)}"


def _model(name: str) -> Entry:
    entry = BY_NAME.get(name)
    if entry is None or not entry.is_installed:
        raise ReplyError(f"no model {name!r} can be used here")
    return entry


def _average(source: str, _: Facts, match: re.Match[str]) -> str:
    count = match["count"]
    before = re.search(r"^# (\d+) seeds, averaged", source, re.MULTILINE)
    if before is not None:
        source = source.replace(before[0], f"# {count} seeds, averaged")
        return source.replace(
            f"for offset in range({before[1]}):", f"for offset in range({count}):"
        )
    found = _FIT_ALL.search(source)
    seed = re.search(r"\b(random_state|random_seed)=seed\b", source)
    if found is None or seed is None:
        return source
    several = f'''# {count} seeds, averaged: less noise.
several = []
for offset in range({count}):
    settings["{seed[1]}"] = seed + offset
    {found["fit"]}
    several.append({found["told"]})
test_predictions["{found["name"]}"] = np.mean(several, axis=0)'''
    return source[: found.start()] + several + source[found.end() :]


def _logarithm(source: str, facts: Facts, _: re.Match[str]) -> str:
    if facts.log or facts.classes > 1:
        return source
    changed = re.sub(
        r"^answers = y$",
        "# The logarithm of the target: its long tail counts less.\n"
        "lowest = y.min()\nanswers = np.log1p(y - lowest)",
        source,
        flags=re.MULTILINE,
    )

    def back(match: re.Match[str]) -> str:
        # Another model of the block may have learned the target as it is.
        fitted = changed[: match.start()].rpartition(".fit(")[2]
        if "answers" not in fitted:
            return match[0]
        return f"{match['into']}np.expm1({match['told']}) + lowest{match['end']}"

    return _TOLD.sub(back, changed) if changed != source else source


def _objective(source: str, _: Facts, match: re.Match[str]) -> str:
    wanted = f'objective="{match["name"]}",'
    if "objective=" in source:
        return re.sub(r'objective="[^"]*",', wanted, source)
    return source.replace("settings = dict(\n", f"settings = dict(\n    {wanted}\n", 1)


def _shifts(source: str, _: Facts, __: re.Match[str]) -> str:
    steps = "[(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]"
    return source.replace("shifts = [(0, 0)]", f"shifts = {steps}")


def _words(source: str, _: Facts, match: re.Match[str]) -> str:
    return source.replace("ngram_range=(1, 2)", f"ngram_range=(1, {match['longest']})")


_STEPS: dict[re.Pattern[str], Change] = {
    re.compile(pattern): change
    for pattern, change in {
        r"set (?P<pairs>\w+ to -?[\d.e-]+(?:, \w+ to -?[\d.e-]+)*)": _set,
        rf"add (?P<name>\w+)(?: of (?P<columns>{columns.QUOTED}))?: .*": _add,
        rf"leave out the columns? (?P<columns>{columns.QUOTED})(?: in (?P<name>\w+))?": (
            _leave_out_columns
        ),
        r"leave out (?P<what>.+)": _leave_out,
        r"use the model (?P<name>\w+) instead": _replace_model,
        r"add the model (?P<name>\w+) beside it": _add_model,
        r"average (?P<count>\d+) seeds": _average,
        r"learn the logarithm of the target": _logarithm,
        r"learn with the objective (?P<name>\w+)": _objective,
        r"learn from moved pictures, too": _shifts,
        r"count up to (?P<longest>\d) words in a row": _words,
    }.items()
}


def other_models(facts: Facts, solution: Solution, limit: int = 4) -> list[str]:
    """Models that suit the task, that the solution lacks and that use its features block."""
    known = set(model_names(solution))
    usual = first_solution(facts, suited(facts)[0]).source("features")
    return [
        entry.name
        for entry in suited(facts)
        if entry.name not in known and entry.features(facts) == usual
    ][:limit]
