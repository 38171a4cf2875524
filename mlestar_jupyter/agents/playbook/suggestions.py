"""A person's own words as a plan for the block that they suit best."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from mlestar_jupyter.agents.playbook import amounts, columns, sections, steps
from mlestar_jupyter.agents.playbook.assembly import best_first, is_ours, model_names
from mlestar_jupyter.agents.playbook.catalogue import BY_NAME, Entry, mentioned, suited
from mlestar_jupyter.agents.playbook.dials import turns
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.feature_words import features_in, is_removal
from mlestar_jupyter.agents.playbook.features import TABLE, Feature
from mlestar_jupyter.errors import ReplyError, short_list
from mlestar_jupyter.parsing import parse_python
from mlestar_jupyter.solution import Solution, normalise

_LOG = r"\blog(?:1p|arithms?)?\b"
_SEEDS = r"\bseeds?\b|\bbag(?:s|ged|ging)?\b"
_INSTEAD = r"\b(?:instead|replac\w+|switch\w*|swap\w*|only|rather than)\b"
_BESIDE = r"\b(?:add|too|also|as well|beside|besides|blend|together|combine|in addition)\b"
_OBJECTIVES = {
    "huber": r"\bhuber\b", "l1": r"absolute error|\bmae\b|\bl1 loss\b", "poisson": r"\bpoisson\b",
    "tweedie": r"\btweedie\b", "gamma": r"\bgamma (?:loss|objective)\b", "fair": r"\bfair loss\b",
}  # fmt: skip
#: Steps that any block would take, whether they make sense there or not.
_ANYWHERE = ("leave out ", "use the model ", "add the model ")


@dataclass(frozen=True)
class Reading:
    """What words mean for a block, as a plan, and how surely they do (more is surer)."""

    block: str
    plan: str
    fit: float


@dataclass
class _Words:
    """A person's words, looked at once; ``objections`` are why readings came to nothing."""

    text: str
    facts: Facts
    solution: Solution
    objections: list[str] = field(default_factory=list)

    @cached_property
    def models(self) -> list[Entry]:
        """The models of the catalogue that are named."""
        return mentioned(self.text)

    @cached_property
    def named(self) -> tuple[list[str], str]:
        """The columns that are named, and the words without them."""
        return columns.mentioned(self.text, self.facts.columns)

    def says(self, pattern: str) -> bool:
        """Whether the words say this."""
        return re.search(pattern, self.text, re.IGNORECASE) is not None

    def of_block(self, block: str) -> list[str]:
        """The models that a block holds."""
        return model_names(Solution(tuple(b for b in self.solution.blocks if b.name == block)))

    def own_models(self, block: str) -> list[str]:
        """The models of a block that are a person's own, of those that are named."""
        text = self.text.lower().replace("_", " ")
        own = [name for name in self.of_block(block) if name not in BY_NAME]
        return [name for name in own if name.replace("_", " ") in text]


def best(words: str, facts: Facts, solution: Solution, block: str | None = None) -> Reading:
    """What the words mean, for the block that they suit best (or for ``block`` alone).

    ReplyError when they mean nothing that the playbook can do, with the reason.
    """
    asked = _Words(words, facts, solution)
    readings: list[Reading] = []
    for name in best_first(solution) if block is None else (block,):
        readings += [r for r in _readings(asked, name) if _changes(r, asked)]
    if readings:
        return max(readings, key=lambda reading: reading.fit)
    if asked.objections:
        raise ReplyError(f"{words!r} cannot be done here: {asked.objections[0]}")
    raise ReplyError(_abilities(words, facts, solution, block))


def understood(words: str, facts: Facts, solution: Solution, block: str) -> str | None:
    """The plan that the words mean for a block; None when they mean none."""
    try:
        return best(words, facts, solution, block).plan
    except ReplyError:
        return None


def as_plan(words: str, facts: Facts, solution: Solution, block: str) -> str:
    """The plan itself when the words are one of ours that applies, else what they mean."""
    if steps.is_known(words):
        try:
            steps.apply(words, solution.source(block), facts)
        except ReplyError as error:
            meant = understood(words, facts, solution, block)
            if meant is None:
                raise error
            return meant
        return words
    return best(words, facts, solution, block).plan


