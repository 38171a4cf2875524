"""A run of thousands of candidates, written as a real one is: by `Run`, through its journal.

Nothing is executed: the scores are a random walk that gets better, as those of a search do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlestar_jupyter.candidate import Candidate, Finding, Proposal, Stage
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

SOURCES = {
    "load": "import pandas as pd\ntrain = pd.read_csv(train_path)\ntest = pd.read_csv(test_path)",
    "features": "X = train.drop(columns='progression')\nX = X.fillna(X.median())",
    "model": "from sklearn.linear_model import Ridge\nmodel = Ridge(alpha=1.0)",
    "predict": "model.fit(X, y)\ntest['progression'] = model.predict(test)",
}
PLANS = (
    "ratios of the serum measurements",
    "target encoding for sex",
    "a smaller learning rate with more trees",
    "monotone constraints on bmi and blood pressure",
    "log of the target",
)
FAILURES = {
    "failed": "block features: KeyError: 'bmi_ratio' is not among the columns",
    "timed_out": "took longer than it may (60 s)",
    "leaked": "features, line 3: the scaler is fitted on rows of the test set",
}
#: Every so many candidates the incumbent is ablated.
STUDY_EVERY = 20


def write_long_run(
    task: Path, folder: Path, count: int, *, listen: Callable[[Run], Any] | None = None
) -> int:
    """Write a run of ``count`` candidates, its ablation studies not counted; gives its events.

    ``listen`` is given the run before anything happens in it.
    """
    run = Run.create(folder, from_folder(task), Settings(folds=3, seconds=3600.0))
    try:
        if listen is not None:
            listen(run)
        _Search(run).go(count)
        return len(run.events)
    finally:
        run.close()


class _Search:
    """Four models, then refinements of two branches, and a study now and then."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.random = np.random.default_rng(0)
        self.incumbents: dict[int, Candidate] = {}
        self.number = 0

    def go(self, count: int) -> None:
        run = self.run
        run.emit("stage_started", stage="initialize", branch=None)
        run.emit("cards_retrieved", cards=[])
        for branch in range(4):
            first = self._judge("initialize", 62.0 + branch, branch=branch % 2)
            if branch < 2:
                self._accept(first, "the best of the initial solutions")
        for branch in (0, 1):
            run.emit("stage_started", stage="refine", branch=branch)
        for number in range(4, count):
            branch = number % 2
            if number % STUDY_EVERY == 0:
                self._study(branch)
            self._refine(branch)
        run.emit("run_finished", reason="finished")

    def _refine(self, branch: int) -> None:
        base = self.incumbents[branch]
        assert base.score is not None
        value = base.score.value + self.random.normal(0.6, 0.8)
        found = self._judge("refine", value, (base,), branch=branch)
        if found.score is None:
            return
        if found.score.is_better_than(base.score):
            self._accept(found, "better with probability 0.87")
        else:
            reason = "worse: better with probability 0.21"
            self.run.emit("plan_lost", branch=branch, id=found.id, reason=reason)

    def _study(self, branch: int) -> None:
        base = self.incumbents[branch]
        assert base.score is not None
        results = []
        for block in SOURCES:
            value = base.score.value + self.random.gamma(1.0, 2.0) - 0.5
            found = self._judge("ablate", value, (base,), block=block, branch=branch)
            score = None if found.score is None else found.score.value
            results.append({
                "block": block, "change": f"without {block}", "candidate": found.id,
                "score": score, "gain": None if score is None else score - base.score.value,
                "seconds": found.seconds,
            })  # fmt: skip
        summary = "The features matter most."
        self.run.emit(
            "ablation_measured", candidate=base.id, branch=branch, summary=summary, results=results
        )
        self.run.emit(
            "target_chosen", candidate=base.id, branch=branch, block="features", plan=PLANS[0],
            reason=summary,
        )  # fmt: skip

    def _judge(
        self, stage: Stage, value: float, parents: Sequence[Candidate] = (), *,
        block: str = "features", branch: int,
    ) -> Candidate:  # fmt: skip
        """Propose, execute (in the journal only) and judge; one in twelve fails."""
        run, random = self.run, self.random
        self.number += 1
        base = parents[0].solution if parents else _first(self.number)
        plan = PLANS[self.number % len(PLANS)]
        solution = base.replace(block, f"{SOURCES[block]}\n# {plan}\nattempt = {self.number}")
        ids = tuple(parent.id for parent in parents)
        proposal = Proposal(stage, solution, plan, ids, block if parents else None, branch)
        name = run.propose(proposal)
        is_bad = stage == "refine" and random.random() < 1 / 12
        status: Any = random.choice(list(FAILURES)) if is_bad else "ok"
        seconds = float(random.gamma(4.0, 1.5))
        folds = tuple(float(v) for v in value + random.normal(0, 1.5, 3))
        for fold in range(1, 4):
            run.emit(
                "candidate_executed", id=name, purpose=f"fold-{fold}",
                status="failed" if is_bad else "ok", seconds=round(seconds / 3, 3),
            )  # fmt: skip
        score = Score(value, folds, (117, 117, 116), 0.9, run.task.metric.name, False)
        finding = Finding("fit_on_test", "features", 3, FAILURES["leaked"])
        return run.record(
            Candidate(
                name, stage, solution, plan, ids, proposal.block, branch, str(status),
                None if is_bad else score, seconds, seconds / 3, FAILURES.get(status, ""),
                int(random.random() < 0.1), (finding,) if status == "leaked" else (),
            )
        )  # fmt: skip

    def _accept(self, candidate: Candidate, reason: str) -> None:
        best = self.run.best
        is_best = best is None or candidate.score.is_better_than(best.score)
        self.incumbents[candidate.branch] = candidate
        self.run.emit(
            "incumbent_changed", branch=candidate.branch, id=candidate.id, best=is_best,
            reason=reason,
        )  # fmt: skip


def _first(number: int) -> Solution:
    blocks = tuple(Block(name, source) for name, source in SOURCES.items())
    return Solution(blocks, f"model {number}")
