"""Source as a tree, in many threads."""

from __future__ import annotations

import ast
import gc
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlestar_jupyter.parsing import parse_python

SOURCE = "\n".join(f"a{i} = f(g([{i}, ({i}, {{'x': -{i}}})]) + 1)" for i in range(60))


@pytest.fixture
def often_interrupted() -> Iterator[None]:
    """Other threads get their turn whenever memory is looked through, also within a parse."""

    def give_way(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(100)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(give_way)


def in_threads(parse: Callable[[str], ast.Module]) -> list[ast.Module]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(parse, [SOURCE] * 20))


@pytest.mark.usefixtures("often_interrupted")
def test_threads_that_parse_at_once_all_get_their_tree() -> None:
    expected = ast.dump(ast.parse(SOURCE))

    assert {ast.dump(tree) for tree in in_threads(parse_python)} == {expected}


@pytest.mark.usefixtures("often_interrupted")
@pytest.mark.skipif(sys.version_info >= (3, 11, 8), reason="Python itself was mended")
def test_python_itself_fails_there() -> None:
    with pytest.raises(SystemError, match="recursion depth"):
        in_threads(ast.parse)


@pytest.mark.usefixtures("often_interrupted")
def test_threads_of_others_that_parse_meanwhile_do_no_harm() -> None:
    over = False

    def disturb() -> None:
        while not over:
            try:
                ast.parse(SOURCE)
            except SystemError:
                continue

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(disturb)
        try:
            trees = in_threads(parse_python)
        finally:
            over = True
        other.result()

    assert len(trees) == 20
