"""Casting: which agents a run has, put together from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.interfaces import Agents, Means
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import AGENTS, ROLES, Settings

if TYPE_CHECKING:
    from mlestar_jupyter.agents.llm.llm import LLM

PLAYBOOK = "playbook"


def check_agents(settings: Settings) -> None:
    """Raise SettingsError, in one line with its mend, when these settings give no cast.

    Nothing is asked of any model and nothing is written, so this comes before a folder is made.
    """
    if settings.agents == PLAYBOOK:
        return
    llm = _open(settings)
    from mlestar_jupyter.agents.llm.calls import model_for
    from mlestar_jupyter.agents.llm.money import Money

    money = Money(settings, (), local=llm.local)
    for role in ROLES:
        money.check_price(model_for(settings, llm, role))


def make_agents(settings: Settings, run: Run, means: Means) -> Agents:
    """The cast of a run; SettingsError when its name is unknown.

    A cast of a language model hands over to the playbook when it cannot go on, unless its name
    says ``-only``; its retriever uses the playbook's catalogue where the model cannot search. A run
    that is opened again where the key is not can still be steered, and goes on likewise.
    """
    from mlestar_jupyter.agents.playbook import Playbook

    playbook = Playbook()
    if settings.agents == PLAYBOOK:
        return playbook
    from mlestar_jupyter.agents.llm.calls import Calls
    from mlestar_jupyter.agents.llm.cast import LlmAgents
    from mlestar_jupyter.agents.llm.relay import Relay

    try:
        llm, missing = _open(settings), ""
    except SettingsError as error:
        llm, missing = _open(settings, offline=True), str(error)
    calls = Calls(llm, run, means, settings, gone=missing)
    cast = LlmAgents(calls, run, settings, catalogue=playbook)
    second = None if settings.agents.endswith("-only") else playbook
    return Relay(cast, second, run, means)


def _open(settings: Settings, *, offline: bool = False) -> LLM:
    if settings.agents not in AGENTS:
        raise SettingsError(f"unknown agents {settings.agents!r}; known are: {', '.join(AGENTS)}")
    from mlestar_jupyter.agents.llm.doors import open_llm

    return open_llm(settings, offline=offline)
