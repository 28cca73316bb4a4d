"""What a target's answers cost, by kind of token, and the premium of a regional endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.analysis.compare.cost.prices import find_prices
from harness.analysis.compare.cost.token_costs import KINDS, kind_costs, requests_by, token_counts
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.metrics import answer_cost_usd
from harness.catalog.prices import Price, Rates, Terms, price_for
from harness.catalog.target import Target

CostPart = Literal["input", "output", "cache read", "cache write", "regional premium", "other"]
COST_PARTS: tuple[CostPart, ...] = ("input", "output", "cache read", "cache write", "regional premium", "other")
ROUNDING = 1e-9
"""Relative to the total. What is left below it is no cost of its own."""


@dataclass(frozen=True, kw_only=True)
class CostParts:
    """One target's cost per 1,000 requests, USD: as `cost_per_1000_usd` of a summary has it, by part."""

    target: str
    total_usd: float
    parts: Mapping[CostPart, float]
    """They add up to the total. Tokens are at the global endpoint's price where the premium is told apart; `other` is
    what no token of an answer explains: earlier attempts, and answers whose price is not on record."""
    premium_known: bool
    """Whether the premium is told apart, or is none."""


def cost_parts(run: FinishedRun, name: str) -> CostParts | None:
    """The parts of one target's cost; None if no cost is known.

    Each prompt counts once, with the mean of its answered requests of known cost.
    """
    c, target = run.data.columns[name], run.target(name)
    costs = answer_cost_usd(c)
    known = ~np.isnan(costs)
    if not known.any():
        return None
    weights = 1000 * _weights(c, known)
    tokens, by_kind, premium, told = token_counts(c), np.zeros((len(KINDS), len(costs))), np.zeros(len(costs)), True
    prices = find_prices(run, name)
    for (terms, ttl), chosen in requests_by(c, prices.asked):
        price = prices.by_terms.get(terms)
        if price is None or not chosen.any():
            continue
        worldwide = worldwide_price(run, target, terms, price)
        paid = np.nan_to_num(kind_costs(price, tokens[:, chosen], ttl))
        at_base = paid if worldwide is None else np.nan_to_num(kind_costs(worldwide, tokens[:, chosen], ttl))
        by_kind[:, chosen], premium[chosen] = at_base, (paid - at_base).sum(axis=0)
        told &= worldwide is not None
    total = float(weights @ np.where(known, costs, 0.0))
    sums = [*(by_kind @ weights).tolist(), float(premium @ weights)]
    sums.append(total - sum(sums))
    parts: dict[CostPart, float] = {
        part: value for part, value in zip(COST_PARTS, sums, strict=True) if abs(value) > ROUNDING * abs(total)
    }
    return CostParts(target=name, total_usd=total, parts=parts, premium_known=told)


def worldwide_price(run: FinishedRun, target: Target, terms: Terms, price: Price) -> Price | None:
    """What the same model cost on the global endpoint that day, on the same terms. None: unknown, or dearer.

    From a target of the same run; else today's, if today's price of this target is the one of that day.
    """
    if target.routing == "global":
        return price
    sibling = next((t for t in run.suite.targets if (t.base_model, t.routing) == (target.base_model, "global")), None)
    found = None if sibling is None else run.manifest.price_on_day(sibling, terms, run.suite.prices)
    if found is None:
        today = price_for(target.base_model, target.routing, run.suite.prices, terms)
        if today is not None and _rates(today) == _rates(price):
            found = price_for(target.base_model, "global", run.suite.prices, terms)
    return found if found is not None and found.input <= price.input and found.output <= price.output else None


def _rates(price: Price) -> list[float | None]:
    return [getattr(price, name) for name in Rates.__struct_fields__]


def _weights(c: Columns, known: np.typing.NDArray[np.bool_]) -> Floats:
    """The weight of each request in the mean over prompts of the means of the known requests; 0 for the others."""
    codes = c.prompts[1]
    sizes = np.bincount(codes[known], minlength=len(c.prompts[0]))
    return np.where(known, 1 / (np.count_nonzero(sizes) * np.maximum(1, sizes[codes])), 0.0)
