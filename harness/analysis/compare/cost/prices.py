"""The price of each request as of the day of its run: what the run recorded, or what its recorded costs tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.analysis.compare.cost.token_costs import Asked, asked_of, requests_by, token_counts, total_costs
from harness.analysis.compare.pairing import FinishedRun
from harness.catalog.prices import Price, Rates, Terms, price_for
from harness.catalog.target import CacheTtl

RECOVERED = "the run's own costs"
"""The `source` of a price that was worked out from costs and tokens on record."""
CLOSE = 1e-6
"""Relative. A price that is further from a recorded cost is not the one that made it."""


@dataclass(frozen=True, kw_only=True)
class RunPrices:
    """What one target cost on the day of its run."""

    by_terms: Mapping[Terms, Price]
    """Terms without a known price are not in it."""
    asked: Mapping[str, Asked]
    """Prompt id → on which terms it was asked."""


def find_prices(run: FinishedRun, name: str) -> RunPrices:
    """The prices of a target of a run: those in its manifest, else those that agree with its recorded costs.

    Runs of earlier versions recorded costs and tokens only. Their price is today's where it gives the costs on record,
    else the one that costs and tokens lead to, where they lead to one; else it is unknown.
    """
    target = run.target(name)
    asked = asked_of(target, run.suite.prompts)
    recorded = run.manifest.prices_of(name)
    if recorded:
        return RunPrices(by_terms=recorded, asked=asked)
    found: dict[Terms, Price] = {}
    columns = run.data.columns[name]
    for (terms, ttl), chosen in requests_by(columns, asked):
        today = price_for(target.base_model, target.routing, run.suite.prices, terms)
        price = _price_on_record(columns.select(chosen), today, ttl)
        if price is not None:
            found.setdefault(terms, price)
    return RunPrices(by_terms=found, asked=asked)


def price_ratios(c: Columns, old: RunPrices, new: RunPrices) -> Floats:
    """Of each request, what its own tokens cost at the new price / at the old one; NaN: unknown.

    `c` are requests that were asked, and paid for, on the terms of `old`.
    """
    ratios, tokens = np.full(len(c.ok), np.nan), token_counts(c)
    both = {prompt: (*asked, new.asked[prompt][0]) for prompt, asked in old.asked.items() if prompt in new.asked}
    for (terms, ttl, later), chosen in requests_by(c, both):
        before, after = old.by_terms.get(terms), new.by_terms.get(later)
        if before is None or after is None:
            continue
        paid, now = total_costs(before, tokens[:, chosen], ttl), total_costs(after, tokens[:, chosen], ttl)
        blind = RECOVERED in (before.source, after.source)
        known = (paid > 0) & ~(blind & (tokens[2:, chosen].sum(axis=0) > 0))
        ratios[chosen] = np.divide(now, paid, out=np.full(len(paid), np.nan), where=known)
    return ratios


def same_price(one: Price, other: Price) -> bool:
    """Whether all rates of two prices are the same. A price that was worked out has input and output alone."""
    if RECOVERED in (one.source, other.source):
        return _near(one.input, other.input) and _near(one.output, other.output)
    return one.tiers == other.tiers and all(
        _near(getattr(one, name), getattr(other, name)) for name in Rates.__struct_fields__
    )


def _near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= CLOSE * max(one, other)


def _price_on_record(c: Columns, today: Price | None, ttl: CacheTtl | None) -> Price | None:
    """`today` where it gives the costs on record; else the price that they lead to. None: neither."""
    c = c.select(c.ok & (c.attempts == 1) & ~np.isnan(c.cost_usd) & ~np.isnan(c.input_tokens + c.output_tokens))
    tokens, costs = token_counts(c), c.cost_usd
    if not len(costs):
        return None
    if today is not None and bool((np.abs(total_costs(today, tokens, ttl) - costs) <= CLOSE * costs).all()):
        return today
    rates, _, rank, _ = np.linalg.lstsq(tokens[:2].T / 1e6, costs, rcond=1e-9)
    off = np.abs(tokens[:2].T @ rates / 1e6 - costs) > CLOSE * costs
    if tokens[2:].any() or rank < 2 or off.any() or rates.min() < 0:
        return None
    return Price(input=round(float(rates[0]), 6), output=round(float(rates[1]), 6), source=RECOVERED, as_of=None)
