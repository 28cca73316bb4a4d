"""Whether a run is valid and what to know before its figures are used: findings, each with its remedy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import msgspec
import numpy as np

from harness.analysis import metrics
from harness.analysis.columns import Columns, Floats, RunData
from harness.analysis.findings import (
    ANSWER_TIME,
    COLD_RATIO,
    COLD_SAMPLES,
    LATE_SHARE_INVALID,
    STEADY_ARRIVALS,
    TTFT,
    Wait,
    behind_schedule,
    cold_start,
    failed_requests,
    is_capped,
    late_event_loop,
    late_requests,
    lost_node,
    ms,
    throttled_attempts,
    wrong_clock,
)
from harness.analysis.stats.clusters import independent_answers
from harness.analysis.stats.quantiles import bounds_need, samples_for_quantile
from harness.catalog.prices import STANDARD, terms_of
from harness.catalog.target import merge_options
from harness.characters import counted
from harness.clock import utc_from_ns
from harness.endpoints.request import DEFAULT_MAX_TOKENS, sent_options
from harness.store.finding import Finding
from harness.store.manifest import Manifest
from harness.store.records import PAIRWISE
from harness.suite.derived import compares_pairs
from harness.suite.suite import Load, Suite

TENTHS = 10
CLOCKS_APART_S = 1.0
"""How far the wall clock, or the time since the machine booted, may drift from the clock of the stamps."""
BUSY_CPU_SHARE = 0.90
"""Share of one core above which the loop has no headroom for a burst."""
INCREDIBLE = 2
"""Times `max_tokens`: an answer that claims more tokens is not believed."""
COLD_P = 1e-4
"""The largest p-value of the test that a slow first tenth must pass to count as a cold start."""


def check_validity(manifest: Manifest, suite: Suite, data: RunData) -> list[Finding]:
    """The findings about a finished run, those that invalidate it first; includes the manifest's own findings."""
    targets = {target.name for target in suite.targets}
    findings: list[Finding | None] = [
        *(each for each in manifest.findings if each.target is None or each.target in targets),
        *_incomplete(manifest, suite.load, data.recorded),
        *_resumed(manifest),
        *_without_requests(suite, data),
        *_failures(data, stopped_targets(manifest)),
        *_busy_client(manifest, data.columns),
        *_disturbed_clocks(manifest),
        *_nodes(manifest),
        *_short_of_connections(manifest),
        *_held_back(manifest, suite.load),
        *_held_back_by_budget(manifest),
        *_late_sending(suite, data.columns),
        *_broken_schedule(suite, data.columns),
        *_few_samples(data.columns),
        *_unscored(suite, data.columns),
        *_unpaired(suite),
        *_unpriced(suite, data.columns),
        *_incredible_usage(suite, data.columns),
        *_cold_start(suite, data.columns),
    ]
    return sorted(dict.fromkeys(filter(None, findings)), key=lambda finding: not finding.invalidates)


def stopped_targets(manifest: Manifest) -> set[str]:
    """The targets whose remaining requests were not sent."""
    return {finding.target for finding in manifest.findings if finding.target is not None}


def _incomplete(manifest: Manifest, load: Load, recorded: int) -> Iterator[Finding]:
    """The run did not complete, or did not record what it planned. A closed load may reach its duration first."""
    planned = "" if manifest.planned is None else f" of {manifest.planned} planned"
    if manifest.state != "complete":
        yield Finding(
            what=f"the run is {manifest.state}, not complete: it recorded {recorded}{planned} requests",
            remedy="complete it with `harness run --resume RUN`; a partial run favours whatever came first",
            invalidates=True,
        )
    elif manifest.planned is not None:
        may_fall_short = (load.arrival == "closed" and load.duration_s is not None) or stopped_targets(manifest)
        if recorded > manifest.planned or (recorded < manifest.planned and not may_fall_short):
            yield Finding(
                what=f"the run recorded {recorded}{planned} requests",
                remedy="do not use this run: its records are incomplete or duplicated; report this as a bug in harness",
                invalidates=True,
            )


def _resumed(manifest: Manifest) -> Iterator[Finding]:
    """The requests were not all sent at one time, nor through the same connections."""
    times = [f"{utc_from_ns(each.utc_ns):%Y-%m-%d %H:%M} UTC" for each in manifest.resumed if each.at_ns]
    if times:
        yield Finding(
            what=f"the run was resumed ({', '.join(times)}): its latencies come from {len(times) + 1} sessions, each "
            "with new connections",
            remedy="where that matters, as for tail latencies, run the suite again in one go",
        )


