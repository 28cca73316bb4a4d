"""A comparison of two targets, or of one target in two runs, as data: what `harness compare` and `gate` report."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from harness.analysis.stalls import Explained, Stall
from harness.store.finding import Finding

SCHEMA_VERSION = 3
"""Of compare.json. Version 2 called `no_worse` `equivalent`; version 1 (without this key) listed only prompts that
passed by half of their answers on one side, with `direction` `pass_to_fail` or `fail_to_pass`."""

Verdict = Literal["better", "no_worse", "worse", "inconclusive"]
ORDER: tuple[Verdict, ...] = ("worse", "inconclusive", "no_worse", "better")
"""From the worst to the best."""
Scale = Literal["points", "log_ratio", "absolute"]
"""How a difference is counted: candidate − baseline of a rate (0.03 is 3 points), ln(candidate / baseline), or
candidate − baseline in the metric's own unit."""


TimeOfDay = Literal["cancels", "counted", "unknown", "rerun"]
"""What became of the time of day. `cancels`: one run asked both sides; `counted`: two runs, and the spread between runs
of the suite's history is in the intervals; `unknown`: two runs without such a history, so that rows which time can move
decide nothing; `rerun`: two runs, and a rerun of both targets in one run decided those rows."""
Remedy = Literal["prompts", "repeats", "time", "runs"]
"""What an inconclusive row needs more of: prompts, answers to each, minutes at the same rate, or earlier runs."""


def word(verdict: Verdict) -> str:
    """The verdict as a reader says it: `no worse`."""
    return verdict.replace("_", " ")


class BetweenRuns(msgspec.Struct, frozen=True, kw_only=True):
    """How a difference of two runs counts what the hours of the runs did."""

    runs: int
    """Earlier runs of the target; the fewer of the two where targets differ."""
    spread: float | None = None
    """Standard deviation of one run's value from run to run, on the row's scale; None: too few runs."""
    decides: bool = False
    """Whether the spread makes a bound of the interval: more prompts would not narrow it."""
    within_low: float | None = None
    within_high: float | None = None
    """The interval of the two runs alone, which takes the hours as equal."""


class ErrorSources(msgspec.Struct, frozen=True, kw_only=True):
    """Where the error of a row comes from."""

    prompts: int
    repeats: float
    """Answers to a prompt, of the arm that has fewer."""
    of_answers: float | None
    """Share of the error's variance that answers to the same prompt account for. None: each was asked once."""
    time_effect: float
    """Variance between blocks of time over that of independent answers, at least 1."""
    minutes: float
    degrees: float
    """Of freedom, of the interval's t quantiles; ∞: normal."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a candidate against its baseline, signed so that + is worse.

    Rates, costs and latencies measure it; `verdict.judge_rows` adds the verdict, margin and adjusted p-value.
    """

    metric: str
    """`pass_rate`, `pass_rate[tag]`, `error_rate`, `throttle_rate`, `ttft_p95`, `e2e_p50`, `tpot_p95`,
    `cost_per_request`; exploratory ones also `pass@3`, `pass^3` (any, all of 3 answers), `e2e_p50_equal_length`,
    `cost_per_prompt_geometric`, `cost_per_correct` and `list_price`, which only two runs at two prices have.
    `metrics.metric_of` has its label."""
    scale: Scale
    unit: str
    """Of `baseline` and `candidate`: `share`, `s` or `usd`."""
    baseline: float | None
    """The metric itself. None: no data."""
    candidate: float | None
    estimate: float | None = None
    """On `scale`, + is worse. None: unknown."""
    low: float | None = None
    high: float | None = None
    """None: the data gives no such bound (too few samples for the quantile)."""
    margin: float | None = None
    """On `scale`, above 0. None: the gate has none for this metric; the verdict is of direction alone."""
    margin_written: str | None = None
    """As in the suite, `3pp` or `15%`."""
    p_value: float | None = None
    p_adjusted: float | None = None
    """By Holm over the gate's family; by Benjamini–Hochberg for exploratory rows."""
    n: int = 0
    """Pairs (prompts that both answered), or for a quantile the samples of the smaller arm."""
    clusters: int = 0
    """Independent units behind `n`: groups of prompts where the suite names groups, else prompts."""
    effective_clusters: int | None = None
    """Of a quantile: how many clusters of equal size tell as much; fewer than `clusters` where these are unequal."""
    method: str = ""
    """`newcombe-paired`, `newcombe-clustered`, each with `+time-blocks` where events came in bursts; `paired-t`,
    `cluster-t`, `time-blocks`, `cluster-jackknife`, `price-list`."""
    time_limited: bool = False
    """How failures, throttles or slow answers fall in time decides the width, or leaves a side without a bound:
    measuring for longer settles it, more prompts in the same time do not."""
    verdict: Verdict = "inconclusive"
    equivalent: bool = False
    """Both bounds lie inside the margin: more than `no_worse`, which rules out a loss alone."""
    n_needed: int | None = None
    """Prompts (for a quantile: samples) that would settle an `inconclusive`. None: settled, or unknown.
    Before the verdict: the samples that bounds need."""
    clusters_needed: int | None = None
    """Of a quantile: the prompts or groups without which repeats cannot settle it. None: there are enough."""
    remedy: Remedy | None = None
    """What would settle an `inconclusive`, where the data tell."""
    remedy_needed: float | None = None
    remedy_now: float | None = None
    """How much of it: prompts, answers to a prompt, minutes or runs. `remedy_needed` None: more, but it is unknown how
    many, as where slow answers came in too few bursts to bound the difference."""
    note: str = ""
    """What a reader must know about this row, such as why it has no bounds."""
    exploratory: bool = False
    """Not in the gate's family; decides nothing."""
    between_runs: BetweenRuns | None = None
    """Of two runs. None: both sides are of one run, or the hour cannot move this metric."""
    baseline_inflated: float | None = None
    candidate_inflated: float | None = None
    """Of a latency where requests failed: the quantile with failures counted as ∞. None: ∞, or nothing failed;
    `note` has both."""
    inflated_estimate: float | UnsetType = UNSET
    """The difference of those two, which may be ±∞. Only until the verdict; not in compare.json."""
    strict_estimate: float | UnsetType = UNSET
    """Where the baseline had failures: the difference in which they help the candidate least. As above."""
    sources: ErrorSources | UnsetType | None = UNSET
    """As above."""


