"""Settings of a run. The paper's letters (M, T, K, L, R) appear here and nowhere else."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlestar_jupyter.errors import SettingsError

#: The casts that can be asked for. Those named ``-only`` never go over to the playbook.
AGENTS = ("playbook", "gemini", "gemini-only", "openai", "openai-only")
#: What is said of candidates that nothing encloses, with more words to come.
NOT_ISOLATED = "not isolated: candidates run with your rights"
#: Whether candidates are enclosed.
SANDBOXES = ("auto", "off")
#: The roles of a cast, each of which may have a model of its own.
ROLES = (
    "retrieve", "initialize", "merge", "ablate", "summarize", "extract", "plan", "code",
    "plan_ensemble", "ensemble", "debug", "check_leakage", "check_data_usage", "finalize",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a user may set. The defaults are the paper's, under a budget of time.

    ``seconds`` is the hard limit of the whole run, from start to finished notebook.
    ``acceptance`` is the probability of being better that a candidate needs to replace the
    incumbent; None is the paper's rule, any strict gain in the point score.
    """

    models: int = 4  # M: models that the retriever gives
    outer_steps: int = 4  # T: ablation, target block, inner loop
    inner_steps: int = 4  # K: plans tried on one target block
    solutions: int = 2  # L: solutions refined in parallel and then combined
    ensemble_rounds: int = 5  # R: plans to combine them
    seconds: float = 600.0
    jobs: int = 0  # 0: 2, or as many as the workers of a cluster take
    seed: int = 0
    agents: str = "playbook"
    acceptance: float | None = 0.7
    debug_rounds: int = 3
    folds: int | None = None  # None: by the number of rows and the time, see Validation
    holdout: float = 0.2  # share of rows held out where there is a single fold
    sealed: float = 0.0  # share of rows that no choice and no fit may use
    candidate_seconds: float | None = None  # limit of one execution; None: a share of the time
    bootstrap: int = 200  # resamples behind a spread and behind acceptance
    start: str | None = None  # the user's own notebook or script as a first solution
    step: bool = False  # wait for the user before each outer step, and before the ensemble
    reproduce: bool = True  # execute the finished notebook again before it is delivered
    # How candidates are executed.
    memory: int | None = None  # bytes that one execution may use; None: a share of the machine's
    sandbox: str = "auto"  # "auto": enclose candidates as far as the platform can; or "off"
    warm_kernels: bool = True  # fork kernels from a server that has imported what they need
    reuse: bool = True  # begin with a snapshot of cells that were executed before
    early_stop: bool = True  # end a candidate that is almost surely worse after its first folds
    dask: str | None = None  # address of a Dask scheduler whose workers execute candidates
    # The rest is for casts of language models.
    cost: float | None = None  # hard limit of what the run pays for them, in dollars
    model: str | None = None  # None: the cast's own default
    role_models: dict[str, str] = field(default_factory=dict)  # other models, by role
    temperature: float | None = None  # None: the model's own default
    thinking: int | None = None  # tokens that a model may think in a call; None: as it likes
    calls_at_once: int = 4  # calls in flight
    calls_per_minute: int | None = None  # None: no limit of ours
    call_seconds: float = 120.0  # limit of one call
    examples: bool = True  # tell models a few values of each column
    prices: dict[str, list[float]] = field(default_factory=dict)  # dollars a million tokens
    endpoint: str | None = None  # base address of an OpenAI-compatible server
    replay: str | None = None  # a run whose recorded replies are used, and no network

    @property
    def jobs_here(self) -> int:
        """Jobs on this machine: those of a run may be a cluster's."""
        return max(1, min(self.jobs, os.cpu_count() or 1))

    @property
    def threads_here(self) -> int:
        """Threads of each job on this machine: its cores, shared out."""
        return (os.cpu_count() or 1) // self.jobs_here

    def __post_init__(self) -> None:
        if self.jobs == 0 and self.dask is None:
            object.__setattr__(self, "jobs", 2)
        for name in ("models", "solutions", "bootstrap"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in (
            "outer_steps", "inner_steps", "ensemble_rounds", "debug_rounds", "seed", "jobs",
        ):  # fmt: skip
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.seconds < 10:
            raise SettingsError(f"time must be at least 10s, not {self.seconds:g}s")
        if self.candidate_seconds is not None and self.candidate_seconds < 5:
            raise SettingsError(
                f"candidate-time must be at least 5s, not {self.candidate_seconds:g}s"
            )
        if self.acceptance is not None and not 0.5 <= self.acceptance < 1:
            raise SettingsError(f"acceptance must lie in [0.5, 1), not {self.acceptance}")
        if self.folds is not None and not 1 <= self.folds <= 9:
            raise SettingsError(f"folds must lie in 1 to 9, not {self.folds}")
        if not 0.05 <= self.holdout <= 0.5:
            raise SettingsError(f"holdout must lie in 0.05 to 0.5, not {self.holdout}")
        if self.sealed and not 0.05 <= self.sealed <= 0.5:
            raise SettingsError(f"sealed must be 0 or lie in 0.05 to 0.5, not {self.sealed}")
        if self.memory is not None and self.memory < 2**28:
            raise SettingsError(f"memory must be at least 256M, not {self.memory / 2**20:.0f}M")
        if self.sandbox not in SANDBOXES:
            raise SettingsError(f"sandbox must be auto or off, not {self.sandbox!r}")
        self._check_models()

    def _check_models(self) -> None:
        """What is said of language models; SettingsError in one line."""
        if self.cost is not None and not 0 < self.cost < math.inf:
            raise SettingsError(
                f"cost must be more than 0 dollars, not {self.cost:g}; leave it out for no limit, "
                f"or take --agents playbook, which costs nothing"
            )
        if self.calls_at_once < 1:
            raise SettingsError(f"calls-at-once must be at least 1, not {self.calls_at_once}")
        if self.calls_per_minute is not None and self.calls_per_minute < 1:
            raise SettingsError(f"calls-per-minute must be at least 1, not {self.calls_per_minute}")
        if self.call_seconds < 5:
            raise SettingsError(f"call-time must be at least 5s, not {self.call_seconds:g}s")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise SettingsError(f"temperature must lie in 0 to 2, not {self.temperature:g}")
        if self.thinking is not None and self.thinking < 0:
            raise SettingsError(f"thinking must be 0 tokens or more, not {self.thinking}")
        if self.model is not None and not self.model.strip():
            raise SettingsError("model must be a name; write for example --model gemini-2.5-flash")
        for role, model in self.role_models.items():
            if role not in ROLES:
                near = difflib.get_close_matches(role, ROLES, 1, 0.5)
                hint = f"did you mean {near[0]}? " if near else ""
                raise SettingsError(f"unknown role {role!r}; {hint}roles are {', '.join(ROLES)}")
            if not model.strip():
                raise SettingsError(f"no model is named for {role}; write --model {role}=NAME")
        for model, price in self.prices.items():
            if len(price) not in (2, 3) or not all(0 <= p < math.inf for p in price):
                raise SettingsError(
                    f"the price of {model} must be dollars for a million tokens of input, output "
                    f"and, if you like, cached input: --price {model}=0.30,2.50,0.03"
                )
        if self.endpoint is not None and not re.match(r"https?://[^\s/]", self.endpoint):
            raise SettingsError(
                f"endpoint must be an address such as http://localhost:11434/v1, "
                f"not {self.endpoint!r}"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """The inverse of ``to_json``; settings of a newer version are an error that names them."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise SettingsError(
                f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}"
            )
        return cls(**data)

    def replace(self, **changes: Any) -> Settings:
        """The same settings with these changed."""
        return Settings.from_json({**self.to_json(), **changes})


_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_seconds(text: str | float) -> float:
    """``90``, ``90s``, ``5m``, ``1h30m`` as seconds; SettingsError for anything else."""
    if isinstance(text, int | float):
        return float(text)
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        return float(compact)
    parts = re.findall(r"(\d+(?:\.\d+)?)(sec|min|s|m|h|d)", compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise SettingsError(f"cannot read the time {text!r}; write for example 90s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_bytes(text: str | int) -> int:
    """``512M``, ``4G``, ``4GiB`` or a number of bytes; SettingsError for anything else."""
    if isinstance(text, int):
        return text
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?", text.strip().lower().replace(" ", ""))
    if found is None:
        raise SettingsError(f"cannot read the size {text!r}; write for example 512M or 4G")
    return int(float(found[1]) * _SIZES[found[2]])


def format_seconds(seconds: float) -> str:
    """``42s``, ``5m 03s`` or ``1h 05m``, for people."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