def _without_requests(suite: Suite, data: RunData) -> Iterator[Finding]:
    missing = [target.name for target in suite.targets if target.name not in data.columns]
    if missing:
        yield Finding(
            what=f"no requests were measured for {', '.join(missing)}",
            remedy="make the run longer than its warm-up",
            invalidates=True,
        )


def _failures(data: RunData, stopped: Collection[str]) -> Iterator[Finding | None]:
    """Failed requests and throttled attempts. A target that mostly failed cannot be compared: the run is invalid.

    Of a `stopped` target only what concerns it is.
    """
    for name, c in data.columns.items():
        counts, requests, failures = data.counts[name], len(c.ok), Counter(c.error_kind[~c.ok])
        if failures:
            kind = failures.most_common(1)[0][0]
            message = counts.error_messages.get(kind)
            failed = failed_requests(name, requests=requests, failed=failures.total(), kind=kind, message=message)
            concerns = name if failed is not None and name in stopped else None
            yield failed and msgspec.structs.replace(failed, target=concerns)
        throttled = counts.error_kinds.get("throttled", 0)
        yield throttled_attempts(name, attempts=counts.attempts, throttled=throttled)


def _busy_client(manifest: Manifest, columns: Mapping[str, Columns]) -> Iterator[Finding | None]:
    """The event loop ran late, compared with the fastest target's median wait, or a process used a whole core."""
    if not manifest.clients:
        return
    lag_s = max(client.lag_p99_ns for client in manifest.clients) / 1e9
    cpu_share = max(client.cpu_share for client in manifest.clients)
    pause_s = max(client.gc_longest_ns for client in manifest.clients) / 1e9
    waits = filter(None, map(_median_wait, columns.values()))
    wait = min(waits, key=lambda each: (each.median_s, each.name), default=Wait(math.inf, ""))
    yield late_event_loop(lag_s, wait)
    if cpu_share > BUSY_CPU_SHARE:
        yield Finding(
            what=f"the harness used {cpu_share:.0%} of a core",
            remedy="spread the load over more processes (--workers), or lower the concurrency or rate: an event loop "
            "can use only one core",
        )
    if pause_s > LATE_SHARE_INVALID * wait.median_s:
        yield Finding(
            what=f"garbage collection paused the client for up to {ms(pause_s)}, with a median {wait.name} of "
            f"{ms(wait.median_s)}",
            remedy="treat p99 with caution; use --workers or ask for shorter answers",
        )


def _disturbed_clocks(manifest: Manifest) -> Iterator[Finding]:
    """The machine slept, which no stamp shows; or its wall clock was set, on which no latency depends."""
    slept_s = max((client.slept_ns for client in manifest.clients), default=0) / 1e9
    set_s = max((client.clock_set_ns for client in manifest.clients), key=abs, default=0) / 1e9
    if slept_s >= CLOCKS_APART_S:
        yield Finding(
            what=f"this machine slept for {slept_s:,.0f} s during the run; latencies do not include that time, and "
            "answers may have been lost in it",
            remedy="run it again, and keep the machine awake (`systemd-inhibit harness …`, `caffeinate -i harness …`)",
            invalidates=True,
        )
    if abs(set_s) >= CLOCKS_APART_S:
        yield Finding(
            what=f"this machine's clock was set {'forward' if set_s > 0 else 'back'} by {abs(set_s):,.0f} s during the "
            "run",
            remedy="latencies and rates are right, since they are measured on another clock; times of day count from "
            "the start of the run, and may be off by that much",
        )


def _nodes(manifest: Manifest) -> Iterator[Finding | None]:
    """Nodes of a cluster that were lost, or whose clock is wrong."""
    for client in manifest.clients:
        yield from (lost_node(client.worker, each) for each in client.lost_nodes)
        if client.node_clock is not None:
            yield wrong_clock(client.worker, client.node_clock)


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


def _held_back_by_budget(manifest: Manifest) -> Iterator[Finding]:
    """Attempts that waited because others in flight had reserved what was left of the budget."""
    held = [client.held_back_by_budget for client in manifest.clients if client.held_back_by_budget is not None]
    attempts, longest_s = sum(each.requests for each in held), max((each.longest_ns for each in held), default=0) / 1e9
    if attempts:
        yield Finding(
            what=f"the budget held back {counted(attempts, 'attempt')} for up to {longest_s:.1f} s, until others had "
            "left enough; latency counts from when their requests were due",
            remedy="raise the budget, or lower max_tokens, of which every attempt reserves the cost",
        )


def _late_sending(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding | None]:
    """The median request left late, compared with the target's median wait. A client-side cap does so by design."""
    for name, c in columns.items():
        delay_s, wait = _median(metrics.queue_delay_s(c)), _median_wait(c)
        if delay_s is not None and wait is not None:
            yield late_requests(name, delay_s, wait, capped=is_capped(suite))


