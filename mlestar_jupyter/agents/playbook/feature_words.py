"""Kinds of features in a person's words: which sections "target encoding for city" means."""

from __future__ import annotations

import re

from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.features import FEATURES, Feature

_REMOVAL = (
    r"\b(?:without|remov\w+|drop|dropping|leave out|leaving out|delet\w+|exclud\w+|omit\w*|"
    r"ignor\w+|skip\w*|get rid of|do(?: not|n't) use|no more|take out|throw out|no)\b(?!\.)"
)
#: How two columns are said to go together; what that means depends on what they hold.
_TOGETHER = r"interact|\bcombin|\bcross(?:ed|ing)?\b|\bpairs?\b"
_CALLED = {
    "target_means": r"target.?(?:means?\b|encod)|mean.?encod|encod\w* .*\btarget\b|mean target",
    "pair_means": r"pair.?means?",
    "code_means": r"\bcodes?\b",
    "counts": r"\bcount|frequen",
    "strings": r"\bstrings?\b|n.?grams?\b|\bsimilar",
    "dates": r"\bdates?\b|\bhours?\b|weekday|day of (?:the )?week|season|\bmonths?\b",
    "date_gaps": r"days between|between (?:the )?dates|date (?:gaps|differences)",
    "missing": r"missing|\bnans?\b|\bnulls?\b",
    "ratios": r"\bratios?\b|\bdivid|\bquotient|\bper\b",
    "logs": r"\blog(?:s|1p|arithms?)?\b",
    "products": r"\bproducts?\b|multipl|polynom|\btimes\b|\bsums?\b|differences?\b",
    "geography": r"\brotat|coordinat|geograph",
    "neighbours": r"neighbo|nearest|\bk?nn\b",
    "clusters": r"\bcluster|k.?means",
    "row_statistics": r"\brow.?(?:stat|mean|wise)|statistics of (?:a|each|the) row",
    "group_gaps": r"\bgroup|aggregat|mean of (?:its|their|the) categor",
    "text_models": r"stack\w* .*(?:word|text)|text models?|models? of (?:the )?words",
    "letter_models": r"letters?\b|characters?\b",
    "text_topics": r"\btopics?\b|\bsvd\b|\blsa\b",
    "text_numbers": r"\blengths?\b|punctuation|number of words",
    "gradients": r"\bhog\b|\bedges?\b|gradients?\b(?! boost)",
    "pieces": r"\bpieces\b|\btitles?\b|prefix|suffix|first (?:word|letter)",
    "skrub_strings": r"skrub|string ?encoder",
}


def is_removal(words: str) -> bool:
    """Whether something is to be left out."""
    return re.search(_REMOVAL, words, re.IGNORECASE) is not None


def features_in(named: list[str], rest: str, facts: Facts, words: str) -> list[Feature]:
    """The kinds of features that words ask for, the most likely first.

    ``named`` are the columns that the words name, ``rest`` is what is left of the words: a
    column called "count" asks for no counting. Only if nothing is found are all words read.
    """
    found = _found(rest) or (_by_name(words, named) if is_removal(words) else _found(words))
    if re.search(_TOGETHER, rest, re.IGNORECASE):
        together = _together(named, facts)
        found = [*(f for f in FEATURES if f.name in together), *found]
    # A list of columns suits some kinds only: those that fit go first.
    fitting = [f for f in found if named and f.of_columns and f.of_columns(facts, named)]
    return list(dict.fromkeys([*fitting, *found]))


def _found(text: str) -> list[Feature]:
    by_name = _by_name(text, [])
    return [
        feature
        for feature in FEATURES
        if feature in by_name or re.search(_CALLED.get(feature.name, r"(?!)"), text, re.IGNORECASE)
    ]


def _by_name(words: str, named: list[str]) -> list[Feature]:
    """Sections under the names that they have in a block, unless a column is called so."""
    text, taken = words.lower().replace("_", " "), {name.lower() for name in named}
    return [f for f in FEATURES if f.name.replace("_", " ") in text and f.name not in taken]


def _together(named: list[str], facts: Facts) -> tuple[str, ...]:
    """What it is for these columns to go together."""
    kinds = {facts.columns[name].kind for name in named}
    if "numeric" not in kinds and kinds:
        return ("pair_means",)
    if kinds == {"numeric"}:
        return ("products",)
    return ("group_gaps",) if kinds else ("pair_means", "products")
