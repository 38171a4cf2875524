"""The options of a run, once for the command line and the magics."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.run import RUNS
from mlestar_jupyter.settings import AGENTS, SANDBOXES, Settings, parse_bytes, parse_seconds
from mlestar_jupyter.task import Overrides


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one line, no usage page, no exit.

    Options are written out: ``--time`` must not be taken for ``--time-column``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Raise SettingsError instead of leaving the process."""
        raise SettingsError(f"{message}; see {self.prog} --help")


def seconds(text: str) -> float:
    """An argument such as 90s, 5m or 1h30m."""
    try:
        return parse_seconds(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def size(text: str) -> int:
    """An argument such as 512M or 4G."""
    try:
        return parse_bytes(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def dollars(text: str) -> float:
    """An argument such as 2, 0.50 or $2."""
    try:
        return float(text.strip().removeprefix("$"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"cannot read the amount {text!r}; write dollars, for example 2 or 0.50"
        ) from None


def price(text: str) -> tuple[str, list[float]]:
    """An argument such as NAME=0.30,2.50: dollars for a million tokens, in and out."""
    model, is_given, amounts = text.rpartition("=")
    try:
        found = [float(amount) for amount in amounts.split(",")]
        if not is_given or not model.strip() or len(found) not in (2, 3):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"cannot read the price {text!r}; write NAME=IN,OUT or NAME=IN,OUT,CACHED in dollars "
            f"for a million tokens, for example my-model=0.30,2.50"
        ) from None
    return model.strip(), found


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """What the user may say about the task; all of it is inferred where it is left out."""
    group = parser.add_argument_group("the task (inferred where left out)")
    group.add_argument("--target", metavar="COLUMN", help="the column to predict")
    group.add_argument("--metric", metavar="NAME", help="for example rmse, mae, auc, accuracy")
    group.add_argument("--id", dest="id_column", metavar="COLUMN", help="the column of row ids")
    group.add_argument("--kind", choices=["regression", "binary", "multiclass"])
    group.add_argument("--positive-class", metavar="LABEL")
    group.add_argument("--group", metavar="COLUMN", help="its rows stay together in a fold")
    group.add_argument("--time-column", metavar="COLUMN", help="validation lies after training")
    group.add_argument(
        "--self-scored", action="store_true", help="the notebook prints its own score"
    )
    group.add_argument(
        "--direction", choices=["maximize", "minimize"], help="of a self-scored task's score"
    )


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """How to search; the defaults are those of Settings."""
    group = parser.add_argument_group("the search")
    whole = (
        ("--jobs", "jobs", "candidates side by side"),
        ("--seed", "seed", "of everything that is random"),
        ("--models", "models", "models to begin with (M)"),
        ("--outer", "outer_steps", "ablation and target block, so many times (T)"),
        ("--inner", "inner_steps", "plans tried on one target block (K)"),
        ("--solutions", "solutions", "solutions refined in parallel (L)"),
        ("--ensemble-rounds", "ensemble_rounds", "plans to combine them (R)"),
        ("--debug-rounds", "debug_rounds", "corrections of one candidate"),
        ("--folds", "folds", "folds of the validation; 1 is a hold-out"),
    )
    group.add_argument("--time", type=seconds, metavar="TIME", help="hard limit, e.g. 90s, 5m")
    for option, name, text in whole:
        group.add_argument(option, dest=name, type=int, metavar="N", help=text)
    group.add_argument("--sealed", type=float, metavar="SHARE", help="rows kept for `unseal`")
    group.add_argument("--holdout", type=float, metavar="SHARE", help="rows held out, one fold")
    group.add_argument("--acceptance", type=float, metavar="P", help="probability of being better")
    group.add_argument("--paper-rule", action="store_true", help="accept any gain, as the paper")
    group.add_argument("--candidate-time", type=seconds, metavar="TIME", help="of one execution")
    group.add_argument("--from", dest="start", metavar="FILE", help="your notebook to begin with")
    group.add_argument("--step", action="store_true", help="wait for you after each outer step")
    group.add_argument(
        "--no-reproduce", action="store_true", help="do not execute the result again"
    )
    add_execution_options(parser)
    add_agents_options(parser)


def add_execution_options(parser: argparse.ArgumentParser) -> None:
    """How candidates are executed."""
    group = parser.add_argument_group("the execution (docs/execution.md)")
    group.add_argument("--memory", type=size, metavar="SIZE", help="of one execution, e.g. 4G")
    group.add_argument(
        "--sandbox", choices=SANDBOXES, help="auto: enclose candidates as far as can be"
    )
    group.add_argument("--dask", metavar="ADDRESS", help="execute on the workers of a cluster")
    group.add_argument(
        "--no-warm-kernels", action="store_true", help="start each kernel from nothing"
    )
    group.add_argument("--no-reuse", action="store_true", help="execute unchanged cells again")
    group.add_argument("--no-early-stop", action="store_true", help="finish every candidate")


def add_agents_options(parser: argparse.ArgumentParser) -> None:
    """Who proposes solutions; all but the first are for language models."""
    group = parser.add_argument_group("the agents (docs/llm.md)")
    group.add_argument(
        "--agents", choices=AGENTS, metavar="NAME", help=f"the cast: {', '.join(AGENTS)}"
    )
    group.add_argument("--cost", type=dollars, metavar="DOLLARS", help="hard limit of what is paid")
    group.add_argument(
        "--model", action="append", dest="models_named", metavar="[ROLE=]NAME",
        help="the model that is asked, of all roles or of one; may be given again",
    )  # fmt: skip
    group.add_argument("--temperature", type=float, metavar="T", help="0 to 2")
    group.add_argument("--thinking", type=int, metavar="TOKENS", help="thought in a call; 0: none")
    group.add_argument("--calls-at-once", type=int, metavar="N", help="calls in flight")
    group.add_argument("--calls-per-minute", type=int, metavar="N", help="for keys that allow few")
    group.add_argument("--call-time", type=seconds, metavar="TIME", help="limit of one call")
    group.add_argument("--no-examples", action="store_true", help="no values of the data are sent")
    group.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible server's address")
    group.add_argument("--replay", metavar="RUN", help="use its recorded replies, and no network")
    group.add_argument(
        "--price", type=price, action="append", metavar="NAME=IN,OUT[,CACHED]",
        help="dollars for a million tokens of a model",
    )  # fmt: skip
    group.add_argument(
        "--dry-run", action="store_true", help="say what to expect of calls and money, and stop"
    )


def to_overrides(values: Mapping[str, Any]) -> Overrides:
    """The task options of parsed arguments."""
    direction = values.get("direction")
    kind: Any = "self-scored" if values.get("self_scored") else values.get("kind")
    return Overrides(
        target=values.get("target"),
        id_column=values.get("id_column"),
        metric=values.get("metric"),
        kind=kind,
        positive_class=values.get("positive_class"),
        group=values.get("group"),
        time=values.get("time_column"),
        greater_is_better=None if direction is None else direction == "maximize",
    )


def to_settings(values: Mapping[str, Any], defaults: Settings | None = None) -> Settings:
    """The settings of parsed arguments, over the defaults."""
    defaults = defaults or Settings()
    names = (
        "jobs", "seed", "models", "outer_steps", "inner_steps", "solutions", "ensemble_rounds",
        "debug_rounds", "folds", "sealed", "holdout", "acceptance", "agents", "start", "cost",
        "temperature", "thinking", "calls_at_once", "calls_per_minute", "endpoint",
        "memory", "sandbox", "dask",
    )  # fmt: skip
    changes = {name: values[name] for name in names if values.get(name) is not None}
    if "dask" in changes and defaults.jobs == Settings().jobs:
        changes.setdefault("jobs", 0)  # what suits this machine says nothing of a cluster
    if values.get("time") is not None:
        changes["seconds"] = values["time"]
    if values.get("candidate_time") is not None:
        changes["candidate_seconds"] = values["candidate_time"]
    if values.get("paper_rule"):
        changes["acceptance"] = None
    for name in ("reproduce", "warm_kernels", "reuse", "early_stop"):
        if values.get(f"no_{name}"):
            changes[name] = False
    if values.get("step"):
        changes["step"] = True
    if values.get("call_time") is not None:
        changes["call_seconds"] = values["call_time"]
    if values.get("no_examples"):
        changes["examples"] = False
    if values.get("price"):
        changes["prices"] = {**defaults.prices, **dict(values["price"])}
    if values.get("replay") is not None:
        from mlestar_jupyter.agents.llm.recording import find_replay

        changes["replay"] = str(find_replay(values["replay"], RUNS))
    changes.update(_models(values.get("models_named") or (), defaults))
    settings = defaults.replace(**changes)
    named = {"models_named": "--model", "endpoint": "--endpoint", "replay": "--replay"}
    useless = next((option for name, option in named.items() if values.get(name)), None)
    if settings.agents == "playbook" and useless is not None:
        raise SettingsError(
            f"{useless} is for language models, and the agents are the playbook; "
            f"add --agents gemini or --agents openai"
        )
    return settings


def _models(named: Sequence[str], defaults: Settings) -> dict[str, Any]:
    """The models of ``--model NAME`` and ``--model ROLE=NAME``."""
    changes: dict[str, Any] = {}
    roles = dict(defaults.role_models)
    for text in named:
        role, is_of_role, model = text.partition("=")
        if is_of_role:
            roles[role.strip()] = model.strip()
        else:
            changes["model"] = text.strip()
    if roles != defaults.role_models:
        changes["role_models"] = roles
    return changes
