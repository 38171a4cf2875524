"""What a run has cost, or may cost, in plain text: time, calls, tokens and money."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlestar_jupyter import report
from mlestar_jupyter.notebook.markdown import one_line
from mlestar_jupyter.reading import ROLE_WORDS, Calls, Cost, cost
from mlestar_jupyter.run import Run
from mlestar_jupyter.settings import Settings, format_seconds
from mlestar_jupyter.spending import Spending, change_words, counted, dollars
from mlestar_jupyter.task import Task

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


def expected(task: Task, settings: Settings) -> str:
    """What to expect of a run with these settings, as ranges. Nothing is asked."""
    latest = f"the run ends after {format_seconds(settings.seconds)} at the latest"
    if settings.agents == "playbook":
        return f"the playbook asks no language model: nothing is paid; {latest}"
    from mlestar_jupyter.agents.llm import prices
    from mlestar_jupyter.agents.llm.estimate import CALL_SECONDS, CANDIDATE_SECONDS, estimate

    found = estimate(task, settings)
    rows = [
        [
            ROLE_WORDS.get(role.role, role.role), role.model, _span(role.calls),
            _span(role.prompt), _span(role.output), _money_span(role.money),
        ]
        for role in found.roles
    ]  # fmt: skip
    facts = [
        ("agents", report.agents_words(settings)),
        ("calls", _span(found.calls)),
        ("tokens", _span(found.tokens)),
        ("money", _money_words(found.money, found.unpriced, settings)),
        (
            "time",
            f"{_span(found.seconds, format_seconds)} in calls, "
            f"{settings.calls_at_once} at once at most; {latest}",
        ),
        (
            "reckoned with",
            f"{CALL_SECONDS[0]:g} to {CALL_SECONDS[1]:g} s for a call, {CANDIDATE_SECONDS[0]:g} to "
            f"{CANDIDATE_SECONDS[1]:g} s for a candidate, and our prices of {prices.AS_OF}: prices "
            f"change, set yours with --price. What searches cost is not counted",
        ),
    ]
    heads = ["role", "model", "calls", "input tokens", "output tokens", "money"]
    return (
        f"{report.pairs(facts)}\n\n{report.table(heads, rows)}\n\nnothing was asked, no run begun"
    )


def _money_words(
    money: tuple[float, float] | None, unpriced: Sequence[str], settings: Settings
) -> str:
    if settings.replay is not None:
        return "nothing: replies are replayed"
    if money is None:
        models = ", ".join(unpriced)
        return f"unknown: the price of {models} is not known; give it with --price NAME=IN,OUT"
    if settings.cost is None:
        return f"{_money_span(money)}; no limit is set, --cost DOLLARS sets one"
    limit = f"the limit is {dollars(settings.cost)}"
    if money[1] > settings.cost:
        return f"{_money_span(money)}; {limit}, and the run lands when it is reached"
    return f"{_money_span(money)}; {limit}"


def _money_span(money: tuple[float, float] | None) -> str:
    return "unknown" if money is None else _span(money, lambda m: dollars(float(f"{m:.2g}")))


def _about(number: float) -> str:
    """A guess in two digits: more would say that we know it."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _span(span: tuple[float, float], words: Callable[[float], str] = _about) -> str:
    low, high = (words(end) for end in span)
    return low if low == high else f"{low} to {high}"
