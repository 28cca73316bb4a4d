"""Whether a run is valid and what to know before its figures are used: findings, each with its remedy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from harness.analysis import metrics
from harness.analysis.columns import Columns, Floats, RunData
from harness.analysis.stats.clusters import independent_answers
from harness.analysis.stats.quantiles import bounds_need, samples_for_quantile
from harness.catalog.prices import STANDARD, terms_of
from harness.catalog.target import merge_options
from harness.characters import counted
from harness.store.finding import Finding
from harness.store.manifest import Manifest
from harness.suite.suite import STATIONARY, Load, Suite

LATE_SHARE = 0.10
"""Share of the median TTFT (from sent) above which the client's own lateness is reported."""
LATE_SHARE_INVALID = 0.25
"""… and above which the latencies measure the client rather than the endpoint."""
SCHEDULE_LATE_S = 0.25
"""Open arrivals: the median request of every tenth of the run must be sent within this of when it was due."""
TENTHS = 10
BUSY_CPU_SHARE = 0.90
"""Share of one core above which the loop has no headroom for a burst."""
ERROR_SHARE = 0.05
"""Share of failed requests above which a target's latencies and pass rate must be read together with its errors."""
FAILED_SHARE_INVALID = 0.5
"""Share of failed requests above which a target's figures describe the exceptions, and the run is invalid."""
COLD_RATIO = 1.25
"""The warm-up was too short if the first tenth's median wait exceeds that of the rest, and of every later tenth but the
next, by this factor, and the test at `COLD_P` agrees."""
COLD_P = 1e-4
COLD_SAMPLES = 10
"""Fewest requests in the first tenth for the test."""
STEADY_ARRIVALS = ("closed", *STATIONARY)
THROTTLED_SHARE = 0.05
"""Share of throttled attempts above which back-off shapes the latencies."""

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


def check_validity(manifest: Manifest, suite: Suite, data: RunData) -> list[Finding]:
    """The findings about a finished run, those that invalidate it first; includes the manifest's own findings."""
    findings = [
        *manifest.findings,
        *_incomplete(manifest, suite.load, data.recorded),
        *_without_requests(suite, data),
        *_failures(data),
        *_busy_client(manifest, data.columns),
        *_short_of_connections(manifest),
        *_held_back(manifest, suite.load),
        *_late_sending(suite, data.columns),
        *_broken_schedule(suite, data.columns),
        *_few_samples(data.columns),
        *_unscored(suite, data.columns),
        *_unpriced(suite, data.columns),
        *_cold_start(suite, data.columns),
    ]
    return sorted(dict.fromkeys(findings), key=lambda finding: not finding.invalidates)


def _incomplete(manifest: Manifest, load: Load, recorded: int) -> Iterator[Finding]:
    """The run did not complete, or did not record what it planned. A closed load may reach its duration first."""
    planned = "" if manifest.planned is None else f" of {manifest.planned} planned"
    if manifest.state != "complete":
        yield Finding(
            what=f"the run is {manifest.state}, not complete: it recorded {recorded}{planned} requests",
            remedy="run it again to the end; a partial run favours whatever came first",
            invalidates=True,
        )
    elif manifest.planned is not None:
        may_fall_short = load.arrival == "closed" and load.duration_s is not None
        if recorded > manifest.planned or (recorded < manifest.planned and not may_fall_short):
            yield Finding(
                what=f"the run recorded {recorded}{planned} requests",
                remedy="do not use this run: its records are incomplete or duplicated; report this as a bug in harness",
                invalidates=True,
            )


def _without_requests(suite: Suite, data: RunData) -> Iterator[Finding]:
    missing = [target.name for target in suite.targets if target.name not in data.columns]
    if missing:
        yield Finding(
            what=f"no requests were measured for {', '.join(missing)}",
            remedy="make the run longer than its warm-up",
            invalidates=True,
        )


def _failures(data: RunData) -> Iterator[Finding]:
    """Failed requests and throttled attempts. A target that mostly failed cannot be compared: the run is invalid."""
    for name, c in data.columns.items():
        counts, requests, failures = data.counts[name], len(c.ok), Counter(c.error_kind[~c.ok])
        failed = failures.total()
        if failed > ERROR_SHARE * requests:
            kind = failures.most_common(1)[0][0]
            message = f": {counts.error_messages[kind]}" if kind in counts.error_messages else ""
            if requests == 1:
                what = f"the only request failed with {kind}{message}"
            else:
                share = f"all {failed}" if failed == requests else f"{failed} of {requests}"
                what = f"{share} requests failed, most often with {kind}{message}"
            yield Finding(
                what=f"{name}: {what}; latencies cover successful requests only",
                remedy=_REMEDIES.get(kind, _ANY_REMEDY),
                invalidates=failed > FAILED_SHARE_INVALID * requests,
            )
        throttled = counts.error_kinds.get("throttled", 0)
        if throttled > THROTTLED_SHARE * counts.attempts:
            yield Finding(
                what=f"{name}: {throttled} of {counts.attempts} attempts were throttled; its latencies include the "
                "back-off",
                remedy=_REMEDIES["throttled"],
            )


