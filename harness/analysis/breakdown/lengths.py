"""How latency grows with length: TTFT with the input, E2E latency with the output."""

from __future__ import annotations

import numpy as np

from harness.analysis.breakdown.trends import Trend, robust_trend
from harness.analysis.columns import Codes, Columns, Floats


def whole_input_tokens(c: Columns) -> Floats:
    """Input tokens, cached ones included; NaN where unknown."""
    cached = (np.nan_to_num(each) for each in (c.cache_read_tokens, c.cache_write_tokens) if each is not None)
    return c.input_tokens + sum(cached, np.zeros(len(c.ok)))


def trend_over_prompts(c: Columns, lengths: Floats, latencies: Floats) -> Trend | None:
    """The robust trend of one point a prompt or group: the medians of its requests that have both values.

    Requests of one prompt are no independent points, so they count as one. None: too few prompts, or equal lengths.
    """
    known = ~np.isnan(lengths) & ~np.isnan(latencies)
    if not known.any():
        return None
    codes = c.groups[known]
    return robust_trend(medians_by(codes, lengths[known]), medians_by(codes, latencies[known]))


def medians_by(codes: Codes, values: Floats) -> Floats:
    """The median of the values of each code that has one, in ascending order of codes."""
    order = np.lexsort((values, codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    ordered = values[order]
    return np.asarray((ordered[starts + (sizes - 1) // 2] + ordered[starts + sizes // 2]) / 2)
