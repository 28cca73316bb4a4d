"""Reads a user's price file: discounts and the prices of new models."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from harness.catalog.models import find_model, known_models
from harness.catalog.names import APPLICATION, is_claude
from harness.catalog.prices import PriceOverride, Rates, Tier
from harness.catalog.target import Latency, ServiceTier
from harness.errors import CatalogError
from harness.files import read_bounded

_RATES = Rates.__struct_fields__
_REQUIRED_RATES = ("input", "output")
_DEFAULTS = {"routing": None, "service_tier": "default", "latency": "standard"}
_KEYS = {"prices": ("model", *_DEFAULTS, *_RATES, "tiers"), "tiers": ("above_input_tokens", *_RATES)}
_TIERS, _LATENCIES = get_args(ServiceTier), get_args(Latency)


MAX_BYTES = 1_000_000
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_HEADER = re.compile(r"\s*\[\[\s*prices\s*(\.\s*tiers\s*)?\]\]")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*=")
MOST_TOKENS = 1_000_000_000
"""No context window is larger, and Python refuses to write numbers of thousands of digits."""
KeyPath = tuple[str | int, ...]
Mistakes = Iterator[tuple[KeyPath, str]]
"""(where, what is wrong)."""


class PriceFileError(CatalogError):
    """A price file that cannot be used. `mistakes` holds all of its mistakes."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def read_price_file(path: Path) -> tuple[PriceOverride, ...]:
    """The prices of a TOML file, USD per million tokens:

        [[prices]]
        model = "claude-sonnet-4-5"     # short name or base id
        routing = "global"              # default: every routing
        input = 2.7
        output = 13.5
        cache_read = 0.27               # also cache_write_5m, cache_write_1h; default: as input
        service_tier = "priority"       # only for this tier; also latency = "optimized"

        [[prices.tiers]]                # long-context rates
        above_input_tokens = 200_000
        input = 5.4
        output = 20.25

    PriceFileError lists every mistake, with the file, the line and the key.
    """
    try:
        text = read_bounded(path, max_bytes=MAX_BYTES).decode()
        content = tomllib.loads(text)
    except OSError as error:
        raise PriceFileError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of thousands of digits
        line = _AT_LINE.search(str(error))
        place = f"{path}:{line[1]}" if line else path
        raise PriceFileError([f"{place}: is not TOML: {_AT_LINE.sub('', str(error))}"]) from None
    mistakes = list(_mistakes(content))
    if mistakes:
        lines = _lines(text)
        raise PriceFileError([f"{path}:{_line_of(key, lines)}: {_dotted(key)}: {wrong}" for key, wrong in mistakes])
    return tuple(_override(entry) for entry in content["prices"])


def _lines(text: str) -> dict[KeyPath, int]:
    """The line of each table and key that is written as in the example of `read_price_file`; TOML's parser has none."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts = Counter[KeyPath]()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            parent = ("prices",) if header[1] is None else (*table[:2], "tiers")
            table = (*parent, counts[parent])
            counts[parent] += 1
            lines[table] = number
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1]), number)
    return lines


def _line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """The line of the key, or of the nearest table around it."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)


def _override(entry: Mapping[str, Any]) -> PriceOverride:
    tiers = sorted(entry.get("tiers", ()), key=lambda tier: int(tier["above_input_tokens"]))
    return PriceOverride(**{**entry, "tiers": tuple(Tier(**tier) for tier in tiers)})


def _mistakes(content: Mapping[str, Any]) -> Mistakes:
    for key in content.keys() - {"prices"}:
        yield (key,), "unknown key; a price file has only [[prices]] tables"
    entries = content.get("prices")
    if not _is_tables(entries) or not entries:
        yield ("prices",), "write one [[prices]] table per price"
        return
    for index, entry in enumerate(entries):
        yield from _structure_mistakes(("prices", index), entry)
    yield from price_mistakes(entries)


