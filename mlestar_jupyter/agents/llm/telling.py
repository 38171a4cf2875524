"""What every prompt says of the task: the user's words, the form to fill, time, tools, the data.

Nothing here depends on the clock, on paths of this machine, or on the order in which branches
happen to work, so that a question is recognised when it is asked again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping

from mlestar_jupyter.agents.llm import packages
from mlestar_jupyter.agents.llm.fences import material
from mlestar_jupyter.interfaces import Brief
from mlestar_jupyter.profile import Column
from mlestar_jupyter.task import Task

#: Up to so many columns of a table are told one by one.
MOST_COLUMNS = 80
#: Up to so many side tables are told with their columns, and so many other files by name.
MOST_TABLES, MOST_FILES = 8, 30
#: The share of the time that one run may take which it had better take.
QUICK = 0.2
#: Up to so many classes are named.
MOST_CLASSES = 60


def task(brief: Brief, parameters: Mapping[str, str | int], *, examples: bool) -> str:
    """All of it, as the beginning of each prompt. ``parameters`` are those of an execution.

    Without ``examples`` no value of a row is told, and no file by its name in a folder of pictures.
    """
    task = brief.task
    parts = ["# The task", description(task)]
    if task.is_self_scored:
        parts.append(_self_scored(task))
    else:
        parts += [_form(task), _folds(task)]
    parts += [tools(brief), "# The data", data(task, parameters, examples=examples)]
    return "\n\n".join(part for part in parts if part)


def description(task: Task) -> str:
    """What the user says of the task."""
    text = task.description.strip() or "(none was given: go by the data)"
    return material("the user's description of the task", text)


def duration(seconds: float) -> str:
    """A duration in the one form that does not count when a question is recognised."""
    return f"{seconds:.1f} s"


def tools(brief: Brief) -> str:
    """Time, threads and packages."""
    gpu = "none"
    if shutil.which("nvidia-smi"):
        gpu = "perhaps; use it if torch.cuda.is_available() says so"
    most = min(brief.seconds, brief.limit / 2)
    return "\n".join(
        [
            "# Time and tools",
            "",
            f"- Aim at about {duration(QUICK * most)} for one run, imports included: "
            f"what is quick lets more be tried. More than {duration(most)} is "
            f"too slow, and at twice that a run is ended and lost.",
            f"- Threads: {brief.threads}. GPU: {gpu}.",
            f"- Installed: {packages.installed()}. Of what is not listed here, only the standard "
            f"library may be imported.",
        ]
    )


def _self_scored(task: Task) -> str:
    metric = task.metric
    return (
        f"This task cannot be graded by rows. The notebook finds its files under `data_dir`, "
        f"validates itself, and its last block prints one line in exactly this form:\n\n"
        f"    Final Validation Performance: <number>\n\n"
        f"The number is {metric.name} ({metric.direction}), measured honestly on data that nothing "
        f"was fitted on. There are no train_path, test_path and sample_path."
    )


def _form(task: Task) -> str:
    metric = task.metric
    kind = f"{task.kind} with {len(task.classes)} classes" if task.classes else task.kind
    lines = [
        "# What is to be written",
        "",
        f"- Kind: {kind}. Metric: {metric.name} ({metric.direction}).",
        f"- Target: the column {task.target!r} of train.",
        f"- Columns of predictions_path: {_names(task.sample_columns)}. {_cells(task)}",
    ]
    if task.id_column in task.sample_columns:
        lines.append(f"- {task.id_column!r} is the id: take it from the form, row by row.")
    else:
        lines.append("- There is no id: row n of the form belongs to row n of test.")
    if task.classes:
        shown = ", ".join(repr(_plain(label)) for label in task.classes[:MOST_CLASSES])
        more = ", ..." if len(task.classes) > MOST_CLASSES else ""
        lines.append(f"- Classes, as train writes them: {shown}{more}.")
    if task.train_only:
        lines.append(f"- Test lacks these columns of train: {_names(task.train_only)}.")
    return "\n".join(lines)


def _cells(task: Task) -> str:
    columns = _names(task.target_columns)
    match task.metric.needs:
        case "value":
            return f"{columns} holds numbers."
        case "label":
            return f"{columns} holds labels, as train writes them (no probabilities)."
        case "ranking":
            return f"{columns} holds up to 3 labels, the likeliest first, separated by a space."
        case "probability" if task.kind == "binary":
            label = repr(_plain(task.positive_class))
            return f"{columns} holds the probability of {label}, between 0 and 1."
        case _:
            return (
                f"{columns} hold the probability of the class of that name; "
                f"those of a row sum to 1."
            )


def _folds(task: Task) -> str:
    if task.group is not None:
        rule = (
            f"whole groups: the rows of one {task.group!r} are never in both parts. Split train "
            f"inside in the same way (GroupKFold or GroupShuffleSplit by {task.group!r})"
        )
    elif task.time is not None and task.block_days:
        rule = (
            f"in blocks of {task.block_days} days of {task.time!r} that are held out as a whole. "
            f"Split train inside in the same way (groups of {task.block_days} days)"
        )
    elif task.time is not None:
        rule = (
            f"in time: what is held out lies after all training rows by {task.time!r}, as the real "
            f"test does. Split train inside in the same way (the latest rows are held out)"
        )
    elif task.classes:
        rule = "at random, stratified by class. Split train inside in the same way"
    else:
        rule = "at random. Split train inside in the same way"
    return f"Our folds are cut {rule}."


def data(task: Task, parameters: Mapping[str, str | int], *, examples: bool) -> str:
    """A compact profile of the columns, the side tables and the files."""
    profile = task.profile
    lines: list[str] = []
    if not task.is_self_scored:
        lines += [
            f"{name}: {_format(str(parameters[name]))}" for name in ("train_path", "test_path")
        ]
        lines.append(f"train has {profile.rows:,} rows in all, the real test {profile.test_rows:,}")
        lines += ["", "columns of train and test (beside the target):"]
        if task.id_column in task.features and task.id_column not in profile.columns:
            lines.append(f"- {task.id_column!r}: the id")
        lines += columns(profile.columns, examples=examples)
    for table in profile.tables[:MOST_TABLES]:
        lines += ["", f"data_dir/{table.path}: {table.rows:,} rows"]
        for pairs in table.joins[:3]:
            joined = " and ".join(f"{ours!r} = {theirs!r}" for ours, theirs in pairs)
            one = "one row at most" if table.one_row else "several rows: aggregate them"
            lines.append(f"can be joined by (train = this table) {joined}: {one}")
        lines += columns(table.columns, examples=examples)
    if profile.image_column:
        folder = "" if profile.image_folder in (None, ".") else f"{profile.image_folder}/"
        lines += ["", f"pictures: data_dir/{folder} + the value of {profile.image_column!r}"]
    lines += _files(task, examples=examples)
    return material("profile of the data", "\n".join(lines), most=24_000)


def columns(known: Mapping[str, Column], *, examples: bool) -> list[str]:
    """A line for each column, and one for those that are too many."""
    lines = [_column(column, examples=examples) for column in list(known.values())[:MOST_COLUMNS]]
    rest = list(known.values())[MOST_COLUMNS:]
    if rest:
        kinds: dict[str, int] = {}
        for column in rest:
            kinds[column.kind] = kinds.get(column.kind, 0) + 1
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        lines.append(f"- and {len(rest)} more, {rest[0].name!r} to {rest[-1].name!r}: {counts}")
    return lines


def _column(column: Column, *, examples: bool) -> str:
    kind = "whole numbers" if column.kind == "numeric" and column.whole else column.kind
    facts = [kind, f"{column.distinct:,} distinct"]
    if column.missing > 0:
        facts.append(f"{100 * column.missing:.2g} % missing")
    if column.low is not None and column.high is not None:
        facts.append(f"{column.low:.5g} to {column.high:.5g}")
    if column.kind == "text":
        facts.append(f"{column.words:.0f} words on average")
    if examples and column.examples:
        shown = ", ".join(repr(example) for example in column.examples)
        facts.append(f"e.g. {shown}")
    return f"- {column.name!r}: {'; '.join(facts)}"


def _files(task: Task, *, examples: bool) -> list[str]:
    told = {table.path for table in task.profile.tables[:MOST_TABLES]}
    folders: dict[str, list[str]] = {}
    for file in task.source.files:
        if file not in told:
            folders.setdefault(file.rpartition("/")[0], []).append(file)
    lines = ["", "other files in data_dir:"] if folders else []
    for folder, files in sorted(folders.items()):
        if folder and (len(files) > MOST_FILES or not examples):
            suffixes = sorted({f".{f.rpartition('.')[2]}" for f in files if "." in f})
            lines.append(f"- {folder}/: {len(files):,} files ({', '.join(suffixes[:5])})")
        else:
            lines += [f"- {file}" for file in sorted(files)[:MOST_FILES]]
            if len(files) > MOST_FILES:
                lines.append(f"- and {len(files) - MOST_FILES} more")
    return lines


def _format(name: str) -> str:
    readers = {".parquet": "Parquet, pd.read_parquet", ".tsv": 'TSV, pd.read_csv(..., sep="\\t")'}
    return next((r for suffix, r in readers.items() if name.endswith(suffix)), "CSV, pd.read_csv")


def _names(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in names)


def _plain(label: object) -> object:
    return label.item() if hasattr(label, "item") else label
