"""Stalls: moments in which one target answered slowly and the other did not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import e2e_s, mean_by_prompt, metric_of, ttft_s
from harness.analysis.stats.quantiles import quantile

Flags = npt.NDArray[np.bool_]

FALSE_ALARM = 0.01
"""The most that chance alone finds a stall in an arm, where answers do not depend on time."""
SPREADS = 2.0
"""An answer is slow if it is so many standard deviations of the log latency above the median, and"""
LEAST_RATIO = 1.5
"""so many times the median at least."""
WITHIN = 0.8
"""Share of slow answers in a stall."""
LEAST_SHARE = 0.05
"""Share of slow answers elsewhere, or their share in the arm if that is more."""
FEWEST = 4
"""Answers in a stall."""


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """One target's answers were slow for a while, and the other's to the same prompts or at the same time were not."""

    run_id: str
    target: str
    start_s: float
    """When the first of its answers was due, seconds since the run's origin."""
    seconds: float
    """From there until the last of them was due."""
    requests: int
    """Answered requests that were due in it."""
    times_as_slow: float
    """Their median latency (TTFT, or E2E without streaming) / the target's."""


@dataclass(frozen=True, kw_only=True)
class Stalled:
    """The stalls of one arm, in the order of time, and which of its requests are in one."""

    stalls: tuple[Stall, ...]
    requests: Flags


def find_stalls(arm: Columns, other: Columns, *, run_id: str, together: bool) -> Stalled:
    """Where `arm` stalled and `other` did not. `together`: both are of one run, so that they share its time.

    An answer is slow as `_slow` says, less what the other arm's answers to its prompt foretell. Slow answers score
    ln(0.8 / p), others ln(0.2 / (1 − p)), p the share of slow ones in the arm, at least 5 %. The stretch of neighbours
    with the highest score is a stall if that exceeds ln(n / 0.01): independent answers have such a stretch in at most
    1 % of arms. Then the same to the left and to the right of it. It is none if the other arm was slow as well, half as
    often or more: at the same time, or in its answers to the same prompts.

    Source: Karlin & Altschul 1990, PNAS 87:2264–2268 (maximal scoring segments).
    """
    values, others = _latencies(arm, other)
    logs = np.log(values), np.log(others)
    slow, slow_there = (
        _slow(_beyond_prompt(arm, logs[0], other, logs[1])),
        _slow(_beyond_prompt(other, logs[1], arm, logs[0])),
    )
    answered = np.flatnonzero(~np.isnan(values))
    answered = answered[np.argsort(arm.due_s[answered], kind="stable")]
    inside, stalls = np.zeros(len(values), dtype=np.bool_), []
    for start, end in _stretches(slow[answered]):
        found = answered[start:end]
        if _shared(arm, other, found, slow, slow_there, others, together=together):
            continue
        inside[found] = True
        first, last = float(arm.due_s[found[0]]), float(arm.due_s[found[-1]])
        stalls.append(
            Stall(
                run_id=run_id,
                target=arm.target,
                start_s=first,
                seconds=last - first,
                requests=len(found),
                times_as_slow=float(np.median(values[found]) / np.nanmedian(values)),
            )
        )
    return Stalled(stalls=tuple(sorted(stalls, key=lambda each: each.start_s)), requests=inside)


def _latencies(*arms: Columns) -> tuple[Floats, ...]:
    """TTFT where every arm streams, else E2E, s; NaN without a value above 0."""
    streamed = all((~np.isnan(ttft_s(arm))).any() for arm in arms)
    values = [ttft_s(arm) if streamed else e2e_s(arm) for arm in arms]
    return tuple(np.where(each > 0, each, np.nan) for each in values)


def _beyond_prompt(arm: Columns, logs: Floats, other: Columns, others: Floats) -> Floats:
    """The arm's log latencies less what the other arm's answers to the same prompt foretell, by least squares."""
    means, (prompts, codes) = mean_by_prompt(other, others), arm.prompts
    foretold = np.array([means.get(prompt, np.nan) for prompt in prompts])[codes]
    both = ~np.isnan(foretold) & ~np.isnan(logs)
    if both.sum() < FEWEST:
        return logs
    foretold = np.nan_to_num(foretold - foretold[both].mean())
    spread = float(foretold[both] @ foretold[both])
    slope = max(0.0, float(foretold[both] @ (logs[both] - logs[both].mean())) / spread) if spread > 0 else 0.0
    return np.asarray(logs - slope * foretold)


def _slow(logs: Floats) -> Flags:
    """Which answers are slow. The spread is that of the faster half, in which there are no stalls."""
    if np.isnan(logs).all():
        return np.zeros(len(logs), dtype=np.bool_)
    quarter, median = np.nanquantile(logs, (0.25, 0.5))
    flags: Flags = logs > median + max(SPREADS * (median - quarter) / 0.6745, math.log(LEAST_RATIO))
    return flags


def _stretches(slow: Flags) -> Iterator[tuple[int, int]]:
    """The stretches whose score is high enough, [start, end)."""
    n, p = len(slow), max(LEAST_SHARE, float(slow.mean()) if len(slow) else 0.0)
    if p >= WITHIN or n < FEWEST:
        return
    scores = np.where(slow, math.log(WITHIN / p), math.log((1 - WITHIN) / (1 - p)))
    open_ = [(0, n)]
    while open_:
        left, right = open_.pop()
        if right - left < FEWEST:
            continue
        sums = np.concatenate([[0.0], np.cumsum(scores[left:right])])
        lowest = np.minimum.accumulate(sums)
        end = int(np.argmax(sums - lowest))
        start = int(np.argmax(sums[: end + 1] == lowest[end]))
        if sums[end] - sums[start] <= math.log(n / FALSE_ALARM):
            continue
        yield left + start, left + end
        open_ += [(left, left + start), (left + end, right)]


def _shared(
    arm: Columns,
    other: Columns,
    found: npt.NDArray[np.int64],
    slow: Flags,
    slow_there: Flags,
    others: Floats,
    *,
    together: bool,
) -> bool:
    """Whether the other arm was slow too, at that time or in the same prompts: half as often or more."""
    known = ~np.isnan(others)
    first, last = arm.due_s[found[0]], arm.due_s[found[-1]]
    at_once = known & (other.due_s >= first) & (other.due_s <= last) & together
    asked, (prompts, codes) = set(arm.prompt_id[found]), other.prompts
    same = known & np.array([prompt in asked for prompt in prompts], dtype=np.bool_)[codes]
    share = float(slow[found].mean())
    return any(float(slow_there[each].mean()) >= share / 2 for each in (at_once, same) if each.any())


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A latency's difference with and without the answers in stalls: ln ratio, or seconds where the margin is."""

    metric: str
    logarithm: bool
    measured: float
    without: float


def explain(arms: Sequence[Columns], stalled: Sequence[Stalled], rows: Sequence[Explained]) -> tuple[Explained, ...]:
    """The rows, each with its difference `without` the answers in stalls. `arms`, `stalled`: baseline, candidate.

    Rows of which nothing is left are left out.
    """
    found = []
    for row in rows:
        metric = metric_of(row.metric)
        if metric.values is None or metric.quantile is None:
            continue
        values = [metric.values(c) for c in arms]
        kept = [v[(v > 0) & ~each.requests] for v, each in zip(values, stalled, strict=True)]
        if all(map(len, kept)):
            old, new = (quantile(np.sort(each), metric.quantile) for each in kept)
            without = math.log(new / old) if row.logarithm else new - old
            found.append(msgspec.structs.replace(row, without=without))
    return tuple(found)
