"""Completion as a front end asks for it: ``complete_request`` to a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

SETUP = """
import pandas as pd
from mlestar_jupyter.jupyter.completion import register
houses = pd.DataFrame({"price": [1], "year built": [2]})
houses_test = houses.drop(columns="price")
shell = get_ipython()
register(shell, lambda: None)
register(shell, lambda: None)  # as when the extension is loaded again
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    folder = tmp_path_factory.mktemp("completion")
    (folder / "data_of_houses").mkdir()
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        reply = client.execute_interactive(SETUP, timeout=60)
        assert reply["content"]["status"] == "ok", reply["content"]
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def asked(client: BlockingKernelClient, code: str) -> list[str]:
    """The cell as it would be after each completion at the mark ``|``."""
    cursor = code.index("|")
    code = code.replace("|", "")
    content: dict[str, Any] = client.complete(code, cursor, reply=True, timeout=60)["content"]
    assert content["status"] == "ok"
    start, end = content["cursor_start"], content["cursor_end"]
    return [code[:start] + match + code[end:] for match in content["matches"]]


def test_verbs_complete_in_a_line_magic(client: BlockingKernelClient) -> None:
    assert asked(client, "x = 1\n%mlestar ref|") == ["x = 1\n%mlestar refine"]
    assert asked(client, "x = 1\nbest = %mlestar ref|\ny = 2") == [
        "x = 1\nbest = %mlestar refine\ny = 2"
    ]


def test_options_and_frames_complete_in_the_first_line_of_a_cell(
    client: BlockingKernelClient,
) -> None:
    body = "\nPredict the price."
    assert asked(client, f"%%mlestar trial --tra|{body}") == [f"%%mlestar trial --train{body}"]
    assert asked(client, f"%%mlestar --train |{body}") == [
        f"%%mlestar --train houses{body}",
        f"%%mlestar --train houses_test{body}",
    ]


def test_a_column_with_a_space_is_quoted_once(client: BlockingKernelClient) -> None:
    done = "%%mlestar --train houses --target 'year built'\nx"
    assert asked(client, "%%mlestar --train houses --target y|\nx") == [done]
    assert asked(client, "%%mlestar --train houses --target 'year b|\nx") == [done]


def test_paths_are_completed_by_ipython(client: BlockingKernelClient) -> None:
    assert asked(client, "%%mlestar --data data_of|\nx") == ["%%mlestar --data data_of_houses/\nx"]


def test_text_below_the_magic_is_not_completed_by_us(client: BlockingKernelClient) -> None:
    assert "%%mlestar\n%%mlestar --train" not in asked(client, "%%mlestar\n%%mlestar --tra|")
    assert asked(client, "%%mlestar\nhouses_t|") == ["%%mlestar\nhouses_test"]
