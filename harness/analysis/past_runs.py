"""Earlier runs of a suite by their summaries: which of them count, and what they measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from harness.analysis.metrics import metric_of
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import RunSummary, TargetSummary, figure_of
from harness.catalog.target import Target
from harness.errors import StoreError, SuiteError
from harness.files import read_bounded
from harness.store.manifest import Manifest
from harness.store.records import SCHEMA_VERSION
from harness.store.run_folder import RunFolder, list_runs, without_copies
from harness.suite.digest import digest_suite
from harness.suite.grammar.gate import metric_tag
from harness.suite.suite import Graders, Slo, Suite

MAX_SUMMARY_BYTES = 100_000_000
MOST_RUNS = 3
"""Earlier runs whose rows are read, the latest, by what reads rows."""


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its manifest and its summary tell it."""

    folder: RunFolder
    manifest: Manifest
    summary: RunSummary | None
    trouble: str | None
    """Why the run does not count; None: it counts, and has a summary."""

    def of(self, target: str) -> TargetSummary | None:
        """What the run measured of a target."""
        targets = self.summary.targets if self.summary is not None else ()
        return next((t for t in targets if t.target == target), None)


class PastValue(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a target in one earlier run, in the metric's unit, with the interval of that run alone."""

    run_id: str
    started_utc_ns: int
    value: float
    low: float | None = None
    high: float | None = None


def read_stored_run(folder: RunFolder) -> StoredRun:
    """A run without its rows. StoreError: its manifest cannot be read."""
    manifest = folder.read_manifest()
    command = f"`harness report {folder.path}`"
    try:
        text = read_bounded(folder.summary_path, max_bytes=MAX_SUMMARY_BYTES)
        summary = msgspec.json.decode(text, type=RunSummary)
    except FileNotFoundError:
        trouble = f"the run is {manifest.state} and has no summary.json; create it with {command}"
        return StoredRun(folder=folder, manifest=manifest, summary=None, trouble=trouble)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        trouble = f"summary.json cannot be read: {error}; recreate it with {command}"
        return StoredRun(folder=folder, manifest=manifest, summary=None, trouble=trouble)
    if summary.schema_version > SCHEMA_VERSION:
        trouble = "summary.json was written by a newer version of harness; upgrade harness"
        return StoredRun(folder=folder, manifest=manifest, summary=None, trouble=trouble)
    return StoredRun(folder=folder, manifest=manifest, summary=summary, trouble=_trouble(manifest, summary))


def _trouble(manifest: Manifest, summary: RunSummary) -> str | None:
    """Why a summarised run does not count."""
    invalid = next((finding.what for finding in summary.findings if finding.invalidates), None)
    if manifest.state != "complete":
        return f"the run is {manifest.state}, not complete"
    return None if invalid is None else f"the run is invalid: {invalid}"


def valid_runs(results: Path, wanted: Callable[[Manifest], bool]) -> Iterator[StoredRun]:
    """The runs in a results folder that count and whose manifest is wanted, each once, the latest first.

    Summaries are read one by one, as the caller asks for the next run; none is of a run that is not wanted.
    """
    for folder in reversed(without_copies(list_runs(results))[0]):
        if wanted(folder.read_manifest()):
            run = read_stored_run(folder)
            if run.trouble is None:
                yield run


def find_past_runs(
    results: Path, manifest: Manifest, suite: Suite, *, excluding: Collection[str] = ()
) -> list[StoredRun]:
    """The valid runs in a results folder that did the same as a run did, before it; oldest first.

    The same: suite, prompts, load, retries, quota and endpoint; targets may differ (`past_values` looks at them), and
    so may gate, SLOs, judges and prices. `excluding`: run ids. Reads manifests and summaries, and of a run whose
    suite has another digest its suite; a rerun in RUN/confirm/ is not among a results folder's runs.
    """
    alike = _same_requests(suite)
    runs = valid_runs(results, lambda other: other.run_id not in excluding and _may_count(other, manifest))
    return sorted(filter(alike, runs), key=lambda run: run.manifest.origin_utc_ns)


def send_the_same(one: Suite, other: Suite) -> bool:
    """Whether two suites send the same requests in the same way, if to other targets."""
    return one.digest == other.digest or _digest_of_requests(one) == _digest_of_requests(other)


def past_values(runs: Sequence[StoredRun], target: Target, metric: str) -> list[PastValue]:
    """What the runs measured of a target, in their order: of the same name, model id, Region, client and options.

    Runs without the target, or without a value that the metric can have, are left out: a folder may be anybody's.
    """
    return list(_past_values(runs, target, metric))


def _past_values(runs: Sequence[StoredRun], target: Target, metric: str) -> Iterator[PastValue]:
    for run in runs:
        measured = run.of(target.name) if target in run.manifest.targets else None
        figure = None if measured is None else plausible_figure(measured, metric)
        if figure is not None:
            yield PastValue(
                run_id=run.manifest.run_id,
                started_utc_ns=run.manifest.origin_utc_ns,
                value=figure.value,
                low=figure.low,
                high=figure.high,
            )


def plausible_figure(t: TargetSummary, metric: str) -> Interval | None:
    """A metric's figure, also of a tag; None if there is none, or none that can be, since a folder may be anybody's.

    A share lies in 0 … 1, a cost is not negative, and a time is longer than none.
    """
    figure = _figure(t, metric)
    if figure is None or not math.isfinite(figure.value):
        return None
    match metric_of(metric).unit:
        case "share":
            possible = 0 <= figure.value <= 1
        case "usd":
            possible = figure.value >= 0
        case _:
            possible = figure.value > 0
    return figure if possible else None


def _figure(t: TargetSummary, metric: str) -> Interval | None:
    tag = metric_tag(metric)
    if tag is not None:
        return t.pass_rate_by_tag.get(tag)
    if metric == "throttle_rate":
        return Interval(value=t.throttled_attempts / t.attempts) if t.attempts > 0 else None
    known = metric_of(metric)
    return figure_of(t, known) if known.field else None


def _may_count(other: Manifest, manifest: Manifest) -> bool:
    """By the manifest alone."""
    return (
        other.origin_utc_ns < manifest.origin_utc_ns
        and other.state == "complete"
        and (other.suite, other.endpoint, other.simulated) == (manifest.suite, manifest.endpoint, manifest.simulated)
    )


def _same_requests(suite: Suite) -> Callable[[StoredRun], bool]:
    """Whether a run's suite sends the same requests in the same way."""
    own, known = _digest_of_requests(suite), {suite.digest: True}

    def alike(run: StoredRun) -> bool:
        digest = run.manifest.suite_digest
        if digest not in known:
            try:
                known[digest] = _digest_of_requests(run.folder.read_suite()) == own
            except (StoreError, SuiteError):
                return False
        return known[digest]

    return alike


def _digest_of_requests(suite: Suite) -> str:
    """The suite's digest without its targets and without what is decided after the answers."""
    return digest_suite(
        msgspec.structs.replace(
            suite,
            targets=(),
            baseline=None,
            slo=Slo(),
            gate={},
            budget_usd=None,
            stop=None,
            prices=(),
            graders=Graders(),
            usual_regions={},
        )
    )
