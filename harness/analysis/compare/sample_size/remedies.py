"""What would settle an inconclusive row: more prompts, more repeats or more time, and how many."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec import UNSET
from msgspec.structs import replace
from scipy.special import stdtrit

from harness.analysis.columns import Floats
from harness.analysis.compare.comparison import Difference, ErrorSources, Remedy
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.metrics import answer_cost_usd, metric_of
from harness.analysis.stats.clusters import BLOCKS, DEGREES, Clustering, Dependence
from harness.analysis.stats.means import error_degrees
from harness.analysis.stats.power import ALPHA, POWER
from harness.analysis.stats.time_blocks import METHOD

MOST_NEEDED = 1_000_000
"""A larger n is not useful advice: the difference lies on its margin."""
ROUNDING = 1e-9
"""Floating-point tolerance, as a share of the margin: 85 % less 80 % is 5 points."""
BURSTY = 2.0
"""Design effect of time from which a latency needs more of it, and not more prompts at once."""
MOST_REPEATS = 50
"""Of one prompt; beyond it, more prompts are the better advice."""
T_METHODS = ("paired-t", "cluster-t", "newcombe-clustered")
"""Methods whose interval takes t quantiles, of the clusters' degrees of freedom."""


def reaches(difference: float, margin: float) -> bool:
    """Whether a difference is the margin or more, within floating-point tolerance."""
    return difference >= margin * (1 - ROUNDING)


def needed(
    *,
    n: int,
    estimate: float,
    low: float,
    high: float,
    margin: float,
    family: int,
    degrees: float = math.inf,
    grow: bool = True,
) -> int | None:
    """The n that would settle an inconclusive metric at 80 % power, if the true difference is the estimate.

    Below the margin it takes high < margin: n·((t + t_β)·SE / (margin − d))². Above it, it takes a significant
    difference, n·((t' + t_β)·SE / d)², in a run whose estimate reaches the margin too, n·(t_β·SE / (d − margin))²; the
    larger of the two. SE is the interval's half-width over t, and t' the quantile of α over the family, Holm's first
    step. `degrees`: of the interval's t quantiles; if they `grow`, as many more as n (∞ is the normal quantile).
    None: the estimate is so near the margin that no n helps.
    """
    below = not reaches(estimate, margin)
    apart = abs(margin - estimate)
    reach = high - estimate if below else estimate - low
    if reach <= 0 or apart <= ROUNDING * margin:
        return None
    error = reach / _t(degrees, 1 - ALPHA / 2)
    wanted = float(n)
    for _ in range(8):
        at = degrees * max(1.0, wanted / n) if grow else degrees
        t_beta = _t(at, POWER)
        if below:
            errors = (_t(at, 1 - ALPHA / 2) + t_beta) / apart
        else:
            errors = max((_t(at, 1 - ALPHA / 2 / family) + t_beta) / estimate, t_beta / apart)
        wanted = n * (errors * error) ** 2
    return max(n + 1, math.ceil(wanted)) if wanted <= MOST_NEEDED else None


def with_sources(row: Difference, pairs: Pairs, selected: npt.NDArray[np.bool_] | None = None) -> Difference:
    """The row with where its error comes from. `selected`: one flag a prompt. As it is where that cannot be told."""
    metric = metric_of(row.metric)
    of = answer_cost_usd if metric.unit == "usd" else metric.values
    if of is None or row.estimate is None or not math.isfinite(row.estimate) or not row.n:
        return row
    values = [np.where(arm.columns.ok, of(arm.columns), np.nan) if metric.quantile else of(arm.columns)
              for arm in (pairs.baseline, pairs.candidate)]  # fmt: skip
    if metric.quantile is not None:
        values = _above(values, row, metric.quantile)
    elif metric.unit == "usd":
        values = [each / np.nanmean(each) for each in values]
    return replace(row, sources=_sources(values, pairs, selected, row))


def _above(values: list[Floats], row: Difference, q: float) -> list[Floats]:
    """1 for answers above the pooled quantile, the candidate's moved by the estimate; NaN where there is none."""
    assert row.estimate is not None
    new = values[1] / math.exp(row.estimate) if row.scale == "log_ratio" else values[1] - row.estimate
    cut = np.nanquantile(np.concatenate([values[0], new]), q)
    return [np.where(np.isnan(each), np.nan, (each > cut).astype(np.float64)) for each in (values[0], new)]


