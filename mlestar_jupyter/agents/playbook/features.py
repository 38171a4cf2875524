"""The features block: which sections suit a task, and which are worth a try later."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlestar_jupyter.agents.playbook import named, sections
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.agents.playbook.pictures import picture_values
from mlestar_jupyter.agents.playbook.rendering import render

Values = dict[str, Any]


@dataclass(frozen=True)
class Feature:
    """A section: its words in a plan, and its values for a task (None: it does not apply).

    ``of_columns`` gives them for columns that a person names (None: the section takes none).
    ``prior`` is how likely it is to help where it applies, from 0 to 1; ``slow`` how many times
    longer the block takes with it. ``first`` says that it belongs to the first solution.
    """

    name: str
    plan: str
    values: Callable[[Facts], Values | None]
    of_columns: Callable[[Facts, list[str]], Values | None] | None = None
    first: bool = False
    prior: float = 0.3
    slow: float = 1.0

    @property
    def least(self) -> int:
        """How few columns it can work with."""
        return 2 if self.name in ("pair_means", "products", "neighbours") else 1


def _only_named(_: Facts) -> Values | None:
    """For a section that is never proposed: a person must ask for it."""
    return None


def _dates(facts: Facts) -> Values | None:
    return {"formats": facts.formats} if facts.formats else None


def _date_gaps(facts: Facts) -> Values | None:
    return {"formats": facts.formats} if 1 < len(facts.formats) <= 4 else None


def _missing(facts: Facts) -> Values | None:
    return {} if facts.has_gaps else None


def _drift(facts: Facts) -> Values | None:
    return {} if facts.split == "time" else None


def _target_means(facts: Facts) -> Values | None:
    if not facts.wide or not named.is_encodable(facts):
        return None
    return {"columns": facts.wide, "target_type": named.target_type(facts)}


def _pair_means(facts: Facts) -> Values | None:
    known = sorted(facts.categories, key=lambda name: -facts.columns[name].distinct)[:3]
    if len(known) < 2 or not named.is_encodable(facts):
        return None
    return {"columns": known, "target_type": named.target_type(facts)}


def _code_means(facts: Facts) -> Values | None:
    if not facts.codes or not named.is_encodable(facts):
        return None
    return {"columns": facts.codes, "target_type": named.target_type(facts)}


def _counts(facts: Facts) -> Values | None:
    return {"columns": facts.wide} if facts.wide else None


def _strings(facts: Facts) -> Values | None:
    return {"columns": facts.strings} if facts.strings else None


def _pieces(facts: Facts) -> Values | None:
    unlike = [
        name
        for name in facts.of_kind("category")
        if facts.columns[name].distinct > max(50, 0.05 * facts.rows)
    ]
    return {"columns": unlike[:4]} if unlike else None


def _ratios(facts: Facts) -> Values | None:
    return {"pairs": facts.ratios} if facts.ratios else None


def _numbers(facts: Facts, least: int) -> Values | None:
    return {"columns": facts.numbers} if len(facts.numbers) >= least else None


def _group_gaps(facts: Facts) -> Values | None:
    few = [n for n in facts.categories if 2 < facts.columns[n].distinct <= 500][:3]
    return {"categories": few, "numbers": facts.numbers[:5]} if few and facts.numbers else None


def _geography(facts: Facts) -> Values | None:
    return {"latitude": facts.place[0], "longitude": facts.place[1]} if facts.place else None


def _neighbours(facts: Facts) -> Values | None:
    return _geography(facts) if facts.rows <= 200_000 and facts.classes <= 10 else None


def _text_numbers(facts: Facts) -> Values | None:
    return {"columns": facts.texts} if facts.texts else None


def _text_models(facts: Facts) -> Values | None:
    if not facts.texts or facts.classes > 60:
        return None
    return {"columns": facts.texts, "answers": named.answers(facts)}


def _text_topics(facts: Facts) -> Values | None:
    return {"columns": facts.texts} if facts.texts else None


def _gradients(facts: Facts) -> Values | None:
    return {"cells": 4} if facts.images else None


_KINDS, _STRINGS = ("category", "boolean", "numeric"), ("category", "text")
#: In the order in which they stand in a block.
FEATURES = (
    Feature("dates", "the parts of dates", _dates, named.dates, first=True, prior=0.7),
    Feature(
        "date_gaps", "days between dates", _date_gaps,
        lambda f, names: named.dates(f, names) if len(names) > 1 else None, first=True, prior=0.4,
    ),
    Feature("missing", "what is missing in a row", _missing, prior=0.3),
    Feature(
        "ratios", "ratios of numbers that grow together", _ratios, named.ratio,
        first=True, prior=0.5,
    ),
    Feature("logs", "logarithms of numbers", _only_named, named.columns("numeric"), prior=0.1),
    Feature("geography", "turned coordinates", _geography, named.place, first=True, prior=0.6),
    Feature(
        "neighbours", "the mean target of near places", _neighbours, named.place,
        first=True, prior=0.7,
    ),
    Feature(
        "target_means", "the mean target of categories", _target_means, named.means(),
        first=True, prior=0.7,
    ),
    Feature(
        "pair_means", "the mean target of pairs of categories", _pair_means, named.means(least=2),
        prior=0.5,
    ),
    Feature(
        "code_means", "the mean target of whole numbers", _code_means, named.means(),
        first=True, prior=0.4,
    ),
    Feature("counts", "how often categories occur", _counts, named.columns(*_KINDS), prior=0.4),
    Feature(
        "strings", "the letters of strings", _strings, named.columns(*_STRINGS),
        first=True, prior=0.7, slow=2.0,
    ),
    Feature(
        "pieces", "the pieces of codes and names", _pieces, named.columns(*_STRINGS), prior=0.4,
    ),
    Feature(
        "text_numbers", "numbers about a text", _text_numbers, named.columns(*_STRINGS),
        first=True, prior=0.6,
    ),
    Feature(
        "text_models", "quick models of the words", _text_models, named.texts,
        first=True, prior=0.9,
    ),
    Feature(
        "letter_models", "quick models of letters", _text_models, named.texts,
        prior=0.6, slow=1.5,
    ),
    Feature(
        "text_topics", "the topics of a text", _text_topics, named.columns(*_STRINGS),
        prior=0.5, slow=1.5,
    ),
    Feature(
        "group_gaps", "numbers beside their category's mean", _group_gaps, named.gaps, prior=0.35,
    ),
    Feature(
        "products", "products of telling numbers", lambda f: _numbers(f, 3),
        named.columns("numeric", least=2), prior=0.3,
    ),
    Feature(
        "row_statistics", "statistics of a row", lambda f: _numbers(f, 6),
        named.columns("numeric"), prior=0.25,
    ),
    Feature(
        "clusters", "distances to groups of rows", lambda f: _numbers(f, 3),
        named.columns("numeric"), prior=0.3,
    ),
    Feature(
        "skrub_strings", "strings encoded by skrub", _strings, named.columns(*_STRINGS),
        prior=0.2, slow=2.0,
    ),
    Feature("images", "pixels", picture_values, first=True),
    Feature("gradients", "the direction of edges", _gradients, prior=0.5, slow=1.5),
    Feature("drift", "without numbers that only tell the time", _drift, first=True),
)  # fmt: skip
#: The section that takes out columns a person does not want.
DROPPED = "dropped"
ORDER = [DROPPED, *(feature.name for feature in FEATURES), "table"]
#: How the features block of tables begins.
TABLE = "X, X_test = train.copy(), test.copy()"


def section(feature: Feature, facts: Facts, columns: Sequence[str] = ()) -> str | None:
    """The source of a section for a task, of these columns if any; None: it does not apply."""
    restricted = feature.of_columns if columns else None
    values = restricted(facts, list(columns)) if restricted else feature.values(facts)
    if values is None:
        return None
    words = facts.words | (facts.clock_parts if feature.name == "dates" else set())
    return render(f"features/{feature.name}", words, values)


def features_block(facts: Facts) -> str:
    """The features block of a first solution for tables."""
    first = [section(feature, facts) for feature in FEATURES if feature.first]
    parts = [render("features/start", facts.words), *(source for source in first if source)]
    odd = any(not re.fullmatch(r"\w+", name) for name in facts.columns)
    odd |= any(join.columns and not join.table.one_row for join in facts.joins)
    parts.append(render("features/table", facts.words | ({"plain_names"} if odd else set())))
    return "\n\n".join(parts)


def words_block(facts: Facts, *, beside: bool) -> str:
    """The features block of word weights; with numbers and categories ``beside`` them or not."""
    numbers = facts.numbers[:40] if beside else []
    kinds = [n for n in facts.categories if facts.columns[n].distinct <= 500] if beside else []
    words = set(facts.words)
    words |= {"numbers"} if numbers else set()
    words |= {"kinds"} if kinds else set()
    words |= {"several"} if numbers or kinds or len(facts.texts) > 1 else set()
    values = {
        "columns": facts.texts, "column": facts.texts[0], "numbers": numbers, "kinds": kinds,
    }  # fmt: skip
    return render("features/words", words, values)


def letters_block(facts: Facts) -> str:
    """The features block of weights of letters inside words."""
    return render("features/letters", facts.words, {"columns": facts.texts})


def more_features(source: str, facts: Facts) -> list[tuple[Feature, str]]:
    """Sections that apply and that the block lacks, the most promising first."""
    if TABLE not in source:
        return []
    present = set(sections.names(source))
    found = [
        (feature, sections.add(source, new, ORDER))
        for feature in FEATURES
        if feature.name not in present and (new := section(feature, facts)) is not None
    ]
    found.sort(key=lambda pair: -pair[0].prior / pair[0].slow)
    return found
