"""The catalogue of model cards: which models suit which task, and why (the retriever's role)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass

from mlestar_jupyter.agents.playbook import features, models
from mlestar_jupyter.agents.playbook.facts import Facts
from mlestar_jupyter.interfaces import ModelCard

Rule = Callable[[Facts], float]


@dataclass(frozen=True)
class Entry:
    """A model: its card, how much it suits a task (0: not at all), and its blocks."""

    name: str
    reason: str
    source: str
    suits: Rule
    model: Callable[[Facts], str]
    features: Callable[[Facts], str] = features.features_block
    package: str = "sklearn"

    @property
    def is_installed(self) -> bool:
        """Whether its package can be imported here."""
        return importlib.util.find_spec(self.package) is not None


def _only_words(facts: Facts) -> bool:
    """Text, and little beside it."""
    return bool(facts.texts) and len(facts.numbers) + len(facts.categories) <= 2


def _lightgbm(facts: Facts) -> float:
    return 0.45 if facts.images else 1.0


def _catboost(facts: Facts) -> float:
    if facts.images or facts.classes > 10:
        return 0.1
    return 0.6 if _only_words(facts) else 0.9


def _xgboost(facts: Facts) -> float:
    return 0.2 if facts.images or facts.classes > 20 else 0.6


def _hist_boosting(facts: Facts) -> float:
    return 0.1 if facts.images else 0.5


def _extra_trees(facts: Facts) -> float:
    if models.cells(facts) > 20e6:
        return 0.05
    return 0.5 if _only_words(facts) else 0.75


def _random_forest(facts: Facts) -> float:
    return 0.05 if models.cells(facts) > 20e6 else 0.4


def _linear(facts: Facts) -> float:
    if facts.rows > 300_000:
        return 0.05
    if facts.images:
        return 0.4
    if _only_words(facts):
        return 0.95
    if facts.strings:
        return 0.85
    return 0.78 if facts.rows < 1_000 else 0.55


def _mlp(facts: Facts) -> float:
    return 0.45 if 1_000 <= facts.rows <= 50_000 and not facts.texts else 0.1


def _svm(facts: Facts) -> float:
    if facts.images:
        return 1.0 if facts.rows <= 15_000 else 0.05
    return 0.6 if facts.rows <= 3_000 and not facts.texts else 0.0


def _neighbours(facts: Facts) -> float:
    if facts.images:
        return 0.7
    return 0.15 if facts.rows <= 20_000 else 0.0


def _naive_bayes(facts: Facts) -> float:
    if not facts.texts or facts.classes == 1:
        return 0.0
    return 0.97 if _only_words(facts) else 0.5


def _text_linear(facts: Facts) -> float:
    return 0.0 if not facts.texts else 0.93


def _letters_linear(facts: Facts) -> float:
    if not facts.texts:
        return 0.0
    return 0.7 if _only_words(facts) else 0.4


ENTRIES = (
    Entry(
        "lightgbm", "boosted trees are the strongest single model for most tables, and quick",
        "https://lightgbm.readthedocs.io", _lightgbm, models.lightgbm, package="lightgbm",
    ),
    Entry(
        "catboost", "ordered boosting of symmetric trees overfits little and errs elsewhere",
        "https://catboost.ai/docs", _catboost, models.catboost, package="catboost",
    ),
    Entry(
        "xgboost", "boosting level by level with second derivatives; a good partner in a blend",
        "https://xgboost.readthedocs.io", _xgboost, models.xgboost, package="xgboost",
    ),
    Entry(
        "extra_trees", "averaged random trees are robust where the target is noisy",
        "https://scikit-learn.org/stable/modules/ensemble.html", _extra_trees, models.extra_trees,
    ),
    Entry(
        "linear", "a regularised linear model reads wide categories and strings that trees miss",
        "https://scikit-learn.org/stable/modules/linear_model.html", _linear, models.linear,
    ),
    Entry(
        "hist_boosting", "boosting with histograms takes missing values and categories as they are",
        "https://scikit-learn.org/stable/modules/ensemble.html", _hist_boosting,
        models.hist_boosting,
    ),
    Entry(
        "random_forest", "a forest needs no tuning and shows what trees can find",
        "https://scikit-learn.org/stable/modules/ensemble.html", _random_forest,
        models.random_forest,
    ),
    Entry(
        "mlp", "a small network finds smooth shapes that trees only approximate",
        "https://scikit-learn.org/stable/modules/neural_networks_supervised.html", _mlp, models.mlp,
    ),
    Entry(
        "svm", "a Gaussian kernel is strong on few rows, and on small pictures",
        "https://scikit-learn.org/stable/modules/svm.html", _svm, models.svm,
    ),
    Entry(
        "neighbours", "similar rows have similar answers; it errs unlike any other model",
        "https://scikit-learn.org/stable/modules/neighbors.html", _neighbours, models.neighbours,
    ),
    Entry(
        "naive_bayes", "words alone often tell the class, and counting them takes a second",
        "https://scikit-learn.org/stable/modules/naive_bayes.html", _naive_bayes,
        models.naive_bayes, lambda facts: features.words_block(facts, beside=False),
    ),
    Entry(
        "text_linear", "a linear model of word weights is hard to beat on short texts",
        "https://scikit-learn.org/stable/modules/feature_extraction.html", _text_linear,
        models.text_linear, lambda facts: features.words_block(facts, beside=True),
    ),
    Entry(
        "letters_linear", "letters inside words know spelling, endings and names",
        "https://scikit-learn.org/stable/modules/feature_extraction.html", _letters_linear,
        models.letters_linear, features.letters_block,
    ),
)  # fmt: skip
BY_NAME = {entry.name: entry for entry in ENTRIES}
#: What else people call them, in words as ``_plain`` writes them.
_CALLED = {
    "lightgbm": r"lgbm?|light ?gbm?",
    "catboost": r"cat ?boost",
    "xgboost": r"xgb|xg ?boost|extreme gradient boosting",
    "extra_trees": r"extra ?trees?|extremely randomi[sz]ed trees",
    "linear": r"linear(?: model| regression)?|ridge|logistic(?: regression)?|logreg",
    "hist_boosting": r"(?:hist(?:ogram)? )?gradient boost(?:ing|ed trees)|hist(?:ogram)? ?boosting",
    "random_forest": r"random ?forests?",
    "mlp": r"mlp|(?:deep )?neural net(?:work)?s?|(?:multi ?layer )?perceptron",
    "svm": r"svm|svc|svr|support vectors?(?: machines?)?",
    "neighbours": r"k ?nn|(?:k )?nearest ?neighbou?rs?|k ?neighbou?rs",
    "naive_bayes": r"naive ?bayes|(?:multinomial )?nb",
    "text_linear": r"text linear",
    "letters_linear": r"letters linear",
}
_SUFFIX = re.compile(r" (?:classifier|regressor|classification|regression|model|machine)s?$")


def _plain(words: str) -> str:
    """Words in lower case, with spaces between the words of ``CamelCase`` and snake_case."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", words)
    return " ".join(re.sub(r"[_\-]", " ", apart).lower().split())


