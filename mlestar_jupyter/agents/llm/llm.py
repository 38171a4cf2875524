"""The door to a language model: one question, one answer, no retries, nothing remembered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

#: Durations differ from run to run, so they do not count when a question is recognised.
_DURATION = re.compile(r"\b\d+(?:\.\d+)? s\b")

Finish = Literal["stop", "length", "blocked", "other"]


@dataclass(frozen=True)
class Request:
    """One question. ``schema`` (JSON schema) asks for an answer that is data; ``search`` lets the
    model search the web. Both at once are refused by most models: two calls are made of them.

    ``thinking`` is in tokens, None leaves it to the model. ``most`` is how many tokens the answer
    may have at most, thoughts included, because no more can be paid for; it does not count when a
    question is recognised.
    """

    role: str
    model: str
    system: str
    prompt: str
    schema: Mapping[str, Any] | None = None
    search: bool = False
    temperature: float | None = None
    thinking: int | None = None
    seed: int | None = None
    most: int | None = None

    @property
    def key(self) -> str:
        """Hash of what is asked; the same for a question that differs in durations alone."""
        asked = {**vars(self), "prompt": _DURATION.sub("some s", self.prompt)}
        del asked["most"]
        text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:32]


@dataclass(frozen=True)
class Usage:
    """Tokens of one call. ``cached`` are part of ``prompt``; ``thoughts`` are paid like output."""

    prompt: int = 0
    cached: int = 0
    output: int = 0
    thoughts: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.output + other.output,
            self.thoughts + other.thoughts,
        )

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt + self.output + self.thoughts


@dataclass(frozen=True)
class Page:
    """A page of the web that an answer rests on."""

    url: str
    title: str


@dataclass(frozen=True)
class Reply:
    """One answer. ``finish`` says why it ended; ``text`` may be empty, cut or blocked."""

    text: str
    finish: Finish = "stop"
    usage: Usage = field(default_factory=Usage)
    pages: tuple[Page, ...] = ()
    model: str = ""
    reason: str = ""  # the provider's own word for a finish other than stop


class CallError(Exception):
    """A call that gave no reply. ``status`` is a short word for the journal: an HTTP status such
    as ``429``, or ``timeout``, ``cut``, ``unreachable``, ``nonsense``.

    ``again`` says whether the same call may succeed later, ``after`` when, if the server said so.
    ``lasting`` is an error that no other call of this run will escape (key, model, quota of a day).
    ``usage`` is what the server had counted when the call broke off. The message has no key.
    """

    def __init__(
        self,
        message: str,
        status: str,
        *,
        again: bool = False,
        after: float | None = None,
        lasting: bool = False,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.again, self.after, self.lasting = status, again, after, lasting
        self.usage = usage or Usage()


class LLM(Protocol):
    """A provider of language models. Called from many threads."""

    name: str
    #: Whether requests with ``search`` are answered from the web.
    searches: bool
    #: The model that is asked when the settings name none; "" when there is no such model.
    default_model: str
    #: Whether it is a server of the user's own, that takes no money.
    local: bool

    def ask(self, request: Request, seconds: float, on_text: Callable[[str], None]) -> Reply:
        """Ask once, over one HTTP request, within ``seconds``. ``on_text`` is told what has been
        written so far, when there is more (not of the last words: those are the reply) and several
        times a second while there is nothing new; what it raises ends the call and is passed on.

        Raises CallError when there was no reply.
        """
