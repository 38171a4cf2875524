"""The doors of the house: what agents, executors and listeners must offer.

Implementations do not import each other; the surfaces put them together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nbformat import NotebookNode

from mlestar_jupyter.candidate import Candidate, Failure, Finding, Outcome, Status
from mlestar_jupyter.score import Score
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.task import Task


@dataclass(frozen=True)
class Brief:
    """What every agent is told beside the solution.

    ``seconds`` is the wall clock that one execution (one fold, kernel start included) may take,
    ``limit`` that after which it is ended, ``threads`` how many it may use. ``branch`` numbers the
    L parallel solutions from 0: branches should go different ways, so that their ensemble is worth
    more than each of them. ``suggestions`` are the user's own words that were not tried in this
    branch yet, the oldest first: they go before the agents' own ideas. ``candidate`` is the id of
    the candidate that is being judged, if one is.
    """

    task: Task
    seconds: float
    threads: int = 1
    branch: int = 0
    seed: int = 0
    suggestions: tuple[str, ...] = ()
    candidate: str = ""
    limit: float = math.inf


@dataclass(frozen=True)
class ModelCard:
    """A model that suits the task: why, example code, and the source that speaks of it.

    ``pages`` are the pages of the web that the retriever read for it, as (address, title).
    """

    name: str
    reason: str
    example: str = ""
    source: str = ""
    pages: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal; they are the same when they are read back."""
        return {**vars(self), "pages": [list(page) for page in self.pages]}


@dataclass(frozen=True)
class Ablation:
    """One variant of an ablation study: a block, what is changed in it, and its changed source."""

    block: str
    change: str
    source: str


@dataclass(frozen=True)
class AblationResult:
    """A measured variant. ``gain`` is that of the solution over the variant in the metric's unit:
    positive means that the block as it was helps; None when the variant did not run.
    """

    ablation: Ablation
    candidate: str
    score: Score | None
    gain: float | None
    seconds: float


@dataclass(frozen=True)
class Target:
    """The block to refine next, the first plan for it, and why it was chosen."""

    block: str
    plan: str
    reason: str = ""


@dataclass(frozen=True)
class Attempt:
    """A plan that was tried on a target block (or as an ensemble), and what it gave.

    ``gain`` is over the solution that it was tried on; None when there is no score, and ``reason``
    says why there is none. ``status`` is that of its candidate: one that was ``stopped_early`` ran,
    and was almost surely worse. It is "" when there was no candidate, as when nothing could be made
    of the plan, and "pending" while it is tried side by side with the next.
    """

    plan: str
    score: Score | None
    gain: float | None
    seconds: float
    accepted: bool = False
    reason: str = ""
    status: Status | Literal["", "pending"] = ""


@dataclass(frozen=True)
class LeakageVerdict:
    """Whether the solution leaks, why, and corrected sources by block name (may be empty)."""

    leaks: bool
    reason: str = ""
    blocks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataUsageEvidence:
    """Which files and columns of the task the blocks mention, and which they never do."""

    used_files: tuple[str, ...]
    unused_files: tuple[str, ...]
    unused_columns: tuple[str, ...]


@dataclass(frozen=True)
class DataUsageVerdict:
    """Whether something useful is left unused, what, and a solution that uses it (or None)."""

    complete: bool
    reason: str = ""
    solution: Solution | None = None


