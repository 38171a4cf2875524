"""A session puts the parts together for every surface: run, cast, executor, notebooks, delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlestar_jupyter.algorithm import ablation, asked, pipeline
from mlestar_jupyter.algorithm.budget import Budget
from mlestar_jupyter.algorithm.ensemble import ensemble
from mlestar_jupyter.algorithm.evaluate import Context, landing_seconds
from mlestar_jupyter.algorithm.finalize import unseal
from mlestar_jupyter.algorithm.initialize import read_start
from mlestar_jupyter.algorithm.refine import refine
from mlestar_jupyter.candidate import Candidate
from mlestar_jupyter.casting import check_agents, make_agents
from mlestar_jupyter.delivery import Result, deliver
from mlestar_jupyter.endings import Stopped
from mlestar_jupyter.errors import BudgetError, ExecutionError, MlestarError, SettingsError
from mlestar_jupyter.events import Listener
from mlestar_jupyter.executors import make_executor, walls_of
from mlestar_jupyter.inference import reopen
from mlestar_jupyter.interfaces import Agents, Executor, ModelCard
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings
from mlestar_jupyter.solution import Solution
from mlestar_jupyter.task import Task

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

#: The user's own first solution, in the run folder.
START = "start.py"
#: How often ``Session.tick`` is called while a surface waits.
TICK_SECONDS = 0.5


class Session:
    """A run that is being worked on in this process. Close it (or use ``with``) at the end.

    ``tick`` is called every half a second in the thread that waits: surfaces show progress in it.
    ``settle`` is called between the search and the delivery: surfaces wait in it for what the user
    has asked for beside the search, so that it is delivered if it is the best.
    """

    def __init__(self, run: Run, *, agents: Agents | None = None, executor: Executor | None = None):
        from mlestar_jupyter.notebook.run_notebook import RunNotebook

        self.run = run
        self.agents = agents or make_agents(run.settings, run, _SessionMeans(self))
        self.executor = executor or make_executor(run.settings)
        self.executor.tell = self._note
        endings = [e.data["reason"] for e in run.events if e.kind == "run_finished"]
        self._ended_before = endings[-1] if endings else "stopped"
        self.tick: Callable[[], None] = lambda: None
        self.settle: Callable[[], None] = lambda: None
        self.notebook = RunNotebook(run)
        run.listeners.append(self.notebook)
        # A resumed run whose time is up still gets what it needs to land with what it has.
        slowest = max((c.slowest for c in run.scored), default=0.0)
        landing = landing_seconds(run, slowest) if run.elapsed > 5 else 0.0
        self.context = self._context(max(run.settings.seconds, run.elapsed + landing))

    @classmethod
    def start(
        cls,
        task: Task,
        settings: Settings,
        folder: Path,
        *,
        began: float | None = None,
        frames: Mapping[str, pd.DataFrame] | None = None,
        listeners: tuple[Listener, ...] = (),
        agents: Agents | None = None,
        executor: Executor | None = None,
        start: Solution | None = None,
    ) -> Session:
        """Begin a new run in ``folder``. ``start`` is a first solution of the user's own.

        It is kept in the run folder, so that a run goes on from what it began with.
        """
        # What cannot work is said before a folder is made: nothing is left behind.
        if agents is None:
            check_agents(settings)
        if settings.start is not None:
            start = read_start(Path(settings.start).expanduser())
        kept = {} if start is None else {START: start.to_script()}
        with ExitStack() as undo:
            walls = walls_of(settings, executor)
            if executor is None:
                executor = make_executor(settings)
                undo.callback(executor.close)
            room = getattr(executor, "room", 1)  # a cluster is asked, whether it is needed or not
            jobs = settings.jobs or room
            settings = settings.replace(start=START if start else None, jobs=jobs)
            run = Run.create(
                folder, task, settings, began=began, frames=frames, files=kept,
                isolated=walls.is_isolated, isolation=walls.words,
            )  # fmt: skip
            undo.callback(run.close)
            run.listeners.extend(listeners)
            if start is not None and not any("predictions_path" in b.source for b in start.blocks):
                text = "your own notebook never writes predictions_path, so it can hardly be graded"
                run.emit("note", text=text)
            session = cls(run, agents=agents, executor=executor)
            undo.pop_all()
            return session

    @classmethod
    def resume(
        cls,
        folder: Path,
        *,
        seconds: float | None = None,
        cost: float | None = None,
        dask: str | None = None,
        listeners: tuple[Listener, ...] = (),
        agents: Agents | None = None,
        executor: Executor | None = None,
        functions: Mapping[str, Any] | None = None,
    ) -> Session:
        """Go on with the run in ``folder``. What was judged before is not run again.

        ``seconds`` and ``cost`` (in dollars) are new limits for the whole run, counted from its
        beginning. ``dask`` is the address of another cluster, or "off" for this machine.
        ``functions`` has the user's own metric, by its name, if it is judged by one.
        """
        run = open_run(folder, write=True, functions=functions)
        try:
            limits = {"seconds": seconds, "cost": cost}
            new: dict[str, Any] = {n: limit for n, limit in limits.items() if limit is not None}
            if dask is not None:
                new |= {"dask": None, "jobs": 0} if dask == "off" else {"dask": dask}
            if new:
                run.change_settings(**new)
            run.listeners.extend(listeners)
            walls = walls_of(run.settings, executor)
            if run.isolation[0] and not walls.is_isolated:  # on another machine, say
                text = f"candidates are not isolated any more ({walls.words})"
                run.emit("note", text=text, isolated=False, isolation=walls.words)
            return cls(run, agents=agents, executor=executor)
        except BaseException:
            run.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, write run.ipynb and give the run's lock back."""
        self.context.close()
        self.executor.close()
        if not self.run.state.ended:
            # Work that was asked for after the end, or that was given up, leaves a run as it was.
            self.run.emit("run_finished", reason=self._ended_before)
        self.notebook.flush()
        self.run.close()

    def stop(self) -> None:
        """Stop softly, from any thread: nothing more begins, what is under way is ended."""
        self.context.budget.stop()
        self.executor.cancel()

    def pause(self) -> None:
        """Begin nothing more until ``resume_work``; the clock stands. From any thread."""
        self.context.gate.pause()

    def resume_work(self) -> None:
        """Go on after a pause, or with the next outer step. From any thread."""
        self.context.gate.open()

    def change_limit(self, seconds: float) -> None:
        """A new limit for the whole run, counted from its beginning. From any thread."""
        self.run.change_settings(seconds=seconds)
        self.context.budget.total = seconds

    def pin(self, block: str | None) -> None:
        """Make a block the target of each branch's next outer step; None takes the pin back."""
        best = self.run.best
        if block is not None and best is not None and block not in best.solution.names:
            known = ", ".join(best.solution.names)
            raise SettingsError(f"{best.id} has no block {block!r}; it has {known}")
        self.run.emit("block_pinned", block=block)

    def suggest(self, words: str) -> str:
        """Give the agents something to try in each branch's next outer step.

        Gives what the cast understands by it, "" if it does not say. Raises ReplyError, and keeps
        nothing, when the cast can make nothing of it.
        """
        words = " ".join(words.split())
        if not words:
            raise SettingsError('suggest something: %mlestar suggest "target encoding for city"')
        understands = getattr(self.agents, "understands", None)
        best = self.run.best
        meaning = ""
        if understands is not None and best is not None:
            meaning = str(understands(self.context.brief(best.branch), best.solution, words))
        self.run.emit("suggestion_added", text=words)
        return meaning

    def undo(self, candidate: Candidate | None = None) -> Candidate:
        """Take a candidate back, by default the best; gives the one that is the best now.

        It is out of the run's and its branch's place, and no ensemble is made of it any more.
        """
        with self.run.lock:
            state, best = self.run.state, self.run.best
            if best is None:
                raise MlestarError("nothing to undo: no candidate is the best yet")
            gone = candidate or best
            if gone.id in state.rejected:
                raise MlestarError(f"{gone.id} is undone already")
            if gone.score is None:
                raise MlestarError(f"{gone.id} has no score, so it stands nowhere")
            before = state.best_before() if gone.id == best.id else None
            if gone.id == best.id and before is None:
                raise MlestarError(
                    f"nothing to undo: no candidate was the best before {best.id}; "
                    f"to take another one instead, %mlestar adopt ID"
                )
            self.run.emit("undone", branch=gone.branch, id=gone.id, to=before)
            return state.candidates[before or best.id]

    def accept(self, candidate: Candidate) -> Candidate:
        """Make a candidate the best of the run and of its branch, as it is, by the user's word.

        It gives way to what is found better than it, as any other.
        """
        with self.run.lock:
            if candidate.score is None:
                raise MlestarError(
                    f"{candidate.id} has no score ({candidate.reason or candidate.status}); "
                    f"%mlestar insert {candidate.id} gives its blocks, to mend them"
                )
            if candidate.id == self.run.state.best:
                raise MlestarError(
                    f"nothing differs from {candidate.id}, which is the best already; "
                    f"edit a block and adopt it again"
                )
            self.run.emit(
                "incumbent_changed", branch=candidate.branch, id=candidate.id, best=True,
                reason="accepted by you",
            )  # fmt: skip
            return candidate

    def adopt(self, sources: Mapping[str, str], base: Candidate) -> Candidate:
        """Judge the user's own blocks in the place of those of ``base``, like any candidate.

        Where nothing differs ``base`` is accepted as it is; if it was ended early it is judged on
        all folds instead, like any candidate.
        """
        solution = asked.edited(base, sources)
        if solution is None and base.status == "stopped_early":
            return self._in_background(lambda: asked.finish(self.context, base))
        if solution is None:
            return self.accept(base)
        return self._in_background(lambda: asked.adopt(self.context, base, solution))

    def merge(self, base: Candidate, other: Candidate) -> Candidate:
        """Judge the merge of one candidate into another."""
        return self._in_background(lambda: asked.merge_two(self.context, base, other))

    def try_card(self, card: ModelCard) -> Candidate:
        """Judge a solution with a model of the user's own."""
        return self._in_background(lambda: asked.try_card(self.context, card))

    def search_more(self, count: int) -> list[Candidate]:
        """Judge up to so many models that were not tried yet."""
        return self._in_background(lambda: asked.search_more(self.context, count))

    def debug(self, candidate: Candidate) -> Candidate:
        """Judge what the debugger makes of a candidate that failed."""
        return self._in_background(lambda: asked.debug_again(self.context, candidate))

    def solve(self) -> Result:
        """The whole of it, search and delivery. KeyboardInterrupt stops softly and is raised."""
        try:
            return self._in_background(self._search_and_deliver)
        except KeyboardInterrupt:
            self.run.emit("run_finished", reason="stopped")
            raise
        except Stopped:
            self.run.emit("run_finished", reason="stopped")
            raise BudgetError(f"stopped; go on with `mlestar resume {self.run.folder}`") from None

    def _search_and_deliver(self) -> Result:
        self._search()
        self.settle()
        return self.deliver(pipeline.require_best(self.context))

    def _search(self) -> Candidate:
        """The best that a search finds, also if it breaks off because nothing can be executed."""
        try:
            return pipeline.search(self.context)
        except ExecutionError as error:
            if self.run.best is None:
                raise
            self.run.emit("note", text=f"the search broke off: {error}")
            return self.run.best

    def deliver_best(self) -> Result:
        """Deliver the best candidate as it is now, for example after more refinement."""
        return self._in_background(lambda: self.deliver(pipeline.require_best(self.context)))

    def deliver(self, best: Candidate) -> Result:
        """Fit the winner on all rows, execute the finished notebook beside it, and compare."""
        result = deliver(self.context, best)
        self.notebook.flush()
        return result

    def refine(
        self, *, outer: int = 1, inner: int | None = None, block: str | None = None
    ) -> Candidate:
        """Refine the best candidate by some outer steps more; gives the best afterwards."""
        best = pipeline.require_best(self.context)
        if block is not None:
            best.solution.source(block)
        started = self.run.emit("stage_started", stage="refine", branch=best.branch)
        self._in_background(
            lambda: refine(
                self.context, best, best.branch, outer_steps=outer, inner_steps=inner, block=block,
                scope=f"asked-{started.seq}/",
            )
        )  # fmt: skip
        return pipeline.require_best(self.context)

    def ablate(self) -> dict[str, Any] | None:
        """One ablation study of the best candidate, as the journal has it."""
        best = pipeline.require_best(self.context)
        self.run.emit("stage_started", stage="refine", branch=best.branch)
        self._in_background(lambda: ablation.study(self.context, best, [], best.branch))
        studies = [s for s in self.run.state.studies if s["candidate"] == best.id]
        return studies[-1] if studies else None

    def ensemble(self, *, rounds: int | None = None) -> Candidate:
        """Combine the branches' incumbents; gives the best of the run afterwards."""
        pipeline.require_best(self.context)
        self.run.emit("stage_started", stage="ensemble", branch=None)
        candidates = self.run.state.candidates
        finals = [candidates[i] for b, i in self.run.state.incumbents.items() if b >= 0]
        self._in_background(lambda: ensemble(self.context, finals, rounds=rounds))
        return pipeline.require_best(self.context)

    def unseal(self) -> tuple[float, float]:
        """Grade the best candidate on the sealed rows, once: (score, optimism)."""
        if not self.run.validation.has_sealed:
            raise SettingsError("this run has no sealed rows; start one with --sealed 0.2")
        if self.run.state.unsealed is not None:
            raise MlestarError("the sealed rows were used before; a second look is not honest")
        graded = unseal(self.context, pipeline.require_best(self.context))
        if graded is None:
            raise MlestarError("the best candidate could not be executed without the sealed rows")
        return graded

    def extend(self, seconds: float) -> None:
        """Give the run so many seconds from now on, for what the user asks of it next."""
        self.context.jobs.shutdown(wait=False)
        self.context = self._context(self.run.elapsed + seconds, staged=False)

    def _note(self, text: str) -> None:
        self.run.emit("note", text=text)

    def _context(self, total: float, *, staged: bool = True) -> Context:
        budget = Budget(total, lambda: self.run.elapsed, staged=staged)
        return Context(self.run, self.agents, self.executor, budget)

    def _in_background(self, work: Callable[[], T]) -> T:
        """Work in a thread while this one waits, so that an interrupt is always heard."""
        self.executor.prepare(self.run.settings)
        with ThreadPoolExecutor(1, thread_name_prefix="mlestar-search") as pool:
            future = pool.submit(work)
            try:
                while not wait([future], timeout=TICK_SECONDS).done:
                    self.tick()
                return future.result()
            except BaseException:
                if not future.done():  # an interrupt; an error of the work itself ends only that
                    self.stop()
                raise


class _SessionMeans:
    """What a session has left, also after it was given more."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def search_left(self) -> float:
        """Seconds to the end of the search."""
        return self._session.context.budget.search_left

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._session.context.budget.is_stopped


def open_run(
    folder: Path, *, write: bool = False, functions: Mapping[str, Any] | None = None
) -> Run:
    """An existing run with its task; JournalError or TaskError in one line if it cannot be."""
    folder = folder.expanduser().resolve()
    return Run.open(folder, reopen(folder, functions), write=write)
