"""The executor that a run has, and what encloses its candidates, from its settings."""

from __future__ import annotations

from mlestar_jupyter.execution.confinement import isolation
from mlestar_jupyter.execution.enclosure import Enclosed
from mlestar_jupyter.interfaces import Executor
from mlestar_jupyter.settings import Settings


def make_executor(settings: Settings) -> Executor:
    """The executor that these settings ask for."""
    if settings.dask is not None:
        from mlestar_jupyter.execution.cluster import DaskExecutor

        return DaskExecutor(settings)
    from mlestar_jupyter.execution.papermill import PapermillExecutor

    # One more than jobs: the finished notebook beside the last fit.
    return PapermillExecutor.from_settings(settings, settings.jobs + 1)


def walls_of(settings: Settings, executor: Executor | None) -> Enclosed:
    """What encloses candidates. Tried, not assumed; other executors may do as they like."""
    is_ours = executor is None and settings.dask is None
    return isolation(settings.sandbox) if is_ours else Enclosed()
