"""Prices of models, from the user or from genai-prices, and the cost of one exchange."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from harness.catalog import names
from harness.catalog.models import find_model
from harness.catalog.sources import Fact, read_geographies
from harness.catalog.target import CacheTtl, Latency, Options, ServiceTier, Text
from harness.clock import utc_now
from harness.errors import CatalogError

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.types import ModelPrice, TieredPrices

_MTOK = 1_000_000
USERS_PRICES = "user's price file"
"""The `source` of a price from the user's price file or suite."""


class Terms(NamedTuple):
    """The terms on which a request is served. Each combination has its own price."""

    service_tier: str = "default"
    latency: str = "standard"

    def non_default(self) -> list[str]:
        """The terms that differ from the default, such as `service_tier: priority`."""
        return [f"{key}: {value}" for key, value in self._asdict().items() if value != self._field_defaults[key]]

    def qualifier(self) -> str:
        """`with service_tier: priority`. Empty for the default terms."""
        return f"with {' and '.join(self.non_default())}" if self != STANDARD else ""


STANDARD = Terms()


def terms_of(options: Options) -> Terms:
    """The terms on which a request with these options is served."""
    return Terms(options.service_tier or STANDARD.service_tier, options.latency or STANDARD.latency)


Rate = Annotated[float, Meta(ge=0)]


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """USD per million tokens. None: the source has no separate price."""

    input: Rate
    output: Rate
    cache_write_5m: Rate | None = None
    cache_write_1h: Rate | None = None
    cache_read: Rate | None = None


class Tier(Rates, frozen=True, kw_only=True):
    """The rates for all tokens of a request with more than `above_input_tokens` input tokens, cached ones included."""

    above_input_tokens: Annotated[int, Meta(ge=0)]


class PriceOverride(Rates, frozen=True, kw_only=True):
    """A price set by the user, such as a discount. It overrides the catalog. USD per million tokens."""

    model: Annotated[Text, Meta(description="Short name or base id.")]
    routing: Annotated[Text | None, Meta(description="Default: every routing without its own price.")] = None
    service_tier: Annotated[ServiceTier | None, Meta(description="Only for this tier. Default: `default`.")] = None
    latency: Annotated[Latency | None, Meta(description="Only for this latency. Default: `standard`.")] = None
    tiers: Annotated[tuple[Tier, ...], Meta(description="Long-context rates, in ascending order.")] = ()

    @property
    def terms(self) -> Terms:
        return Terms(self.service_tier or "default", self.latency or "standard")

    def covers(self, base_model: str, routing: str, terms: Terms) -> bool:
        """Whether this price applies to the model with this routing and these terms."""
        return self.routing in (routing, None) and self.terms == terms and _is_same_model(self.model, base_model)


class Price(Rates, frozen=True, kw_only=True):
    """The price of a model at one kind of endpoint, USD per million tokens."""

    tiers: tuple[Tier, ...] = ()
    """Ascending."""
    source: str
    as_of: str | None
    """ISO date. None: the source has no date besides the version in its name."""

    def rates(self, input_tokens: int) -> Rates:
        """The rates for a request of this many input tokens in total."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above_input_tokens]
        return reached[-1] if reached else self


def price_for(
    base_model: str, routing: str, overrides: Sequence[PriceOverride] = (), terms: Terms = STANDARD
) -> Price | None:
    """Today's price of a base id with a routing (`global`, `us`, …, `in-region`). None: unknown, not free.

    Overrides win over the catalog, and those that name the routing over those that do not. An application profile of
    unknown origin (`application`) has the regional price, the higher one. The price list covers the default tier at
    standard latency only; other terms need an override.
    """
    matching = [each for each in overrides if each.covers(base_model, routing, terms)]
    if matching:
        return _users_price(next((each for each in matching if each.routing), matching[0]))
    return _price_on(base_model, routing, utc_now().date()) if terms == STANDARD else None


def _is_same_model(name: str, base_model: str) -> bool:
    """Whether `name` is one of the model's names."""
    try:
        return find_model(name).base_id == base_model
    except CatalogError:
        return name in (base_model, names.dated_name(base_model))


