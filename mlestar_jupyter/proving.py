"""Proof of an export: it is executed again and must give the run's score and predictions."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from mlestar_jupyter.delivery import Finished, compare, compare_tables, is_same
from mlestar_jupyter.execution.confinement import Confinement
from mlestar_jupyter.execution.folder import WorkingFolder
from mlestar_jupyter.execution.script import Ran, run_python
from mlestar_jupyter.grading import InvalidPredictions, grade
from mlestar_jupyter.interfaces import Executor, Limits
from mlestar_jupyter.notebook.export import Chosen
from mlestar_jupyter.notebook.export_predict import applying, refitting
from mlestar_jupyter.notebook.finished import Verdict, stamp
from mlestar_jupyter.run import Run
from mlestar_jupyter.score import weighted_mean
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.staging import Staging

#: A kernel or an interpreter needs so long before its first cell.
_LEAST_SECONDS = 2.0
_PRINTED = re.compile(r"^Final Validation Performance: (\S+)\s*$", re.MULTILINE)
_NOT_EXECUTED = "it was not executed when it was exported"


@dataclass(frozen=True)
class Said:
    """What executing an export showed."""

    verdict: Verdict
    detail: str


@dataclass(frozen=True)
class Proof:
    """The finished notebook, stamped, with the submission and the model that it wrote."""

    notebook: NotebookNode
    said: Said
    submission: Path | None = None
    model: Path | None = None


@dataclass(frozen=True)
class Predictor:
    """A predict.py, the model that it applies (if it does), and in words what it does."""

    source: str
    said: Said
    words: str
    model: bytes | None = None


def worst(first: Said, second: Said) -> Said:
    """Both together: reproduced only if each of them is."""
    order: tuple[Verdict, ...] = ("differs", "not verified", "reproduced")
    verdict = min(first.verdict, second.verdict, key=order.index)
    return Said(verdict, f"{first.detail}; {second.detail}")


class Prover:
    """Executes what is exported of one candidate, for at most ``seconds`` in all.

    ``output`` is a folder of the caller's, for what the executions write.
    """

    def __init__(
        self, run: Run, chosen: Chosen, output: Path, executor: Executor | None, seconds: float
    ) -> None:
        self.run = run
        self.chosen = chosen
        self._output = output
        self._executor = executor
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        settings = run.settings
        self._confinement = Confinement.for_jobs(
            settings.jobs_here, settings.sandbox, settings.memory
        )
        # A staging of our own: the run folder may be read-only.
        self._staging = Staging(run.task, run.validation, output / "folds")

    @property
    def _expected(self) -> Path | None:
        """The submission to compare with; None when the run has none of this candidate."""
        has_test = self.run.task.source.test is not None
        path = self.run.folder / "submission.csv"
        return path if has_test and self.chosen.is_delivered and path.is_file() else None

    @property
    def _limits(self) -> Limits:
        return Limits(self._until - time.monotonic(), self.run.settings.threads_here)

    def _hindrance(self) -> str:
        """Why nothing (more) can be proven; "" when it can."""
        candidate = self.chosen.candidate
        if not self._seconds:
            return _NOT_EXECUTED
        if candidate.score is None:
            return f"candidate {candidate.id} has no score ({candidate.status.replace('_', ' ')})"
        if self._limits.seconds < _LEAST_SECONDS:
            return f"no time was left of {self._seconds:.0f} s"
        return ""

    def notebook(self) -> Proof:
        """Execute the finished notebook in a fresh kernel, unless that was done on delivery."""
        run, chosen = self.run, self.chosen
        if chosen.is_proven and run.state.finished is not None:
            model = run.folder / "final" / "finished.joblib"
            said = Said("reproduced", run.state.finished["detail"])
            kept = model if model.is_file() else None
            return Proof(chosen.notebook, said, self._expected, kept)
        problem = self._hindrance() or ("" if self._executor else "no executor was given for it")
        if problem or self._executor is None:
            said = Said("not verified", problem)
            return Proof(stamp(chosen.notebook, *_pair(said)), said, self._expected)
        outcome = self._executor.run_notebook(
            chosen.notebook, self._limits, self._output, "finished", run.task.source.places
        )
        executed = self._output / "finished.ipynb"
        notebook = chosen.notebook
        if executed.is_file():
            notebook = nbformat.read(executed, as_version=4)
        submission = self._output / "finished.csv"
        finished = Finished(notebook, submission, outcome.printed)
        if outcome.status != "ok":
            problem = f"executing it again ended in: {outcome.words}"
            finished = Finished(notebook, problem=problem)
        assert chosen.candidate.score is not None
        said = Said(*compare(chosen.candidate.score, finished, self._expected))
        has_test = run.task.source.test is not None
        if said.verdict == "reproduced" and has_test and not submission.is_file():
            said = Said("differs", "it wrote no submission")
        model = self._output / "finished.joblib"
        return Proof(
            stamp(notebook, *_pair(said)),
            said,
            submission if has_test and submission.is_file() else self._expected,
            model if model.is_file() else None,
        )

    def script(self, text: str) -> Said:
        """Run the script beside copies of the data; compare what it predicts, or its score.

        The score is ours: its blocks are run on each fold, and what they predict is graded.
        """
        run, candidate = self.run, self.chosen.candidate
        if problem := self._hindrance():
            return Said("not verified", problem)
        source = run.task.source
        tables = [p for p in (source.train, source.test, source.sample) if p is not None]
        inputs = {path.name: path for path in tables}
        if source.folder is not None:
            inputs |= {name: source.folder / name for name in source.files}
        with WorkingFolder() as folder:
            folder.stage(inputs, lambda: None)
            ran = self._run_text(folder, text)
            if ran.problem:
                return Said("not verified", f"running it ended in: {ran.problem}")
            if run.task.is_self_scored:
                return self._same_score(_printed(ran.printed))
            submission = folder.work / "submission.csv"
            if source.test is not None and not submission.is_file():
                return Said("differs", "it wrote no submission")
            if self._expected is not None:
                if difference := compare_tables(submission, self._expected):
                    return Said("differs", difference)
                return Said("reproduced", "plain Python gave the same predictions")
        return self._same_score(self._graded(Solution.from_script(text, candidate.id)))

    def predictor(self, proof: Proof, notebook: str) -> Predictor | None:
        """A predict.py for the folder of this notebook; None when there are no rows to predict.

        A model that the notebook kept is applied only if it gives the submission by itself.
        """
        run, candidate = self.run, self.chosen.candidate
        if run.task.source.train is None:
            return None
        words = "`python predict.py NEW_ROWS.csv PREDICTIONS.csv` predicts new rows. "
        applies = applying(run, candidate)
        if applies and proof.model and proof.submission and not self._hindrance():
            said = self._predicts(applies, notebook, proof)
            if said.verdict == "reproduced":
                words += "It applies model.joblib, which the notebook fitted on all rows."
                return Predictor(applies, said, words, proof.model.read_bytes())
        kept = "the model that was kept does not give the submission by itself"
        why = kept if proof.model else "the solution keeps no fitted model"
        words += f"It refits on train each time, because {why}."
        refits = refitting(run, candidate)
        return Predictor(refits, self._predicts(refits, notebook, proof), words)

    def _predicts(self, source: str, notebook: str, proof: Proof) -> Said:
        """Run a predict.py on the rows of test, in a folder of its own."""
        if problem := self._hindrance():
            return Said("not verified", f"predict.py: {problem}")
        rows = self._staging.stage("all") / str(self._staging.parameters["test_path"])
        with WorkingFolder() as folder:
            folder.stage({rows.name: rows}, lambda: None)
            here = folder.work / "export"
            here.mkdir()
            (here / "solution.ipynb").write_text(notebook, encoding="utf-8")
            (here / "predict.py").write_text(source, encoding="utf-8")
            if proof.model is not None:
                (here / "model.joblib").write_bytes(proof.model.read_bytes())
            arguments = ["export/predict.py", rows.name, "predicted.csv"]
            places = self.run.task.source.places  # one that refits reads train where it lies
            ran = run_python(folder, arguments, self._limits, self._confinement, places)
            if ran.problem:
                return Said("not verified", f"predict.py ended in: {ran.problem}")
            if self.run.task.source.test is None:
                return Said("reproduced", "predict.py predicted rows of train")
            if proof.submission is None:
                return Said("not verified", "predict.py ran; no submission to compare with")
            difference = self._difference(folder.work / "predicted.csv", proof.submission)
        if difference:
            return Said("differs", f"predict.py: {difference}")
        return Said("reproduced", "predict.py gave the same predictions")

    def _difference(self, predicted: Path, submission: Path) -> str:
        """What differs, row by row: the form of new rows has their order, not the sample's."""
        import pandas as pd

        column = self.run.task.id_column
        ours, theirs = (
            pd.read_csv(path, dtype=str, keep_default_na=False) for path in (predicted, submission)
        )
        tables = [predicted, submission]
        if column is not None and column in ours.columns and column in theirs.columns:
            tables = [self._output / "ours.csv", self._output / "theirs.csv"]
            for frame, path in zip((ours, theirs), tables, strict=True):
                frame.sort_values(column, kind="stable").to_csv(path, index=False)
        return compare_tables(*tables)

    def _run_text(self, folder: WorkingFolder, text: str) -> Ran:
        # Outside of the folder of the data, where a file may have the same name.
        script = folder.scratch / "exported.py"
        script.write_text(text, encoding="utf-8")
        return run_python(folder, [str(script)], self._limits, self._confinement)

    def _graded(self, solution: Solution) -> float | str:
        """The score of these blocks, run as a plain script on each fold; else what went wrong."""
        values = {**self._staging.parameters, "seed": self.run.settings.seed}
        given = [f"{name} = {value!r}" for name, value in values.items()]
        text = "\n\n".join(["\n".join(given), *(block.source for block in solution.blocks)])

        def grade_fold(fold: int) -> tuple[float, int]:
            rows = self.run.validation.held_rows(fold)
            with WorkingFolder() as folder:
                folder.stage(self._staging.inputs(fold), lambda: None)
                ran = self._run_text(folder, text)
                if ran.problem:
                    raise InvalidPredictions(ran.problem)
                predictions = folder.work / str(values["predictions_path"])
                return grade(self.run.task, rows, predictions).value, len(rows)

        with ThreadPoolExecutor(self.run.settings.jobs_here, "mlestar-export") as pool:
            try:
                graded = list(pool.map(grade_fold, self.run.validation.purposes))
            except InvalidPredictions as error:
                pool.shutdown(cancel_futures=True)
                return str(error)
        return weighted_mean([value for value, _ in graded], [rows for _, rows in graded])

    def _same_score(self, found: float | str | None) -> Said:
        score = self.chosen.candidate.score
        assert score is not None
        if found is None:
            return Said("not verified", "it printed no score")
        if isinstance(found, str):
            return Said("not verified", f"running it on a fold ended in: {found}")
        if not is_same(found, score.value):
            return Said("differs", f"score {found!r} instead of {score.value!r}")
        return Said("reproduced", "plain Python gave the same score")


def _pair(said: Said) -> tuple[Verdict, str]:
    return said.verdict, said.detail


def _printed(text: str) -> float | None:
    found = _PRINTED.findall(text)
    try:
        return float(found[-1]) if found else None
    except ValueError:
        return None
