"""How values, findings and SIMULATED are written in figures, on pages and on the terminal."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from rich.cells import cell_len

from harness.analysis.stats.interval import LEVEL
from harness.analysis.summary.summary import TargetSummary, Winner
from harness.characters import printable
from harness.report.section import Cell, Link, Mark, Name, Note, Number, Section
from harness.store.finding import Finding

MISSING = "–"
"""Shown for an unknown value."""
MINUS = "−"
SIMULATED = "SIMULATED"
STAND_IN = "answered by a stand-in on this machine, not by Amazon Bedrock"
SIMULATED_NOTE = f"{SIMULATED}: {STAND_IN}"
BARS = "▁▂▃▄▅▆▇█"


def simulated_title(title: str, simulated: bool) -> str:
    """The title, marked as SIMULATED if it is."""
    return f"{SIMULATED}: {title}" if simulated else title


def shorten(text: str, width: int) -> str:
    """Shorten to at most `width` columns by cutting the middle, since names differ at their ends.

    Chinese, Japanese and Korean characters and most emoji are two columns wide.
    """
    if cell_len(text) <= width:
        return text
    tail = width // 2
    return f"{_first(text, width - tail - 1)}…{_first(text[::-1], tail)[::-1]}"


def _first(text: str, width: int) -> str:
    """As many characters as fit into `width` columns."""
    if text.isascii():
        return text[:width]
    return text[: bisect_right(range(1, len(text) + 1), width, key=lambda n: cell_len(text[:n]))]


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
    """`0.420 s`."""
    return value_with_unit(value, "s")


def usd(value: float | None) -> str:
    """US dollars: with cents from $1 up, with three significant digits below."""
    if value is None or math.isnan(value):
        return MISSING
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${significant(value)}"


def percent(rate: float | None) -> str:
    """A share of 0 … 1 as a percentage with one decimal."""
    return MISSING if rate is None or math.isnan(rate) else f"{100 * rate:.1f}%"


def value_with_unit(value: float | None, unit: str) -> str:
    """A value with its unit: `97.5%`, `0.420 s`, `$0.00120`, `205 tokens/s`."""
    if value is None or math.isnan(value):
        return MISSING
    match unit:
        case "share":
            return percent(value)
        case "usd":
            return usd(value)
        case "ms":
            return f"{significant(1000 * value)} ms"
        case "kappa":
            return f"{value:.2f}"
        case "%" | "pp":
            return f"{_one_decimal(abs(value))}{'' if unit == '%' else ' '}{unit}"
        case _:
            return f"{significant(value)} {printable(unit)}".rstrip()


def write_value(n: Number) -> str:
    """A number without its interval: `97.5%`, `+24.0%`."""
    if not n.signed:
        return value_with_unit(n.value, n.unit)
    return _sign(n.value, n.unit) + value_with_unit(abs(n.value), n.unit)


def write_bare(n: Number) -> str:
    """A number without its interval and unit, which stands elsewhere, as in the head of a column: `97.5`."""
    return write_value(n).replace(unit_symbol(n.unit), "", 1).rstrip() if n.unit else write_value(n)


def unit_symbol(unit: str) -> str:
    """A unit as it is written beside a value: `%` for a share, `$`, `ms`."""
    return {"share": "%", "usd": "$", "kappa": ""}.get(unit, printable(unit))


def write_interval(n: Number, *, between: str = ", ", short: bool = False) -> str:
    """The bounds without a unit, `87.1, 99.6`; empty if there are none.

    `short`: no decimals for percentages of at least 10.
    """
    if not n.bounded or (n.low is None and n.high is None and n.signed):
        return ""
    if n.unit in ("share", "kappa") and (n.low is None or n.high is None):
        return ""
    low = (f"{MINUS}∞" if n.signed else "0") if n.low is None else _bound(n, n.low, short)
    high = ("+∞" if n.signed else "∞") if n.high is None else _bound(n, n.high, short)
    return f"{low}{between}{high}"


def _bound(n: Number, value: float, short: bool) -> str:
    match n.unit:
        case "share":
            return f"{100 * value:.{0 if short and value >= 0.1 else 1}f}"
        case "ms":
            return significant(1000 * value)
        case "kappa":
            return f"{value:.2f}"
    size = _one_decimal(abs(value)) if n.unit in ("%", "pp") else significant(abs(value))
    return (_sign(value, n.unit) if n.signed else MINUS if value < 0 else "") + size


def _sign(value: float, unit: str) -> str:
    rounded = round(value, 1) if unit in ("%", "pp") else value
    return "+" if rounded > 0 else MINUS if rounded < 0 else ""


def _one_decimal(value: float) -> str:
    """`3.2`; `120` from a hundred up."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"