def _broken_schedule(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding | None]:
    """Open arrivals only: the offered load is not the one that the suite asks for."""
    if suite.load.arrival != "closed":
        for name, c in columns.items():
            yield behind_schedule(name, worst_lateness_s(metrics.queue_delay_s(c)))


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
    """Answers without a verdict, unless they are only compared in pairs.

    A suite without a check that passes or fails is a load test, or compares answers, and has no such finding.
    """
    if not any(check.type != PAIRWISE for prompt in suite.prompts for check in prompt.checks):
        return
    paired = {each.id for each in suite.prompts if each.checks and all(check.type == PAIRWISE for check in each.checks)}
    answers = sum(int(c.ok.sum()) for c in columns.values())
    without = (c.prompt_id[c.ok & np.isnan(c.passed)] for c in columns.values())
    unscored = sum(prompt not in paired for prompts in without for prompt in prompts)
    if unscored:
        yield Finding(
            what=f"{unscored} of {counted(answers, 'answer')} were not scored; pass rates leave them out",
            remedy="give every prompt `expect` or `checks`; where a scorer failed, scores.parquet holds the reason, "
            "and `harness report RUN --judge --suite FILE` tries again only what failed",
        )


def _unpaired(suite: Suite) -> Iterator[Finding]:
    """Pairwise checks that compare nothing, since the run was sent without the baseline, or to the baseline alone."""
    prompts = sum(any(check.type == PAIRWISE for check in prompt.checks) for prompt in suite.prompts)
    if prompts and not compares_pairs(suite):
        lacks = "has no other target than the baseline" if suite.baseline is not None else "is without the baseline"
        yield Finding(
            what=f"the pairwise checks of {counted(prompts, 'prompt')} compared nothing: the run {lacks}",
            remedy="run the suite with the baseline and another target; name both with --target",
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


def _incredible_usage(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """Answers with more tokens than they can have. Their cost is counted all the same."""
    for target in suite.targets:
        c = columns.get(target.name)
        if c is None:
            continue
        options = [sent_options(target, prompt) for prompt in suite.prompts]
        most = max((each.max_tokens or DEFAULT_MAX_TOKENS for each in options), default=0)
        counted_most = float(np.nanmax(c.output_tokens, initial=0.0))
        if counted_most > INCREDIBLE * most:
            yield Finding(
                what=f"{target.name}: the endpoint counted {counted_most:,.0f} output tokens for an answer of at most "
                f"{most:,}; its cost is counted as if that were true",
                remedy="do not trust its token counts and costs; check what answers at the endpoint's address",
            )


def _cold_start(suite: Suite, columns: Mapping[str, Columns]) -> Iterator[Finding]:
    """No warm-up, or one that was too short: the first measured requests were slower than the rest."""
    cold = [(name, *slower) for name, c in columns.items() if (slower := _slower_head(c, suite.load)) is not None]
    for name, head_s, rest in cold:
        yield cold_start(name, first_s=head_s, rest=rest, warmup=suite.load.warmup)
    if suite.load.warmup == 0 and not cold:
        yield Finding(
            what="no warm-up: the first requests include the time to open connections",
            remedy="set load.warmup to the concurrency or more",
        )


def _slower_head(c: Columns, load: Load) -> tuple[float, Wait] | None:
    """The median wait of the first tenth, s, and that of the rest; None unless the first tenth was slower.

    Slower means by `COLD_RATIO` at the median and by a one-sided Mann–Whitney test at `COLD_P`. The test assumes
    independent requests, but endpoints have slow minutes: so no later tenth may be as slow, except the second, which a
    long warm-up reaches; and the first requests of all must be slow, or it is a stall soon after the start. Only for a
    load that stays the same throughout.
    """
    median_wait = _median_wait(c)
    if load.arrival not in STEADY_ARRIVALS or median_wait is None:
        return None
    wait_s = metrics.ttft_from_sent_s(c) if median_wait.name == TTFT else np.where(c.ok, c.done_s - c.sent_s, np.nan)
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

    rest_wait = Wait(rest_s, median_wait.name)
    return (head_s, rest_wait) if mannwhitneyu(head, rest, alternative="greater").pvalue < COLD_P else None


def _median_wait(c: Columns) -> Wait | None:
    """The median TTFT from sent; without streaming, that of the whole answer. None without success."""
    ttft_s, answer_s = _median(metrics.ttft_from_sent_s(c)), _median(np.where(c.ok, c.done_s - c.sent_s, np.nan))
    if ttft_s is not None:
        return Wait(ttft_s, TTFT)
    return None if answer_s is None else Wait(answer_s, ANSWER_TIME)


def _median(values: Floats) -> float | None:
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else None
