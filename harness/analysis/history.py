"""Every run of a suite over time: the trend of each metric and target, and where its level changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from harness.analysis.metrics import METRICS, Metric, Unit
from harness.analysis.past_runs import StoredRun, read_stored_run
from harness.analysis.stats.change_points import FEWEST_RUNS, find_change_points
from harness.analysis.stats.interval import LEVEL
from harness.analysis.summary.summary import figure_of
from harness.catalog.prices import Price, Terms
from harness.catalog.target import Target
from harness.clock import utc_from_ns
from harness.errors import StoreError
from harness.store.manifest import Manifest
from harness.store.run_folder import list_runs, unreadable_runs, without_copies

TARGET_FACTS = {
    "model_id": "model id",
    "base_model": "base model",
    "routing": "routing",
    "api": "api",
    "client": "client",
    "region": "Region",
    "stream": "stream",
}
HOST_FACTS = {"system": "system", "machine": "machine", "cpus": "CPUs", "python": "Python"}
NONE = "none"


FOLLOWED = tuple(key for key, metric in METRICS.items() if metric.least_change is not None)


class HistoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a history to load. Empty or None: all of it."""

    suite: str | None = None
    targets: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    since: datetime | None = None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One run's figure."""

    run: int
    """Index into the history's `runs`."""
    value: float
    low: float | None
    high: float | None


class ChangePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The first run at which a metric has a new level."""

    run_id: str
    started_utc: str
    previous_run_id: str
    before: float
    """Median of the `runs_before` runs since the previous change."""
    after: float
    runs_before: int
    runs_since: int
    worse: bool
    differed: list[str]
    """What differed between the previous run and this one."""
    nearby: list[str]
    """If nothing did: what differed one run earlier or later, since a change is located to within a run."""


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one target."""

    target: str
    metric: str
    """Of FOLLOWED."""
    unit: Unit
    points: list[Point]
    """Of runs that count, oldest first."""
    apart: list[Point]
    """Of invalid or incomplete runs: shown, never searched."""
    change_points: list[ChangePoint] = msgspec.field(name="shifts")
    missing: int
    """How many more runs the search for changes needs; 0: the trend was searched."""


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a suite."""

    run_id: str
    started_utc: str
    suite_digest: str
    trouble: str | None = None
    """Why the run does not count; None: it counts."""


class PastTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target that any run measured."""

    target: str
    base_model: str
    routing: str


class SuiteHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A suite's runs, oldest first: either all simulated or none."""

    suite: str
    simulated: bool
    level: float = LEVEL
    runs: list[PastRun]
    targets: list[PastTarget]
    trends: list[Trend]
    """By metric, then by target."""

    @property
    def change_points(self) -> list[tuple[Trend, ChangePoint]]:
        """Every change, the latest first."""
        changes = [(trend, change) for trend in self.trends for change in trend.change_points]
        return sorted(changes, key=lambda each: each[1].started_utc, reverse=True)

    @property
    def missing(self) -> int:
        """How many more runs it takes until a trend is searched; 0: one was, or there is none."""
        return min((trend.missing for trend in self.trends), default=0)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The history of every suite in a results folder."""

    suites: list[SuiteHistory]
    unreadable: list[str]
    """A message for each folder that could not be read or holds a copy of another folder's run."""


def load_history(results: Path, wanted: HistoryFilter) -> History:
    """The history in a folder of runs. Reads only manifests and `summary.json`, never a run's rows.

    Each suite has a history of its own, and its simulated and real runs are kept apart. A run that is invalid, did not
    complete or has no summary is in `runs` with its `trouble`. StoreError: no run measured a target of `wanted`.
    """
    runs: dict[tuple[str, bool], list[StoredRun]] = {}
    once, copies = without_copies(list_runs(results))
    for folder in once:
        run = read_stored_run(folder)
        if _is_wanted(run.manifest, wanted):
            runs.setdefault((run.manifest.suite, run.manifest.simulated), []).append(run)
    _check_targets(wanted, [run for each in runs.values() for run in each])
    suites = [_suite_history(sorted(each, key=_started_ns), wanted) for _, each in sorted(runs.items())]
    return History(suites=suites, unreadable=[*unreadable_runs(results), *copies])


def _is_wanted(manifest: Manifest, wanted: HistoryFilter) -> bool:
    if wanted.suite is not None and manifest.suite != wanted.suite:
        return False
    return wanted.since is None or utc_from_ns(manifest.origin_utc_ns) >= wanted.since


def _check_targets(wanted: HistoryFilter, runs: Sequence[StoredRun]) -> None:
    known = dict.fromkeys(t.target for run in runs if run.summary is not None for t in run.summary.targets)
    unknown = [name for name in wanted.targets if runs and name not in known]
    if unknown:
        raise StoreError(f"--target {unknown[0]!r}: no run measured this target (known: {', '.join(known) or 'none'})")


def _started_ns(run: StoredRun) -> int:
    return run.manifest.origin_utc_ns


def _suite_history(runs: Sequence[StoredRun], wanted: HistoryFilter) -> SuiteHistory:
    targets: dict[str, PastTarget] = {}
    for run in runs:
        for t in run.summary.targets if run.summary is not None else ():
            targets[t.target] = PastTarget(target=t.target, base_model=t.base_model, routing=t.routing)
    shown = [t for t in targets.values() if not wanted.targets or t.target in wanted.targets]
    trends = (_trend(runs, target.target, name) for name in wanted.metrics or FOLLOWED for target in shown)
    return SuiteHistory(
        suite=runs[0].manifest.suite,
        simulated=runs[0].manifest.simulated,
        runs=[_past_run(run) for run in runs],
        targets=shown,
        trends=[trend for trend in trends if trend.points or trend.apart],
    )


