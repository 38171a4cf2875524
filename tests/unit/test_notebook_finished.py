"""What the finished notebook says; that it runs is tested in tests/kernel."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode
from spent import call

from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.notebook.export_card import model_card
from mlestar_jupyter.notebook.finished import build_finished, stamp
from mlestar_jupyter.notebook.solution_story import solution_of
from mlestar_jupyter.notebook.sources import imported_modules, licence_of, package_rows
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Overrides

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
Build = Callable[..., Path]
SOLUTION = Solution(
    (
        Block("load", "import pandas as pd\nfrom sklearn.linear_model import Ridge\nimport json"),
        Block("model", "model = Ridge(1)"),
    ),
    "ridge",
)


@pytest.fixture
def run(build: Build, diabetes: Frames, tmp_path: Path) -> Run:
    description = "# Diabetes\n\nPredict it, judged by RMSE.\n\n## Files\n\ntrain and test"
    task = from_folder(build(*diabetes, description=description))
    return Run.create(tmp_path / "runs" / "first", task, Settings(folds=2))


def judged(
    run: Run, solution: Solution = SOLUTION, value: float | None = 60.0, **more: Any
) -> Candidate:
    fields = {"stage": "initialize", "plan": "Ridge: few rows", **more}
    name = run.propose(Proposal("initialize", solution))
    score = None if value is None else Score(value, (value,), (10,), 1.5, "rmse", False)
    status = "failed" if score is None else "ok"
    return run.record(
        Candidate(**{"id": name, "solution": solution, "score": score, "status": status, **fields})
    )


def part(notebook: NotebookNode, name: str) -> str:
    """The source of one part of a finished notebook."""
    return str(next(cell.source for cell in notebook.cells if cell.id == name))


def parts(notebook: NotebookNode) -> list[str]:
    return [cell.id for cell in notebook.cells]


def refined(run: Run) -> Candidate:
    """A search with an initial solution, an ablation study, a failure and a refinement."""
    run.emit("cards_retrieved", cards=[{"name": "Ridge", "reason": "few rows", "source": "a book"}])
    first = judged(run)
    run.emit("incumbent_changed", branch=0, id=first.id, best=True, reason="the first")
    judged(run, SOLUTION.replace("load", "oops"), None, reason="NameError", parents=(first.id,))
    variant = judged(
        run, SOLUTION.replace("model", "model = 1"), 80.0, stage="ablate", parents=(first.id,)
    )
    result = {
        "block": "model", "change": "a constant", "candidate": variant.id, "score": 80.0,
        "gain": 20.0, "seconds": 1.0,
    }  # fmt: skip
    run.emit(
        "ablation_measured", candidate=first.id, branch=0, results=[result], summary="It matters."
    )
    best = judged(
        run, SOLUTION.replace("model", "model = Ridge(9)"), 58.0, stage="refine",
        parents=(first.id,), block="model", plan="a larger penalty",
    )  # fmt: skip
    run.emit("incumbent_changed", branch=0, id=best.id, best=True, reason="better")
    return best


def test_it_is_a_valid_notebook_with_every_section_in_order(run: Run) -> None:
    notebook = build_finished(run, refined(run))
    nbformat.validate(notebook)
    assert len(set(parts(notebook))) == len(notebook.cells)
    headings = [c.source.split("\n")[0] for c in notebook.cells if c.source.startswith("## ")]
    assert headings == [
        "## The task", "## The data", "## How it was found", "## What matters",
        "## The solution, block by block", "## Validation", "## Submission",
        "## Sources and licences",
    ]  # fmt: skip


def test_every_code_cell_is_python_and_none_imports_this_package(run: Run) -> None:
    for cell in build_finished(run, refined(run)).cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert "mlestar_jupyter" not in cell.source


def test_the_headline_says_score_direction_rule_and_what_to_trust(run: Run) -> None:
    headline = part(build_finished(run, refined(run)), "headline")
    assert "**rmse 58 ± 1.5** (lower is better)" in headline
    assert "2 folds of about 60 rows" in headline
    assert "Not isolated" in headline
    assert "choice among 2 scored candidates" in headline
    assert "**Not verified**: it was not executed since it was written" in headline


@pytest.mark.parametrize("verdict", ["reproduced", "differs", "not verified"])
def test_a_stamp_replaces_the_one_before(run: Run, verdict: Any) -> None:
    notebook = build_finished(run, judged(run))
    again = stamp(stamp(notebook, "differs", "score \\1 instead"), verdict, "as it is")
    headline = part(again, "headline")
    assert headline.count("**: ") == 1
    assert headline.endswith("as it is")
    assert again.metadata.mlestar.reproduced == verdict
    assert "it was not executed" in part(notebook, "headline")


def test_a_stamp_takes_the_marks_of_the_execution_away(run: Run) -> None:
    notebook = build_finished(run, judged(run))
    notebook.metadata["papermill"] = {"duration": 1.0}
    notebook.metadata["mlestar"]["status"] = "ok"
    notebook.cells[2].metadata["papermill"] = {"status": "completed"}
    stamped = stamp(notebook, "reproduced", "the same")
    assert "papermill" not in stamped.metadata
    assert "papermill" not in stamped.cells[2].metadata
    assert "status" not in stamped.metadata.mlestar


def test_the_users_description_does_not_cut_the_sections(run: Run) -> None:
    task = part(build_finished(run, judged(run)), "task")
    assert "**Diabetes**" in task
    assert task.count("## ") == 1


def test_the_data_cell_names_the_folder_once_and_parameters_follow(run: Run) -> None:
    notebook = build_finished(run, judged(run))
    folder = part(notebook, "folder")
    assert folder.count(str(run.task.source.folder)) == 1
    assert "# change this when you move the data" in folder
    cell = next(c for c in notebook.cells if c.id == "parameters")
    assert cell.metadata.tags == ["parameters"]
    assert 'train_path = f"{task_folder}/train.csv"' in cell.source
    assert 'predictions_path = "submission.csv"' in cell.source
    assert "data_dir = task_folder" in cell.source


def test_the_search_shows_all_but_ablations_and_marks_the_winner(run: Run) -> None:
    notebook = build_finished(run, refined(run))
    search = part(notebook, "search")
    assert "Candidates: 3 in" in search
    assert "2 of them have a score, beside 1 ablations" in search
    assert "| **0004** ✔ | refine | a larger penalty | **58** | +2 |" in search
    assert "| 0002 | initialize | Ridge: few rows | failed | – |" in search
    assert "0003" not in search
    assert "60)" in part(notebook, "search-chart")


def test_studies_are_tables_and_their_largest_gains_a_chart(run: Run) -> None:
    notebook = build_finished(run, refined(run))
    assert "| `model` | a constant | 80 | +20 |" in part(notebook, "study-1")
    assert "> It matters." in part(notebook, "study-1")
    assert '"model: a constant": 20,' in part(notebook, "matters-chart")


def test_without_a_study_there_is_no_section_on_what_matters(run: Run) -> None:
    assert "matters" not in parts(build_finished(run, judged(run)))


def test_each_block_says_where_it_comes_from_and_what_it_is_worth(run: Run) -> None:
    notebook = build_finished(run, refined(run))
    assert "From 0001, initialize: Ridge: few rows" in part(notebook, "why-1")
    assert "From 0004, refine: a larger penalty (gain +2 over 0001)" in part(notebook, "why-2")
    assert part(notebook, "block-2") == "# %% model\nmodel = Ridge(9)"
    # The study was of an earlier form of this block: it says nothing about the present one.
    assert "Measured" not in part(notebook, "why-2")


def test_a_study_of_the_very_block_says_what_it_is_worth(run: Run) -> None:
    refined(run)
    first = run.state.candidates["0001"]
    why = part(build_finished(run, first), "why-2")
    assert "Measured: gain +20 in rmse over the ablation “a constant”." in why


def test_a_block_that_was_changed_for_the_last_fit_says_so(run: Run) -> None:
    best = refined(run)
    final = best.solution.replace("model", "model = Ridge(10)")
    notebook = build_finished(run, best, final)
    assert part(notebook, "why-2").endswith("Changed for the last fit, on all rows.")
    assert solution_of(notebook) == final


def test_the_solution_can_be_read_back(run: Run) -> None:
    notebook = build_finished(run, judged(run))
    assert solution_of(notebook) == SOLUTION
    assert solution_of(notebook).title == "ridge"


def test_blocks_may_have_the_names_of_our_own_parts(run: Run) -> None:
    names = ("headline", "parameters_", "data", "score", "folder", "folds", "sources")
    solution = Solution(tuple(Block(name, f"{name} = 1") for name in names))
    nbformat.validate(notebook := build_finished(run, judged(run, solution)))
    assert len(set(parts(notebook))) == len(notebook.cells)


def test_a_candidate_without_a_score_can_be_built_too(run: Run) -> None:
    assert "no score" in part(build_finished(run, judged(run, value=None)), "headline")


def test_sealed_rows_are_told_of_and_what_they_gave(
    build: Build, diabetes: Frames, tmp_path: Path
) -> None:
    task = from_folder(build(*diabetes))
    run = Run.create(tmp_path / "run", task, Settings(folds=2, sealed=0.2))
    candidate = judged(run)
    notebook = build_finished(run, candidate)
    assert "Some rows are sealed" in part(notebook, "headline")
    ids = parts(notebook)
    assert ids.index("folds") < ids.index("prepare") < ids.index("parameters")
    run.emit("unsealed", id=candidate.id, value=62.0, optimism=2.0, rows=24)
    headline = part(build_finished(run, candidate), "headline")
    assert "24 sealed rows" in headline
    assert "better by +2" in headline


def test_a_self_scored_task_says_so_and_has_no_folds(tmp_path: Path) -> None:
    (tmp_path / "game").mkdir()
    overrides = Overrides(kind="self-scored", metric="points", greater_is_better=True)
    run = Run.create(tmp_path / "run", from_folder(tmp_path / "game", overrides), Settings())
    score = Score(7.0, (7.0,), (1,), 0.0, "points", True, self_scored=True)
    candidate = run.record(Candidate("0001", "initialize", SOLUTION, score=score))
    notebook = build_finished(run, candidate)
    assert "7 (self-scored)" in part(notebook, "headline")
    assert "what the solution itself printed" in part(notebook, "headline")
    assert not {"folds", "staging", "score", "submission"} & set(parts(notebook))


def test_sources_name_cards_packages_and_fingerprints(run: Run) -> None:
    sources = part(build_finished(run, refined(run)), "sources")
    assert "- Ridge: a book" in sources
    assert "| scikit-learn |" in sources
    assert run.task.source.fingerprints()["train.csv"] in sources


def test_the_files_of_a_folder_share_a_fingerprint(
    build: Build, diabetes: Frames, tmp_path: Path
) -> None:
    files = {f"images/{n}.txt": str(n) for n in range(60)}
    run = Run.create(
        tmp_path / "run", from_folder(build(*diabetes, files=files)), Settings(folds=2)
    )
    sources = part(build_finished(run, judged(run)), "sources")
    assert "| `images/` (60 files" in sources
    assert "images/7.txt" not in sources


def test_packages_are_those_that_the_blocks_import() -> None:
    assert imported_modules(SOLUTION) == {"pandas", "sklearn"}
    assert [row[0] for row in package_rows(SOLUTION)] == ["pandas", "scikit-learn"]
    magic = Solution((Block("a", "%pip install x\nimport numpy as np"), Block("b", "not python")))
    assert imported_modules(magic) == {"numpy"}


@pytest.mark.parametrize("package", ["numpy", "pandas", "scikit-learn", "nbformat", "pyarrow"])
def test_licences_are_short_words(package: str) -> None:
    assert 0 < len(licence_of(package)) < 120


def test_sources_link_the_pages_that_were_read_and_nothing_that_is_no_address(run: Run) -> None:
    pages = [["https://ridge.org/a", "All of [ridge] | $x$"], ["javascript:alert(1)", "click"]]
    cards = [
        {"name": "Ridge", "reason": "few rows", "source": "https://ridge.org/a", "pages": pages},
        {"name": "Trees", "reason": "many", "source": "", "pages": []},
    ]
    run.emit("cards_retrieved", cards=cards)
    said = part(build_finished(run, judged(run)), "sources")
    assert "](https://ridge.org/a), click (javascript:alert(1))" in said
    assert "](javascript" not in said
    assert said.count("https://ridge.org/a") == 1
    assert "Trees:" not in said


def test_what_language_models_did_and_cost_is_said_with_the_models(run: Run) -> None:
    assert "Language models" not in part(build_finished(run, judged(run)), "sources")
    settings = run.settings.replace(agents="gemini", cost=2.0)
    run.emit("settings_changed", settings=settings.to_json())
    call(run, 1, "plan", model="gemini-2.5-pro")
    call(run, 2, "code")
    change = {"from": "gemini", "to": "playbook", "reason": "the <quota> is used up"}
    run.emit("agents_changed", **change)
    notebook = build_finished(run, judged(run, SOLUTION.replace("model", "2")))
    said = part(notebook, "sources").replace("<span>\\$</span>", "$")
    assert "(gemini: `gemini-2.5-pro`, `gemini-2.5-flash`)" in said
    assert "2 calls, 3,000 tokens, $0.0200 of $2.00, by the prices that were set then." in said
    assert r"playbook goes on for gemini: the \<quota> is used up." in said
    card = model_card(run, run.state.candidates["0001"], SOLUTION, "Proven.", "There is one.")
    assert "- agents: gemini and playbook; seed 0" in card
    assert "- Language models proposed solutions (gemini: `gemini-2.5-pro`" in card
    assert "proposed by the gemini and playbook agents" in part(notebook, "search")


def test_a_replayed_run_paid_nothing_and_says_so(run: Run) -> None:
    call(run, 1, "plan", replayed=True, cost=0.0)
    assert "paid nothing: 1 reply replayed." in part(build_finished(run, judged(run)), "sources")
