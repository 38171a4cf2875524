"""``%config MLEStar``: the defaults of this notebook's runs."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Float, Int, TraitError, Unicode, validate
from traitlets.config import Configurable

from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.settings import Settings, parse_seconds


class MLEStar(Configurable):
    """Defaults for ``%%mlestar``; what is said in a cell goes before them."""

    time = Unicode("10m", help="hard limit of a run, such as 90s, 5m or 1h30m").tag(config=True)
    jobs = Int(2, min=1, help="candidates executed side by side").tag(config=True)
    seed = Int(0, min=0, help="of everything that is random").tag(config=True)
    agents = Unicode("playbook", help="the cast of agents").tag(config=True)
    acceptance = Float(
        0.7, min=0.5, max=0.99, help="probability of being better that a candidate needs"
    ).tag(config=True)
    step = Bool(False, help="wait for you after each outer step").tag(config=True)
    background = Bool(False, help="give the kernel back at once").tag(config=True)
    reproduce = Bool(True, help="execute the finished notebook again").tag(config=True)

    @validate("time")
    def _check_time(self, proposal: Any) -> str:
        try:
            parse_seconds(proposal["value"])
        except SettingsError as error:
            raise TraitError(str(error)) from error
        return str(proposal["value"])

    def settings(self) -> Settings:
        """These defaults as settings of a run."""
        return Settings(
            seconds=parse_seconds(self.time),
            jobs=self.jobs,
            seed=self.seed,
            agents=self.agents,
            acceptance=self.acceptance,
            step=self.step,
            reproduce=self.reproduce,
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
