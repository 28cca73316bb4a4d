"""The metrics: one function each, whose docstring is the formula with its unit, and METRICS, the table of them.

Per-request metrics return one float a request, aligned with the columns, NaN where there is no value. Latencies cover
successes only (failures are NaN and are reported as rates); queue delay is the harness's own and covers all requests.
A new metric is a function and an entry of METRICS, and a field of `TargetSummary` if a summary stores it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Columns, Floats
from harness.suite.suite import Slo

Unit = Literal["share", "s", "tokens/s", "usd"]
"""Of a metric's value; a share is of 0 … 1."""
PerRequest = Callable[[Columns], Floats]


def ttft_s(c: Columns) -> Floats:
    """First non-empty content chunk − due, s; NaN without streaming."""
    return _of_successes(c, c.first_s - c.due_s)


def ttft_from_sent_s(c: Columns) -> Floats:
    """First non-empty content chunk − sent, s; of the last attempt."""
    return _of_successes(c, c.first_s - c.sent_s)


def e2e_s(c: Columns) -> Floats:
    """Done − due, s."""
    return _of_successes(c, c.done_s - c.due_s)


def attempt_ttft_s(c: Columns) -> Floats:
    """First non-empty content chunk − due of the last attempt, s: without failed attempts and their backoff."""
    return ttft_s(c) if c.last_due_s is None else _of_successes(c, c.first_s - c.last_due_s)


def attempt_e2e_s(c: Columns) -> Floats:
    """Done − due of the last attempt, s: without failed attempts and their backoff."""
    return e2e_s(c) if c.last_due_s is None else _of_successes(c, c.done_s - c.last_due_s)


def backoff_s(c: Columns) -> Floats:
    """Σ (an attempt's due − the end of the one before), s; NaN for requests that were not retried."""
    if c.backoff_s is None:
        return np.full(len(c.ok), np.nan)
    return np.where(c.attempts > 1, c.backoff_s, np.nan)


def queue_delay_s(c: Columns) -> Floats:
    """Sent − due of the first attempt, s: the harness's own lateness, client-side cap and connecting included."""
    return c.first_try_sent_s - c.due_s


def tpot_s(c: Columns) -> Floats:
    """(Last chunk − first chunk) / (output tokens − 1), s. NaN below two tokens or with a single chunk."""
    return _of_successes(c, _streaming_s(c) / _tokens_after_first(c))


def stream_tokens_per_s(c: Columns) -> Floats:
    """(Output tokens − 1) / (last chunk − first chunk), tokens per s: the inverse of TPOT, NaN where TPOT is."""
    return _of_successes(c, _tokens_after_first(c) / _streaming_s(c))


def passed(c: Columns) -> Floats:
    """1 all checks passed, 0 not, NaN unscored. A failed request has not passed."""
    return c.passed


def failed(c: Columns) -> Floats:
    """1 the last attempt was not ok, else 0."""
    return (~c.ok).astype(np.float64)


def answer_cost_usd(c: Columns) -> Floats:
    """Sum over the attempts of an answered request, USD; NaN for a failed one, which is not a cheap answer."""
    return _of_successes(c, c.cost_usd)


def span_s(c: Columns) -> float | None:
    """Last done − first due, s. None if no request is done or the span is 0."""
    done = c.done_s[~np.isnan(c.done_s)]
    if not len(done):
        return None
    span = float(done.max() - c.due_s.min())
    return span if span > 0 else None


def output_tokens_per_s(c: Columns, *, arrival: str) -> float | None:
    """Output tokens of all requests, per s as `per_s` counts it."""
    return per_s(c, float(np.nansum(c.output_tokens)), arrival=arrival)


def achieved_per_s(c: Columns, *, arrival: str) -> float | None:
    """Requests that succeeded, per s as `per_s` counts it."""
    return per_s(c, int(c.ok.sum()), arrival=arrival)


def per_s(c: Columns, amount: float, *, arrival: str) -> float | None:
    """`amount` over all requests as a rate, per s.

    Closed arrivals: amount / span. Open arrivals: amount · (n − 1)/n over the time from first to last answer, n the
    requests that are done (n of them have n − 1 gaps). That time is (last due − first due) · max(1, b), b being the
    least-squares slope of done on due: 1 while answers keep up with requests, more where a queue grows. The span would
    count the latency of the last answer as load that was not achieved, and last done − first done depends on whether
    those two answers happened to be fast or slow. None if that time is 0.
    """
    if arrival == "closed":
        span = span_s(c)
        return None if span is None else amount / span
    finished = ~np.isnan(c.done_s)
    n, due, done = int(finished.sum()), c.due_s[finished], c.done_s[finished]
    window = float(np.ptp(due)) if n else 0.0
    if window == 0:
        return None
    centred = due - due.mean()
    slope = float(centred @ (done - done.mean()) / (centred @ centred))
    return amount * (n - 1) / n / (window * max(1.0, slope))


