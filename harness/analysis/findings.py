"""Findings that a finished run and the live view share: the values that raise them, and their words."""

from __future__ import annotations

import msgspec

from harness.characters import counted
from harness.load.limits.errors import StoppedTarget
from harness.store.client_health import LostNode, NodeClock
from harness.store.finding import Finding
from harness.suite.suite import STATIONARY, Suite

LATE_SHARE = 0.10
"""Share of the median TTFT (from sent) above which the client's own lateness is reported."""
LATE_SHARE_INVALID = 0.25
"""… and above which the latencies measure the client rather than the endpoint."""
SCHEDULE_LATE_S = 0.25
"""Open arrivals: the median request of every tenth of the run must be sent within this of when it was due."""
ERROR_SHARE = 0.05
"""Share of failed requests above which a target's latencies and pass rate must be read together with its errors."""
FAILED_SHARE_INVALID = 0.5
"""Share of failed requests above which a target's figures describe the exceptions, and the run is invalid."""
THROTTLED_SHARE = 0.05
"""Share of throttled attempts above which back-off shapes the latencies."""
COLD_RATIO = 1.25
"""The warm-up was too short if the first tenth's median wait exceeds that of the rest by this factor."""
COLD_SAMPLES = 10
"""Fewest requests in the first tenth for a comparison with the rest."""
WALL_CLOCK_OFF_S = 1.0
"""How far the wall clocks of two nodes may be apart."""
STEADY_ARRIVALS = ("closed", *STATIONARY)
"""Arrival processes whose load stays the same throughout, so that a slow first tenth is a cold start."""

_REMEDIES = {
    "throttled": "lower concurrency or rate, set quota.tokens_per_minute, or ask AWS for more quota",
    "unavailable": "lower concurrency or rate, try again later, or compare another routing",
    "access_denied": "request access to the model in this account and Region",
    "credentials": "renew the credentials or choose another profile",
    "not_found": "check the model id, routing and Region with `harness models`",
    "validation": "read error_message in attempts.parquet: the endpoint rejects the request as written",
    "connection": "check that the endpoint is up and that its address is correct",
    "connect_timeout": "check that the endpoint is up and that its address is correct",
    "first_token_timeout": "raise timeouts.first_token or lower the load",
    "total_timeout": "raise timeouts.total or lower max_tokens",
}
_ANY_REMEDY = "read error_kind and error_message in attempts.parquet"


TTFT = "TTFT"
ANSWER_TIME = "answer time"
"""Of whole answers, where a target does not stream."""


class Wait(msgspec.Struct, frozen=True):
    """A median wait for an answer."""

    median_s: float
    name: str
    """`TTFT` or `ANSWER_TIME`."""


def is_capped(suite: Suite) -> bool:
    """Whether the client itself may hold requests back."""
    caps = (suite.quota.requests_per_minute, suite.quota.tokens_per_minute, suite.load.max_in_flight)
    return any(cap is not None for cap in caps)


def failed_requests(name: str, *, requests: int, failed: int, kind: str, message: str | None) -> Finding | None:
    """More than `ERROR_SHARE` of a target's requests failed. `kind`, `message`: of the most frequent error."""
    if failed <= ERROR_SHARE * requests:
        return None
    why = kind if message is None else f"{kind}: {message}"
    if requests == 1:
        what = f"the only request failed with {why}"
    else:
        share = f"all {failed}" if failed == requests else f"{failed} of {requests}"
        what = f"{share} requests failed, most often with {why}"
    return Finding(
        what=f"{name}: {what}; latencies cover successful requests only",
        remedy=_REMEDIES.get(kind, _ANY_REMEDY),
        invalidates=failed > FAILED_SHARE_INVALID * requests,
    )


def stopped_target(stopped: StoppedTarget) -> Finding:
    """A target that was stopped early by `stop.max_error_rate`."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in stopped.failures.items())
    most = next(iter(stopped.failures), "")
    return Finding(
        what=f"{stopped.target}: stopped early: of its latest {stopped.requests} requests "
        f"{sum(stopped.failures.values())} failed ({kinds}); its other requests were not sent, "
        "so comparisons with it decide nothing",
        remedy=_REMEDIES.get(most, _ANY_REMEDY) + ", then run the suite again",
        invalidates=True,
        target=stopped.target,
    )


def throttled_attempts(name: str, *, attempts: int, throttled: int) -> Finding | None:
    """More than `THROTTLED_SHARE` of a target's attempts were throttled."""
    if throttled <= THROTTLED_SHARE * attempts:
        return None
    return Finding(
        what=f"{name}: {throttled} of {attempts} attempts were throttled; its latencies include the back-off",
        remedy=_REMEDIES["throttled"],
    )


