"""A scripted "model" that plays every role on the demo's data, well or badly, by the prompt alone.

It knows nothing of the run but what it is told, as a real one. Whether a reply is bad, and how, is
a matter of the prompt's hash, so that it does not hang on which thread asks first.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gemini_server import Asked, Fault, Said

from mlestar_jupyter.agents.llm.replies import fences
from mlestar_jupyter.solution import Solution

LOAD = """import numpy as np
import pandas as pd

train = pd.read_csv(train_path)
test = pd.read_csv(test_path)
sample = pd.read_csv(sample_path)
target = sample.columns[-1]
y = train[target].to_numpy()"""
FEATURES = """columns = [c for c in test.columns if c != sample.columns[0]]
X, X_test = train[columns].copy(), test[columns].copy()
for table in (X, X_test):
    table["bmi_bp"] = table["bmi"] * table["bp"]"""
PREDICT = """predicted = np.mean([m.predict(X_test) for m in models.values()], axis=0)
sample[target] = predicted
sample.to_csv(predictions_path, index=False)"""
MODELS = {
    "ridge": (
        "from sklearn.linear_model import Ridge\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler",
        'models["ridge"] = make_pipeline(StandardScaler(), Ridge(alpha=20.0)).fit(X, y)',
    ),
    "forest": (
        "from sklearn.ensemble import ExtraTreesRegressor",
        'models["forest"] = ExtraTreesRegressor(30, min_samples_leaf=4, random_state=seed,'
        " n_jobs=1).fit(X, y)",
    ),
    "neighbours": (
        "from sklearn.neighbors import KNeighborsRegressor",
        'models["neighbours"] = KNeighborsRegressor(15).fit(X, y)',
    ),
    "lasso": (
        "from sklearn.linear_model import Lasso",
        'models["lasso"] = Lasso(alpha=0.3, max_iter=20000).fit(X, y)',
    ),
}
PAGES = (
    ("https://example.org/ridge", "Ridge regression on small tables"),
    ("https://example.org/trees", "Extremely randomised trees"),
)
ALPHAS = (1.0, 100.0, 5.0, 50.0)
JOBS = {
    "Write a first solution": "initialize",
    "Merge two solutions": "merge",
    "Design an ablation": "ablate",
    "Say in two to four": "summarize",
    "Choose the one block": "extract",
    "Propose the next plan to refine": "plan",
    "Rewrite the block": "code",
    "Propose the next plan to combine": "plan_ensemble",
    "Write the last block": "ensemble",
    "The solution below failed": "debug",
    "A static check suspects": "check_leakage",
    "No block of the solution": "check_data_usage",
    "The solution below is the best": "finalize",
    "Search the web": "retrieve",
    "Below are notes": "retrieve_cards",
}


def role_of(prompt: str) -> str:
    """The role that is asked, by the first words of its job."""
    job = prompt.partition("# Your job\n\n")[2]
    return next(role for words, role in JOBS.items() if job.startswith(words))


def is_correction(prompt: str) -> bool:
    return "# Your last reply could not be used" in prompt


def python(*blocks: tuple[str, str]) -> str:
    script = "\n\n".join(f"# %% {name}\n{source}" for name, source in blocks)
    return f"```python\n{script}\n```"


def model_block(*names: str) -> str:
    imports = "\n".join(MODELS[name][0] for name in names)
    return "\n".join([imports, "", "models = {}", *(MODELS[name][1] for name in names)])


def whole(*names: str) -> str:
    return python(
        ("load", LOAD), ("features", FEATURES), ("model", model_block(*names)), ("predict", PREDICT)
    )


def scripts(prompt: str) -> list[Solution]:
    """The solutions that the prompt shows."""
    shown = [f.text for f in fences(prompt) if f.language == "python" and "# %% " in f.text]
    return [Solution.from_script(text) for text in shown if "# %% NAME" not in text]


def named(solution: Solution, name: str) -> str:
    """The solution's own name of its block: some replies rename them."""
    return next((own for own in solution.names if name in own.lower()), solution.names[-1])


def fitted(solution: Solution) -> list[str]:
    """The models in a solution."""
    text = "\n".join(block.source for block in solution.blocks)
    return [name for name in MODELS if f'models["{name}"]' in text]


def card_name(prompt: str) -> str:
    found = re.search(r"^model: (.+)$", prompt, re.MULTILINE)
    assert found is not None
    return found[1].strip()


def kind_of(title: str) -> str:
    return next((name for name in MODELS if name in title.lower()), "lasso")


