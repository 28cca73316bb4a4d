"""Turns a run's columns into its summary: every figure of `summary.json` is computed here, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.analysis import metrics
from harness.analysis.columns import AttemptCounts, Codes, Columns, Floats, RunData
from harness.analysis.stats.clusters import Dependence, DesignEffect, ascending, success_interval
from harness.analysis.stats.interval import LEVEL, Interval
from harness.analysis.stats.means import cluster_codes
from harness.analysis.stats.proportions import clustered_rate, pass_all_k, pass_at_k
from harness.analysis.stats.quantiles import quantile_interval
from harness.analysis.summary.leaders import find_winners, pair_routings
from harness.analysis.summary.summary import Quantiles, RepeatedAnswers, RunSummary, TargetSummary
from harness.analysis.validity import check_validity, stopped_targets
from harness.catalog.prices import Price, terms_of
from harness.catalog.target import Target, merge_options
from harness.clock import utc_from_ns
from harness.store.manifest import Manifest
from harness.store.records import SCHEMA_VERSION
from harness.suite.suite import Prompt, Suite


def summarise(manifest: Manifest, suite: Suite, data: RunData) -> RunSummary:
    """The summary of a finished run; `suite` is the one stored with it.

    Targets without a measured request are left out; a finding names them.
    """
    targets = [
        summarise_target(target, suite, data.columns[target.name], data.counts[target.name])
        for target in suite.targets
        if target.name in data.columns
    ]
    known_costs = [target.cost_usd for target in targets if target.cost_usd is not None]
    return RunSummary(
        schema_version=SCHEMA_VERSION,
        run_id=manifest.run_id,
        suite=suite.name,
        suite_digest=suite.digest,
        started_utc=f"{utc_from_ns(manifest.origin_utc_ns):%Y-%m-%dT%H:%M:%SZ}",
        duration_s=_duration_s(list(data.columns.values())),
        simulated=manifest.simulated,
        endpoint=manifest.endpoint,
        state=manifest.state,
        level=LEVEL,
        arrival=suite.load.arrival,
        targets=targets,
        winners=find_winners(targets, data.columns, stopped=stopped_targets(manifest)),
        routings=pair_routings(
            suite.targets, {each.target: each for each in targets}, lambda target: price_on_day(target, manifest, suite)
        ),
        findings=check_validity(manifest, suite, data),
        total_cost_usd=sum(known_costs) if known_costs else None,
    )


def price_on_day(target: Target, manifest: Manifest, suite: Suite) -> Price | None:
    """What a target cost on the day of the run.

    None: unknown, or its prompts are asked on several terms (service tier, latency), each at its own price.
    """
    terms = {terms_of(merge_options(target.options, prompt.options)) for prompt in suite.prompts}
    return manifest.price_on_day(target, terms.pop(), suite.prices) if len(terms) == 1 else None


def summarise_target(target: Target, suite: Suite, c: Columns, counts: AttemptCounts) -> TargetSummary:
    """One target's figures. `c` holds at least one request."""
    succeeded, scored, passed = int(c.ok.sum()), int((~np.isnan(c.passed)).sum()), int((c.passed == 1).sum())
    cost_per_request = metrics.cost_per_request_usd(c)
    pass_rate, pass_rate_by_tag = _pass_rates(c, suite.prompts)
    arrival = suite.load.arrival
    dependence = dependence_of(c)
    latencies = _latencies(c, dependence)
    return TargetSummary(
        target=target.name,
        base_model=target.base_model,
        routing=target.routing,
        api=target.api,
        client=target.client,
        region=target.region,
        requests=len(c.ok),
        attempts=counts.attempts,
        succeeded=succeeded,
        success_rate=success_interval(c.ok, c.prompts[1], dependence),
        scored=scored,
        passed=passed,
        pass_rate=pass_rate,
        pass_rate_by_tag=pass_rate_by_tag,
        output_tokens_per_s=metrics.output_tokens_per_s(c, arrival=arrival),
        achieved_per_s=metrics.achieved_per_s(c, arrival=arrival),
        offered_per_s=None if arrival == "closed" else metrics.offered_per_s(c),
        goodput_per_s=metrics.goodput_per_s(c, suite.slo, arrival=arrival, stream=target.stream),
        error_kinds=counts.error_kinds,
        error_messages=counts.error_messages,
        throttled_attempts=counts.error_kinds.get("throttled", 0),
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_tokens=counts.cache_write_tokens,
        cost_usd=counts.cost_usd,
        cost_per_request_usd=cost_per_request,
        cost_per_1000_usd=None if cost_per_request is None else 1000 * cost_per_request,
        cost_per_correct_usd=metrics.cost_per_correct_usd(c),
        several=summarise_repeats(c, suite.prompts),
        **latencies,
    )


def dependence_of(c: Columns) -> Dependence:
    """Which of a target's requests are of one prompt or group, and of one block of time."""
    return Dependence.of(c.groups, c.due_s)