def late_event_loop(lag_s: float, wait: Wait) -> Finding | None:
    """The loop's lag (p99) is more than `LATE_SHARE` of the fastest target's median wait."""
    if lag_s <= LATE_SHARE * wait.median_s:
        return None
    return Finding(
        what=f"the event loop ran {ms(lag_s)} late (p99), with a median {wait.name} of {ms(wait.median_s)}: "
        "the client was a bottleneck",
        remedy="spread the load over more processes (--workers), lower the concurrency or rate, or stop other work "
        "on this machine",
        invalidates=lag_s > LATE_SHARE_INVALID * wait.median_s,
    )


def late_requests(name: str, delay_s: float, wait: Wait, *, capped: bool) -> Finding | None:
    """The median request left more than `LATE_SHARE` of the median wait late. `capped`: a client-side cap does so."""
    if delay_s <= LATE_SHARE * wait.median_s:
        return None
    return Finding(
        what=f"{name}: the median request was sent {ms(delay_s)} late, with a median {wait.name} of "
        f"{ms(wait.median_s)}",
        remedy="a cap in the suite (quota, max_in_flight) holds requests back: raise it, or use TTFT from sent"
        if capped
        else "lower the concurrency or rate, or stop other work on this machine",
        invalidates=not capped and delay_s > LATE_SHARE_INVALID * wait.median_s,
    )


def behind_schedule(name: str, late_s: float, *, during: str = "for a tenth of the run") -> Finding | None:
    """Open arrivals: the offered load is not the one that the suite asks for. `late_s`: of the median request."""
    if late_s <= SCHEDULE_LATE_S:
        return None
    return Finding(
        what=f"{name}: the client fell behind its schedule: {during}, the median request was sent {ms(late_s)} late",
        remedy="lower the rate, or raise the cap (quota, max_in_flight) that holds requests back",
        invalidates=True,
    )


def lost_node(worker: int, lost: LostNode, *, running: bool = False) -> Finding:
    """A node of the cluster was lost during the run. `running`: it still runs."""
    if lost.paused_ns is not None:
        went_on = f"another one went on with its part after {lost.paused_ns / 1e9:.1f} s"
    elif running:
        went_on = "its part waits for a free CPU on another one"
    else:
        went_on = "nobody went on with its part"
    return Finding(
        what=f"worker {worker}: its node was lost {lost.at_ns / 1e9:,.0f} s into the run with "
        f"{counted(lost.cancelled, 'request')} in flight; {went_on}",
        remedy="its requests in flight are recorded as cancelled, and were sent again unless the run ended early; how "
        "busy the node was is unknown, and the load was lower in the meantime: where that matters, run the suite again",
    )


def wrong_clock(worker: int, node: NodeClock) -> Finding | None:
    """The wall clock of a node of the cluster is off by more than `WALL_CLOCK_OFF_S`."""
    ahead_s = node.wall_ahead_ns / 1e9
    if abs(ahead_s) <= WALL_CLOCK_OFF_S:
        return None
    return Finding(
        what=f"worker {worker}: the clock of its node is {abs(ahead_s):,.1f} s "
        f"{'ahead of' if ahead_s > 0 else 'behind'} the clock of the machine that started the run",
        remedy="no figure depends on it, as stamps are taken on another clock; but AWS refuses requests that are "
        "signed five minutes early or late: synchronise the clocks (chrony, systemd-timesyncd)",
    )


def cold_start(name: str, *, first_s: float, rest: Wait, warmup: int) -> Finding:
    """The first tenth of the run had a longer median wait than the rest."""
    return Finding(
        what=f"{name}: the warm-up was too short: the first tenth of the run had a median {rest.name} of "
        f"{ms(first_s)}, the rest {ms(rest.median_s)}",
        remedy=f"raise load.warmup (now {warmup}) until the first tenth matches the rest",
        invalidates=True,
    )


def ms(seconds: float) -> str:
    """`420 ms`."""
    return f"{1000 * seconds:.0f} ms"
