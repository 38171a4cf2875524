"""Following the data through the blocks of a solution, statement by statement.

The blocks are walked in order with one namespace, as a kernel would. Functions that the solution
defines are walked again at each call, so that what they do to train and to test is told apart.
Loops over known lists are unrolled, other loops are walked twice; both sides of an ``if`` are
walked and put together. Nothing is executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from mlestar_jupyter.checks import expressions, selection
from mlestar_jupyter.checks.sightings import Encoded, Sighting, Summarised
from mlestar_jupyter.checks.values import (
    GroupStatistic,
    Function,
    Place,
    Scope,
    Value,
    any_of,
    container,
    either,
)
from mlestar_jupyter.checks.vocabulary import ACTS
from mlestar_jupyter.solution import DEFAULT_PARAMETERS, Solution
from mlestar_jupyter.task import Task

#: Longer lists are not unrolled; one pass stands for all their items.
UNROLLED = 12
#: Calls within calls are followed so deep, and so many expressions are looked at in all.
DEPTH = 8
STEPS = 200_000

_RUNS_PYTHON = re.compile(r"^%%(time|timeit|capture|prun)\b.*")
_SHELL = re.compile(r"^(\s*)(\w[\w, ]*=)\s*[!%].*$")
_MAGIC = re.compile(r"^(\s*)([%!?].*|[\w.]+\?{1,2}\s*)$")


def parse(source: str) -> ast.Module | None:
    """The block as a tree, magics made harmless with lines kept; None when it is not Python."""
    lines = source.split("\n")
    if lines[0].startswith("%%"):
        lines[0] = _RUNS_PYTHON.sub("pass", lines[0])
    plain = [_MAGIC.sub(r"\1pass", _SHELL.sub(r"\1\2 None", line)) for line in lines]
    # As it stands first: a line of a long expression may begin with %, too.
    for text in ("\n".join(lines), "\n".join(plain)):
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
    return None


class Flow:
    """The state of one walk through a solution, and what was seen on the way."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.forbidden = frozenset({task.target, *task.train_only} - {""})
        self.sightings: list[Sighting] = []
        self.mentioned_paths: set[str] = set()
        self.block = ""
        self.split_loops = 0
        self.quiet = 0
        self.root = Scope({name: Value(const=f"<{name}>") for name in DEFAULT_PARAMETERS})
        self.root.names["seed"] = Value()
        self.scope = self.root
        self._functions: list[Function] = []
        self._calls: list[Function] = []
        self._returned: list[list[Value]] = []
        self._yielded: list[list[Value]] = []
        self._shared: list[set[str]] = [set()]
        self._steps = 0

    def walk(self, solution: Solution) -> None:
        """Walk all blocks in order, then the functions that no block calls."""
        for block in solution.blocks:
            tree = parse(block.source)
            self.block = block.name
            if tree is not None:
                try:
                    self.statements(tree.body)
                except RecursionError:  # an expression too long to follow is not judged
                    continue
        for function in list(self._functions):
            if not function.called:
                self.block = function.block
                self.call(function, [], {})

    def place(self, tree: ast.expr | ast.stmt) -> Place:
        """The line of the present block where ``tree`` stands."""
        return Place(self.block, tree.lineno)

    def value(self, tree: ast.expr) -> Value:
        """The facts about an expression."""
        self._steps += 1
        return Value() if self._steps > STEPS else expressions.evaluate(self, tree)

    def see(self, sighting: Sighting) -> None:
        """Keep what was seen."""
        self.sightings.append(sighting)

    def see_statistic(self, tree: ast.expr, name: str) -> None:
        """A statistic over train and test; those that are only shown do not count."""
        if not self.quiet:
            self.see(Summarised(self.place(tree), name))

    def see_encoded(self, tree: ast.expr, what: str, statistic: GroupStatistic) -> None:
        """A statistic of the target came to stand beside the rows it was taken from."""
        if not self.quiet:
            mend = "compute it inside folds of train (KFold(...).split) or use TargetEncoder in a pipeline"
            self.see(Encoded(self.place(tree), what, statistic.certain, mend))

    def define(self, tree: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Value:
        """A function or lambda as a value."""
        function = Function(tree, self.scope, self.block)
        self._functions.append(function)
        return Value(function=function)

    def call(
        self, function: Function, args: Sequence[Value], keywords: dict[str, Value]
    ) -> Value:
        """Walk through a function of the solution with these arguments; what it returns."""
        function.called = True
        if function in self._calls or len(self._calls) >= DEPTH or self._steps > STEPS:
            return Value()
        outside = self.scope, self.block, self.quiet
        self.scope = Scope(self._bound(function, args, keywords), function.scope)
        self.block, self.quiet = function.block, 0
        self._calls.append(function)
        for stack in (self._returned, self._yielded):
            stack.append([])
        self._shared.append(set())
        try:
            if isinstance(function.tree, ast.Lambda):
                return self.value(function.tree.body)
            self.statements(function.tree.body)
            returned, yielded = self._returned[-1], self._yielded[-1]
        finally:
            self._calls.pop()
            for stack in (self._returned, self._yielded):
                stack.pop()
            self._shared.pop()
            self.scope, self.block, self.quiet = outside
        if yielded:
            return container([], rest=any_of(yielded))
        result = returned[0] if returned else Value()
        for other in returned[1:]:
            result = either(result, other)
        return result

    def yields(self, value: Value) -> None:
        """The function under way yields a value."""
        if self._yielded:
            self._yielded[-1].append(value)

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
        bound |= dict(zip(names, args, strict=False))
        more = {k: v for k, v in keywords.items() if k not in bound}
        bound |= {k: v for k, v in keywords.items() if k in bound}
        if wanted.vararg:
            bound[wanted.vararg.arg] = container(args[len(names) :])
        if wanted.kwarg:
            bound[wanted.kwarg.arg] = container(more)
        return bound

    def statements(self, body: Sequence[ast.stmt]) -> bool:
        """Walk statements; whether the path ends there (return, raise, break, continue)."""
        return any(self.statement(tree) for tree in body)

    def statement(self, tree: ast.stmt) -> bool:
        """Walk one statement; whether the path ends with it."""
        match tree:
            case ast.Assign(targets=targets, value=value):
                given = self.value(value)
                for target in targets:
                    self.assign(target, given)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, self.value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                sum_ = ast.BinOp(left=target, op=op, right=value)
                self.assign(target, self.value(ast.copy_location(sum_, tree)))
            case ast.Expr(value=value):
                self._expression(value)
            case ast.If(test=test, body=body, orelse=orelse):
                return self._branch(test, body, orelse)
            case ast.For() | ast.AsyncFor():
                self._loop(tree)
            case ast.While(test=test, body=body, orelse=orelse):
                for _ in range(2):
                    self.value(test)
                    self.statements(body)
                self.statements(orelse)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    opened = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self.assign(item.optional_vars, opened)
                return self.statements(body)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                self._attempt(body, handlers, orelse)
                return self.statements(final)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self.scope.names[name] = self.define(tree)
            case ast.ClassDef(name=name, body=body):
                self._class(name, body)
            case ast.Import(names=names):
                for alias in names:
                    module = alias.name if alias.asname else alias.name.split(".")[0]
                    self.scope.names[alias.asname or module] = Value(symbol=module)
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    symbol = f"{module or ''}.{alias.name}"
                    self.scope.names[alias.asname or alias.name] = Value(symbol=symbol)
            case ast.Return(value=value):
                if self._returned and value is not None:
                    self._returned[-1].append(self.value(value))
                return True
            case ast.Delete(targets=targets):
                for target in targets:
                    selection.delete(self, target)
            case ast.Global(names=shared) | ast.Nonlocal(names=shared):
                self._shared[-1].update(shared)
            case ast.Match(subject=subject, cases=cases):
                self.value(subject)
                for case in cases:
                    self._branch(ast.Name("_", ast.Load()), case.body, [])
            case ast.Raise() | ast.Continue() | ast.Break():
                return True
            case ast.Assert(test=test):
                self._quietly(test)
        return False

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind names, unpack tuples, write into columns and items."""
        match target:
            case ast.Name(id=name):
                scope = self.scope
                if name in self._shared[-1]:
                    while scope.outer is not None and name not in scope.names:
                        scope = scope.outer
                scope.names[name] = value
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for inner, item in zip(
                    targets, expressions.unpacked(value, len(targets)), strict=True
                ):
                    self.assign(inner, item)
            case ast.Starred(value=inner):
                self.assign(inner, container([], rest=value))
            case ast.Subscript():
                selection.store(self, target, value)
            case ast.Attribute():
                selection.store_attribute(self, target, value)

    def _expression(self, tree: ast.expr) -> None:
        # The value of a bare expression is shown at most, unless the call does something.
        match tree:
            case ast.Call(func=ast.Attribute(attr=name)) if name not in ACTS:
                self._quietly(tree)
            case ast.Call() | ast.Yield() | ast.YieldFrom() | ast.Await() | ast.NamedExpr():
                self.value(tree)
            case _:
                self._quietly(tree)

    def _quietly(self, tree: ast.expr) -> None:
        self.quiet += 1
        self.value(tree)
        self.quiet -= 1

    def _branch(
        self, test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]
    ) -> bool:
        self.value(test)
        known = expressions.truth(self, test)
        if known is not None:
            return self.statements(body if known else orelse)
        before = dict(self.scope.names)
        ended = self.statements(body)
        after = self.scope.names
        self.scope.names = before
        ended_too = self.statements(orelse)
        if ended_too and not ended:
            self.scope.names = after
        elif not ended:
            self._put_together(after)
        return ended and ended_too

    def _put_together(self, other: dict[str, Value]) -> None:
        here = self.scope.names
        for name, value in other.items():
            here[name] = either(here[name], value) if name in here else value

    def _loop(self, tree: ast.For | ast.AsyncFor) -> None:
        values = self.value(tree.iter)
        items = expressions.unrolled(values, UNROLLED)
        passes = [expressions.element(values)] * 2 if items is None else items
        self.split_loops += values.kind == "folds"
        for item in passes:
            self.assign(tree.target, item)
            self.statements(tree.body)
        self.split_loops -= values.kind == "folds"
        self.statements(tree.orelse)

    def _attempt(
        self,
        body: Sequence[ast.stmt],
        handlers: Sequence[ast.ExceptHandler],
        orelse: Sequence[ast.stmt],
    ) -> None:
        before = dict(self.scope.names)
        self.statements(body)
        self.statements(orelse)
        for handler in handlers:
            after, self.scope.names = self.scope.names, dict(before)
            ended = self.statements(handler.body)
            if ended:
                self.scope.names = after
            else:
                self._put_together(after)

    def _class(self, name: str, body: Sequence[ast.stmt]) -> None:
        # Methods are walked at the end, with arguments that are not known.
        for tree in body:
            if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
                self.define(tree)
        self.scope.names[name] = Value()
