"""Generated prompts: of exactly the lengths that were drawn, the same for the same seed, frozen as what they are."""

from __future__ import annotations

from pathlib import Path
from random import Random
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SuiteError
from harness.suite.generate import draw_length, sized_prompt
from harness.suite.grammar.file import LengthEntry
from harness.suite.loader import load_suite
from harness.suite.stored import encode_suite, read_suite
from harness.suite.suite import Suite

HEAD = "suite: x\ntargets: [{model: claude-haiku-4-5}]\n"
SPREAD = "{prompts: 40, input_tokens: {mean: 300, sigma: 0.6, min: 5, max: 900}, output_tokens: {mean: 80, sigma: 0.3}}"


def load(folder: Path, synthetic: str, more: str = "") -> Suite:
    (folder / "x.yaml").write_text(f"{HEAD}synthetic: {synthetic}\n{more}", encoding="utf-8")
    return load_suite(folder / "x.yaml")


@given(given=st.integers(1, 3000), made=st.none() | st.integers(1, 10**6), seed=st.integers(0, 10**9))
def test_a_prompt_has_exactly_the_length_that_was_asked_for(given: int, made: int | None, seed: int) -> None:
    prompt = sized_prompt("p", given, made, seed=seed)
    assert 4 * given == len(prompt.messages[0].content)
    assert prompt.messages[0].content.strip()
    assert made == prompt.options.max_tokens
    assert prompt == sized_prompt("p", given, made, seed=seed)


def test_lengths_have_the_mean_and_the_spread_that_were_asked_for() -> None:
    rng = Random(1)
    drawn = [draw_length(LengthEntry(mean=500, sigma=0.5), rng) for _ in range(20_000)]
    assert 500 == pytest.approx(fmean(drawn), rel=0.02)
    assert 0.5 == pytest.approx(pstdev(np.log(drawn)), rel=0.02)


@given(seed=st.integers(), sigma=st.floats(0, 5))
def test_bounds_hold(seed: int, sigma: float) -> None:
    assert 20 <= draw_length(LengthEntry(mean=100, sigma=sigma, min=20, max=200), Random(seed)) <= 200


def test_a_suite_of_generated_prompts_is_frozen_and_never_called_ungraded(tmp_path: Path) -> None:
    suite = load(tmp_path, SPREAD)
    assert 40 == len({prompt.messages for prompt in suite.prompts})
    assert not any("not graded" in warning for warning in suite.warnings)
    (tmp_path / "suite.json").write_bytes(encode_suite(suite))
    frozen = read_suite(tmp_path)
    assert (suite.digest, suite.prompts) == (frozen.digest, frozen.prompts)


def test_the_seed_decides_and_output_lengths_do_not_change_the_inputs(tmp_path: Path) -> None:
    def lengths(synthetic: str) -> list[int]:
        return [len(prompt.messages[0].content) for prompt in load(tmp_path, synthetic).prompts]

    assert lengths(SPREAD) == lengths(SPREAD.replace("mean: 80", "mean: 90"))
    assert lengths(SPREAD) != lengths(SPREAD[:-1] + ", seed: 2}")


@pytest.mark.parametrize(
    ("synthetic", "told"),
    [
        (
            "{prompts: 5, input_tokens: {mean: 5, min: 9, max: 8}}",
            "3: synthetic.input_tokens: min (9) is more than",
        ),
        ("{prompts: 5}", "3: synthetic: missing key 'input_tokens'"),
        ("{prompts: 0, input_tokens: 5}", "3: synthetic.prompts: must be at least 1, got 0"),
        ("{prompts: 5, input_tokens: {sigma: 1}}", "3: synthetic.input_tokens: missing key 'mean'"),
        ("{prompts: 5, input_tokens: many}", "3: synthetic.input_tokens: expected a whole number or a mapping"),
        ("{prompts: 100000, input_tokens: 5000}", "3: synthetic.prompts: about 2,000 MB of generated text"),
        ("{prompts: 1, input_tokens: 300000}", "3: synthetic: has about 300,000 tokens, but the context window"),
    ],
)
def test_lengths_that_cannot_be_are_reported(tmp_path: Path, synthetic: str, told: str) -> None:
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, synthetic)
    assert [True] == [each.startswith(f"{tmp_path / 'x.yaml'}:{told}") for each in caught.value.mistakes]


def test_a_prompt_of_the_same_name_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="prompt 'synthetic-0001' appears twice"):
        load(tmp_path, "{prompts: 1, input_tokens: 9}", "prompts: [{id: synthetic-0001, prompt: Hi}]\n")
