"""Prompts are files, one for each role. Rendering is strict: no name is missing, none is unused."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"\{\{(\w+)\}\}")


@cache
def template(name: str) -> str:
    """The packaged prompt ``prompts/NAME.md``, as it is written."""
    file = resources.files("mlestar_jupyter.agents.llm") / "prompts" / f"{name}.md"
    return file.read_text(encoding="utf-8").strip()


def render(name: str, **values: str) -> str:
    """The prompt with ``{{word}}`` replaced by the value of that name.

    What a value brings along, braces too, stays as it is. ValueError for a name that the prompt
    wants and that was not given, or that was given for nothing: a prompt that silently lacks its
    data is worse than none.
    """
    text = template(name)
    wanted = set(_NAME.findall(text))
    if missing := sorted(wanted - set(values)):
        raise ValueError(f"the prompt {name} needs {', '.join(missing)}")
    if unused := sorted(set(values) - wanted):
        raise ValueError(f"the prompt {name} does not use {', '.join(unused)}")
    if "{{" in _NAME.sub("", text):
        raise ValueError(f"the prompt {name} has braces that name nothing")
    filled = _NAME.sub(lambda found: values[found[1]].strip("\n"), text)
    return re.sub(r"\n{3,}", "\n\n", filled)
