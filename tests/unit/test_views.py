"""What verbs give back: objects to compute on, HTML and plain text."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from searched import FIRST, judged, search
from spent import PAGES, spend

from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter import charts, views
from mlestar_jupyter.jupyter.views import markup, words
from mlestar_jupyter.reading import BestPoint, Measured, Point, studies
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
_VOID = {"img", "br"}


class _Checker(HTMLParser):
    """Every tag is closed by its own; collects the visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def seen(view: views.View) -> str:
    """The text that the HTML shows; the HTML is whole and runs nothing of the data."""
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == repr(view) == view.text
    checker = _Checker()
    checker.feed(bundle["text/html"])
    assert checker.open == []
    assert "<script" not in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]
    return checker.said.replace("\xa0", " ")


@pytest.fixture
def empty(build: Callable[..., Path], diabetes: Frames, tmp_path: Path) -> Run:
    settings = Settings(folds=2, solutions=2, seconds=100)
    return Run.create(tmp_path / "runs" / "first", from_folder(build(*diabetes)), settings)


@pytest.fixture
def run(empty: Run) -> Run:
    search(empty)
    return empty


def candidate(run: Run, name: str) -> views.CandidateView:
    return views.CandidateView(run, run.state.candidates[name])


def test_a_run_gives_its_task_best_score_and_candidates(run: Run) -> None:
    view = views.run_view(run)
    assert view.folder == run.folder
    assert view.task is run.task
    assert view.best is not None
    assert view.best.id == "0007"
    assert view.score is not None
    assert (view.score.value, view.score.spread) == (57.0, 1.5)
    assert view.state == "at work"
    assert (view.submission, view.notebook) == (None, None)


def test_the_candidates_of_a_run_are_a_dataframe(run: Run) -> None:
    frame = views.RunView(run).candidates
    assert list(frame.columns) == [
        "id", "stage", "block", "branch", "score", "spread", "gain", "seconds", "status", "title",
        "plan", "parents", "best",
    ]  # fmt: skip
    assert list(frame["id"]) == [f"000{n}" for n in range(1, 8)]
    by_id = frame.set_index("id")
    assert by_id.loc["0005", "gain"] == 2.0
    assert by_id.loc["0005", "branch"] == 1
    assert pd.isna(by_id.loc["0007", "branch"])  # an ensemble belongs to no branch
    assert pd.isna(by_id.loc["0002", "score"])
    assert list(frame.loc[frame["best"], "id"]) == ["0007"]


def test_the_candidates_of_an_empty_run_are_an_empty_dataframe(empty: Run) -> None:
    frame = views.RunView(empty).candidates
    assert len(frame) == 0
    assert "score" in frame.columns


def test_a_run_shows_best_chart_and_table(run: Run) -> None:
    view = views.RunView(run)
    said = seen(view)
    for told in (
        "first",
        "at work",
        "rmse",
        "57 ± 1.5",
        "6 scored (2 ablations), 1 not",
        "average",
    ):
        assert told in said, told
    assert "data:image/svg+xml" in view.markup
    assert "57 ± 1.5" in view.text


def test_a_run_that_has_just_begun_says_so(empty: Run) -> None:
    assert "no candidate has a score yet" in seen(views.RunView(empty))


def test_a_run_links_its_files_when_they_are_below_the_notebook(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.folder / "run.ipynb").write_text("{}")
    (run.folder / "submission.csv").write_text("id")
    run.emit("submission_written", id="0007", path="submission.csv", seconds=1.0)
    monkeypatch.chdir(run.folder.parent.parent)
    assert 'href="runs/first/submission.csv"' in views.RunView(run).markup
    assert views.RunView(run).submission == run.folder / "submission.csv"
    elsewhere = run.folder.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "href" not in views.RunView(run).markup
    assert str(run.folder / "submission.csv") in seen(views.RunView(run))


