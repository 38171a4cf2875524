"""What is seen while the data is followed through a solution. The rules judge it afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from mlestar_jupyter.checks.values import Place, Value


@dataclass(frozen=True)
class Fitted:
    """Something learned from ``data`` and ``answers``.

    ``certain`` is False under a condition of a function; ``trains`` when rows are only wrapped for
    a library's own train function.
    """

    place: Place
    call: str
    estimator: Value
    data: Value
    answers: Value
    certain: bool = True
    trains: bool = True


@dataclass(frozen=True)
class Summarised:
    """A statistic over the rows of train and test together."""

    place: Place
    call: str


@dataclass(frozen=True)
class Encoded:
    """A statistic of the target written onto the rows that it was taken from."""

    place: Place
    what: str
    certain: bool
    mend: str


@dataclass(frozen=True)
class Read:
    """A file or folder that is read. ``path`` is as in the source, parameters in angle brackets."""

    place: Place
    call: str
    path: str
    lists: bool = False


Sighting = Fitted | Summarised | Encoded | Read
