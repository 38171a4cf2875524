"""Replies on disk, by what was asked, so that no question is ever paid for twice."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlestar_jupyter.agents.llm.keys import scrub
from mlestar_jupyter.agents.llm.llm import Page, Reply, Request, Usage
from mlestar_jupyter.errors import JournalError, SettingsError

#: The folder of a run in which they lie, one file for each question.
FOLDER = "replies"


class Recording:
    """The recorded replies that a run may use: its own, those of the runs beside it, and those of
    ``replay``, a run to repeat.
    """

    def __init__(self, run: Path, replay: Path | None = None) -> None:
        self._run = run
        self._replay = replay

    def find(self, request: Request) -> Reply | None:
        """The reply to this question; None when there is none. A damaged file is none."""
        name = f"{request.key}.json"
        own = _read(self._run / FOLDER / name, request)
        if own is not None:
            return own
        for path, is_named in self._elsewhere(name):
            reply = _read(path, request)
            # Of a run that nobody named, only what is of use: a cut reply may go better today.
            if reply is not None and (is_named or (reply.finish == "stop" and reply.text.strip())):
                self.keep(request, reply)
                return reply
        return None

    def keep(self, request: Request, reply: Reply) -> None:
        """Write a reply down, whole or not at all, and without any key."""
        folder = self._run / FOLDER
        asked = {name: value for name, value in vars(request).items() if name != "most"}
        content = {"key": request.key, "request": asked, "reply": asdict(reply)}
        text = scrub(json.dumps(content, indent=1, ensure_ascii=False))
        temporary = None
        try:
            folder.mkdir(exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            os.replace(temporary, folder / f"{request.key}.json")
        except OSError as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            raise JournalError(
                f"cannot write {folder}: {error.strerror}; make room and resume the run"
            ) from error

    def _elsewhere(self, name: str) -> Iterator[tuple[Path, bool]]:
        if self._replay is not None:
            yield self._replay / FOLDER / name, True
        # Siblings are runs only if they look like it: a home folder may have anything in it.
        with contextlib.suppress(OSError):
            for folder in sorted(self._run.parent.iterdir()):
                if folder != self._run and (folder / "journal.jsonl").is_file():
                    yield folder / FOLDER / name, False


def find_replay(replay: str, beside: Path) -> Path:
    """The folder of the run to repeat: a path, or the name of a run in ``beside``.

    Raises SettingsError when there is no run there, or one without replies.
    """
    for folder in (Path(replay).expanduser(), beside / replay):
        if (folder / "journal.jsonl").is_file():
            if not (folder / FOLDER).is_dir():
                raise SettingsError(f"{folder} has no recorded replies; no model was asked there")
            return folder.resolve()
    raise SettingsError(f"no run in {replay!r} to replay; give the folder of a run")


def _read(path: Path, request: Request) -> Reply | None:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        reply = content["reply"]
        if content["key"] != request.key or not isinstance(reply["text"], str):
            return None
        if reply["finish"] not in ("stop", "length", "blocked", "other"):
            return None
        return Reply(
            reply["text"],
            reply["finish"],
            Usage(**{name: int(count) for name, count in reply["usage"].items()}),
            tuple(Page(str(page["url"]), str(page["title"])) for page in reply["pages"]),
            str(reply["model"]),
            str(reply["reason"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
