"""The playbook's solutions, executed as they are, for every kind of table and for odd ones."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import datasets
from threadpoolctl import threadpool_limits

from mlestar_jupyter.agents.playbook import Playbook
from mlestar_jupyter.candidate import Candidate, Failure
from mlestar_jupyter.checks.leakage import find_leaks
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.grading import grade
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.interfaces import AblationResult, Attempt, Brief
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.staging import Staging
from mlestar_jupyter.submission import write_submission
from mlestar_jupyter.task import Task
from mlestar_jupyter.validation import Validation, freeze

ROWS, TRAIN = 160, 120
ODD_NAMES = (
    'qu"ote', "ap'os", "new\nline", "ünï→", "do$$ar", "back\\slash", "{brace}", "{{target}}",
    "[x]", "a:b,c", " lead", "class", "#hash", "tab\tx", "X", "train", '"""', "\\n",
)  # fmt: skip
WORDS = ["the", "cat", "dog", "house", "runs", "over", "lazy", "moon", "river", "sings", "night"]
Files = dict[str, pd.DataFrame | Image.Image | bytes]
Tables = tuple[pd.DataFrame, str, str, Files]


def table(rng: np.random.Generator) -> pd.DataFrame:
    """Real measurements, a category and an id."""
    data = datasets.load_diabetes(as_frame=True).frame.iloc[:ROWS, [0, 2, 3, 8]]
    data.insert(0, "id", range(1000, 1000 + ROWS))
    return data.assign(kind=rng.choice(list("xyzw"), ROWS), target=data["bmi"] * 900 + 90)


def numbers_with_gaps(rng: np.random.Generator) -> Tables:
    data = table(rng)
    data["rare"] = np.where(rng.random(ROWS) < 0.9, np.nan, data["bmi"])
    data["nothing"] = np.nan
    data["far"] = np.where(rng.random(ROWS) < 0.1, np.inf, data["bp"])
    return data, "target", "", {}


def wide_categories_dates_and_truth(rng: np.random.Generator) -> Tables:
    data = table(rng)
    data["town"] = [f"town {n}" for n in rng.integers(0, 60, ROWS)]
    data["code"] = [str(10**30 + n) for n in range(ROWS)]
    data["seen"] = pd.date_range("2021-01-01", periods=ROWS, freq="7h").strftime("%d/%m/%Y %H:%M")
    data["old"] = rng.random(ROWS) > 0.5
    return data.sample(frac=1, random_state=0), "target", "judged by MAE", {}


def names_of_any_letters(rng: np.random.Generator) -> Tables:
    data = table(rng)
    for number, name in enumerate(ODD_NAMES):
        odd = rng.choice(["p", "q\n", 'r$"', "s'"], ROWS)
        data[name] = odd if number % 3 == 0 else rng.normal(size=ROWS)
    data = data.rename(columns={"target": "tar\"g'et\n$é"})
    return data, "tar\"g'et\n$é", "", {}


def truth_as_target(rng: np.random.Generator) -> Tables:
    data = table(rng)
    return data.assign(target=data["target"] > 90), "target", "", {}


def chance_of_odd_labels(rng: np.random.Generator) -> Tables:
    data = table(rng)
    labels = np.where(data["target"] > 90, 'ye\'s "x"', "n$o\nline")
    return data.assign(target=labels), "target", "metric: AUC", {}


def three_classes_one_rare(rng: np.random.Generator) -> Tables:
    data = table(rng)
    labels = np.where(data["target"] > 90, "A b", "C'").astype(object)
    labels[3] = 'D"'
    return data.assign(target=labels), "target", "log loss", {}


def two_texts_beside_a_number(rng: np.random.Generator) -> Tables:
    data = table(rng)[["id", "bmi"]]
    first = [" ".join(rng.choice(WORDS, 9)) for _ in range(ROWS)]
    data["first"] = first
    data["second"] = [" ".join(rng.choice(WORDS, 12)) for _ in range(ROWS)]
    data["target"] = ["k" if "cat" in text else "l" for text in first]
    data.loc[data.index[4], "first"] = None
    return data, "target", "log loss", {}


def a_text_for_a_number(rng: np.random.Generator) -> Tables:
    texts = [" ".join(rng.choice(WORDS, 9)) for _ in range(ROWS)]
    counts = [text.count("cat") + rng.normal() for text in texts]
    return pd.DataFrame({"id": range(ROWS), "text": texts, "target": counts}), "target", "", {}


