"""What moved the bill: the price, at the baseline's own tokens, and the number of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.analysis import metrics
from harness.analysis.columns import Floats
from harness.analysis.compare.comparison import Difference, Drift
from harness.analysis.compare.cost.prices import RunPrices, find_prices, price_ratios, same_price
from harness.analysis.compare.cost.rows import prompt_costs
from harness.analysis.compare.pairing import ArmColumns, Pairing, Pairs
from harness.analysis.metrics import answer_cost_usd
from harness.catalog.prices import USERS_PRICES
from harness.store.finding import Finding

LIST_PRICE = "list_price"
LEAST_MOVE = 0.02
"""A ratio within 2 % of 1 counts as no change."""
ROUNDING = 1e-9
"""A rate that changed and that no token was charged at leaves the ratio at 1."""


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Why a candidate costs what it costs."""

    drift: Drift
    list_price: tuple[Difference, ...] = ()
    """One row where the same model's price changed between two runs."""
    findings: tuple[Finding, ...] = ()


def explain_bill(pairs: Pairs, each: Pairing) -> Bill:
    """Price and tokens apart, and a change of the list price between two runs as a row and a finding of its own."""
    prices = (find_prices(each.baseline, each.baseline_target), find_prices(each.candidate, each.candidate_target))
    old, new = each.baseline.target(each.baseline_target), each.candidate.target(each.candidate_target)
    drift = find_drift(pairs, prices, same_model=old.base_model == new.base_model)
    between = each.baseline is not each.candidate and (old.base_model, old.routing) == (new.base_model, new.routing)
    if not drift.price_ratio or not between or not _is_repriced(*prices) or abs(drift.price_ratio - 1) < ROUNDING:
        return Bill(drift=drift)
    row = _list_price(pairs, drift.price_ratio)
    return Bill(drift=drift, list_price=(row,), findings=(_repriced(each.candidate_target, prices[1], drift),))


def find_drift(pairs: Pairs, prices: tuple[RunPrices, RunPrices], *, same_model: bool) -> Drift:
    """The ratio of total costs as price ratio × token ratio. `prices`: of (baseline, candidate), each of its own day.

    Totals are those of `compare_cost`: over the prompts that both answered, each prompt's mean. The price ratio is what
    the baseline's own tokens cost at the candidate's price / what they cost (a Laspeyres price index); the token ratio
    is the rest (a Paasche quantity index), so the two always multiply to the ratio of totals.
    """
    before, after, known = prompt_costs(pairs)
    total = float(before[known].sum())
    cost_ratio = float(after[known].sum()) / total if total > 0 and after[known].sum() > 0 else None
    price_ratio = _price_ratio(pairs, prices)
    token_ratio = cost_ratio / price_ratio if cost_ratio is not None and price_ratio else None
    tokens = [_ratio((pairs.baseline, pairs.candidate), of) for of in (_input_tokens, _output_tokens)]
    return Drift(
        cost_ratio=cost_ratio,
        price_ratio=price_ratio,
        token_ratio=token_ratio,
        input_token_ratio=tokens[0],
        output_token_ratio=tokens[1],
        baseline_cost_per_correct_usd=metrics.cost_per_correct_usd(pairs.baseline.columns),
        candidate_cost_per_correct_usd=metrics.cost_per_correct_usd(pairs.candidate.columns),
        baseline_total_usd=_total(pairs.baseline),
        candidate_total_usd=_total(pairs.candidate),
        summary=_describe(cost_ratio, price_ratio, token_ratio, tokens[0], tokens[1], same_model=same_model),
    )


def _is_repriced(old: RunPrices, new: RunPrices) -> bool:
    return any(
        terms in new.by_terms and not same_price(price, new.by_terms[terms]) for terms, price in old.by_terms.items()
    )


def _list_price(pairs: Pairs, ratio: float) -> Difference:
    """What the baseline's tokens cost then and now. A price is known, not sampled, so the row is one value."""
    before, _, known = prompt_costs(pairs)
    paid, change = float(before[known].mean()), math.log(ratio)
    return Difference(
        metric=LIST_PRICE,
        scale="log_ratio",
        unit="usd",
        baseline=paid,
        candidate=paid * ratio,
        estimate=change,
        low=change,
        high=change,
        n=int(known.sum()),
        clusters=int(known.sum()),
        method="price-list",
        verdict="worse" if change > 0 else "better",
        exploratory=True,
        note="the baseline's own tokens at the price of each run's day; part of the cost per request",
    )


