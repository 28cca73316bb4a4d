"""What a model costs: Bedrock's prices out of genai-prices, and the cost of one exchange."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from harness.catalog import names
from harness.clock import utc_now

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.types import ModelPrice, TieredPrices

_MTOK = 1_000_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """USD per million tokens. None: the source has no price of its own for that."""

    input: float
    output: float
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    cache_read: float | None = None


class Tier(Rates, frozen=True, kw_only=True):
    """The rates for all tokens of a request whose input, cached or not, is longer than `above_input_tokens`."""

    above_input_tokens: int


class Price(Rates, frozen=True, kw_only=True):
    """The price of a model at one kind of endpoint, USD per million tokens."""

    tiers: tuple[Tier, ...] = ()
    """Ascending."""
    source: str
    as_of: str | None
    """None: the source carries no date beyond the version in its name."""

    def rates(self, input_tokens: int) -> Rates:
        """The rates for a request of this many input tokens in total."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above_input_tokens]
        return reached[-1] if reached else self


def price_for(base_model: str, routing: str) -> Price | None:
    """Today's price of a base id at a routing (`global`, `us`, …, `in-region`). None: unknown, never free."""
    return _price_on(base_model, routing, utc_now().date())


@cache
def _price_on(base_model: str, routing: str, day: date) -> Price | None:
    from importlib.metadata import version

    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(names.model_id(base_model, routing), None, "aws", None)
    except LookupError:
        return None
    kind, _, priced_id = found.id.partition(".")
    expected = "global" if routing == "global" else "regional"
    # The package matches by substrings: another model or the other kind of endpoint is no price.
    if kind != expected or names.short_name(priced_id) != names.short_name(base_model):
        return None
    prices = found.get_prices(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return _make_price(prices, f"genai-prices {version('genai-prices')}")


def _make_price(prices: ModelPrice, source: str) -> Price | None:
    listed = {
        "input": prices.input_mtok,
        "output": prices.output_mtok,
        "cache_write_5m": prices.cache_write_mtok,
        "cache_write_1h": prices.cache_write_1h_mtok,
        "cache_read": prices.cache_read_mtok,
    }
    if listed["input"] is None or listed["output"] is None:
        return None
    starts = sorted({tier.start for price in listed.values() for tier in getattr(price, "tiers", ())})
    return msgspec.convert(
        {
            **_rates_at(listed, 0),
            "tiers": [{**_rates_at(listed, start + 1), "above_input_tokens": start} for start in starts],
            "source": source,
            "as_of": None,
        },
        type=Price,
    )


def _rates_at(listed: dict[str, Decimal | TieredPrices | None], input_tokens: int) -> dict[str, float | None]:
    return {kind: _rate_at(price, input_tokens) for kind, price in listed.items()}


def _rate_at(price: Decimal | TieredPrices | None, input_tokens: int) -> float | None:
    if price is None:
        return None
    from genai_prices.types import TieredPrices

    if not isinstance(price, TieredPrices):
        return float(price)
    reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return float(reached[-1] if reached else price.base)


def regional_premium(base_model: str) -> float | None:
    """Regional price / global price − 1 for input tokens: 0.1 is 10 % dearer. None: one of the two is unknown."""
    worldwide, regional = price_for(base_model, "global"), price_for(base_model, names.IN_REGION)
    if worldwide is None or regional is None:
        return None
    return round(regional.input / worldwide.input - 1, 6)


def cost_usd(
    price: Price, *, input_tokens: int, output_tokens: int, cache_read_tokens: int, cache_write_tokens: int
) -> float:
    """The cost of one exchange, USD. `input_tokens` leaves cached tokens out, as Bedrock's usage does.

    Cache writes are charged at the five-minute rate, which is the default. Cached tokens without a rate of their own
    are charged as input.
    """
    rates = price.rates(input_tokens + cache_read_tokens + cache_write_tokens)
    read = rates.input if rates.cache_read is None else rates.cache_read
    write = rates.input if rates.cache_write_5m is None else rates.cache_write_5m
    total = input_tokens * rates.input + output_tokens * rates.output
    return (total + cache_read_tokens * read + cache_write_tokens * write) / _MTOK
