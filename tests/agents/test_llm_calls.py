"""Calls: every request is in the journal, retries are polite, and limits of money and time hold.

The server and the client are real; only time is made up: sleeping moves the clock.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from gemini_server import FREE_QUOTA_OF_A_DAY, Asked, Fault, GeminiServer, Said

from mlestar_jupyter.agents.llm import calls as module
from mlestar_jupyter.agents.llm.calls import TRIES, Calls, Gone, model_for
from mlestar_jupyter.agents.llm.gemini import Gemini
from mlestar_jupyter.agents.llm.llm import CallError, Reply, Request, Usage
from mlestar_jupyter.endings import OutOfMeans, Stopped
from mlestar_jupyter.errors import JournalError, ReplyError, SettingsError
from mlestar_jupyter.inference import from_folder
from mlestar_jupyter.run import Run, Writing
from mlestar_jupyter.settings import Settings

KEY = "a-key-that-nobody-may-see"
#: A dollar for a million tokens of input, ten for output, a tenth for what is cached.
PRICES = {"gemini-priced": [1.0, 10.0, 0.1]}


@dataclass
class Means:
    """What is left, by a clock that only sleeping moves."""

    seconds: float = 3600.0
    now: float = 0.0
    is_stopped: bool = False
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None

    @property
    def search_left(self) -> float:
        return self.seconds - self.now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds <= 0.2 + 1e-9, "a sleep that a stop could not end"
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()


class Scripted:
    """An LLM without a network, for what no server can be made to do."""

    name, searches, default_model, local = "scripted", True, "gemini-priced", False

    def __init__(self, ask: Callable[[Request], Reply]) -> None:
        self._ask = ask
        self.requests: list[Request] = []

    def ask(self, request: Request, seconds: float, on_text: Callable[[str], None]) -> Reply:
        self.requests.append(request)
        on_text("so far")
        return self._ask(request)


@pytest.fixture
def make_run(build, diabetes, tmp_path):
    """A function that makes a run of this name."""
    task = from_folder(build(*diabetes))
    made: list[Run] = []

    def make(name: str = "first", **settings: Any) -> Run:
        folder = tmp_path / "runs" / name
        made.append(Run.create(folder, task, Settings(folds=2).replace(**settings)))
        return made[-1]

    yield make
    for run in made:
        run.close()


@pytest.fixture
def serve():
    """A function that starts a server which answers so, and gives it."""
    servers: list[GeminiServer] = []

    def start(*answers: Any) -> GeminiServer:
        def answer(asked: Asked) -> Any:
            given = answers[min(asked.number, len(answers)) - 1]
            return given(asked) if callable(given) else given

        servers.append(GeminiServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def calls_of(server: GeminiServer, run: Run, means: Means | None = None) -> Calls:
    means = means or Means()
    llm = Gemini(key=KEY, base_url=server.url, vertex=False)
    return Calls(llm, run, means, run.settings, sleep=means.sleep, clock=means.clock)


def scripted(run: Run, ask: Callable[[Request], Reply], means: Means | None = None) -> Calls:
    means = means or Means()
    llm = Scripted(ask)
    return Calls(llm, run, means, run.settings, sleep=means.sleep, clock=means.clock)


def question(prompt: str = "which plan?", **more: Any) -> Request:
    return Request(**{"role": "plan", "model": "gemini-priced", "system": "s", **more,
                      "prompt": prompt})  # fmt: skip


def told(run: Run) -> list[dict[str, Any]]:
    return [dict(event.data) for event in run.events if event.kind == "llm_called"]


def test_a_call_is_told_with_its_tokens_its_cost_and_its_pages(make_run, serve):
    run = make_run(prices=PRICES)
    page = ("https://example.org/a", "A page")
    server = serve(Said("do it", prompt=1000, cached=400, output=200, thoughts=50, pages=(page,)))
    answer = calls_of(server, run).ask(question(), branch=1, candidate="0007")
    assert answer.reply.text == "do it"
    assert answer.call_numbers == (1,)
    [event] = told(run)
    expected = {
        "number": 1, "role": "plan", "branch": 1, "candidate": "0007", "model": "gemini-priced",
        "try": 1, "status": "ok", "finish": "stop", "prompt": 1000, "cached": 400, "output": 200,
        "thoughts": 50, "replayed": False, "key": question().key, "pages": [list(page)],
    }  # fmt: skip
    assert {name: event[name] for name in expected} == expected
    assert event["cost"] == pytest.approx((600 * 1 + 400 * 0.1 + 250 * 10) / 1e6)


def test_each_request_is_an_event_and_waits_grow_between_them(make_run, serve):
    run, means = make_run(), Means()
    server = serve(*[Fault("status", 503)] * 2, Fault("nonsense"), Fault("cut"), "at last")
    answer = calls_of(server, run, means).ask(question())
    assert answer.reply.text == "at last"
    assert answer.call_numbers == (1, 2, 3, 4, 5)
    assert [event["status"] for event in told(run)] == ["503", "503", "nonsense", "cut", "ok"]
    assert [event["try"] for event in told(run)] == [1, 2, 3, 4, 5]
    assert len(told(run)) == server.count
    assert 0.5 * (2 + 4 + 8 + 16) <= means.now <= 1.5 * (2 + 4 + 8 + 16)


def test_the_delay_that_a_server_asks_for_is_kept(make_run, serve):
    run, means = make_run(), Means()
    server = serve(Fault("status", 429, retry="37s"), "now")
    calls_of(server, run, means).ask(question())
    assert 37 <= means.now <= 40


def test_another_question_waits_for_the_same_delay(make_run, serve):
    run, means = make_run(), Means()
    calls = calls_of(serve("now"), run, means)
    calls._pace.put_off("gemini-priced", 50)
    calls.ask(question(model="gemini-other"))
    assert means.now == 0
    calls.ask(question("another"))
    assert means.now >= 50


def test_a_delay_beyond_the_end_of_the_search_is_not_slept(make_run, serve):
    run, means = make_run(), Means(seconds=600)
    server = serve(Fault("status", 429, retry_after="3600"))
    calls = calls_of(server, run, means)
    with pytest.raises(Gone, match="asks to wait 3600s"):
        calls.ask(question())
    assert means.now == 0
    assert server.count == 1


def test_waiting_never_outlasts_the_search(make_run, serve):
    run, means = make_run(), Means(seconds=9)
    with pytest.raises(OutOfMeans):
        calls_of(serve(Fault("status", 503)), run, means).ask(question())
    assert means.now < 9


def test_a_stop_ends_the_waiting_at_once(make_run, serve):
    run, means = make_run(), Means()
    means.on_sleep = lambda: setattr(means, "is_stopped", True)
    server = serve(Fault("status", 503))
    with pytest.raises(Stopped):
        calls_of(server, run, means).ask(question())
    assert len(means.slept) == 1
    assert server.count == 1


def test_a_stop_ends_a_call_whose_server_says_nothing(make_run, serve):
    run, means = make_run(), Means()

    def silence(asked: Asked) -> Fault:
        means.is_stopped = True
        return Fault("silent")

    with pytest.raises(Stopped):
        calls_of(serve(silence), run, means).ask(question())
    [event] = told(run)
    assert event["status"] == "stopped"
    assert event["prompt"] > 0


def test_nothing_is_asked_when_the_time_is_up_or_the_run_is_stopped(make_run, serve):
    run, server = make_run(), serve("never")
    with pytest.raises(OutOfMeans):
        calls_of(server, run, Means(seconds=1)).ask(question())
    with pytest.raises(Stopped):
        calls_of(server, run, Means(is_stopped=True)).ask(question())
    assert server.count == 0
    assert told(run) == []


def test_after_all_tries_the_reply_is_a_failed_one(make_run, serve):
    run = make_run()
    server = serve(Fault("status", 503, message="overloaded"))
    with pytest.raises(ReplyError, match=f"no reply in {TRIES} tries: .*overloaded"):
        calls_of(server, run).ask(question())
    assert server.count == len(told(run)) == TRIES


def test_a_question_that_is_refused_is_not_asked_again(make_run, serve):
    run = make_run()
    server = serve(Fault("status", 400, message="too many tokens"))
    with pytest.raises(ReplyError, match="too many tokens"):
        calls_of(server, run).ask(question())
    assert server.count == 1


def test_an_error_that_lasts_ends_all_questions_without_another_request(make_run, serve):
    run = make_run()
    server = serve(Fault("status", 429, quota=FREE_QUOTA_OF_A_DAY))
    calls = calls_of(server, run)
    for prompt in ("one", "two"):
        with pytest.raises(Gone, match="used up for today"):
            calls.ask(question(prompt))
    assert server.count == len(told(run)) == 1


def test_three_questions_in_a_row_without_any_answer_are_enough(make_run, serve):
    run = make_run()
    server = serve(Fault("cut"))
    calls = calls_of(server, run)
    for prompt in ("one", "two"):
        with pytest.raises(ReplyError):
            calls.ask(question(prompt))
    with pytest.raises(Gone, match="question after question had no reply"):
        calls.ask(question("three", role="code"))
    assert server.count == 3 * TRIES


def test_a_question_that_ran_out_of_time_twice_is_given_up(make_run):
    run = make_run()

    def ask(request: Request) -> Reply:
        raise CallError("nothing in time", "timeout", again=True)

    calls = scripted(run, ask)
    with pytest.raises(ReplyError, match="no reply in 2 tries"):
        calls.ask(question("one"))
    with pytest.raises(Gone):
        calls.ask(question("two"))
    assert [event["status"] for event in told(run)] == ["timeout"] * 4
    assert all(event["prompt"] > 0 for event in told(run))


def test_too_many_requests_are_waited_out_for_about_a_minute(make_run, serve):
    run, means = make_run(), Means()
    calls_of(serve(*[Fault("status", 429)] * 4, "x"), run, means).ask(question())
    assert 32 <= means.now <= 98


def test_whatever_goes_wrong_the_journal_counts_as_the_server_does(make_run, serve):
    run = make_run(calls_at_once=4)
    chance = random.Random(1)
    faults = [
        Fault("status", 429, retry="3s"), Fault("status", 503), Fault("cut"), Fault("nonsense"),
        Fault("ends_early"), Fault("error_in_stream"), Fault("status", 500),
    ]  # fmt: skip
    server = serve(lambda asked: chance.choice(faults) if chance.random() < 0.4 else "fine")
    calls = calls_of(server, run)
    ended: list[str] = []

    def work(name: int) -> None:
        for number in range(8):
            try:
                ended.append(calls.ask(question(f"{name} {number}")).reply.text)
            except ReplyError:
                ended.append("failed")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = told(run)
    assert len(ended) == 48
    assert ended.count("fine") > 40
    assert len(events) == server.count > 60
    assert sorted(event["number"] for event in events) == list(range(1, len(events) + 1))
    assert sum(event["status"] == "ok" for event in events) == ended.count("fine")


def test_an_answer_in_between_starts_the_count_again(make_run, serve):
    run = make_run()
    server = serve(*[Fault("cut")] * 10, "hello", Fault("cut"))
    calls = calls_of(server, run)
    for prompt in ("one", "two"):
        with pytest.raises(ReplyError):
            calls.ask(question(prompt))
    calls.ask(question("three"))
    for prompt in ("four", "five"):
        with pytest.raises(ReplyError):
            calls.ask(question(prompt))


def test_questions_side_by_side_that_meet_one_outage_count_once(make_run):
    run, means = make_run(calls_at_once=4), Means()
    together = threading.Barrier(4)
    first = threading.local()

    def ask(request: Request) -> Reply:
        if not getattr(first, "passed", False):
            first.passed = True
            together.wait(60)
        raise CallError("the network is gone", "unreachable", again=True)

    calls = scripted(run, ask, means)
    raised: list[BaseException] = []

    def run_one(prompt: str) -> None:
        try:
            calls.ask(question(prompt))
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run_one, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in raised] == [ReplyError] * 4


def test_blocked_cut_and_empty_replies_are_given_as_they_are(make_run, serve):
    run = make_run()
    server = serve(Said(blocked="SAFETY"), Said("def f(", finish="MAX_TOKENS"), Said(""))
    calls = calls_of(server, run)
    replies = [calls.ask(question(str(number))).reply for number in range(3)]
    assert [reply.finish for reply in replies] == ["blocked", "length", "stop"]
    assert [event["finish"] for event in told(run)] == ["blocked", "length", "stop"]
    assert told(run)[0]["reason"] == "SAFETY"


def test_a_question_that_was_answered_costs_nothing_the_second_time(make_run, serve):
    run = make_run(prices=PRICES)
    server = serve("an answer", "another")
    calls = calls_of(server, run)
    first = calls.ask(question("it took 3.25 s"))
    again = calls.ask(question("it took 4.5 s"))
    assert again.reply == first.reply
    assert server.count == 1
    assert [event["replayed"] for event in told(run)] == [False, True]
    assert told(run)[1]["cost"] == 0
    assert calls.money.paid == told(run)[0]["cost"]


def test_a_reply_is_on_disk_before_it_is_told(make_run, serve):
    run, found = make_run(), []
    calls = calls_of(serve("an answer"), run)
    run.listeners.append(lambda event: found.append(calls.recording.find(question())))
    calls.ask(question())
    assert [reply.text for reply in found] == ["an answer"]


def test_a_disk_that_is_full_is_told_in_one_line_and_the_call_counts(make_run, serve):
    run = make_run()
    (run.folder / "replies").write_text("a file in the way")
    with pytest.raises(JournalError, match="make room and resume the run"):
        calls_of(serve("an answer"), run).ask(question())
    assert [event["status"] for event in told(run)] == ["ok"]


def test_two_threads_with_the_same_question_pay_once(make_run, serve):
    run = make_run()
    server = serve(Said("slow and shared", pace=0.05))
    calls = calls_of(server, run)
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(calls.ask(question()).reply.text))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["slow and shared"] * 4
    assert server.count == 1
    assert sorted(event["replayed"] for event in told(run)) == [False, True, True, True]


def test_a_repeated_run_uses_what_the_run_beside_it_was_told(make_run, serve):
    server = serve("from the first run")
    calls_of(server, make_run("first")).ask(question())
    second = make_run("second")
    assert calls_of(server, second).ask(question()).reply.text == "from the first run"
    assert server.count == 1
    assert (second.folder / "replies" / f"{question().key}.json").is_file()


def test_replay_asks_no_network_and_needs_no_key(make_run, serve, monkeypatch):
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    server = serve("recorded")
    calls_of(server, make_run("first")).ask(question())
    replaying = make_run("second", replay="first")
    means = Means()
    calls = Calls(Gemini(base_url=server.url, vertex=False, offline=True), replaying, means,
                  replaying.settings, sleep=means.sleep, clock=means.clock)  # fmt: skip
    assert calls.ask(question()).reply.text == "recorded"
    with pytest.raises(ReplyError, match="no recorded reply to this question of plan"):
        calls.ask(question("a new one"))
    assert server.count == 1


def test_no_more_is_in_flight_than_the_settings_say(make_run):
    run = make_run(calls_at_once=2)
    lock, inside, most = threading.Lock(), [0], [0]
    pairs = threading.Barrier(2)

    def ask(request: Request) -> Reply:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        pairs.wait(60)
        with lock:
            inside[0] -= 1
        return Reply("x")

    calls = scripted(run, ask)
    threads = [
        threading.Thread(target=calls.ask, args=(question(str(number)),)) for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [2]
    assert len(told(run)) == 6


def test_no_more_begins_in_a_minute_than_the_settings_say(make_run):
    run, means = make_run(calls_per_minute=2), Means()
    begun: list[float] = []

    def ask(request: Request) -> Reply:
        begun.append(means.now)
        return Reply("x")

    calls = scripted(run, ask, means)
    for number in range(5):
        calls.ask(question(str(number)))
        means.now += 10
    assert begun[:2] == [0, 10]
    assert all(later - earlier >= 60 for earlier, later in zip(begun, begun[2:], strict=False))


def test_a_limit_of_money_is_never_exceeded_and_ends_softly(make_run):
    run = make_run(cost=0.10, prices=PRICES, calls_at_once=3)

    def ask(request: Request) -> Reply:
        wanted = 3000
        given = wanted if request.most is None else min(wanted, request.most)
        return Reply("x", "stop", Usage(500, 0, given, 0))

    calls = scripted(run, ask)

    def ask_on() -> None:
        for number in range(100):
            calls.ask(question("word " * 100 + str(number)))

    with pytest.raises(OutOfMeans, match=r"the limit of \$0.1 is reached") as raised:
        ask_on()
    assert not isinstance(raised.value, Gone)
    paid = sum(event["cost"] for event in told(run))
    assert 0.06 < paid <= 0.10
    assert calls.money.paid == pytest.approx(paid)


def test_calls_side_by_side_hold_to_the_limit_together(make_run):
    run = make_run(cost=0.20, prices=PRICES, calls_at_once=4)

    def ask(request: Request) -> Reply:
        assert request.most is not None
        return Reply("x", "length", Usage(len(request.prompt) // 3, 0, request.most, 0))

    calls = scripted(run, ask)
    raised: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for number in range(50):
                calls.ask(question(f"{'word ' * 50} {name} {number}"))
        except OutOfMeans as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(raised) == 4
    assert sum(event["cost"] for event in told(run)) <= 0.20


def test_what_was_paid_is_known_again_when_a_run_is_resumed(make_run, serve, build, diabetes):
    run = make_run(prices=PRICES, cost=5.0)
    server = serve(Said("x", output=2000))
    calls_of(server, run).ask(question())
    paid = told(run)[0]["cost"]
    run.close()
    again = Run.open(run.folder, run.task, write=True)
    try:
        calls = calls_of(server, again)
        assert calls.money.paid == paid > 0
        assert calls.ask(question("new")).call_numbers == (2,)
    finally:
        again.close()


def test_a_limit_needs_a_price(make_run, serve):
    run = make_run(cost=1.0)
    server = serve("never")
    with pytest.raises(SettingsError, match="--price gemini-priced=INPUT,OUTPUT"):
        calls_of(server, run).ask(question())
    assert server.count == 0


def test_without_a_limit_an_unknown_price_is_no_cost_at_all(make_run, serve):
    run = make_run()
    calls_of(serve("x"), run).ask(question())
    assert told(run)[0]["cost"] is None


def test_a_reply_that_was_cut_for_want_of_money_is_not_kept(make_run):
    run = make_run(cost=0.05, prices=PRICES)
    calls = scripted(run, lambda request: Reply("def f(", "length", Usage(10, 0, 1000, 0)))
    calls.ask(question())
    assert calls.recording.find(question()) is None


def test_what_is_written_is_shown_and_taken_away_at_the_end(make_run, serve):
    run, seen, is_shown = make_run(), [], threading.Event()

    def watch(writing: Writing) -> None:
        seen.append(writing)
        is_shown.set()

    def wait(number: int) -> None:
        if number == 2:
            assert is_shown.wait(60)

    run.watchers.append(watch)
    calls_of(serve(Said("one two three", before=wait)), run).ask(question(), branch=1)
    assert seen[0] == Writing("plan", 1, "one t")
    assert seen[-1] == Writing("plan", 1, "")


def test_a_key_that_a_server_repeats_is_nowhere_in_the_run(make_run, serve):
    run = make_run()
    server = serve(Fault("status", 503, message=f"who is {KEY}?"), Said(f"you said {KEY}"))
    calls_of(server, run).ask(question(f"my key is {KEY}"))
    with pytest.raises(ReplyError) as raised:
        calls_of(serve(Fault("status", 400, message=f"no {KEY}")), run).ask(question("b"))
    assert KEY not in str(raised.value)
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert any(path.parent.name == "replies" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_an_error_of_the_llm_itself_is_told_and_passed_on(make_run):
    run = make_run()

    def ask(request: Request) -> Reply:
        raise ZeroDivisionError

    calls = scripted(run, ask)
    with pytest.raises(ZeroDivisionError):
        calls.ask(question())
    assert [event["status"] for event in told(run)] == ["failed"]
    calls.llm._ask = lambda request: Reply("x")
    assert calls.ask(question()).reply.text == "x"


def test_half_characters_of_broken_data_are_neither_sent_nor_given(make_run, serve):
    run = make_run()
    server = serve(Said("a reply with \ud83d"))
    answer = calls_of(server, run).ask(question("data with \ud83d"))
    assert server.asked[0].prompt == "data with ?"
    assert answer.reply.text == "a reply with ?"
    assert calls_of(server, run).ask(question("data with \ud83d")).reply == answer.reply


def test_roles_ask_their_own_models():
    llm = Scripted(lambda request: Reply(""))
    settings = Settings(model="a", role_models={"code": "b"})
    assert [model_for(settings, llm, role) for role in ("code", "plan")] == ["b", "a"]
    assert model_for(Settings(), llm, "plan") == "gemini-priced"
    llm.default_model = ""
    with pytest.raises(SettingsError, match="--model NAME"):
        model_for(Settings(), llm, "plan")


def test_events_are_plain_json(make_run, serve):
    run = make_run()
    calls_of(serve(Said("x", pages=(("https://a", "t"),))), run).ask(question())
    lines = (run.folder / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["kind"] == "llm_called"
    assert module.TRIES == 5
