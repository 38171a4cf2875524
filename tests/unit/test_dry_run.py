"""``--dry-run`` and the defaults of a notebook, through the magics, without a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.jupyter.magics import MlestarMagics

Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


@pytest.fixture
def magics(
    diabetes: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MlestarMagics]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    shell = InteractiveShell()
    shell.user_ns["houses"] = diabetes[0]
    yield MlestarMagics(shell)
    shell.history_manager.end_session()


LINE = "trial --train houses --target progression"


def test_a_dry_run_says_what_to_expect_and_begins_nothing(
    magics: MlestarMagics, tmp_path: Path
) -> None:
    for words in (f"{LINE} --dry-run --agents gemini", f"{LINE} --dry-run"):
        said = magics.say(words, "Predict it.").text
        assert "nothing was asked" in said or "nothing is paid" in said
    assert magics.workspace.folder is None
    assert not (tmp_path / "mlestar_runs").exists()


def test_a_dry_run_goes_by_the_defaults_of_the_notebook(magics: MlestarMagics) -> None:
    magics.config_defaults.agents = "gemini"
    magics.config_defaults.cost = 0.5
    magics.config_defaults.model = "gemini-2.5-pro"
    for said in (
        magics.say(f"{LINE} --dry-run", "Predict it."),
        magics.say("task --train houses --target progression --dry-run"),
    ):
        assert "gemini, gemini-2.5-pro, at most $0.50" in said.text
        assert "the limit is $0.50" in said.text


def test_a_run_without_a_key_is_refused_before_anything_is_made(
    magics: MlestarMagics, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="no key for Gemini; set GEMINI_API_KEY"):
        magics.say(f"{LINE} --agents gemini", "Predict it.")
    assert not (tmp_path / "mlestar_runs").exists()


def test_the_defaults_are_listed_with_what_they_are(magics: MlestarMagics) -> None:
    said = magics.say("config").text
    for name in ("agents", "cost", "model", "role_models", "prices", "calls_at_once", "examples"):
        assert name in said
