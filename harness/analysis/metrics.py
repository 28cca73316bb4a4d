"""The metrics, one function each; the docstring is the formula with its unit.

Per-request metrics return one float a request, aligned with the columns, NaN where there is no value. Latencies are
taken over successes only (failures are NaN and stand beside them as rates); queue delay is the harness's own and counts
for all.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.suite.schema import Slo


def ttft_s(c: Columns) -> Floats:
    """First non-empty content chunk − due, s."""
    return _of_successes(c, c.first_s - c.due_s)


def ttft_from_sent_s(c: Columns) -> Floats:
    """First non-empty content chunk − sent, s; of the last attempt."""
    return _of_successes(c, c.first_s - c.sent_s)


def e2e_s(c: Columns) -> Floats:
    """Done − due, s."""
    return _of_successes(c, c.done_s - c.due_s)


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
    """Last done − first due, s: what the rates are over. None when nothing was done or it took no time."""
    done = c.done_s[~np.isnan(c.done_s)]
    if not len(done):
        return None
    span = float(done.max() - c.due_s.min())
    return span if span > 0 else None


def output_tokens_per_s(c: Columns) -> float | None:
    """Output tokens of all requests / span, tokens per s."""
    return _per_span(c, float(np.nansum(c.output_tokens)))


def achieved_per_s(c: Columns) -> float | None:
    """Requests that succeeded / span, per s."""
    return _per_span(c, int(c.ok.sum()))


def offered_per_s(c: Columns) -> float | None:
    """(Requests − 1) / (last due − first due), per s: n due times have n − 1 gaps. None below two due times.

    Only open arrivals offer a load; with `closed` this is what the slots happened to ask for.
    """
    gaps = len(c.due_s) - 1
    if gaps < 1:
        return None
    span = float(c.due_s.max() - c.due_s.min())
    return gaps / span if span > 0 else None


def goodput_per_s(c: Columns, slo: Slo) -> float | None:
    """Requests that succeeded and met all SLOs / span, per s. None where the suite sets no SLO."""
    if slo.ttft_s is None and slo.e2e_s is None:
        return None
    good = c.ok
    if slo.ttft_s is not None:
        good = good & (ttft_s(c) <= slo.ttft_s)
    if slo.e2e_s is not None:
        good = good & (e2e_s(c) <= slo.e2e_s)
    return _per_span(c, int(good.sum()))


def cost_per_request_usd(c: Columns) -> float | None:
    """Mean of the known costs of a request (the sum of its attempts), USD. None: none is known."""
    known = c.cost_usd[~np.isnan(c.cost_usd)]
    return float(known.mean()) if len(known) else None


def cost_per_correct_usd(c: Columns) -> float | None:
    """Sum of the known costs / requests that passed, USD: wrong answers are paid for too.

    None: no cost is known, or nothing passed.
    """
    known = c.cost_usd[~np.isnan(c.cost_usd)]
    passed = int((c.passed == 1).sum())
    return float(known.sum()) / passed if len(known) and passed else None


def _of_successes(c: Columns, values: Floats) -> Floats:
    return np.where(c.ok, values, np.nan)


def _streaming_s(c: Columns) -> Floats:
    """Last chunk − first chunk, s; NaN when they are the same chunk."""
    gap = c.last_s - c.first_s
    return np.where(gap > 0, gap, np.nan)


def _tokens_after_first(c: Columns) -> Floats:
    """Output tokens − 1; NaN below two tokens."""
    return np.where(c.output_tokens >= 2, c.output_tokens - 1, np.nan)


def _per_span(c: Columns, amount: float) -> float | None:
    span = span_s(c)
    return None if span is None else amount / span
