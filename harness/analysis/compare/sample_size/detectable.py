"""Power analysis of a suite before a run: the differences that it can detect, and the prompts that its margins need."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.special import ndtri, stdtrit

from harness.analysis.columns import Codes
from harness.analysis.compare.gate import Rule, gate_of, make_rules
from harness.analysis.metrics import metric_of
from harness.analysis.stats.clusters import BLOCKS, DEGREES
from harness.analysis.stats.means import cluster_codes, effective_clusters
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
)
from harness.analysis.stats.quantiles import (
    bounds_need,
    clusters_for_level,
    clusters_for_quantile,
    samples_for_quantile,
)
from harness.characters import rounded
from harness.suite.grammar.gate import metric_tag
from harness.suite.suite import Prompt, Suite

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


class Stalls(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is taken to stall, of each target on its own: all answers due in a stall are slow."""

    a_minute: float = 1.0
    seconds: float = 4.0
    source: str = "assumed"
    """Where the numbers come from."""

    def __str__(self) -> str:
        return f"{self.a_minute:.2g} stall{'s' * (self.a_minute != 1)} a minute of {self.seconds:.2g} s"

    def share(self) -> float:
        """Of the time."""
        return min(1.0, self.a_minute * self.seconds / 60)


ASSUMED_STALLS = Stalls()
"""One answer in fifteen is in a stall: without a history, an assumption that says so."""
MOST_STALLED = 0.8
"""Share of the answers above a quantile that stalls may make: with more, n grows beyond what anybody runs."""


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
    minutes_for_worse: float | None = None
    minutes_for_no_worse: float | None = None
    """Of a latency: how long so many prompts take at the suite's rate; in less time, with more requests a second, they
    are not enough. None: no latency, the rate is unknown, or stalls hide the difference at any n."""
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
    stalls: Stalls | None = None
    """That latencies count with. None: the rate of requests is unknown, and they count without stalls."""
    assumptions: str = ASSUMPTIONS


def find_detectable(suite: Suite, *, rate_per_s: float | None = None, stalls: Stalls = ASSUMED_STALLS) -> Detectable:
    """What the suite's gate (or the default one) can detect with its prompts and repeats.

    `rate_per_s`: requests a second to each target; with it latencies count with `stalls`, and have minutes.
    """
    repeats, candidates = suite.load.repeats or 1, max(1, len(suite.targets) - 1)
    tail = bool(suite.prompts) and bounds_need(0.95, np.tile(_groups(suite.prompts), repeats)).met
    written, by_default = gate_of(suite, tail=tail)
    rules = make_rules(written)
    family = len(rules) * candidates
    time = None if rate_per_s is None else _Time(rate_per_s=rate_per_s, stalls=stalls)
    return Detectable(
        prompts=len(suite.prompts),
        repeats=repeats,
        clusters=len({prompt.group or prompt.id for prompt in suite.prompts}),
        family=family,
        default_gate=by_default,
        metrics=tuple(_find_detectable(rule, suite, repeats, ALPHA / family, time) for rule in rules),
        stalls=None if time is None else stalls,
        assumptions=ASSUMPTIONS if time is None else f"{ASSUMPTIONS}; {time.assumed()}",
    )


def _groups(prompts: Sequence[Prompt]) -> Codes:
    """The cluster of each prompt, as the analysis counts them."""
    return cluster_codes(np.array([prompt.group or prompt.id for prompt in prompts], dtype=object))


class _Time(msgspec.Struct, frozen=True, kw_only=True):
    """When requests are sent, and when answers are slow."""

    rate_per_s: float
    """To each target."""
    stalls: Stalls

    def assumed(self) -> str:
        rate = rounded(self.rate_per_s, 2)
        return f"each target has {self.stalls} ({self.stalls.source}) and {rate} requests a second"

    def least_minutes(self) -> float:
        """Blocks of time shorter than a stall do not show it."""
        return BLOCKS * self.stalls.seconds / 60


def _find_detectable(rule: Rule, suite: Suite, repeats: int, alpha: float, time: _Time | None) -> DetectableDifference:
    """`alpha`: two-sided, of Holm's first step."""
    tag = metric_tag(rule.metric)
    prompts = [prompt for prompt in suite.prompts if tag is None or tag in prompt.tags]
    if rule.metric.startswith("pass_rate"):
        prompts = [prompt for prompt in prompts if any(check.type != "pairwise" for check in prompt.checks)]
    n, metric = len(prompts), metric_of(rule.metric)
    codes = _groups(prompts)
    if metric.quantile is not None:
        return _latency(rule, metric.quantile, codes, repeats, alpha, time)
    design = _design_effect(codes)
    return _cost(rule, n, design, repeats, alpha) if metric.unit == "usd" else _rate(rule, n, design, repeats, alpha)