def _structure_mistakes(place: KeyPath, entry: Mapping[str, Any]) -> Mistakes:
    yield from _key_mistakes(place, entry, _KEYS["prices"])
    tiers = entry.get("tiers", [])
    if not _is_tables(tiers):
        yield (*place, "tiers"), "write one [[prices.tiers]] table per tier"
        return
    for index, tier in enumerate(tiers):
        yield from _key_mistakes((*place, "tiers", index), tier, _KEYS["tiers"])
        start = tier.get("above_input_tokens")
        if not isinstance(start, int) or isinstance(start, bool) or not 0 < start <= MOST_TOKENS:
            yield (*place, "tiers", index, "above_input_tokens"), f"expected a number of tokens, got {_short(start)}"


def _key_mistakes(place: KeyPath, entry: Mapping[str, Any], keys: Sequence[str]) -> Mistakes:
    for key in entry.keys() - set(keys):
        near = get_close_matches(key, keys, n=1)
        yield (
            (*place, key),
            "unknown key" + (f"; did you mean {near[0]}?" if near else f" (known: {', '.join(keys)})"),
        )
    for rate in _RATES:
        if rate not in entry:
            if rate in _REQUIRED_RATES:
                yield (*place, rate), "is missing; write USD per million tokens"
        elif not _is_rate(entry[rate]):
            yield (*place, rate), f"expected USD per million tokens, 0 or more, got {_short(entry[rate])}"


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, dict) for each in value)


MOST_USD = 10_000
LEAST_USD = 0.01
"""Bounds in USD per million tokens. A price outside them is probably per token or per thousand tokens."""


def price_mistakes(entries: Sequence[Mapping[str, Any]]) -> Mistakes:
    """Implausible prices in a price file or a suite. Paths start with `prices` and the entry's index."""
    seen: dict[tuple[object, ...], int] = {}
    for index, entry in enumerate(entries):
        place: KeyPath = ("prices", index)
        for key, tables in (("model", [entry]), ("tiers", entry.get("tiers", []))):
            for number, rates in enumerate(tables if _is_tables(tables) else []):
                yield from _rate_mistakes(place if key == "model" else (*place, key, number), rates)
        yield from _model_mistakes((*place, "model"), entry.get("model"))
        for key, known in (("routing", _routings()), ("service_tier", _TIERS), ("latency", _LATENCIES)):
            if key in entry:
                yield from _word_mistakes((*place, key), entry[key], known)
        identity = (_base_id(entry.get("model")), *(str(entry.get(key, usual)) for key, usual in _DEFAULTS.items()))
        first = seen.setdefault(identity, index)
        if first != index:
            yield place, f"has the same model and routing as prices[{first}]; drop one of them"


def _rate_mistakes(place: KeyPath, rates: Mapping[str, Any]) -> Mistakes:
    for key in (key for key in _RATES if _is_rate(rates.get(key))):
        rate = rates[key]
        if rate > MOST_USD:
            yield (*place, key), f"{_short(rate)} is too high for USD per million tokens"
        elif key in _REQUIRED_RATES and rate == 0:
            yield (
                (*place, key),
                "is 0, so budgets and gates would not work; write USD per million tokens",
            )
        elif key in _REQUIRED_RATES and rate < LEAST_USD:
            yield (*place, key), f"{_short(rate)} is too low for USD per million tokens; is it the price of one token?"


def _short(value: object) -> str:
    """The value as shown in a message. A hexadecimal number may have more digits than Python writes."""
    if isinstance(value, int) and abs(value) > 1e18:
        return "an enormous number"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _model_mistakes(place: KeyPath, model: object) -> Mistakes:
    if not isinstance(model, str):
        yield place, "is missing; write a short name or a base id"
    elif not is_claude(model):
        try:
            find_model(model)
        except CatalogError as error:
            yield place, f"{error}; name a new model by its base id"


def _word_mistakes(place: KeyPath, word: object, known: Sequence[str]) -> Mistakes:
    if word not in known:
        near = get_close_matches(str(word), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield place, f"expected one of {', '.join(known)}, got {_short(word)}{hint}"


def _routings() -> list[str]:
    return list(dict.fromkeys(["global", *(each for model in known_models() for each in model.routings), APPLICATION]))


def _dotted(path: KeyPath) -> str:
    """`("prices", 0, "model")` → `prices[0].model`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _base_id(model: object) -> str:
    try:
        return find_model(str(model)).base_id
    except CatalogError:
        return str(model)
