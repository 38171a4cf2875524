"""The casts that a form may offer: what each needs, and whether it costs something."""

from __future__ import annotations

import os
from typing import Any

from mlestar_jupyter.agents.llm.gemini import uses_vertex
from mlestar_jupyter.agents.llm.keys import VARIABLES
from mlestar_jupyter.settings import AGENTS

_ABOUT = {
    "playbook": "recipes and rules; no key, no network",
    "gemini": "Gemini; goes over to the playbook when it can go on no more",
    "gemini-only": "Gemini alone",
    "openai": "a server that speaks OpenAI's protocol; goes over to the playbook as well",
    "openai-only": "a server that speaks OpenAI's protocol, alone",
}
#: Options of ``%%mlestar`` that mean something to language models alone, without dashes in front.
_OPTIONS = (
    "cost", "model", "temperature", "thinking", "calls-at-once", "calls-per-minute", "call-time",
    "no-examples", "price", "replay", "dry-run",
)  # fmt: skip


def choices() -> list[dict[str, Any]]:
    """Each cast: ``name``, ``about``, the ``options`` that mean something to it, ``has_key``.

    The keyring is not asked: it may ask the user in turn, and a form is shown before they want it.
    """
    return [
        {
            "name": name,
            "about": _ABOUT[name],
            "options": _options(name.removesuffix("-only")),
            "has_key": _has_key(name.removesuffix("-only")),
        }
        for name in AGENTS
    ]


def _options(provider: str) -> list[str]:
    if provider == "playbook":
        return []
    return [*_OPTIONS, *(["endpoint"] if provider == "openai" else [])]


def _has_key(provider: str) -> bool:
    if provider == "gemini":
        return uses_vertex() or any(os.environ.get(name) for name in VARIABLES["gemini"])
    if provider == "openai":
        return any(os.environ.get(name) for name in (*VARIABLES["openai"], "OPENAI_BASE_URL"))
    return True
