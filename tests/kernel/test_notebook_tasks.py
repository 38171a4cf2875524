"""What a data scientist brings: DataFrames, a metric, a notebook and a model of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from notebooks import Notebook, open_notebook

SMALL = "--time 90s --models 1 --solutions 1 --outer 0 --ensemble-rounds 0 --folds 1 --no-reproduce"
DATA = """
import polars as pl
from sklearn.datasets import load_diabetes
frame = load_diabetes(as_frame=True).frame.iloc[:200, [2, 3, 8, 10]]
frame = frame.rename(columns={"target": "how far"})
train, test = frame[:150].reset_index(drop=True), frame[150:].drop(columns="how far")
lazy = pl.from_pandas(train).lazy()

def closeness(actual, predicted):
    return float((abs(actual - predicted) < 40).mean())
"""
OWN = {
    "load": "import pandas as pd\nrows, asked = pd.read_parquet(train_path), "
    "pd.read_parquet(test_path)\nform = pd.read_csv(sample_path)",
    "model": "from sklearn.linear_model import Ridge\n"
    "told = rows.pop('how far')\nmodel = Ridge(alpha=0.01).fit(rows, told)",
    "predict": "form['how far'] = model.predict(asked[rows.columns])\n"
    "form.to_csv(predictions_path, index=False)",
}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Notebook, Path]]:
    folder = tmp_path_factory.mktemp("own")
    with open_notebook(folder) as opened:
        opened.run(DATA)
        yield opened, folder


def events(folder: Path, run: str) -> list[dict[str, object]]:
    path = folder / "mlestar_runs" / run / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_understood_is_shown_before_anything_is_spent(
    notebook: tuple[Notebook, Path],
) -> None:
    opened, folder = notebook
    cell = opened.run('%mlestar task --train lazy --test test --target "how far" --metric mae')
    assert not cell.error, cell.error
    assert "150 rows to learn from, 50 to predict" in cell.text
    assert "mae (lower is better)" in cell.text
    assert not (folder / "mlestar_runs").exists()
    assert "no variable 'nowhere' for --train" in opened.run("%mlestar task --train nowhere").error


@pytest.mark.slow
def test_a_run_is_judged_by_a_function_of_the_notebook_and_goes_on_with_it_elsewhere(
    notebook: tuple[Notebook, Path],
) -> None:
    opened, folder = notebook
    cell = opened.run(
        f'%%mlestar close --train lazy --test test --target "how far" --metric closeness '
        f"--direction maximize {SMALL}\nPredict how far it goes, in {{frame}} or not."
    )
    assert not cell.error, cell.error
    assert "closeness (higher is better)" in cell.text
    got = opened.run("run = %mlestar status\nprint(run.score.value, run.task.description[:30])")
    value = float(got.text.split()[0])
    assert 0 < value < 1
    with open_notebook(folder) as other:
        looked = other.run("%mlestar show best --run mlestar_runs/close")
        assert not looked.error, "a run can be read without its function"
        refused = other.run("%mlestar refine --time 40s --inner 1 --run mlestar_runs/close")
        assert "judged by a function of your own, closeness" in (refused.error + refused.text)
    refined = opened.run("%mlestar refine --time 60s --inner 1")
    assert not refined.error, refined.error


def test_cells_above_are_the_first_solution_of_a_run(notebook: tuple[Notebook, Path]) -> None:
    opened, folder = notebook
    for name, source in OWN.items():
        # They are meant for a candidate's kernel: in the notebook they may well fail.
        opened.run(f"# %% {name}\n{source}")
    cell = opened.run(
        f'%%mlestar mine --train train --test test --target "how far" --metric mae '
        f"--from load,model,predict {SMALL}\nPredict how far it goes."
    )
    assert not cell.error, cell.error
    judged = [e for e in events(folder, "mine") if e["kind"] == "candidate_judged"]
    first = next(e for e in judged if e["id"] == "0001")
    assert first["status"] == "ok"
    assert first["plan"] == "the notebook that the run starts from"
    kept = (folder / "mlestar_runs" / "mine" / "start.py").read_text()
    assert kept.startswith("# %% load\nimport pandas as pd\n")
    blocks = opened.run("own = %mlestar show 0001\nprint(list(own.blocks))")
    assert "['load', 'model', 'predict']" in blocks.text
    unknown = opened.run(f"%%mlestar other --train train --from nowhere {SMALL}\nx")
    assert "no executed cell is named 'nowhere'" in unknown.error


def test_a_model_of_the_users_own_is_judged_like_any_other(notebook: tuple[Notebook, Path]) -> None:
    opened, folder = notebook
    cell = opened.run(
        "%%mlestar card huber --why 'outliers do not pull it' --run mlestar_runs/mine\n"
        "from sklearn.linear_model import HuberRegressor\n"
        "model = HuberRegressor(max_iter=500)"
    )
    assert not cell.error, cell.error
    judged = [e for e in events(folder, "mine") if e["kind"] == "candidate_judged"]
    assert judged[-1]["status"] == "ok"
    assert "huber" in str(judged[-1]["plan"])
    assert "HuberRegressor" in cell.text
    broken = opened.run("%%mlestar card nothing --run mlestar_runs/mine\nx = 1")
    assert broken.error.startswith(("ReplyError", "\x1b")), broken.error
    assert broken.error.count("\n") == 0


def test_a_verb_is_no_name_for_a_run_and_unknown_words_are_told(
    notebook: tuple[Notebook, Path],
) -> None:
    opened, _ = notebook
    assert "'refine' is a verb" in opened.run("%%mlestar refine --train train\nx").error
    assert "unknown verb 'refin'" in opened.run("%mlestar refin").error
    assert "no candidate '77'" in opened.run("%mlestar show 77 --run mlestar_runs/mine").error
    assert "usage: %mlestar pin" in opened.run("%mlestar pin --help").text
    assert "MLEStar.time" in opened.run("%mlestar config").text
    changed = opened.run('%config MLEStar.time = "95s"\n%mlestar config')
    assert "95s" in changed.text
