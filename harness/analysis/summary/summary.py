"""The summary of a run: the content of `summary.json`, from which every report is made."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from harness.analysis.metrics import Metric, Unit
from harness.analysis.stats.interval import Interval
from harness.store.files import write_atomically
from harness.store.finding import Finding


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles over the requests that have a value (for a latency: the successes), by nearest rank.

    Their intervals lie between order statistics; repeats, groups and time count.

    The unit is in the field's name; the formulas are in `metrics.py`.
    """

    n: int
    p50: Interval
    p90: Interval
    p95: Interval
    p99: Interval
    mean: float


class RepeatedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Several answers to each prompt. `pass_at[1]` is the mean over prompts, and so is `pass_hat[1]`."""

    answers: int
    """The fewest that a prompt has."""
    prompts: int
    left_out: int = 0
    """Prompts with too few scored answers."""
    pass_at: dict[int, Interval]
    """k → chance that one of k answers is right (pass@k)."""
    pass_hat: dict[int, Interval]
    """k → chance that all of k answers are right (pass^k)."""


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's answers compared with the baseline's, by a judge that saw both orders."""

    pairs: int
    wins: int
    ties: int
    losses: int
    unjudged: int
    """Pairs without a verdict."""
    win_rate: Interval | None
    """(Wins + ties / 2) / pairs with a verdict; clustered like a pass rate."""
    flip_rate: Interval | None
    """Share of the judged pairs where the order of the answers decided; clustered like a pass rate."""
    longer_wins: Interval | None
    """Share of the judged pairs with a winner and unequal lengths that the longer answer won; clustered like a pass
    rate. 0.5: no bias."""


class JudgedRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one judge passed of a target's answers, and what people would have passed by its labels.

    Only of answers that this judge graded alone, by one check of their prompt; failed requests are not among them, and
    other checks do not count. So it is not the pass rate.
    """

    judge: str
    answers: int
    prompts: int
    rate: Interval
    """Mean over prompts of the share of a prompt's answers that the judge passed; clustered Wilson interval."""
    corrected: Interval | None = None
    """Corrected by how the judge errs on labelled answers (`labels.misclassification`). None: too few labels of either
    kind, a judge that is no better than chance, or one that treats these answers otherwise than the labelled ones."""


class JudgeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One judge. Its cost is not part of the targets' cost."""

    judge: str
    model_id: str
    asked: int
    failed: int
    """Questions to which it gave no verdict."""
    cost_usd: float | None
    """Of all questions with known cost; None: known for none."""
    labels: int = 0
    """Answers that both a person and the judge have graded."""
    agreement: Interval | None = None
    """Share of those on which both agree; clustered by prompt or group, as what follows."""
    kappa: Interval | None = None
    """Cohen's κ: agreement beyond chance."""
    sensitivity: Interval | None = None
    """Of the answers that people passed, the share that the judge passed. None: there is none."""
    specificity: Interval | None = None
    """Of the answers that people failed, the share that the judge failed. None: there is none."""


class TargetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One target in one run; warm-up left out. `None`: unknown from this data.

    Rates are per second of the target's own measured time: with closed arrivals first due to last done, with open ones
    first to last answer (`metrics.per_s`).
    """

    target: str
    base_model: str
    routing: str
    api: str
    client: str
    region: str
    requests: int
    """Measured requests (the plan's unit)."""
    attempts: int
    """Measured attempts; more than `requests` where retries happened."""
    succeeded: int
    success_rate: Interval
    """Mean over prompts of the share of a prompt's requests whose last attempt was ok; Wilson, clustered by prompt,
    group and time. Without any failure the lower bound is 1 − 3/n (one-sided)."""
    scored: int
    """Requests with a verdict from their checks. A failed request is scored as not passed; a broken scorer is not."""
    passed: int
    pass_rate: Interval | None
    """Mean over prompts of the share of a prompt's scored requests that passed all their checks; clustered Wilson
    interval. None: no request was scored."""
    pass_rate_by_tag: dict[str, Interval]
    ttft_s: Quantiles | None
    """First content chunk − due. None without streaming, as TTFT from sent, TPOT and the stream's rate are."""
    ttft_from_sent_s: Quantiles | None
    e2e_s: Quantiles | None
    """Done − due."""
    tpot_s: Quantiles | None
    queue_delay_s: Quantiles | None
    """Sent − due of the first attempt; of all requests that were sent."""
    stream_tokens_per_s: Quantiles | None
    """Output tokens after the first / (last chunk − first chunk), per stream."""
    output_tokens_per_s: float | None
    """Output tokens of all requests."""
    achieved_per_s: float | None
    """Requests that succeeded."""
    offered_per_s: float | None
    """Open arrivals: (requests − 1) / span of due times. None for `closed`."""
    goodput_per_s: float | None
    """Requests that met all SLOs; without streaming, that for TTFT is not applied. None: no SLO applies."""
    error_kinds: dict[str, int]
    """Attempts by error kind, most frequent first."""
    error_messages: dict[str, str] = {}
    """Error kind → its most frequent message, cut to length. Hostile: escape it."""
    throttled_attempts: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    """Sum over attempts with known cost; None: the price is unknown."""
    cost_per_request_usd: float | None
    """Mean over prompts of the mean cost of a prompt's answered requests; None: no cost is known."""
    cost_per_1000_usd: float | None
    attempt_ttft_s: Quantiles | None = None
    """First content chunk − due of the last attempt: what `ttft_s` is without failed attempts and backoff."""
    attempt_e2e_s: Quantiles | None = None
    """Done − due of the last attempt."""
    backoff_s: Quantiles | None = None
    """Time between the attempts of a request, over retried requests; None: no request was retried."""
    cost_per_correct_usd: float | None
    """Cost / passed requests: wrong answers cost money too. None: an answer's cost is unknown, or nothing passed."""
    several: RepeatedAnswers | None = None
    """None: no prompt has two scored answers."""
    preference: Preference | None = None
    """None: no answer was compared with the baseline's."""
    judged: list[JudgedRate] = []
    """One entry for each judge that graded answers alone."""

    @property
    def error_rate(self) -> Interval:
        """1 − success rate."""
        rate = self.success_rate
        low, high = (None if bound is None else 1 - bound for bound in (rate.high, rate.low))
        return Interval(value=1 - rate.value, low=low, high=high)


def figure_of(t: TargetSummary, metric: Metric) -> Interval | None:
    """A metric's figure in a target's summary; None if it has no value."""
    stored = getattr(t, metric.field)
    if isinstance(stored, Quantiles):
        return getattr(stored, f"p{round(100 * (metric.quantile or 0))}")  # type: ignore[no-any-return]
    return Interval(value=stored) if isinstance(stored, float) else stored  # a mean alone has no interval


class Winner(msgspec.Struct, frozen=True, kw_only=True):
    """The target that leads on one metric. It describes this run and is not a verdict."""

    metric: str
    """The metric's label: `pass rate`, `TTFT p50`, …"""
    target: str
    """The best; of several equally good ones, the first in the suite."""
    value: float
    unit: Unit
    close: list[str] = []
    """Rivals that are too close to call, in the suite's order."""
    tied_with: list[str] = []
    """Those of `close` with exactly the same value."""
    rivals: int
    """Other targets that compete."""
    clear: bool
    """Whether it is clear of every rival: `close` is empty."""


class RoutingPair(msgspec.Struct, frozen=True, kw_only=True):
    """A regional target and the global one from which it differs only in routing."""

    model: str
    routing: str
    """Of the regional target."""
    worldwide: str
    """The global target's name."""
    regional: str
    """The regional target's name."""
    price_premium: float | None
    """Regional price of an input token / the global one − 1, on the day of the run: 0.1 is 10 % dearer. None: a price
    is unknown, or prompts are asked on terms of their own."""
    ttft_p50_apart: bool
    """The intervals do not touch. False: too close to call."""
    e2e_p95_apart: bool
    success_rate_apart: bool


class CandidateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of the suite's gate on a target against the suite's baseline, in the same run."""

    target: str
    baseline: str
    verdict: Literal["better", "no_worse", "worse", "inconclusive"]
    headline: str
    """The verdict as a sentence, with the rows behind it."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `summary.json`."""

    schema_version: int
    run_id: str
    suite: str
    suite_digest: str
    started_utc: str
    """ISO 8601, seconds, `Z`."""
    duration_s: float
    """First due to last done over all targets, warm-up left out."""
    simulated: bool
    endpoint: str
    state: str
    level: float
    arrival: str
    targets: list[TargetSummary]
    """In the suite's order."""
    winners: list[Winner]
    verdicts: list[CandidateVerdict] = []
    """The worst first. Empty: the suite has no baseline, or `no_verdict` says why."""
    no_verdict: str = ""
    """Why a suite with a baseline has no verdicts."""
    routings: list[RoutingPair] = []
    findings: list[Finding]
    total_cost_usd: float | None
    """Of the targets' answers."""
    judges: list[JudgeSummary] = []
    judging_cost_usd: float | None = None
    """Of all judges, on top of `total_cost_usd`. None: no judge was asked, or no cost is known."""


def write_summary(path: Path, summary: RunSummary) -> None:
    """Write `summary.json`, indented. All figures are finite, so no number becomes null."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
