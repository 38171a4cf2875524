"""What a run has cost in plain text: time by stage, calls, tokens and money by role and model."""

from __future__ import annotations

from collections.abc import Sequence

from mlestar_jupyter import report
from mlestar_jupyter.notebook.markdown import one_line
from mlestar_jupyter.reading import ROLE_WORDS, Calls, Cost, cost
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import format_seconds
from mlestar_jupyter.spending import Spending, change_words, counted

#: So many candidates are listed with what they cost.
DEAREST = 5
#: Heads of a table of spending.
SPENDING_HEADS = (
    "calls", "failed", "retries", "replayed", "input", "cached", "output", "thoughts", "money",
)  # fmt: skip


def text(run: Run, width: int | None = None) -> str:
    """All of it: facts, then the tables that there is something in."""
    spent = cost(run)
    parts = [report.pairs(facts(run, spent), width)]
    rows = [
        [
            s.stage, str(s.candidates), str(s.scored), str(s.executions),
            format_seconds(s.seconds), f"{s.share:4.0%} {'█' * round(20 * s.share)}",
        ]
        for s in spent.stages
    ]  # fmt: skip
    if rows:
        heads = ["stage", "candidates", "scored", "executions", "time", "share"]
        parts.append(report.table(heads, rows))
    longest = [
        [c.id, c.stage, c.block or "", format_seconds(c.seconds),
         one_line(c.plan or c.solution.title or c.stage, 60)]
        for c in spent.dearest
    ]  # fmt: skip
    if longest:
        table = report.table(["id", "stage", "block", "time", "what"], longest)
        parts.append(f"took longest\n{table}")
    for title, first, found in groups(spent.calls):
        table = report.table([first, *SPENDING_HEADS], [[n, *cells(s)] for n, s in found])
        parts.append(f"{title}\n{table}")
    return "\n\n".join(parts)


def facts(run: Run, spent: Cost) -> list[tuple[str, str]]:
    """Clock, executions, and what language models have cost, if any were asked."""
    clock = f"{format_seconds(spent.elapsed)} of {format_seconds(spent.limit)}"
    many = f", in {spent.sessions} sessions" if spent.sessions > 1 else ""
    rows = [
        ("time", clock + many),
        (
            "executions",
            f"{spent.executions}, {format_seconds(spent.seconds)} of work in all "
            f"(up to {run.settings.jobs} side by side)",
        ),
    ]
    total = spent.calls.total
    if not total.is_none:
        rows.append(("agents", f"{run.settings.agents}: {total.words(spent.money_limit)}"))
        if total.calls:
            waited = f"{format_seconds(total.seconds)} in calls"
            rows.append(("", f"{waited}, {counted(total.retries, 'retry', 'retries')}"))
    rows += [("cast changed", change_words(change)) for change in spent.calls.changes]
    return rows


def groups(found: Calls) -> list[tuple[str, str, Sequence[tuple[str, Spending]]]]:
    """Tables of spending that there is something in: title, first head, names with spending."""
    roles = [(ROLE_WORDS.get(role, role), spent) for role, spent in found.roles]
    tables = [
        ("by role", "role", roles),
        ("by model", "model", found.models),
        ("dearest candidates", "id", found.candidates[:DEAREST]),
    ]
    return [table for table in tables if table[2]]


def cells(spent: Spending) -> list[str]:
    """One row of a table of spending."""
    numbers = (
        spent.calls, spent.failed, spent.retries, spent.replayed,
        spent.prompt, spent.cached, spent.output, spent.thoughts,
    )  # fmt: skip
    return [*(f"{number:,}" for number in numbers), spent.money_words()]