def _changes(reading: Reading, asked: _Words) -> bool:
    """Whether the plan gives another source that is Python; an objection is noted if not."""
    source = asked.solution.source(reading.block)
    try:
        changed = steps.apply(reading.plan, source, asked.facts)
        parse_python(changed)
    except ReplyError as error:
        asked.objections.append(str(error))
        return False
    except SyntaxError:
        return False
    return normalise(changed) != normalise(source)


def _readings(asked: _Words, block: str) -> Iterator[Reading]:
    """What the words may mean for a block, tried in this order where they fit alike."""
    source, words = asked.solution.source(block), asked.text.strip()
    if steps.is_known(words) and not words.startswith(_ANYWHERE):
        yield Reading(block, words, 5.0)
    ours = set(asked.of_block(block))
    own = asked.own_models(block)
    if not ours or own or all(entry.name in ours for entry in asked.models):
        pairs = [f"{name} to {value}" for name, value in amounts.settings(words, source)]
        if pairs:
            yield Reading(block, f"set {', '.join(pairs)}", 4.0 + 0.5 * bool(asked.models))
    if not is_ours(asked.solution):
        return
    if block.startswith("features"):
        yield from _of_features(asked, block, source)
    elif ours:
        yield from _of_models(asked, block, source)
    elif block == "join" and is_removal(words) and asked.says(r"\bjoin|side tables?|other tables?"):
        yield Reading(block, f"leave out {steps.NO_SIDE_TABLES}", 3.0)
    elif "weights = " in source and asked.says(r"equal(?:ly)? weight|weights of the blend"):
        yield Reading(block, f"leave out {steps.OWN_WEIGHTS}", 3.0)


def _of_features(asked: _Words, block: str, source: str) -> Iterator[Reading]:
    named, _ = asked.named
    if asked.says(r"\btri-?grams?\b|\b3[- ]?grams?\b|three words"):
        yield Reading(block, "count up to 3 words in a row", 3.0)
    log_of_target = asked.says(_LOG) and _is_of_target(asked)
    found = [] if log_of_target else features_in(*asked.named, asked.facts, asked.text)
    for feature in found:
        yield from _of_feature(asked, block, source, feature)
    if is_removal(asked.text) and not found:
        if named:
            yield Reading(block, f"leave out {_columns(named)}", 3.5)
            return
        unknown = re.search(r"\bcolumns?\s+[\"'`]?(\w+)", asked.text)
        if unknown is not None:
            known = short_list(list(asked.facts.columns), 8)
            asked.objections.append(f"no column {unknown[1]!r} is used; there are {known}")


def _of_feature(asked: _Words, block: str, source: str, feature: Feature) -> Iterator[Reading]:
    """Add a section, take it out, or give it other columns."""
    named = asked.named[0] if feature.of_columns else []
    present = next((s for s in sections.split(source)[1] if s.name == feature.name), None)
    held = [] if present is None else columns.listed(present.source)
    if is_removal(asked.text):
        if present is None:
            asked.objections.append(f"the block {block} has no {feature.name} to leave out")
        elif set(named) & set(held):
            gone = _columns([name for name in named if name in held])
            yield Reading(block, f"leave out {gone} in {feature.name}", 3.0)
        else:
            yield Reading(block, f"leave out {feature.name}", 3.0)
        return
    if TABLE not in source:
        return
    if asked.says(r"\bonly\b") and named and set(named) < set(held):
        rest = _columns([name for name in held if name not in named])
        yield Reading(block, f"leave out {rest} in {feature.name}", 3.0)
    elif named and not set(named) <= set(held):
        yield Reading(block, f"add {feature.name} of {columns.quoted(named)}: {feature.plan}", 3.0)
    elif present is not None:
        of = f" of {columns.quoted(named)}" if named else ""
        asked.objections.append(f"the block {block} has {feature.name}{of} already")
    elif feature.of_columns and not named and feature.values(asked.facts) is None:
        asked.objections.append(f"{feature.name} suits no column by itself; name the columns")
    else:
        yield Reading(block, f"add {feature.name}: {feature.plan}", 3.0)


def _columns(names: list[str]) -> str:
    return f"the column{'s' * (len(names) > 1)} {columns.quoted(names)}"


def _is_of_target(asked: _Words) -> bool:
    """Whether a logarithm is that of the target."""
    target = re.escape(asked.facts.task.target)
    is_named = asked.says(rf"\b(?:target|answers?|labels?|y)\b|(?<!\w){target}(?!\w)")
    return is_named or not asked.named[0]


