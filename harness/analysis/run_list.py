"""The runs of a results folder in a few facts each, read quickly: no rows, and of each file only what is listed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from harness.analysis.compare.comparison import Verdict
from harness.analysis.metrics import METRICS
from harness.files import read_bounded, reason
from harness.store.client_health import Count
from harness.store.manifest import Kind, State

MOST_BYTES = 20_000_000
"""Of a file; a larger one is not read."""
MANIFEST, SUMMARY, COMPARISON = FILES = ("manifest.json", "summary.json", "compare.json")
Page = Literal["report.html", "compare.html", "sweep.md"]
PAGES: tuple[Page, ...] = ("report.html", "compare.html", "sweep.md")
MOST_USD = 1e9
RULES = 1
"""The rules by which a run is read here. Raise it with each change of them, so that every run is read again."""
T = TypeVar("T")


class ListedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a list of runs shows it. Texts are hostile: somebody else may have made the folder."""

    folder: str
    suite: str
    kind: Kind
    state: State
    invalid: bool
    """A finding of its summary invalidates it."""
    simulated: bool
    endpoint: str
    started_utc_ns: int
    targets: int
    verdict: Verdict | None = None
    """Of compare.json, else the worst in the run's own report. None: nothing was compared, or the run is invalid."""
    pass_rate: float | None = None
    """The best target's. None: nothing was graded."""
    leader: str = ""
    """The target that leads on the pass rate, or `too close to call`; empty if nothing was compared."""
    cost_usd: float | None = None
    """Of answers and judges."""
    pages: tuple[Page, ...] = ()
    """Which of PAGES there are."""


class _Manifest(msgspec.Struct, frozen=True):
    state: State
    simulated: bool
    endpoint: str
    suite: str
    origin_utc_ns: Count
    targets: tuple[msgspec.Raw, ...]
    kind: Kind = "run"


class _Rate(msgspec.Struct, frozen=True):
    value: float


class _Target(msgspec.Struct, frozen=True):
    pass_rate: _Rate | None = None


class _Winner(msgspec.Struct, frozen=True):
    metric: str
    target: str
    clear: bool


class _Finding(msgspec.Struct, frozen=True):
    invalidates: bool = False


class _Verdict(msgspec.Struct, frozen=True):
    verdict: Verdict


class _Summary(msgspec.Struct, frozen=True):
    targets: list[_Target] = []
    winners: list[_Winner] = []
    verdicts: list[_Verdict] = []
    findings: list[_Finding] = []
    total_cost_usd: float | None = None
    judging_cost_usd: float | None = None


class _Comparison(msgspec.Struct, frozen=True):
    verdict: Verdict | None = None
    valid: bool = False