def test_a_candidate_gives_its_blocks_score_and_place(run: Run) -> None:
    view = candidate(run, "0005")
    assert (view.id, view.stage, view.status, view.parents) == ("0005", "refine", "ok", ("0001",))
    assert view.gain == 2.0
    assert list(view.blocks) == ["load", "features", "model", "predict"]
    assert view.source("features").endswith("X.fillna(X.median())")
    assert view.solution.source("model") == view.blocks["model"]
    assert view.folder == run.candidate_folder("0005")
    assert view.executed == []


def test_a_candidate_shows_a_heading_and_every_block_the_changed_one_open(run: Run) -> None:
    view = candidate(run, "0005")
    said = seen(view)
    for told in (
        "0005 · refine features", "58 ± 1.5", "gain +2 over 0001", "the best of its branch",
        "fill with medians", "X.fillna(X.median())", "Ridge(alpha=1.0)",
    ):  # fmt: skip
        assert told in said, told
    assert view.markup.count("<details open") == 1
    assert view.markup.count("<details") == 4
    assert "# %% features  (changed)\n" in view.text
    assert "# %% model\n" in view.text


def test_a_candidate_that_failed_shows_why_and_escapes_it(run: Run) -> None:
    view = candidate(run, "0002")
    said = seen(view)
    assert "failed: block model: NameError: <b>Broken</b>" in said
    assert "<script>alert(1)</script>" in said
    assert "model = <b>Broken</b>()" in said
    assert view.score is None
    assert "1 debug round" in view.text


def test_code_is_coloured_and_keeps_every_letter() -> None:
    source = "def f(x):\n    # <i>\n    return 'a' + str(1.5)  \n\n\n"
    checker = _Checker()
    checker.feed(markup.code(source))
    assert checker.said == source
    assert "--jp-mirror-editor-keyword-color" in markup.code(source)


def test_the_tree_is_indented_and_marks_what_was_accepted(run: Run) -> None:
    view = views.TreeView(run)
    lines = view.text.splitlines()
    assert any(line.startswith("✔ 0001 initialize") for line in lines)
    assert any(
        line.startswith("├─ study") and "filled gaps (features) +20" in line for line in lines
    )
    assert any(line.startswith("│  └─ ★ 0007 ensemble") and "with 0001" in line for line in lines)
    assert any(line.startswith("└─ ✘ 0006 refine features") for line in lines)
    said = seen(view)
    assert "0006" in said
    assert "filled gaps (features) +20" in said


def test_views_of_an_empty_run_say_that_there_is_nothing(empty: Run) -> None:
    assert "no candidate was judged yet" in seen(views.TreeView(empty))
    assert "nothing was executed yet" in seen(views.CostView(empty))
    assert "nothing new was tried" in seen(views.TriedView(empty, []))


def test_a_difference_is_a_unified_diff_and_coloured_lines(run: Run) -> None:
    known = run.state.candidates
    view = views.DiffView(run, known["0005"], known["0001"])
    assert view.changed == ["features"]
    assert view.blocks["load"] == "same"
    assert view.gain == 2.0
    assert "0001 → 0005: rmse 60 ± 1.5 → 58 ± 1.5, gain +2" in view.text
    assert "-X = X.fillna(0)\n+X = X.fillna(X.median())" in view.text
    assert markup.ADDED in view.markup
    assert markup.REMOVED in view.markup
    assert "the same: load, model, predict" in seen(view)


def test_a_difference_shows_added_removed_and_renamed_blocks(run: Run) -> None:
    known = run.state.candidates
    said = seen(views.DiffView(run, known["0007"], known["0001"]))
    assert "s1_model renamed was model" in said
    assert "ensemble added +1" in said
    assert "s1_model removed" not in said
    other = seen(views.DiffView(run, known["0001"], known["0007"]))
    assert "ensemble removed −1" in other


