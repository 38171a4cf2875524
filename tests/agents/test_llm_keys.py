"""Keys: where they come from, and that they get into no text and to no candidate."""

from __future__ import annotations

import sys
import types

import pytest

from mlestar_jupyter.agents.llm import keys
from mlestar_jupyter.agents.llm.doors import open_llm
from mlestar_jupyter.agents.llm.keys import (
    VARIABLES,
    find_key,
    forget_key,
    keep_key,
    key_for,
    remember,
    scrub,
)
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.execution.environment import without_secrets
from mlestar_jupyter.settings import Settings

NAMES = [name for names in VARIABLES.values() for name in names]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in (*NAMES, "OPENAI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(keys, "_used", set())


@pytest.fixture
def ring(monkeypatch):
    """A keyring in memory; the real package asks the desktop."""
    kept: dict[tuple[str, str], str] = {}
    package = types.ModuleType("keyring")
    package.get_password = lambda service, name: kept.get((service, name))
    package.set_password = lambda service, name, key: kept.update({(service, name): key})
    package.delete_password = lambda service, name: kept.pop((service, name))
    monkeypatch.setitem(sys.modules, "keyring", package)
    return kept


def test_the_environment_goes_before_the_keyring(ring, monkeypatch):
    keep_key("gemini", " from-the-ring ")
    assert find_key("gemini") == ("from-the-ring", "keyring")
    monkeypatch.setenv("GOOGLE_API_KEY", "from-google\n")
    assert find_key("gemini") == ("from-google", "GOOGLE_API_KEY")
    monkeypatch.setenv("GEMINI_API_KEY", "from-gemini")
    assert find_key("gemini") == ("from-gemini", "GEMINI_API_KEY")
    assert key_for("openai") is None


def test_a_key_is_kept_under_our_name_and_forgotten(ring):
    keep_key("openai", "sk-one")
    assert ring == {("mlestar-jupyter", "openai"): "sk-one"}
    assert forget_key("openai")
    assert not forget_key("openai")
    assert key_for("openai") is None


def test_an_empty_key_is_no_key(ring, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "  ")
    assert key_for("gemini") is None
    with pytest.raises(SettingsError, match="empty"):
        keep_key("gemini", "  ")


def test_without_a_keyring_there_is_no_key_and_keeping_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert key_for("gemini") is None
    with pytest.raises(SettingsError, match="pip install keyring, or set GEMINI_API_KEY"):
        keep_key("gemini", "a-key-to-keep")


def test_a_keyring_that_is_locked_is_none_and_does_not_repeat_the_key(ring, monkeypatch):
    def refuse(*given: str) -> None:
        raise RuntimeError(f"locked, cannot take {given}")

    monkeypatch.setattr(sys.modules["keyring"], "get_password", refuse)
    monkeypatch.setattr(sys.modules["keyring"], "set_password", refuse)
    assert key_for("gemini") is None
    with pytest.raises(SettingsError, match="the keyring refused") as raised:
        keep_key("gemini", "a-key-to-keep")
    assert "a-key-to-keep" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_keys_are_taken_out_of_any_text(monkeypatch):
    remember("used-in-this-process")
    monkeypatch.setenv("OPENAI_API_KEY", "set-but-not-used")
    text = scrub("a used-in-this-process b set-but-not-used c used-in-this-process")
    assert text == "a (key) b (key) c (key)"


@pytest.mark.parametrize(
    "key",
    [
        "AIzaSyA-bcdefghijklmnopqrstuvwxyz012345",
        "sk-proj-abcdefghijklmnop_qrst",
        "sk-or-v1-0123456789abcdef0123",
        "ya29.a0AbcDefGhiJklMnoPqrStu",
    ],
)
def test_what_looks_like_a_key_is_taken_out_even_if_it_is_not_ours(key):
    assert scrub(f"key={key}!") == "key=(key)!"


@pytest.mark.parametrize("text", ["task-specific features", "a risk-averse plan", "x = 'sk-learn'"])
def test_plain_words_stay(text):
    assert scrub(text) == text


def test_a_short_key_does_not_tear_words_apart():
    remember("none")
    assert scrub("none of it") == "none of it"


def test_the_longer_of_two_keys_goes_first():
    remember("secret")
    remember("secret-and-more")
    assert scrub("secret-and-more secret") == "(key) (key)"


@pytest.mark.parametrize("name", NAMES)
def test_no_candidate_has_a_key_in_its_environment(name):
    assert without_secrets({name: "anything", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_a_key_under_another_name_is_kept_from_candidates_too():
    assert without_secrets({"MINE": "AIzaSyA-bcdefghijklmnopqrstuvwxyz012345"}) == {}


@pytest.mark.parametrize("agents", ["gemini", "gemini-only"])
def test_the_door_to_gemini_needs_a_key_unless_it_replays(ring, agents):
    with pytest.raises(SettingsError, match="GEMINI_API_KEY"):
        open_llm(Settings(agents=agents))
    assert open_llm(Settings(agents=agents, replay="a")).name == "gemini"
    keep_key("gemini", "from-the-ring")
    assert open_llm(Settings(agents=agents)).name == "gemini"


def test_the_door_to_a_server_of_ones_own_needs_no_key(ring):
    llm = open_llm(Settings(agents="openai-only", endpoint="http://localhost:11434/v1"))
    assert (llm.name, llm.local, llm.searches) == ("openai", True, False)


def test_there_is_no_door_for_other_agents():
    with pytest.raises(SettingsError, match="playbook"):
        open_llm(Settings(agents="playbook"))


def test_a_door_does_not_show_its_key():
    llm = open_llm_with("a-key-of-mine")
    assert "a-key-of-mine" not in repr(llm)
    assert "a-key-of-mine" not in str(llm)


def open_llm_with(key: str) -> object:
    from mlestar_jupyter.agents.llm.gemini import Gemini

    return Gemini(key=key)
