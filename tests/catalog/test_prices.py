from datetime import UTC, datetime
from typing import Literal

import pytest
from genai_prices import Usage, calc_price

from harness.catalog.models import Model, find_model, known_models
from harness.catalog.prices import (
    USERS_PRICES,
    Price,
    PriceOverride,
    Rates,
    Terms,
    Tier,
    cost_usd,
    premium,
    price_for,
    regional_premium,
    terms_of,
)
from harness.catalog.sources import read_documented
from harness.catalog.target import Options, merge_options

DOCUMENTED = [find_model(base_id) for base_id, facts in read_documented().items() if facts.routings]


def known_price(name: str, routing: str) -> Price:
    price = price_for(find_model(name).base_id, routing)
    assert price is not None
    return price


@pytest.mark.parametrize(
    ("name", "routing", "expected"),
    [
        ("claude-sonnet-4-5", "global", (3, 15, 3.75, 6, 0.3)),
        ("claude-sonnet-4-5", "us", (3.3, 16.5, 4.125, 6.6, 0.33)),
        ("claude-sonnet-4-5", "in-region", (3.3, 16.5, 4.125, 6.6, 0.33)),
        ("claude-haiku-4-5", "global", (1, 5, 1.25, 2, 0.1)),
        ("claude-haiku-4-5", "jp", (1.1, 5.5, 1.375, 2.2, 0.11)),
        ("claude-opus-4-5", "global", (5, 25, 6.25, 10, 0.5)),
        ("claude-opus-4-5", "eu", (5.5, 27.5, 6.875, 11, 0.55)),
        ("claude-sonnet-4", "global", (3, 15, 3.75, None, 0.3)),
        ("claude-sonnet-4", "apac", (3, 15, 3.75, None, 0.3)),
        ("claude-3-haiku", "us", (0.25, 1.25, None, None, None)),
        ("claude-opus-5", "global", (5, 25, 6.25, 10, 0.5)),
        ("claude-opus-5-5", "global", (4, 20, 5, 8, 0.2)),
    ],
)
def test_prices_are_the_ones_of_the_price_list(name: str, routing: str, expected: tuple[float | None, ...]) -> None:
    price = known_price(name, routing)
    found = (price.input, price.output, price.cache_write_5m, price.cache_write_1h, price.cache_read)
    assert expected == found
    assert price.source.startswith("genai-prices ")


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_every_routing_offered_has_a_price(model: Model) -> None:
    assert [routing for routing in model.routings if price_for(model.base_id, routing) is None] == []


@pytest.mark.parametrize("model", DOCUMENTED, ids=lambda model: model.name)
def test_regional_endpoints_cost_a_tenth_more_from_generation_4_5_on_and_not_before(model: Model) -> None:
    premium = regional_premium(model.base_id)
    if "global" not in model.routings:
        assert premium is None
        return
    expected = 0.1 if model.generation >= (4, 5) else 0.0
    worldwide = known_price(model.name, "global")
    for routing in set(model.routings) - {"global", "us-gov"}:
        regional = known_price(model.name, routing)
        assert regional.output == pytest.approx(worldwide.output * (1 + expected))
        assert regional.cache_read == pytest.approx((worldwide.cache_read or 0) * (1 + expected))
    assert premium == pytest.approx(expected)


@pytest.mark.parametrize(
    ("base_id", "routing"),
    [
        ("anthropic.claude-opus-4-1-20250805-v1:0", "global"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "global"),
        ("anthropic.claude-sonnet-4-20260101-v1:0", "global"),
        ("anthropic.claude-opus-9", "us"),
        ("anthropic.claude-opus-4-50-20251101-v1:0", "us"),
        ("amazon.nova-pro-v1:0", "us"),
        ("anthropic.claude-fable-5-1", "jp"),
    ],
)
def test_an_unknown_price_is_none_and_never_that_of_another_model(base_id: str, routing: str) -> None:
    assert price_for(base_id, routing) is None


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"input_tokens": 1000, "output_tokens": 200}, 0.003 + 0.003),
        ({"input_tokens": 0, "output_tokens": 0}, 0.0),
        ({"input_tokens": 10, "output_tokens": 0, "cache_read_tokens": 1_000_000}, 0.00003 + 0.3),
        ({"input_tokens": 0, "output_tokens": 0, "cache_write_tokens": 1_000_000}, 3.75),
    ],
)
def test_the_cost_is_tokens_times_rates(tokens: dict[str, int], expected: float) -> None:
    price = known_price("claude-sonnet-4-5", "global")
    used = {"cache_read_tokens": 0, "cache_write_tokens": 0, **tokens}
    assert expected == pytest.approx(cost_usd(price, cache_ttl=None, **used))


