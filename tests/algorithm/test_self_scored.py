"""A task that has no table of targets: the notebook prints its own score."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from cast import SmallCast
from sklearn.datasets import load_iris

from mlestar_jupyter import report
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import Attempt, Brief, ModelCard, Target
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution
from mlestar_jupyter.task import Overrides

LOAD = "import pandas as pd\npoints = pd.read_csv(f'{data_dir}/points.csv')"
CLUSTER = """from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
labels = KMeans({k}, n_init=4, random_state=seed).fit_predict(points)
print(f"Final Validation Performance: {{silhouette_score(points, labels)}}")"""


class Clusterers(SmallCast):
    """Clusters the points, with another number of clusters in each plan."""

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        return [ModelCard("k-means", "points in groups")]

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        blocks = (Block("load", LOAD), Block("cluster", CLUSTER.format(k=6)))
        return Solution(blocks, card.name)

    def ablate(self, brief, solution, earlier):  # type: ignore[no-untyped-def]
        return []

    def extract(self, brief, solution, results, earlier):  # type: ignore[no-untyped-def]
        return None if earlier else Target("cluster", "clusters 2", "the only choice")

    def plan(self, brief, solution, target, attempts):  # type: ignore[no-untyped-def]
        return "clusters 3" if len(attempts) == 1 else None

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        return CLUSTER.format(k=plan.split()[1])

    def plan_ensemble(self, brief, solutions, attempts: list[Attempt]) -> None:  # type: ignore[no-untyped-def]
        return None


def make_task(folder: Path) -> Path:
    folder.mkdir()
    points: pd.DataFrame = load_iris(as_frame=True).data
    points.to_csv(folder / "points.csv", index=False)
    (folder / "description.md").write_text("Find groups of similar flowers.")
    return folder


@pytest.fixture
def overrides() -> Overrides:
    return Overrides(kind="self-scored", metric="silhouette", greater_is_better=True)


def test_a_task_without_targets_is_scored_by_what_its_notebook_prints(
    tmp_path: Path, overrides: Overrides
) -> None:
    task = from_folder(make_task(tmp_path / "flowers"), overrides)
    settings = Settings(seconds=90, outer_steps=1, inner_steps=2, solutions=1)
    with Session.start(task, settings, tmp_path / "run", agents=Clusterers()) as session:
        result = session.solve()

    scores = {c.plan: c.score.value for c in result.run.scored}
    assert scores["clusters 2"] == pytest.approx(0.681, abs=0.001)  # known of this data set
    assert result.best.plan == "clusters 2"
    assert result.submission is None
    assert result.best.score.self_scored
    assert "self-scored" in report.score_table(result.run)
    assert result.reproduced, result.run.state.finished
    notebook = nbformat.read(result.notebook, as_version=4)
    assert "self-scored" in "\n".join(c.source for c in notebook.cells)


def test_a_notebook_that_prints_no_score_is_invalid_and_says_what_to_print(
    tmp_path: Path, overrides: Overrides
) -> None:
    class Silent(Clusterers):
        def initialize(self, brief: Brief, card: ModelCard) -> Solution:
            return Solution((Block("load", LOAD), Block("cluster", "print('done')")), card.name)

    task = from_folder(make_task(tmp_path / "flowers"), overrides)
    settings = Settings(seconds=60, models=1, debug_rounds=0)
    with (
        Session.start(task, settings, tmp_path / "run", agents=Silent()) as session,
        pytest.raises(Exception, match="Final Validation Performance"),
    ):
        session.solve()
