"""Errors of the network and of HTTP in our words: one line, without the key, and how to mend it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from mlestar_jupyter.agents.llm.keys import scrub
from mlestar_jupyter.agents.llm.llm import CallError
from mlestar_jupyter.errors import SettingsError

#: Statuses after which the same request may succeed.
PASSING = frozenset({408, 409, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


def one_line(text: object, most: int = 200) -> str:
    """The text in one line of at most so many characters, without any key."""
    line = " ".join(scrub(str(text)).split())
    return line if len(line) <= most else line[: most - 3] + "..."


def place_of(url: str) -> str:
    """The server of an address, for a message: nothing of what else may stand in it."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address that was given"
    return f"{parts.hostname}{port}" if parts.hostname else "the address that was given"


def check_address(url: str, name: str) -> None:
    """Raise SettingsError when this is no base address, or has a secret in it; ``name`` is where
    it comes from.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise SettingsError(f"{name} is no address; write for example http://localhost:11434/v1")
    if parts.username or parts.password or parts.query:
        raise SettingsError(
            f"{name} must not carry a password or a key, since it is kept with the run; "
            f"keep the key in the environment"
        )


def connection_fault(error: BaseException, place: str) -> CallError | None:
    """The CallError for an exception of httpx (or its successors), of ssl or sockets."""
    # By name: which of the packages is used is a matter of the client and its version.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError"} & kinds:
        return CallError(
            f"{place} is no address of a server, or the key has a character that no key has; "
            f"check both",
            "unreachable",
            lasting=True,
        )
    if {"ConnectError", "ConnectTimeout", "ProxyError", "ConnectionRefusedError"} & kinds:
        return CallError(
            f"cannot reach {place} ({one_line(error, 80)}); check the network and the address",
            "unreachable",
            again=True,
        )
    if {"TimeoutException", "TimeoutError"} & kinds:
        return CallError(
            f"{place} did not answer in time; give more with --call-time", "timeout", again=True
        )
    if {"TransportError", "SSLError", "OSError", "EndOfStream", "StreamError"} & kinds:
        return CallError(f"the connection to {place} broke off; try again", "cut", again=True)
    return None


def broken_package(error: ImportError, package: str) -> CallError:
    """The CallError for a package that is there and cannot be imported."""
    return CallError(
        f"cannot import {package} ({one_line(error, 100)}); pip install --upgrade {package}",
        "package",
        lasting=True,
    )


def nonsense(error: BaseException, place: str) -> CallError:
    """The CallError for a server that says what no such server says."""
    return CallError(
        f"{place} answered what cannot be read ({type(error).__name__}: {one_line(error, 80)}); "
        f"check the address and whether the network asks for a login",
        "nonsense",
        again=True,
    )


def seconds_of(text: object) -> float | None:
    """Seconds of a delay as Google writes it (``13s``, ``1.5s``); None if it is none."""
    try:
        seconds = float(str(text).strip().removesuffix("s"))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that the header Retry-After asks for: a number, or a date."""
    said = (headers or {}).get("retry-after")
    if said is None:
        return None
    seconds = seconds_of(said)
    if seconds is None:
        try:
            seconds = email.utils.parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds)
