"""What `harness compare` and `harness gate` share: choose two sides, compare them, write and print the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec

from harness.analysis.answers.book import AnswerBook
from harness.analysis.answers.load import compare_book
from harness.analysis.compare.compare import compare_targets, load_finished_run
from harness.analysis.compare.comparison import CompareReport
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.past_churn import with_past_changes
from harness.analysis.past_runs import StoredRun, find_past_runs
from harness.cli.output import print_json
from harness.cli.places import local_run, parse_run
from harness.errors import CompareError, StoreError
from harness.report.plots import ALL_PLOTS, Plots
from harness.report.wording import shorten
from harness.store.baselines import DEFAULT_NAME, find_baseline, read_baselines
from harness.store.opening import open_run
from harness.store.run_folder import RunFolder


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare: a run with an earlier one, or targets of one run."""

    run: RunFolder
    """The candidates' run."""
    earlier: RunFolder | None = None
    """The baseline's run, if it is another one."""
    baseline: str | None = None
    """The baseline target; None as for `compare_targets`."""
    candidates: tuple[str, ...] = ()
    """The candidate targets; empty as for `compare_targets`."""


def make_sides(run: RunFolder, earlier: RunFolder | None, *, baseline: str | None, candidates: Sequence[str]) -> Sides:
    """The sides. CompareError: a run is compared with itself, or lacks a target."""
    if earlier is not None and earlier.path.resolve() == run.path.resolve():
        raise CompareError(f"both sides are {run.path}; name two runs, or one run and --baseline TARGET")
    if baseline is not None:
        _check(earlier or run, [baseline], "--baseline")
    _check(run, candidates, "--candidate")
    return Sides(run=run, earlier=earlier, baseline=baseline, candidates=tuple(candidates))


def choose_sides(run: RunFolder, baseline: str | None, candidates: Sequence[str]) -> tuple[Sides, str]:
    """The sides of a gate and a description of the baseline.

    `baseline`: a target of the run, the name of a stored baseline, or another run. Default: the suite's stored
    baseline, else its baseline target. CompareError: there is none.
    """
    results, suite = run.path.resolve().parent, run.read_manifest().suite
    if baseline is not None:
        return _named(run, baseline, candidates)
    stored = find_baseline(results, suite)
    if stored is not None and stored != run.path.resolve().name:
        earlier = _open_stored(results, stored, DEFAULT_NAME)
        sides = make_sides(run, earlier, baseline=None, candidates=candidates)
        return sides, f"run {stored}, set with `harness baseline set`"
    if run.read_suite().baseline is None:
        raise CompareError(
            f"{run.path}: has no baseline; name a target or a run with --baseline, set one with `harness baseline set`,"
            f" or write `baseline:` in the suite (targets: {shorten(', '.join(_targets(run)), 300)})"
        )
    sides = make_sides(run, None, baseline=None, candidates=candidates)
    return sides, "the suite's `baseline` target in the same run"


def compare_sides(sides: Sides, *, gate: Mapping[str, str] | None = None) -> CompareReport:
    """Compare each candidate with its baseline. `gate`: margins instead of the suite's. CompareError, StoreError."""
    side = load_finished_run(sides.run)
    earlier = None if sides.earlier is None else load_finished_run(sides.earlier)
    history = () if earlier is None else find_history(side, earlier)
    report = compare_targets(
        earlier or side,
        side if earlier else None,
        baseline_target=sides.baseline,
        candidate_targets=sides.candidates,
        gate=gate,
        history=history,
    )
    return with_past_changes(report, earlier or side)


def find_history(candidate: FinishedRun, baseline: FinishedRun) -> list[StoredRun]:
    """Earlier runs in the candidate's results folder that did the same as it did, without the two that are compared."""
    assert candidate.folder is not None
    results, compared = candidate.folder.path.resolve().parent, {each.manifest.run_id for each in (candidate, baseline)}
    return find_past_runs(results, candidate.manifest, candidate.suite, excluding=compared)


def load_compared_answers(report: CompareReport, sides: Sides) -> AnswerBook:
    """The answers of what was compared, changed prompts first. StoreError: a run's files cannot be read."""
    suite = sides.run.read_suite()
    if sides.earlier is None:
        return compare_book(report, suite, sides.run)
    return compare_book(report, suite, sides.earlier, sides.run)


def write_files(report: CompareReport, folder: Path, book: AnswerBook | None, plots: Plots = ALL_PLOTS) -> Path:
    """Write every file of a comparison; returns the path of its page."""
    from harness.report.write import write_comparison

    return write_comparison(folder, report, book, plots)[0]


def print_comparison(report: CompareReport, page: Path, *, as_json: bool) -> None:
    """Print a comparison as text or as JSON."""
    if as_json:
        print_json(report)
        return
    from rich.console import Console

    from harness.report.compare.sections import compare_brief
    from harness.report.terminal import print_report

    print_report(compare_brief(report), Console(highlight=False), written=page)


def _named(run: RunFolder, baseline: str, candidates: Sequence[str]) -> tuple[Sides, str]:
    results, suite = run.path.resolve().parent, run.read_manifest().suite
    if baseline in _targets(run):
        sides = make_sides(run, None, baseline=baseline, candidates=candidates)
        return sides, f"target {baseline} in the same run"
    names = read_baselines(results).get(suite, {})
    if baseline in names:
        earlier = _open_stored(results, names[baseline], baseline)
        sides = make_sides(run, earlier, baseline=None, candidates=candidates)
        return sides, f"run {names[baseline]}, the baseline {baseline!r}"
    try:
        earlier = open_run(local_run(parse_run(baseline), compared=True))
    except StoreError as error:
        if Path(baseline).is_dir():
            raise
        near = _nearest(baseline, _targets(run), "its targets:")
        why = str(error).removeprefix(f"{baseline}: ")
        message = f"--baseline {baseline}: is not a target of {run.path} ({near}), and {why}"
        raise CompareError(message) from error
    sides = make_sides(run, earlier, baseline=None, candidates=candidates)
    return sides, f"run {earlier.read_manifest().run_id}"


def _open_stored(results: Path, folder: str, name: str) -> RunFolder:
    path = results / folder
    if not path.is_dir():
        raise StoreError(
            f"{path}: is the baseline ({name}) but is missing; restore it, or set another with "
            "`harness baseline set RUN`"
        )
    return open_run(path)


def _targets(run: RunFolder) -> list[str]:
    return [target.name for target in run.read_manifest().targets]


def _check(run: RunFolder, names: Sequence[str], option: str) -> None:
    known = _targets(run)
    for name in names:
        if name not in known:
            raise CompareError(
                f"{option} {name}: {run.path} has no such target; {_nearest(name, known, 'its targets:')}"
            )


def _nearest(name: str, known: Sequence[str], otherwise: str) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"{otherwise} {shorten(', '.join(known), 300) or 'none'}"