def _of_models(asked: _Words, block: str, source: str) -> Iterator[Reading]:
    for entry in asked.models:
        yield from _of_model(asked, block, entry)
    if is_removal(asked.text):
        for name in asked.own_models(block):
            yield from _without_model(asked, block, name)
    if asked.says(_LOG) and _is_of_target(asked):
        if asked.facts.classes > 1:
            asked.objections.append("the target is a class, so that it has no logarithm")
        elif asked.facts.log:
            asked.objections.append("the logarithm of the target is learned already")
        else:
            yield Reading(block, "learn the logarithm of the target", 3.0)
    if asked.says(_SEEDS) and not is_removal(asked.text):
        count = re.search(r"\b([2-9]|[1-4]\d)\b", asked.text)
        yield Reading(block, f"average {count[1] if count else 3} seeds", 3.0)
    if asked.says(r"tuned numbers|\bdefaults?\b|default (?:values|settings|parameters)"):
        yield Reading(block, f"leave out {steps.TUNED_VALUES}", 3.0)
    if asked.says(r"augment|(?:moved|shift\w*) (?:pictures|images)"):
        yield Reading(block, "learn from moved pictures, too", 3.0)
    for objective, pattern in _OBJECTIVES.items():
        if asked.says(pattern) and "lightgbm" in source and asked.facts.classes == 1:
            yield Reading(block, f"learn with the objective {objective}", 2.5)


def _of_model(asked: _Words, block: str, entry: Entry) -> Iterator[Reading]:
    """Use a model, add it, or take it out."""
    present, here = model_names(asked.solution), asked.of_block(block)
    name, object_to = entry.name, asked.objections.append
    if is_removal(asked.text):
        if name not in present:
            object_to(f"{name} is no part of this solution")
        elif name in here:
            yield from _without_model(asked, block, name)
    elif name in present:
        if len(asked.models) == 1:
            object_to(f"{name} is in the solution already")
    elif not entry.is_installed:
        object_to(f"{name} is not installed; install {entry.package}")
    elif not _takes_features(asked, block, entry):
        object_to(f"{name} does not suit the features of this solution")
    else:
        replaced = any(other.name in here for other in asked.models)
        alone = len(present) == 1 and asked.says(r"\buse\b") and not asked.says(_BESIDE)
        if replaced or asked.says(_INSTEAD) or alone:
            yield Reading(block, f"use the model {name} instead", 3.0 + 0.5 * replaced)
        else:
            yield Reading(block, f"add the model {name} beside it", 3.0)


def _without_model(asked: _Words, block: str, name: str) -> Iterator[Reading]:
    if len(model_names(asked.solution)) == 1:
        asked.objections.append(f"{name} is the only model here; say which one to use instead")
    elif asked.of_block(block) == [name]:
        yield Reading(block, f"leave out {steps.OTHER_MODEL} {name}", 3.5)
    else:
        asked.objections.append(f"{name} shares the block {block} with another model")


def _takes_features(asked: _Words, block: str, entry: Entry) -> bool:
    """Whether a model suits the task and takes the features that stand before a block."""
    if entry.suits(asked.facts) <= 0:
        return False
    before = asked.solution.names[: asked.solution.names.index(block)]
    features = [name for name in before if name.startswith("features")]
    usual = entry.features(asked.facts)
    if not features:
        return False
    source = asked.solution.source(features[-1])
    return TABLE in source if TABLE in usual else source.startswith(usual.split("\n")[0])


def _abilities(words: str, facts: Facts, solution: Solution, block: str | None) -> str:
    """One line that says what could be suggested instead."""
    names = solution.names if block is None else (block,)
    numbers = sorted(
        {turned.text.split()[1] for n in names for turned in turns(solution.source(n))}
    )
    line = f"the playbook does not understand {words!r}; name a number of the "
    line += f"{'blocks' if block is None else 'block'} ({', '.join(numbers[:6]) or 'it has none'})"
    if not is_ours(solution):
        return line
    models = ", ".join(entry.name for entry in suited(facts)[:5])
    return (
        f"{line}, a model to use or to add ({models}), a kind of feature "
        f"(target_means, counts, ratios, products, logs, ...) with its columns, a column to drop, "
        f"seeds to average, or the logarithm of the target"
    )
