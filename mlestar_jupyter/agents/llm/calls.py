"""Calls: the one way from a cast to its model, with replies on record, money, pace and retries.

Every HTTP request is one event ``llm_called`` in the journal, whatever became of it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mlestar_jupyter.agents.llm.faults import one_line
from mlestar_jupyter.agents.llm.llm import LLM, CallError, Reply, Request, Usage
from mlestar_jupyter.agents.llm.money import Hold, Money
from mlestar_jupyter.agents.llm.pace import Pace, check
from mlestar_jupyter.agents.llm.recording import Recording, find_replay
from mlestar_jupyter.endings import OutOfMeans
from mlestar_jupyter.errors import ReplyError, SettingsError
from mlestar_jupyter.interfaces import Means
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.settings import Settings

TRIES = 5
#: A try that ran out of time took long, and another will hardly do better.
TRIES_IN_TIME = 2
#: Seconds before the second try; it doubles with each, up to the most, and is shaken by half. Too
#: many requests (429) are a matter of a minute.
FIRST_DELAY, FIRST_DELAY_429, MOST_DELAY = 2.0, 5.0, 30.0
#: What is written is shown so often, in seconds.
SHOW_EVERY = 0.2
#: So many questions in a row that no server answered, and the cast is given up.
SILENCES = 3
#: A call is not begun with less than so many seconds to go.
LEAST_SECONDS = 2.0
_OF_THE_LINE = frozenset({"unreachable", "timeout", "cut", "nonsense"})


class Gone(OutOfMeans):
    """The model will not answer in this session any more: key, quota, network."""


@dataclass(frozen=True)
class Answer:
    """A reply, and the numbers of the calls (events ``llm_called``) that it took."""

    reply: Reply
    call_numbers: tuple[int, ...]


@dataclass(frozen=True)
class _Asked:
    """A question and whom it is for."""

    request: Request
    branch: int
    candidate: str


def model_for(settings: Settings, llm: LLM, role: str) -> str:
    """The model that a role asks; SettingsError when none is named and there is no default."""
    model = settings.role_models.get(role) or settings.model or llm.default_model
    if not model:
        raise SettingsError(f"no model is named for {llm.name}; name one with --model NAME")
    return model


class Calls:
    """Asks an LLM for a run, from many threads. ``sleep`` and ``clock`` are in seconds.

    ``gone`` says why the model cannot be asked at all: there are only the replies on record then.
    """

    def __init__(
        self,
        llm: LLM,
        run: Run,
        means: Means,
        settings: Settings,
        *,
        gone: str = "",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.llm = llm
        self.run = run
        self.means = means
        self.settings = settings
        replay = settings.replay
        folder = None if replay is None else find_replay(replay, run.folder.parent)
        self.recording = Recording(run.folder, folder)
        earlier = [event for event in run.events if event.kind == "llm_called"]
        self.money = Money(settings, earlier, local=llm.local)
        self._pace = Pace(settings.calls_at_once, settings.calls_per_minute, means, sleep, clock)
        self._clock = clock
        self._random = random.Random(settings.seed)
        self._lock = threading.Lock()
        self._number = max((int(event.data["number"]) for event in earlier), default=0)
        self._same: dict[str, threading.Lock] = {}
        self._gone = gone
        self._silences, self._silent_since = 0, 0.0

    def ask(self, request: Request, *, branch: int = 0, candidate: str = "") -> Answer:
        """The reply to a question, recorded or from the model. It may be blocked, cut or empty.

        Raises ReplyError when there is none, Gone when there will be none in this session, and
        OutOfMeans or Stopped when the run has no time or money for it.
        """
        request = replace(request, system=_sound(request.system), prompt=_sound(request.prompt))
        asked = _Asked(request, branch, candidate)
        with self._alone(request.key):
            reply = self.recording.find(request)
            if reply is not None:
                return Answer(reply, (self._tell(asked, reply, usage=reply.usage, replayed=True),))
            if self.settings.replay is not None:
                raise ReplyError(
                    f"no recorded reply to this question of {request.role}; without --replay the "
                    f"model would be asked"
                )
            return self._ask(asked)

    def _ask(self, asked: _Asked) -> Answer:
        """Try until there is a reply."""
        request, numbers, late, began = asked.request, [], 0, self._clock()
        for number_of_try in range(1, TRIES + 1):
            if self._gone:
                raise Gone(self._gone)
            try:
                reply, number = self._call(asked, number_of_try)
            except _Failed as failed:
                numbers.append(failed.number)
                error = failed.error
            else:
                self._silences = 0
                return Answer(reply, (*numbers, number))
            if error.lasting:
                self._give_up(str(error))
            if not error.again:
                raise ReplyError(str(error))
            late = late + (error.status == "timeout")
            if number_of_try == TRIES or late == TRIES_IN_TIME:
                break
            self._wait(request.model, number_of_try, error)
        self._count_silence(error, began)
        raise ReplyError(f"no reply in {number_of_try} tries: {error}")

    def _wait(self, model: str, tries: int, error: CallError) -> None:
        """Wait before the next try: longer each time, and not less than the server asks for."""
        with self._lock:
            shaken = self._random.uniform(0.5, 1.5)
        first = FIRST_DELAY_429 if error.status == "429" else FIRST_DELAY
        delay = min(MOST_DELAY, first * 2 ** (tries - 1)) * shaken
        if error.after is not None:
            if error.after >= self.means.search_left:
                self._give_up(f"{error}; it asks to wait {error.after:.0f}s, and the search ends")
            self._pace.put_off(model, error.after)
            # A little more, each call another, so that they do not come back all at once.
            delay = error.after + min(delay, 1.0) * shaken if error.after else 0.0
        self._pace.pause(delay)

    def _call(self, asked: _Asked, number_of_try: int) -> tuple[Reply, int]:
        """One HTTP request and its event."""
        request = asked.request
        with self._pace.slot(request.model):
            hold = self._hold(request)
            seconds = min(self.settings.call_seconds, self.means.search_left)
            if seconds < LEAST_SECONDS:
                self.money.settle(hold, request.role, None)
                raise OutOfMeans("the time of the search is used up")
            began = self._clock()
            reply, fault = None, None
            usage, status = Usage(), "failed"
            try:
                paid_for = replace(request, most=hold.most)
                reply = self.llm.ask(paid_for, seconds, self._watcher(asked))
                reply = replace(reply, text=_sound(reply.text))
                usage, status = reply.usage, "ok"
                if reply.finish != "length" or hold.most is None:
                    # Kept before it is told, so that a crash in between costs nothing twice. What
                    # was cut for want of money is no reply to come back to.
                    self.recording.keep(request, reply)
            except CallError as error:
                fault, usage, status = error, error.usage, error.status
                if status in ("timeout", "cut") and usage == Usage():
                    usage = self.money.guess(request)
            except OutOfMeans:
                usage, status = self.money.guess(request), "stopped"
                raise
            finally:
                self.run.show(Writing(request.role, asked.branch, ""))
                cost = self.money.cost_of(usage, request.model)
                self.money.settle(hold, request.role, cost)
                number = self._tell(
                    asked, reply, usage=usage, status=status, cost=cost,
                    error="" if fault is None else one_line(fault, 300),
                    number_of_try=number_of_try, seconds=self._clock() - began,
                )  # fmt: skip
        if reply is None:
            assert fault is not None
            raise _Failed(fault, number)
        return reply, number

    def _hold(self, request: Request) -> Hold:
        while True:
            check(self.means)
            hold = self.money.hold(request)
            if hold is not None:
                return hold
            self._pace.wait_for_change()

    def _watcher(self, asked: _Asked) -> Callable[[str], None]:
        """Shows what is written, and ends the call when the run is stopped."""
        shown, last = "", 0.0

        def watch(text: str) -> None:
            nonlocal shown, last
            check(self.means)
            if text != shown and time.monotonic() - last >= SHOW_EVERY:
                shown, last = text, time.monotonic()
                self.run.show(Writing(asked.request.role, asked.branch, text))

        return watch

    def _tell(
        self,
        asked: _Asked,
        reply: Reply | None,
        *,
        usage: Usage,
        status: str = "ok",
        error: str = "",
        cost: float | None = 0.0,
        number_of_try: int = 1,
        seconds: float = 0.0,
        replayed: bool = False,
    ) -> int:
        """Write the event of one call; gives its number."""
        request = asked.request
        with self._lock:
            self._number += 1
            number = self._number
            self.run.emit(
                "llm_called", number=number, role=request.role, branch=asked.branch,
                candidate=asked.candidate, model=request.model, **{"try": number_of_try},
                status=status, finish=reply.finish if reply else "",
                reason=reply.reason if reply else "", error=error, prompt=usage.prompt,
                cached=usage.cached, output=usage.output, thoughts=usage.thoughts,
                cost=None if cost is None else round(cost, 8), seconds=round(seconds, 3),
                key=request.key, replayed=replayed,
                pages=[[page.url, page.title] for page in reply.pages] if reply else [],
            )  # fmt: skip
        return number

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """The same question is asked once: who asks it meanwhile waits for that reply."""
        with self._lock:
            lock = self._same.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=SHOW_EVERY):
            check(self.means)
        try:
            yield
        finally:
            lock.release()

    def _count_silence(self, error: CallError, began: float) -> None:
        """After some questions in a row that no server answered, all is given up.

        Questions that were asked side by side met the same trouble and count once; those that ran
        out of time count twice, since a run has not the time for more of them.
        """
        if error.status not in _OF_THE_LINE and not error.status.startswith("5"):
            return
        with self._lock:
            if self._silences and began < self._silent_since:
                return
            self._silences += 2 if error.status == "timeout" else 1
            self._silent_since = self._clock()
            is_over = self._silences >= SILENCES
        if is_over:
            self._give_up(f"question after question had no reply: {error}")

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._gone = self._gone or why
        raise Gone(self._gone)


def _sound(text: str) -> str:
    """Text that can be written to any file: half characters, as broken data has them, are ``?``."""
    return text.encode(errors="replace").decode()


class _Failed(Exception):  # noqa: N818 (control flow inside this module)
    """A try that failed, and the number of its call."""

    def __init__(self, error: CallError, number: int) -> None:
        super().__init__(str(error))
        self.error, self.number = error, number
