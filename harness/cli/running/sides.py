"""What is compared with what: runs by folder or id, and the baseline that was meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec

from harness.cli.places import RESULTS, local_path
from harness.errors import CompareError, StoreError
from harness.report.wording import shorten
from harness.store.baselines import DEFAULT_NAME, kept_baseline, read_baselines
from harness.store.opening import open_run
from harness.store.run_folder import RunFolder, latest_run, list_runs


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """A run against an earlier one, or targets inside one run. None, or no candidates: see `compare_targets`."""

    run: RunFolder
    """The candidates' run."""
    earlier: RunFolder | None = None
    """The baseline's, where it is another."""
    baseline: str | None = None
    candidates: tuple[str, ...] = ()


def find_run(written: str | None) -> RunFolder:
    """A run that has ended, by its folder, its id, or the beginning of one under results/; None: the latest there."""
    if written is None:
        return open_run(latest_run(RESULTS).path)
    local_path(written)
    if Path(written).is_dir() or "/" in written.rstrip("/"):
        return open_run(Path(written))
    runs = {run.path.name: run for run in list_runs(RESULTS)}
    found = [run for name, run in runs.items() if name.startswith(written)]
    if len(found) == 1:
        return open_run(found[0].path)
    if found:
        names = ", ".join(run.path.name for run in found[:3])
        raise StoreError(f"{written}: {len(found)} runs under {RESULTS} begin so ({names}, …); write more of the id")
    raise StoreError(f"{written}: no such run; {_nearest(written, list(runs), f'{RESULTS} holds')}")


def make_sides(run: RunFolder, earlier: RunFolder | None, *, baseline: str | None, candidates: Sequence[str]) -> Sides:
    """The sides, their targets' names checked. CompareError: a run against itself, a name that the run has not."""
    if earlier is not None and earlier.path.resolve() == run.path.resolve():
        raise CompareError(f"{run.path}: is both sides; name two runs, or one run and --baseline TARGET")
    if baseline is not None:
        _check(earlier or run, [baseline], "--baseline")
    _check(run, candidates, "--candidate")
    return Sides(run=run, earlier=earlier, baseline=baseline, candidates=tuple(candidates))


def choose(run: RunFolder, baseline: str | None, candidates: Sequence[str]) -> tuple[Sides, str]:
    """What a gate compares a run with, and in words which baseline that is.

    `baseline` is a target of the run, the name of a kept baseline, or another run. Without it: the kept baseline of
    the suite, else the suite's baseline target. CompareError: there is none of them.
    """
    results, suite = run.path.resolve().parent, run.read_manifest().suite
    if baseline is not None:
        return _named(run, baseline, candidates)
    kept = kept_baseline(results, suite)
    if kept is not None and kept != run.path.resolve().name:
        earlier = _open_kept(results, kept, DEFAULT_NAME)
        sides = make_sides(run, earlier, baseline=None, candidates=candidates)
        return sides, f"run {kept}, kept by `harness baseline set`"
    if run.read_suite().baseline is None:
        raise CompareError(
            f"{run.path}: no baseline: name a target or a run with --baseline, keep a run with `harness baseline set`, "
            f"or write `baseline:` into the suite (targets: {shorten(', '.join(_targets(run)), 300)})"
        )
    sides = make_sides(run, None, baseline=None, candidates=candidates)
    return sides, "the suite's `baseline` target in the same run"


def _named(run: RunFolder, baseline: str, candidates: Sequence[str]) -> tuple[Sides, str]:
    results, suite = run.path.resolve().parent, run.read_manifest().suite
    if baseline in _targets(run):
        sides = make_sides(run, None, baseline=baseline, candidates=candidates)
        return sides, f"target {baseline} in the same run"
    names = read_baselines(results).get(suite, {})
    if baseline in names:
        earlier = _open_kept(results, names[baseline], baseline)
        sides = make_sides(run, earlier, baseline=None, candidates=candidates)
        return sides, f"run {names[baseline]}, kept as {baseline!r}"
    try:
        earlier = find_run(baseline)
    except StoreError as error:
        if Path(baseline).is_dir():
            raise
        near = _nearest(baseline, _targets(run), "it has")
        told = f"--baseline {baseline}: is neither a target of {run.path} ({near}) nor a run: {error}"
        raise CompareError(told) from error
    sides = make_sides(run, earlier, baseline=None, candidates=candidates)
    return sides, f"run {earlier.read_manifest().run_id}"


def _open_kept(results: Path, folder: str, name: str) -> RunFolder:
    path = results / folder
    if not path.is_dir():
        raise StoreError(
            f"{path}: is the kept baseline ({name}) and is not there; restore it, or `harness baseline set RUN`"
        )
    return open_run(path)


def _targets(run: RunFolder) -> list[str]:
    return [target.name for target in run.read_manifest().targets]


def _check(run: RunFolder, names: Sequence[str], option: str) -> None:
    known = _targets(run)
    for name in names:
        if name not in known:
            raise CompareError(f"{option} {name}: {run.path} has no such target; {_nearest(name, known, 'it has')}")


def _nearest(name: str, known: Sequence[str], otherwise: str) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"{otherwise} {shorten(', '.join(known), 300) or 'none'}"
