"""Power analysis of a suite before a run: the differences that it can detect, and the prompts that its margins need."""

from __future__ import annotations

import math

import msgspec
from scipy.special import ndtri

from harness.analysis.compare.gate import Rule, gate_of, make_rules
from harness.analysis.metrics import metric_of
from harness.analysis.stats.power import (
    ALPHA,
    DISCORDANCE,
    POWER,
    TIME_EFFECT,
    detectable_difference,
    discordance_at,
    none_in,
    pairs_for_difference,
    pairs_to_rule_out,
    quantile_ratio_error,
    samples_for_ratio,
)
from harness.analysis.stats.quantiles import clusters_for_level, clusters_for_quantile, is_bounded, samples_for_quantile
from harness.suite.grammar.gate import metric_tag
from harness.suite.suite import Suite

LATENCY_SPREAD = 0.5
"""Standard deviation of ln latency."""
COST_SPREAD = 0.3
"""Standard deviation of a prompt's ln cost ratio with one answer each: answers differ in length."""
PROMPT_SHARE = 0.5
"""Share of a difference's variance that is the prompt's own, so that repeats do not average it out."""
GROUP_CORRELATION = 0.3
"""Of prompts that share a group."""
BETA = float(ndtri(POWER))
RARE = 0.01
"""Discordance of failures and throttles."""
ASSUMPTIONS = (
    f"Assumptions: equally good models disagree on {DISCORDANCE:.0%} of prompts, plus the prompts that a worse one "
    f"loses; log latencies and log costs have standard deviations of {LATENCY_SPREAD:g} and {COST_SPREAD:g}; half of "
    "the variance is between prompts; the power is 80%"
)


class DetectableDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the gate. Counts are prompts, each with the suite's repeats."""

    metric: str
    margin: str
    minimum_detectable: float | None = msgspec.field(name="sees")
    """The smallest true difference that is `worse` in 80 % of runs, after Holm at its strictest: points as a share,
    else as a ratio − 1. Above the margin, since a difference of just the margin reaches it in only half of the runs.
    None: no difference can be detected, or it is unknown before a run."""
    prompts: int
    """How many this metric uses."""
    prompts_for_worse: int | None
    """To find a true difference of twice the margin `worse`."""
    prompts_for_no_worse: int | None
    """To find a candidate without a difference `no_worse`: to rule out the margin."""
    note: str = ""


class Detectable(msgspec.Struct, frozen=True, kw_only=True):
    """A suite's power."""

    prompts: int
    repeats: int
    clusters: int
    family: int
    """Gate metrics × candidates."""
    default_gate: bool
    metrics: tuple[DetectableDifference, ...]
    assumptions: str = ASSUMPTIONS


def find_detectable(suite: Suite) -> Detectable:
    """What the suite's gate (or the default one) can detect with its prompts and repeats."""
    repeats, candidates = suite.load.repeats or 1, max(1, len(suite.targets) - 1)
    clusters = len({prompt.group or prompt.id for prompt in suite.prompts})
    written, by_default = gate_of(suite, tail=is_bounded(0.95, len(suite.prompts) * repeats, clusters))
    rules = make_rules(written)
    family = len(rules) * candidates
    return Detectable(
        prompts=len(suite.prompts),
        repeats=repeats,
        clusters=clusters,
        family=family,
        default_gate=by_default,
        metrics=tuple(_find_detectable(rule, suite, repeats, ALPHA / family) for rule in rules),
    )


def _find_detectable(rule: Rule, suite: Suite, repeats: int, alpha: float) -> DetectableDifference:
    """`alpha`: two-sided, of Holm's first step."""
    tag = metric_tag(rule.metric)
    prompts = [prompt for prompt in suite.prompts if tag is None or tag in prompt.tags]
    if rule.metric.startswith("pass_rate"):
        prompts = [prompt for prompt in prompts if any(check.type != "pairwise" for check in prompt.checks)]
    n = len(prompts)
    groups = len({prompt.group or prompt.id for prompt in prompts})
    metric = metric_of(rule.metric)
    if metric.quantile is not None:
        return _latency(rule, metric.quantile, n, groups, repeats, alpha)
    if metric.unit == "usd":
        return _cost(rule, n, _design_effect(n, groups), repeats, alpha)
    return _rate(rule, n, _design_effect(n, groups), repeats, alpha)


def _design_effect(n: int, groups: int) -> float:
    """The design effect of groups of m prompts on average: 1 + (m − 1)·ρ."""
    return 1.0 if not groups else 1 + (n / groups - 1) * GROUP_CORRELATION


