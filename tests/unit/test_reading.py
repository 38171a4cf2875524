"""Reading a run: tree, difference, why, cost, runs, progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from searched import FIRST, accept, judged, search

from mlestar_jupyter import reading
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter.views.why import decision_words
from mlestar_jupyter.reading import difference
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture
def empty(build: Callable[..., Path], diabetes: Frames, tmp_path: Path) -> Run:
    settings = Settings(folds=2, solutions=2, seconds=100)
    return Run.create(tmp_path / "runs" / "first", from_folder(build(*diabetes)), settings)


@pytest.fixture
def run(empty: Run) -> Run:
    search(empty)
    return empty


def change(before: Solution, after: Solution) -> dict[str, str]:
    return {block.name: block.kind for block in difference(before, after).blocks}


def test_the_tree_puts_candidates_below_their_first_parent(run: Run) -> None:
    roots = reading.tree(run)
    assert [root.candidate.id for root in roots] == ["0001", "0002"]
    assert [child.candidate.id for child in roots[0].children] == ["0005", "0006"]
    (both,) = roots[0].children[0].children
    assert both.candidate.id == "0007"
    assert both.others == ("0001",)
    assert both.gain == 1.0


def test_the_tree_keeps_ablations_in_their_study(run: Run) -> None:
    (study,) = reading.tree(run)[0].studies
    assert [r.block for r in study.results] == ["features", "model"]  # what matters most first
    assert study.is_whole


def test_an_accepted_ablation_is_a_candidate_of_its_own_too(run: Run) -> None:
    accept(run, run.state.candidates["0003"], "a tie, and cheaper")
    children = reading.tree(run)[0].children
    assert [child.candidate.id for child in children] == ["0003", "0005", "0006"]


def test_a_study_that_is_under_way_shows_what_was_measured_so_far(run: Run) -> None:
    variant = FIRST.replace("load", "train = None")
    judged(run, "ablate", variant, 90.0, plan="the data", parents=("0005",), block="load")
    (study,) = reading.studies(run, "0005")
    assert not study.is_whole
    assert study.results[0].gain == 32.0


def test_standings_say_where_each_candidate_stands(run: Run) -> None:
    assert reading.standings(run) == {
        "0001": "accepted", "0002": "failed", "0003": "measured", "0004": "measured",
        "0005": "incumbent", "0006": "rejected", "0007": "best",
    }  # fmt: skip


def test_what_the_user_took_back_stands_as_undone(run: Run) -> None:
    run.emit("undone", branch=-1, id="0007", to="0005")
    standing = reading.standings(run)
    assert (standing["0007"], standing["0005"]) == ("undone", "best")
    assert reading.decisions(run, "0007")[-1].kind == "undone"
    assert reading.progress(run).bests[-1].score == 58.0


def test_who_was_not_the_best_is_taken_back_and_the_best_stays(run: Run) -> None:
    points = len(reading.progress(run).bests)
    run.emit("undone", branch=0, id="0005", to=None)
    standing = reading.standings(run)
    assert (standing["0005"], standing["0007"]) == ("undone", "best")
    assert run.state.incumbents[0] == "0001"
    assert decision_words(run, reading.decisions(run, "0005")[-1]) == "undone by you"
    assert len(reading.progress(run).bests) == points


def test_decisions_name_what_was_replaced(run: Run) -> None:
    (decision,) = reading.decisions(run, "0005")
    assert (decision.kind, decision.best, decision.other) == ("accepted", True, "0001")
    (lost,) = reading.decisions(run, "0006")
    assert (lost.kind, lost.other) == ("rejected", "0005")


def test_a_decision_that_a_resumed_run_comes_by_again_counts_once(run: Run) -> None:
    run.emit("plan_lost", branch=0, id="0006", reason="worse: better with probability 0.10")
    assert len(reading.decisions(run, "0006")) == 1


def test_equal_solutions_have_no_difference() -> None:
    found = difference(FIRST, FIRST)
    assert found.changed == ()
    assert found.unified() == ""


def test_changed_added_and_removed_blocks_are_told_apart() -> None:
    after = Solution(
        (
            FIRST.blocks[0],
            Block("features", "X = train.drop(columns='y')\nX = X.fillna(X.median())"),
            Block("folds", "folds = 5\nseeds = 3"),
            FIRST.blocks[3],
        )
    )
    assert change(FIRST, after) == {
        "load": "same", "features": "changed", "model": "removed", "folds": "added",
        "predict": "same",
    }  # fmt: skip


def test_a_block_under_a_new_name_is_recognised() -> None:
    blocks = tuple(Block(f"s1_{b.name}", b.source) for b in FIRST.blocks)
    found = difference(FIRST, Solution(blocks))
    assert {(b.kind, b.old_name, b.name) for b in found.blocks} == {
        ("renamed", name, f"s1_{name}") for name in FIRST.names
    }


def test_a_block_that_only_moved_says_so() -> None:
    load, features, model, predict = FIRST.blocks
    found = difference(FIRST, Solution((features, load, model, predict)))
    assert [b.name for b in found.blocks if b.is_moved] in (["features"], ["load"])
    assert all(b.kind == "same" for b in found.blocks)
    assert "stands at another place" in found.unified()


def test_lines_have_their_numbers_and_the_words_that_differ() -> None:
    found = difference(
        Solution((Block("model", "a\nrate = 0.1\nb"),)),
        Solution((Block("model", "a\nrate = 0.25\nb"),)),
    )
    (block,) = found.blocks
    old, new = (line for line in block.lines if line.mark != " ")
    assert (old.before, old.after, new.before, new.after) == (2, None, None, 2)
    assert [old.text[a:b] for a, b in old.spans] == ["1"]
    assert [new.text[a:b] for a, b in new.spans] == ["25"]
    assert (block.added, block.removed) == (1, 1)


def test_the_unified_form_names_the_blocks_and_leaves_far_lines_out() -> None:
    lines = [f"line {n}" for n in range(30)]
    before = Solution((Block("model", "\n".join(lines)),))
    lines[2], lines[27] = "changed", "changed, too"
    found = difference(before, Solution((Block("model", "\n".join(lines)),)), "0001", "0002")
    text = found.unified()
    assert text.startswith("--- 0001/model\n+++ 0002/model\n@@ -1,6 +1,6 @@")
    assert text.count("@@ -") == 2
    assert "line 15" not in text


def test_a_difference_to_nothing_adds_every_block() -> None:
    assert {b.kind for b in difference(None, FIRST).blocks} == {"added"}


def test_why_names_plan_evidence_parents_checks_and_decision(run: Run) -> None:
    why = reading.why(run, "0005")
    assert why.plan == "fill with medians"
    assert why.proposer == "extractor and coder, in outer step 1 on block features"
    assert why.target == "without filled gaps the score is 20 worse"
    (study,) = why.evidence
    assert study.results[0].change == "filled gaps"
    (parent,) = why.parents
    assert (parent.candidate.id, parent.gain) == ("0001", 2.0)
    assert why.findings == ("features, line 2: the median sees all rows",)
    assert why.decisions[0].reason == "better with probability 0.91"


def test_why_tells_what_else_was_tried_on_the_block_and_lost(run: Run) -> None:
    (other,) = reading.why(run, "0005").others
    assert (other.candidate.id, other.standing, other.gain) == ("0006", "rejected", -3.0)


def test_why_tells_of_debugging_and_of_the_planner(run: Run) -> None:
    why = reading.why(run, "0006")
    assert why.debugging == ("round 1: KeyError: 'y' (mended: features)",)
    assert why.proposer.startswith("planner and coder")


def test_why_tells_what_the_user_had_said(run: Run) -> None:
    assert reading.why(run, "0005").steering == (
        "you had pinned block features",
        "you had suggested: try ratios",
    )
    assert reading.why(run, "0001").steering == ()


def test_why_an_initial_solution_is_there_is_its_model_card(run: Run) -> None:
    assert "https://ridge.org" in reading.why(run, "0001").proposer


def test_a_study_that_came_later_is_no_evidence(run: Run) -> None:
    run.emit("ablation_measured", candidate="0001", branch=0, summary="later", results=[])
    assert [study.summary for study in reading.why(run, "0005").evidence] == ["Filled gaps matter."]


def test_the_evidence_of_an_ablation_is_the_study_that_measured_it(run: Run) -> None:
    why = reading.why(run, "0003")
    assert [study.candidate for study in why.evidence] == ["0001"]
    assert [other.candidate.id for other in why.others] == []


def test_cost_adds_executions_up_by_stage(run: Run) -> None:
    run.emit("candidate_executed", id="final", purpose="all", status="ok", seconds=6.0)
    cost = reading.cost(run)
    found = {s.stage: (s.candidates, s.scored, s.executions, s.seconds) for s in cost.stages}
    assert found == {
        "initialize": (2, 1, 2, 4.0), "ablate": (2, 2, 2, 4.0), "refine": (2, 2, 2, 4.0),
        "ensemble": (1, 1, 1, 2.0), "finalize": (0, 0, 1, 6.0),
    }  # fmt: skip
    assert (cost.seconds, cost.executions, cost.candidates) == (20.0, 8, 7)
    assert sum(stage.share for stage in cost.stages) == pytest.approx(1)
    assert (cost.tokens, cost.money) == (0, 0.0)


def test_runs_are_read_from_their_journals_the_latest_first(run: Run) -> None:
    folder = run.folder.parent
    damaged = folder / "damaged"
    damaged.mkdir()
    (damaged / "journal.jsonl").write_text("no json\n{}\n")
    (folder / "no run").mkdir()
    run.emit("run_finished", reason="finished")
    run.close()
    first, last = reading.runs(folder)
    assert (first.name, first.state, first.best, first.candidates) == (
        "first",
        "finished",
        "0007",
        7,
    )
    assert first.score is not None
    assert first.score.value == 57.0
    assert (last.name, last.state) == ("damaged", "damaged")


@pytest.mark.parametrize(
    ("kind", "data", "state"),
    [
        ("paused", {}, "paused"),
        ("step_waiting", {"reports": [{"branch": 0}]}, "waiting for you"),
        ("note", {"text": "x"}, "at work"),
    ],
)
def test_a_run_that_is_at_work_says_what_it_does(
    run: Run, kind: str, data: dict, state: str
) -> None:
    run.emit(kind, **data)  # type: ignore[arg-type]
    assert reading.runs(run.folder)[0].state == state
    run.close()
    assert reading.runs(run.folder)[0].state == "cut off"


def test_there_may_be_no_runs(tmp_path: Path) -> None:
    assert reading.runs(tmp_path) == []
    assert reading.runs(tmp_path / "nowhere") == []


def test_progress_is_the_run_at_one_moment(run: Run) -> None:
    now = reading.progress(run, last=2)
    assert (now.state, now.stages) == ("at work", ("ensemble",))
    assert (now.scored, now.ablations, now.failed) == (6, 2, 1)
    assert [c.id for c in now.last] == ["0006", "0007"]
    assert [point.score for point in now.bests] == [60.0, 58.0, 57.0]
    assert sum(point.is_ablation for point in now.points) == 2
    assert now.best is not None
    assert now.best.id == "0007"


def test_progress_of_branches_in_different_stages_names_both(empty: Run) -> None:
    run = empty
    run.emit("stage_started", stage="refine", branch=0)
    run.emit("stage_started", stage="check", branch=1)
    run.emit("target_chosen", candidate="0001", branch=0, block="model", plan="p", reason="r")
    now = reading.progress(run)
    assert now.stages == ("check", "refine")
    assert [(b.words, b.stage, b.target) for b in now.branches] == [
        ("branch 1", "refine", "model"),
        ("branch 2", "check", ""),
    ]


def test_progress_shows_the_best_score_before_any_is_accepted(empty: Run) -> None:
    judged(empty, "initialize", FIRST, 60.0)
    judged(empty, "initialize", FIRST.replace("model", "other"), 50.0)
    best = reading.progress(empty).best
    assert best is not None
    assert best.id == "0002"


def test_progress_of_work_beside_the_whole_run_has_a_time_of_its_own(run: Run) -> None:
    now = reading.progress(run, start=40.0, limit=70.0)
    assert now.left == pytest.approx(70 - now.elapsed)
    assert (now.start, now.limit) == (40.0, 70.0)
