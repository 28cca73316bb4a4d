"""The summary as a table: one list of columns, from which the terminal, Markdown and HTML each take theirs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.analysis.metrics import METRICS
from harness.analysis.summary.summary import Quantiles, RoutingPair, RunSummary, TargetSummary, Winner
from harness.report.wording import (
    MISSING,
    failed_requests,
    milliseconds_interval,
    percent,
    quantile,
    rate_interval,
    seconds,
    seconds_interval,
    significant,
    usd,
)

Cell = Callable[[TargetSummary], str]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column: its heading and what stands in it."""

    heading: str
    cell: Cell


class BriefColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column for a terminal. On a narrow one, those of least weight go first."""

    heading: str
    cell: Cell
    weight: int


def heading_of(key: str) -> str:
    """What a metric's column is called."""
    return METRICS[key].short or METRICS[key].label


def _latency(field: str, name: str) -> Cell:
    return lambda t: seconds_interval(quantile(getattr(t, field), name))


def _short_latency(field: str, name: str) -> Cell:
    return lambda t: milliseconds_interval(quantile(getattr(t, field), name))


def _brief_latency(field: str, name: str) -> Cell:
    def cell(t: TargetSummary) -> str:
        interval = quantile(getattr(t, field), name)
        return significant(interval.value if interval else None)

    return cell


def _stream_rate(t: TargetSummary) -> str:
    interval = quantile(t.stream_tokens_per_s, "p50")
    return significant(interval.value if interval else None)


def _errors(t: TargetSummary) -> str:
    return f"{failed_requests(t):,} ({percent(1 - t.success_rate.value)})"


def _brief_pass_rate(t: TargetSummary) -> str:
    i = t.pass_rate
    if i is None or i.low is None or i.high is None:
        return percent(i.value if i else None)
    return f"{percent(i.value)} [{100 * i.low:.0f}, {100 * i.high:.0f}]"


COLUMNS = (
    Column(heading="n", cell=lambda t: f"{t.requests:,}"),
    Column(heading=heading_of("pass_rate"), cell=lambda t: rate_interval(t.pass_rate)),
    Column(heading=heading_of("ttft_p50"), cell=_latency("ttft_s", "p50")),
    Column(heading=heading_of("ttft_p95"), cell=_latency("ttft_s", "p95")),
    Column(heading=heading_of("e2e_p50"), cell=_latency("e2e_s", "p50")),
    Column(heading=heading_of("e2e_p95"), cell=_latency("e2e_s", "p95")),
    Column(heading=heading_of("stream_tokens_per_s"), cell=_stream_rate),
    Column(heading="errors", cell=_errors),
    Column(heading="$/1k", cell=lambda t: usd(t.cost_per_1000_usd)),
    Column(heading=heading_of("cost_per_correct"), cell=lambda t: usd(t.cost_per_correct_usd)),
)

GRADED = (heading_of("pass_rate"), heading_of("cost_per_correct"))

BRIEF_COLUMNS = (
    BriefColumn(heading="n", cell=lambda t: f"{t.requests:,}", weight=7),
    BriefColumn(heading=heading_of("pass_rate"), cell=_brief_pass_rate, weight=9),
    BriefColumn(heading=heading_of("ttft_p50"), cell=_brief_latency("ttft_s", "p50"), weight=8),
    BriefColumn(heading=heading_of("ttft_p95"), cell=_brief_latency("ttft_s", "p95"), weight=3),
    BriefColumn(heading=heading_of("e2e_p95"), cell=_brief_latency("e2e_s", "p95"), weight=4),
    BriefColumn(heading=heading_of("stream_tokens_per_s"), cell=_stream_rate, weight=2),
    BriefColumn(heading="errors", cell=lambda t: f"{failed_requests(t):,}", weight=6),
    BriefColumn(heading="$/1k", cell=lambda t: usd(t.cost_per_1000_usd), weight=5),
)

LOAD_COLUMNS = (
    Column(heading="attempts", cell=lambda t: f"{t.attempts:,}"),
    Column(heading="throttled", cell=lambda t: f"{t.throttled_attempts:,}"),
    Column(heading="offered /s", cell=lambda t: significant(t.offered_per_s)),
    Column(heading="achieved /s", cell=lambda t: significant(t.achieved_per_s)),
    Column(heading="goodput /s", cell=lambda t: significant(t.goodput_per_s)),
    Column(heading="output tok/s", cell=lambda t: significant(t.output_tokens_per_s)),
    Column(heading=heading_of("tpot_p50"), cell=_short_latency("tpot_s", "p50")),
    Column(heading="queue delay p99", cell=_short_latency("queue_delay_s", "p99")),
    Column(heading="input tokens", cell=lambda t: f"{t.input_tokens:,}"),
    Column(heading="output tokens", cell=lambda t: f"{t.output_tokens:,}"),
    Column(heading="cost", cell=lambda t: usd(t.cost_usd)),
)