def test_a_difference_of_equal_candidates_and_of_one_without_another(run: Run) -> None:
    first = run.state.candidates["0001"]
    assert "no block is different" in seen(views.DiffView(run, first, first))
    alone = views.DiffView(run, first)
    assert alone.before == "nothing"
    assert set(alone.blocks.values()) == {"added"}


def test_the_source_in_a_difference_is_escaped(run: Run) -> None:
    known = run.state.candidates
    assert "model = <b>Broken</b>()" in seen(views.DiffView(run, known["0002"], known["0001"]))


def test_a_long_new_block_is_folded(run: Run) -> None:
    long = Solution((*FIRST.blocks, Block("long", "\n".join(f"a = {n}" for n in range(99)))))
    after = judged(run, "refine", long, 55.0, parents=("0001",))
    view = views.DiffView(run, after, run.state.candidates["0001"])
    assert "<details style" in view.markup


def test_why_shows_evidence_decision_and_what_lost(run: Run) -> None:
    view = views.WhyView(run, run.state.candidates["0005"])
    said = seen(view)
    for told in (
        "Why 0005 · refine features", "fill with medians", "you had pinned block features",
        "without filled gaps the score is 20 worse", "the median sees all rows",
        "accepted in branch 1, the best of the run then, replaced 0001: better with probability",
        "add ratios",
    ):  # fmt: skip
        assert told in said, told
        assert told in " ".join(view.text.split()), told
    assert "what the blocks of 0001 are worth" in view.text
    assert list(view.others["id"]) == ["0006"]
    assert list(view.others.columns) == ["id", "standing", "score", "gain", "plan"]
    assert view.evidence[0].candidate == "0001"


@pytest.mark.parametrize("name", [f"000{n}" for n in range(1, 8)])
def test_why_can_be_asked_of_every_candidate(run: Run, name: str) -> None:
    assert f"Why {name}" in seen(views.WhyView(run, run.state.candidates[name]))


def test_cost_shows_shares_and_no_money_where_none_was_spent(run: Run) -> None:
    view = views.CostView(run)
    said = seen(view)
    assert "7, 14s of work in all" in said
    assert "tokens" not in said + view.text
    assert list(view.stages.columns) == [
        "stage", "candidates", "scored", "executions", "seconds", "share",
    ]  # fmt: skip
    assert view.seconds == 14.0


def test_runs_are_a_table_and_a_dataframe(run: Run) -> None:
    view = views.RunsView(run.folder.parent)
    assert len(view) == 1
    assert view[0].best == "0007"
    assert [entry.name for entry in view] == ["first"]
    assert view.runs.loc[0, "score"] == 57.0
    assert "rmse 57 ± 1.5" in seen(view)
    assert "at work" in view.text


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    view = views.RunsView(tmp_path)
    assert f"no runs in {tmp_path}" in view.text
    assert "no runs in" in seen(view)
    assert len(view.runs) == 0


def test_a_study_is_a_measured_table_with_bars(run: Run) -> None:
    for study in (studies(run)[0], run.state.studies[0]):
        view = views.StudyView(run, study)
        assert list(view.results["gain"]) == [20.0, 5.0]
        assert view.candidate == "0001"
        said = seen(view)
        assert "Ablation study of 0001, branch 1" in said
        assert "Filled gaps matter." in said
        assert "+20" in view.text
        assert "without" in view.text


def test_what_was_tried_shows_the_study_the_plans_and_the_best(run: Run) -> None:
    known = run.state.candidates
    view = views.TriedView(run, [known[name] for name in ("0003", "0004", "0005", "0006")])
    said = seen(view)
    assert "What the blocks of 0001 are worth" in said
    assert "fill with medians" in said
    assert "the best is still 0007" in said
    assert list(view.tried["id"]) == ["0003", "0004", "0005", "0006"]


def test_a_task_shows_what_was_understood(run: Run) -> None:
    view = views.TaskView(run.task)
    assert view.task is run.task
    assert view["target"] == "progression"
    assert "120 rows to learn from, 40 to predict" in seen(view)