def _design_effect(codes: Codes) -> float:
    """Of groups of m prompts: 1 + (m − 1)·ρ, m the prompts over Kish's number of groups (`effective_clusters`)."""
    if not len(codes):
        return 1.0
    return 1 + (len(codes) / effective_clusters(np.bincount(codes)) - 1) * GROUP_CORRELATION


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


def _latency(
    rule: Rule, q: float, codes: Codes, repeats: int, alpha: float, time: _Time | None
) -> DetectableDifference:
    """A sample is a prompt's answer (prompts × repeats of them)."""
    n = len(codes)
    if not n:
        return _unknown(rule, 0, "no prompt has it")
    need = bounds_need(q, np.tile(codes, repeats))
    group, enough = n / need.clusters, clusters_for_level(alpha)
    least = math.ceil(max(need.samples_needed / repeats, clusters_for_quantile(q) * group))
    note = "" if need.met else f"no bounds: {rule.metric} needs {samples_for_quantile(q)} samples of {least} prompts"
    if rule.scale != "log_ratio":
        return _unknown(rule, n, note)
    if need.met and need.clusters < enough:
        note = f"cannot be worse: with this many tests, that needs {enough} prompts or groups, whatever the repeats"
    of_prompts = _design_effect(codes) * _averaged(repeats) * repeats
    error = _quantile_error(q, of_prompts, time)
    hidden = error is None
    if error is None:
        assert time is not None
        error = _quantile_error(q, of_prompts, None)
        note = "; ".join(filter(None, (note, f"n holds without stalls; with {time.stalls} no n finds it")))
    assert error is not None
    prompts, minutes = [], []
    for ratio, tail, fewest in (
        (2 * rule.margin, alpha / 2, max(least, math.ceil(enough * group))),
        (rule.margin, ALPHA / 2, least),
    ):
        wanted = max(fewest, math.ceil((error.quantiles(tail) * error.of_one / ratio) ** 2 / repeats))
        if time is not None and not hidden:
            wanted = max(wanted, math.ceil(time.least_minutes() * 60 * time.rate_per_s / repeats))
            minutes.append(wanted * repeats / time.rate_per_s / 60)
        prompts.append(wanted)
    now = error.of_one / math.sqrt(n * repeats)
    seen = max(error.quantiles(alpha / 2) * now, rule.margin + BETA * now)
    return DetectableDifference(
        metric=rule.metric,
        margin=rule.written,
        minimum_detectable=math.expm1(seen) if need.met and need.clusters >= enough else None,
        prompts=n,
        prompts_for_worse=prompts[0],
        prompts_for_no_worse=prompts[1],
        minutes_for_worse=minutes[0] if minutes else None,
        minutes_for_no_worse=minutes[1] if minutes else None,
        note=note,
    )


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    """The standard error of a log ratio of quantiles, as `time_blocks.compare_quantiles` finds it."""

    of_one: float
    """With one sample an arm; it falls with the root of their number."""
    degrees: float

    def quantiles(self, tail: float) -> float:
        """Errors between no difference and one that is found at `POWER`."""
        return float(stdtrit(self.degrees, 1 - tail)) + BETA


def _quantile_error(q: float, of_prompts: float, time: _Time | None) -> _Error | None:
    """None: stalls are nearly as much of the time as answers lie above the quantile, which then measures the stalls.

    √(2·q(1−q)·deff) / ((1−f)·φ(z)) · σ, f the share of the time in stalls, z the cut among the other answers. deff:
    `of_prompts` × TIME_EFFECT, and for Poisson stalls of s seconds, λ a minute, at r requests a second,
    λ·s²·(1−p₀)²·r / (60·q(1−q)) more, p₀ the share above the cut outside stalls. t has 7·D/(D−1) degrees of freedom.

    Source: Mosteller 1946, Annals of Mathematical Statistics 17:377–408 (a quantile's variance); the variance of a
    compound Poisson sum. benchmarks/worlds/dry_run.py measures the power at the n it leads to.
    """
    stalled, above, more = 0.0, 1 - q, 0.0
    if time is not None:
        stalled, stalls = time.stalls.share(), time.stalls
        if stalled >= MOST_STALLED * above:
            return None
        above = (above - stalled) / (1 - stalled)
        more = stalls.a_minute * (stalls.seconds * (1 - above)) ** 2 * time.rate_per_s / (60 * q * (1 - q))
    at_cut = quantile_ratio_error(1 - above, 1, spread=LATENCY_SPREAD) / math.sqrt(above * (1 - above))
    deff, effect = TIME_EFFECT * of_prompts + more, TIME_EFFECT + more
    return _Error(
        of_one=at_cut * math.sqrt(q * (1 - q) * deff) / (1 - stalled), degrees=DEGREES * effect / (effect - 1)
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
