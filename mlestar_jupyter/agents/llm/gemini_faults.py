"""What Gemini's API says when it refuses, and what that means for a run.

Errors are ``{"error": {code, message, status, details}}``; among the details are ErrorInfo (why),
QuotaFailure (which quota) and RetryInfo (when to come back).
"""

from __future__ import annotations

from typing import Any

from mlestar_jupyter.agents.llm.faults import PASSING, one_line, retry_after, seconds_of
from mlestar_jupyter.agents.llm.llm import CallError

GET_A_KEY = "get one at https://aistudio.google.com/apikey"


def refused(error: Any, model: str, place: str) -> CallError:
    """The CallError for an error that the API tells."""
    code, said = int(error.code or 0), one_line(error.message or "no reason given")
    details = _details(error.details)
    reasons = {str(detail.get("reason", "")) for detail in details}
    status = str(code or "error")
    if reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"} or ("API key" in said and code == 400):
        return CallError(
            f"{place} refused the key ({said}); check GEMINI_API_KEY, {GET_A_KEY}",
            status,
            lasting=True,
        )
    if code in (401, 403):
        return CallError(
            f"{place} does not let you use {model} ({said}); check the key and its project",
            status,
            lasting=True,
        )
    if code == 404:
        return CallError(
            f"{place} has no model {model!r} ({said}); name another with --model NAME",
            status,
            lasting=True,
        )
    if code == 429 and _is_spent(details, said):
        return CallError(
            f"the quota of {model} is used up for today ({said}); go on tomorrow, name another "
            f"--model, or turn on billing",
            status,
            lasting=True,
        )
    if code == 400 and error.status == "FAILED_PRECONDITION":
        return CallError(f"{place} does not serve you: {said}", status, lasting=True)
    if code in PASSING or code >= 500:
        return CallError(
            f"{place} cannot answer now ({status} {said}); try again later",
            status,
            again=True,
            after=_delay(details, error),
        )
    return CallError(f"{place} refused the question ({status}: {said})", status)


def _details(body: Any) -> list[dict[str, Any]]:
    found = body.get("error", body) if isinstance(body, dict) else {}
    details = found.get("details") if isinstance(found, dict) else None
    return [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []


def _is_spent(details: list[dict[str, Any]], said: str) -> bool:
    """Whether a quota is one of the day, or one of nothing: waiting is of no use."""
    quotas = [
        str(violation.get("quotaId", ""))
        for detail in details
        for violation in detail.get("violations") or []
        if isinstance(violation, dict)
    ]
    return any("PerDay" in quota for quota in quotas) or "limit: 0" in said


def _delay(details: list[dict[str, Any]], error: Any) -> float | None:
    """Seconds that the server asks to wait."""
    for detail in details:
        if str(detail.get("@type", "")).endswith("RetryInfo"):
            return seconds_of(detail.get("retryDelay"))
    return retry_after(getattr(getattr(error, "response", None), "headers", None))