def test_pairs_and_text_are_escaped() -> None:
    assert "<script>" in seen(views.pairs_view([("a", "<script>x</script>")]))
    assert seen(views.PairsView([], "nothing")) == "nothing"
    assert seen(views.TextView("<b> & 'c'")) == "<b> & 'c'"


@pytest.mark.parametrize(
    ("gain", "shown"),
    [
        (0.00007253, "+0.0000725"), (-0.0006408, "−0.000641"), (2421.863, "+2,422"),
        (20.0, "+20"), (0.0, "±0"), (None, ""), (float("nan"), ""), (1.25, "+1.25"),
    ],
)  # fmt: skip
def test_gains_have_three_digits_and_no_exponent(gain: float | None, shown: str) -> None:
    assert words.gain_words(gain) == shown


def test_a_very_bad_score_does_not_press_the_chart_flat() -> None:
    points = [Point(n / 10, 0.3 + n / 1000, False) for n in range(10)]
    points.append(Point(1.0, 500.0, False))
    bests = [BestPoint(0.0, 0.3, 0.01)]
    figure = charts.score_chart(points, bests, metric="a $loss$", greater_is_better=False)
    assert figure.axes[0].get_ylim()[1] < 1
    assert "far worse" in [t.get_text() for t in figure.legends[0].get_texts()]
    mirrored = [Point(p.minutes, -p.score, False) for p in points]
    figure = charts.score_chart(mirrored, [], metric="x", greater_is_better=True)
    assert figure.axes[0].get_ylim()[0] > -1


@pytest.mark.parametrize(
    "points", [[], [Point(0.0, 1.0, True)], [Point(0.1, float("nan"), False), Point(1, 2, False)]]
)
def test_a_chart_of_few_points_can_be_drawn(points: list[Point]) -> None:
    figure = charts.score_chart(points, [], metric="m", greater_is_better=True)
    assert charts.svg(figure).startswith("<svg")
    assert charts.image(figure, "a < b").startswith('<img alt="a &lt; b"')


def test_bars_of_a_study_can_be_drawn_by_any_name() -> None:
    results = [
        Measured("model", "a $formula$ <b>", "0002", 1.0, 0.5, 1.0),
        Measured("features", "nothing", "0003", None, None, 1.0),
    ]
    figure = charts.ablation_bars(results, metric="rmse")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["model: a $formula$ <b>"]
    assert charts.png(figure).startswith(b"\x89PNG")
    assert charts.svg(charts.ablation_bars([], metric="rmse"))


def test_drawing_leaves_the_users_plots_alone() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    charts.svg(charts.score_chart([Point(0, 1, False)], [], metric="m", greater_is_better=True))
    assert plt.get_fignums() == before


def test_a_candidate_shows_the_pages_behind_it_and_what_it_cost(run: Run) -> None:
    spend(run)
    view = candidate(run, "0006")
    assert view.sources == [("https://example.org/a", "A page")]
    assert "source: A page (https://example.org/a)" in view.text
    assert 'href="https://example.org/a"' in view.markup
    assert "4,500 tokens, $0.0700" in seen(view)
    assert candidate(run, "0005").spent is None


def test_why_names_the_pages_of_the_model_card_as_text_of_others(run: Run) -> None:
    card = {"name": "Ridge", "reason": "few rows", "example": "", "source": PAGES[0][0],
            "pages": [*PAGES, ["javascript:alert(1)", "<script>"]]}  # fmt: skip
    run.emit("cards_retrieved", cards=[card])
    view = views.WhyView(run, run.state.candidates["0001"])
    said = seen(view)
    assert "How to <b>ridge</b>" in said
    assert "How to <b>ridge</b> (https://ridge.org/how)" in view.text
    assert 'href="javascript' not in view.markup
    assert view.markup.count("<a href") == 2