def find(name: str) -> Entry | None:
    """The entry that a card's name means ("Random Forest", "XGBClassifier"); None if none does."""
    words = _plain(name)
    for entry in ENTRIES:
        wanted = rf"{entry.name.replace('_', ' ')}|{_CALLED[entry.name]}"
        if re.fullmatch(wanted, words) or re.fullmatch(wanted, _SUFFIX.sub("", words)):
            return entry
    return None


def mentioned(words: str) -> list[Entry]:
    """The entries that a person's words name, in their order."""
    text = _plain(words)
    found: list[tuple[int, int, Entry]] = []
    for entry in ENTRIES:
        pattern = rf"\b(?:{entry.name.replace('_', ' ')}|{_CALLED[entry.name]})\b"
        found += [(m.start(), m.end(), entry) for m in re.finditer(pattern, text)]
    found.sort(key=lambda one: one[0] - one[1])
    kept: list[tuple[int, int, Entry]] = []
    for start, end, entry in found:
        if all(end <= begin or stop <= start for begin, stop, _ in kept):
            kept.append((start, end, entry))
    return list(dict.fromkeys(entry for _, _, entry in sorted(kept, key=lambda one: one[0])))


def suited(facts: Facts) -> list[Entry]:
    """The installed models that suit a task, the most promising first."""
    found = [(entry.suits(facts), entry) for entry in ENTRIES if entry.is_installed]
    found.sort(key=lambda pair: -pair[0])
    return [entry for worth, entry in found if worth > 0]


def card(entry: Entry, facts: Facts) -> ModelCard:
    """The card of a model, with its block for this task as the example."""
    return ModelCard(entry.name, entry.reason, entry.model(facts), entry.source)