@pytest.mark.parametrize("uncached", [99_000, 99_001])
def test_a_long_prompt_is_charged_at_the_long_rates_for_all_its_tokens(uncached: int) -> None:
    price = known_price("claude-haiku-5-5", "global")
    cost = cost_usd(price, input_tokens=uncached, output_tokens=10, cache_read_tokens=600, cache_write_tokens=400)
    rates: Rates = price.tiers[0] if uncached > 99_000 else price
    assert (rates.input, rates.output) == ((0.5, 2.5) if uncached > 99_000 else (0.1, 0.5))
    cached = 600 * (rates.cache_read or 0) + 400 * (rates.cache_write_5m or 0)
    assert cost == pytest.approx((uncached * rates.input + 10 * rates.output + cached) / 1e6)


def test_the_highest_tier_reached_counts() -> None:
    tiers = (Tier(above_input_tokens=10, input=2, output=2), Tier(above_input_tokens=20, input=3, output=3))
    price = Price(input=1, output=1, tiers=tiers, source="a table", as_of="2026-01-01")
    assert [price.rates(tokens).input for tokens in (10, 11, 20, 21)] == [1, 2, 2, 3]


def test_cached_tokens_without_a_rate_of_their_own_are_charged_as_input() -> None:
    price = known_price("claude-3-haiku", "us")
    cost = cost_usd(price, input_tokens=100, output_tokens=0, cache_read_tokens=100, cache_write_tokens=200)
    assert cost == pytest.approx(400 * 0.25 / 1e6)


@pytest.mark.parametrize("routing", ["global", "us"])
@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-haiku-5-5", "claude-sonnet-4"])
def test_costs_agree_with_the_packages_own_arithmetic(name: str, routing: str) -> None:
    base_id = find_model(name).base_id
    for uncached, read, write, output in [(500, 0, 0, 300), (40_000, 90_000, 2_000, 700)]:
        usage = Usage(
            input_tokens=uncached + read + write, cache_read_tokens=read, cache_write_tokens=write, output_tokens=output
        )
        theirs = calc_price(usage, f"{routing}.{base_id}", provider_id="aws", genai_request_timestamp=datetime.now(UTC))
        ours = cost_usd(
            known_price(name, routing),
            input_tokens=uncached,
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_tokens=write,
        )
        assert ours == pytest.approx(float(theirs.total_price))


def test_documented_context_windows_agree_with_the_price_list() -> None:
    from genai_prices.data_snapshot import get_snapshot

    for base_id, facts in read_documented().items():
        _, listed = get_snapshot().find_provider_model(base_id, None, "aws", None)
        assert facts.context_window is not None
        assert (base_id, listed.context_window) == (base_id, facts.context_window.value)


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-opus-5", "claude-haiku-5-5"])
def test_the_government_geography_costs_a_fifth_more_than_global_and_says_by_whose_word(name: str) -> None:
    price, worldwide = known_price(name, "us-gov"), known_price(name, "global")
    assert premium(price, worldwide) == pytest.approx(0.2)
    assert [tier.output for tier in price.tiers] == pytest.approx([tier.output * 1.2 for tier in worldwide.tiers])
    assert "+20% by litellm" in price.source
    assert price.as_of == "2026-11-22"


def test_an_application_profile_of_unknown_origin_is_priced_as_regional() -> None:
    assert known_price("claude-sonnet-4-6", "application") == known_price("claude-sonnet-4-6", "us")


OPUS = "anthropic.claude-opus-4-5-20251101-v1:0"
EVERYWHERE = PriceOverride(model="claude-opus-4-5", input=4, output=20)
IN_EUROPE = PriceOverride(model=OPUS, routing="eu", input=4.5, output=22.5, cache_read=0.45)


