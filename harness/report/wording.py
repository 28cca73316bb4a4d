"""How numbers, intervals and dates are written, the same in figures, pages and on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Quantiles, TargetSummary, Winner
from harness.characters import printable
from harness.store.finding import Finding

MISSING = "–"
"""What stands where the data cannot say."""


SIMULATED = "answered by a stand-in on this machine, not by Amazon Bedrock"
"""What SIMULATED means, on every figure and page."""


def shorten(text: str, width: int) -> str:
    """At most `width` characters; the middle goes, because names differ at their ends."""
    if len(text) <= width:
        return text
    tail = width // 2
    return f"{text[: width - tail - 1]}…{text[len(text) - tail :]}"


def significant(value: float | None) -> str:
    """Three significant digits without an exponent; thousands are grouped."""
    if value is None or math.isnan(value):
        return MISSING
    if value == 0:
        return "0"
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 9)}f}"


def seconds(value: float | None) -> str:
    """Seconds with their unit."""
    return MISSING if value is None or math.isnan(value) else f"{significant(value)} s"


def usd(value: float | None) -> str:
    """US dollars: cents from a dollar on, three significant digits under it."""
    if value is None or math.isnan(value):
        return MISSING
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${significant(value)}"


def percent(rate: float | None) -> str:
    """A share of 0 … 1 as a percentage with one decimal."""
    return MISSING if rate is None or math.isnan(rate) else f"{100 * rate:.1f}%"


def value_with_unit(value: float | None, unit: str) -> str:
    """A figure as its unit is written: `97.5%`, `0.420 s`, `$0.0012`, `205 tokens/s`."""
    match unit:
        case "share":
            return percent(value)
        case "s":
            return seconds(value)
        case "usd":
            return usd(value)
        case _:
            return MISSING if value is None else f"{significant(value)} {printable(unit)}".rstrip()


def value_of(winner: Winner) -> str:
    """A leader's figure with its unit."""
    return value_with_unit(winner.value, winner.unit)


def verdict_of(winner: Winner) -> str:
    """What keeps a lead from being read as a difference; empty where nothing does."""
    if not winner.close:
        return ""
    if len(winner.close) == winner.rivals:
        return "too close to call"
    behind = [target for target in winner.close if target not in winner.tied_with]
    return f"too close to call with {', '.join(behind)}; clear of the others" if behind else "clear of the others"


def rate_interval(interval: Interval | None) -> str:
    """`97.5% [87.1, 99.6]`."""
    if interval is None:
        return MISSING
    if interval.low is None or interval.high is None:
        return percent(interval.value)
    return f"{percent(interval.value)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def seconds_interval(interval: Interval | None) -> str:
    """`0.42 s [0.40, 0.47]`; `∞` where the data gives no upper bound, `0` where it gives no lower one."""
    return _with_bounds(interval, 1, "s")


def milliseconds_interval(interval: Interval | None) -> str:
    """As `seconds_interval`, for an interval in seconds that is better read in milliseconds."""
    return _with_bounds(interval, 1000, "ms")


def _with_bounds(interval: Interval | None, scale: float, unit: str) -> str:
    if interval is None:
        return MISSING
    low = "0" if interval.low is None else significant(scale * interval.low)
    high = "∞" if interval.high is None else significant(scale * interval.high)
    return f"{significant(scale * interval.value)} {unit} [{low}, {high}]"


def quantile(quantiles: Quantiles | None, name: str) -> Interval | None:
    """The named quantile (`p50` … `p99`), None where nothing was measured."""
    return None if quantiles is None else getattr(quantiles, name)


def failed_requests(target: TargetSummary) -> int:
    """Requests whose last attempt was not ok."""
    return target.requests - target.succeeded


def counts(values: Sequence[int]) -> str:
    """`40`, or `38 to 40` where they differ."""
    low, high = min(values, default=0), max(values, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def sentence(finding: Finding) -> str:
    """What is wrong and how to mend it, on one line."""
    return f"{printable(finding.what).rstrip('.;: ')}; {printable(finding.remedy)}"


def interval_note(level: float) -> str:
    """`95% intervals`."""
    return f"{100 * level:g}% intervals"


def date_of(started_utc: str) -> str:
    """`2026-11-22T02:40:00Z` as `2026-11-22 02:40:00 UTC`."""
    return started_utc.replace("T", " ").removesuffix("Z") + " UTC"
