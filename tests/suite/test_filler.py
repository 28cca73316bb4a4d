"""Generated text: as long as it says, the same for ever, the needle where it belongs."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.suite.generate import make_filler
from harness.suite.suite import Filler

LONGEST_SENTENCE = 200
NEEDLE = "The code is 4711."


def test_the_text_of_a_seed_is_the_same_for_ever() -> None:
    """Frozen suites keep the recipe alone: whoever changes the generator changes what they ask."""
    text = make_filler(Filler(tokens=5000, seed=7, needle=NEEDLE, depth=0.25))
    assert sha256(text.encode()).hexdigest()[:16] == "24443e41cf0db940"


def test_it_reads_like_a_text() -> None:
    assert make_filler(Filler(tokens=20)) == (
        "On a quiet morning, a printer from the next valley argued over the "
        "painted windows of the town hall, although the work was hardly paid."
    )


@settings(max_examples=50)
@given(st.integers(1, 20_000), st.integers(0, 99), st.none() | st.just(NEEDLE), st.floats(0, 1))
def test_it_is_as_long_as_asked_to_within_a_sentence(tokens: int, seed: int, needle: str | None, depth: float) -> None:
    text = make_filler(Filler(tokens=tokens, seed=seed, needle=needle, depth=depth))
    assert -2 <= len(text) - tokens * 4 <= LONGEST_SENTENCE


@pytest.mark.parametrize("depth", [0, 0.1, 0.5, 0.9, 1])
def test_the_needle_stands_once_at_its_depth(depth: float) -> None:
    text = make_filler(Filler(tokens=20_000, needle=NEEDLE, depth=depth))
    assert text.count(NEEDLE) == 1
    assert abs(text.index(NEEDLE) / len(text) - depth) < 0.01


def test_another_seed_is_another_text() -> None:
    one, two = (make_filler(Filler(tokens=1000, seed=seed)) for seed in (1, 2))
    assert one[:300] != two[:300]
