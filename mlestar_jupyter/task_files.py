"""Which file of a folder in Kaggle's form is what."""

from __future__ import annotations

import re
from pathlib import Path

from mlestar_jupyter.tables import SUFFIXES, fingerprint, table_suffix
from mlestar_jupyter.task import Source

_SAMPLES = re.compile(r"^(sample_?submission|submission_?(format|sample)|gender_submission)", re.I)
_DESCRIPTIONS = ("task_description", "description", "overview", "readme", "task")
_IGNORED = re.compile(r"^(\.|__MACOSX|mlestar_runs$)")


def find_files(folder: Path) -> Source:
    """Train, test and sample, as far as they are there, and all other files that belong to it."""
    train = _find_table(folder, "train")
    test = _find_table(folder, "test")
    sample = next((p for p in tables(folder) if _SAMPLES.match(p.name)), None)
    used = {p for p in (train, test, sample) if p is not None}
    files = tuple(
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
        and path not in used and not _is_twin(path, folder) and not _is_copy(path, used)
        and not any(_IGNORED.match(part) for part in path.relative_to(folder).parts)
        and not _is_description(path) and path.suffix != ".ipynb"
    )  # fmt: skip
    return Source(folder, train, test, sample, files)


def tables(folder: Path) -> list[Path]:
    """The tables of a folder, by name."""
    return [p for p in sorted(folder.iterdir()) if p.is_file() and table_suffix(p)]


def _find_table(folder: Path, stem: str) -> Path | None:
    found = [p for p in tables(folder) if p.name.split(".")[0].lower() == stem]
    found.sort(key=lambda p: SUFFIXES.index(table_suffix(p) or ".csv"))
    return found[0] if found else None


def _is_twin(path: Path, folder: Path) -> bool:
    """Another form of train, test or sample (train.csv.zip beside train.csv): never staged."""
    stem = path.name.split(".")[0].lower()
    named = stem in ("train", "test") or _SAMPLES.match(path.name)
    packed = path.suffix.lower() in (".zip", ".gz", ".7z", ".bz2", ".xz", ".tar", ".tgz")
    return bool(path.parent == folder and (table_suffix(path) or packed) and named)


def _is_copy(path: Path, used: set[Path]) -> bool:
    """The same bytes as train, test or sample, whatever its name and folder."""
    return any(
        path.stat().st_size == known.stat().st_size and fingerprint(path) == fingerprint(known)
        for known in used
    )


def _is_description(path: Path) -> bool:
    return path.suffix.lower() in (".md", ".txt") and path.stem.lower() in _DESCRIPTIONS


def read_description(folder: Path) -> str:
    """What a folder says of its task; "" when it says nothing."""
    found = [p for p in folder.iterdir() if p.is_file() and _is_description(p)]
    found.sort(key=lambda p: _DESCRIPTIONS.index(p.stem.lower()))
    return found[0].read_text(encoding="utf-8", errors="replace") if found else ""
