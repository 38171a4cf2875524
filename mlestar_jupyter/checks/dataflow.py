"""Following the data through the blocks of a solution.

The blocks are walked in order with one namespace, as a kernel would. Functions that the solution
defines are walked again at each call, so that what they do to train and to test is told apart.
Nothing is executed.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence

from mlestar_jupyter.checks import expressions, statements
from mlestar_jupyter.checks.sightings import Encoded, Sighting, Summarised
from mlestar_jupyter.checks.source import parse
from mlestar_jupyter.checks.values import (
    Function,
    GroupStatistic,
    Place,
    Scope,
    Value,
    any_of,
    container,
    either,
)
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Solution
from mlestar_jupyter.task import Task

#: Calls within calls are followed so deep, and so many expressions are looked at in all.
DEPTH = 8
STEPS = 100_000


class Flow:
    """The state of one walk through a solution, and what was seen on the way."""

    def __init__(self, task: Task) -> None:
        self.task = task
        #: Columns that must not be features.
        self.forbidden = frozenset({task.target, *task.train_only} - {""})
        self.sightings: list[Sighting] = []
        self.mentioned_paths: set[str] = set()
        self.block = ""
        #: Names of the function under way that are global or nonlocal.
        self.shared: set[str] = set()
        self.split_loops = 0
        self.quiet = 0
        #: How many conditions that are not known stand around, in functions.
        self.doubts = 0
        self.scope = Scope({name: Value(const=f"<{name}>") for name in DEFAULT_PARAMETERS})
        self.scope.names["seed"] = Value()
        self._functions: list[Function] = []
        self._calls: list[Function] = []
        self._returned: list[Value] = []
        self._yielded: list[Value] = []
        self._steps = 0

    def walk(self, solution: Solution) -> None:
        """Walk all blocks in order, then the functions that no block calls."""
        for block in solution.blocks:
            tree = parse(block.source)
            self.block = block.name
            self.quiet = self.split_loops = self.doubts = 0
            # An expression too long to follow is not judged.
            with contextlib.suppress(RecursionError):
                if tree is not None:
                    statements.walk(self, tree.body)
        self.quiet = self.split_loops = self.doubts = 0
        for function in list(self._functions):
            if not function.called:
                with contextlib.suppress(RecursionError):
                    self.call(function, [], {})

    @property
    def in_function(self) -> bool:
        """Whether a function is under way."""
        return bool(self._calls)

    def place(self, tree: ast.expr | ast.stmt) -> Place:
        """The line of the present block where ``tree`` stands."""
        return Place(self.block, tree.lineno)

    def value(self, tree: ast.expr) -> Value:
        """The facts about an expression."""
        self._steps += 1
        return Value() if self._steps > STEPS else expressions.evaluate(self, tree)

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a name, unpack a tuple, write into a column or an item."""
        statements.assign(self, target, value)

    def see(self, sighting: Sighting) -> None:
        """Keep what was seen."""
        self.sightings.append(sighting)

    def see_statistic(self, tree: ast.expr, name: str) -> None:
        """A statistic over train and test; those that are only shown do not count."""
        if not self.quiet:
            self.see(Summarised(self.place(tree), name))

    def see_encoded(self, tree: ast.expr, column: str | None, statistic: GroupStatistic) -> None:
        """A statistic of the target came to stand beside the rows it was taken from."""
        if not self.quiet:
            named = f"column {column}" if column else "a column"
            what = f"{named} holds statistics of the target taken from the same rows"
            mend = "take them inside folds of train (KFold) or use TargetEncoder in a pipeline"
            certain = statistic.certain and not self.doubts
            self.see(Encoded(self.place(tree), what, certain, mend))

    def define(self, tree: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Value:
        """A function or lambda as a value."""
        function = Function(tree, self.scope, self.block)
        self._functions.append(function)
        return Value(function=function)

    def call(self, function: Function, args: Sequence[Value], keywords: dict[str, Value]) -> Value:
        """Walk through a function of the solution with these arguments; what it returns."""
        function.called = True
        if function in self._calls or len(self._calls) >= DEPTH or self._steps > STEPS:
            return Value()
        bound = self._bound(function, args, keywords)
        outside = self.scope, self.block, self.quiet, self.shared, self._returned, self._yielded
        self.scope, self.block = Scope(bound, function.scope), function.block
        self.quiet, self.shared, self._returned, self._yielded = 0, set(), [], []
        self._calls.append(function)
        try:
            if isinstance(function.tree, ast.Lambda):
                return self.value(function.tree.body)
            statements.walk(self, function.tree.body)
            if self._yielded:
                return container([], rest=any_of(self._yielded))
            result = self._returned[0] if self._returned else Value()
            for other in self._returned[1:]:
                result = either(result, other)
            return result
        finally:
            self._calls.pop()
            self.scope, self.block, self.quiet, self.shared, *stacks = outside
            self._returned, self._yielded = stacks

    def returns(self, value: Value) -> None:
        """The function under way returns a value."""
        self._returned.append(value)

    def yields(self, value: Value) -> None:
        """The function under way yields a value."""
        self._yielded.append(value)

    def _bound(
        self, function: Function, args: Sequence[Value], keywords: dict[str, Value]
    ) -> dict[str, Value]:
        wanted = function.tree.args
        names = [a.arg for a in (*wanted.posonlyargs, *wanted.args)]
        bound = {name: Value() for name in (*names, *(a.arg for a in wanted.kwonlyargs))}
        for name, default in zip(reversed(names), reversed(wanted.defaults), strict=False):
            bound[name] = self.value(default)
        for argument, preset in zip(wanted.kwonlyargs, wanted.kw_defaults, strict=True):
            if preset is not None:
                bound[argument.arg] = self.value(preset)
        more = {k: v for k, v in keywords.items() if k not in bound}
        bound |= {k: v for k, v in keywords.items() if k in bound}
        bound |= dict(zip(names, args, strict=False))
        if wanted.vararg:
            bound[wanted.vararg.arg] = container(args[len(names) :])
        if wanted.kwarg:
            bound[wanted.kwarg.arg] = container(more)
        return bound