def _repriced(target: str, prices: RunPrices, drift: Drift) -> Finding:
    """The change of price in words, and what became of the tokens."""
    ratio = drift.price_ratio or 1.0
    users = any(price.source == USERS_PRICES for price in prices.by_terms.values())
    moved = f"{'rose' if ratio >= 1 else 'fell'} {100 * abs(ratio - 1):.3g}%"
    return Finding(
        what=f"the {'price in the suite' if users else 'list price'} of {target} {moved} between the runs; "
        f"{_tokens_in_words(drift)}",
        remedy="the bill moves with it whatever the model does; to accept it, set the baseline anew "
        "(`harness baseline set`) or widen the margin of cost_per_request",
    )


def _tokens_in_words(drift: Drift) -> str:
    if drift.token_ratio is None:
        return "what became of the tokens is unknown"
    if not any(map(_moved, (drift.token_ratio, drift.input_token_ratio, drift.output_token_ratio))):
        return "tokens are as many"
    if not _moved(drift.token_ratio):
        return "at one price, the tokens would cost about the same"
    return f"at one price, the tokens alone would cost {_percent(drift.token_ratio)}"


def _price_ratio(pairs: Pairs, prices: tuple[RunPrices, RunPrices]) -> float | None:
    """Σ of the baseline's prompts at the candidate's price / Σ of what they cost. None: a price is unknown."""
    columns, (before, _, known) = pairs.baseline.columns, prompt_costs(pairs)
    at_new = pairs.baseline.means(answer_cost_usd(columns) * price_ratios(columns, *prices))[0][known]
    total, then = float(before[known].sum()), float(at_new.sum())
    return then / total if total > 0 and 0 < then < math.inf else None  # NaN is in no range


def _input_tokens(arm: ArmColumns) -> Floats:
    return np.where(arm.columns.ok, arm.columns.input_tokens, np.nan)


def _output_tokens(arm: ArmColumns) -> Floats:
    return np.where(arm.columns.ok, arm.columns.output_tokens, np.nan)


def _ratio(arms: tuple[ArmColumns, ArmColumns], of: Callable[[ArmColumns], Floats]) -> float | None:
    """Total of the candidate / total of the baseline, each prompt's mean; None without a prompt that both have."""
    before, after = (arm.means(of(arm))[0] for arm in arms)
    known = ~np.isnan(before) & ~np.isnan(after)
    old, new = float(before[known].sum()), float(after[known].sum())
    return new / old if old > 0 and new > 0 else None


def _total(arm: ArmColumns) -> float | None:
    return float(np.nansum(arm.columns.cost_usd)) if metrics.costs_known(arm.columns) else None


def _describe(
    cost: float | None,
    price: float | None,
    tokens: float | None,
    given: float | None,
    made: float | None,
    *,
    same_model: bool,
) -> str:
    """`cost +110%: the same price, 2.1 × the output tokens (token drift)`."""
    if cost is None:
        return "cost cannot be compared: no prompt has a known cost above 0 on both sides"
    causes = []
    if price is not None:
        causes.append(f"price {_percent(price)} (price drift)" if _moved(price) else "the same price")
    ratios = ((given, "input"), (made, "output"))
    moved = [_times(ratio, kind) for ratio, kind in ratios if ratio is not None and _moved(ratio)]
    if moved:
        causes.append(f"{' and '.join(moved)} (token drift)")
    else:
        causes.append("the same number of tokens" if given is not None or made is not None else "token counts unknown")
    tokenizer = "" if same_model or not moved else "; different models may also count tokens differently"
    if not _moved(cost) and not moved and not _moved(price):
        return "cost is the same"
    return f"cost {_percent(cost)}: {', '.join(causes)}{tokenizer}"


def _times(ratio: float, kind: str) -> str:
    """`2.1 × the output tokens`, `12% fewer input tokens`."""
    if ratio >= 1.5:
        return f"{ratio:.2g} × the {kind} tokens"
    return f"{100 * abs(ratio - 1):.0f}% {'more' if ratio > 1 else 'fewer'} {kind} tokens"


def _moved(ratio: float | None) -> bool:
    return ratio is not None and abs(ratio - 1) > LEAST_MOVE


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f}%".replace("-", "−")
