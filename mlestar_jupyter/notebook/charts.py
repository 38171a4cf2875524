"""The charts of a finished notebook, as the source of short matplotlib cells."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from mlestar_jupyter.notebook.python_source import filled, literal
from mlestar_jupyter.task import Task

_PROGRESS = Template("""\
import itertools

import matplotlib.pyplot as plt

# Minutes since the start and score of each candidate, in the order in which they were judged.
judged = [
${points}
]
minutes, scores = zip(*judged)
best_so_far = list(itertools.accumulate(scores, ${better}))

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.scatter(minutes, scores, s=22, color="#9aa5b1", label="candidate")
ax.step(minutes, best_so_far, where="post", color="#1f6feb", linewidth=2, label="best so far")
${limits}ax.set(xlabel="minutes", ylabel=${metric})
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
plt.show()""")

_GAINS = Template("""\
import matplotlib.pyplot as plt

# How much better the solution is than a variant of it in which one block is changed.
gains = {
${gains}
}
fig, ax = plt.subplots(figsize=(8, 0.8 + 0.34 * len(gains)), layout="constrained")
colors = ["#1f6feb" if gain > 0 else "#d1493f" for gain in gains.values()]
bars = ax.barh(list(gains), list(gains.values()), color=colors, height=0.62)
ax.bar_label(bars, fmt="%+.3g", padding=4, fontsize=9)
ax.axvline(0, color="#57606a", linewidth=0.8)
ax.margins(x=0.14)
ax.set(xlabel=${label})
ax.spines[["top", "right", "left"]].set_visible(False)
ax.tick_params(left=False)
ax.invert_yaxis()
plt.show()""")

_TOGETHER = """\
actual = np.concatenate([a for a, _ in graded])
predicted = np.concatenate([p for _, p in graded])
"""

_NUMBERS = Template("""\
import matplotlib.pyplot as plt

${together}
shown = np.random.default_rng(0).permutation(len(actual))[:3_000]
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.scatter(predicted[shown], actual[shown], s=14, alpha=0.4, color="#1f6feb")
left.axline((actual.mean(), actual.mean()), slope=1, color="#57606a", linewidth=1)
left.set(title="held-out rows", xlabel="predicted", ylabel="actual")
right.scatter(predicted[shown], (actual - predicted)[shown], s=14, alpha=0.4, color="#1f6feb")
right.axhline(0, color="#57606a", linewidth=1)
right.set(title="what is left", xlabel="predicted", ylabel="actual - predicted")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()""")

_PROBABILITIES = Template("""\
import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import RocCurveDisplay

${together}
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for number, (a, p) in enumerate(graded, start=1):
    RocCurveDisplay.from_predictions(a, p, ax=axes[0], name=f"fold {number}")
CalibrationDisplay.from_predictions(
    actual, predicted, n_bins=10, strategy="quantile", ax=axes[1], name="all folds"
)
axes[0].axline((0, 0), slope=1, color="#57606a", linewidth=1, linestyle=":")
axes[0].set(title="ROC, held-out rows", xlabel="false positive rate", ylabel="true positive rate")
axes[1].set(title="calibration", xlabel="predicted probability", ylabel="share of ${positive}")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
plt.show()""")

_CLASSES = Template("""\
import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

${together}${labels}
fig, ax = plt.subplots(figsize=(${size}, ${size}), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    actual,
    predicted,${names}
    normalize="true",
    ${values},
    xticks_rotation=${rotation},
    cmap="Blues",
    colorbar=False,
    ax=ax,
)
ax.set_title("held-out rows: share of each actual class")
plt.show()""")

_NAMES = Template("""
    labels=range(len(class_names)),
    display_labels=${labels},""")

#: Classes beyond the first number go without figures in their cells, beyond the second there is
#: no chart: nobody could read it.
_WITH_FIGURES, _WITH_CHART = 12, 60


def progress_chart(
    points: Sequence[tuple[float, float]], metric: str, *, greater_is_better: bool
) -> str:
    """Scores over time, the best so far drawn as a line."""
    entries = filled([f"({minutes:.2f}, {score:.6g})" for minutes, score in points])
    values = sorted((score for _, score in points), reverse=not greater_is_better)
    return _PROGRESS.substitute(
        points=entries,
        better="max" if greater_is_better else "min",
        metric=literal(metric),
        limits=_limits(values, greater_is_better=greater_is_better),
    )


def gains_chart(gains: Sequence[tuple[str, float]], metric: str) -> str:
    """The largest gains of ablation studies as bars."""
    lines = [f"    {literal(_label(name))}: {gain:.6g}," for name, gain in gains]
    label = f"gain in {metric} (right of 0: it helps)"
    return _GAINS.substitute(gains="\n".join(lines), label=literal(label))


def validation_chart(task: Task) -> str | None:
    """What held-out predictions look like; None when a chart would say nothing."""
    if task.kind == "regression":
        return _NUMBERS.substitute(together=_TOGETHER)
    if task.metric.needs == "value" or len(task.classes) > _WITH_CHART:
        return None
    if task.metric.needs == "probability" and task.kind == "binary":
        positive = literal(_label(str(task.positive_class)))[1:-1]
        return _PROBABILITIES.substitute(together=_TOGETHER, positive=positive)
    labels = {
        "probability": "predicted = predicted.argmax(axis=1)\n",
        "ranking": "predicted = np.array([ranked.split()[0] for ranked in predicted])\n",
    }.get(task.metric.needs, "")
    count, longest = len(task.classes), max(len(str(label)) for label in task.classes)
    has_names = task.metric.needs != "ranking"
    has_dollars = any("$" in str(label) for label in task.classes)
    shown = r'[name.replace("$", r"\$") for name in class_names]' if has_dollars else "class_names"
    return _CLASSES.substitute(
        together=_TOGETHER,
        labels=labels,
        size=f"{min(9.0, 3.2 + 0.45 * count):.3g}",
        names=_NAMES.substitute(labels=shown) if has_names else "",
        rotation=0 if longest <= 3 or (count <= 4 and longest <= 12) else 90,
        values='values_format=".2f"' if count <= _WITH_FIGURES else "include_values=False",
    )


def _label(text: str) -> str:
    """Text that matplotlib shows as it is: two dollars would begin and end a formula."""
    return text.replace("$", r"\$")


def _limits(worst_first: Sequence[float], *, greater_is_better: bool) -> str:
    """A limit of the axis that leaves very bad scores out, if they would press the rest flat."""
    best = worst_first[-1]
    middle = worst_first[len(worst_first) // 2]
    reach = abs(best - middle) * 6
    if not reach or abs(best - worst_first[0]) <= 3 * reach:
        return ""
    bound = best - reach if greater_is_better else best + reach
    side = "bottom" if greater_is_better else "top"
    return f"ax.set_ylim({side}={bound:.6g})  # much worse candidates lie outside\n"
