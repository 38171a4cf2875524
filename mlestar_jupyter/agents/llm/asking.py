"""One question to one role: ask, read the answer, correct once, and write down who answered.

Retries of the line (429, timeouts) are not made here but in ``calls``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mlestar_jupyter.agents.llm import replies, telling
from mlestar_jupyter.agents.llm.calls import model_for
from mlestar_jupyter.agents.llm.fences import material
from mlestar_jupyter.agents.llm.llm import LLM, Page, Reply, Request
from mlestar_jupyter.agents.llm.prompt import render, template
from mlestar_jupyter.errors import ReplyError
from mlestar_jupyter.interfaces import Brief
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings

T = TypeVar("T")


class Answered(Protocol):
    """What a call gave, and the numbers of the requests that were made for it."""

    @property
    def reply(self) -> Reply:
        """The reply."""

    @property
    def call_numbers(self) -> tuple[int, ...]:
        """Numbers of its ``llm_called`` events."""


class Line(Protocol):
    """The line to the model: ``calls.Calls``."""

    @property
    def llm(self) -> LLM:
        """The provider at its other end."""

    def ask(self, request: Request, *, branch: int = 0, candidate: str = "") -> Answered:
        """The reply; ReplyError when none came, OutOfMeans when none will."""


@dataclass(frozen=True)
class Question(Generic[T]):
    """What is asked of a role, and how its reply is read.

    ``plan`` and ``block`` say, for the journal, what the answer is for; a plan that is itself the
    answer is filled in.
    """

    role: str
    prompt: str
    read: Callable[[str], T]
    schema: Mapping[str, Any] | None = None
    search: bool = False
    plan: str = ""
    block: str = ""


class Asking:
    """Asks questions of a run over one line."""

    def __init__(self, line: Line, run: Run, settings: Settings) -> None:
        self.line = line
        self.run = run
        self.settings = settings

    def about(self, brief: Brief) -> str:
        """What every prompt begins with: the task and its data."""
        parameters = self.run.staging.parameters
        return telling.task(brief, parameters, examples=self.settings.examples)

    def say(self, text: str) -> None:
        """A note in the journal, once in a run."""
        with self.run.lock:
            if not any(e.kind == "note" and e.data["text"] == text for e in self.run.events):
                self.run.emit("note", text=text)

    def ask(self, brief: Brief, question: Question[T]) -> T:
        """The answer. A reply that cannot be used is corrected once; then it is a ReplyError."""
        return self.ask_with_pages(brief, question)[0]

    def ask_with_pages(self, brief: Brief, question: Question[T]) -> tuple[T, tuple[Page, ...]]:
        """The answer, and the pages of the web that it rests on."""
        prompt, numbers, error = question.prompt, list[int](), ReplyError("no answer")
        for _ in range(2):
            answer = self.line.ask(
                self._request(question, prompt), branch=brief.branch, candidate=brief.candidate
            )
            numbers += answer.call_numbers
            try:
                value = question.read(replies.usable(answer.reply))
            except ReplyError as problem:
                error = problem
                if isinstance(problem, replies.Blocked):
                    break
                prompt = _correction(question.prompt, answer.reply.text, str(problem))
                continue
            plan = question.plan or (value if isinstance(value, str) else "")
            self._write_down(brief, question, numbers, plan)
            return value, answer.reply.pages
        self._write_down(brief, question, numbers, question.plan, str(error))
        raise ReplyError(f"the {question.role} agent's reply cannot be used: {error}") from error

    def _request(self, question: Question[T], prompt: str) -> Request:
        settings = self.settings
        return Request(
            role=question.role,
            model=model_for(settings, self.line.llm, question.role),
            system=template("system"),
            prompt=prompt,
            schema=question.schema,
            search=question.search,
            temperature=settings.temperature,
            thinking=settings.thinking,
            seed=settings.seed,
        )

    def _write_down(
        self, brief: Brief, question: Question[T], numbers: list[int], plan: str, error: str = ""
    ) -> None:
        self.run.emit(
            "role_answered", role=question.role, branch=brief.branch, calls=numbers,
            candidate=brief.candidate, plan=plan, block=question.block, error=error,
        )  # fmt: skip


def _correction(prompt: str, reply: str, problem: str) -> str:
    """The question once more, with what was wrong with the last reply."""
    shown = material("your last reply", reply.strip() or "(nothing)", most=20_000)
    return render("correction", prompt=prompt, reply=shown, problem=problem)
