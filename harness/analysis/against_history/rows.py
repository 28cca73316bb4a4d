"""A run against the last runs of its suite, as data: the content of `against-history.json`."""

from __future__ import annotations

import msgspec

from harness.analysis.compare.comparison import Difference, Scale, Verdict
from harness.analysis.metrics import Unit
from harness.analysis.stats.interval import LEVEL
from harness.store.finding import Finding

SCHEMA_VERSION = 1
"""Of against-history.json."""
LAST = 20
"""Past runs that are looked at, unless another number is asked for."""


class PastPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A past run's figure, in the metric's unit."""

    run_id: str
    started_utc: str
    value: float


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one target: today's figure, and what the past runs predict for it."""

    target: str
    metric: str
    """A key of the gate: `pass_rate`, `pass_rate[tag]`, `ttft_p95`, `cost_per_request`, …"""
    unit: Unit
    """Of `today`, `expected`, `low`, `high` and the past points."""
    scale: Scale
    """Of `estimate`, `reach` and `margin`."""
    today: float | None
    """None: today's run has no such figure."""
    expected: float | None = None
    """The middle of what the past runs predict. None: too few of them."""
    low: float | None = None
    high: float | None = None
    """The prediction interval: where one more run lies if nothing has changed."""
    estimate: float | None = None
    """Today − expected, or the log of their ratio; + is worse."""
    reach: float | None = None
    """Half of the prediction interval: `estimate` ± `reach` is the interval of the change."""
    margin: float
    margin_written: str
    p_value: float | None = None
    p_adjusted: float | None = None
    """By Holm over all targets × metrics."""
    inside: bool | None = None
    """Whether today's figure lies in the prediction interval. None: nothing is predicted."""
    verdict: Verdict = "inconclusive"
    equivalent: bool = False
    """The interval of the change lies inside the margin on both sides."""
    past: tuple[PastPoint, ...] = ()
    """The runs that the prediction is from, oldest first."""
    method: str = ""
    """`prediction-t`, or from ten past runs on `prediction-t-trimmed`."""
    runs_needed: int | None = None
    """How many more past runs would settle an `inconclusive` row. None: settled, or runs do not help."""
    differed: tuple[str, ...] = ()
    """What differs between the manifests of the last of the past runs and of today's."""
    note: str = ""

    @property
    def difference(self) -> Difference:
        """The row as one of a comparison with `expected`, for what is written of both in the same words."""
        estimate, reach = self.estimate, self.reach
        return Difference(
            metric=self.metric,
            scale=self.scale,
            unit=self.unit,
            baseline=self.expected,
            candidate=self.today,
            estimate=estimate,
            low=None if estimate is None or reach is None else estimate - reach,
            high=None if estimate is None or reach is None else estimate + reach,
            margin=self.margin,
            margin_written=self.margin_written,
            p_value=self.p_value,
            p_adjusted=self.p_adjusted,
            n=len(self.past),
            clusters=len(self.past),
            method=self.method,
            verdict=self.verdict,
            equivalent=self.equivalent,
            note=self.note,
        )


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier runs of the suite that cannot be compared with today's, for one reason."""

    why: str
    run_ids: tuple[str, ...]
    """Oldest first."""


class HistoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `harness gate --against history`."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    suite_digest: str
    simulated: bool
    run_id: str
    started_utc: str
    level: float = LEVEL
    last: int
    """At most so many past runs stand behind a row."""
    past_runs: tuple[str, ...]
    """Ids of the valid, comparable runs among the last ones, oldest first. A target may lack some of them."""
    rows: tuple[HistoryRow, ...]
    """By target, in the gate's order."""
    verdict: Verdict
    """`worse` if a row is, else `inconclusive` if one is, else `better` if one is, else `no_worse`."""
    family: int
    """Targets × metrics: what Holm corrects over."""
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()
    valid: bool = True

    @property
    def targets(self) -> list[str]:
        return list(dict.fromkeys(row.target for row in self.rows))

    def of(self, target: str) -> list[HistoryRow]:
        """A target's rows."""
        return [row for row in self.rows if row.target == target]
