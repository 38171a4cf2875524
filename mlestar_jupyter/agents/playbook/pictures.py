"""Pictures: their size and colours, looked at before a recipe is written."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlestar_jupyter.agents.playbook.facts import Facts

#: Pictures are made smaller than this: simple models cannot use more pixels.
LARGEST_SIDE = 32
LOOKED_AT = 20


def picture_values(facts: Facts) -> dict[str, Any] | None:
    """The values of the section that reads pictures; None when no column names any."""
    profile = facts.task.profile
    if profile.image_column is None:
        return None
    size, colours = picture_form(facts)
    return {
        "column": profile.image_column,
        "folder": profile.image_folder or ".",
        "size": size,
        "mode": "RGB" if colours else "L",
    }


def picture_form(facts: Facts) -> tuple[tuple[int, int], bool]:
    """The size (width, height) to bring pictures to, and whether some of them have colours."""
    from PIL import Image

    task = facts.task
    assert task.source.folder is not None
    assert task.profile.image_column is not None
    folder = task.source.folder / PurePosixPath(task.profile.image_folder or ".")
    sizes, colours = [], False
    for name in task.train[task.profile.image_column].dropna().iloc[:LOOKED_AT]:
        path = folder / str(name)
        if not path.is_file():
            continue
        with Image.open(path) as picture:
            sizes.append(picture.size)
            if picture.mode not in ("1", "L", "I", "I;16", "F"):
                red, green, blue = picture.convert("RGB").resize((16, 16)).split()
                colours |= red.tobytes() != green.tobytes() or green.tobytes() != blue.tobytes()
    width, height = max(sizes, default=(LARGEST_SIDE, LARGEST_SIDE))
    scale = min(1.0, LARGEST_SIDE / max(width, height))
    return (max(1, round(width * scale)), max(1, round(height * scale))), colours


def picture_numbers(facts: Facts) -> int:
    """How many numbers describe one picture."""
    (width, height), colours = picture_form(facts)
    return width * height * (3 if colours else 1)
