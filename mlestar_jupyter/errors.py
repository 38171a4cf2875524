"""The one tree of errors: each says in one line what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class MlestarError(Exception):
    """What a user can mend. The message is one line: what is wrong, then the mend."""

    def _render_traceback_(self) -> list[str]:
        """Let IPython show the line alone: the stack would say nothing to the user."""
        return [f"{type(self).__name__}: {self}"]


class TaskError(MlestarError):
    """The task's files, columns or answers do not fit together."""


class SettingsError(MlestarError):
    """A setting is unknown or has a value that cannot be used."""


class ReplyError(MlestarError):
    """An agent's reply cannot be used (for example a block that does not compile)."""


class ExecutionError(MlestarError):
    """Candidates cannot be executed at all here (no kernel, no disk)."""


class JournalError(MlestarError):
    """A run folder cannot be read, is in use, or belongs to another run."""


class BudgetError(MlestarError):
    """Time or money was used up before anything could be delivered."""


def shown(value: Any) -> str:
    """A value of the user's data for a message, as plain Python writes it."""
    return repr(value.item() if hasattr(value, "item") else value)


def short_list(names: Sequence[Any], most: int = 8) -> str:
    """Names for a message: the first of them, and how many there are."""
    shown = ", ".join(repr(n) if " " in str(n) else str(n) for n in names[:most])
    return shown + (f", ... ({len(names)} in all)" if len(names) > most else "")
