"""Pieces of Python source that the cells of a finished notebook are made of."""

from __future__ import annotations

import base64
import json
import math
import textwrap
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlestar_jupyter.tables import DELIMITERS
from mlestar_jupyter.validation import Validation

#: Longer lines do not fit a cell without scrolling.
LINE = 96


def literal(value: Any) -> str:
    """A value as Python source, strings in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(v) for v in value) + "]"
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value) if isinstance(value, bool | int | float | None) else literal(str(value))


def filled(entries: Sequence[str]) -> str:
    """Entries of a list or dict as indented lines, as many on each as fit."""
    lines: list[str] = []
    for entry in entries:
        if lines and len(lines[-1]) + len(entry) < LINE - 2:
            lines[-1] += f" {entry},"
        else:
            lines.append(f"    {entry},")
    return "\n".join(lines)


def indented(source: str) -> str:
    """The source one level deeper."""
    return textwrap.indent(source, "    ")


def assignment(name: str, values: Sequence[Any]) -> str:
    """Source that gives a list a name, in lines that fit a cell."""
    line = f"{name} = {literal(values)}"
    if len(line) <= LINE:
        return line
    return f"{name} = [\n{filled([literal(value) for value in values])}\n]"


def in_folder(name: str) -> str:
    """Source of the path of a file in ``task_folder``."""
    return "f" + literal("{task_folder}/" + name.replace("{", "{{").replace("}", "}}"))


def write_code(frame: str, staged: str, where: str) -> str:
    """Source that writes a DataFrame in the format that ``staged`` names."""
    suffix = Path(staged).suffix
    if suffix not in DELIMITERS:
        return f"{frame}.to_parquet({where}, index=False)"
    return f"{frame}.to_csv({where}, index=False{separator(suffix)})"


def look_code(staged: str, where: str) -> str:
    """Source that reads what a solution reads, in the format that ``staged`` names."""
    suffix = Path(staged).suffix
    if suffix not in DELIMITERS:
        return f"pd.read_parquet({where})"
    return f"pd.read_csv({where}{separator(suffix)})"


def fold_code(validation: Validation) -> str:
    """Source of ``fold_of``, one number a row of train, in a compact form."""
    numbers = np.ascontiguousarray(validation.fold_of, dtype=np.uint8)
    packed = base64.b64encode(zlib.compress(numbers.tobytes(), 9)).decode()
    lines = "\n".join(packed[start : start + LINE] for start in range(0, len(packed), LINE))
    return f'''\
import base64
import zlib

import numpy as np

# One number for each row of train: which fold holds it out.
packed_folds = """
{lines}
"""
fold_of = np.frombuffer(zlib.decompress(base64.b64decode(packed_folds)), dtype=np.uint8)'''


def separator(suffix: str) -> str:
    """Source of the option that names the delimiter of a text table, if it is not a comma."""
    return ', sep="\\t"' if DELIMITERS[suffix] == "\t" else ""
