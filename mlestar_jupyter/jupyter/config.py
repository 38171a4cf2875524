"""``%config MLEStar``: the defaults of this notebook's runs."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Dict, Enum, Float, Int, TraitError, Unicode, observe, validate
from traitlets.config import Configurable

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.settings import AGENTS, SANDBOXES, Settings, parse_bytes, parse_seconds


class MLEStar(Configurable):
    """Defaults for ``%%mlestar``; what is said in a cell goes before them."""

    time = Unicode("10m", help="hard limit of a run, such as 90s, 5m or 1h30m").tag(config=True)
    jobs = Int(2, min=1, help="candidates executed side by side").tag(config=True)
    seed = Int(0, min=0, help="of everything that is random").tag(config=True)
    agents = Enum(AGENTS, "playbook", help=f"the cast: {', '.join(AGENTS)}").tag(config=True)
    acceptance = Float(
        0.7, min=0.5, max=0.99, help="probability of being better that a candidate needs"
    ).tag(config=True)
    step = Bool(False, help="wait for you after each outer step").tag(config=True)
    background = Bool(False, help="give the kernel back at once").tag(config=True)
    reproduce = Bool(True, help="execute the finished notebook again").tag(config=True)
    memory = Unicode("", help="of one execution, e.g. 4G; '' for a share").tag(config=True)
    sandbox = Enum(SANDBOXES, "auto", help="enclose candidates, or off").tag(config=True)
    warm_kernels = Bool(True, help="fork kernels from a warm server").tag(config=True)
    reuse = Bool(True, help="begin with snapshots of unchanged cells").tag(config=True)
    early_stop = Bool(True, help="end candidates that are almost surely worse").tag(config=True)
    dask = Unicode("", help="address of a Dask scheduler; '' for this machine").tag(config=True)
    cost = Float(None, allow_none=True, help="hard limit of what a run pays, in dollars").tag(
        config=True
    )
    model = Unicode("", help="the language model; '' for the cast's own default").tag(config=True)
    role_models = Dict(help="other models by role, such as {'plan': 'NAME'}").tag(config=True)
    temperature = Float(None, allow_none=True, help="of the model, 0 to 2").tag(config=True)
    thinking = Int(None, allow_none=True, help="tokens thought in a call").tag(config=True)
    calls_at_once = Int(4, min=1, help="calls in flight").tag(config=True)
    calls_per_minute = Int(None, allow_none=True, help="limit for small keys").tag(config=True)
    call_time = Unicode("2m", help="limit of one call").tag(config=True)
    examples = Bool(True, help="tell models a few values of each column").tag(config=True)
    endpoint = Unicode("", help="an OpenAI-compatible server's address").tag(config=True)
    prices = Dict(help="dollars for a million tokens: {'NAME': [in, out, cached]}").tag(config=True)

    @validate("time", "call_time")
    def _check_time(self, proposal: Any) -> str:
        try:
            parse_seconds(proposal["value"])
        except SettingsError as error:
            raise TraitError(str(error)) from error
        return str(proposal["value"])

    @observe("memory", "cost", "role_models", "temperature", "thinking", "calls_per_minute",
             "call_time", "endpoint", "prices")  # fmt: skip
    def _check(self, change: Any) -> None:
        """A value that no run could have is refused at once, and the one before stays."""
        try:
            self.settings()
        except SettingsError as error:
            self.set_trait(change["name"], change["old"])
            raise TraitError(str(error)) from error

    def settings(self) -> Settings:
        """These defaults as settings of a run."""
        return Settings(
            seconds=parse_seconds(self.time),
            jobs=0 if self.dask and self.jobs == Settings().jobs else self.jobs,
            seed=self.seed,
            agents=self.agents,
            acceptance=self.acceptance,
            step=self.step,
            reproduce=self.reproduce,
            memory=parse_bytes(self.memory) if self.memory else None,
            sandbox=self.sandbox,
            warm_kernels=self.warm_kernels,
            reuse=self.reuse,
            early_stop=self.early_stop,
            dask=self.dask or None,
            cost=self.cost,
            model=self.model or None,
            role_models=dict(self.role_models),
            temperature=self.temperature,
            thinking=self.thinking,
            calls_at_once=self.calls_at_once,
            calls_per_minute=self.calls_per_minute,
            call_seconds=parse_seconds(self.call_time),
            examples=self.examples,
            endpoint=self.endpoint or None,
            prices={name: list(price) for name, price in self.prices.items()},
        )

    def values(self) -> dict[str, Any]:
        """Each default by its name."""
        return {name: getattr(self, name) for name in sorted(self.traits(config=True))}

    def rows(self) -> list[tuple[str, str]]:
        """Each default, its value and what it is, for people."""
        return [
            (name, f"{getattr(self, name)}   ({trait.help})")
            for name, trait in sorted(self.traits(config=True).items())
        ]
