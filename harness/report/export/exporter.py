"""What the formats share: their options, what they return, and the figures of a run's targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from harness.analysis.metrics import METRICS, Metric, Unit
from harness.analysis.past_runs import StoredRun
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import RunSummary, TargetSummary, figure_of
from harness.characters import printable
from harness.errors import StoreError
from harness.report.wording import SIMULATED

DEFAULT_NAMESPACE = "Harness"


class ExportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `harness export`; a format uses those that apply to it."""

    bigger_is_better: bool = False
    """benchmark-json: the metrics of which more is better, in place of those of which less is."""
    namespace: str = DEFAULT_NAMESPACE
    """emf, cloudwatch."""
    endpoint: str = "aws"
    """cloudwatch: `aws`, or a URL on this machine."""
    quiet: bool = False
    """Show no progress."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an export."""

    document: str | None = None
    """For a file or standard output. None: everything was sent."""
    what: str
    """`12 metrics of 2 targets`, for a message."""


Exporter = Callable[[StoredRun, ExportOptions], Exported]
"""Writes or sends a run. HarnessError: it cannot."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one target."""

    target: TargetSummary
    metric: Metric
    figure: Interval

    @property
    def scale(self) -> float:
        """What a number is multiplied by so that a share becomes a percentage."""
        return 100.0 if self.metric.unit == "share" else 1.0


UNITS: dict[Unit, str] = {"share": "%", "s": "s", "tokens/s": "tokens/s", "usd": "USD"}


def summary_of(run: StoredRun) -> RunSummary:
    """A run's summary. StoreError: it has none."""
    if run.summary is None:
        raise StoreError(f"{run.folder.path}: {run.trouble}")
    return run.summary


def target_values(summary: RunSummary) -> Iterator[Value]:
    """The figures of every target in the order of METRICS; what a target lacks is left out."""
    for target in summary.targets:
        for metric in METRICS.values():
            figure = figure_of(target, metric) if metric.field else None
            if figure is not None:
                yield Value(target=target, metric=metric, figure=figure)


def series_name(target: TargetSummary, summary: RunSummary) -> str:
    """A target's name; of a simulated run marked as SIMULATED, so that no trend mixes the two."""
    name = printable(target.target)
    return f"{name} ({SIMULATED})" if summary.simulated else name
