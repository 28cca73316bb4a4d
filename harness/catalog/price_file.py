"""Reads a user's price file: discounts, prices of new models."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.catalog.models import find_model, known_models
from harness.catalog.names import APPLICATION, is_claude
from harness.catalog.prices import PriceOverride, Rates, Tier
from harness.errors import CatalogError

_RATES = Rates.__struct_fields__
_NEEDED_RATES = ("input", "output")
_KEYS = {"prices": ("model", "routing", *_RATES, "tiers"), "tiers": ("above_input_tokens", *_RATES)}


def read_price_file(path: Path) -> tuple[PriceOverride, ...]:
    """The prices of a TOML file, USD per million tokens:

        [[prices]]
        model = "claude-sonnet-4-5"     # short name or base id
        routing = "global"              # left out: every routing
        input = 2.7
        output = 13.5
        cache_read = 0.27               # cache_write_5m, cache_write_1h; left out: charged as input

        [[prices.tiers]]                # long-context rates
        above_input_tokens = 200_000
        input = 5.4
        output = 20.25

    Raises CatalogError with every mistake, one a line, each with the file and the key.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number of thousands of digits
        raise CatalogError(f"{path}: is not TOML: {error}") from None
    mistakes = list(_mistakes(written))
    if mistakes:
        raise CatalogError("\n".join(f"{path}: {key}: {told}" for key, told in mistakes))
    return tuple(_override(entry) for entry in written["prices"])


def _override(entry: Mapping[str, Any]) -> PriceOverride:
    tiers = sorted(entry.get("tiers", ()), key=lambda tier: int(tier["above_input_tokens"]))
    return PriceOverride(**{**entry, "tiers": tuple(Tier(**tier) for tier in tiers)})


def _mistakes(written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of the whole file."""
    for key in written.keys() - {"prices"}:
        yield key, "unknown key; a price file holds [[prices]] and nothing else"
    entries = written.get("prices")
    if not _is_tables(entries) or not entries:
        yield "prices", "write one [[prices]] table for each price"
        return
    seen: dict[tuple[str, str | None], int] = {}
    for index, entry in enumerate(entries):
        place = f"prices[{index}]"
        yield from _entry_mistakes(place, entry)
        named = (_base_id(entry.get("model")), str(entry.get("routing")))
        first = seen.setdefault(named, index)
        if first != index:
            yield place, f"the same model and routing as prices[{first}]; drop one of them"


def _entry_mistakes(place: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _rate_mistakes(place, entry, _KEYS["prices"])
    yield from _model_mistakes(f"{place}.model", entry.get("model"))
    if "routing" in entry:
        yield from _routing_mistakes(f"{place}.routing", entry["routing"])
    tiers = entry.get("tiers", [])
    if not _is_tables(tiers):
        yield f"{place}.tiers", "write one [[prices.tiers]] table for each tier"
        return
    for index, tier in enumerate(tiers):
        yield from _rate_mistakes(f"{place}.tiers[{index}]", tier, _KEYS["tiers"])
        start = tier.get("above_input_tokens")
        if not isinstance(start, int) or isinstance(start, bool) or start <= 0:
            yield f"{place}.tiers[{index}].above_input_tokens", f"expected a number of tokens, got {start!r}"


def _rate_mistakes(place: str, entry: Mapping[str, Any], keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    for key in entry.keys() - set(keys):
        near = get_close_matches(key, keys, n=1)
        yield (
            f"{place}.{key}",
            "unknown key" + (f"; did you mean {near[0]}?" if near else f" (known: {', '.join(keys)})"),
        )
    for rate in _RATES:
        if rate not in entry:
            if rate in _NEEDED_RATES:
                yield f"{place}.{rate}", "is missing; write USD per million tokens"
        elif not _is_rate(entry[rate]):
            yield f"{place}.{rate}", f"expected USD per million tokens, 0 or more, got {entry[rate]!r}"


MOST_USD = 10**9
"""Per million tokens; no price is higher, and what is no number is not lower."""


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_USD


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _model_mistakes(place: str, named: object) -> Iterator[tuple[str, str]]:
    if not isinstance(named, str):
        yield place, "is missing; write a short name or a base id"
    elif not is_claude(named):
        try:
            find_model(named)
        except CatalogError as error:
            yield place, f"{error}; a model that is new is named by its base id"


def _routing_mistakes(place: str, routing: object) -> Iterator[tuple[str, str]]:
    known = list(dict.fromkeys(["global", *(each for model in known_models() for each in model.routings), APPLICATION]))
    if routing not in known:
        yield place, f"expected one of {', '.join(known)}, got {routing!r}"


def _base_id(named: object) -> str:
    try:
        return find_model(str(named)).base_id
    except CatalogError:
        return str(named)
