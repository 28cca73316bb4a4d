"""Two runs at two times: rows that time can move count the spread between runs, or decide nothing without a history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from harness.analysis.compare.comparison import BetweenRuns, Difference, TimeOfDay, add_note
from harness.analysis.compare.pairing import Pairing
from harness.analysis.metrics import metric_of
from harness.analysis.past_runs import StoredRun, past_values, send_the_same
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.random_effects import (
    Spread,
    count_spread,
    pairs_apart,
    spread_of_difference,
    spread_of_runs,
)
from harness.characters import counted

FEWEST_RUNS = 5
"""Earlier runs of each target without which the spread between runs is unknown: t has 4 degrees of freedom then."""


def count_runs(rows: Sequence[Difference], each: Pairing, history: Sequence[StoredRun]) -> list[Difference]:
    """The rows of a comparison of two runs: those that time can move count the spread between runs.

    `history`: earlier runs that did the same as the candidate's (`past_runs.find_past_runs`). A row whose targets have
    fewer than FEWEST_RUNS values there keeps its estimate and loses its bounds, so that it is `inconclusive`; so does
    every row if the two runs did not send the same requests to the same endpoint.
    """
    history = history if _alike(each) else ()
    return [_count(row, each, history) if metric_of(row.metric).moves_with_time else row for row in rows]


def time_of_day(rows: Iterable[Difference], *, one_run: bool) -> TimeOfDay | None:
    """What became of the time of day in a comparison's gated rows; None: two runs, and no row that it can move."""
    if one_run:
        return "cancels"
    counted_rows = [row.between_runs for row in rows if row.between_runs is not None and not row.exploratory]
    if not counted_rows:
        return None
    return "unknown" if any(runs.spread is None for runs in counted_rows) else "counted"


def _alike(each: Pairing) -> bool:
    old, new = each.baseline, each.candidate
    return old.manifest.endpoint == new.manifest.endpoint and send_the_same(old.suite, new.suite)


def _count(row: Difference, each: Pairing, history: Sequence[StoredRun]) -> Difference:
    targets = each.baseline.target(each.baseline_target), each.candidate.target(each.candidate_target)
    old, new = ([value.value for value in past_values(history, target, row.metric)] for target in targets)
    runs, same = min(len(old), len(new)), targets[0] == targets[1]
    if row.estimate is None:
        return row
    if runs < FEWEST_RUNS:
        return _unknown(row, runs, same=same)
    between, at_least = _spread(row, old, new, same=same)
    within = Effect(estimate=row.estimate, low=row.low, high=row.high, p_value=row.p_value, method=row.method)
    effect = count_spread(within, between, at_least=at_least)
    decides = effect.low != row.low or effect.high != row.high
    told = BetweenRuns(
        runs=runs, spread=between.sd / math.sqrt(2), decides=decides, within_low=row.low, within_high=row.high
    )
    return replace(row, low=effect.low, high=effect.high, p_value=effect.p_value, between_runs=told)


def _unknown(row: Difference, runs: int, *, same: bool) -> Difference:
    """A row that two runs alone cannot decide."""
    more = counted(FEWEST_RUNS - runs, "more run")
    remedy = (
        f"make {more} of this suite to see how much runs differ"
        if same
        else "run both targets in one suite, or gate with --confirm"
    )
    have = f"{runs} of {FEWEST_RUNS} earlier runs" if runs else "no earlier runs"
    row = replace(
        row,
        low=None,
        high=None,
        p_value=None,
        n_needed=None,
        clusters_needed=None,
        between_runs=BetweenRuns(runs=runs, within_low=row.low, within_high=row.high),
    )
    return add_note(row, f"two runs at two times, and {have} to tell the hour from the target: {remedy}")


def _spread(row: Difference, old: list[float], new: list[float], *, same: bool) -> tuple[Spread, float]:
    """Of the difference of two runs, and what earlier ones rarely differ by; on the row's scale."""
    assert row.baseline is not None
    assert row.candidate is not None
    if metric_of(row.metric).unit == "share":
        return spread_of_rates(old, new, row.baseline, row.candidate, same=same), pairs_apart(new, old, same=same)
    levels = (row.candidate, row.baseline) if row.scale == "absolute" else (1.0, 1.0)
    logs = [[level * math.log(x) for x in values] for values, level in zip((new, old), levels, strict=True)]
    spreads = [spread_of_runs(values) for values in logs]
    return spread_of_difference(*spreads, same=same), pairs_apart(*logs, same=same)


def spread_of_rates(old: list[float], new: list[float], baseline: float, candidate: float, *, same: bool) -> Spread:
    """The compared runs count as well: bursts of errors are rare, and five quiet runs do not rule out a bad hour.

    Beside k runs without an error, one with many has a t of at most √((k + 2) / 2), whatever its rate.
    """
    if same:
        spread = spread_of_runs([*old, baseline, candidate])
        return spread_of_difference(spread, spread, same=True)
    return spread_of_difference(spread_of_runs([*new, candidate]), spread_of_runs([*old, baseline]))