class Known(msgspec.Struct, frozen=True):
    """What was read of a run."""

    stamps: tuple[int, ...]
    """Of its files at that time, and the RULES."""
    run: ListedRun


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a folder, the latest first, and a message for each that cannot be read."""

    runs: list[ListedRun]
    unreadable: list[str]
    known: dict[str, Known]
    """By folder, for the next time."""


def read_run_list(
    results: Path, known: Mapping[str, Known] | None = None, *, pages: Mapping[str, tuple[Page, ...]] | None = None
) -> RunList:
    """The runs in a folder. `known`: from the last time; a run is not read again unless its files or RULES changed.

    `pages`: the pages of each run's folder, where they lie elsewhere. None: they lie in the folder.
    Symbolic links are not followed, so nothing outside the folder is read.
    """
    found: dict[str, Known] = {}
    unreadable = []
    for name in _folders(results):
        try:
            found[name] = _read_if_changed(
                results / name,
                None if known is None else known.get(name),
                None if pages is None else pages.get(name, ()),
            )
        except FileNotFoundError:
            continue  # not a run, or deleted since
        except OSError as error:
            unreadable.append(f"{name}: {reason(error)}")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            unreadable.append(f"{name}: manifest.json is not a manifest of a run: {error}")
    runs = sorted((each.run for each in found.values()), key=lambda r: (r.started_utc_ns, r.folder), reverse=True)
    plain = {name: each for name, each in found.items() if name.isprintable()}  # JSON cannot hold all others
    return RunList(runs=runs, unreadable=unreadable, known=plain)


def read_known(path: Path) -> dict[str, Known]:
    """What `RunList.known` was; empty if the file is missing or cannot be read."""
    try:
        return msgspec.json.decode(read_bounded(path, max_bytes=MOST_BYTES, follow=False), type=dict[str, Known])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _read_if_changed(folder: Path, known: Known | None, pages: tuple[Page, ...] | None) -> Known:
    stamps = (*(stamp for name in (*FILES, *PAGES) for stamp in _stamps(f"{folder}/{name}")), RULES)
    if known is not None and known.stamps == stamps:
        return Known(stamps, msgspec.structs.replace(known.run, folder=folder.name))
    return Known(stamps, _read_run(folder, _pages_in(folder) if pages is None else pages))


def _stamps(path: str) -> tuple[int, int]:
    """Of a regular file, when it was written (ns) and its size (bytes); zeros if there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else (0, 0)


def _folders(results: Path) -> Iterator[str]:
    """The names of the folders in a folder, sorted; none if it cannot be read."""
    try:
        with os.scandir(results) as entries:
            yield from sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return


def _pages_in(folder: Path) -> tuple[Page, ...]:
    return tuple(page for page in PAGES if _stamps(f"{folder}/{page}") != (0, 0))


def _read_run(folder: Path, pages: tuple[Page, ...]) -> ListedRun:
    """OSError, MsgspecError, UnicodeDecodeError, RecursionError: the manifest cannot be read."""
    manifest = _decode(folder / MANIFEST, _Manifest)
    summary = _decode_if_readable(folder / SUMMARY, _Summary())
    compared = _decode_if_readable(folder / COMPARISON, _Comparison())
    rates = [target.pass_rate.value for target in summary.targets if target.pass_rate is not None]
    return ListedRun(
        folder=folder.name,
        suite=manifest.suite,
        kind=manifest.kind,
        state=manifest.state,
        invalid=any(finding.invalidates for finding in summary.findings),
        simulated=manifest.simulated,
        endpoint=manifest.endpoint,
        started_utc_ns=manifest.origin_utc_ns,
        targets=len(manifest.targets),
        verdict=_verdict(summary, compared, pages),
        pass_rate=max((rate for rate in rates if 0 <= rate <= 1), default=None),
        leader=next((_leader(each) for each in summary.winners if each.metric == METRICS["pass_rate"].label), ""),
        cost_usd=_cost(summary),
        pages=pages,
    )


def _verdict(summary: _Summary, compared: _Comparison, pages: tuple[Page, ...]) -> Verdict | None:
    """That of the page to read: the comparison's, else the worst of the run's own report, which is its first."""
    if "compare.html" in pages or compared.valid:
        return compared.verdict if compared.valid else None
    return next((each.verdict for each in summary.verdicts), None)


def _leader(winner: _Winner) -> str:
    return winner.target if winner.clear else "too close to call"


def _cost(summary: _Summary) -> float | None:
    """All costs that are known and possible, USD; None if there is none."""
    costs = [cost for cost in (summary.total_cost_usd, summary.judging_cost_usd) if cost is not None]
    return sum(costs) if costs and all(isfinite(cost) and 0 <= cost <= MOST_USD for cost in costs) else None


def _decode(path: Path, kind: type[T]) -> T:
    return msgspec.json.decode(read_bounded(path, max_bytes=MOST_BYTES, follow=False), type=kind)


def _decode_if_readable(path: Path, otherwise: T) -> T:
    try:
        return _decode(path, type(otherwise))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return otherwise
