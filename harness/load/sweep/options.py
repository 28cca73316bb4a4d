"""Checks the options of a sweep and turns them into its ladder, its objective and the suite that it sends."""

from __future__ import annotations

import msgspec

from harness.errors import HarnessError
from harness.load.sweep.search import Ladder
from harness.load.sweep.step import By, Objective
from harness.load.sweep.sweep import Climb
from harness.suite.digest import digest_suite
from harness.suite.fields import MOST_PER_S, MOST_REQUESTS, UnitError, parse_duration
from harness.suite.suite import STATIONARY, Retries, Slo, Suite

LOWEST_SHARE = 1 / 64
"""The lowest level of a search, relative to its first."""
LONGEST_STEP_S = 3600.0


class SweepOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `harness sweep`, as given."""

    by: By
    first: float
    highest: float
    share: float
    """Share of the requests that must meet the SLOs: 0.95 for the 95th percentile."""
    requests: int | None
    resolution: float
    step_time: str
    slo_ttft: str | None
    slo_e2e: str | None


def make_climb(suite: Suite, options: SweepOptions, *, needed: int) -> Climb:
    """The ladder and the objective of a sweep. `needed`: the fewest requests that can show the percentile.

    HarnessError: an invalid option, by name.
    """
    arrival = suite.load.arrival if suite.load.arrival in STATIONARY else "poisson"
    climb = Climb(
        by=options.by,
        ladder=_ladder(options),
        objective=Objective(slo=_slo(suite, options), share=options.share, requests=_requests(options, needed)),
        arrival=arrival,
        burstiness=suite.load.burstiness if arrival == "gamma" else None,
        step_s=_step_s(options),
    )
    most = climb.objective_at(climb.ladder.highest).requests
    if most > MOST_REQUESTS:
        raise HarnessError(
            f"--to {options.highest:g}: a step at that level takes {most:,} requests, more than {MOST_REQUESTS:,}; "
            "lower --to or --step-time"
        )
    return climb


def swept_suite(suite: Suite, climb: Climb) -> Suite:
    """The suite as a sweep sends it: no retries or stop rules, the objective's SLOs, the load of the top level."""
    widest = climb.load_at(climb.ladder.highest)
    once = Retries(max_attempts=1)
    suite = msgspec.structs.replace(suite, load=widest, retries=once, slo=climb.objective.slo, stop=None)
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def _slo(suite: Suite, options: SweepOptions) -> Slo:
    slo = Slo(
        ttft_s=_duration("--slo-ttft", options.slo_ttft, suite.slo.ttft_s),
        e2e_s=_duration("--slo-e2e", options.slo_e2e, suite.slo.e2e_s),
    )
    if slo.ttft_s is None and slo.e2e_s is None:
        raise HarnessError(
            f"suite {suite.name!r} has no slo, so a sweep has nothing to meet; add `slo: {{ttft: 2s, e2e: 6s}}`, or "
            "give --slo-ttft or --slo-e2e"
        )
    return slo


def _requests(options: SweepOptions, needed: int) -> int:
    requests = 2 * needed if options.requests is None else options.requests
    if requests < needed:
        raise HarnessError(
            f"--requests {requests}: the {100 * options.share:g}th percentile needs at least {needed} requests a step; "
            "raise --requests, or lower --percentile"
        )
    return requests


def _ladder(options: SweepOptions) -> Ladder:
    if options.first > options.highest:
        raise HarnessError(f"--from {options.first:g} is above --to {options.highest:g}; start lower, or raise --to")
    if options.by == "concurrency":
        return Ladder(
            first=float(max(1, round(options.first))),
            lowest=1.0,
            highest=float(int(options.highest)),
            resolution=options.resolution,
            whole=True,
        )
    if options.highest > MOST_PER_S:
        raise HarnessError(f"--to {options.highest:g} is more than a client can send; use at most {MOST_PER_S:,.0f}")
    return Ladder(
        first=options.first,
        lowest=options.first * LOWEST_SHARE,
        highest=options.highest,
        resolution=options.resolution,
    )


def _step_s(options: SweepOptions) -> float:
    step_s = _duration("--step-time", options.step_time, None) or 0.0
    if step_s > LONGEST_STEP_S:
        raise HarnessError(f"--step-time {options.step_time}: a step lasts at most {LONGEST_STEP_S / 3600:g} h")
    return step_s


def _duration(option: str, text: str | None, default_s: float | None) -> float | None:
    try:
        return default_s if text is None else parse_duration(text)
    except UnitError as error:
        raise HarnessError(f"{option} {text}: {error}") from error
