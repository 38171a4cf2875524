"""A local server that speaks the REST protocols of Gemini and of OpenAI-compatible endpoints.

``answer`` is told what was asked (`Asked`) and gives what to say (`Said`, or plain text) or what
goes wrong (`Fault`). It is called in the thread of its request, one at a time for each request.

    with GeminiServer(lambda asked: "print(1)") as server:
        llm = Gemini(base_url=server.url, key="test-key")
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

FREE_QUOTA_OF_A_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


@dataclass(frozen=True)
class Asked:
    """One request, the same for both protocols. ``number`` counts from 1."""

    number: int
    model: str
    system: str
    prompt: str
    schema: dict[str, Any] | None
    search: bool
    streaming: bool
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Said:
    """A reply. ``finish`` is Gemini's word; ``pages`` are (url, title); counts are tokens.

    ``pace`` is how long to wait before each of the ``chunks``, in seconds; ``before`` is called
    before each, with its number from 1. ``blocked`` is the reason for which the prompt is refused.
    """

    text: str = ""
    finish: str = "STOP"
    pages: tuple[tuple[str, str], ...] = ()
    blocked: str = ""
    prompt: int | None = None  # None: a quarter of the characters
    cached: int = 0
    output: int | None = None
    thoughts: int = 3
    chunks: int = 3
    pace: float = 0.0
    before: Callable[[int], None] = lambda number: None


@dataclass(frozen=True)
class Fault:
    """What goes wrong. ``kind`` is one of

    - ``status``: an error of HTTP with ``code``; ``retry`` (such as ``2s``) and ``quota`` (an id)
      are told as Google does, ``retry_after`` as a header;
    - ``silent``: nothing is said for ``seconds``, then the connection is closed;
    - ``trickle``: a good reply at one byte each ``pace`` seconds, that never ends;
    - ``trickling_headers``: the same with headers;
    - ``cut``: the connection breaks in the middle of the reply;
    - ``ends_early``: the reply ends properly, before all is said;
    - ``nonsense``: 200 with something that is no JSON;
    - ``error_in_stream``: 200, some text, then an error of ``code``.
    """

    kind: Literal[
        "status",
        "silent",
        "trickle",
        "trickling_headers",
        "cut",
        "ends_early",
        "nonsense",
        "error_in_stream",
    ]
    code: int = 503
    message: str = ""
    status: str = ""
    reason: str = ""
    retry: str = ""
    quota: str = ""
    retry_after: str = ""
    seconds: float = 60.0
    pace: float = 0.05


Answer = Callable[[Asked], "Said | Fault | str"]

_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip

#: The error of a key that is not valid, as Google says it.
BAD_KEY = Fault(
    "status", 400, "API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID"
)


@dataclass
class GeminiServer:
    """Serves on a free port of 127.0.0.1 until it is closed. ``asked`` is all that was asked."""

    answer: Answer = lambda asked: "an answer"
    asked: list[Asked] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._server.house = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self._thread.start()

    @property
    def url(self) -> str:
        """Base address for a Gemini client; ``/v1`` behind it is that for an OpenAI one."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def count(self) -> int:
        """How many requests came in."""
        return len(self.asked)

    def close(self) -> None:
        """Serve no more."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> GeminiServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client went away, as it may

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/token":  # where credentials of Google Cloud get a token from
            self._send(200, {"access_token": "a-token-of-the-cloud", "expires_in": 3600})
            return
        body = json.loads(content or b"{}")
        house: GeminiServer = self.server.house
        path, headers = self.path, {k.lower(): v for k, v in self.headers.items()}
        google = re.search(r"/models/([^/:]+):(generateContent|streamGenerateContent)", path)
        openai = path.split("?")[0].endswith("/chat/completions")
        if not google and not openai:
            self._error(google=True, fault=Fault("status", 404, f"no {path}"))
            return
        with house.lock:
            read = _read_google if google else _read_openai
            asked = read(len(house.asked) + 1, path, headers, body)
            house.asked.append(asked)
        given = house.answer(asked)
        said = Said(given) if isinstance(given, str) else given
        if isinstance(said, Fault):
            self._fail(said, asked, bool(google))
        else:
            self._say(said, asked, bool(google))

    def _say(self, said: Said, asked: Asked, google: bool) -> None:
        replies = list(_google(said, asked) if google else _openai(said, asked))
        if not asked.streaming:
            whole = _whole_google(said, asked) if google else _whole_openai(said, asked)
            self._send(200, whole)
            return
        self._begin_stream()
        for number, reply in enumerate(replies, start=1):
            said.before(number)
            if said.pace:
                self._wait(said.pace)
            self._chunk(_event(reply))
        if not google:
            self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, fault: Fault, asked: Asked, google: bool) -> None:
        said = Said("some words that are cut before they are all said")
        replies = list(_google(said, asked) if google else _openai(said, asked))
        if fault.kind == "status":
            self._error(google=google, fault=fault)
        elif fault.kind == "silent":
            self._wait(fault.seconds)
            self._break()
        elif fault.kind == "trickling_headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self._trickle((f"X-Header-{n}: some\r\n".encode() for n in range(10**6)), fault.pace)
        elif fault.kind == "trickle":
            self._begin_stream()
            self._trickle(_for_ever(_event(replies[0])[:-4]), fault.pace)
        elif fault.kind == "cut":
            self._begin_stream()
            self._chunk(_event(replies[0]))
            self.wfile.write(b"400\r\ndata: {")
            self._break()
        elif fault.kind == "ends_early":
            self._begin_stream()
            self._chunk(_event(replies[0]))
            self.wfile.write(b"0\r\n\r\n")
        elif fault.kind == "nonsense":
            self._raw(200, b"<html><body>Sign in to the network of this hotel</body></html>")
        else:
            self._begin_stream()
            self._chunk(_event(replies[0]))
            self._chunk(_event(_error_json(fault, google)))
            self.wfile.write(b"0\r\n\r\n")

    def _error(self, *, google: bool, fault: Fault) -> None:
        self._send(fault.code, _error_json(fault, google), fault.retry_after)

    def _send(self, code: int, content: Any, retry_after: str = "") -> None:
        self._raw(code, json.dumps(content).encode(), "application/json", retry_after)

    def _raw(
        self, code: int, content: bytes, kind: str = "text/html", retry_after: str = ""
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _trickle(self, pieces: Iterator[bytes], pace: float) -> None:
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            if self._wait(pace):
                return

    def _wait(self, seconds: float) -> bool:
        """Wait, at most until the server is closed; whether it was."""
        return bool(self.server.house.closing.wait(seconds))

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _for_ever(start: bytes) -> Iterator[bytes]:
    """Bytes of one event that never ends, each a chunk."""
    for byte in start:
        yield b"1\r\n%c\r\n" % byte
    while True:
        yield b"1\r\n \r\n"


def _event(content: Any) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\r\n\r\n"


def _pieces(said: Said) -> list[str]:
    size = max(1, -(-len(said.text) // max(1, said.chunks)))
    return [said.text[i : i + size] for i in range(0, len(said.text), size)] or [""]


def _count(text: str) -> int:
    return -(-len(text) // 4)


def _tokens(said: Said, asked: Asked) -> tuple[int, int]:
    prompt = _count(asked.system + asked.prompt) if said.prompt is None else said.prompt
    return prompt, _count(said.text) if said.output is None else said.output


def _read_google(number: int, path: str, headers: dict[str, str], body: dict[str, Any]) -> Asked:
    found = re.search(r"/models/([^/:]+):(\w+)", path)
    assert found is not None
    config = body.get("generationConfig", {})
    return Asked(
        number,
        found[1],
        _text(body.get("systemInstruction", {})),
        "\n".join(_text(content) for content in body.get("contents", [])),
        config.get("responseJsonSchema") or config.get("responseSchema"),
        any("googleSearch" in tool for tool in body.get("tools", [])),
        found[2].startswith("stream"),
        path,
        headers,
        body,
    )


def _text(content: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content.get("parts", []))


def _read_openai(number: int, path: str, headers: dict[str, str], body: dict[str, Any]) -> Asked:
    said = {m["role"]: m["content"] for m in body["messages"]}
    form = body.get("response_format") or {}
    return Asked(
        number,
        body["model"],
        said.get("system", ""),
        said.get("user", ""),
        form.get("json_schema", {}).get("schema"),
        False,
        bool(body.get("stream")),
        path,
        headers,
        body,
    )


def _google_usage(said: Said, asked: Asked) -> dict[str, int]:
    prompt, output = _tokens(said, asked)
    counts = {"promptTokenCount": prompt, "totalTokenCount": prompt + output + said.thoughts}
    if said.text:
        counts["candidatesTokenCount"] = output
    if said.thoughts:
        counts["thoughtsTokenCount"] = said.thoughts
    if said.cached:
        counts["cachedContentTokenCount"] = said.cached
    return counts


def _google(said: Said, asked: Asked) -> Iterator[dict[str, Any]]:
    base = {"usageMetadata": _google_usage(said, asked), "modelVersion": f"{asked.model}-001"}
    if said.blocked:
        yield {**base, "promptFeedback": {"blockReason": said.blocked}}
        return
    pieces = _pieces(said)
    for number, piece in enumerate(pieces, start=1):
        candidate: dict[str, Any] = {"index": 0}
        if piece:
            candidate["content"] = {"role": "model", "parts": [{"text": piece}]}
        if number == len(pieces):
            candidate["finishReason"] = said.finish
            if said.pages:
                candidate["groundingMetadata"] = {
                    "webSearchQueries": [asked.prompt[:40]],
                    "groundingChunks": [{"web": {"uri": u, "title": t}} for u, t in said.pages],
                }
        yield {**base, "candidates": [candidate]}


def _whole_google(said: Said, asked: Asked) -> dict[str, Any]:
    *_, last = _google(Said(**{**vars(said), "chunks": 1}), asked)
    return last


_OPENAI_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}


def _openai_usage(said: Said, asked: Asked) -> dict[str, Any]:
    prompt, output = _tokens(said, asked)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output + said.thoughts,
        "total_tokens": prompt + output + said.thoughts,
        "prompt_tokens_details": {"cached_tokens": said.cached},
        "completion_tokens_details": {"reasoning_tokens": said.thoughts},
    }


def _openai(said: Said, asked: Asked) -> Iterator[dict[str, Any]]:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": asked.model}
    pieces = _pieces(said)
    for number, piece in enumerate(pieces, start=1):
        finish = _finish_of_openai(said) if number == len(pieces) else None
        delta = {"role": "assistant", "content": piece}
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": _openai_usage(said, asked)}


def _finish_of_openai(said: Said) -> str:
    return "content_filter" if said.blocked else _OPENAI_FINISH.get(said.finish, said.finish)


def _whole_openai(said: Said, asked: Asked) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.text}
    choice = {"index": 0, "message": message, "finish_reason": _finish_of_openai(said)}
    base = {"id": "c1", "object": "chat.completion", "created": 1, "model": asked.model}
    return {**base, "choices": [choice], "usage": _openai_usage(said, asked)}


def _error_json(fault: Fault, google: bool) -> dict[str, Any]:
    status = fault.status or _STATUSES.get(fault.code, "UNKNOWN")
    message = fault.message or f"the server says {status}"
    if not google:
        return {"error": {"message": message, "type": status.lower(), "code": fault.reason}}
    details: list[dict[str, Any]] = []
    if fault.reason:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": fault.reason}
        )
    if fault.quota:
        violation = {"quotaMetric": "generate_content_requests", "quotaId": fault.quota}
        details.append(
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
        )
    if fault.retry:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": fault.retry}
        )
    return {
        "error": {
            "code": fault.code, "message": message, "status": status, "details": details,
        }
    }  # fmt: skip
