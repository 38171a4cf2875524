"""Where an export goes: its form by the path, and nothing of the user's is ever overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlestar_jupyter.errors import TaskError
from mlestar_jupyter.notebook.writing import write_whole
from mlestar_jupyter.run import Run

Form = Literal["notebook", "script", "report", "folder"]
FORMS: Mapping[str, Form] = {".ipynb": "notebook", ".py": "script", ".html": "report"}
#: Below the first marker of a script, so that the script can be read as a solution again.
SCRIPT_MARK = "# Written by mlestar-jupyter: "
GENERATOR = "mlestar-jupyter"
#: In a folder that we wrote: which files, and their content's hashes. It is written last.
FINGERPRINT = "fingerprint.json"
#: What a folder may hold beside it.
NAMES = (
    "solution.ipynb",
    "submission.csv",
    "predict.py",
    "model.joblib",
    "requirements.txt",
    "MODEL_CARD.md",
)
_GENERATOR = re.compile(rf'<meta name="generator" content="{GENERATOR} [^"]*">')


@dataclass(frozen=True)
class Place:
    """A path that an export may be written to, and the form that it asks for."""

    path: Path
    form: Form

    @classmethod
    def of(cls, run: Run, path: Path | str) -> Place:
        """The place that the user means. TaskError, in one line, when nothing may go there.

        A path without a suffix, or one that ends in a slash, is a folder.
        """
        is_folder = str(path).endswith(("/", os.sep))
        path = Path(path).expanduser().absolute()
        form = "folder" if is_folder or not path.suffix else FORMS.get(path.suffix.lower())
        if form is None:
            known = ", ".join(FORMS)
            raise TaskError(
                f"cannot export to {path.name}; end it in one of {known}, or in / for a folder"
            )
        if form != "folder" and path.is_dir():
            raise TaskError(f"{path} is a folder; give the name of a file in it, or add a /")
        if not path.parent.is_dir():
            raise TaskError(f"no folder {path.parent}; make it or choose another")
        if not os.access(path.parent, os.W_OK):
            raise TaskError(f"{path.parent} cannot be written to; choose another folder")
        if _is_part_of(run, path):
            raise TaskError(f"{path} is a part of the run; choose another name")
        if form == "folder":
            _check_folder(path)
        elif path.exists() and not is_ours(path):
            raise TaskError(f"{path} was not written by mlestar-jupyter; choose another name")
        return cls(path, form)

    def write(self, text: str) -> None:
        """Replace the file in one step; TaskError leaves what was there before."""
        try:
            write_whole(self.path, text)
        except OSError as error:
            raise self._failed(error) from error

    def write_folder(self, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
        """Fill the folder, with ``facts`` and the files' hashes as fingerprint.json.

        A new folder appears whole. In one that we wrote before, each file is replaced in one
        step, and what the user put beside them stays.
        """
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        fingerprint = {"written_by": GENERATOR, **facts, "files": hashes}
        text = json.dumps(fingerprint, indent=2, default=str, ensure_ascii=False) + "\n"
        whole = {**files, FINGERPRINT: text.encode()}
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for name, content in whole.items():
                (partial / name).write_bytes(content)
            if self.path.exists() and any(self.path.iterdir()):
                for name in set(_written(self.path)) - set(whole):
                    (self.path / name).unlink(missing_ok=True)
                for name in whole:
                    (partial / name).replace(self.path / name)
            else:
                if self.path.exists():
                    self.path.rmdir()  # a folder does not replace another on Windows
                partial.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _failed(self, error: OSError) -> TaskError:
        return TaskError(f"cannot write {self.path}: {error.strerror}; choose another place")


def is_ours(path: Path) -> bool:
    """Whether an existing file was exported by us, so that it may be written again."""
    try:
        text = path.read_text(encoding="utf-8")
        match FORMS.get(path.suffix.lower()):
            case "script":
                return any(line.startswith(SCRIPT_MARK) for line in text.splitlines()[:2])
            case "report":
                return bool(_GENERATOR.search(text[:2_000]))
            case _:
                # Being part of a run is not enough: the user's own notebook may be marked so.
                return json.loads(text)["metadata"]["mlestar"].get("finished") is True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_part_of(run: Run, path: Path) -> bool:
    """Whether the run keeps something of its own there. Beside its files there is room."""
    if path == run.folder or run.folder not in path.parents:
        return path == run.folder
    return path.parent != run.folder or path.name in ("finished.ipynb", "run.ipynb")


def _check_folder(path: Path) -> None:
    """TaskError unless the folder is new, empty, or as we wrote it."""
    if not path.exists():
        return
    if not path.is_dir():
        raise TaskError(f"{path} is a file; choose another name for the folder")
    if not any(path.iterdir()):
        return
    written = _written(path)
    if not written:
        raise TaskError(f"{path} holds files that mlestar-jupyter did not write; choose another")
    for name in {*NAMES, *written}:
        file = path / name
        if file.exists() and _hash(file) != written.get(name):
            raise TaskError(f"{file} is not as it was exported; choose another folder")


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _written(folder: Path) -> dict[str, str]:
    """The files that we wrote into a folder, and their hashes; {} when it is not ours."""
    try:
        told = json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))
        files = told["files"] if told["written_by"] == GENERATOR else {}
        return {str(n): str(d) for n, d in files.items() if Path(n).name == n}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
