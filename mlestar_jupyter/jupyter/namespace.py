"""What a magic takes from the user's namespace: values in braces, DataFrames, metrics, cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlestar_jupyter.errors import SettingsError, short_list
from mlestar_jupyter.metrics import METRICS, Metric, Needs, from_function
from mlestar_jupyter.solution import Solution

if TYPE_CHECKING:
    import pandas as pd

_BRACES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MARKED = re.compile(r"^# %% +(?P<name>[A-Za-z_][A-Za-z0-9_]*)")


def fill(text: str, namespace: Mapping[str, Any]) -> str:
    """The text with ``{name}`` replaced by the variable's value; any other brace is left alone."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return str(namespace[name]) if name in namespace else match[0]

    return _BRACES.sub(value, text)


def fill_code(text: str, namespace: Mapping[str, Any]) -> str:
    """A cell of code as it is, for braces are a part of it; one that is nothing but ``{name}``
    is the text of that variable.
    """
    match = _BRACES.fullmatch(text.strip())
    return str(namespace[match[1]]) if match and match[1] in namespace else text


def is_frame(value: Any) -> bool:
    """Whether a value is a DataFrame of pandas or polars, told without importing either."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return package in ("pandas", "polars") and kind.__name__ in ("DataFrame", "LazyFrame")


def frame_names(namespace: Mapping[str, Any]) -> list[str]:
    """Names of the DataFrames in a namespace."""
    return [n for n, v in list(namespace.items()) if not n.startswith("_") and is_frame(v)]


def function_names(namespace: Mapping[str, Any]) -> list[str]:
    """Names of the user's own functions, which may be metrics."""
    return [
        name
        for name, value in list(namespace.items())
        if not name.startswith("_")
        and type(value).__name__ == "function"
        and getattr(value, "__module__", "") == "__main__"
    ]


def frame(name: str, namespace: Mapping[str, Any], option: str) -> pd.DataFrame:
    """The DataFrame of this name, as pandas; SettingsError when there is none."""
    value = namespace.get(name)
    if value is None:
        known = short_list(frame_names(namespace)) or "none"
        raise SettingsError(f"no variable {name!r} for {option}; DataFrames here: {known}")
    if not is_frame(value):
        raise SettingsError(
            f"{name} is a {type(value).__name__}; give {option} a pandas or polars DataFrame"
        )
    if type(value).__module__.startswith("polars"):
        value = value.collect() if hasattr(value, "collect") else value
        return value.to_pandas()  # type: ignore[no-any-return]
    return value  # type: ignore[no-any-return]


def own_metric(
    name: str, namespace: Mapping[str, Any], greater_is_better: bool | None, needs: Needs
) -> str | Metric:
    """A metric's name as it is, or the user's own function of this name as a metric."""
    function = namespace.get(name)
    # Many notebooks define their own rmse: it is meant only if its direction is said.
    is_ours = name.lower() in METRICS and greater_is_better is None
    if is_ours or not callable(function):
        return name
    if greater_is_better is None:
        raise SettingsError(
            f"say which way {name} is better: --direction maximize, or --direction minimize"
        )
    if getattr(function, "__name__", "<lambda>") == "<lambda>":
        raise SettingsError(
            f"{name} has no source of its own; write it as `def {name}(actual, predicted)`"
        )
    return from_function(function, greater_is_better=greater_is_better, needs=needs)


def cells_above(names: Sequence[str], history: Sequence[str]) -> Solution:
    """The cells of these names, as they were last executed, as a solution.

    A cell has a name when its first line is ``# %% NAME``. ``above`` means all of them, in the
    order in which they were first executed. SettingsError when one is not there.
    """
    cells: dict[str, str] = {}
    for source in history:
        match = _MARKED.match(source)
        if match:
            _, _, body = source.partition("\n")
            cells[match["name"]] = body.rstrip()
    wanted = list(cells) if list(names) == ["above"] else list(names)
    absent = [name for name in wanted if name not in cells]
    if absent or not wanted:
        known = short_list(list(cells)) or "none yet"
        what = f"no executed cell is named {absent[0]!r}" if absent else "no cell has a name"
        raise SettingsError(f"{what} (known: {known}); begin a cell with `# %% NAME` and run it")
    script = "".join(f"# %% {name}\n{cells[name]}\n" for name in wanted)
    return Solution.from_script(script, "own cells")


def is_path(text: str) -> bool:
    """Whether the words after ``--from`` are a file rather than names of cells."""
    return Path(text).suffix in (".ipynb", ".py") or "/" in text