RETRY_COLUMNS = (
    Column(heading="backoff p50", cell=_latency("backoff_s", "p50")),
    Column(heading="TTFT p95 of the attempt", cell=_latency("attempt_ttft_s", "p95")),
    Column(heading="E2E p95 of the attempt", cell=_latency("attempt_e2e_s", "p95")),
)
"""Beside the request's own figures, which hold all of its attempts and the waits between them."""


def load_columns(summary: RunSummary) -> list[Column]:
    """The columns of the load; those of retries only where something was tried again."""
    retried = any(t.backoff_s is not None for t in summary.targets)
    return [*LOAD_COLUMNS, *(RETRY_COLUMNS if retried else ())]


def retry_sentence(t: TargetSummary) -> str | None:
    """How many requests were tried again, and what that did to their latency; None: none was."""
    if t.backoff_s is None:
        return None
    ours, theirs = (quantile(each, "p95") for each in (t.attempt_e2e_s, t.e2e_s))
    return (
        f"{t.backoff_s.n:,} of {t.requests:,} requests were tried again, after a median backoff of "
        f"{seconds(t.backoff_s.p50.value)}; E2E p95 {seconds(theirs.value if theirs else None)} of the request, "
        f"{seconds(ours.value if ours else None)} of its last attempt"
    )


def is_graded(summary: RunSummary) -> bool:
    """Whether any request has a verdict; a load test has none."""
    return any(t.scored for t in summary.targets)


def columns(summary: RunSummary) -> list[Column]:
    """The main table's columns; those of the quality only where something was graded."""
    return [column for column in COLUMNS if is_graded(summary) or column.heading not in GRADED]


def brief_columns(summary: RunSummary) -> list[BriefColumn]:
    """As `columns`, for a terminal."""
    return [column for column in BRIEF_COLUMNS if is_graded(summary) or column.heading not in GRADED]


def tags(summary: RunSummary) -> list[str]:
    """Every tag that any target has a pass rate for, sorted."""
    return sorted({tag for t in summary.targets for tag in t.pass_rate_by_tag})


def tag_cell(t: TargetSummary, tag: str) -> str:
    return rate_interval(t.pass_rate_by_tag.get(tag))


def errors(summary: RunSummary) -> list[tuple[str, str, str, str]]:
    """(Target, error kind, attempts, most frequent message); hostile: escape them."""
    return [
        (t.target, kind, f"{count:,}", t.error_messages.get(kind, MISSING))
        for t in summary.targets
        for kind, count in t.error_kinds.items()
    ]


def leaders(winner: Winner) -> str:
    """The leader, and who has the same value."""
    return " = ".join([winner.target, *winner.tied_with])


def routing_sentence(pair: RoutingPair, summary: RunSummary) -> str:
    """What choosing a regional endpoint over the global one means for price, latency and availability."""
    by_name = {t.target: t for t in summary.targets}
    ours, theirs = by_name[pair.regional], by_name[pair.worldwide]
    return (
        f"{pair.model}: {pair.routing} {_premium(pair)} than global"
        f" ({usd(ours.cost_per_1000_usd)} against {usd(theirs.cost_per_1000_usd)} per 1,000 requests);"
        f" TTFT p50 {_against(ours.ttft_s, theirs.ttft_s, 'p50', pair.ttft_p50_apart)};"
        f" E2E p95 {_against(ours.e2e_s, theirs.e2e_s, 'p95', pair.e2e_p95_apart)};"
        f" answered {ours.succeeded:,} of {ours.requests:,} against {theirs.succeeded:,} of {theirs.requests:,}"
    )


def _premium(pair: RoutingPair) -> str:
    if pair.price_premium is None:
        return "is priced otherwise (a price is unknown)"
    if pair.price_premium == 0:
        return "costs no more"
    return f"costs {100 * abs(pair.price_premium):g}% {'more' if pair.price_premium > 0 else 'less'}"


def _against(ours: Quantiles | None, theirs: Quantiles | None, name: str, apart: bool) -> str:
    values = [interval.value if interval else None for interval in (quantile(ours, name), quantile(theirs, name))]
    return f"{seconds(values[0])} against {seconds(values[1])}{'' if apart else ' (too close to call)'}"


def is_believable(summary: RunSummary) -> bool:
    """The run is complete and no finding invalidates it."""
    return summary.state == "complete" and not any(f.invalidates for f in summary.findings)
