"""OpenAI-compatible servers: the real openai package over real HTTP, and servers of many minds."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from gemini_server import Asked, Fault, GeminiServer, Said

from mlestar_jupyter.agents.llm.llm import CallError, Request, Usage
from mlestar_jupyter.agents.llm.openai_compatible import OpenAICompatible
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.errors import SettingsError

KEY = "sk-thisIsTheKeyThatNobodyMaySee"
QUESTION = Request("plan", "some-model", "You plan.", "What next?")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
DATA = Request("extract", "some-model", "You choose.", "Which?", schema=SCHEMA)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("mlestar_jupyter.agents.llm.keys._from_keyring", lambda provider: None)


@pytest.fixture
def served():
    """A server whose answer can be set."""
    with GeminiServer() as server:
        yield server


def quiet(text: str) -> None:
    pass


def door(server: GeminiServer) -> OpenAICompatible:
    return OpenAICompatible(endpoint=f"{server.url}/v1", key=KEY)


def ask(server: GeminiServer, given: Any, request: Request = QUESTION, seconds: float = 20.0):
    server.answer = lambda asked: given
    return door(server).ask(request, seconds, quiet)


def fails(server: GeminiServer, fault: Fault, seconds: float = 20.0) -> CallError:
    with pytest.raises(CallError) as raised:
        ask(server, fault, seconds=seconds)
    # With half a second to go, a slow machine may not come to ask at all.
    assert server.count == 1 or (server.count == 0 and seconds < 1)
    assert "\n" not in str(raised.value)
    assert KEY not in "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    return raised.value


def until_an_answer(llm: OpenAICompatible, request: Request) -> tuple[str, list[CallError]]:
    """The text, and the errors on the way: each is one that may be tried again at once."""
    errors: list[CallError] = []
    while True:
        try:
            return llm.ask(request, 20.0, quiet).text, errors
        except CallError as error:
            if not error.again or error.after != 0.0:
                raise
            errors.append(error)


def refusing(*words: str) -> Callable[[Asked], Any]:
    """A server that refuses bodies with any of these words in them."""

    def answer(asked: Asked) -> Any:
        found = next((word for word in words if word in json.dumps(asked.body)), None)
        if found:
            return Fault("status", 400, f"Unsupported parameter: '{found}'")
        return '{"a": 1}'

    return answer


def test_a_reply_has_its_text_and_usage(served):
    reply = ask(served, Said("First this.", prompt=120, cached=20, output=30, thoughts=40))
    assert (reply.text, reply.finish) == ("First this.", "stop")
    assert reply.usage == Usage(prompt=120, cached=20, output=30, thoughts=40)


def test_a_question_is_one_streamed_request(served):
    ask(served, "x")
    [asked] = served.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.streaming
    assert (asked.system, asked.prompt) == ("You plan.", "What next?")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert set(asked.body) == {"model", "messages", "stream", "stream_options"}


def test_all_that_a_request_asks_for_is_sent(served):
    ask(served, "x", Request("r", "m", "", "p", temperature=0.5, seed=3, thinking=512, most=99))
    body = served.asked[0].body
    assert (body["temperature"], body["seed"]) == (0.5, 3)
    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("low", 99)


def test_a_schema_is_sent_and_held_to_only_if_it_can_be(served):
    ask(served, '{"a": 1}', DATA)
    form = served.asked[0].body["response_format"]["json_schema"]
    assert (form["name"], form["schema"], form["strict"]) == ("extract", SCHEMA, False)
    strict = {**SCHEMA, "additionalProperties": False}
    ask(served, '{"a": 1}', Request("extract", "m", "", "p", schema=strict))
    assert served.asked[1].body["response_format"]["json_schema"]["strict"]


def test_a_server_without_schemas_is_asked_for_an_object_and_then_for_text(served):
    served.answer = refusing("json_schema", "json_object")
    llm = door(served)
    text, errors = until_an_answer(llm, DATA)
    assert json.loads(text) == {"a": 1}
    assert [error.status for error in errors] == ["400", "400"]
    forms = [asked.body.get("response_format", {}).get("type") for asked in served.asked]
    assert forms == ["json_schema", "json_object", None]
    assert json.dumps(SCHEMA) in served.asked[1].system
    assert json.dumps(SCHEMA) in served.asked[2].system
    llm.ask(DATA, 20.0, quiet)
    assert "response_format" not in served.asked[3].body


def test_what_one_model_refuses_is_still_asked_of_another(served):
    served.answer = refusing("json_schema")
    llm = door(served)
    until_an_answer(llm, DATA)
    served.answer = lambda asked: "{}"
    llm.ask(Request("extract", "another", "", "p", schema=SCHEMA), 20.0, quiet)
    assert served.asked[-1].body["response_format"]["type"] == "json_schema"


def test_parameters_that_a_server_does_not_know_are_left_out(served):
    served.answer = refusing("stream_options", "seed", "reasoning_effort", "max_completion_tokens")
    request = Request("r", "m", "", "p", seed=1, thinking=10**6, most=500)
    _, errors = until_an_answer(door(served), request)
    assert len(errors) == 4
    body = served.asked[-1].body
    assert set(body) == {"model", "messages", "stream", "max_tokens"}
    assert body["max_tokens"] == 500


def test_a_server_that_counts_no_tokens_has_them_guessed_by_length(served):
    served.answer = refusing("stream_options")
    llm = door(served)
    until_an_answer(llm, QUESTION)
    reply = llm.ask(QUESTION, 20.0, quiet)
    assert reply.usage == Usage(prompt=len("You plan.What next?") // 4, output=2)


def test_two_threads_that_are_refused_at_once_step_down_once(served):
    together = threading.Barrier(2)

    def answer(asked: Asked) -> Any:
        if "json_schema" in json.dumps(asked.body):
            together.wait(60)
        return refusing("json_schema")(asked)

    served.answer = answer
    llm = door(served)
    threads = [threading.Thread(target=until_an_answer, args=(llm, DATA)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.body["response_format"]["type"] for a in served.asked[2:]] == ["json_object"] * 2


def test_what_a_model_thinks_aloud_is_no_part_of_its_answer(served):
    reply = ask(served, "<think>\nhm, let me see\n</think>\n\nDo this.")
    assert reply.text == "Do this."


@pytest.mark.parametrize(
    ("said", "finish", "reason"),
    [
        (Said("def f(", finish="MAX_TOKENS"), "length", "length"),
        (Said("", finish="SAFETY"), "blocked", "content_filter"),
        (Said("x", finish="eos"), "other", "eos"),
        (Said(""), "stop", ""),
    ],
)
def test_the_end_of_a_reply_is_told(served, said, finish, reason):
    reply = ask(served, said)
    assert (reply.text, reply.finish, reply.reason) == (said.text, finish, reason)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("status", 401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (Fault("status", 403, "no"), "OPENAI_API_KEY"),
        (Fault("status", 402, "Insufficient credits"), "credit"),
        (Fault("status", 404, "model 'some-model' not found, try pulling it first"), "--model"),
        (Fault("status", 429, "You exceeded your quota", reason="insufficient_quota"), "quota"),
        (Fault("status", 429, "Rate limit exceeded: free-models-per-day"), "quota"),
    ],
)
def test_what_no_other_call_will_escape_lasts(served, fault, words):
    error = fails(served, fault)
    assert (error.status, error.lasting) == (str(fault.code), True)
    assert words in str(error)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_trouble_of_the_server_passes_when_it_says(served, code):
    error = fails(served, Fault("status", code, retry_after="12"))
    assert (error.status, error.again, error.after, error.lasting) == (str(code), True, 12, False)


def test_a_question_that_is_refused_is_not_to_be_asked_again(served):
    error = fails(served, Fault("status", 400, "maximum context length is 4096 tokens"))
    assert (error.again, error.lasting) == (False, False)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("cut", "cut"), ("ends_early", "cut"), ("nonsense", "nonsense"), ("error_in_stream", "cut")],
)
def test_a_broken_reply_may_be_asked_for_again(served, kind, status):
    error = fails(served, Fault(kind))
    assert (error.status, error.again, error.lasting) == (status, True, False)


@pytest.mark.parametrize("kind", ["silent", "trickle", "trickling_headers"])
def test_a_call_ends_in_time_whatever_the_server_does(served, kind):
    error = fails(served, Fault(kind), seconds=0.5)
    assert (error.status, error.again) == ("timeout", True)


def test_what_the_listener_raises_ends_the_call(served):
    asked = threading.Event()

    def answer(request: Asked) -> Fault:
        asked.set()
        return Fault("silent")

    def stop(text: str) -> None:
        if asked.is_set():
            raise Stopped("enough")

    served.answer = answer
    with pytest.raises(Stopped):
        door(served).ask(QUESTION, 60.0, stop)


def test_a_server_that_is_not_there_is_unreachable():
    with GeminiServer() as server:
        llm = door(server)
    with pytest.raises(CallError) as raised:
        llm.ask(QUESTION, 20.0, quiet)
    assert (raised.value.status, raised.value.again) == ("unreachable", True)


def test_a_redirect_is_not_followed(served):
    error = fails(served, Fault("status", 307, "elsewhere"))
    assert error.status == "307"


def test_a_server_of_ones_own_needs_no_key(served):
    served.answer = lambda asked: "x"
    llm = OpenAICompatible(endpoint=f"{served.url}/v1")
    assert llm.ask(QUESTION, 20.0, quiet).text == "x"
    assert llm.local


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.1.7:1234/v1", True),
        ("http://host.docker.internal:11434/v1", True),
        ("https://openrouter.ai/api/v1", False),
        ("https://8.8.8.8/v1", False),
    ],
)
def test_a_server_of_ones_own_is_told_by_its_address(url, is_local):
    assert OpenAICompatible(endpoint=url, key=KEY).local == is_local


def test_without_a_key_the_service_itself_is_refused_in_one_line():
    with pytest.raises(SettingsError, match="set OPENAI_API_KEY"):
        OpenAICompatible()
    assert OpenAICompatible(offline=True).default_model == ""


@pytest.mark.parametrize("url", ["localhost:11434", "not an address", "http://", "file:///etc"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SettingsError, match="the endpoint is no address"):
        OpenAICompatible(endpoint=url, key=KEY)


@pytest.mark.parametrize("url", ["https://me:secret@a.example/v1", "https://a.example/v1?key=b"])
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(url):
    with pytest.raises(SettingsError, match="must not carry a password or a key") as raised:
        OpenAICompatible(endpoint=url, key=KEY)
    assert "secret" not in str(raised.value)
