"""Data for the page's script: it comes back as it was, and nothing in it ends the element that holds it."""

from __future__ import annotations

import json

import pytest

from harness.analysis.answers.book import AnswerBook, AskedPrompt, BookArm, Cell, ReadAnswer
from harness.report.html.embedding import embed_book


def book_of(text: str) -> AnswerBook:
    return AnswerBook(
        arms=(BookArm(target=text),),
        prompts=(AskedPrompt(id=text),),
        answers=(ReadAnswer(prompt=0, arm=0, request_id="r", text=text, passed=False, tools=(text,)),),
        cells=(Cell(prompt=0, arm=0, answers=1, passed=0, scored=1, failed=0),),
        total=1,
        total_prompts=1,
    )


@pytest.mark.parametrize(
    "text",
    [
        "</script>",
        "<!-- <script>",
        "&lt;",
        "]]>",
        'a "b" \\ \\u003c \\n',
        "line\nline",
        "日本語 👩\u200d🔬 \u00a0",
        "= 1 + 1",
    ],
)
def test_a_text_comes_back_as_it_was_and_has_no_character_of_markup(text: str) -> None:
    embedded = embed_book(book_of(text))
    assert not set("<>&\u2028\u2029") & set(embedded)
    read = json.loads(embedded)
    assert text == read["answers"][0]["text"] == read["prompts"][0]["id"] == read["answers"][0]["tools"][0]


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\ud800", "\U000e0041"])
def test_a_dangerous_character_is_replaced(character: str) -> None:
    assert "a\ufffdb" == json.loads(embed_book(book_of(f"a{character}b")))["answers"][0]["text"]


def test_what_did_not_happen_takes_no_room() -> None:
    assert {"prompt", "arm", "request_id", "text", "passed", "tools"} == set(
        json.loads(embed_book(book_of("x")))["answers"][0]
    )
    assert [[0, 0, 1, 0, 1, 0]] == json.loads(embed_book(book_of("x")))["cells"]
