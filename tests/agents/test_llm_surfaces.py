"""What the surfaces say of keys: where one was found, how it is kept, and never the key itself."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from cast import SmallCast

from mlestar_jupyter import doctor
from mlestar_jupyter.cli import main
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.journal import is_locked
from mlestar_jupyter.jupyter import casts
from mlestar_jupyter.jupyter.arguments import cell_parser
from mlestar_jupyter.run import Run
from mlestar_jupyter.session import Session
from mlestar_jupyter.settings import Settings

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

KEY = "a-key-that-must-not-be-seen"
VARIABLES = (
    "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL",
    "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_CLOUD_PROJECT",
)  # fmt: skip


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """A keyring that is a dict, and an environment without keys."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    found: dict[tuple[str, str], str] = {}
    ring = SimpleNamespace(
        get_password=lambda service, name: found.get((service, name)),
        set_password=lambda service, name, key: found.update({(service, name): key}),
        delete_password=lambda service, name: found.pop((service, name)),
    )
    monkeypatch.setitem(sys.modules, "keyring", ring)  # type: ignore[arg-type]
    return found


def test_a_key_is_asked_for_kept_found_and_forgotten(
    kept: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda words: KEY)
    assert main(["key", "set"]) == 0
    assert list(kept.values()) == [KEY]
    assert "--agents gemini" in capsys.readouterr().out
    assert "key found in the keyring; gemini-" in doctor._gemini().found
    assert main(["key", "forget"]) == 0
    assert kept == {}
    assert main(["key", "forget", "openai"]) == 0
    said = capsys.readouterr()
    assert "there was no key to forget" in said.out
    assert KEY not in said.out + said.err


def test_an_empty_key_is_not_kept(
    kept: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda words: " ")
    assert main(["key", "set", "openai"]) == 2
    assert "the key is empty; nothing was kept" in capsys.readouterr().err
    assert kept == {}


def test_doctor_says_where_a_key_was_found_or_how_to_have_one() -> None:
    for check in (doctor._gemini(), doctor._openai()):
        assert check.works, "the playbook does without"
        assert "no key (optional): set" in check.found


@pytest.mark.parametrize(
    ("name", "value", "look", "said"),
    [
        ("GEMINI_API_KEY", KEY, doctor._gemini, "key found in GEMINI_API_KEY; gemini-"),
        ("GOOGLE_API_KEY", KEY, doctor._gemini, "key found in GOOGLE_API_KEY"),
        ("OPENAI_API_KEY", KEY, doctor._openai, "key found in OPENAI_API_KEY; name a model"),
        ("OPENAI_BASE_URL", "http://localhost:1/v1", doctor._openai, "server http://localhost:1"),
        ("GOOGLE_GENAI_USE_VERTEXAI", "true", doctor._gemini, "GOOGLE_CLOUD_PROJECT is not set"),
    ],
)
def test_doctor_names_the_variable_and_never_the_key(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, look: Callable[[], Any], said: str
) -> None:
    monkeypatch.setenv(name, value)
    found = look().found
    assert said in found
    assert KEY not in found


def test_a_run_is_given_more_money_when_it_is_resumed(
    build: Callable[..., Path], diabetes: Frames, tmp_path: Path
) -> None:
    task = from_folder(build(*diabetes))
    Run.create(tmp_path / "run", task, Settings(folds=2, cost=1.0)).close()
    with Session.resume(tmp_path / "run", cost=2.5, agents=SmallCast()) as session:
        assert session.run.settings.cost == 2.5
        assert session.run.settings.seconds == Settings().seconds
    assert Run.open(tmp_path / "run", task).settings.cost == 2.5


def test_money_that_is_no_limit_leaves_the_run_as_it_was(
    build: Callable[..., Path],
    diabetes: Frames,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Run.create(tmp_path / "run", from_folder(build(*diabetes)), Settings(folds=2)).close()
    assert main(["resume", str(tmp_path / "run"), "--cost", "0"]) == 2
    assert "cost must be more than 0 dollars" in capsys.readouterr().err
    assert not is_locked(tmp_path / "run" / "journal.jsonl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--agents", "gemini"], "set GEMINI_API_KEY (get one at https://aistudio.google.com"),
        (["--agents", "gemini-only"], "keep one with `mlestar key set gemini`"),
        (["--agents", "openai"], "or name another server with --endpoint URL"),
        (["--agents", "openai", "--endpoint", "http://localhost:1/v1"], "--model NAME"),
    ],
)
def test_a_run_without_a_key_says_where_one_comes_from_and_leaves_nothing_behind(
    build: Callable[..., Path],
    diabetes: Frames,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    folder = build(*diabetes)
    assert main(["run", str(folder), "--out", str(tmp_path / "run"), *words]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert "--model" in said or "--agents playbook needs none" in line
    assert not (tmp_path / "run").exists()


def test_a_form_offers_the_casts_their_options_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {choice["name"]: choice for choice in casts.choices()}
    assert list(found) == ["playbook", "gemini", "gemini-only", "openai", "openai-only"]
    assert found["playbook"]["options"] == []
    assert {"cost", "model"} < set(found["gemini"]["options"])
    assert set(found["openai"]["options"]) - set(found["gemini"]["options"]) == {"endpoint"}
    known = {name for action in cell_parser()._actions for name in action.option_strings}
    assert {f"--{option}" for option in found["openai"]["options"]} <= known
    assert [name for name, choice in found.items() if choice["has_key"]] == ["playbook"]
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    found = {choice["name"]: choice for choice in casts.choices()}
    assert found["gemini"]["has_key"]
    assert found["gemini-only"]["has_key"]
    assert not found["openai"]["has_key"]
    assert KEY not in str(found)
