"""The command line's commands that a newcomer types first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlestar_jupyter.cli import main


def test_doctor_executes_a_notebook_and_finds_nothing_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "executed a notebook in" in shown
    assert "NO " not in shown
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


@pytest.mark.slow
def test_the_demo_solves_its_task_and_status_tells_what_came_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # A process of its own: the clock of a command starts with the process.
    command = [sys.executable, "-m", "mlestar_jupyter.cli", "demo", "--time", "120s"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "demo")], capture_output=True, text=True, check=True
    )
    run = tmp_path / "demo" / "run"
    said = " ".join(done.stdout.split())
    assert f"{run / 'finished.ipynb'} (" in said, "the verdict stands behind the finished notebook"
    assert (run / "submission.csv").is_file()
    events = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    assert events[-1]["reason"] == "finished"
    assert main(["status", str(run)]) == 0
    assert str(run / "finished.ipynb") in capsys.readouterr().out
    assert main(["resume", str(run)]) == 0
    assert "this run is finished" in capsys.readouterr().out
