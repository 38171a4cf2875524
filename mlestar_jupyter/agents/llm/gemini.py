"""Gemini through google-genai: with an API key, or by a project of Google Cloud (Vertex AI).

This is the only module that imports the package, and it does so when the first question is asked:
the import takes most of a second. Behaviour was read off google-genai 3.6.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mlestar_jupyter.agents.llm.faults import (
    broken_package,
    check_address,
    connection_fault,
    nonsense,
    one_line,
    place_of,
)
from mlestar_jupyter.agents.llm.gemini_faults import GET_A_KEY as GET_A_KEY
from mlestar_jupyter.agents.llm.gemini_faults import refused
from mlestar_jupyter.agents.llm.keys import key_for, remember
from mlestar_jupyter.agents.llm.line import Line, watch_request, within
from mlestar_jupyter.agents.llm.llm import CallError, Finish, Page, Reply, Request, Usage
from mlestar_jupyter.errors import SettingsError

_HOST = "https://generativelanguage.googleapis.com"
_VERTEX_HOST = "https://aiplatform.googleapis.com"
#: Thinking, search and schemas are in this version of the API; the package's default has not all.
_VERSION = "v1beta"
#: The API refuses a deadline that is shorter, in seconds.
_LEAST_SERVER_TIMEOUT = 10
#: What some models refuse (all of Gemini 3 are said to do without a temperature).
_OPTIONAL = ("temperature", "seed", "thinking")
#: Up to so many tokens of thinking are this level, where a model knows levels only.
_LEVELS = ((2048, "LOW"), (12288, "MEDIUM"))
_FINISHES: dict[str, Finish] = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
_BLOCKED = frozenset(
    {
        *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR"),
        *("ESCALATION", "PUP_LIMITED_DISABLED"),
    }
)


class Gemini:
    """An LLM. Without arguments, everything comes from the environment or the keyring.

    ``key`` is an API key; ``project`` and ``location`` are those of Vertex AI, which is used when
    ``vertex`` says so, or GOOGLE_GENAI_USE_VERTEXAI does. ``base_url`` is another server that
    speaks the protocol. With ``offline`` nothing is needed, and nothing can be asked.
    """

    name = "gemini"
    searches = True
    #: The newest stable model of the kind in November 2026.
    default_model = "gemini-3.8-flash"
    local = False

    def __init__(
        self,
        *,
        key: str | None = None,
        base_url: str | None = None,
        vertex: bool | None = None,
        project: str | None = None,
        location: str | None = None,
        offline: bool = False,
    ) -> None:
        self._vertex = uses_vertex() if vertex is None else vertex
        self._project = project or os.environ.get("GOOGLE_CLOUD_PROJECT") or None
        self._location = location or os.environ.get("GOOGLE_CLOUD_LOCATION") or None
        variable = "GOOGLE_VERTEX_BASE_URL" if self._vertex else "GOOGLE_GEMINI_BASE_URL"
        self._base_url = base_url or os.environ.get(variable) or None
        if self._base_url is not None:
            check_address(self._base_url, variable)
        self._place = place_of(self._base_url or (_VERTEX_HOST if self._vertex else _HOST))
        by_project = self._vertex and bool(self._project) and not key
        self._key = None if by_project or offline else key or key_for("gemini")
        if self._key:
            remember(self._key)
        elif not self._vertex and not offline:
            raise SettingsError(
                f"no key for Gemini; set GEMINI_API_KEY ({GET_A_KEY}), or keep one with "
                f"`mlestar key set gemini`; --agents playbook needs none"
            )
        if not offline and importlib.util.find_spec("google.genai") is None:
            raise SettingsError("Gemini needs its package; pip install google-genai")
        self._lock = threading.Lock()
        self._client: Any = None
        self._left_out: dict[str, set[str]] = {}

    def ask(self, request: Request, seconds: float, on_text: Callable[[str], None]) -> Reply:
        """One streamed request; see LLM."""
        self._prepare(request)
        left_out: dict[str, Any] = dict.fromkeys(self._left_out.get(request.model, ()))
        request = replace(request, **left_out)

        def call(line: Line) -> Reply:
            return _read(self._stream(request, seconds), line, request, self._place)

        return within(seconds, call, lambda error: self._explain(error, request), on_text)

    def _prepare(self, request: Request) -> None:
        """Get ready before the seconds are counted: the import takes one itself."""
        try:
            import google.genai  # noqa: F401
        except ImportError as error:
            raise broken_package(error, "google-genai") from None
        if self._key or self._project:  # without these it looks around in the network for them
            try:
                self._open()
            except Exception as error:
                raise self._explain(error, request) from None

    def _stream(self, request: Request, seconds: float) -> Iterator[Any]:
        chunks: Iterator[Any] = self._open().models.generate_content_stream(
            model=request.model, contents=request.prompt, config=_config(request, seconds)
        )
        return chunks

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> Any:
        from google import genai
        from google.genai import types

        # It warns when there are two keys in the environment, also when it is given one.
        logging.getLogger("google_genai._api_client").setLevel(logging.ERROR)
        options = types.HttpOptions(
            base_url=self._base_url,
            api_version=None if self._vertex else _VERSION,
            # A connection for each call, so that its end is the end of that call alone.
            headers={"Connection": "close"},
            client_args={"event_hooks": {"request": [watch_request]}},
        )
        if not self._vertex:
            return genai.Client(vertexai=False, api_key=self._key, http_options=options)
        if self._key:
            return genai.Client(vertexai=True, api_key=self._key, http_options=options)
        return genai.Client(
            vertexai=True, project=self._project, location=self._location, http_options=options
        )

    def _explain(self, error: Exception, request: Request) -> CallError:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "APIError" in kinds:
            fault = refused(error, request.model, self._place)
            return self._learn(fault, request) if fault.status == "400" else fault
        if "GoogleAuthError" in kinds and "TransportError" not in kinds:
            return CallError(
                f"no valid credentials of Google Cloud ({one_line(error, 100)}); "
                f"run: gcloud auth application-default login",
                "401",
                lasting=True,
            )
        if self._client is None:
            # The client could not even be made.
            return CallError(
                f"cannot use Gemini ({one_line(error, 120)}); check the key, or "
                f"GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION",
                "401",
                lasting=True,
            )
        return connection_fault(error, self._place) or nonsense(error, self._place)

    def _learn(self, fault: CallError, request: Request) -> CallError:
        """Leave out, from now on, what the model refuses and does well without."""
        if fault.lasting:
            return fault
        for name in _OPTIONAL:
            if getattr(request, name) is not None and name in str(fault).lower():
                with self._lock:
                    self._left_out[request.model] = {name, *self._left_out.get(request.model, ())}
                return CallError(f"{fault}; {name} is left out", "400", again=True, after=0.0)
        return fault


def uses_vertex() -> bool:
    """Whether the environment asks for Vertex AI instead of an API key."""
    names = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
    return any(os.environ.get(name, "").lower() in ("true", "1") for name in names)


def _config(request: Request, seconds: float) -> Any:
    from google.genai import types

    server_seconds = max(math.ceil(seconds), _LEAST_SERVER_TIMEOUT)
    fields: dict[str, Any] = {
        "http_options": types.HttpOptions(
            timeout=max(1, int(seconds * 1000)),
            headers={"X-Server-Timeout": str(server_seconds)},
        ),
        "system_instruction": request.system or None,
        "temperature": request.temperature,
        "seed": None if request.seed is None else request.seed % 2**31,
        "max_output_tokens": request.most,
        "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
    }
    if request.schema is not None:
        fields["response_mime_type"] = "application/json"
        fields["response_json_schema"] = dict(request.schema)
    if request.search:
        fields["tools"] = [types.Tool(google_search=types.GoogleSearch())]
    if request.thinking is not None:
        fields["thinking_config"] = types.ThinkingConfig(**_thinking(request))
    if "automatic_continuation" in types.GenerateContentConfig.model_fields:
        fields["automatic_continuation"] = False  # it would be a request that nobody counts
    return types.GenerateContentConfig(**fields)


def _thinking(request: Request) -> dict[str, Any]:
    """How much a model may think: models up to 2.5 are told a number of tokens, later ones a level.

    Source: https://ai.google.dev/gemini-api/docs/thinking
    """
    tokens = request.thinking or 0
    if re.search(r"gemini-[12]\b", request.model):
        return {"thinking_budget": tokens}
    return {"thinking_level": next((name for most, name in _LEVELS if tokens <= most), "HIGH")}


def _read(chunks: Iterator[Any], line: Line, request: Request, place: str) -> Reply:
    """Put the chunks of a stream together."""
    text, finish, blocked, model = "", "", "", request.model
    pages: dict[str, Page] = {}
    for chunk in chunks:
        model = chunk.model_version or model
        if chunk.usage_metadata is not None:
            line.usage = _usage(chunk.usage_metadata)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            blocked = _word(chunk.prompt_feedback.block_reason)
        for candidate in (chunk.candidates or [])[:1]:
            parts = (candidate.content.parts if candidate.content else None) or []
            more = "".join(part.text for part in parts if part.text and not part.thought)
            if more:
                text += more
                line.say(text)
            if candidate.finish_reason is not None:
                finish = _word(candidate.finish_reason)
            for page in _pages(candidate.grounding_metadata):
                pages.setdefault(page.url, page)
    if not finish and not blocked:
        raise CallError(f"{place} ended its reply before its end; try again", "cut", again=True)
    word = blocked or finish
    kind = "blocked" if blocked or finish in _BLOCKED else _FINISHES.get(finish, "other")
    reason = "" if kind == "stop" else word
    return Reply(text, kind, line.usage, tuple(pages.values()), model, reason)


def _word(value: Any) -> str:
    return str(getattr(value, "value", value))


def _usage(counts: Any) -> Usage:
    # What a search brings is read, and paid, like the prompt.
    return Usage(
        prompt=(counts.prompt_token_count or 0) + (counts.tool_use_prompt_token_count or 0),
        cached=counts.cached_content_token_count or 0,
        output=counts.candidates_token_count or 0,
        thoughts=counts.thoughts_token_count or 0,
    )


def _pages(grounding: Any) -> Iterator[Page]:
    for chunk in (grounding.grounding_chunks if grounding is not None else None) or []:
        if chunk.web is not None and chunk.web.uri:
            yield Page(chunk.web.uri, chunk.web.title or chunk.web.uri)