def _latencies(c: Columns, dependence: Dependence) -> dict[str, Any]:
    """The quantiles of each metric of PER_REQUEST, by its name; those of the attempt are the request's own if none
    was retried."""
    own = {"attempt_ttft_s": "ttft_s", "attempt_e2e_s": "e2e_s"} if c.last_due_s is None else {}
    found: dict[str, Any] = {
        each.__name__: quantiles(each(c), dependence) for each in metrics.PER_REQUEST if each.__name__ not in own
    }
    return found | {name: found[of] for name, of in own.items()}


def quantiles(values: Floats, dependence: Dependence) -> Quantiles | None:
    """Quantiles of the values that are not NaN, one a request; None if there are none."""
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        return None
    ordered, effect = np.sort(values[there]), DesignEffect(dependence.select(there[ascending(values[there])]))
    p50, p90, p95, p99 = (quantile_interval(ordered, q, effect) for q in (0.5, 0.9, 0.95, 0.99))
    return Quantiles(n=len(ordered), p50=p50, p90=p90, p95=p95, p99=p99, mean=float(ordered.mean()))


def _pass_rates(c: Columns, prompts: Sequence[Prompt]) -> tuple[Interval | None, dict[str, Interval]]:
    """The pass rate, and that of each tag in the suite's order; tags without a scored request are left out.

    It is the mean over prompts of the share of a prompt's scored answers that passed, as in a comparison: a prompt with
    more answers than others counts no more than they do. Prompts with a group are clustered by it.
    """
    code = {prompt.id: index for index, prompt in enumerate(prompts)}
    codes = np.array([code[prompt_id] for prompt_id in c.prompts[0]], dtype=np.int64)[c.prompts[1]]
    scored = np.bincount(codes[~np.isnan(c.passed)], minlength=len(prompts))
    passed = np.bincount(codes[c.passed == 1], minlength=len(prompts))
    groups = cluster_codes(np.array([prompt.group or prompt.id for prompt in prompts], dtype=object))

    def rate(of: Sequence[int]) -> Interval | None:
        with_score = np.array(of, dtype=np.int64)[scored[of] > 0]
        if not len(with_score):
            return None
        clusters = cluster_codes(groups[with_score])
        sums = np.bincount(clusters, weights=passed[with_score] / scored[with_score])
        return clustered_rate(sums, np.bincount(clusters), answers=int(scored[with_score].sum()))

    members: dict[str, list[int]] = {}
    for prompt in prompts:
        for tag in dict.fromkeys(prompt.tags):
            members.setdefault(tag, []).append(code[prompt.id])
    by_tag = {tag: rate(of) for tag, of in members.items()}
    return rate(range(len(prompts))), {tag: interval for tag, interval in by_tag.items() if interval is not None}


def summarise_repeats(c: Columns, prompts: Sequence[Prompt]) -> RepeatedAnswers | None:
    """pass@k and pass^k of one target, averaged over prompts; None if no prompt has two scored answers.

    Counts the prompts with at least half as many scored answers as the one with the most; k goes up to the fewest among
    them. Intervals are `clustered_rate`'s over groups of prompts: as wide as if each prompt's share were a single
    answer, so too wide rather than too narrow.
    """
    groups = {prompt.id: prompt.group or prompt.id for prompt in prompts}
    answers, passed = _count_prompts(c, ~np.isnan(c.passed)), _count_prompts(c, c.passed == 1)
    most = max(answers.values(), default=0)
    counted = [prompt_id for prompt_id, count in answers.items() if 2 * count >= most]
    fewest = min((answers[prompt_id] for prompt_id in counted), default=0)
    if fewest < 2:
        return None
    clusters = cluster_codes(np.array([groups[prompt_id] for prompt_id in counted], dtype=object))
    size = np.bincount(clusters)

    total, right = (np.array([count.get(prompt_id, 0) for prompt_id in counted]) for count in (answers, passed))

    def mean(estimate: Callable[[Codes, Codes, int], Floats], k: int) -> Interval:
        return clustered_rate(np.bincount(clusters, weights=estimate(total, right, k)), size)

    ks = ks_of(fewest)
    return RepeatedAnswers(
        answers=fewest,
        prompts=len(counted),
        left_out=len(answers) - len(counted),
        pass_at={k: mean(pass_at_k, k) for k in ks},
        pass_hat={k: mean(pass_all_k, k) for k in ks},
    )


def _count_prompts(c: Columns, chosen: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Prompt id → how many of the chosen requests are of it, in order of their first one."""
    names, codes = list(c.prompts[0]), c.prompts[1][chosen]
    counts, first = np.bincount(codes, minlength=len(names)), np.full(len(names), len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return {names[code]: int(counts[code]) for code in np.argsort(first, kind="stable") if counts[code]}


def ks_of(answers: int) -> list[int]:
    """The values of k to report for this many answers: powers of two, and all of them."""
    powers = [2**i for i in range(answers.bit_length()) if 2**i < answers]
    return [*powers, answers]


def _duration_s(columns: Sequence[Columns]) -> float:
    """Last done − first due over all targets, s; 0 if no request is done."""
    spans = [(c.due_s.min(), np.nanmax(c.done_s)) for c in columns if not np.isnan(c.done_s).all()]
    return float(max(done for _, done in spans) - min(due for due, _ in spans)) if spans else 0.0