def offered_per_s(c: Columns) -> float | None:
    """(Requests − 1) / (last due − first due), per s: n due times have n − 1 gaps. None below two due times.

    Only open arrivals offer a load; with `closed` this is the rate at which slots became free.
    """
    gaps = len(c.due_s) - 1
    if gaps < 1:
        return None
    span = float(c.due_s.max() - c.due_s.min())
    return gaps / span if span > 0 else None


def goodput_per_s(c: Columns, slo: Slo, *, arrival: str, stream: bool = True) -> float | None:
    """Requests that succeeded and met all SLOs, per s as `per_s` counts it. None if no SLO applies.

    Without streaming there is no TTFT, so its SLO does not apply.
    """
    good = meets_slo(c, slo, stream=stream)
    return None if good is None else per_s(c, int(good.sum()), arrival=arrival)


def meets_slo(c: Columns, slo: Slo, *, stream: bool = True) -> npt.NDArray[np.bool_] | None:
    """Which requests succeeded within every SLO that applies; None if none does."""
    ttft_slo = slo.ttft_s if stream else None
    if ttft_slo is None and slo.e2e_s is None:
        return None
    good = c.ok
    if ttft_slo is not None:
        good = good & (ttft_s(c) <= ttft_slo)
    if slo.e2e_s is not None:
        good = good & (e2e_s(c) <= slo.e2e_s)
    return good


def cost_per_request_usd(c: Columns) -> float | None:
    """Mean over prompts of the mean cost of a prompt's answered requests, USD. None: no cost is known.

    As a pass rate, and as in a comparison: a prompt that was asked more often than others counts no more than they do,
    and a request that failed is no cheap one.
    """
    means = mean_by_prompt(c, answer_cost_usd(c))
    return sum(means.values()) / len(means) if means else None


def mean_by_prompt(c: Columns, values: Floats) -> dict[str, float]:
    """Prompt → mean of its values that are known, in the order in which prompts appear; those without one are left out.

    `values`: one a request, NaN where there is none.
    """
    known, (prompts, codes) = ~np.isnan(values), c.prompts
    counts = np.bincount(codes[known], minlength=len(prompts))
    sums = np.bincount(codes[known], weights=values[known], minlength=len(prompts))
    return {prompt: total / n for prompt, total, n in zip(prompts, sums.tolist(), counts.tolist(), strict=True) if n}


def cost_per_correct_usd(c: Columns) -> float | None:
    """Sum of the costs / requests that passed, USD: wrong answers cost money too.

    None: nothing passed, or the cost of an answered request is unknown (never counted as 0). A failed request of
    unknown cost adds nothing.
    """
    passed = int((c.passed == 1).sum())
    if not passed or not costs_known(c):
        return None
    return float(np.nansum(c.cost_usd)) / passed


def costs_known(c: Columns) -> bool:
    """Whether there are answers and the cost of every answer is known."""
    return bool(c.ok.any()) and not bool(np.isnan(c.cost_usd[c.ok]).any())


def _of_successes(c: Columns, values: Floats) -> Floats:
    return np.where(c.ok, values, np.nan)


def _streaming_s(c: Columns) -> Floats:
    """Last chunk − first chunk, s; NaN when they are the same chunk."""
    gap = c.last_s - c.first_s
    return np.where(gap > 0, gap, np.nan)


def _tokens_after_first(c: Columns) -> Floats:
    """Output tokens − 1; NaN below two tokens."""
    return np.where(c.output_tokens >= 2, c.output_tokens - 1, np.nan)


