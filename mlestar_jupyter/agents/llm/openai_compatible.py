"""Servers that speak OpenAI's chat protocol (Ollama, vLLM, LM Studio, OpenRouter, OpenAI itself).

This is the only module that imports the package ``openai``, an extra, and it does so when the first
question is asked. Servers differ in what they understand: what one refuses is left out from then
on. Behaviour was read off openai 3.57.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mlestar_jupyter.agents.llm.faults import (
    PASSING,
    broken_package,
    check_address,
    connection_fault,
    nonsense,
    one_line,
    place_of,
    retry_after,
)
from mlestar_jupyter.agents.llm.keys import key_for, remember
from mlestar_jupyter.agents.llm.line import Line, watch_request, within
from mlestar_jupyter.agents.llm.llm import CallError, Finish, Reply, Request, Usage
from mlestar_jupyter.errors import SettingsError

_OPENAI = "https://api.openai.com/v1"
_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "blocked"}
#: Parameters that some servers refuse; the model answers without them all the same.
_OPTIONAL = ("stream_options", "seed", "reasoning_effort", "max_completion_tokens", "temperature")
_UNKNOWN = re.compile(
    r"unsupported|not support|unknown|unrecognized|unexpected|not permitted|not allowed|extra|"
    r"invalid param",
    re.IGNORECASE,
)
#: How data is asked for, the best first; the last two have the schema in the system instruction.
_FORMS = ("json_schema", "json_object", "text")
#: Some models think aloud before they answer.
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
#: Up to so many tokens of thinking are this effort: the protocol knows no numbers.
_EFFORTS = ((2048, "low"), (12288, "medium"))


class OpenAICompatible:
    """An LLM. ``endpoint`` is the base address, by default OPENAI_BASE_URL or OpenAI's own; a
    server of your own needs no ``key``. With ``offline`` nothing is needed, and nothing can be
    asked.
    """

    name = "openai"
    searches = False
    default_model = ""

    def __init__(
        self, *, endpoint: str | None = None, key: str | None = None, offline: bool = False
    ) -> None:
        self._url = endpoint or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        check_address(self._url, "the endpoint")
        self._place = place_of(self._url)
        self.local = _is_local(self._url)
        self._key = None if offline else key or key_for("openai")
        if self._key:
            remember(self._key)
        elif self._url == _OPENAI and not offline:
            raise SettingsError(
                "no key for OpenAI; set OPENAI_API_KEY, keep one with `mlestar key set openai`, or "
                "name another server with --endpoint URL; --agents playbook needs none"
            )
        if not offline and importlib.util.find_spec("openai") is None:
            raise SettingsError(
                "these agents need a package; pip install 'mlestar-jupyter[openai]'"
            )
        self._lock = threading.Lock()
        self._client: Any = None
        self._left_out: dict[str, set[str]] = defaultdict(set)
        self._form: dict[str, int] = defaultdict(int)

    def ask(self, request: Request, seconds: float, on_text: Callable[[str], None]) -> Reply:
        """One streamed request; see LLM."""
        try:
            self._open()  # before the seconds are counted: it takes some itself
        except ImportError as error:
            raise broken_package(error, "openai") from None

        sent = self._parameters(request)

        def call(line: Line) -> Reply:
            stream = self._open().chat.completions.create(
                **sent, stream=True, timeout=seconds, extra_headers={"Connection": "close"}
            )
            return self._read(stream, line, request)

        return within(seconds, call, lambda error: self._explain(error, request, sent), on_text)

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                import openai

                # One request is one request: no retries and no redirects behind our back.
                http = openai.DefaultHttpxClient(
                    event_hooks={"request": [watch_request]}, follow_redirects=False
                )
                self._client = openai.OpenAI(
                    base_url=self._url, api_key=self._key or "none", max_retries=0, http_client=http
                )
            return self._client

    def _parameters(self, request: Request) -> dict[str, Any]:
        form = _FORMS[self._form[request.model]]
        system = request.system
        if request.schema is not None and form != "json_schema":
            schema = json.dumps(request.schema)
            system += f"\n\nAnswer with JSON alone, without a fence, by this JSON schema:\n{schema}"
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": request.prompt})
        fields: dict[str, Any] = {
            "stream_options": {"include_usage": True},
            "temperature": request.temperature,
            "seed": request.seed,
            "max_completion_tokens": request.most,
            "reasoning_effort": _effort(request.thinking),
        }
        left_out = self._left_out[request.model]
        if "max_completion_tokens" in left_out:
            fields["max_tokens"] = request.most
        if request.schema is not None and form == "json_schema":
            fields["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": request.role,
                    "schema": dict(request.schema),
                    "strict": _is_strict(request.schema),
                },
            }
        elif request.schema is not None and form == "json_object":
            fields["response_format"] = {"type": "json_object"}
        chosen = {k: v for k, v in fields.items() if v is not None and k not in left_out}
        return {"model": request.model, "messages": messages, **chosen}

    def _read(self, chunks: Iterator[Any], line: Line, request: Request) -> Reply:
        text, finish, model, is_counted, is_anything = "", "", request.model, False, False
        for chunk in chunks:
            is_anything = True
            model = getattr(chunk, "model", None) or model
            if getattr(chunk, "usage", None) is not None:
                line.usage, is_counted = _usage(chunk.usage), True
            for choice in (getattr(chunk, "choices", None) or [])[:1]:
                more = choice.delta.content if choice.delta is not None else None
                if more:
                    text += more
                    line.say(text)
                finish = choice.finish_reason or finish
        if not is_anything:
            raise nonsense(ValueError("no event of a stream"), self._place)
        if not finish:
            raise CallError(
                f"{self._place} ended its reply before its end; try again", "cut", again=True
            )
        if not is_counted:
            asked = len(request.system + request.prompt)
            line.usage = Usage(prompt=asked // 4, output=len(text) // 4)
        kind = _FINISHES.get(finish, "other")
        reason = "" if kind == "stop" else finish
        return Reply(_THOUGHTS.sub("", text), kind, line.usage, (), model, reason)

    def _explain(self, error: Exception, request: Request, sent: dict[str, Any]) -> CallError:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "APIConnectionError" in kinds and error.__cause__ is not None:
            error = error.__cause__ if isinstance(error.__cause__, Exception) else error
        elif "APIStatusError" in kinds:
            return self._refused(error, request, sent)
        elif "APIError" in kinds:
            code = str(getattr(error, "code", None) or "cut")
            return CallError(
                f"{self._place} broke its reply off ({one_line(error)}); try again",
                code if code.isdigit() else "cut",
                again=True,
            )
        return connection_fault(error, self._place) or nonsense(error, self._place)

    def _refused(self, error: Any, request: Request, sent: dict[str, Any]) -> CallError:
        """The CallError for a status of HTTP."""
        code, said = int(error.status_code), one_line(_said(error))
        place, model, status = self._place, request.model, str(error.status_code)
        if code in (401, 403):
            key = "OPENAI_API_KEY" if self._key else "OPENAI_API_KEY, which is not set"
            return CallError(f"{place} refused the key ({said}); check {key}", status, lasting=True)
        if code == 402 or (code == 429 and re.search(r"insufficient_quota|per[- ]day", said)):
            return CallError(
                f"the quota or the credit at {place} is used up ({said}); add some, or name "
                f"another --model",
                status,
                lasting=True,
            )
        if code == 404:
            return CallError(
                f"{place} has no model {model!r}, or the address is wrong ({said}); check --model "
                f"and --endpoint",
                status,
                lasting=True,
            )
        if code in PASSING or (code >= 500 and code != 501):
            return CallError(
                f"{place} cannot answer now ({status} {said}); try again later",
                status,
                again=True,
                after=retry_after(error.response.headers),
            )
        if self._learn(request, sent, said):
            return CallError(
                f"{place} does not understand a parameter ({said}); it is left out",
                status,
                again=True,
                after=0.0,
            )
        return CallError(f"{place} refused the question ({status}: {said})", status)

    def _learn(self, request: Request, sent: dict[str, Any], said: str) -> bool:
        """Leave out what the server refused, from now on; whether there is anything to try."""
        with self._lock:
            if _UNKNOWN.search(said):
                for name in _OPTIONAL:
                    if name in sent and name in said:
                        self._left_out[request.model].add(name)
                        return True
            if "response_format" not in sent:
                return False
            tried = _FORMS.index(sent["response_format"]["type"])
            self._form[request.model] = max(self._form[request.model], tried + 1)
            return True


def _said(error: Any) -> str:
    """The server's words: those of the package repeat the whole body."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and inner.get("message"):
            code = f"{inner['code']}: " if inner.get("code") else ""
            return f"{code}{inner['message']}"
        return str(inner)
    return str(body or error)


def _usage(counts: Any) -> Usage:
    thoughts = getattr(getattr(counts, "completion_tokens_details", None), "reasoning_tokens", None)
    cached = getattr(getattr(counts, "prompt_tokens_details", None), "cached_tokens", None)
    # Thoughts are a part of what is said here, and beside it in Usage.
    return Usage(
        prompt=counts.prompt_tokens or 0,
        cached=cached or 0,
        output=max(0, (counts.completion_tokens or 0) - (thoughts or 0)),
        thoughts=thoughts or 0,
    )


def _effort(thinking: int | None) -> str | None:
    if thinking is None:
        return None
    return next((name for most, name in _EFFORTS if thinking <= most), "high")


def _is_strict(schema: Any) -> bool:
    """Whether a schema may be held to: all is required, and nothing else is allowed."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" and (
        "properties" not in schema
        or schema.get("additionalProperties") is not False
        or set(schema.get("required", ())) != set(schema["properties"])
    ):
        return False
    return all(map(_is_strict, schema.values()))


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
