"""What the simulated models say: right, wrong, filler, and where it is cut."""

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
from harness.simulator.model.answers import cut as cut_passages

INVOICE = '{"total": 118.4, "currency": "EUR", "paid": false, "lines": 3}'
KEY = {"a": "Paris", "b": "Rome", "c": "118.40", "d": "2024-02-29", "e": INVOICE, "f": "[1, 2]", "g": "New York"}


def say(digest: str, *, skill: float, seed: int = 0, key: dict[str, str] = KEY) -> str:
    book = AnswerBook({name: KeyEntry(answer=answer) for name, answer in key.items()})
    return book.say(book.find(digest), skill=skill, rng=Random(seed))


def cut(text: str, *, max_tokens: int, stop_sequences: tuple[str, ...] = ()) -> tuple[str, Answer]:
    answer = cut_passages([ContentBlock(kind="text", text=text)], max_tokens=max_tokens, stop_sequences=stop_sequences)
    return answer.passages[0].text, answer


def normalised(text: str) -> str:
    return text.strip().rstrip(".").casefold()


def test_a_digest_is_the_start_of_the_texts_sha256() -> None:
    assert prompt_digest("Capital of France?") == hashlib.sha256(b"Capital of France?").hexdigest()[:16]


@pytest.mark.parametrize("digest", ["a", "c", "d", "g"])
def test_a_right_answer_passes_a_normalised_comparison(digest: str) -> None:
    assert {normalised(say(digest, skill=1, seed=seed)) for seed in range(50)} == {normalised(KEY[digest])}


@pytest.mark.parametrize("digest", ["c", "d"])
def test_a_right_number_or_date_still_matches_an_anchored_pattern(digest: str) -> None:
    assert all(re.search(rf"^{re.escape(KEY[digest])}$", say(digest, skill=1, seed=seed)) for seed in range(50))


def test_a_right_json_answer_is_the_keys_own_at_times_in_a_fence() -> None:
    said = {say("e", skill=1, seed=seed) for seed in range(50)}
    assert said == {INVOICE, f"```json\n{INVOICE}\n```"}


def test_a_wrong_word_is_another_answer_of_the_same_length() -> None:
    assert {say("a", skill=0, seed=seed) for seed in range(50)} == {"Rome"}


def test_a_wrong_word_never_contains_the_right_one() -> None:
    key = {"x": "no", "y": "I do not know", "z": "nobody"}
    assert all("no" not in say("x", skill=0, seed=seed, key=key) for seed in range(50))


def test_a_wrong_number_is_off_by_more_than_a_tenth_and_has_the_same_decimals() -> None:
    for seed in range(50):
        said = say("c", skill=0, seed=seed)
        assert re.fullmatch(r"\d+\.\d{2}", said)
        assert abs(float(said) - 118.40) > 11.84


@given(st.integers(-(10**6), 10**6), st.integers())
def test_a_wrong_integer_is_another_integer(right: int, seed: int) -> None:
    said = say("x", skill=0, seed=seed, key={"x": str(right)})
    assert int(said) != right


def test_a_wrong_date_is_another_date() -> None:
    assert all(date.fromisoformat(say("d", skill=0, seed=seed)) != date(2024, 2, 29) for seed in range(50))


def test_wrong_json_is_json_with_a_member_changed_or_missing() -> None:
    right = json.loads(INVOICE)
    for seed in range(50):
        said = json.loads(say("e", skill=0, seed=seed))
        assert said != right
        assert said.keys() <= right.keys()
    assert json.loads(say("f", skill=0)) == [1]


def test_skill_is_the_share_of_right_answers() -> None:
    right = sum(normalised(say("a", skill=0.8, seed=seed)) == "paris" for seed in range(1000))
    assert 760 <= right <= 840


def test_a_prompt_without_a_key_gets_filler_that_differs_by_seed() -> None:
    first, again, other = say("?", skill=1), say("?", skill=1), say("?", skill=1, seed=1)
    assert first == again != other
    assert 30 <= count_tokens(first) <= 320


def test_an_answer_is_cut_at_max_tokens() -> None:
    text, answer = cut("0123456789", max_tokens=2)
    assert (text, answer.output_tokens, answer.stop_reason) == ("01234567", 2, "max_tokens")


def test_an_answer_is_cut_before_the_first_stop_sequence() -> None:
    text, answer = cut("one two three", max_tokens=100, stop_sequences=("three", "two", ""))
    assert (text, answer.stop_reason, answer.stop_sequence) == ("one ", "stop_sequence", "two")


def test_max_tokens_wins_over_a_later_stop_sequence() -> None:
    text, answer = cut("one two three", max_tokens=1, stop_sequences=("three",))
    assert (text, answer.stop_reason, answer.stop_sequence) == ("one ", "max_tokens", None)


def test_a_whole_answer_ends_its_turn() -> None:
    text, answer = cut("Paris", max_tokens=2, stop_sequences=("x",))
    assert (text, answer.output_tokens, answer.stop_reason) == ("Paris", 2, "end_turn")


@pytest.mark.parametrize("content", [None, "no json", '{"a": "Paris"}', '["Paris"]'])
def test_a_file_that_is_no_answer_key_is_named(tmp_path: Path, content: str | None) -> None:
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


def test_a_thought_counts_and_leaves_less_for_the_words() -> None:
    thought, words = ContentBlock(kind="thinking", text="x" * 8), ContentBlock(kind="text", text="0123456789")
    answer = cut_passages([thought, words], max_tokens=3, stop_sequences=("x",))
    assert [passage.text for passage in answer.passages] == ["x" * 8, "0123"]
    assert (answer.output_tokens, answer.stop_reason) == (3, "max_tokens")


def test_an_answer_that_is_all_thought_has_no_words() -> None:
    thought, words = ContentBlock(kind="thinking", text="x" * 8), ContentBlock(kind="text", text="0123456789")
    answer = cut_passages([thought, words], max_tokens=1, stop_sequences=())
    assert [passage.kind for passage in answer.passages] == ["thinking"]
