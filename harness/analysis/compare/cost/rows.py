"""Differences of cost: the ratio of totals, which an invoice shows; typical prompts and correct answers beside it."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Floats
from harness.analysis.compare.comparison import Difference, Scale, add_note
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.metrics import answer_cost_usd, cost_per_correct_usd
from harness.analysis.stats.means import mean_difference
from harness.analysis.stats.totals import compare_quotients, compare_totals, effective_totals
from harness.characters import counted

GEOMETRIC = "cost_per_prompt_geometric"
FEW = 10
"""Prompts of equal cost. Where the bill is worth fewer, a note says so: its interval rests on few of them."""
MOST_OF_THE_BILL = 0.8


def compare_cost(pairs: Pairs, scale: Scale) -> Difference:
    """ln of the ratio of total costs over the shared prompts, or the difference of the means in USD.

    A prompt's cost is the mean over its answered requests, each with all its attempts, so the total is that of asking
    every prompt once. A failed request is not a cheap answer: it counts in the error rate and is left out here.
    """
    before, after, known = prompt_costs(pairs)
    row = Difference(metric="cost_per_request", scale=scale, unit="usd", baseline=None, candidate=None)
    if not known.any():
        return add_note(row, "no prompt has a known cost on both sides; `harness models` lists the known prices")
    if scale == "log_ratio" and not min(before[known].sum(), after[known].sum()) > 0:
        return add_note(row, "the answers of one side are free, so there is no ratio; give the margin in dollars")
    before, after, clusters = before[known], after[known], pairs.clusters(known)
    effect = compare_totals(after, before, clusters, logarithm=scale == "log_ratio")
    row = msgspec.structs.replace(
        row,
        baseline=float(before.mean()),
        candidate=float(after.mean()),
        n=len(before),
        clusters=int(clusters.max()) + 1,
        **msgspec.structs.asdict(effect),
    )
    left_out = len(known) - len(before)
    missing = f"leaves out {counted(left_out, 'prompt')} without a known cost on both sides" if left_out else ""
    return add_note(row, missing, _few_carry_it(before, after, clusters))


def compare_geometric(pairs: Pairs) -> Difference:
    """Mean over prompts of ln(cost_candidate / cost_baseline), with a t interval: what a prompt costs, typically.

    Every prompt counts alike, however cheap. It explains a bill and decides nothing.
    """
    before, after, known = prompt_costs(pairs)
    known &= (before > 0) & (after > 0)
    row = Difference(metric=GEOMETRIC, scale="log_ratio", unit="usd", baseline=None, candidate=None)
    if not known.any():
        return add_note(row, "no prompt has a known cost above 0 on both sides")
    logs, clusters = [np.log(each[known]) for each in (before, after)], pairs.clusters(known)
    return msgspec.structs.replace(
        row,
        baseline=float(np.exp(logs[0].mean())),
        candidate=float(np.exp(logs[1].mean())),
        n=int(known.sum()),
        clusters=int(clusters.max()) + 1,
        note="every prompt counts alike, however cheap; the bill is the cost per request",
        **msgspec.structs.asdict(mean_difference(logs[1] - logs[0], clusters)),
    )


def compare_cost_per_correct(pairs: Pairs) -> Difference:
    """ln of the ratio of (what all requests cost / how many passed), over the shared prompts; decides nothing.

    Without an estimate where the cost of an answer is unknown or nothing passed on one side.
    """
    arms = (pairs.baseline, pairs.candidate)
    row = Difference(metric="cost_per_correct", scale="log_ratio", unit="usd", baseline=None, candidate=None)
    before, after = (cost_per_correct_usd(arm.columns) for arm in arms)
    if not before or not after:
        return row
    (old, new), clusters = (_sums(arm) for arm in arms), pairs.clusters(np.ones(len(pairs.prompts), dtype=np.bool_))
    return msgspec.structs.replace(
        row,
        baseline=before,
        candidate=after,
        n=len(clusters),
        clusters=int(clusters.max()) + 1,
        **msgspec.structs.asdict(compare_quotients(new, old, clusters)),
    )


def _sums(arm: ArmColumns) -> tuple[Floats, Floats]:
    """By prompt: what its requests cost, failed ones too, and how many passed."""
    weights = (np.nan_to_num(arm.columns.cost_usd), (arm.columns.passed == 1).astype(np.float64))
    cost, right = (np.bincount(arm.codes, weights=each, minlength=arm.prompts) for each in weights)
    return np.asarray(cost, dtype=np.float64), np.asarray(right, dtype=np.float64)


def prompt_costs(pairs: Pairs) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Each prompt's mean cost in (baseline, candidate), USD, NaN where unknown; and where both are known."""
    before, after = (arm.means(answer_cost_usd(arm.columns))[0] for arm in (pairs.baseline, pairs.candidate))
    return before, after, ~np.isnan(before) & ~np.isnan(after)


def _few_carry_it(before: Floats, after: Floats, clusters: npt.NDArray[np.int64]) -> str:
    """Says so where the bill is worth fewer than FEW prompts or groups of equal cost, while there are twice as many."""
    worth, count = effective_totals(after, before, clusters), int(clusters.max()) + 1
    if worth >= FEW or count < 2 * worth:
        return ""
    totals = sum(np.bincount(clusters, weights=each) for each in (before, after))
    shares = np.sort(totals)[::-1].cumsum() / totals.sum()  # type: ignore[union-attr]
    most = int(np.searchsorted(shares, MOST_OF_THE_BILL)) + 1
    what = "prompts" if count == len(before) else "groups"
    return (
        f"{most} of {count} {what} carry {shares[most - 1]:.0%} of the bill, which is worth {worth:.1f} of equal cost: "
        "a cost that is as rare as these may be missing from it"
    )