def _past_run(run: StoredRun) -> PastRun:
    return PastRun(
        run_id=run.manifest.run_id,
        started_utc=_utc(run.manifest),
        suite_digest=run.manifest.suite_digest,
        trouble=run.trouble,
    )


def _utc(manifest: Manifest) -> str:
    return f"{utc_from_ns(manifest.origin_utc_ns):%Y-%m-%dT%H:%M:%SZ}"


def _trend(runs: Sequence[StoredRun], target: str, name: str) -> Trend:
    metric = METRICS[name]
    points: list[Point] = []
    apart: list[Point] = []
    for index, run in enumerate(runs):
        t = run.of(target)
        figure = None if t is None else figure_of(t, metric)
        if figure is not None:
            point = Point(run=index, value=figure.value, low=figure.low, high=figure.high)
            (points if run.trouble is None else apart).append(point)
    values = [point.value for point in points]
    starts = find_change_points(values, metric.is_change, log=metric.unit != "share")
    measured = [runs[point.run].manifest for point in points]
    return Trend(
        target=target,
        metric=name,
        unit=metric.unit,
        points=points,
        apart=apart,
        change_points=_change_points(metric, target, values, starts, measured),
        missing=max(0, FEWEST_RUNS - len(points)),
    )


def _change_points(
    metric: Metric, target: str, values: Sequence[float], starts: Sequence[int], runs: Sequence[Manifest]
) -> list[ChangePoint]:
    """`values`, `runs`: one a point; `starts`: where a new level begins."""
    changes = []
    for start, at, end in zip([0, *starts], starts, [*starts[1:], len(values)], strict=False):
        before, after = float(np.median(values[start:at])), float(np.median(values[at:end]))
        differed = manifest_differences(runs[at - 1], runs[at], target)
        changes.append(
            ChangePoint(
                run_id=runs[at].run_id,
                started_utc=_utc(runs[at]),
                previous_run_id=runs[at - 1].run_id,
                before=before,
                after=after,
                runs_before=at - start,
                runs_since=end - at,
                worse=(after > before) == metric.up_is_worse,
                differed=differed,
                nearby=[] if differed else _nearby(runs, at, target),
            )
        )
    return changes


def _nearby(runs: Sequence[Manifest], at: int, target: str) -> list[str]:
    earlier = [f"one run earlier: {line}" for line in manifest_differences(runs[at - 2], runs[at - 1], target)]
    later = [f"one run later: {line}" for line in manifest_differences(runs[at], runs[at + 1], target)]
    return earlier + later


def manifest_differences(before: Manifest, after: Manifest, target: str) -> list[str]:
    """`aiobotocore 2.25.1 → 2.26.0`, one line a fact: suite, endpoint and target, then packages, then the host.

    The manifests may be hostile: escape the lines before showing them.
    """
    return [f"{what} {old} → {new}" for what, old, new in _facts(before, after, target) if old != new]


def target_differences(before: Target, after: Target) -> list[str]:
    """The same of a target alone: model id, routing, Region, api, client, options."""
    return [f"{what} {old} → {new}" for what, old, new in _target_facts(before, after) if old != new]


def _facts(before: Manifest, after: Manifest, target: str) -> Iterator[tuple[str, str, str]]:
    yield "suite digest", before.suite_digest, after.suite_digest
    yield "schema of the metrics", str(before.schema_version), str(after.schema_version)
    yield "endpoint", before.endpoint, after.endpoint
    yield "seed", str(before.seed), str(after.seed)
    yield from _target_facts(_find(before, target), _find(after, target))
    yield from _price_facts(before.prices_of(target), after.prices_of(target))
    for package in sorted({*before.versions, *after.versions} - {"python"}):
        yield package, before.versions.get(package, NONE), after.versions.get(package, NONE)
    for field, what in HOST_FACTS.items():
        yield what, str(getattr(before.host, field)), str(getattr(after.host, field))


def _target_facts(before: Target | None, after: Target | None) -> Iterator[tuple[str, str, str]]:
    if before is None or after is None:
        return
    for field, what in TARGET_FACTS.items():
        yield what, str(getattr(before, field)), str(getattr(after, field))
    old, new = (msgspec.to_builtins(target.options) for target in (before, after))
    for option in sorted(name for name in {*old, *new} if old.get(name) != new.get(name)):
        yield option, _describe(old.get(option)), _describe(new.get(option))


def _price_facts(before: Mapping[Terms, Price], after: Mapping[Terms, Price]) -> Iterator[tuple[str, str, str]]:
    """Input and output, USD per million tokens, of the terms whose price both runs recorded."""
    for terms in before.keys() & after.keys():
        old, new = (f"${price.input:g} and ${price.output:g}" for price in (before[terms], after[terms]))
        yield " ".join(filter(None, ("price", terms.qualifier()))), old, new


def _find(manifest: Manifest, target: str) -> Target | None:
    return next((each for each in manifest.targets if each.name == target), None)


def _describe(value: object) -> str:
    return NONE if value is None else msgspec.json.encode(value).decode()
