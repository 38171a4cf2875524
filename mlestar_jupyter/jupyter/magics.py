"""``%%mlestar`` and ``%mlestar``: the agent in the user's kernel, from any front end."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from mlestar_jupyter import doctor
from mlestar_jupyter.errors import SettingsError
from mlestar_jupyter.jupyter import arguments, completion, views
from mlestar_jupyter.jupyter.channel import Channel
from mlestar_jupyter.jupyter.config import MLEStar
from mlestar_jupyter.jupyter.front_end import FrontEndRequests
from mlestar_jupyter.jupyter.namespace import fill, fill_code
from mlestar_jupyter.jupyter.verbs import VERBS, steering, working
from mlestar_jupyter.jupyter.workspace import Workspace


@magics_class
class MlestarMagics(Magics):
    """The magics of one kernel."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.config_defaults = MLEStar(parent=shell)
        shell.configurables.append(self.config_defaults)
        self.workspace = Workspace(shell, self.config_defaults)
        requests = FrontEndRequests(self.workspace)
        self.workspace.channel = Channel(requests.handlers(), self.config_defaults.values)

    @no_var_expand
    @line_cell_magic
    def mlestar(self, line: str, cell: str | None = None) -> Any:
        """Solve a machine-learning task, step by step or as a whole.

        %%mlestar NAME --data DIR | --train df --test df --target y  [options]
        the task, in your words

        %mlestar VERB [options]      %mlestar help lists the verbs
        %mlestar VERB --help         explains one
        """
        return self.say(line, cell)

    def say(self, line: str, cell: str | None = None) -> Any:
        """What the magic does, for those who type for the user (the panel)."""
        names = self.workspace.namespace
        words = [fill(word, names) for word in arguments.split_line(line)]
        if cell is not None:
            is_code = bool(words) and words[0] in ("adopt", "card")
            return self._cell(words, line, fill_code(cell, names) if is_code else fill(cell, names))
        if not words:
            return views.TextView(arguments.usage())
        if words[0] in ("-h", "--help"):
            words = ["help"]
        return self._verb(words, None)

    def _cell(self, words: list[str], line: str, body: str) -> Any:
        if words and words[0] in arguments.CELL_VERBS:
            return self._verb(words, body)
        values = vars(arguments.cell_parser().parse_args(words))
        if values["help"]:
            return views.TextView(arguments.usage())
        if values["name"] in arguments.verb_parsers():
            raise SettingsError(
                f"{values['name']!r} is a verb: write %mlestar {values['name']}, "
                f"or choose another name for the run"
            )
        return working.solve(self.workspace, values, body, cell=f"{line}\n{body}")

    def _verb(self, words: list[str], body: str | None) -> Any:
        verb = words[0]
        if verb not in arguments.verb_parsers():
            known = ", ".join(arguments.verb_parsers())
            raise SettingsError(f"unknown verb {verb!r}; use one of {known}")
        if {"-h", "--help"} & set(words[1:]):
            return views.TextView(arguments.verb_help(verb))
        values = vars(arguments.line_parser().parse_args(words))
        if verb == "help":
            return views.TextView(arguments.usage())
        if verb == "config":
            return views.PairsView(
                self.config_defaults.rows(), "change one with %config MLEStar.time = '5m'"
            )
        if verb == "doctor":
            found = [(f"{c.mark} {c.what}", c.found) for c in doctor.examine()]
            return views.PairsView(found, "what works on this machine")
        if verb == "panel":
            return self._panel(values)
        if body is not None:
            takes = {"adopt": steering.adopt, "suggest": steering.suggest,
                     "card": steering.card, "task": working.task}  # fmt: skip
            return takes[verb](self.workspace, values, body)
        return VERBS[verb](self.workspace, values)

    def _panel(self, values: dict[str, Any]) -> Any:
        from mlestar_jupyter.jupyter.panel import panel

        if values["run"] is not None:
            self.workspace.folder = values["run"]
        return panel(self.workspace, self.say)


def register(shell: Any) -> None:
    """Make the magics and their completion known to an IPython shell."""
    magics = MlestarMagics(shell)
    shell.register_magics(magics)
    completion.register(shell, magics.workspace.latest)
