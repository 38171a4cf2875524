"""A person's own words as a plan: numbers are set, words are matched with what the playbook has."""

from __future__ import annotations

import re

from mlestar_jupyter.agents.playbook import literals, steps
from mlestar_jupyter.agents.playbook.catalogue import BY_NAME
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.features import FEATURES, section
from mlestar_jupyter.errors import ReplyError

_SET = re.compile(r"\b(\w+)\s*(?:=|to|:)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\b")
_WORDS = {
    "target_means": r"target.?(mean|encod)",
    "pair_means": r"pair|interaction|combin",
    "code_means": r"\bcodes?\b",
    "counts": r"count|frequen",
    "strings": r"string|n.?gram|similar",
    "dates": r"\bdates?\b|hour|weekday|season|month",
    "missing": r"missing|\bnan\b|null",
    "ratios": r"ratio|divid",
    "products": r"product|multipl|polynom",
    "geography": r"rotat|coordinat|geograph",
    "neighbours": r"neighbo|nearest|\bknn\b",
    "clusters": r"cluster|k.?means",
    "row_statistics": r"row (stat|mean)",
    "group_gaps": r"group|aggregat",
    "text_models": r"naive|stack.*(word|text)",
    "letter_models": r"letter|character",
    "text_topics": r"topic|svd|lsa",
    "text_numbers": r"length|punctuation",
    "gradients": r"\bhog\b|edge|gradient",
    "skrub_strings": r"skrub|string ?encoder",
}
_LOG = r"\blog(arithm)?\b.*target|target.*\blog"
_SEEDS = r"(\d+)?\s*seeds?\b|bagging"


def understand(words: str, source: str, facts: Facts) -> str:
    """The plan that a suggestion means for this block. ReplyError when it means none."""
    named = {literal.name for literal in literals.numbers(source)}
    pairs = [f"{name} to {value}" for name, value in _SET.findall(words) if name in named]
    if pairs:
        return f"set {', '.join(pairs)}"
    text = words.lower()
    removing = re.search(r"\b(without|remove|drop|leave out)\b", text) is not None
    for feature in FEATURES:
        pattern = _WORDS.get(feature.name)
        hit = re.search(pattern, text) if pattern else None
        if hit is None and feature.name not in text:
            continue
        if removing:
            return f"leave out {feature.name}"
        if "train.copy(), test.copy()" in source and section(feature, facts) is not None:
            return f"add {feature.name}: {feature.plan}"
    if re.search(_LOG, text):
        return "learn the logarithm of the target"
    seeds = re.search(_SEEDS, text)
    if seeds:
        return f"average {seeds[1] or 3} seeds"
    for name, entry in BY_NAME.items():
        if re.search(rf"\b{name.replace('_', '[ _]?')}\b", text) and entry.suits(facts) > 0:
            instead = re.search(r"instead|replace|switch|only", text)
            return f"use the model {name} instead" if instead else f"add the model {name} beside it"
    raise ReplyError(
        f"the playbook does not understand {words!r}; name a number of the block "
        f"({', '.join(sorted(named)[:6]) or 'it has none'}), a model or a kind of feature"
    )


def as_plan(words: str, source: str, facts: Facts) -> str:
    """The plan itself when the words are one of ours, else what they mean."""
    return words if steps.is_known(words) else understand(words, source, facts)