def write_cell(cell: Cell, *, intervals: bool = True, short: bool = False) -> str:
    """A value of a table as text: `97.5% [87.1, 99.6]`, `1,024`, `–`."""
    match cell:
        case None:
            return MISSING
        case int():
            return f"{cell:,}"
        case Name() | Mark() | Link():
            return printable(cell.text)
        case Number():
            interval = write_interval(cell, short=short) if intervals else ""
            return f"{write_value(cell)} [{interval}]" if interval else write_value(cell)
    return printable(cell)


def value_of(winner: Winner) -> str:
    """A leader's value with its unit."""
    return value_with_unit(winner.value, winner.unit)


def verdict_of(winner: Winner) -> str:
    """`clear`, or which rivals are too close to call."""
    if not winner.close:
        return "clear"
    if len(winner.close) == winner.rivals:
        return "too close to call"
    behind = [target for target in winner.close if target not in winner.tied_with]
    return f"too close to call with {', '.join(behind)}; clear of the others" if behind else "clear of the others"


def best_of(winners: Sequence[Winner]) -> str:
    """What to know about a leader of three or more: chance helped to choose it. Empty for two."""
    most = 1 + max((winner.rivals for winner in winners), default=0)
    if most < 3:
        return ""
    return f"Chosen as the best of {most}, a leader looks better than it is; confirm it with a new run."


def failed_requests(target: TargetSummary) -> int:
    """The number of requests whose last attempt failed."""
    return target.requests - target.succeeded


def error_rate(target: TargetSummary) -> Number | str:
    """The rate with its interval, or what it is at most where no request failed."""
    rate = target.error_rate
    if failed_requests(target):
        return Number(rate.value, "share", rate.low, rate.high, bounded=True)
    from harness.analysis.stats.proportions import rule_of_three  # loads scipy, which no live view needs

    return f"at most {percent(rule_of_three(target.requests))} (one-sided {100 * LEVEL:g}%, 3/n)"


def counts(values: Sequence[int]) -> str:
    """`40`, or `38 to 40` if the values differ."""
    low, high = min(values, default=0), max(values, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def sentence(finding: Finding) -> str:
    """A finding and its remedy on one line."""
    return f"{printable(finding.what).rstrip('.;: ')}; {printable(finding.remedy)}"


def findings_section(findings: Sequence[Finding]) -> Section:
    """What is wrong with the data and how to fix it."""
    notes = [
        Note(text=sentence(f), label="Invalid" if f.invalidates else "", tone="bad" if f.invalidates else "warn")
        for f in findings
    ]
    return Section(title="Findings", notes=notes)


def interval_note(level: float) -> str:
    """`95% intervals`."""
    return f"{100 * level:g}% intervals"


def date_of(started_utc: str) -> str:
    """`2026-11-22T02:40:00Z` as `2026-11-22 02:40:00 UTC`."""
    return started_utc.replace("T", " ").removesuffix("Z") + " UTC"


def sparkline(values: Sequence[float], *, low: float, high: float) -> str:
    """One character for each value, from `▁` for `low` to `█` for `high`; all `▁` if the two are equal."""
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in values)