class GoodModel:
    """Answers every role well. ``first`` may break the first solution of a model, to be mended."""

    def __init__(self, spoil: Mapping[str, str] | None = None) -> None:
        self.spoil = spoil or {}

    def answer(self, prompt: str) -> Said:
        role = role_of(prompt)
        reply = getattr(self, role)(prompt)
        return reply if isinstance(reply, Said) else Said(reply)

    def retrieve(self, prompt: str) -> Said:
        return Said(
            "1. Ridge, see [1]\n2. Extra trees (forest), see [2]\n3. neighbours", pages=PAGES
        )

    def retrieve_cards(self, prompt: str) -> str:
        pages = {"ridge": [1], "forest": [2, 7]}
        models = [
            {"name": name, "reason": f"{name} suits small tables", "example": MODELS[name][0],
             "pages": pages.get(name, [])}
            for name in MODELS
        ]  # fmt: skip
        return json.dumps({"models": models})

    def initialize(self, prompt: str) -> str:
        name = kind_of(card_name(prompt))
        broken = self.spoil.get(name, "")
        source = model_block(name)
        if broken == "error":
            source = source.replace(".fit(X, y)", ".fit(X, undefined_name)")
        elif broken == "leak":
            source = source.replace(
                "models = {}",
                "from sklearn.preprocessing import MinMaxScaler\nMinMaxScaler().fit(X_test)\n"
                "models = {}",
            )
        blocks = (("load", LOAD), ("features", FEATURES), ("model", source), ("predict", PREDICT))
        return "Here is the solution.\n\n" + python(*blocks) + "\n\nIt should run at once."

    def merge(self, prompt: str) -> str:
        base, other = scripts(prompt)[:2]
        return whole(*dict.fromkeys([*fitted(base), *fitted(other)]))

    def ablate(self, prompt: str) -> str:
        solution = scripts(prompt)[0]
        measured = prompt.partition("# The solution")[0]
        names = named(solution, "features"), named(solution, "model")
        features, model = solution.source(names[0]), solution.source(names[1])
        plain = "\n".join(line for line in features.splitlines() if "bmi_bp" not in line)
        variants = [
            {"block": names[0], "change": "the product of bmi and bp",
             "source": plain.replace("for table in (X, X_test):", "")},
            {"block": names[1], "change": "the tuned model (a mean instead)",
             "source": "from sklearn.dummy import DummyRegressor\n"
                       f'models = {{"mean": DummyRegressor().fit(X, y)}}  # {len(model)}'},
        ]  # fmt: skip
        fresh = [v for v in variants if v["change"] not in measured]
        return json.dumps({"variants": fresh or variants})

    def summarize(self, prompt: str) -> str:
        return "The model carries the score. The features matter little."

    def extract(self, prompt: str) -> str:
        plan = f"Set alpha of ridge to {ALPHAS[0]:g}."
        block = named(scripts(prompt)[0], "model")
        return json.dumps({"block": block, "plan": plan, "reason": "it matters most"})

    def plan(self, prompt: str) -> str:
        tried = prompt.partition("# Plans tried")[2]
        left = [a for a in ALPHAS if f"to {a:g}." not in tried]
        return f"Set alpha of ridge to {left[0]:g}." if left else "NONE"

    def code(self, prompt: str) -> str:
        alpha = re.search(r"# The plan\n\n.*?to ([\d.]+?)\.\s", prompt, re.DOTALL)
        assert alpha is not None
        solution = scripts(prompt)[0]
        source = solution.source(named(solution, "model"))
        changed = re.sub(r"Ridge\(alpha=[\d.]+\)", f"Ridge(alpha={float(alpha[1])})", source)
        if changed == source:
            changed += (
                "\nfrom sklearn.linear_model import Ridge\n"
                f'models["more"] = Ridge(alpha={float(alpha[1])}).fit(X, y)'
            )
        return f"```python\n{changed}\n```"

    def plan_ensemble(self, prompt: str) -> str:
        tried = prompt.partition("# Plans tried")[2]
        plans = ("Average the members with equal weights.", "Weigh the first member with 0.7.")
        return next((plan for plan in plans if plan not in tried), "NONE")

    def ensemble(self, prompt: str) -> str:
        first = 0.7 if "0.7" in prompt.partition("# The plan")[2][:200] else 0.5
        source = (
            'parts = [pd.read_csv(f"s{n}_predictions.csv") for n in (1, 2)]\n'
            f"sample[target] = {first} * parts[0][target] + {1 - first:.1f} * parts[1][target]\n"
            "sample.to_csv(predictions_path, index=False)"
        )
        return python(("combine", source))

    def debug(self, prompt: str) -> str:
        solution = scripts(prompt)[0]
        for block in solution.blocks:
            if "undefined_name" in block.source:
                return python((block.name, block.source.replace("undefined_name", "y")))
        return "NONE"

    def check_leakage(self, prompt: str) -> str:
        solution = scripts(prompt)[0]
        name = named(solution, "model")
        clean = solution.source(name).replace("MinMaxScaler().fit(X_test)", "MinMaxScaler().fit(X)")
        blocks = [{"name": name, "source": clean}]
        return json.dumps({"leaks": True, "reason": "the scaler sees test", "blocks": blocks})

    def check_data_usage(self, prompt: str) -> str:
        return json.dumps({"complete": True, "reason": "nothing useful is left", "blocks": []})

    def finalize(self, prompt: str) -> str:
        return "NONE"