def _users_price(override: PriceOverride) -> Price:
    rates = {field: getattr(override, field) for field in Rates.__struct_fields__}
    return Price(**rates, tiers=override.tiers, source=USERS_PRICES, as_of=None)


@cache
def _price_on(base_model: str, routing: str, day: date) -> Price | None:
    geography = read_geographies().get(routing)
    if geography is None:
        return _listed_price(base_model, names.IN_REGION if routing == names.APPLICATION else routing, day)
    worldwide = _listed_price(base_model, "global", day)
    return None if worldwide is None else _with_premium(worldwide, geography.premium)


def _listed_price(base_model: str, routing: str, day: date) -> Price | None:
    from importlib.metadata import version

    from genai_prices.data_snapshot import get_snapshot

    try:
        _, model = get_snapshot().find_provider_model(names.model_id(base_model, routing), None, "aws", None)
    except LookupError:
        return None
    kind, _, priced_id = model.id.partition(".")
    expected = "global" if routing == "global" else "regional"
    # The package matches by substrings: it may return another model or the other kind of endpoint.
    if kind != expected or names.short_name(priced_id) != names.short_name(base_model):
        return None
    prices = model.get_prices(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return _make_price(prices, f"genai-prices {version('genai-prices')}")


def _with_premium(worldwide: Price, premium: Fact[float]) -> Price:
    """The global price plus a geography's premium, which is not in the price list."""
    rates = _scaled(worldwide, 1 + premium.value)
    tiers = [
        Tier(**_scaled(each, 1 + premium.value), above_input_tokens=each.above_input_tokens) for each in worldwide.tiers
    ]
    source = f"{worldwide.source} for global, {premium.value:+.0%} by {premium.source}"
    return Price(**rates, tiers=tuple(tiers), source=source, as_of=premium.as_of)


def _scaled(rates: Rates, factor: float) -> dict[str, Any]:
    listed = {kind: getattr(rates, kind) for kind in Rates.__struct_fields__}
    return {kind: None if rate is None else round(rate * factor, 6) for kind, rate in listed.items()}


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


def premium(price: Price | None, worldwide: Price | None) -> float | None:
    """Input price / global input price − 1: 0.1 is 10 % more. None: either is unknown or free."""
    if price is None or worldwide is None or not worldwide.input:
        return None
    return round(price.input / worldwide.input - 1, 6)


def regional_premium(base_model: str, overrides: Sequence[PriceOverride] = ()) -> float | None:
    """The premium of a regional endpoint over the global one, as a fraction."""
    return premium(price_for(base_model, names.IN_REGION, overrides), price_for(base_model, "global", overrides))


def cost_usd(
    price: Price,
    *,
    input_tokens: int,
    output_tokens: int,
    cache_read_tokens: int,
    cache_write_tokens: int,
    cache_ttl: CacheTtl | None = None,
) -> float:
    """The cost of one exchange, USD. `input_tokens` excludes cached tokens, as Bedrock's usage does.

    `cache_ttl`: `Options.cache`; None: five minutes, the default. Cached tokens without a rate are charged as input,
    one-hour writes without a rate as five-minute writes.
    """
    rates = price.rates(input_tokens + cache_read_tokens + cache_write_tokens)
    read = rates.input if rates.cache_read is None else rates.cache_read
    write = rates.input if rates.cache_write_5m is None else rates.cache_write_5m
    if cache_ttl == "1h" and rates.cache_write_1h is not None:
        write = rates.cache_write_1h
    total = input_tokens * rates.input + output_tokens * rates.output
    return (total + cache_read_tokens * read + cache_write_tokens * write) / _MTOK
