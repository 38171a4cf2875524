"""A small deterministic cast for tests: real scikit-learn cells, few ideas, and faults on order.

It is no mock of the algorithm's parts: its solutions run in real kernels and are graded.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter.candidate import Candidate, Failure, Finding
from mlestar_jupyter.interfaces import (
    Ablation,
    AblationResult,
    Attempt,
    Brief,
    DataUsageEvidence,
    DataUsageVerdict,
    LeakageVerdict,
    ModelCard,
    Target,
)
from mlestar_jupyter.solution import Block, Solution, prefixed

LOAD = """import numpy as np
import pandas as pd
train = pd.read_csv(train_path)
test = pd.read_csv(test_path)
sample = pd.read_csv(sample_path)
target = sample.columns[-1]
y = train.pop(target)"""
FEATURES = """columns = [c for c in train.columns if c in test.columns and c != sample.columns[0]]
X, X_test = train[columns], test[columns]"""
PREDICT = """sample[target] = model.predict(X_test)
sample.to_csv(predictions_path, index=False)"""
MODELS = {
    "ridge": "from sklearn.linear_model import Ridge\nmodel = Ridge(alpha={x}).fit(X, y)",
    "tree": "from sklearn.tree import DecisionTreeRegressor\n"
    "model = DecisionTreeRegressor(max_depth={x}, random_state=seed).fit(X, y)",
    "neighbours": "from sklearn.neighbors import KNeighborsRegressor\n"
    "model = KNeighborsRegressor({x}).fit(X, y)",
}
STARTS = {"ridge": 10.0, "tree": 3, "neighbours": 15}
PLANS = {"ridge": [1.0, 0.1, 0.01, 0.03], "tree": [2, 4, 5, 6], "neighbours": [20, 30, 40, 10]}


class SmallCast:
    """Three models, one number to tune in each; counts its calls by role."""

    name = "small"

    def __init__(self, *, broken: str = "", leaking: str = "") -> None:
        self.broken, self.leaking = broken, leaking
        self.calls: dict[str, int] = {}

    def _count(self, role: str) -> None:
        self.calls[role] = self.calls.get(role, 0) + 1

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        self._count("retrieve")
        return [ModelCard(name, f"{name} suits small tables") for name in MODELS][:count]

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        self._count("initialize")
        model = MODELS[card.name].format(x=STARTS[card.name])
        if card.name == self.broken:
            model = model.replace("fit(X, y)", "fit(X, undefined_name)")
        if card.name == self.leaking:
            model = model.replace("fit(X, y)", "fit(X, y)\nscale = np.ptp(X_test)\n"
                                  "from sklearn.preprocessing import StandardScaler\n"
                                  "StandardScaler().fit(X_test)")  # fmt: skip
        blocks = (("load", LOAD), ("features", FEATURES), ("model", model), ("predict", PREDICT))
        return Solution(tuple(Block(*block) for block in blocks), title=card.name)

    def merge(self, brief: Brief, base: Solution, other: Solution) -> Solution:
        self._count("merge")
        model = (
            f"{base.source('model')}\nfirst = model.predict(X_test)\n{other.source('model')}\n"
            "second = model.predict(X_test)"
        )
        predict = PREDICT.replace("model.predict(X_test)", "(first + second) / 2")
        merged = base.replace("model", model).replace("predict", predict)
        return Solution(merged.blocks, f"{base.title} + {other.title}")

    def ablate(
        self, brief: Brief, solution: Solution, earlier: Sequence[AblationResult]
    ) -> list[Ablation]:
        self._count("ablate")
        half = FEATURES.replace("X, X_test", "columns = columns[:3]\nX, X_test")
        constant = (
            "from sklearn.dummy import DummyRegressor\n"
            "model = DummyRegressor().fit(X, y)\nfirst = second = model.predict(X_test)"
        )
        variants = [
            Ablation("features", "only three columns", half),
            Ablation("model", "a constant instead of the model", constant),
        ]
        known = {(r.ablation.block, r.ablation.source) for r in earlier}
        return [v for v in variants if (v.block, v.source) not in known]

    def summarize(self, brief: Brief, solution: Solution, results: Sequence[AblationResult]) -> str:
        self._count("summarize")
        return f"{len(results)} variants were measured"

    def extract(
        self,
        brief: Brief,
        solution: Solution,
        results: Sequence[AblationResult],
        earlier: Sequence[Target],
    ) -> Target | None:
        self._count("extract")
        return Target("model", self._plans(solution)[0], "it matters most")

    def _plans(self, solution: Solution) -> list[str]:
        name = next(n for n in MODELS if MODELS[n].split("\n")[0] in solution.source("model"))
        return [f"{name} {x}" for x in PLANS[name]]

    def plan(
        self, brief: Brief, solution: Solution, target: Target, attempts: Sequence[Attempt]
    ) -> str | None:
        self._count("plan")
        left = [p for p in self._plans(solution) if p not in {a.plan for a in attempts}]
        return left[0] if left else None

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        self._count("code")
        name, value = plan.split()
        source = MODELS[name].format(x=value)
        return f"{source}\nfirst = second = model.predict(X_test)"

    def plan_ensemble(
        self, brief: Brief, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
    ) -> str | None:
        self._count("plan_ensemble")
        plans = ["mean", "two to one"]
        return plans[len(attempts)] if len(attempts) < len(plans) else None

    def ensemble(self, brief: Brief, solutions: Sequence[Candidate], plan: str) -> Solution:
        self._count("ensemble")
        blocks: list[Block] = []
        for number, member in enumerate(solutions, start=1):
            first, *rest = prefixed(member.solution, f"s{number}_")
            path = f'predictions_path = "s{number}.csv"\n'
            blocks += [Block(first.name, path + first.source), *rest]
        weights = [1] * len(solutions) if plan == "mean" else [2] + [1] * (len(solutions) - 1)
        combine = (
            f"parts = [pd.read_csv(f's{{n}}.csv') for n in range(1, {len(solutions) + 1})]\n"
            f"sample[target] = np.average([p[target] for p in parts], axis=0, weights={weights})\n"
            "sample.to_csv('predictions.csv', index=False)"
        )
        return Solution((*blocks, Block("combine", combine)), f"ensemble: {plan}")

    def debug(self, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
        self._count("debug")
        if failure.name != "NameError" or "undefined_name" not in failure.message:
            return None
        return solution.replace(
            failure.block, solution.source(failure.block).replace("undefined_name", "y")
        )

    def check_leakage(
        self, brief: Brief, solution: Solution, evidence: Sequence[Finding]
    ) -> LeakageVerdict:
        self._count("check_leakage")
        certain = [f for f in evidence if f.certain]
        if not certain:
            return LeakageVerdict(False)
        return LeakageVerdict(True, str(certain[0]))

    def check_data_usage(
        self, brief: Brief, solution: Solution, evidence: DataUsageEvidence
    ) -> DataUsageVerdict:
        self._count("check_data_usage")
        return DataUsageVerdict(True)

    def finalize(self, brief: Brief, solution: Solution) -> Solution:
        self._count("finalize")
        return solution
