"""The metrics, one function each; the docstring is the formula with its unit.

Per-request metrics return one float a request, aligned with the columns, NaN where there is no value. Latencies are
taken over successes only (failures are NaN and stand beside them as rates); queue delay is the harness's own and counts
for all.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.suite.suite import Slo


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
    """Σ (an attempt's due − the end of the one before), s; NaN for requests that were not tried again."""
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


def span_s(c: Columns) -> float | None:
    """Last done − first due, s. None when nothing was done or it took no time."""
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
    requests that are done (n of them have n − 1 gaps). That time is (last due − first due) · max(1, b), b the
    least-squares slope of done on due: 1 while answers come as fast as requests, above it where a queue grows. The
    span would count the latency of the last answer as load that was not achieved, and last done − first done the
    chance that one answer was quick and another slow. None when there is no such time.
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

    Only open arrivals offer a load; with `closed` this is what the slots happened to ask for.
    """
    gaps = len(c.due_s) - 1
    if gaps < 1:
        return None
    span = float(c.due_s.max() - c.due_s.min())
    return gaps / span if span > 0 else None


def goodput_per_s(c: Columns, slo: Slo, *, arrival: str, stream: bool = True) -> float | None:
    """Requests that succeeded and met all SLOs, per s as `per_s` counts it. None where no SLO applies.

    Without streaming there is no TTFT, and its SLO is not applied.
    """
    ttft_slo = slo.ttft_s if stream else None
    if ttft_slo is None and slo.e2e_s is None:
        return None
    good = c.ok
    if ttft_slo is not None:
        good = good & (ttft_s(c) <= ttft_slo)
    if slo.e2e_s is not None:
        good = good & (e2e_s(c) <= slo.e2e_s)
    return per_s(c, int(good.sum()), arrival=arrival)


def cost_per_request_usd(c: Columns) -> float | None:
    """Mean of the known costs of a request (the sum of its attempts), USD. None: none is known."""
    known = c.cost_usd[~np.isnan(c.cost_usd)]
    return float(known.mean()) if len(known) else None


def cost_per_correct_usd(c: Columns) -> float | None:
    """Sum of the costs / requests that passed, USD: wrong answers are paid for too.

    None: nothing passed, or the cost of an answered request is unknown (it is never taken for nothing). A failed
    request of unknown cost adds none.
    """
    passed = int((c.passed == 1).sum())
    if not passed or not costs_known(c):
        return None
    return float(np.nansum(c.cost_usd)) / passed


def costs_known(c: Columns) -> bool:
    """Whether something was answered, and the cost of everything that was is known."""
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
