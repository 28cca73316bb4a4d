"""What hostile text becomes before it reaches a terminal or a page."""

import json

import pytest
from rich.cells import cell_len

from harness.characters import printable, visible
from harness.cli.output import escape_json
from harness.report.drawing.style import drawable
from harness.report.section import Column, Table
from harness.report.terminal import table_lines
from harness.report.wording import shorten


def test_escape_sequences_and_direction_overrides_are_made_visible() -> None:
    assert printable("a\x1b[31m\n b\u202e\x00") == "a�[31m b��"


HARMLESS = [
    "1\u202f234\u00a0km", "日本\u3000語", "👩\u200d💻 👍🏽 ☺\ufe0f 🇳🇴", "\u0646\u0645\u06cc\u200c\u062e\u0648",
    "\u05e9\u05dc\u200f!", "co\u00adop", "zero\u200bwidth", "\ue000", "e\u0301", "\U0001fae8\U0001fadf",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]  # fmt: skip
"""Two of the emoji are newer than the Unicode tables of some Pythons."""
DANGEROUS = ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\ud800", "\ufffe", "\ufff9", "\u206a", "\U000e0041",
             *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_characters_are_shown_as_they_are(text: str) -> None:
    assert visible(text) == text
    assert "\ufffd" not in printable(text)
    assert json.dumps(text, ensure_ascii=False) == escape_json(json.dumps(text, ensure_ascii=False))


@pytest.mark.parametrize("character", DANGEROUS)
def test_what_could_move_a_cursor_turn_a_line_or_hide_a_text_is_replaced(character: str) -> None:
    assert visible(f"a{character}b") == "a\ufffdb"
    assert printable(f"a{character}b") in ("a\ufffdb", "a b")
    assert character not in escape_json(f'"a{character}b"')


def test_a_line_separator_ends_a_line() -> None:
    assert visible("a\u2028b\u2029c\rd") == "a\nb\nc\nd"


def test_visible_text_keeps_its_lines_and_indents() -> None:
    assert visible('{\r\n\t"a": 1\n  }\x07') == '{\n    "a": 1\n  }�'


WIDE = ["日本語の答え", "한국어", "👩‍💻 done", "שלום", "नमस्ते", "1\u202f234 €"]


@pytest.mark.parametrize("text", WIDE)
def test_columns_align_whatever_the_script(text: str) -> None:
    table = Table(columns=[Column(heading="answer"), Column(heading="n")], rows=[[text, 1], ["plain", 1]])
    lines = [line.plain for line in table_lines(table, 40)]
    assert lines[1].startswith(printable(text))
    assert 1 == len({cell_len(line) for line in lines[1:]})


@pytest.mark.parametrize("text", ["日本語の長い答えです", "한국어" * 9, "a" * 50, "👍" * 30])
@pytest.mark.parametrize("width", [2, 7, 12, 20])
def test_a_text_is_shortened_to_columns_not_characters(text: str, width: int) -> None:
    short = shorten(text, width)
    assert width - 2 <= cell_len(short) <= width
    assert text.startswith(short.partition("…")[0])
    assert text.endswith(short.partition("…")[2])


def test_a_figure_draws_what_its_font_has_and_a_box_for_the_rest() -> None:
    assert "é שלום □□ □" == drawable("é שלום 日本 🦕")