def add_note(d: Difference, *notes: str) -> Difference:
    """The row with these notes added."""
    return msgspec.structs.replace(d, note="; ".join(filter(None, (d.note, *notes))))


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """One side's answers to a prompt. A failed request is a scored answer that did not pass."""

    passed: int
    scored: int
    unscored: int = 0


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt whose share of passed answers changed. The answers are hostile input: escape them."""

    prompt_id: str
    tags: tuple[str, ...] = ()
    direction: Literal["worse", "better"]
    baseline: Outcomes
    candidate: Outcomes
    baseline_answer: str | None = None
    """Where the prompt got worse, an answer that passed; else one that did not. None: not loaded, or it failed."""
    candidate_answer: str | None = None
    """The other way round."""
    reason: str = ""
    """Why the failing side's answer did not pass."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Cost taken apart: cost ratio = price ratio at equal tokens × token ratio. Ratios are candidate / baseline."""

    cost_ratio: float | None = None
    """Of totals over the shared prompts, as in the row `cost_per_request`."""
    price_ratio: float | None = None
    """The baseline's own tokens at the candidate's price / at the baseline's price, each as of the day of its run."""
    token_ratio: float | None = None
    """`cost_ratio / price_ratio`: verbosity and tokenizer."""
    input_token_ratio: float | None = None
    output_token_ratio: float | None = None
    baseline_cost_per_correct_usd: float | None = None
    candidate_cost_per_correct_usd: float | None = None
    baseline_total_usd: float | None = None
    candidate_total_usd: float | None = None
    """Of all requests of the prompts that both were asked. None: a cost is unknown."""
    summary: str = msgspec.field(name="told", default="")
    """One sentence that names what moved: `cost +110 %: the same price, 2.1 × the output tokens (token drift)`."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a comparison."""

    run_id: str
    target: str
    model_id: str
    routing: str
    api: str
    client: str
    region: str
    requests: int
    failed: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate against the baseline."""

    baseline: Arm
    candidate: Arm
    verdict: Verdict
    """`worse` if any gate metric is, `inconclusive` if any gate metric is, else `better` if some is better, else
    `no_worse`. Without a gate: of pass rate, p95 latencies, errors and cost at default margins; a finding says so."""
    differences: tuple[Difference, ...]
    """The family first, in the gate's order; what is exploratory (by tag, no margin) behind it."""
    prompts: int
    """Prompts of both sides."""
    only_baseline: tuple[str, ...] = ()
    only_candidate: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()
    """All of them, the worst first; at most 50 with answers, cut to 2,000 characters."""
    lost: int = 0
    gained: int = 0
    """Prompts that got worse, and prompts that got better."""
    unscored: int = 0
    """Prompts without a scored answer on one side or both, so that a change is unknown."""
    expected_changes: float | None = None
    """How many prompts an unchanged model would change. None: unknown, since nothing was asked twice."""
    expected_from: str = ""
    """What `expected_changes` is from: `3 repeats`, `2 pairs of earlier runs`."""
    drift: Drift = Drift()
    time: TimeOfDay | None = None
    """None: two runs, and no metric of the gate that time can move."""
    stalls: tuple[Stall, ...] = ()
    """In which one side's answers were slow and the other's were not; a finding names them."""
    without_stalls: tuple[Explained, ...] = ()
    """The family's latencies with and without the answers in `stalls`; empty where there are none."""


class CompareReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `harness compare` and `harness gate`: every candidate against its baseline, one family of tests."""

    schema_version: int = SCHEMA_VERSION

    suite: str
    suite_digest: str
    simulated: bool
    level: float
    """Of every interval."""
    comparisons: tuple[Comparison, ...]
    verdict: Verdict
    """The worst of the comparisons, in the order worse, inconclusive, no_worse, better."""
    family: int
    """Gate metrics × candidates: what Holm corrects over."""
    findings: tuple[Finding, ...] = ()
    """About the runs themselves: an invalid run cannot be compared (exit code 4)."""
    valid: bool = True
