"""The simulated models' answers: right, wrong, filler, and truncated."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import EndpointError
from harness.simulator.model.answers import (
    Answer,
    AnswerBook,
    ContentBlock,
    KeyEntry,
    count_tokens,
    load_answer_key,
    prompt_digest,
)
from harness.simulator.model.answers import truncate as truncate_blocks

INVOICE = '{"total": 118.4, "currency": "EUR", "paid": false, "lines": 3}'
KEY = {"a": "Paris", "b": "Rome", "c": "118.40", "d": "2024-02-29", "e": INVOICE, "f": "[1, 2]", "g": "New York"}


def draw(digest: str, *, skill: float, seed: int = 0, key: dict[str, str] = KEY) -> str:
    book = AnswerBook({name: KeyEntry(answer=answer) for name, answer in key.items()})
    return book.draw_text(book.find(digest), skill=skill, rng=Random(seed))


def truncate(text: str, *, max_tokens: int, stop_sequences: tuple[str, ...] = ()) -> tuple[str, Answer]:
    answer = truncate_blocks(
        [ContentBlock(kind="text", text=text)], max_tokens=max_tokens, stop_sequences=stop_sequences
    )
    return answer.blocks[0].text, answer


def normalised(text: str) -> str:
    return text.strip().rstrip(".").casefold()


def test_a_digest_is_the_start_of_the_texts_sha256() -> None:
    assert prompt_digest("Capital of France?") == hashlib.sha256(b"Capital of France?").hexdigest()[:16]


@pytest.mark.parametrize("digest", ["a", "c", "d", "g"])
def test_a_right_answer_passes_a_normalised_comparison(digest: str) -> None:
    assert {normalised(draw(digest, skill=1, seed=seed)) for seed in range(50)} == {normalised(KEY[digest])}


@pytest.mark.parametrize("digest", ["c", "d"])
def test_a_right_number_or_date_still_matches_an_anchored_pattern(digest: str) -> None:
    assert all(re.search(rf"^{re.escape(KEY[digest])}$", draw(digest, skill=1, seed=seed)) for seed in range(50))


def test_a_right_json_answer_is_the_keys_own_sometimes_in_a_fence() -> None:
    drawn = {draw("e", skill=1, seed=seed) for seed in range(50)}
    assert drawn == {INVOICE, f"```json\n{INVOICE}\n```"}


def test_a_wrong_word_is_another_answer_of_the_same_length() -> None:
    assert {draw("a", skill=0, seed=seed) for seed in range(50)} == {"Rome"}


def test_a_wrong_word_never_contains_the_right_one() -> None:
    key = {"x": "no", "y": "I do not know", "z": "nobody"}
    assert all("no" not in draw("x", skill=0, seed=seed, key=key) for seed in range(50))


def test_a_wrong_number_is_off_by_more_than_a_tenth_and_has_the_same_decimals() -> None:
    for seed in range(50):
        drawn = draw("c", skill=0, seed=seed)
        assert re.fullmatch(r"\d+\.\d{2}", drawn)
        assert abs(float(drawn) - 118.40) > 11.84


@given(st.integers(-(10**6), 10**6), st.integers())
def test_a_wrong_integer_is_another_integer(right: int, seed: int) -> None:
    drawn = draw("x", skill=0, seed=seed, key={"x": str(right)})
    assert int(drawn) != right


def test_a_wrong_date_is_another_date() -> None:
    assert all(date.fromisoformat(draw("d", skill=0, seed=seed)) != date(2024, 2, 29) for seed in range(50))


def test_wrong_json_is_json_with_a_member_changed_or_missing() -> None:
    right = json.loads(INVOICE)
    for seed in range(50):
        drawn = json.loads(draw("e", skill=0, seed=seed))
        assert drawn != right
        assert drawn.keys() <= right.keys()
    assert json.loads(draw("f", skill=0)) == [1]


def test_skill_is_the_share_of_right_answers() -> None:
    right = sum(normalised(draw("a", skill=0.8, seed=seed)) == "paris" for seed in range(1000))
    assert 760 <= right <= 840


def test_a_prompt_without_a_key_gets_filler_that_differs_by_seed() -> None:
    first, again, other = draw("?", skill=1), draw("?", skill=1), draw("?", skill=1, seed=1)
    assert first == again != other
    assert 30 <= count_tokens(first) <= 320


def test_an_answer_is_truncated_at_max_tokens() -> None:
    text, answer = truncate("0123456789", max_tokens=2)
    assert (text, answer.output_tokens, answer.stop_reason) == ("01234567", 2, "max_tokens")


def test_an_answer_ends_before_the_first_stop_sequence() -> None:
    text, answer = truncate("one two three", max_tokens=100, stop_sequences=("three", "two", ""))
    assert (text, answer.stop_reason, answer.stop_sequence) == ("one ", "stop_sequence", "two")


def test_max_tokens_wins_over_a_later_stop_sequence() -> None:
    text, answer = truncate("one two three", max_tokens=1, stop_sequences=("three",))
    assert (text, answer.stop_reason, answer.stop_sequence) == ("one ", "max_tokens", None)


def test_a_complete_answer_ends_its_turn() -> None:
    text, answer = truncate("Paris", max_tokens=2, stop_sequences=("x",))
    assert (text, answer.output_tokens, answer.stop_reason) == ("Paris", 2, "end_turn")


@pytest.mark.parametrize("content", [None, "no json", '{"a": "Paris"}', '["Paris"]'])
def test_a_file_that_is_not_an_answer_key_is_reported(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EndpointError, match=r"key\.json"):
        load_answer_key(path)


def test_an_answer_key_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"0123": {"answer": "Paris", "kind": "text"}, "4567": {"answer": "7", "visual": true}}')
    assert {
        "0123": KeyEntry(answer="Paris"),
        "4567": KeyEntry(answer="7", visual=True),
    } == load_answer_key(path)


def test_thinking_counts_towards_max_tokens() -> None:
    thought, words = ContentBlock(kind="thinking", text="x" * 8), ContentBlock(kind="text", text="0123456789")
    answer = truncate_blocks([thought, words], max_tokens=3, stop_sequences=("x",))
    assert [block.text for block in answer.blocks] == ["x" * 8, "0123"]
    assert (answer.output_tokens, answer.stop_reason) == (3, "max_tokens")


def test_an_answer_truncated_while_thinking_has_no_text() -> None:
    thought, words = ContentBlock(kind="thinking", text="x" * 8), ContentBlock(kind="text", text="0123456789")
    answer = truncate_blocks([thought, words], max_tokens=1, stop_sequences=())
    assert [block.kind for block in answer.blocks] == ["thinking"]
