"""Run public tasks from end to end and grade the submissions.

    python benchmarks/tasks.py TASKS_FOLDER [--time 2m] [--jobs 2] [--only NAME ...] [--out DIR]

TASKS_FOLDER holds ``tasks/NAME/`` in Kaggle's form and ``grade.py``, which prints
``{"score": ..., "metric": ...}`` for ``grade.py NAME SUBMISSION --json``. Each task is solved by
the command line in a process of its own; one row a task is printed as it ends.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Scores of one default model (HistGradientBoosting or its like) on the same test rows.
ONE_MODEL = {
    "california-housing-prices": 56364,
    "employee-salaries": 11608,
    "bike-demand": 0.4371,
    "nyc-flights-late": 0.655,
    "spooky-author": 0.4395,
    "digit-images": 0.9867,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time", default="2m")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="mlestar-tasks-"))
    print(f"runs in {out}, limit {arguments.time}, {arguments.jobs} jobs")
    print(f"{'task':<28}{'metric':<10}{'one model':>11}{'validation':>12}{'test':>12}"
          f"{'scored':>8}{'wall':>8}  finished notebook")  # fmt: skip
    worse = 0
    for task in sorted((arguments.folder / "tasks").iterdir()):
        if arguments.only and task.name not in arguments.only:
            continue
        worse += not solve(task, arguments.folder, out / task.name, arguments)
    return int(worse > 0)


def solve(task: Path, folder: Path, run: Path, arguments: argparse.Namespace) -> bool:
    """Solve, grade and print one task; True when the test score reaches that of one model."""
    command = [sys.executable, "-m", "mlestar_jupyter.cli", "run", str(task), "--out", str(run)]
    command += ["--time", arguments.time, "--jobs", arguments.jobs, "--seed", arguments.seed]
    began = time.monotonic()
    log = run.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    wall = time.monotonic() - began
    grader = [sys.executable, str(folder / "grade.py"), task.name, str(run / "submission.csv")]
    graded = subprocess.run([*grader, "--json"], capture_output=True, text=True)
    if code or graded.returncode:
        print(f"{task.name:<28}FAILED: {graded.stderr.strip() or f'exit code {code}'}; see {log}")
        return False
    test = json.loads(graded.stdout)
    events = [json.loads(x) for x in (run / "journal.jsonl").read_text().splitlines()]
    judged = {e["id"]: e for e in events if e["kind"] == "candidate_judged" and e["score"]}
    best = [e["id"] for e in events if e["kind"] == "submission_written"][-1]
    verdict = [e["verdict"] for e in events if e["kind"] == "finished_notebook_written"][-1]
    reference = ONE_MODEL.get(task.name)
    print(f"{task.name:<28}{test['metric']:<10}{reference or '':>11}"
          f"{judged[best]['score']['value']:>12.6g}{test['score']:>12.6g}{len(judged):>8}"
          f"{wall:>7.0f}s  {verdict}", flush=True)  # fmt: skip
    if reference is None:
        return True
    lower = test["lower_is_better"]
    return bool(test["score"] <= reference if lower else test["score"] >= reference)


if __name__ == "__main__":
    sys.exit(main())
