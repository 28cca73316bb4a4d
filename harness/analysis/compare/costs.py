"""Cost per request of two arms, and what changed it: the price or the number of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np

from harness.analysis import metrics
from harness.analysis.columns import AttemptCounts, Floats
from harness.analysis.compare.comparison import Difference, Drift, Scale, add_note
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.metrics import answer_cost_usd
from harness.analysis.stats.means import mean_difference
from harness.catalog.prices import Price, cost_usd
from harness.characters import counted

LEAST_MOVE = 0.02
"""A ratio within 2 % of 1 counts as no change."""


def compare_cost(pairs: Pairs, scale: Scale) -> Difference:
    """Mean over prompts of ln(cost_candidate / cost_baseline), or of their difference in USD, with a t interval.

    A prompt's cost is the mean over its answered requests, each with all its attempts. A failed request is not a cheap
    answer: it counts in the error rate and is left out here.
    """
    before, after = (arm.means(answer_cost_usd(arm.columns))[0] for arm in (pairs.baseline, pairs.candidate))
    known = ~np.isnan(before) & ~np.isnan(after)
    if scale == "log_ratio":
        known &= (before > 0) & (after > 0)
    row = Difference(metric="cost_per_request", scale=scale, unit="usd", baseline=None, candidate=None)
    if not known.any():
        above = " above 0" if scale == "log_ratio" else ""
        return add_note(
            row, f"no prompt has a known cost{above} on both sides; `harness models` lists the known prices"
        )
    left_out = len(known) - int(known.sum())
    differences = np.log(after[known] / before[known]) if scale == "log_ratio" else after[known] - before[known]
    clusters = pairs.clusters(known)
    return msgspec.structs.replace(
        row,
        baseline=float(before[known].mean()),
        candidate=float(after[known].mean()),
        n=int(known.sum()),
        clusters=int(clusters.max()) + 1,
        note=f"leaves out {counted(left_out, 'prompt')} without a known cost on both sides" if left_out else "",
        **msgspec.structs.asdict(mean_difference(differences, clusters)),
    )


def find_drift(
    pairs: Pairs, prices: tuple[Price | None, Price | None], baseline_counts: AttemptCounts, *, same_model: bool
) -> Drift:
    """The cost ratio as price ratio × token ratio. `prices`: the list prices of (baseline, candidate).

    Ratios are geometric means over the prompts that both answered. The price ratio prices the baseline's own tokens at
    both list prices, with cached tokens at the baseline's average a request.
    """
    arms = (pairs.baseline, pairs.candidate)
    cost_ratio = _ratio(arms, lambda arm: answer_cost_usd(arm.columns))
    tokens = [_ratio(arms, of) for of in (_input_tokens, _output_tokens)]
    price_ratio = _price_ratio(pairs.baseline, prices, baseline_counts)
    both = cost_ratio is not None and price_ratio is not None
    token_ratio = cost_ratio / price_ratio if both and cost_ratio and price_ratio else None
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


def _input_tokens(arm: ArmColumns) -> Floats:
    return np.where(arm.columns.ok, arm.columns.input_tokens, np.nan)


def _output_tokens(arm: ArmColumns) -> Floats:
    return np.where(arm.columns.ok, arm.columns.output_tokens, np.nan)


def _ratio(arms: tuple[ArmColumns, ArmColumns], of: Callable[[ArmColumns], Floats]) -> float | None:
    """Geometric mean over prompts of candidate / baseline; None without a prompt that has both above 0."""
    before, after = (arm.means(of(arm))[0] for arm in arms)
    known = (before > 0) & (after > 0)  # False where either is NaN
    return float(np.exp(np.log(after[known] / before[known]).mean())) if known.any() else None


def _price_ratio(
    baseline: ArmColumns, prices: tuple[Price | None, Price | None], counts: AttemptCounts
) -> float | None:
    old, new = prices
    if old is None or new is None:
        return None
    given, made = baseline.means(_input_tokens(baseline))[0], baseline.means(_output_tokens(baseline))[0]
    known = ~np.isnan(given) & ~np.isnan(made)
    requests = max(1, counts.attempts)
    read, written = counts.cache_read_tokens // requests, counts.cache_write_tokens // requests
    logs = []
    for tokens in zip(given[known], made[known], strict=True):
        costs = [_priced(price, round(tokens[0]), round(tokens[1]), read, written) for price in (old, new)]
        if min(costs) > 0:
            logs.append(math.log(costs[1] / costs[0]))
    return math.exp(sum(logs) / len(logs)) if logs else None


def _priced(price: Price, given: int, made: int, read: int, written: int) -> float:
    return cost_usd(price, input_tokens=given, output_tokens=made, cache_read_tokens=read, cache_write_tokens=written)


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
    return f"{100 * (ratio - 1):+.0f}%"