def side_tables_and_junk(rng: np.random.Generator) -> Tables:
    data = table(rng).assign(store=rng.integers(0, 20, ROWS))
    visits = pd.DataFrame(
        {
            "store": np.repeat(range(20), 5),
            "da'te": pd.date_range("2020-01-01", periods=100).strftime("%Y-%m-%d"),
            'amo"unt': rng.normal(size=100),
            "kind": rng.choice(["a", "b"], 100),
        }
    )
    stores = pd.DataFrame(
        {"store": range(20), "na$me": [f"s{n}" for n in range(20)], "size": rng.normal(size=20)}
    )
    files: Files = {
        "visi ts'.csv": visits, "störes.csv": stores, "sub/visits $(x).csv": visits,
        "junk.bin": bytes(range(256)) * 400, "broken.csv": b'\xff\xfe\x00a,b\n1,"2\n',
        "empty.csv": b"", "-rf": b"x", "deep.jsonl": b'{"store": 1, "list": [1, 2]}\n' * 3,
    }  # fmt: skip
    return data, "target", "", files


def few_pictures(rng: np.random.Generator) -> Tables:
    classes = rng.integers(0, 3, ROWS)
    names = [f"p {number}.png" for number in range(ROWS)]
    files: Files = {}
    for number, name in enumerate(names):
        values = rng.random((20 + number % 3, 18, 3)) * 80 + 60 * classes[number]
        files[f"pict ures/{name}"] = Image.fromarray(values.astype("uint8"))
    return pd.DataFrame({"file": names, "target": classes}), "target", "accuracy", files


CASES = (
    numbers_with_gaps, wide_categories_dates_and_truth, names_of_any_letters, truth_as_target,
    chance_of_odd_labels, three_classes_one_rare, two_texts_beside_a_number, a_text_for_a_number,
    side_tables_and_junk, few_pictures,
)  # fmt: skip
#: Their first three solutions take most of a minute.
COSTLY = (
    numbers_with_gaps, wide_categories_dates_and_truth, three_classes_one_rare,
    chance_of_odd_labels, names_of_any_letters, truth_as_target, two_texts_beside_a_number,
)  # fmt: skip


def write(folder: Path, tables: Tables) -> Task:
    data, target, description, files = tables
    folder.mkdir()
    data.iloc[:TRAIN].to_csv(folder / "train.csv", index=False)
    data.iloc[TRAIN:].drop(columns=target).to_csv(folder / "test.csv", index=False)
    (folder / "description.md").write_text(description)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, pd.DataFrame):
            content.to_csv(path, index=False)
        else:
            content.save(path)
    return from_folder(folder)


