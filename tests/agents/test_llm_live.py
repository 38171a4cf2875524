"""One whole run with a real model: `pytest --live tests/agents/test_llm_live.py`, and a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlestar_jupyter.agents.llm.gemini import uses_vertex
from mlestar_jupyter.agents.llm.keys import find_key
from mlestar_jupyter.api import solve
from mlestar_jupyter.demo import write_demo_task

#: Dollars, seconds.
COST, SECONDS = 0.25, 240


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """The key for Gemini, "" for Vertex AI; skips the test where it must not or cannot be used."""
    if not request.config.getoption("--live"):
        pytest.skip("asks a real model for money: say --live to run it")
    found = find_key("gemini")
    if found is None and not uses_vertex():
        pytest.skip("--live needs a key: set GEMINI_API_KEY")
    return "" if found is None else found[0]


@pytest.mark.slow
def test_gemini_solves_the_demo_within_its_limit_and_keeps_the_key_to_itself(
    key: str, tmp_path: Path
) -> None:
    result = solve(
        write_demo_task(tmp_path / "task"), out=tmp_path / "runs" / "live", time_limit=SECONDS,
        agents="gemini-only", cost=COST, models=2, outer_steps=1, inner_steps=2, solutions=1,
    )  # fmt: skip
    run = result.run
    assert result.submission is not None
    assert result.submission.is_file()
    assert 0 < run.state.spending.money <= COST
    assert run.state.spending.unpriced == 0
    assert any(event.data.get("pages") for event in run.events if event.kind == "llm_called")
    for path in (path for path in run.folder.rglob("*") if path.is_file() and key):
        assert key.encode() not in path.read_bytes(), path
