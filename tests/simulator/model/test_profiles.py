"""Parsing of model ids, and the speed and skill of each model."""

from __future__ import annotations

from random import Random
from statistics import median, quantiles

import pytest

from harness.simulator.model.profiles import Profile, Timing, draw_timing, find_profile, fixed_timing, read_model_id


def profile(model_id: str) -> Profile:
    name = read_model_id(model_id)
    assert name is not None
    found = find_profile(name)
    assert found is not None
    return found


def draw(model_id: str, seed: int, *, input_tokens: int = 10, output_tokens: int = 200, speed: float = 1) -> Timing:
    return draw_timing(
        profile(model_id), Random(seed), input_tokens=input_tokens, output_tokens=[output_tokens], speed=speed
    )


@pytest.mark.parametrize(
    ("model_id", "family", "generation", "routing", "short"),
    [
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "sonnet",
            4.5,
            "geography",
            "claude-sonnet-4-5-20250929",
        ),
        ("global.anthropic.claude-sonnet-4-20250514-v1:0", "sonnet", 4.0, "global", "claude-sonnet-4-20250514"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "haiku", 3.5, "in-region", "claude-3-5-haiku-20241022"),
        ("us-gov.anthropic.claude-opus-5", "opus", 5.0, "geography", "claude-opus-5"),
        ("apac.anthropic.claude-opus-4-6-v1", "opus", 4.6, "geography", "claude-opus-4-6"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-haiku-5-5",
            "haiku",
            5.5,
            "global",
            "claude-haiku-5-5",
        ),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            "haiku",
            3.0,
            "in-region",
            "claude-3-haiku-20240307",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
            "sonnet",
            4.5,
            "global",
            "claude-sonnet-4-5-20250929",
        ),
    ],
)
def test_a_model_id_is_parsed(model_id: str, family: str, generation: float, routing: str, short: str) -> None:
    name = read_model_id(model_id)
    assert name is not None
    assert (name.family, name.generation, name.routing, name.short) == (family, generation, routing, short)


@pytest.mark.parametrize("model_id", ["", "nope", "meta.llama3-8b", "us.anthropic.", "arn:aws:s3:::x", "a/../b"])
def test_anything_else_is_not_a_model_id(model_id: str) -> None:
    assert read_model_id(model_id) is None


def test_an_unknown_family_has_no_profile() -> None:
    name = read_model_id("anthropic.claude-sonata-4-5")
    assert name is not None
    assert find_profile(name) is None


def test_every_routing_shares_the_base_id_and_the_skill() -> None:
    ids = [f"{prefix}anthropic.claude-sonnet-4-6" for prefix in ("global.", "us.", "")]
    names = [read_model_id(model_id) for model_id in ids]
    assert {name.base_id for name in names if name} == {"anthropic.claude-sonnet-4-6"}
    assert len({profile(model_id).skill for model_id in ids}) == 1


def test_a_newer_generation_is_faster_and_better() -> None:
    old, new = profile("us.anthropic.claude-sonnet-4-20250514-v1:0"), profile("us.anthropic.claude-sonnet-4-6")
    assert new.ttft_median_s < old.ttft_median_s
    assert new.tokens_per_s > old.tokens_per_s
    assert new.skill > old.skill


def test_time_to_first_token_has_the_familys_median() -> None:
    first_s = [draw("us.anthropic.claude-haiku-4-5", seed, input_tokens=0).first_ns / 1e9 for seed in range(1000)]
    assert 0.55 < median(first_s) < 0.65


def test_global_has_a_later_median_and_a_lighter_tail_than_a_geography() -> None:
    def tail(routing: str) -> tuple[float, float]:
        model_id = f"{routing}.anthropic.claude-sonnet-4-6"
        first_s = [draw(model_id, seed, input_tokens=0).first_ns / 1e9 for seed in range(1000)]
        return median(first_s), quantiles(first_s, n=100)[98]

    assert tail("global")[0] > tail("us")[0]
    assert tail("global")[1] < tail("us")[1]


def test_a_thousand_input_tokens_cost_a_tenth_of_a_second() -> None:
    short, long = (draw("us.anthropic.claude-opus-4-5", 0, input_tokens=tokens).first_ns for tokens in (0, 1000))
    assert long - short == pytest.approx(1e8, abs=2)


def test_speed_divides_every_time() -> None:
    slow, quick = draw("us.anthropic.claude-opus-4-5", 0), draw("us.anthropic.claude-opus-4-5", 0, speed=10)
    assert quick.chunks_ns == pytest.approx([at_ns / 10 for at_ns in slow.chunks_ns], abs=1)
    assert quick.end_ns == pytest.approx(slow.end_ns / 10, abs=1)


def test_chunks_are_in_order_and_carry_all_tokens_three_to_six_at_a_time() -> None:
    timing = draw("us.anthropic.claude-haiku-4-5", 0, output_tokens=101)
    (sizes,) = timing.sizes
    assert sum(sizes) == 101
    assert set(sizes[:-1]) <= {3, 4, 5, 6}
    assert list(timing.chunks_ns) == sorted(timing.chunks_ns)
    assert timing.end_ns > timing.chunks_ns[-1]


def test_no_chunk_spans_two_blocks() -> None:
    timing = draw_timing(
        profile("us.anthropic.claude-haiku-4-5"), Random(0), input_tokens=0, output_tokens=[7, 0, 8], speed=1
    )
    assert [sum(sizes) for sizes in timing.sizes] == [7, 0, 8]
    assert len(timing.chunks_ns) == sum(map(len, timing.sizes))


def test_an_empty_answer_only_ends() -> None:
    timing = draw("us.anthropic.claude-haiku-4-5", 0, output_tokens=0)
    assert timing.chunks_ns == ()
    assert timing.first_ns == timing.end_ns > 0


def test_fixed_timing_is_as_configured() -> None:
    assert fixed_timing(0.2, 0.015, 3) == Timing(
        chunks_ns=(200_000_000, 215_000_000, 230_000_000), sizes=((1, 1, 1),), end_ns=230_000_000
    )
