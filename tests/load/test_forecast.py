import msgspec

from harness.catalog.prices import PriceOverride, price_for
from harness.catalog.target import Options, resolve_target
from harness.load.forecast import forecast
from harness.suite.schema import Load, Message, Prompt, Suite

ASKED = 1000


def make_suite(load: Load, **options: object) -> Suite:
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
    [found] = forecast(make_suite(Load(repeats=3)), seed=1).targets
    price = price_for("anthropic.claude-haiku-4-5-20251001-v1:0", "global")
    assert price is not None
    assert (3, 3 * ASKED, 300) == (found.requests, found.input_tokens, found.output_tokens_at_most)
    assert round(3 * (ASKED * price.input + 100 * price.output) / 1e6, 9) == round(found.cost_usd_at_most or 0, 9)


def test_with_a_cache_at_most_everything_is_written_to_it_each_time() -> None:
    plain, five, hour = (
        forecast(make_suite(Load(), cache=cache), seed=1).cost_usd_at_most or 0 for cache in (None, "5m", "1h")
    )
    assert plain < five < hour


def test_one_prompt_without_a_known_price_makes_the_cost_unknown() -> None:
    suite = make_suite(Load())
    fast = Prompt(id="q", messages=suite.prompts[0].messages, options=Options(service_tier="priority"))
    mixed = msgspec.structs.replace(suite, prompts=(*suite.prompts, fast))
    assert forecast(mixed, seed=1).cost_usd_at_most is None
    own = PriceOverride(model="claude-haiku-4-5", service_tier="priority", input=2, output=10)
    both = forecast(msgspec.structs.replace(mixed, prices=(own,)), seed=1).cost_usd_at_most or 0
    assert round(both, 9) == round((ASKED * (1 + 2) + 100 * (5 + 10)) / 1e6, 9)


def test_a_closed_load_that_only_a_duration_bounds_is_a_guess_and_says_so() -> None:
    found = forecast(make_suite(Load(concurrency=6, duration_s=30.0)), seed=1)
    assert (True, 60, 30.0) == (found.guessed, found.requests, found.seconds)
