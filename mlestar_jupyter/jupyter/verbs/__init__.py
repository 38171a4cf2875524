"""The verbs of ``%mlestar``: each is a function of the workspace and the parsed arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlestar_jupyter.jupyter.verbs.reading import READING
from mlestar_jupyter.jupyter.verbs.results import RESULTS
from mlestar_jupyter.jupyter.verbs.steering import STEERING
from mlestar_jupyter.jupyter.verbs.working import WORKING
from mlestar_jupyter.jupyter.workspace import Workspace

Verb = Callable[[Workspace, Mapping[str, Any]], Any]

VERBS: Mapping[str, Verb] = {**WORKING, **STEERING, **READING, **RESULTS}
