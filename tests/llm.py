"""A language model for tests without a network: it says what it is told to, and remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mlestar_jupyter.agents.llm.llm import Page, Reply, Request

Say = Callable[[Request], "Reply | str"]


@dataclass
class PlentyOfMeans:
    """Time without end."""

    search_left: float = 1e6
    is_stopped: bool = False


@dataclass
class FakeLLM:
    """Says the ``replies`` one after another, the last one for ever; or what ``say`` gives."""

    replies: list[Reply | str] = field(default_factory=list)
    say: Say | None = None
    name: str = "fake"
    searches: bool = True
    default_model: str = "fake-1"
    local: bool = True
    asked: list[Request] = field(default_factory=list)

    def ask(self, request: Request, seconds: float, on_text: Callable[[str], None]) -> Reply:
        self.asked.append(request)
        if self.say is not None:
            reply = self.say(request)
        else:
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        reply = Reply(reply) if isinstance(reply, str) else reply
        on_text(reply.text)
        return reply


PAGES = (Page("https://example.org/a", "A"), Page("https://example.org/b", "B"))
