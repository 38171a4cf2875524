"""Which LLM the settings mean."""

from __future__ import annotations

from mlestar_jupyter.agents.llm.llm import LLM
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.settings import Settings


def open_llm(settings: Settings, *, offline: bool = False) -> LLM:
    """The LLM behind ``gemini`` and ``openai`` (and ``gemini-only``, ``openai-only``).

    Nothing is asked and nothing large is imported. Raises SettingsError in one line when there is
    no key or no package; ``offline``, and in a run that replays another, neither is needed.
    """
    offline = offline or settings.replay is not None
    name = settings.agents.removesuffix("-only")
    if name == "gemini":
        from mlestar_jupyter.agents.llm.gemini import Gemini

        return Gemini(offline=offline)
    if name == "openai":
        from mlestar_jupyter.agents.llm.openai_compatible import OpenAICompatible

        return OpenAICompatible(endpoint=settings.endpoint, offline=offline)
    raise SettingsError(f"no language model is behind agents {settings.agents!r}")