def _busy_client(manifest: Manifest, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """The event loop ran late, compared with the fastest target's median wait, or a process used a whole core."""
    if not manifest.clients:
        return
    lag_s = max(client.lag_p99_ns for client in manifest.clients) / 1e9
    cpu_share = max(client.cpu_share for client in manifest.clients)
    pause_s = max(client.gc_longest_ns for client in manifest.clients) / 1e9
    wait_s, name = min(filter(None, map(_median_wait, columns.values())), default=(math.inf, ""))
    if lag_s > LATE_SHARE * wait_s:
        yield Finding(
            what=f"the event loop ran {_ms(lag_s)} late (p99), with a median {name} of {_ms(wait_s)}: "
            "the client was a bottleneck",
            remedy="spread the load over more processes (--workers), lower the concurrency or rate, or stop other work "
            "on this machine",
            invalidates=lag_s > LATE_SHARE_INVALID * wait_s,
        )
    if cpu_share > BUSY_CPU_SHARE:
        yield Finding(
            what=f"the harness used {cpu_share:.0%} of a core",
            remedy="spread the load over more processes (--workers), or lower the concurrency or rate: an event loop "
            "can use only one core",
        )
    if pause_s > LATE_SHARE_INVALID * wait_s:
        yield Finding(
            what=f"garbage collection paused the client for up to {_ms(pause_s)}, with a median {name} of "
            f"{_ms(wait_s)}",
            remedy="treat p99 with caution; use --workers or ask for shorter answers",
        )


def _short_of_connections(manifest: Manifest) -> Iterator[Finding]:
    """Attempts that waited for a free connection: the wait is in their queue delay, and is not the endpoint's."""
    for client in manifest.clients:
        if client.connection_waits:
            yield Finding(
                what=f"{counted(client.connection_waits, 'attempt')} waited for a connection: all "
                f"{client.connections:,} were in use",
                remedy="raise the limit on open files (`ulimit -n`), spread the load over more processes (--workers), "
                "or lower the rate",
            )


def _held_back(manifest: Manifest, load: Load) -> Iterator[Finding]:
    """Requests that were due but waited because of `load.max_in_flight`, by target."""
    for name in dict.fromkeys(name for client in manifest.clients for name in client.held_back):
        held = [client.held_back[name] for client in manifest.clients if name in client.held_back]
        requests, longest_s = sum(each.requests for each in held), max(each.longest_ns for each in held) / 1e9
        if requests:
            yield Finding(
                what=f"{name}: max_in_flight ({load.max_in_flight}) held back {counted(requests, 'request')} for up to "
                f"{longest_s:.1f} s; latency counts from when they were due",
                remedy="raise load.max_in_flight or lower the rate to offer every request on time",
            )


def _late_sending(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """The median request left late, compared with the target's median wait. A client-side cap does so by design."""
    quota = suite.quota
    caps = (quota.requests_per_minute, quota.tokens_per_minute, suite.load.max_in_flight)
    capped = any(cap is not None for cap in caps)
    for name, c in columns.items():
        delay_s, wait = _median(metrics.queue_delay_s(c)), _median_wait(c)
        if delay_s is None or wait is None or delay_s <= LATE_SHARE * wait[0]:
            continue
        yield Finding(
            what=f"{name}: the median request was sent {_ms(delay_s)} late, with a median {wait[1]} of {_ms(wait[0])}",
            remedy="a cap in the suite (quota, max_in_flight) holds requests back: raise it, or use TTFT from sent"
            if capped
            else "lower the concurrency or rate, or stop other work on this machine",
            invalidates=not capped and delay_s > LATE_SHARE_INVALID * wait[0],
        )


def _broken_schedule(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """Open arrivals only: the offered load is not the one that the suite asks for."""
    if suite.load.arrival == "closed":
        return
    for name, c in columns.items():
        late_s = worst_lateness_s(metrics.queue_delay_s(c))
        if late_s > SCHEDULE_LATE_S:
            yield Finding(
                what=f"{name}: the client fell behind its schedule: for a tenth of the run, the median request was "
                f"sent {_ms(late_s)} late",
                remedy="lower the rate, or raise the cap (quota, max_in_flight) that holds requests back",
                invalidates=True,
            )


def worst_lateness_s(queue_delay_s: Floats) -> float:
    """The largest median queue delay of any tenth of the run, s; requests in due order, unsent ones left out.

    The medians of tenths show a stall or a slipping schedule and ignore single connections that open slowly.
    """
    sent = queue_delay_s[~np.isnan(queue_delay_s)]
    parts = [part for part in np.array_split(sent, TENTHS) if len(part)]
    return max((float(np.median(part)) for part in parts), default=0.0)


def _few_samples(columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """Quantiles without an upper bound at the summary's level: too few samples, or repeats of too few prompts.

    A suite of one prompt is measured for itself.
    """
    groups = [c.groups[~np.isnan(metrics.e2e_s(c))] for c in columns.values()]
    groups = [codes for codes in groups if len(codes)]
    if not groups:
        return
    independent = min(independent_answers(sizes[sizes > 0]) for sizes in map(np.bincount, groups))
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        need, least = bounds_need(q, *groups), samples_for_quantile(q)
        few = independent < min(need.samples, need.clusters_needed)
        if few:
            yield Finding(
                what=f"{name} rests on {counted(need.samples, 'sample')} from {counted(independent, 'prompt')} or "
                "groups and has no upper bound",
                remedy=f"collect at least {need.samples_needed:,} from {need.clusters_needed:,} prompts or groups: "
                "add prompts",
            )
        elif need.samples < least and q > 0.5:
            yield Finding(
                what=f"{name} rests on {counted(need.samples, 'sample')} and has no upper bound",
                remedy=f"collect at least {least:,}: add prompts, repeats or time",
            )


def _unscored(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """Answers without a verdict. A suite without any checks is a load test and has no such finding."""
    if not any(prompt.checks for prompt in suite.prompts):
        return
    answers = sum(int(c.ok.sum()) for c in columns.values())
    unscored = sum(int((c.ok & np.isnan(c.passed)).sum()) for c in columns.values())
    if unscored:
        yield Finding(
            what=f"{unscored} of {counted(answers, 'answer')} were not scored; pass rates leave them out",
            remedy="give every prompt `expect` or `checks`; where a scorer failed, scores.parquet holds the reason",
        )


def _unpriced(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    names = [name for name, c in columns.items() if (c.ok & np.isnan(c.cost_usd)).any()]
    if names:
        options = [each.options for each in suite.targets if each.name in names]
        asked = (terms_of(merge_options(each, prompt.options)) for each in options for prompt in suite.prompts)
        special = [terms.qualifier() for terms in dict.fromkeys(asked) if terms != STANDARD]
        why = f" (the price list has no price {', none '.join(special)})" if special else ""
        yield Finding(
            what=f"the cost of some answers from {', '.join(names)} is unknown{why}; cost figures leave them out",
            remedy="list the known prices with `harness models`, and add the missing ones to the suite (`prices`)",
        )


def _cold_start(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """No warm-up, or one that was too short: the first measured requests were slower than the rest."""
    cold = [(name, *slower) for name, c in columns.items() if (slower := _slower_head(c, suite.load)) is not None]
    for name, head_s, rest_s, wait in cold:
        yield Finding(
            what=f"{name}: the warm-up was too short: the first tenth of the run had a median {wait} of "
            f"{_ms(head_s)}, the rest {_ms(rest_s)}",
            remedy=f"raise load.warmup (now {suite.load.warmup}) until the first tenth matches the rest",
            invalidates=True,
        )
    if suite.load.warmup == 0 and not cold:
        yield Finding(
            what="no warm-up: the first requests include the time to open connections",
            remedy="set load.warmup to the concurrency or more",
        )


def _slower_head(c: Columns, load: Load) -> tuple[float, float, str] | None:
    """The median wait of the first tenth and of the rest, s, and its name; None unless the first tenth was slower.

    Slower means by `COLD_RATIO` at the median and by a one-sided Mann–Whitney test at `COLD_P`. The test assumes
    independent requests, but endpoints have slow minutes: so no later tenth may be as slow, except the second, which a
    long warm-up reaches; and the first requests of all must be slow, or it is a stall soon after the start. Only for a
    load that stays the same throughout.
    """
    median_wait = _median_wait(c)
    if load.arrival not in STEADY_ARRIVALS or median_wait is None:
        return None
    wait_s = metrics.ttft_from_sent_s(c) if median_wait[1] == "TTFT" else np.where(c.ok, c.done_s - c.sent_s, np.nan)
    wait_s = wait_s[~np.isnan(wait_s)]
    head, rest = wait_s[: len(wait_s) // TENTHS], wait_s[len(wait_s) // TENTHS :]
    if len(head) < COLD_SAMPLES:
        return None
    head_s, rest_s = float(np.median(head)), float(np.median(rest))
    slowest_s = max(rest_s, *(float(np.median(part)) for part in np.array_split(rest, TENTHS - 1)[1:]))
    begin_s = float(np.median(head[: max(COLD_SAMPLES // 2, len(head) // 4)]))
    if min(head_s, begin_s) <= COLD_RATIO * slowest_s:
        return None
    from scipy.stats import mannwhitneyu  # takes a second to load, and few runs start cold

    return (head_s, rest_s, median_wait[1]) if mannwhitneyu(head, rest, alternative="greater").pvalue < COLD_P else None


def _median_wait(c: Columns) -> tuple[float, str] | None:
    """The median TTFT from sent, s, and its name; without streaming, that of the whole answer. None without success."""
    ttft_s, answer_s = _median(metrics.ttft_from_sent_s(c)), _median(np.where(c.ok, c.done_s - c.sent_s, np.nan))
    if ttft_s is not None:
        return ttft_s, "TTFT"
    return None if answer_s is None else (answer_s, "answer time")


def _median(values: Floats) -> float | None:
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else None


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
