"""What magics take from the user's namespace, and the grammar that they are typed in."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.jupyter import arguments, namespace
from mlestar_jupyter.jupyter.config import MLEStar
from mlestar_jupyter.metrics import Metric

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def test_braces_around_a_variables_name_take_its_value_and_others_are_left_alone() -> None:
    text = "limit {time}, {'a': 1}, {unknown}, {time:>5}, {{time}}, f(x) = {x | x > 0}"
    filled = namespace.fill(text, {"time": "5m", "x": 3})
    assert filled == "limit 5m, {'a': 1}, {unknown}, {time:>5}, {5m}, f(x) = {x | x > 0}"


def test_braces_in_code_are_left_alone_and_a_cell_that_is_one_name_is_its_text() -> None:
    names = {"model": "HELLO", "edited": "x = 1\n"}
    code = "# %% extra\ntext = f'{model}'"
    assert namespace.fill_code(code, names) == code
    assert namespace.fill_code("{edited}\n", names) == "x = 1\n"
    assert namespace.fill_code("{unknown}", names) == "{unknown}"


def test_a_dataframe_of_polars_is_one_of_pandas_to_us() -> None:
    names = {"eager": pl.from_pandas(FRAME), "lazy": pl.from_pandas(FRAME).lazy(), "plain": FRAME}
    for name in names:
        pd.testing.assert_frame_equal(namespace.frame(name, names, "--train"), FRAME)
    assert namespace.frame_names(names) == ["eager", "lazy", "plain"]


def test_a_name_that_is_no_dataframe_is_refused_with_those_that_are() -> None:
    names = {"table": FRAME, "words": ["a"], "_hidden": FRAME}
    with pytest.raises(SettingsError, match="no variable 'tabel' for --train; DataFrames here: ta"):
        namespace.frame("tabel", names, "--train")
    with pytest.raises(SettingsError, match="words is a list; give --test a pandas or polars"):
        namespace.frame("words", names, "--test")


def test_a_function_of_the_users_own_is_a_metric_and_a_known_name_stays_a_name() -> None:
    def closeness(actual, predicted):
        return 1.0

    names = {"closeness": closeness, "rmse": closeness, "short": lambda a, p: 0.0}
    assert isinstance(namespace.own_metric("rmse", names, True, "value"), Metric)
    metric = namespace.own_metric("closeness", names, True, "value")
    assert isinstance(metric, Metric)
    assert (metric.name, metric.greater_is_better) == ("closeness", True)
    assert namespace.own_metric("rmse", names, None, "value") == "rmse"
    assert namespace.own_metric("mae", names, None, "value") == "mae"
    with pytest.raises(SettingsError, match="say which way closeness is better: --direction"):
        namespace.own_metric("closeness", names, None, "value")
    with pytest.raises(SettingsError, match="short has no source of its own; write it as `def sh"):
        namespace.own_metric("short", names, True, "value")


def test_named_cells_above_are_a_solution_as_they_were_last_executed() -> None:
    history = [
        "%load_ext mlestar_jupyter",
        "# %% load\nx = 1",
        "# %% model\ny = x",
        "print(y)",
        "# %% load\nx = 2\n",
    ]
    chosen = namespace.cells_above(["load", "model"], history)
    assert [(b.name, b.source) for b in chosen.blocks] == [("load", "x = 2"), ("model", "y = x")]
    assert namespace.cells_above(["above"], history) == chosen
    with pytest.raises(SettingsError, match=r"no executed cell is named 'predict' \(known: load"):
        namespace.cells_above(["load", "predict"], history)
    with pytest.raises(SettingsError, match=r"no cell has a name \(known: none yet\)"):
        namespace.cells_above(["above"], ["x = 1"])


def test_words_after_from_are_a_file_or_names_of_cells() -> None:
    assert namespace.is_path("mine.ipynb")
    assert namespace.is_path("folder/mine")
    assert not namespace.is_path("load,model")


def test_quotes_keep_spaces_and_a_quote_left_open_is_told() -> None:
    words = arguments.split('trial --target "median price" --train df')
    values = arguments.cell_parser().parse_args(words)
    assert (values.name, values.target, values.train) == ("trial", "median price", "df")
    assert arguments.split_line("suggest don't use trees") == ["suggest", "don't use trees"]
    with pytest.raises(SettingsError, match="unrecognized arguments: --tim"):
        arguments.cell_parser().parse_args(["trial", "--tim", "5m"])
    with pytest.raises(SettingsError, match="close the quotes"):
        arguments.split('--target "median')


def test_every_verb_explains_itself_and_refuses_what_it_does_not_know() -> None:
    parser = arguments.line_parser()
    for verb in arguments.verb_parsers():
        assert arguments.verb_help(verb).startswith(f"usage: %mlestar {verb}")
        with pytest.raises(SettingsError, match=f"see %mlestar(?: {verb})? --help"):
            parser.parse_args([verb, "--no-such-option"])


def test_defaults_are_checked_when_they_are_changed() -> None:
    config = MLEStar()
    config.time = "90s"
    config.jobs = 1
    settings = config.settings()
    assert (settings.seconds, settings.jobs) == (90.0, 1)
    with pytest.raises(Exception, match="cannot read the time 'soon'; write for example 90s"):
        config.time = "soon"
    assert ("jobs", "1   (candidates executed side by side)") in config.rows()
