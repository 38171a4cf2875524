"""Completion of ``%mlestar``: what fits where, and nothing that disturbs typing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlestar_jupyter.candidate import Candidate, Proposal
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.jupyter import arguments, completion
from mlestar_jupyter.jupyter.completion import complete, last_word
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Block, Solution

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture
def run(build: Callable[..., Path], diabetes: Frames, tmp_path: Path) -> Run:
    made = Run.create(tmp_path / "run", from_folder(build(*diabetes)), Settings(folds=2))
    solution = Solution((Block("load", "1"), Block("trees", "2")))
    made.propose(Proposal("initialize", solution))
    made.record(
        Candidate(
            "0001", "initialize", solution, score=Score(1.0, (1.0,), (9,), 0.1, "rmse", False)
        )
    )
    made.emit("incumbent_changed", branch=0, id="0001", best=True, reason="the first")
    return made


NAMESPACE = {
    "houses": pd.DataFrame({"price": [1], "year built": [2], "Prime": [3]}),
    "_hidden": pd.DataFrame(), "number": 7, "print": print,
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%mlestar st", ["stop", "status"]),
        ("best = %mlestar st", ["stop", "status"]),
        ("    %mlestar ref", ["refine"]),
        ("%mlestar refine --inn", ["--inner"]),
        ("%mlestar refine --inner 3 --inn", []),
        ("%mlestar refine --inner ", []),
        ("%mlestar refine --block ", ["load", "trees"]),
        ("%mlestar pin t", ["trees"]),
        ("%mlestar show ", ["best", "0001"]),
        ("%mlestar diff 0001 b", ["best"]),
        ("%mlestar export out.py --candidate 0", ["0001"]),
        ("%%mlestar ad", ["adopt"]),
        ("%%mlestar adopt b", ["best"]),
        ("%%mlestar trial --tra", ["--train"]),
        ("%%mlestar trial --train ", ["houses"]),
        ("%%mlestar --train houses --target pri", ["price"]),
        ("%%mlestar --train houses --target PRI", ["price", "Prime"]),
        ("%%mlestar --train houses --id y", ["'year built'"]),
        ('%%mlestar --train houses --id "y', ['"year built"']),
        ("%%mlestar --train houses --time-column 'year b", ["'year built'"]),
        ("%%mlestar --train number --target ", []),
        ("%%mlestar --metric rms", ["rmse", "rmsle", "rmspe"]),
        ("%%mlestar --kind b", ["binary"]),
        ("%%mlestar --agents p", ["playbook"]),
        ("%%mlestar --agents gem", ["gemini", "gemini-only"]),
        ("%%mlestar --agents gemini --model pla", ["plan=", "plan_ensemble="]),
        ("%%mlestar --agents gemini --model gemini-2.5-p", ["gemini-2.5-pro"]),
        ("%%mlestar --model a --cost 2 --mode", ["--models", "--model"]),
        ("%%mlestar --dry", ["--dry-run"]),
        ("%%mlestar --calls-", ["--calls-at-once", "--calls-per-minute"]),
        ("%%mlestar trial tr", []),
    ],
)  # fmt: skip
def test_what_fits_is_offered(run: Run, line: str, expected: list[str]) -> None:
    assert complete(line, NAMESPACE, run) == expected


@pytest.mark.parametrize(
    "line",
    [
        "", "%", "%mlestar", "%timeit x", "mlestar show ", "print('%mlestar sh", "%mlestar dance ",
        "%mlestar export ", "%%mlestar --data ", "%%mlestar --out mlestar_runs/", "%mlestar runs ",
        "%%mlestar --from my", "%mlestar suggest \"target enc", "%mlestar refine --time ",
    ],
)  # fmt: skip
def test_what_is_no_business_of_ours_is_left_to_ipython(run: Run, line: str) -> None:
    assert complete(line, NAMESPACE, run) == []


def test_every_verb_and_every_option_is_offered() -> None:
    verbs = arguments.verb_parsers()
    assert complete("%mlestar ", {}, None) == list(verbs)
    for name, parser in verbs.items():
        options = {o for action in parser._actions for o in action.option_strings}
        offered = complete(f"%mlestar {name} --", {}, None)
        assert set(offered) == {o for o in options if o.startswith("--")}, name
    cell = {o for action in arguments.cell_parser()._actions for o in action.option_strings}
    assert set(complete("%%mlestar --", {}, None)) == {o for o in cell if o.startswith("--")}


def test_functions_of_the_notebook_are_metrics_too() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def my_loss(actual, predicted): return 0", namespace)
    assert complete("%%mlestar --metric my", namespace, None) == ["my_loss"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_columns_come_from_the_header_of_a_folder(
    build: Callable[..., Path], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build(pd.DataFrame({"a": [1], "über alles": [2], "c,d": [3]}), suffix=suffix)

    def unread(*_: Any, **__: Any) -> None:
        raise AssertionError("a whole table was read")

    for reader in ("read_csv", "read_parquet"):
        monkeypatch.setattr(pd, reader, unread)
    line = f"%%mlestar --data '{folder}' --target "
    assert complete(line, {}, None) == ["a", "'über alles'", "c,d"]


def test_polars_frames_have_columns_without_being_computed() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1], "b": [2]})
    namespace = {"eager": frame, "late": frame.lazy().with_columns(polars.col("a") * 2)}
    assert complete("%%mlestar --train ", namespace, None) == ["eager", "late"]
    assert complete("%%mlestar --train late --target ", namespace, None) == ["a", "b"]


def test_it_never_raises() -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    odd: Any = Odd()
    line = "%%mlestar --train odd --target 'x\" --id \\ --data \0 -- --metric 'y"
    for end in range(len(line) + 1):
        assert isinstance(complete(line[:end], {"odd": odd}, odd), list)
        assert line[:end].endswith(last_word(line[:end]))
    assert complete("%mlestar show ", {}, odd) == []


def test_the_run_is_looked_for_only_where_it_is_needed() -> None:
    def lost() -> Run | None:
        raise OSError("the folder is gone")

    assert completion._completed("%mlestar st", {}, lost) == ["stop", "status"]
    assert completion._completed("%mlestar show ", {}, lost) == []
