"""Charts for outputs: scores over time, and what blocks are worth. Legible in light and in dark.

They are drawn on figures of their own, without pyplot: nothing of the user's plotting is touched,
and any thread may draw.
"""

from __future__ import annotations

import base64
import html
import io
import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlestar_jupyter.reading import BestPoint, Measured, Point

#: Tones of middle lightness: they stand out from white and from black alike.
GREY, DOT, BEST, POOR = "#858585", "#8f9aa5", "#2f7fe0", "#d9534a"
#: Scores that are worse than the best by so many times the middle distance lie outside.
REACH = 5.0
# Fonts and text are measured with caches that all figures share.
_LOCK = threading.RLock()


def score_chart(
    points: Sequence[Point],
    bests: Sequence[BestPoint],
    *,
    metric: str,
    greater_is_better: bool,
    until: float | None = None,
    size: tuple[float, float] = (7.0, 2.3),
) -> Figure:
    """All scores against minutes as dots, the best so far as a line with its spread.

    ``until`` is the minute up to which the line is drawn. Scores that would press the others flat
    are shown at the edge, as triangles.
    """
    with _LOCK:
        figure, axes = _empty(size)
        points = [p for p in points if math.isfinite(p.score)]
        end = max([until or 0.0, *(p.minutes for p in points), *(b.minutes for b in bests)])
        edge = _edge([p.score for p in points if not p.is_ablation], points, greater_is_better)
        inside = [p for p in points if edge is None or _is_within(p.score, edge, greater_is_better)]
        kinds = (("ablation", True, "none", 14), ("candidate", False, DOT, 20))
        for label, is_ablation, face, area in kinds:
            shown = [p for p in inside if p.is_ablation is is_ablation]
            if shown:
                axes.scatter(
                    [p.minutes for p in shown], [p.score for p in shown], s=area,
                    facecolors=face, edgecolors=DOT, linewidths=0.9, label=label, zorder=2,
                )  # fmt: skip
        if bests:
            minutes = [b.minutes for b in bests] + [end]
            values = [b.score for b in bests] + [bests[-1].score]
            spreads = [b.spread for b in bests] + [bests[-1].spread]
            axes.step(minutes, values, where="post", color=BEST, linewidth=1.8, label="best",
                      zorder=3)  # fmt: skip
            if any(spreads):
                low = [v - s for v, s in zip(values, spreads, strict=True)]
                high = [v + s for v, s in zip(values, spreads, strict=True)]
                axes.fill_between(minutes, low, high, step="post", color=BEST, alpha=0.18,
                                  linewidth=0, label="its spread", zorder=1)  # fmt: skip
        outside = [p for p in points if p not in inside]
        if edge is not None and outside:
            bottom, top = axes.get_ylim()
            bottom, top = (edge, top) if greater_is_better else (bottom, edge)
            axes.set_ylim(bottom, top)
            axes.scatter(
                [p.minutes for p in outside], [edge] * len(outside), s=26, color=POOR,
                marker="v" if greater_is_better else "^", clip_on=False, zorder=4,
                label="far worse",
            )  # fmt: skip
        axes.set_xlim(0, end * 1.02 if end else 1)
        axes.set_xlabel("minutes", color=GREY, fontsize=9)
        axes.set_ylabel(metric, color=GREY, fontsize=9, parse_math=False)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(
                loc="outside upper right", ncols=5, frameon=False, fontsize=8, labelcolor=GREY,
                handletextpad=0.3, columnspacing=1.2, borderaxespad=0.1,
            )  # fmt: skip
        return figure


def ablation_bars(
    results: Sequence[Measured], *, metric: str, size: tuple[float, float] | None = None
) -> Figure:
    """What each block is worth: the gain of the solution over its variants, as bars."""
    with _LOCK:
        measured = [r for r in results if r.gain is not None and math.isfinite(r.gain)]
        figure, axes = _empty(size or (7.0, 0.7 + 0.3 * max(1, len(measured))))
        gains = [r.gain or 0.0 for r in measured]
        places = range(len(measured))
        colors = [BEST if gain > 0 else POOR for gain in gains]
        bars = axes.barh(places, gains, color=colors, height=0.6)
        axes.bar_label(bars, fmt="%+.3g", padding=4, fontsize=8, color=GREY)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.margins(x=0.16)
        names = [_short(f"{r.block}: {r.change}", 48) for r in measured]
        axes.set_yticks(list(places), names, fontsize=8, parse_math=False)
        axes.set_xlabel(
            f"gain in {metric} (right of 0: it helps)", color=GREY, fontsize=9, parse_math=False
        )
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        return figure


def svg(figure: Figure) -> str:
    """A figure as SVG, with nothing behind it."""
    with _LOCK:
        content = io.StringIO()
        # Without a date and with names of its own, the same figure gives the same text.
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
        text = content.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure, *, dpi: float = 144) -> bytes:
    """A figure as PNG, with nothing behind it."""
    with _LOCK:
        content = io.BytesIO()
        figure.savefig(content, format="png", transparent=True, dpi=dpi)
        return content.getvalue()


def image(figure: Figure, words: str) -> str:
    """A figure as an ``img`` that every front end shows; ``words`` say what it shows."""
    width, height = figure.get_size_inches()
    source = base64.b64encode(svg(figure).encode()).decode()
    style = f"width:100%;max-width:{width * 96:.0f}px;aspect-ratio:{width:g}/{height:g};margin:0"
    return (
        f'<img alt="{html.escape(words)}" style="{style}" src="data:image/svg+xml;base64,{source}">'
    )


def _empty(size: tuple[float, float]) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=GREY, labelsize=8)
    axes.grid(visible=False)
    axes.ticklabel_format(useOffset=False)
    return figure, axes


def _edge(
    scores: Sequence[float], points: Sequence[Point], greater_is_better: bool
) -> float | None:
    """The score behind which candidates lie outside; None when all of them can be shown."""
    if not scores:
        return None
    best = max(scores) if greater_is_better else min(scores)
    middle = sorted(abs(score - best) for score in scores)[len(scores) // 2]
    worst = max(best - p.score if greater_is_better else p.score - best for p in points)
    if not middle or worst <= 1.6 * REACH * middle:
        return None
    return best - REACH * middle if greater_is_better else best + REACH * middle


def _is_within(score: float, edge: float, greater_is_better: bool) -> bool:
    return score >= edge if greater_is_better else score <= edge


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