def _averaged(repeats: int) -> float:
    """Variance of a prompt's mean over its repeats, in variances of one answer."""
    return PROMPT_SHARE + (1 - PROMPT_SHARE) / repeats


def _rate(rule: Rule, n: int, design: float, repeats: int, alpha: float) -> DetectableDifference:
    rare = metric_of(rule.metric).up_is_worse  # errors and throttles; a pass rate is not
    factor = design if rare else design * _averaged(repeats)
    discordance = RARE if rare else DISCORDANCE
    twice = min(1.0, 2 * rule.margin)
    worse = pairs_for_difference(twice, discordance_at(twice, discordance), alpha=alpha)
    ruled_out = none_in(rule.margin) if rare else pairs_to_rule_out(rule.margin, discordance)
    return DetectableDifference(
        metric=rule.metric,
        margin=rule.written,
        minimum_detectable=detectable_difference(n / factor, discordance=discordance, margin=rule.margin, alpha=alpha),
        prompts=n,
        prompts_for_worse=math.ceil(worse * factor),
        prompts_for_no_worse=math.ceil(ruled_out * factor),
        note="if nothing fails" if rare else "",
    )


def _cost(rule: Rule, n: int, design: float, repeats: int, alpha: float) -> DetectableDifference:
    factor = design * _averaged(repeats)
    if rule.scale != "log_ratio":
        return _unknown(rule, n)
    error = COST_SPREAD * math.sqrt(factor / n) if n else math.inf
    strict, plain = (float(ndtri(1 - tail)) + BETA for tail in (alpha / 2, ALPHA / 2))
    return DetectableDifference(
        metric=rule.metric,
        margin=rule.written,
        minimum_detectable=math.expm1(max(strict * error, rule.margin + BETA * error)) if n else None,
        prompts=n,
        prompts_for_worse=_for_t(strict * COST_SPREAD / (2 * rule.margin), factor, alpha / 2),
        prompts_for_no_worse=_for_t(plain * COST_SPREAD / rule.margin, factor, ALPHA / 2),
    )


def _for_t(root: float, factor: float, tail: float) -> int:
    """Prompts for a t test: `root`² with a known variance, and z²/2 more since it is estimated.

    Source: Guenther 1981, The American Statistician 35:243–244.
    """
    return math.ceil((root**2 + float(ndtri(1 - tail)) ** 2 / 2) * factor)


def _latency(rule: Rule, q: float, n: int, groups: int, repeats: int, alpha: float) -> DetectableDifference:
    """A sample is a prompt's answer (prompts × repeats of them) and counts as 1/`factor` independent ones."""
    factor = TIME_EFFECT * _design_effect(n, groups) * _averaged(repeats) * repeats
    needed, bounded = samples_for_quantile(q), is_bounded(q, n * repeats, groups)
    group = n / groups if groups else 1.0
    least = max(math.ceil(needed / repeats), math.ceil(clusters_for_quantile(q) * group))
    note = "" if bounded else f"no bounds: {rule.metric} needs {needed} samples of {least} prompts"
    if rule.scale != "log_ratio":
        return _unknown(rule, n, note)
    z = float(ndtri(1 - alpha / 2)) + BETA
    error = quantile_ratio_error(q, n * repeats / factor, spread=LATENCY_SPREAD) if n else math.inf
    enough = clusters_for_level(alpha)
    if bounded and groups < enough:
        note = f"cannot be worse: with this many tests, that needs {enough} prompts or groups, whatever the repeats"
    prompts = [
        max(fewest, math.ceil(samples_for_ratio(q, ratio, spread=LATENCY_SPREAD, alpha=tail) * factor / repeats))
        for ratio, tail, fewest in (
            (2 * rule.margin, alpha / 2, max(least, math.ceil(enough * group))),
            (rule.margin, ALPHA / 2, least),
        )
    ]
    return DetectableDifference(
        metric=rule.metric,
        margin=rule.written,
        minimum_detectable=math.expm1(max(z * error, rule.margin + BETA * error))
        if bounded and groups >= enough
        else None,
        prompts=n,
        prompts_for_worse=prompts[0],
        prompts_for_no_worse=prompts[1],
        note=note,
    )


def _unknown(rule: Rule, n: int, note: str = "") -> DetectableDifference:
    """An absolute margin, whose size relative to the metric is unknown before a run."""
    absolute = "absolute margin: known only after a run, with `harness compare`"
    return DetectableDifference(
        metric=rule.metric,
        margin=rule.written,
        minimum_detectable=None,
        prompts=n,
        prompts_for_worse=None,
        prompts_for_no_worse=None,
        note=f"{note}; {absolute}" if note else absolute,
    )