def _sources(
    values: list[Floats], pairs: Pairs, selected: npt.NDArray[np.bool_] | None, row: Difference
) -> ErrorSources | None:
    arms = (pairs.baseline, pairs.candidate)
    (before, before_n), (after, after_n) = (arm.means(each) for arm, each in zip(arms, values, strict=True))
    shared = (before_n > 0) & (after_n > 0)
    if selected is not None:
        shared &= selected
    prompts = int(shared.sum())
    if prompts < 2:
        return None
    whole = float((after - before)[shared].var(ddof=1)) / prompts
    of_answers = sum(_within(arm, each, shared) for arm, each in zip(arms, values, strict=True))
    counts = np.minimum(before_n, after_n)[shared]
    prompt_degrees = error_degrees(np.bincount(pairs.clusters(shared)))
    time = _time_effect(values, arms)
    degrees = math.inf
    if row.method == METHOD:
        degrees = min(prompt_degrees, DEGREES * time / (time - 1)) if time > 1 else prompt_degrees
    elif row.method in T_METHODS:
        degrees = prompt_degrees
    return ErrorSources(
        prompts=prompts,
        repeats=float(np.median(counts)),
        of_answers=min(1.0, of_answers / whole) if whole > 0 and counts.max() > 1 else None,
        time_effect=time,
        minutes=float(np.ptp(pairs.baseline.columns.due_s)) / 60,
        degrees=degrees,
    )


def _within(arm: ArmColumns, values: Floats, shared: npt.NDArray[np.bool_]) -> float:
    """The error (squared) of the mean over prompts that the answers to one prompt account for; 0 of single answers."""
    means, counts = arm.means(values)
    squares, _ = arm.means((values - means[arm.codes]) ** 2)
    often = shared & (counts > 1)
    if not often.any():
        return 0.0
    variance = squares[often] * counts[often] / (counts[often] - 1)
    return float(variance.mean() * (1 / counts[shared]).mean()) / int(shared.sum())


def _time_effect(values: list[Floats], arms: tuple[ArmColumns, ArmColumns]) -> float:
    """Variance between 8 or 16 blocks of time over that of independent answers, summed over the arms; at least 1."""
    clustered, independent = np.zeros(2), 0.0
    for each, arm in zip(values, arms, strict=True):
        known = ~np.isnan(each)
        x, due = each[known], arm.columns.due_s[known]
        ways = Clustering(Dependence.of(np.zeros(len(x), dtype=np.int64), due))
        by_block = ways.by_block(ways.errors((x - x.mean()) / len(x)))
        clustered += [ways.time_variance(by_block, blocks) for blocks in (BLOCKS, BLOCKS // 2)]
        independent += float(x.var()) / len(x)
    return max(1.0, float(clustered.max()) / independent) if independent else 1.0


def with_remedy(row: Difference) -> Difference:
    """An inconclusive row with what it needs more of, and how much; `n_needed` is known. Takes its sources off.

    - runs, where the spread between earlier runs makes the interval, or there are too few of them to know it;
    - time, where answers that are near in time are slow together (`BURSTY`) and no prompts or groups are missing;
    - repeats, where answers to one prompt differ more than prompts do, and so many can do it alone;
    - prompts otherwise. Rows that compare attempts, or whose sources of error are unknown, name none.
    """
    sources = row.sources
    row = replace(row, sources=UNSET)
    if row.between_runs is not None and (row.between_runs.decides or row.between_runs.spread is None):
        return replace(row, remedy="runs", remedy_now=float(row.between_runs.runs))
    if sources is UNSET or sources is None or not row.n:
        return row
    if row.n_needed is None:
        bursts = row.p_value is not None and (row.low is None or row.high is None)
        return replace(row, remedy="time", remedy_now=round(sources.minutes, 1)) if bursts else row
    more = row.n_needed / row.n
    if row.clusters_needed is not None:
        return _named(row, "prompts", math.ceil(sources.prompts * more), sources.prompts)
    bursty = sources.time_effect >= BURSTY if row.method == METHOD else row.time_limited
    if bursty and row.low is not None:
        return _named(row, "time", math.ceil(10 * sources.minutes * more) / 10, round(sources.minutes, 1))
    repeats = _repeats(sources, more)
    if row.method == METHOD and (row.low is None or row.high is None):
        repeats = math.ceil(row.n_needed / sources.prompts)  # it lacks samples, not prompts
    if repeats is not None and repeats <= MOST_REPEATS:
        return _named(row, "repeats", repeats, sources.repeats)
    return _named(row, "prompts", math.ceil(sources.prompts * more), sources.prompts)


def _repeats(sources: ErrorSources, more: float) -> int | None:
    """Answers to each prompt that make the error √`more` times smaller. None: prompts vary more, or it is unknown."""
    if sources.of_answers is None or sources.of_answers < 0.5:
        return None
    left = 1 / more - (1 - sources.of_answers)
    return math.ceil(sources.repeats * sources.of_answers / left) if left > 0 else None


def _named(row: Difference, remedy: Remedy, wanted: float, now: float) -> Difference:
    return replace(row, remedy=remedy, remedy_needed=float(wanted), remedy_now=float(now))


def _t(degrees: float, p: float) -> float:
    return float(stdtrit(min(degrees, 1e6), p))
