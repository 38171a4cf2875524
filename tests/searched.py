"""A small search, recorded by hand: initial solutions, a merge, a study, plans, an ensemble."""

from __future__ import annotations

from typing import Any

from mlestar_jupyter.candidate import Candidate, Finding, Proposal
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.solution import Block, Solution

FIRST = Solution(
    (
        Block("load", "import pandas as pd\ntrain = pd.read_csv(train_path)"),
        Block("features", "X = train.drop(columns='y')\nX = X.fillna(0)"),
        Block("model", "from sklearn.linear_model import Ridge\nmodel = Ridge(alpha=1.0)"),
        Block("predict", "model.fit(X, y)"),
    ),
    "ridge",
)


def judged(
    run: Run,
    stage: Any,
    solution: Solution,
    value: float | None,
    *,
    plan: str = "",
    parents: tuple[str, ...] = (),
    block: str | None = None,
    branch: int = 0,
    **more: Any,
) -> Candidate:
    """Propose, execute once (in the journal only) and judge."""
    proposal = Proposal(stage, solution, plan, parents, block, branch)
    name = run.propose(proposal)
    status = "ok" if value is not None else "failed"
    run.emit("candidate_executed", id=name, purpose="fold-1", status=status, seconds=2.0)
    score = None
    if value is not None:
        score = Score(value, (value,), (10,), 1.5, run.task.metric.name, False)
    fields = {"seconds": 2.0, "slowest": 2.0, "status": status, "score": score, **more}
    return run.record(
        Candidate(
            name, stage, solution, plan, parents, block, branch, **fields,
        )
    )  # fmt: skip


def search(run: Run) -> dict[str, Candidate]:
    """The whole of it; gives the candidates by a word for each."""
    found: dict[str, Candidate] = {}
    card = {"name": "Ridge", "reason": "few rows", "example": "", "source": "https://ridge.org"}
    run.emit("stage_started", stage="initialize", branch=None)
    run.emit("cards_retrieved", cards=[card])
    found["ridge"] = judged(run, "initialize", FIRST, 60.0, plan="Ridge: few rows")
    broken = FIRST.replace("model", "model = <b>Broken</b>()", title="broken")
    found["broken"] = judged(
        run, "initialize", broken, None, plan="Broken: <script>alert(1)</script>",
        reason="block model: NameError: <b>Broken</b>", debug_rounds=1,
    )  # fmt: skip
    run.emit("stage_started", stage="merge", branch=0)
    accept(run, found["ridge"], "the best of the initial solutions")
    run.emit("stage_started", stage="refine", branch=0)
    run.emit(
        "step_begun", key="0/0", branch=0, number=0, incumbent="0001", pin="features", pin_seq=3,
        suggestions=["try ratios"], suggestion_seqs=[4],
    )  # fmt: skip
    found["no_fill"] = judged(
        run, "ablate", FIRST.replace("features", "X = train.drop(columns='y')"), 80.0,
        plan="filled gaps", parents=("0001",), block="features",
    )  # fmt: skip
    found["mean"] = judged(
        run, "ablate", FIRST.replace("model", "model = Mean()"), 65.0,
        plan="the model", parents=("0001",), block="model",
    )  # fmt: skip
    run.emit(
        "ablation_measured", candidate="0001", branch=0, summary="Filled gaps matter.",
        results=[
            {"block": "model", "change": "the model", "candidate": "0004", "score": 65.0,
             "gain": 5.0, "seconds": 2.0},
            {"block": "features", "change": "filled gaps", "candidate": "0003", "score": 80.0,
             "gain": 20.0, "seconds": 2.0},
        ],
    )  # fmt: skip
    run.emit(
        "target_chosen", candidate="0001", branch=0, block="features", plan="fill with medians",
        reason="without filled gaps the score is 20 worse",
    )  # fmt: skip
    medians = FIRST.replace("features", "X = train.drop(columns='y')\nX = X.fillna(X.median())")
    found["medians"] = judged(
        run, "refine", medians, 58.0, plan="fill with medians", parents=("0001",), block="features",
        findings=(Finding("fit_on_all", "features", 2, "the median sees all rows", False),),
    )  # fmt: skip
    accept(run, found["medians"], "better with probability 0.91")
    run.emit("candidate_debugged", id="0006", round=1, error="KeyError: 'y'", blocks=["features"])
    ratios = FIRST.replace("features", "X = train.drop(columns='y')\nX['r'] = X.a / X.b")
    found["ratios"] = judged(
        run, "refine", ratios, 63.0, plan="add ratios", parents=("0001",), block="features",
        debug_rounds=1,
    )  # fmt: skip
    run.emit("plan_lost", branch=0, id="0006", reason="worse: better with probability 0.10")
    run.emit("stage_started", stage="ensemble", branch=None)
    both = Solution(
        (*(Block(f"s1_{b.name}", b.source) for b in FIRST.blocks), Block("ensemble", "mean()")),
        "both",
    )
    found["both"] = judged(
        run, "ensemble", both, 57.0, plan="average", parents=("0005", "0001"), branch=-1
    )
    accept(run, found["both"], "the first that was scored", branch=-1)
    return found


def accept(run: Run, candidate: Candidate, reason: str, branch: int = 0) -> None:
    run.emit("incumbent_changed", branch=branch, id=candidate.id, best=True, reason=reason)
