from time import process_time_ns
from typing import Any

import msgspec
import pytest

from harness.catalog.prices import PriceOverride, price_for
from harness.catalog.target import Options, resolve_target
from harness.load.forecast import forecast
from harness.suite.fields import MOST_REQUESTS
from harness.suite.suite import Load, Message, Prompt, Suite

ASKED = 1000


def one_target(load: Load, **options: object) -> Suite:
    target = resolve_target(
        model="claude-haiku-4-5",
        routing="global",
        api="converse",
        client="aioboto3",
        options=Options(max_tokens=100, **options),
    )
    prompt = Prompt(id="p", messages=(Message(role="user", content="word" * ASKED),))
    return Suite(name="s", digest="", endpoint="aws", targets=(target,), prompts=(prompt,), load=load)


def test_the_cost_is_the_prompts_tokens_and_the_most_that_answers_may_have() -> None:
    [found] = forecast(one_target(Load(repeats=3)), seed=1).targets
    price = price_for("anthropic.claude-haiku-4-5-20251001-v1:0", "global")
    assert price is not None
    assert (3, 3 * ASKED, 300) == (found.requests, found.input_tokens, found.output_tokens_at_most)
    assert round(3 * (ASKED * price.input + 100 * price.output) / 1e6, 9) == round(found.cost_usd_at_most or 0, 9)


def test_with_a_cache_at_most_everything_is_written_to_it_each_time() -> None:
    plain, five, hour = (
        forecast(one_target(Load(), cache=cache), seed=1).cost_usd_at_most or 0 for cache in (None, "5m", "1h")
    )
    assert plain < five < hour


def test_one_prompt_without_a_known_price_makes_the_cost_unknown() -> None:
    suite = one_target(Load())
    fast = Prompt(id="q", messages=suite.prompts[0].messages, options=Options(service_tier="priority"))
    mixed = msgspec.structs.replace(suite, prompts=(*suite.prompts, fast))
    assert forecast(mixed, seed=1).cost_usd_at_most is None
    own = PriceOverride(model="claude-haiku-4-5", service_tier="priority", input=2, output=10)
    both = forecast(msgspec.structs.replace(mixed, prices=(own,)), seed=1).cost_usd_at_most or 0
    assert round(both, 9) == round((ASKED * (1 + 2) + 100 * (5 + 10)) / 1e6, 9)


def test_a_closed_load_that_only_a_duration_bounds_is_a_guess_and_says_so() -> None:
    found = forecast(one_target(Load(concurrency=6, duration_s=30.0)), seed=1)
    assert (True, 60, 30.0) == (found.guessed, found.requests, found.seconds)


@pytest.mark.parametrize(
    "load",
    [
        Load(repeats=40, warmup=7),
        Load(requests=41),
        Load(arrival="poisson", rate_per_s=20.0, duration_s=10.0, warmup=3),
        Load(arrival="poisson", rate_per_s=20.0, requests=90, warmup=3),
        Load(arrival="ramp", rate_per_s=1.0, to_per_s=20.0, duration_s=10.0, repeats=9),
        Load(arrival="constant", rate_per_s=5.0, rates_per_s={"t1": 9.0}, duration_s=10.0),
    ],
)
def test_a_long_plan_is_forecast_as_it_would_be_walked(load: Load, make_suite: Any) -> None:
    suite = make_suite(load, prompts=4, targets=2)
    assert forecast(suite, seed=1) == forecast(suite, seed=1, walk_at_most=10)


def test_a_plan_that_would_take_minutes_to_walk_is_forecast_in_a_second() -> None:
    start_ns = process_time_ns()
    assert MOST_REQUESTS == forecast(one_target(Load(requests=MOST_REQUESTS)), seed=1).requests
    assert process_time_ns() - start_ns < 1e9