PER_REQUEST = (
    ttft_s,
    ttft_from_sent_s,
    e2e_s,
    attempt_ttft_s,
    attempt_e2e_s,
    backoff_s,
    tpot_s,
    queue_delay_s,
    stream_tokens_per_s,
)
"""A summary holds quantiles of each, in a field with the function's name."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One row of METRICS, used by summary, comparison, gate, history, tables and figures."""

    key: str
    """Its name in a gate, in compare.json and in a history."""
    label: str
    short: str = ""
    """Heading of its column if the label is too long."""
    unit: Unit
    up_is_worse: bool = True
    values: PerRequest | None = None
    """One value a request. None: the metric is not per request."""
    quantile: float | None = None
    """Of the values. None: it is their mean, first by prompt and then over prompts."""
    field: str = ""
    """Of `TargetSummary`, read by `figure_of`. Empty: a summary does not hold it."""
    margin: Literal["points", "latency", "cost"] | None = None
    """How its margin is written in a gate. None: a gate cannot name it."""
    moves_with_time: bool = False
    """Whether the hour of a run can move it, so that two runs differ in it without any change of the target."""
    leads: bool = False
    """Whether a summary names the leader on it."""
    least_change: float | None = None
    """The least change of its median that a history reports, in its unit. None: a history does not follow it."""
    least_relative_change: float = 0.0
    """The same relative to the median before; a change must reach both."""

    @property
    def heading(self) -> str:
        """The heading of its column in a table."""
        return self.short or self.label

    def is_change(self, before: float, after: float) -> bool:
        """Whether a change of the median from `before` to `after` is large enough to report."""
        change = abs(after - before)
        return change > 0 and change >= (self.least_change or 0) and change >= self.least_relative_change * abs(before)


def _latency(
    name: str, values: Callable[[Columns], Floats], changes: Mapping[int, tuple[float, float]]
) -> Iterator[Metric]:
    """Four quantiles. `changes`: percent → (least change in s, relative), for those with a history and a leader."""
    for percent in (50, 90, 95, 99):
        least, relative = changes.get(percent, (None, 0.0))
        yield Metric(
            key=f"{name.lower()}_p{percent}",
            label=f"{name} p{percent}",
            unit="s",
            values=values,
            quantile=percent / 100,
            field=values.__name__,
            margin="latency",
            moves_with_time=True,
            leads=least is not None,
            least_change=least,
            least_relative_change=relative,
        )


_TABLE = (
    Metric(
        key="pass_rate",
        label="pass rate",
        unit="share",
        up_is_worse=False,
        values=passed,
        field="pass_rate",
        margin="points",
        leads=True,
        least_change=0.03,
    ),
    *_latency("TTFT", ttft_s, {50: (0.020, 0.10), 95: (0.050, 0.15)}),
    *_latency("E2E", e2e_s, {95: (0.100, 0.15)}),
    *_latency("TPOT", tpot_s, {}),
    Metric(
        key="stream_tokens_per_s",
        label="output tokens/s per stream",
        short="tok/s",
        unit="tokens/s",
        up_is_worse=False,
        values=stream_tokens_per_s,
        quantile=0.5,
        field="stream_tokens_per_s",
        moves_with_time=True,
        leads=True,
    ),
    Metric(
        key="cost_per_request",
        label="cost per request",
        unit="usd",
        values=answer_cost_usd,
        field="cost_per_request_usd",
        margin="cost",
        leads=True,
        least_change=0.0,
        least_relative_change=0.05,
    ),
    Metric(
        key="cost_per_correct",
        label="cost per correct answer",
        short="$/correct",
        unit="usd",
        field="cost_per_correct_usd",
        leads=True,
    ),
    Metric(
        key="error_rate",
        label="error rate",
        unit="share",
        values=failed,
        field="error_rate",
        margin="points",
        moves_with_time=True,
        least_change=0.01,
    ),
    Metric(key="throttle_rate", label="throttle rate", unit="share", margin="points", moves_with_time=True),
    Metric(key="cost_per_prompt_geometric", label="cost per prompt, geometric mean", unit="usd"),
    Metric(key="list_price", label="list price", unit="usd"),
    Metric(key="e2e_p50_equal_length", label="E2E p50 at equal length", unit="s", quantile=0.5, moves_with_time=True),
)
METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _TABLE}


def metric_of(key: str) -> Metric:
    """The metric of a row of compare.json: of METRICS, or a variant of the pass rate: `pass_rate[tag]`, `pass@3`.

    KeyError: unknown. A tag comes from the suite, so escape its label.
    """
    if key.startswith("pass_rate[") and key.endswith("]"):
        return msgspec.structs.replace(METRICS["pass_rate"], key=key, label=key.replace("pass_rate[", "pass rate [", 1))
    if key.startswith(("pass@", "pass^")):
        return msgspec.structs.replace(METRICS["pass_rate"], key=key, label=key, margin=None)
    return METRICS[key]
