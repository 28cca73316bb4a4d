"""What is compared with what: run folders by path or id, targets by name, and the baseline that was meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec

from harness.errors import HarnessError, StoreError
from harness.report.wording import shorten
from harness.store.baselines import DEFAULT_NAME, kept_baseline, read_baselines
from harness.store.run_folder import RunFolder, latest_run, list_runs, open_run
from harness.suite.loader import load_frozen

RESULTS = Path("results")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One target in one run."""

    run: RunFolder
    target: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate and what it is compared with."""

    baseline: Side
    candidate: Side


def find_run(written: str | None) -> RunFolder:
    """A run that has ended, by its folder, its id, or the beginning of one under results/; None: the latest there."""
    if written is None:
        return open_run(latest_run(RESULTS).path)
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


def within(run: RunFolder, baseline: str | None, candidates: Sequence[str]) -> list[Pair]:
    """Every target of a run against its baseline; the suite's where none is named."""
    targets = _targets(run)
    if baseline is None:
        baseline = load_frozen(run.suite_path).baseline
        if baseline is None:
            raise HarnessError(_no_baseline(run, targets))
    _check(run, [baseline], "--baseline")
    _check(run, candidates, "--candidate")
    others = [name for name in candidates or targets if name != baseline]
    if not others:
        raise HarnessError(
            f"{run.path}: there is no target besides the baseline {baseline}; compare with another run: "
            f"harness compare BASELINE_RUN {run.path}"
        )
    side = Side(run=run, target=baseline)
    return [Pair(baseline=side, candidate=Side(run=run, target=name)) for name in others]


def between(before: RunFolder, after: RunFolder, baseline: str | None, candidates: Sequence[str]) -> list[Pair]:
    """Each target that two runs share against itself; with `baseline`, the later run's against that one of `before`."""
    if before.read_manifest().run_id == after.read_manifest().run_id:
        raise HarnessError(f"{after.path}: is both sides; name two runs, or one run and --baseline TARGET")
    _check(after, candidates, "--candidate")
    if baseline is not None:
        _check(before, [baseline], "--baseline")
        side = Side(run=before, target=baseline)
        names = candidates or _targets(after)
        return [Pair(baseline=side, candidate=Side(run=after, target=name)) for name in names]
    shared = [name for name in _targets(after) if name in _targets(before) and name in (candidates or [name])]
    if not shared:
        raise HarnessError(
            f"{before.path} and {after.path} share no target{' among the candidates' if candidates else ''}; "
            f"the first has {', '.join(_targets(before))}; name one with --baseline TARGET"
        )
    return [Pair(baseline=Side(run=before, target=name), candidate=Side(run=after, target=name)) for name in shared]


def choose(run: RunFolder, baseline: str | None, candidates: Sequence[str]) -> tuple[list[Pair], str]:
    """What a gate compares a run with, and in words which baseline that is.

    `baseline` is a target of the run, another run, or the name of a kept one. Without it: the kept baseline of the
    suite, else the suite's baseline target.
    """
    results, suite = run.path.resolve().parent, run.read_manifest().suite
    if baseline is not None:
        return _named(run, baseline, candidates)
    kept = kept_baseline(results, suite)
    if kept is not None and kept != run.path.resolve().name:
        other = _open_kept(results, kept, DEFAULT_NAME)
        return between(other, run, None, candidates), f"run {kept}, kept by `harness baseline set`"
    pairs = within(run, None, candidates)
    return pairs, f"target {pairs[0].baseline.target} in the same run, the suite's `baseline`"


def _named(run: RunFolder, baseline: str, candidates: Sequence[str]) -> tuple[list[Pair], str]:
    results, suite = run.path.resolve().parent, run.read_manifest().suite
    if baseline in _targets(run):
        return within(run, baseline, candidates), f"target {baseline} in the same run"
    names = read_baselines(results).get(suite, {})
    if baseline in names:
        other = _open_kept(results, names[baseline], baseline)
        return between(other, run, None, candidates), f"run {names[baseline]}, kept as {baseline!r}"
    try:
        other = find_run(baseline)
    except StoreError as error:
        if Path(baseline).is_dir():
            raise
        near = _nearest(baseline, _targets(run), "it has")
        raise HarnessError(
            f"--baseline {baseline}: is no target of {run.path} ({near}), and no run: {error}"
        ) from error
    return between(other, run, None, candidates), f"run {other.read_manifest().run_id}"


def _open_kept(results: Path, run_id: str, name: str) -> RunFolder:
    path = results / run_id
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
            raise HarnessError(f"{option} {name}: {run.path} has no such target; {_nearest(name, known, 'it has')}")


def _no_baseline(run: RunFolder, targets: Sequence[str]) -> str:
    return (
        f"{run.path}: the suite names no baseline; give --baseline TARGET ({', '.join(targets)}), put `baseline:` into "
        "the suite, or keep a run with `harness baseline set RUN`"
    )


def _nearest(name: str, known: Sequence[str], otherwise: str) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"{otherwise} {shorten(', '.join(known), 300) or 'none'}"
