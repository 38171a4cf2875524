"""Gemini: the real google-genai over real HTTP to a server of this process, good and bad."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from gemini_server import BAD_KEY, FREE_QUOTA_OF_A_DAY, Asked, Fault, GeminiServer, Said

from mlestar_jupyter.agents.llm.gemini import Gemini
from mlestar_jupyter.agents.llm.llm import CallError, Page, Request, Usage
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.errors import SettingsError

KEY = "AIzaSyThisIsTheKeyThatNobodyMaySee12345"
QUESTION = Request("plan", "gemini-test", "You plan.", "What next?")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (
        *("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"),
        *("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_CLOUD_PROJECT"),
        *("GOOGLE_CLOUD_LOCATION", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GENAI_API_VERSION"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("mlestar_jupyter.agents.llm.keys._from_keyring", lambda provider: None)


@pytest.fixture
def served():
    """A server whose answer can be set."""
    with GeminiServer() as server:
        yield server


def quiet(text: str) -> None:
    pass


def ask(server: GeminiServer, given: Any, request: Request = QUESTION, seconds: float = 20.0):
    server.answer = lambda asked: given
    return Gemini(key=KEY, base_url=server.url).ask(request, seconds, quiet)


def fails(server: GeminiServer, fault: Fault, seconds: float = 20.0) -> CallError:
    with pytest.raises(CallError) as raised:
        ask(server, fault, seconds=seconds)
    # With half a second to go, a slow machine may not come to ask at all.
    assert server.count == 1 or (server.count == 0 and seconds < 1)
    assert "\n" not in str(raised.value)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert KEY not in shown
    return raised.value


def test_a_reply_has_its_text_usage_and_model(served):
    said = Said("First this, then that.", prompt=120, cached=20, output=30, thoughts=40)
    reply = ask(served, said)
    assert reply.text == "First this, then that."
    assert (reply.finish, reply.reason) == ("stop", "")
    assert reply.usage == Usage(prompt=120, cached=20, output=30, thoughts=40)
    assert reply.model == "gemini-test-001"
    assert reply.pages == ()


def test_a_question_is_one_streamed_request_to_the_beta_version(served):
    ask(served, "x")
    [asked] = served.asked
    assert asked.path == "/v1beta/models/gemini-test:streamGenerateContent?alt=sse"
    assert (asked.system, asked.prompt) == ("You plan.", "What next?")
    assert asked.headers["x-goog-api-key"] == KEY
    assert asked.headers["connection"] == "close"


def test_what_is_not_set_is_not_sent(served):
    ask(served, "x")
    assert set(served.asked[0].body) <= {"contents", "systemInstruction", "generationConfig"}
    assert not served.asked[0].body.get("generationConfig")


def test_all_that_a_request_asks_for_is_sent(served):
    request = Request(
        "plan", "gemini-test", "", "p", temperature=0.25, thinking=512, seed=2**31 + 5, most=2048
    )
    ask(served, "x", request)
    config = served.asked[0].body["generationConfig"]
    assert list(config.pop("thinkingConfig").values()) == ["LOW"]
    assert config == {"temperature": 0.25, "seed": 5, "maxOutputTokens": 2048}


@pytest.mark.parametrize(
    ("model", "tokens", "told"),
    [
        ("gemini-2.5-flash", 0, 0),
        ("models/gemini-2.5-pro", 5000, 5000),
        ("gemini-3.8-flash", 0, "LOW"),
        ("gemini-3.8-flash", 8000, "MEDIUM"),
        ("gemini-flash-latest", 20_000, "HIGH"),
    ],
)
def test_thinking_is_told_in_tokens_or_by_a_level_as_the_model_knows_it(
    served, model, tokens, told
):
    ask(served, "x", Request("r", model, "", "p", thinking=tokens))
    assert list(served.asked[0].body["generationConfig"]["thinkingConfig"].values()) == [told]


def test_what_a_model_refuses_is_left_out_from_then_on(served):
    def answer(asked: Asked) -> Any:
        for name in ("temperature", "seed"):
            if name in asked.body.get("generationConfig", {}):
                return Fault("status", 400, f"{name} is not supported by this model")
        return "x"

    served.answer = answer
    gemini = Gemini(key=KEY, base_url=served.url)
    request = Request("r", "m", "", "p", temperature=0.5, seed=1, most=500)
    for name in ("temperature", "seed"):
        with pytest.raises(CallError, match=f"{name} is left out") as raised:
            gemini.ask(request, 20.0, quiet)
        assert (raised.value.again, raised.value.after) == (True, 0.0)
    for _ in range(2):
        assert gemini.ask(request, 20.0, quiet).text == "x"
    assert served.count == 4


def test_a_schema_makes_the_answer_data(served):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    reply = ask(served, '{"a": 1}', Request("extract", "gemini-test", "", "p", schema=schema))
    assert json.loads(reply.text) == {"a": 1}
    config = served.asked[0].body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert served.asked[0].schema == schema


def test_a_search_gives_the_pages_that_the_answer_rests_on(served):
    pages = (("https://a.example/x", "A"), ("https://b.example", ""), ("https://a.example/x", "A"))
    reply = ask(served, Said("found", pages=pages), Request("r", "m", "", "p", search=True))
    assert served.asked[0].search
    assert reply.pages == (
        Page("https://a.example/x", "A"),
        Page("https://b.example", "https://b.example"),
    )


def test_the_text_is_told_as_it_grows(served):
    seen: list[str] = []
    before_last = threading.Event()

    def wait(number: int) -> None:
        if number == 3:
            assert before_last.wait(60)

    def listen(text: str) -> None:
        seen.append(text)
        if text == "one two th":
            before_last.set()

    served.answer = lambda asked: Said("one two three", chunks=3, before=wait)
    reply = Gemini(key=KEY, base_url=served.url).ask(QUESTION, 60.0, listen)
    told = [text for text in dict.fromkeys(seen) if text]
    assert "one two th" in told
    assert all("one two three".startswith(text) for text in told)
    assert told == sorted(told, key=len)
    assert reply.text == "one two three"


@pytest.mark.parametrize(
    ("said", "finish", "reason"),
    [
        (Said("def f(", finish="MAX_TOKENS"), "length", "MAX_TOKENS"),
        (Said("", finish="MAX_TOKENS"), "length", "MAX_TOKENS"),
        (Said("", finish="SAFETY"), "blocked", "SAFETY"),
        (Said("half", finish="RECITATION"), "blocked", "RECITATION"),
        (Said(blocked="PROHIBITED_CONTENT"), "blocked", "PROHIBITED_CONTENT"),
        (Said("x", finish="MALFORMED_FUNCTION_CALL"), "other", "MALFORMED_FUNCTION_CALL"),
        (Said("x", finish="A_REASON_OF_NEXT_YEAR"), "other", "A_REASON_OF_NEXT_YEAR"),
        (Said("", finish="STOP"), "stop", ""),
    ],
)
@pytest.mark.filterwarnings("ignore:A_REASON_OF_NEXT_YEAR")
def test_the_end_of_a_reply_is_told_with_the_word_of_the_provider(served, said, finish, reason):
    reply = ask(served, said)
    assert (reply.text, reply.finish, reply.reason) == (said.text, finish, reason)


def test_a_bad_key_lasts_and_says_where_to_get_another(served):
    error = fails(served, BAD_KEY)
    assert (error.status, error.again, error.lasting) == ("400", False, True)
    assert "GEMINI_API_KEY" in str(error)


@pytest.mark.parametrize("code", [401, 403])
def test_a_key_without_the_right_lasts(served, code):
    error = fails(served, Fault("status", code, f"no access with {KEY}"))
    assert (error.status, error.lasting) == (str(code), True)
    assert "(key)" in str(error)


def test_an_unknown_model_lasts_and_names_the_option(served):
    error = fails(served, Fault("status", 404, "models/gemini-test is not found"))
    assert (error.status, error.lasting) == ("404", True)
    assert "--model NAME" in str(error)
    assert "gemini-test" in str(error)


def test_a_quota_of_a_minute_passes_when_the_server_says(served):
    quota = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    error = fails(served, Fault("status", 429, retry="13.5s", quota=quota))
    assert (error.status, error.again, error.after, error.lasting) == ("429", True, 13.5, False)


def test_a_quota_of_a_day_lasts(served):
    error = fails(served, Fault("status", 429, retry="13s", quota=FREE_QUOTA_OF_A_DAY))
    assert (error.status, error.again, error.lasting) == ("429", False, True)
    assert "used up for today" in str(error)


def test_a_quota_of_nothing_lasts(served):
    error = fails(served, Fault("status", 429, "Quota exceeded, limit: 0, model: gemini-test"))
    assert error.lasting


def test_a_delay_may_come_as_a_header(served):
    assert fails(served, Fault("status", 503, retry_after="3600")).after == 3600


def test_a_delay_may_be_a_date_or_nonsense(served):
    past = fails(served, Fault("status", 503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"))
    assert past.after == 0
    served.asked.clear()
    assert fails(served, Fault("status", 503, retry="soon", retry_after="later")).after is None


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504])
def test_trouble_of_the_server_passes(served, code):
    error = fails(served, Fault("status", code))
    assert (error.status, error.again, error.lasting) == (str(code), True, False)


def test_a_question_that_is_refused_is_not_to_be_asked_again(served):
    error = fails(served, Fault("status", 400, "The input token count exceeds\nthe maximum"))
    assert (error.again, error.lasting) == (False, False)
    assert "exceeds the maximum" in str(error)


def test_a_country_that_is_not_served_lasts(served):
    fault = Fault("status", 400, "User location is not supported", status="FAILED_PRECONDITION")
    assert fails(served, fault).lasting


def test_an_error_in_the_middle_of_a_stream_is_an_error(served):
    error = fails(served, Fault("error_in_stream", 503, "overloaded", retry="2s"))
    assert (error.status, error.again, error.after) == ("503", True, 2.0)
    assert error.usage.prompt > 0


def test_a_connection_that_breaks_is_cut_and_tells_what_was_counted(served):
    error = fails(served, Fault("cut"))
    assert (error.status, error.again) == ("cut", True)
    assert error.usage.prompt > 0


def test_a_stream_that_ends_before_its_end_is_cut(served):
    error = fails(served, Fault("ends_early"))
    assert (error.status, error.again) == ("cut", True)


def test_a_page_of_a_login_is_nonsense(served):
    error = fails(served, Fault("nonsense"))
    assert (error.status, error.again, error.lasting) == ("nonsense", True, False)
    assert "login" in str(error)


@pytest.mark.parametrize("kind", ["silent", "trickle", "trickling_headers"])
def test_a_call_ends_in_time_whatever_the_server_does(served, kind):
    error = fails(served, Fault(kind), seconds=0.5)
    assert (error.status, error.again) == ("timeout", True)
    assert "--call-time" in str(error)


@pytest.mark.parametrize("kind", ["silent", "trickle", "trickling_headers"])
def test_a_call_that_ran_out_of_time_leaves_no_thread_behind(served, kind):
    fails(served, Fault(kind), seconds=0.5)
    for thread in threading.enumerate():
        if thread.name == "mlestar-call":
            thread.join(60)
            assert not thread.is_alive()


@pytest.mark.parametrize("given", [Fault("silent"), Fault("trickle"), Said("a b c", pace=0.3)])
def test_what_the_listener_raises_ends_the_call_and_is_passed_on(served, given):
    asked = threading.Event()

    def answer(request: Asked) -> Any:
        asked.set()
        return given

    def stop(text: str) -> None:
        if asked.is_set():
            raise Stopped("enough")

    served.answer = answer
    with pytest.raises(Stopped, match="enough"):
        Gemini(key=KEY, base_url=served.url).ask(QUESTION, 60.0, stop)


def test_a_server_that_is_not_there_is_unreachable():
    with GeminiServer() as server:
        url = server.url
    with pytest.raises(CallError) as raised:
        Gemini(key=KEY, base_url=url).ask(QUESTION, 20.0, quiet)
    assert (raised.value.status, raised.value.again) == ("unreachable", True)
    assert "127.0.0.1" in str(raised.value)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("url", ["no address", "ftp://a.example", "http://[broken", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(SettingsError, match="GOOGLE_GEMINI_BASE_URL is no address"):
        Gemini(key=KEY, base_url=url)


def test_many_threads_may_ask_at_once(served):
    served.answer = lambda asked: Said(f"answer to {asked.prompt}", pace=0.02)
    gemini = Gemini(key=KEY, base_url=served.url)
    given: dict[int, str] = {}

    def work(number: int) -> None:
        request = Request("plan", "gemini-test", "", f"question {number}")
        given[number] = gemini.ask(request, 30.0, quiet).text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given == {n: f"answer to question {n}" for n in range(12)}
    assert served.count == 12


def test_a_call_over_tls_is_answered_and_ends_in_time_all_the_same(monkeypatch, tmp_path):
    with GeminiServer(lambda asked: asked.prompt, tls=_certified(tmp_path)) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        gemini = Gemini(key=KEY, base_url=server.url)
        assert gemini.ask(QUESTION, 60.0, quiet).text == "What next?"
        for kind in ("silent", "trickle", "trickling_headers"):
            server.answer = lambda asked, kind=kind: Fault(kind)
            with pytest.raises(CallError) as raised:
                gemini.ask(QUESTION, 0.5, quiet)
            assert raised.value.status == "timeout"
        for thread in threading.enumerate():
            if thread.name == "mlestar-call":
                thread.join(60)
                assert not thread.is_alive()


def test_a_certificate_that_is_not_trusted_is_unreachable(tmp_path):
    with GeminiServer(tls=_certified(tmp_path)) as server:
        with pytest.raises(CallError, match=r"cannot reach 127\.0\.0\.1") as raised:
            Gemini(key=KEY, base_url=server.url).ask(QUESTION, 60.0, quiet)
        assert raised.value.status == "unreachable"
        assert server.count == 0


def test_one_call_that_is_cut_off_does_not_end_another(served):
    is_cut = threading.Event()

    def answer(asked: Asked) -> Any:
        if asked.prompt == "slow":
            return Fault("silent")
        return Said("a b c d", before=lambda number: is_cut.wait(60) and None)

    served.answer = answer
    gemini = Gemini(key=KEY, base_url=served.url)
    texts: list[str] = []
    thread = threading.Thread(
        target=lambda: texts.append(gemini.ask(Request("r", "m", "", "good"), 60.0, quiet).text)
    )
    thread.start()
    with pytest.raises(CallError):
        gemini.ask(Request("r", "m", "", "slow"), 0.4, quiet)
    is_cut.set()
    thread.join()
    assert texts == ["a b c d"]


def test_the_environment_names_the_key_and_the_server(served, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", "another-key-of-google")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", served.url)
    Gemini().ask(QUESTION, 20.0, quiet)
    assert served.asked[0].headers["x-goog-api-key"] == KEY


def test_without_a_key_there_is_one_line_that_says_how_to_get_one():
    with pytest.raises(SettingsError, match=r"set GEMINI_API_KEY \(get one at https://aistudio"):
        Gemini()


def test_a_package_that_is_broken_lasts_and_says_what_to_do(monkeypatch):
    gemini = Gemini(key=KEY)
    monkeypatch.setitem(sys.modules, "google.genai", None)
    with pytest.raises(CallError, match="pip install --upgrade google-genai") as raised:
        gemini.ask(QUESTION, 20.0, quiet)
    assert raised.value.lasting


def test_offline_nothing_is_needed():
    assert Gemini(offline=True).default_model


def test_vertex_takes_a_key(served, monkeypatch):
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", served.url)
    Gemini(key=KEY).ask(QUESTION, 20.0, quiet)
    [asked] = served.asked
    assert "/publishers/google/models/gemini-test:streamGenerateContent" in asked.path
    assert asked.headers["x-goog-api-key"] == KEY


def test_vertex_takes_a_project_and_its_own_credentials(served, monkeypatch, tmp_path):
    credentials = tmp_path / "credentials.json"
    _write_service_account(credentials, f"{served.url}/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "1")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-that-is-not-meant")
    Gemini(base_url=served.url).ask(QUESTION, 20.0, quiet)
    [asked] = served.asked
    assert "/projects/my-project/locations/europe-west4/publishers/google/models/" in asked.path
    assert asked.headers["authorization"] == "Bearer a-token-of-the-cloud"
    assert "x-goog-api-key" not in asked.headers


def test_vertex_without_credentials_lasts_and_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    gemini = Gemini(vertex=True, project="my-project", location="europe-west4")
    with pytest.raises(CallError, match="gcloud auth application-default login") as raised:
        gemini.ask(QUESTION, 20.0, quiet)
    assert raised.value.lasting


def _pem(private: rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certified(folder: Path) -> ssl.SSLContext:
    """TLS for 127.0.0.1, with a certificate that only this test trusts."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of these tests")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), 1, now - day, now + day)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "private.pem").write_bytes(_pem(private))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "private.pem")
    return context


def _write_service_account(path: Path, token_uri: str) -> None:
    private = _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    content = {
        "type": "service_account", "client_email": "me@my-project.example", "client_id": "1",
        "private_key": private.decode(), "private_key_id": "1", "token_uri": token_uri,
        "project_id": "my-project",
    }  # fmt: skip
    path.write_text(json.dumps(content))