Spoil = Callable[[Said], Said]


def _text(change: Callable[[str], str]) -> Spoil:
    return lambda said: Said(change(said.text), pages=said.pages)


#: Each kind of bad reply, by name. Some can be read all the same.
BAD: Mapping[str, Spoil] = {
    "empty": lambda said: Said("", thoughts=500),
    "cut": lambda said: Said(said.text[: len(said.text) // 2], finish="MAX_TOKENS"),
    "blocked": lambda said: Said("", blocked="PROHIBITED_CONTENT"),
    "blocked by safety": lambda said: Said("I", finish="SAFETY"),
    "prose": _text(lambda text: f"Sure! I thought about it.\n\n{text}\n\nShall I go on?"),
    "no fence": _text(lambda text: text.replace("```python", "").replace("```", "")),
    "several fences": _text(lambda text: f"{text}\n\nor, shorter:\n\n```python\nx = 1\n```"),
    "does not compile": _text(lambda text: text.replace("import ", "import (", 1)),
    "wrong JSON": _text(lambda text: text.replace('": "', '": ', 1)),
    "other JSON": _text(lambda text: '{"answer": 42}' if text.startswith("{") else text),
    "missing blocks": _text(lambda text: re.sub(r"# %% (load|combine)\n", "", text)),
    "renamed blocks": _text(lambda text: re.sub(r"# %% (\w+)", r"# %% My \1 (new)", text)),
    "an import that is not there": _text(
        lambda text: text.replace("import ", "import no_such_package\nimport ", 1)
    ),
    "code left out": _text(lambda text: text.replace("```python\n", "```python\n...\n", 1)),
    "nothing at all": _text(lambda text: "I am sorry, I cannot do this."),
}


@dataclass
class Model:
    """What the server asks: a good model, whose replies and calls go wrong at these shares.

    ``bad`` is the share of questions with a bad reply, ``faults`` that of requests that fail: so
    many fail in whatever order they come, in one way after another.
    """

    good: GoodModel = field(default_factory=GoodModel)
    bad: float = 0.0
    faults: float = 0.0
    seed: int = 0
    kinds: list[str] = field(default_factory=list)  # the bad replies that were given
    tries: dict[str, int] = field(default_factory=dict)  # how often each question came
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> Said | Fault:
        with self.lock:
            number = self.tries[asked.prompt] = self.tries.get(asked.prompt, 0) + 1
            requests = sum(self.tries.values())
            # The last try of five succeeds: what was never answered is asked again on resume.
            if number < 5 and int(requests * self.faults) > self.failed:
                self.failed += 1
                return _fault(self.failed)
        said = self.good.answer(asked.prompt)
        share = self.bad / 2 if is_correction(asked.prompt) else self.bad
        is_due = self.bad > 0 and not self.kinds and len(self.tries) == 8
        if is_due or _chance(f"bad {self.seed} {asked.prompt}") < share:
            kind = list(BAD)[int(_chance(f"kind {self.seed} {asked.prompt}") * len(BAD))]
            self.kinds.append(kind)
            return BAD[kind](said)
        return said


def _fault(number: int) -> Fault:
    kinds = (
        Fault("status", 429, retry="0.2s"),
        Fault("status", 503),
        Fault("status", 500),
        Fault("cut"),
        Fault("nonsense"),
        Fault("error_in_stream", 503),
        Fault("silent", seconds=0.3),
    )
    return kinds[number % len(kinds)]


def _chance(text: str) -> float:
    """A number in [0, 1) that follows from the text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 16**8