@pytest.mark.parametrize(
    ("base_id", "routing", "overrides", "expected"),
    [
        (OPUS, "eu", [EVERYWHERE, IN_EUROPE], 4.5),
        (OPUS, "eu", [IN_EUROPE, EVERYWHERE], 4.5),
        (OPUS, "global", [EVERYWHERE, IN_EUROPE], 4),
        (OPUS, "us", [IN_EUROPE], 5.5),
        (OPUS, "us", [PriceOverride(model="claude-opus-4-5-20251101", input=1, output=2)], 1),
        ("anthropic.claude-opus-9", "us", [EVERYWHERE], None),
        ("anthropic.claude-opus-9", "us", [PriceOverride(model="anthropic.claude-opus-9", input=7, output=35)], 7),
    ],
)
def test_the_users_price_wins_and_one_with_a_routing_over_one_without(
    base_id: str, routing: str, overrides: list[PriceOverride], expected: float | None
) -> None:
    price = price_for(base_id, routing, overrides)
    assert expected == (price and price.input)


@pytest.mark.parametrize(
    ("terms", "overrides", "expected"),
    [
        (Terms(), [], 5.5),
        (Terms(service_tier="priority"), [], None),
        (Terms(service_tier="reserved"), [EVERYWHERE], None),
        (Terms(latency="optimized"), [], None),
        (Terms(service_tier="flex"), [PriceOverride(model=OPUS, service_tier="flex", input=2, output=9)], 2),
        (Terms(), [PriceOverride(model=OPUS, service_tier="flex", input=2, output=9)], 5.5),
        (Terms(), [PriceOverride(model=OPUS, service_tier="default", latency="standard", input=2, output=9)], 2),
        (Terms("flex", "optimized"), [PriceOverride(model=OPUS, service_tier="flex", input=2, output=9)], None),
    ],
)
def test_a_service_tier_and_a_latency_have_prices_of_their_own(
    terms: Terms, overrides: list[PriceOverride], expected: float | None
) -> None:
    price = price_for(OPUS, "us", overrides, terms)
    assert expected == (price and price.input)


def test_a_prompts_own_service_tier_wins_over_its_targets() -> None:
    target = Options(service_tier="flex", latency="optimized")
    assert Terms("flex", "optimized") == terms_of(target)
    assert Terms("priority", "optimized") == terms_of(merge_options(target, Options(service_tier="priority")))
    assert Terms("default", "standard") == terms_of(merge_options(Options(), Options()))


def test_a_users_price_says_so_and_keeps_its_long_context_rates() -> None:
    tier = Tier(above_input_tokens=100_000, input=8, output=40)
    price = price_for(OPUS, "us", [PriceOverride(model=OPUS, input=4, output=20, tiers=(tier,))])
    assert price == Price(input=4, output=20, tiers=(tier,), source=USERS_PRICES, as_of=None)
    assert price is not None
    assert price.rates(100_001).input == 8


def test_the_premium_is_that_of_the_users_prices() -> None:
    overrides = [
        PriceOverride(model=OPUS, input=4, output=20),
        PriceOverride(model=OPUS, routing="global", input=2, output=9),
    ]
    assert regional_premium(OPUS, overrides) == 1.0


def test_a_premium_over_nothing_is_unknown() -> None:
    free = Price(input=0, output=0, source="a table", as_of=None)
    assert premium(free, free) is None
    assert premium(None, free) is None


@pytest.mark.parametrize(
    ("name", "cache_ttl", "expected"),
    [
        ("claude-sonnet-4-5", None, 3.75),
        ("claude-sonnet-4-5", "5m", 3.75),
        ("claude-sonnet-4-5", "1h", 6),
        ("claude-sonnet-4", "1h", 3.75),
    ],
)
def test_what_is_cached_for_an_hour_is_charged_at_the_rate_of_an_hour(
    name: str, cache_ttl: Literal["5m", "1h"] | None, expected: float
) -> None:
    tokens = {"input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 1_000_000}
    assert expected == pytest.approx(cost_usd(known_price(name, "global"), cache_ttl=cache_ttl, **tokens))
