from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from harness.catalog.target import Options
from harness.suite.from_log.traffic import Call, Traffic, digest_prompt
from harness.suite.suite import Message

START = datetime(2026, 11, 1, 9, tzinfo=UTC)


def call(at_s: float = 0, input_tokens: int | None = 10, output_tokens: int | None = 5) -> Call:
    return Call(
        at=START + timedelta(seconds=at_s),
        model_id="global.anthropic.claude-haiku-4-5-20251001-v1:0",
        region="us-east-1",
        api="converse",
        stream=True,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def say(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def gather(texts: Iterable[str], *, sample: int = 100, seed: int = 1) -> Traffic:
    traffic = Traffic(sample=sample, seed=seed)
    for number, text in enumerate(texts):
        traffic.add(call(number), say(text), Options())
    return traffic


def kept(traffic: Traffic) -> dict[str, int]:
    return {each.messages[0].content: each.times for each in traffic.prompts}


def test_prompts_that_differ_in_white_space_only_are_one() -> None:
    assert {"Hello world": 3, "hello world": 1} == kept(
        gather(["Hello world", " Hello\n world", "Hello world ", "hello world"])
    )


def test_another_system_prompt_or_another_role_makes_another_prompt() -> None:
    plain = digest_prompt(say("Hello"), Options())
    assert plain != digest_prompt(say("Hello"), Options(system="Be brief."))
    assert plain != digest_prompt((Message(role="assistant", content="Hello"),), Options())
    assert plain == digest_prompt(say("Hello"), Options(max_tokens=9))


def test_the_sample_does_not_depend_on_the_order_of_the_log_and_its_counts_are_exact() -> None:
    texts = [f"prompt {number}" for number in range(200) for _ in range(1 + number % 3)]
    shuffled = Random(7).sample(texts, len(texts))
    found = kept(gather(texts, sample=20))
    assert found == kept(gather(shuffled, sample=20))
    assert {text: texts.count(text) for text in found} == found
    assert 20 == len(found)


def test_another_seed_draws_another_sample() -> None:
    texts = [f"prompt {number}" for number in range(200)]
    assert set(kept(gather(texts, sample=20, seed=1))) != set(kept(gather(texts, sample=20, seed=2)))


def test_every_prompt_has_the_same_chance_however_often_it_was_asked() -> None:
    texts = ["often"] * 500 + [f"rare {number}" for number in range(99)]
    drawn = sum("often" in kept(gather(texts, sample=10, seed=seed)) for seed in range(100))
    assert 1 <= drawn <= 25


def test_the_trace_holds_every_call_in_order_with_its_sizes() -> None:
    traffic = Traffic(sample=10, seed=1)
    traffic.add(call(2.5, input_tokens=7, output_tokens=None), say("b"), Options())
    traffic.add(call(0.25), say("a"), Options())
    found = list(traffic.arrivals())
    assert [(0.0, 10, 5), (2.25, 7, None)] == [(a.offset_s, a.input_tokens, a.output_tokens) for a in found]
    ids = {each.messages[0].content: each.prompt_id for each in traffic.prompts}
    assert [ids["a"], ids["b"]] == [arrived.prompt_id for arrived in found]


def test_calls_of_one_whole_second_are_spread_over_it() -> None:
    traffic = Traffic(sample=10, seed=1)
    for at_s in (0, 0, 0, 0, 3, 3):
        traffic.add(call(at_s), say("a"), Options())
    assert [0, 0.25, 0.5, 0.75, 3, 3.5] == [arrived.offset_s for arrived in traffic.arrivals()]


def test_a_call_without_its_own_prompt_is_stood_in_for_by_the_nearest_in_size() -> None:
    traffic = Traffic(sample=10, seed=1)
    traffic.add(call(0, input_tokens=10), say("small"), Options())
    traffic.add(call(1, input_tokens=1000), say("large"), Options())
    traffic.add_size(call(2, input_tokens=900))
    traffic.add_size(call(3, input_tokens=5000))
    traffic.add_size(call(4, input_tokens=None))
    ids = {each.prompt_id: each.messages[0].content for each in traffic.prompts}
    found = [(ids[arrived.prompt_id], arrived.stand_in) for arrived in traffic.arrivals()]
    assert [("small", False), ("large", False), ("large", True), ("large", True), ("small", True)] == found
    assert (5, 2) == (traffic.calls, traffic.distinct)


def test_a_dropped_prompt_counts_as_load() -> None:
    traffic = gather(["a", "b"])
    (gone,) = [each for each in traffic.prompts if each.messages[0].content == "a"]
    traffic.drop(gone)
    assert [True, False] == [arrived.stand_in for arrived in traffic.arrivals()]


def test_nothing_is_replayed_without_a_prompt() -> None:
    traffic = Traffic(sample=10, seed=1)
    traffic.add_size(call())
    assert [] == list(traffic.arrivals())
