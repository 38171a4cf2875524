"""Text of others does not become markup in our cells."""

from __future__ import annotations

import pytest

from mlestar_jupyter.notebook.markdown import (
    code,
    escape,
    link,
    one_line,
    quote,
    signed,
    table,
    without_headings,
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a | b", "a \\| b"),
        ("costs $5", "costs <span>\\$</span>5"),
        ("snake_case_name stays", "snake_case_name stays"),
        ("_leading and trailing_", "\\_leading and trailing\\_"),
        ("<script>", "\\<script>"),
        ("two\nlines", "two lines"),
        ("`code` *bold*", "\\`code\\` \\*bold\\*"),
    ],
)
def test_text_is_shown_as_it_is(given: str, shown: str) -> None:
    assert escape(given) == shown


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert one_line("word " * 100, 20) == "word word word word…"


def test_names_in_code_letters_fit_a_table() -> None:
    assert code("a|`b`") == "`a¦'b'`"
    assert code("") == ""


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table(["name", ">score"], [["a", "1"]]) == (
        "| name | score |\n| :--- | ---: |\n| a | 1 |"
    )


def test_only_web_addresses_become_links() -> None:
    assert link("https://www.a.org/b/") == "[a.org/b](https://www.a.org/b/)"
    assert link("javascript:alert(1)") == "javascript:alert(1)"
    assert link("the catalogue") == "the catalogue"


def test_headings_of_others_do_not_cut_our_sections() -> None:
    assert without_headings("# Task\ntext\n## More ##\n") == "**Task**\n\ntext\n**More**\n"


def test_each_line_of_a_quote_is_quoted() -> None:
    assert quote("one\n# two") == "> one\n> # two"


@pytest.mark.parametrize(
    ("number", "shown"), [(0.5, "+0.5"), (-1.23456, "−1.235"), (0, "±0"), (None, "–")]
)
def test_gains_carry_their_sign(number: float | None, shown: str) -> None:
    assert signed(number) == shown
