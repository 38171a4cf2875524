"""The playbook: agents by rule, with a catalogue of models and packaged recipes; no key needed."""

from mlestar_jupyter.agents.playbook.cast import Playbook

__all__ = ["Playbook"]
