"""Texts cut to fit: never over the limit, the longest first, and valid in JSON."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.answers.fit import fit


def in_page(text: str) -> int:
    """Bytes in the JSON of a page, which also escapes what could end a script."""
    json = msgspec.json.encode(text).decode()
    for escaped in "<>&":
        json = json.replace(escaped, "\\u003c")
    return len(json.encode()) - 2


@given(st.lists(st.text(max_size=60), max_size=12), st.integers(0, 400))
def test_all_together_fit_and_each_is_a_beginning(texts: list[str], most: int) -> None:
    cut = fit(texts, most)
    assert sum(map(in_page, cut)) <= most
    assert all(text.startswith(shown) for text, shown in zip(texts, cut, strict=True))


def test_short_texts_stay_whole_and_long_ones_share_what_is_left() -> None:
    assert ["ab", "x" * 9, "y" * 9, ""] == fit(["ab", "x" * 500, "y" * 40, ""], 20)


def test_nothing_is_cut_that_fits() -> None:
    texts = ["one", "zwei", "\x00<script>", "三"]
    assert texts == fit(texts, 1_000)


def test_a_text_is_not_cut_inside_a_character() -> None:
    assert ["三"] == fit(["三三"], 5)


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    assert ["a?"] == fit(["a\ud800"], 100)
