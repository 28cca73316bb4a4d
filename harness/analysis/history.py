"""Every run of a suite over time: the trend of each metric and target, and where its level changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from harness.analysis.metrics import METRICS, Metric, Unit
from harness.analysis.stats.change_points import FEWEST_RUNS, find_change_points
from harness.analysis.stats.interval import LEVEL
from harness.analysis.summary.summary import RunSummary, figure_of
from harness.catalog.target import Target
from harness.clock import utc_from_ns
from harness.errors import StoreError
from harness.files import read_bounded
from harness.store.manifest import Manifest
from harness.store.records import SCHEMA_VERSION
from harness.store.run_folder import RunFolder, list_runs, unreadable_runs, without_copies

MAX_SUMMARY_BYTES = 100_000_000

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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a history is asked for. Empty, or None: all of it."""

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


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """A run from which on a metric has another level."""

    run_id: str
    started_utc: str
    previous_run_id: str
    before: float
    """Median of the `runs_before` runs up to the change before."""
    after: float
    runs_before: int
    runs_since: int
    worse: bool
    differed: list[str]
    """Between the run before and the run at the change."""
    nearby: list[str]
    """Where nothing differed there: what did one run earlier or later, since a change is placed to within a run."""


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one target."""

    target: str
    metric: str
    """Of FOLLOWED."""
    unit: Unit
    points: list[Point]
    """In the order of time; of runs that count."""
    apart: list[Point]
    """Of runs that are invalid or incomplete: shown, never searched."""
    shifts: list[Shift]
    missing: int
    """Runs that are still missing before changes are looked for; 0: they were."""


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a suite."""

    run_id: str
    started_utc: str
    suite_digest: str
    trouble: str | None = None
    """Why it does not count; None: it does."""


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
    def shifts(self) -> list[tuple[Trend, Shift]]:
        """Every change, the latest first."""
        found = [(trend, shift) for trend in self.trends for shift in trend.shifts]
        return sorted(found, key=lambda each: each[1].started_utc, reverse=True)

    @property
    def missing(self) -> int:
        """Runs that are missing before the first trend is searched; 0: one was, or there is none."""
        return min((trend.missing for trend in self.trends), default=0)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What a results folder says over time."""

    suites: list[SuiteHistory]
    unreadable: list[str]
    """What is wrong with each folder that could not be read, or holds a run that another one holds."""


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    manifest: Manifest
    summary: RunSummary | None
    trouble: str | None


def load_history(results: Path, wanted: Wanted) -> History:
    """The history in a folder of runs. Reads manifests and `summary.json` alone, never a run's rows.

    Simulated and real runs, and runs of different suites, are histories of their own. A run that is invalid, did not
    end, or has no summary is in `runs` with its `trouble`. StoreError: `wanted` names a suite or target of no run.
    """
    runs: dict[tuple[str, bool], list[_Run]] = {}
    once, copies = without_copies(list_runs(results))
    for folder in once:
        run = _read(folder)
        if _is_wanted(run.manifest, wanted):
            runs.setdefault((run.manifest.suite, run.manifest.simulated), []).append(run)
    _check_targets(wanted, [run for each in runs.values() for run in each])
    suites = [_suite_history(sorted(each, key=_started_ns), wanted) for _, each in sorted(runs.items())]
    return History(suites=suites, unreadable=[*unreadable_runs(results), *copies])


def _is_wanted(manifest: Manifest, wanted: Wanted) -> bool:
    if wanted.suite is not None and manifest.suite != wanted.suite:
        return False
    return wanted.since is None or utc_from_ns(manifest.origin_utc_ns) >= wanted.since


def _check_targets(wanted: Wanted, runs: Sequence[_Run]) -> None:
    known = dict.fromkeys(t.target for run in runs if run.summary is not None for t in run.summary.targets)
    unknown = [name for name in wanted.targets if runs and name not in known]
    if unknown:
        raise StoreError(f"--target {unknown[0]!r}: no run measured it (known: {', '.join(known) or 'none'})")


def _started_ns(run: _Run) -> int:
    return run.manifest.origin_utc_ns


def _read(folder: RunFolder) -> _Run:
    manifest = folder.read_manifest()
    remedy = f"`harness report {folder.path}` makes it"
    try:
        text = read_bounded(folder.summary_path, max_bytes=MAX_SUMMARY_BYTES)
        summary = msgspec.json.decode(text, type=RunSummary)
    except FileNotFoundError:
        trouble = f"its state is {manifest.state} and it has no summary.json; {remedy}"
        return _Run(manifest=manifest, summary=None, trouble=trouble)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _Run(manifest=manifest, summary=None, trouble=f"its summary.json cannot be read: {error}; {remedy} anew")
    if summary.schema_version > SCHEMA_VERSION:
        return _Run(manifest=manifest, summary=None, trouble="its summary.json was made by a newer harness; upgrade")
    return _Run(manifest=manifest, summary=summary, trouble=_trouble(manifest, summary))


def _trouble(manifest: Manifest, summary: RunSummary) -> str | None:
    """Why a summarised run does not count."""
    invalid = next((finding.what for finding in summary.findings if finding.invalidates), None)
    if manifest.state != "complete":
        return f"its state is {manifest.state}"
    return None if invalid is None else f"it is invalid: {invalid}"


def _suite_history(runs: Sequence[_Run], wanted: Wanted) -> SuiteHistory:
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


def _past_run(run: _Run) -> PastRun:
    return PastRun(
        run_id=run.manifest.run_id,
        started_utc=_utc(run.manifest),
        suite_digest=run.manifest.suite_digest,
        trouble=run.trouble,
    )


def _utc(manifest: Manifest) -> str:
    return f"{utc_from_ns(manifest.origin_utc_ns):%Y-%m-%dT%H:%M:%SZ}"


def _trend(runs: Sequence[_Run], target: str, name: str) -> Trend:
    metric = METRICS[name]
    points: list[Point] = []
    apart: list[Point] = []
    for index, run in enumerate(runs):
        t = next((each for each in run.summary.targets if each.target == target), None) if run.summary else None
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
        shifts=_shifts(metric, target, values, starts, measured),
        missing=max(0, FEWEST_RUNS - len(points)),
    )


def _shifts(
    metric: Metric, target: str, values: Sequence[float], starts: Sequence[int], runs: Sequence[Manifest]
) -> list[Shift]:
    """`values`, `runs`: of the points; `starts`: where a new level begins."""
    shifts = []
    for start, at, end in zip([0, *starts], starts, [*starts[1:], len(values)], strict=False):
        before, after = float(np.median(values[start:at])), float(np.median(values[at:end]))
        differed = manifest_differences(runs[at - 1], runs[at], target)
        shifts.append(
            Shift(
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
    return shifts


def _nearby(runs: Sequence[Manifest], at: int, target: str) -> list[str]:
    earlier = [f"one run earlier: {line}" for line in manifest_differences(runs[at - 2], runs[at - 1], target)]
    later = [f"one run later: {line}" for line in manifest_differences(runs[at], runs[at + 1], target)]
    return earlier + later


def manifest_differences(before: Manifest, after: Manifest, target: str) -> list[str]:
    """`aiobotocore 2.25.1 → 2.26.0`, one line a fact: what was asked of whom first, then with what, then where from.

    The manifests may be hostile: show it escaped only.
    """
    return [f"{what} {old} → {new}" for what, old, new in _facts(before, after, target) if old != new]


def _facts(before: Manifest, after: Manifest, target: str) -> Iterator[tuple[str, str, str]]:
    yield "suite digest", before.suite_digest, after.suite_digest
    yield "schema of the metrics", str(before.schema_version), str(after.schema_version)
    yield "endpoint", before.endpoint, after.endpoint
    yield "seed", str(before.seed), str(after.seed)
    yield from _target_facts(_find(before, target), _find(after, target))
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


def _find(manifest: Manifest, target: str) -> Target | None:
    return next((each for each in manifest.targets if each.name == target), None)


def _describe(value: object) -> str:
    return NONE if value is None else msgspec.json.encode(value).decode()
