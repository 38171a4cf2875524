"""The options for language models: what is typed, the settings that it means, and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.jupyter.config import MLEStar
from mlestar_jupyter.options import Parser, add_settings_options, to_settings
from mlestar_jupyter.settings import Settings


def read(*words: str, defaults: Settings | None = None) -> Settings:
    parser = Parser(prog="mlestar run")
    add_settings_options(parser)
    return to_settings(vars(parser.parse_args(words)), defaults)


def test_what_is_said_of_models_becomes_settings() -> None:
    settings = read(
        "--agents", "gemini-only", "--cost", "$2.50", "--model", "big", "--model", "plan=small",
        "--model", "code=tiny", "--temperature", "0.3", "--thinking", "0", "--calls-at-once", "2",
        "--calls-per-minute", "9", "--call-time", "90s", "--no-examples",
        "--price", "big=1,2", "--price", "small=0.5,1,0.1",
    )  # fmt: skip
    assert settings == Settings(
        agents="gemini-only", cost=2.5, model="big", role_models={"plan": "small", "code": "tiny"},
        temperature=0.3, thinking=0, calls_at_once=2, calls_per_minute=9, call_seconds=90.0,
        examples=False, prices={"big": [1.0, 2.0], "small": [0.5, 1.0, 0.1]},
    )  # fmt: skip
    assert Settings.from_json(settings.to_json()) == settings


def test_what_is_said_of_execution_becomes_settings() -> None:
    settings = read(
        "--memory", "1.5G", "--sandbox", "off", "--dask", "tcp://127.0.0.1:8786",
        "--no-warm-kernels", "--no-reuse", "--no-early-stop",
    )  # fmt: skip
    assert settings == Settings(
        memory=3 * 2**29, sandbox="off", dask="tcp://127.0.0.1:8786", warm_kernels=False,
        reuse=False, early_stop=False,
    )  # fmt: skip
    config = MLEStar()
    config.memory, config.sandbox, config.reuse = "512M", "off", False
    assert read(defaults=config.settings()) == Settings(memory=2**29, sandbox="off", reuse=False)


def test_nothing_said_is_the_default() -> None:
    assert read() == Settings()


def test_what_is_said_goes_before_the_notebooks_defaults_and_adds_to_its_tables() -> None:
    config = MLEStar()
    config.agents, config.cost, config.model = "gemini", 1.0, "big"
    config.role_models, config.prices = {"plan": "small"}, {"big": [1, 2]}
    settings = read("--cost", "3", "--model", "code=tiny", defaults=config.settings())
    assert (settings.agents, settings.cost, settings.model) == ("gemini", 3.0, "big")
    assert settings.role_models == {"plan": "small", "code": "tiny"}
    assert settings.prices == {"big": [1, 2]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--memory much", "cannot read the size 'much'; write for example 512M or 4G"),
        ("--memory 1M", "memory must be at least 256M, not 1M"),
        ("--cost abc", "cannot read the amount 'abc'; write dollars, for example 2 or 0.50"),
        ("--cost 0", "cost must be more than 0 dollars, not 0"),
        ("--cost -1", "cost must be more than 0 dollars, not -1"),
        ("--cost nan", "cost must be more than 0 dollars, not nan"),
        ("--cost inf", "cost must be more than 0 dollars, not inf"),
        ("--agents gemni", "invalid choice: 'gemni' (choose from"),
        ("--model planner=", "unknown role 'planner'; did you mean plan? roles are retrieve,"),
        ("--model plan=", "no model is named for plan; write --model plan=NAME"),
        ("--model =x", "unknown role ''; roles are retrieve,"),
        ("--temperature 3", "temperature must lie in 0 to 2, not 3"),
        ("--thinking -1", "thinking must be 0 tokens or more, not -1"),
        ("--calls-at-once 0", "calls-at-once must be at least 1, not 0"),
        ("--calls-per-minute 0", "calls-per-minute must be at least 1, not 0"),
        ("--call-time 1s", "call-time must be at least 5s, not 1s"),
        ("--endpoint localhost", "endpoint must be an address such as http://localhost:11434/v1"),
        ("--price big", "cannot read the price 'big'; write NAME=IN,OUT"),
        ("--price big=1", "cannot read the price 'big=1'"),
        ("--price big=a,b", "cannot read the price 'big=a,b'"),
        ("--price =1,2", "cannot read the price '=1,2'"),
        ("--price big=-1,2", "the price of big must be dollars for a million tokens"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words: str, said: str) -> None:
    agents = [] if words.startswith("--agents") else ["--agents", "gemini"]
    with pytest.raises(SettingsError) as caught:
        read(*agents, *words.split())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", ["--model x", "--endpoint http://localhost:1/v1"])
def test_what_the_playbook_cannot_use_is_refused(words: str) -> None:
    with pytest.raises(SettingsError, match="add --agents gemini or --agents openai"):
        read(*words.split())
    read("--cost", "2")  # it pays nothing, so it keeps to any limit


def test_a_replay_needs_a_run_with_recorded_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mlestar_runs" / "trial"
    folder.mkdir(parents=True)
    with pytest.raises(SettingsError, match="no run in 'trial' to replay"):
        read("--agents", "gemini", "--replay", "trial")
    (folder / "journal.jsonl").touch()
    with pytest.raises(SettingsError, match="has no recorded replies"):
        read("--agents", "gemini", "--replay", "trial")
    (folder / "replies").mkdir()
    for named in ("trial", "mlestar_runs/trial", str(folder)):
        assert read("--agents", "gemini", "--replay", named).replay == str(folder.resolve())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cost", 0.0, "cost must be more than 0"),
        ("role_models", {"planner": "x"}, "did you mean plan"),
        ("endpoint", "localhost", "endpoint must be an address"),
        ("prices", {"big": [1]}, "the price of big"),
        ("call_time", "soon", "cannot read the time"),
        ("agents", "nobody", "expected any of"),
    ],
)
def test_a_default_that_no_run_could_have_is_refused_and_the_one_before_stays(
    name: str, value: Any, said: str
) -> None:
    config = MLEStar()
    before = getattr(config, name)
    with pytest.raises(TraitError, match=said):
        setattr(config, name, value)
    assert getattr(config, name) == before
