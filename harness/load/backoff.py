"""How long to wait before another attempt: full jitter, and no sooner than the service asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from harness.suite.suite import Retries

_HINTS = (("retry-after-ms", 0.001), ("x-amz-retry-after", 0.001), ("retry-after", 1.0))
"""Headers, lower case, in the order in which they count, and their unit in seconds."""
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*", re.ASCII)


def backoff_ns(retries: Retries, try_no: int, headers: Mapping[str, str], rng: Random) -> int:
    """The wait after attempt `try_no`, ns: uniform between 0 and min(cap, base · 2^(try − 1)), no less than `headers`
    ask for, and never more than the cap."""
    drawn_s = rng.uniform(0, min(retries.cap_s, retries.base_s * 2 ** (try_no - 1)))
    return int(min(retries.cap_s, max(drawn_s, retry_after_s(headers) or 0.0)) * 1e9)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What an answer's headers ask for, s. None: nothing, or no plain number (a date is none)."""
    for name, unit_s in _HINTS:
        found = _NUMBER.fullmatch(headers.get(name, ""))
        if found:
            return float(found[1]) * unit_s
    return None