class Bench:
    """A task, and what it takes to execute a solution for it, here and without a kernel."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self.validation: Validation = freeze(task, Settings(folds=2, seconds=60))
        self.staging = Staging(task, self.validation, folder / "folds")
        self.folder = folder
        self.agents = Playbook()
        self.brief = Brief(task, 10.0)

    def firsts(self, count: int) -> list[Solution]:
        cards = self.agents.retrieve(self.brief, count)
        assert len(cards) >= min(count, 2)
        return [self.agents.initialize(self.brief, card) for card in cards]

    def execute(self, solution: Solution, purpose: int | str) -> Path:
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        for name, path in self.staging.inputs(purpose).items():  # type: ignore[arg-type]
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, work / name)
        names = {**self.staging.parameters, "seed": 0}
        with contextlib.chdir(work), contextlib.redirect_stdout(io.StringIO()):
            for block in solution.blocks:
                try:
                    exec(compile(block.source, block.name, "exec"), names)
                except Exception as error:
                    raise Broken(block.name, error) from error
        return work / "predictions.csv"

    def judge(self, solution: Solution, rounds: int = 3) -> float:
        """The score of fold 1, as the run would take it: checked for leaks, debugged, graded."""
        solution.check_compiles()
        assert [f for f in find_leaks(solution, self.task) if f.certain] == []
        try:
            told = self.execute(solution, "all")
            write_submission(self.task, told, told.with_name("submission.csv"))
            path = self.execute(solution, 1)
            return grade(self.task, self.validation.held_rows(1), path).value
        except Broken as broken:
            failure = Failure(broken.block, type(broken.cause).__name__, str(broken.cause))
            mended = self.agents.debug(self.brief, solution, failure)
            assert mended is not None, failure
            assert rounds
            return self.judge(mended, rounds - 1)


class Broken(Exception):  # noqa: N818 (it is what the cells did, no error of the test)
    def __init__(self, block: str, cause: Exception) -> None:
        super().__init__(f"{block}: {type(cause).__name__}: {cause}")
        self.block, self.cause = block, cause


few = pytest.mark.parametrize(
    "bench",
    [names_of_any_letters, two_texts_beside_a_number, side_tables_and_junk],
    indirect=True,
    ids=lambda case: case.__name__,
)


@pytest.fixture(
    params=[
        pytest.param(case, id=case.__name__, marks=[pytest.mark.slow] if case in COSTLY else [])
        for case in CASES
    ]
)
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    make: Callable[[np.random.Generator], Tables] = request.param
    # The cells warn as they would in a notebook; here that is not the question.
    monkeypatch.setattr("warnings.filters", [("ignore", None, Warning, None, 0)])
    import lightgbm  # noqa: F401 (so that its threads are known below)

    # Tests side by side, each with as many threads as cores, would wait for each other.
    with threadpool_limits(1):
        yield Bench(write(tmp_path / "task", make(np.random.default_rng(0))), tmp_path)


def test_first_solutions_and_their_merger_run_and_can_be_graded(bench: Bench) -> None:
    solutions = bench.firsts(3)
    assert len({solution.key for solution in solutions}) == len(solutions)
    for solution in solutions:
        bench.judge(solution)
    with contextlib.suppress(ReplyError):
        bench.judge(bench.agents.merge(bench.brief, solutions[0], solutions[1]))


@few
@pytest.mark.slow
def test_ablations_and_plans_change_one_block_and_run(bench: Bench) -> None:
    agents, brief = bench.agents, bench.brief
    base = bench.firsts(1)[0]
    score = bench.judge(base)
    variants = agents.ablate(brief, base, [])[:3]
    assert variants
    results = []
    for number, variant in enumerate(variants):
        changed = base.replace(variant.block, variant.source)
        assert list(changed.changed(base)) == [variant.block]
        value = bench.judge(changed)
        results.append(AblationResult(variant, f"{number:04d}", None, score - value, 1.0))
    assert agents.summarize(brief, base, results)
    target = agents.extract(brief, base, results, [])
    assert target is not None
    attempts: list[Attempt] = []
    plan: str | None = target.plan
    while plan is not None and len(attempts) < 2:
        changed = base.replace(target.block, agents.code(brief, base, target, plan))
        assert changed.key != base.key
        bench.judge(changed)
        attempts.append(Attempt(plan, None, None, 1.0))
        plan = agents.plan(brief, base, target, attempts)
    assert len({attempt.plan for attempt in attempts}) == len(attempts)


@few
@pytest.mark.slow
def test_ensembles_of_two_solutions_run(bench: Bench) -> None:
    metric = bench.task.metric
    members = [
        Candidate(
            f"{number:04d}", "refine", solution, "", status="ok", seconds=1.0, slowest=1.0,
            score=Score(0.5, (0.5,), (60,), 0.1, metric.name, metric.greater_is_better),
        )
        for number, solution in enumerate(bench.firsts(2), start=1)
    ]  # fmt: skip
    attempts: list[Attempt] = []
    while plan := bench.agents.plan_ensemble(bench.brief, members, attempts):
        combined = bench.agents.ensemble(bench.brief, members, plan)
        assert len(combined.blocks) > len(members[0].solution.blocks)
        bench.judge(combined)
        attempts.append(Attempt(plan, None, None, 1.0))
        if len(attempts) == 1:
            break
    assert attempts


def test_equal_questions_get_equal_answers(bench: Bench) -> None:
    again = Playbook()
    cards = bench.agents.retrieve(bench.brief, 9)
    assert cards == again.retrieve(bench.brief, 9)
    base = bench.agents.initialize(bench.brief, cards[0])
    assert base.key == again.initialize(bench.brief, cards[0]).key
    assert bench.agents.ablate(bench.brief, base, []) == again.ablate(bench.brief, base, [])