class Means(Protocol):
    """What a run has left, for agents that take time to answer."""

    @property
    def search_left(self) -> float:
        """Seconds to the end of the search."""

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is to be begun."""


class Agents(Protocol):
    """The cast: one method for each role of the paper. Methods are called from many threads.

    A reply that cannot be used raises ReplyError; the algorithm counts it as a failed attempt.
    A cast that cannot go on (no money, no network) raises OutOfMeans: the search lands.
    A role that has nothing (more) to propose returns an empty list, or None where it says so.
    """

    name: str

    def retrieve(self, brief: Brief, count: int) -> list[ModelCard]:
        """Up to ``count`` models that suit the task, the most promising first (section 3.1)."""

    def initialize(self, brief: Brief, card: ModelCard) -> Solution:
        """One simple, complete solution with this model."""

    def merge(self, brief: Brief, base: Solution, other: Solution) -> Solution:
        """One solution that keeps what is good in ``base`` and adds the model of ``other``."""

    def ablate(
        self, brief: Brief, solution: Solution, earlier: Sequence[AblationResult]
    ) -> list[Ablation]:
        """Variants that each change one block, not those measured earlier (section 3.2)."""

    def summarize(self, brief: Brief, solution: Solution, results: Sequence[AblationResult]) -> str:
        """The study in words, to stand beside the measured table."""

    def extract(
        self,
        brief: Brief,
        solution: Solution,
        results: Sequence[AblationResult],
        earlier: Sequence[Target],
    ) -> Target | None:
        """The block to refine next and a first plan; None when nothing is left to try."""

    def plan(
        self, brief: Brief, solution: Solution, target: Target, attempts: Sequence[Attempt]
    ) -> str | None:
        """The next plan for the target block, given what was tried; None when out of ideas."""

    def code(self, brief: Brief, solution: Solution, target: Target, plan: str) -> str:
        """The target block's new source, following the plan."""

    def plan_ensemble(
        self, brief: Brief, solutions: Sequence[Candidate], attempts: Sequence[Attempt]
    ) -> str | None:
        """The next plan to combine the solutions (section 3.3); None when out of ideas."""

    def ensemble(self, brief: Brief, solutions: Sequence[Candidate], plan: str) -> Solution:
        """One solution that combines these, following the plan; members are inlined."""

    def debug(self, brief: Brief, solution: Solution, failure: Failure) -> Solution | None:
        """A corrected solution; None when there is no correction to offer."""

    def check_leakage(
        self, brief: Brief, solution: Solution, evidence: Sequence[Finding]
    ) -> LeakageVerdict:
        """Judge the evidence of leakage, and correct the blocks if they leak."""

    def check_data_usage(
        self, brief: Brief, solution: Solution, evidence: DataUsageEvidence
    ) -> DataUsageVerdict:
        """Judge whether given information is left unused, and use it."""

    def finalize(self, brief: Brief, solution: Solution) -> Solution:
        """The solution without anything that only saves time while searching (subsampling)."""


@dataclass(frozen=True)
class Limits:
    """What one execution may use.

    ``seconds`` is wall clock, kernel start included, ``memory`` bytes of all its processes together
    (None: what the executor allows). At ``until``, as ``time.monotonic`` counts, it ends in any
    case: it may have had to wait for its turn.
    """

    seconds: float
    threads: int = 1
    memory: int | None = None
    until: float | None = None

    @property
    def left(self) -> float:
        """Seconds that it may take if it begins now."""
        if self.until is None:
            return self.seconds
        return max(0.0, min(self.seconds, self.until - time.monotonic()))


@dataclass(frozen=True)
class Execution:
    """One execution of a solution.

    ``inputs`` maps names in the working folder to files or folders, which are copied there;
    nothing else is staged. What the solution wrote to ``predictions_path`` and ``model_path`` and
    the executed notebook are put into ``output`` (a folder, made if need be) under ``label``.
    ``fresh`` asks for a kernel in which every cell is executed, though some were before; without
    it, they are taken over where that saves at least ``least_saved`` seconds.
    """

    solution: Solution
    inputs: Mapping[str, Path]
    parameters: Mapping[str, str | int]
    limits: Limits
    output: Path
    label: str
    fresh: bool = False
    least_saved: float = 0.0

    @property
    def executed(self) -> Path:
        """The executed notebook."""
        return self.output / f"{self.label}.ipynb"

    @property
    def predictions(self) -> Path:
        """The predictions that it wrote."""
        return self.output / f"{self.label}.csv"

    @property
    def model(self) -> Path:
        """The fitted model that it wrote, if it did."""
        return self.output / f"{self.label}.joblib"


class Executor(Protocol):
    """Executes notebooks, each in a kernel of its own. Called from many threads.

    One that executes them on other machines says in ``threads`` how many each may use there, and in
    ``room`` how many notebooks it executes at once. ``tell`` is called, seldom, with what a user
    should know of how it executes.
    """

    tell: Callable[[str], None]

    def prepare(self, settings: Settings) -> None:
        """Begin, without waiting, to make ready for what a run of these settings executes."""

    def run(self, execution: Execution) -> Outcome:
        """Execute and wait. Never raises for what the notebook does: that is the outcome."""

    def run_notebook(
        self,
        notebook: NotebookNode,
        limits: Limits,
        output: Path,
        label: str,
        read: Sequence[Path] = (),
    ) -> Outcome:
        """Execute any notebook in an empty working folder.

        ``read`` are folders and files that it reads where they lie; others may be closed to it.
        The executed notebook is kept as ``output/LABEL.ipynb``, a ``submission.csv`` and a
        ``model.joblib`` that it wrote as ``output/LABEL.csv`` and ``output/LABEL.joblib``.
        """

    def stop_reusing(self, reason: str) -> None:
        """Execute every cell from now on, because of a difference that should not be."""

    def cancel(self, execution: Execution | None = None) -> None:
        """End this execution, or every one that is under way or waits; the outcome is cancelled."""

    def close(self) -> None:
        """End what is under way and give back all resources."""
