"""`harness gate --confirm`: reruns what is worse, and what two runs at two times left open."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import TextIO, cast

import msgspec

from harness.analysis.compare.compare import compare_targets, load_finished_run
from harness.analysis.compare.comparison import CompareReport, Comparison
from harness.analysis.compare.confirm import confirm, is_open, metrics_to_rerun, outage, unconfirmed
from harness.cli.options import Rerun, RunContext
from harness.cli.running.compare_runs import Sides, compare_sides, find_history
from harness.cli.running.endpoint import trusted_endpoint
from harness.cli.running.gate.both_arms import BothArms, rerun_suite
from harness.cli.running.run_suite import run_suite
from harness.endpoints.address import is_loopback
from harness.errors import INTERRUPTED_CODE, HarnessError, first_leaf
from harness.load.forecast import forecast
from harness.report.wording import sentence
from harness.store.files import make_subfolder
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder, latest_run
from harness.suite.derived import keep_targets, missing_files, restore_files
from harness.suite.stored import check_storable
from harness.suite.suite import Suite

FOLDER = "confirm"
"""Of reruns, in the candidate's run folder, so that `history` does not see them."""
AGAIN = "fix that, and gate the run again"
PENDING = Finding(what="the rerun had not finished when this was written", remedy="wait for it, or gate the run again")
"""Replaced in the files once the rerun ends."""
STOPPED = Finding(what="the rerun was interrupted", remedy="gate the run again")


class Unconfirmable(Exception):
    """Raised if a rerun is impossible or does not count."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def compare_and_confirm(
    sides: Sides, how: Rerun, write: Callable[[CompareReport], object]
) -> tuple[CompareReport, bool]:
    """Compare, rerun what is worse or open, and write the files; returns the report and whether it was interrupted.

    If a rerun is impossible, this says so before it compares anything.
    """
    plan = plan_rerun(sides, how)
    report = compare_sides(sides)
    if wants_rerun(report):
        return confirm_by_rerun(report, sides, plan, how, write)
    write(report)
    return report, False


def plan_rerun(sides: Sides, how: Rerun) -> Suite | Finding:
    """The suite that a rerun would send, with all its targets; or why a rerun is impossible, which is also printed."""
    try:
        suite = _stored_suite(sides, how)
        check_storable(keep_targets(suite, {*(sides.candidates or _names(suite)), *_baseline(sides, suite)}))
    except Exception as error:
        finding = _finding(error)
        print(f"warning: the gate could not confirm `worse`: {sentence(finding)}", file=sys.stderr)
        return finding
    return suite


def wants_rerun(report: CompareReport) -> bool:
    """Whether something is worse, or open for want of a history."""
    rows = (d for c in report.comparisons for d in c.differences)
    return report.valid and (report.verdict == "worse" or any(map(is_open, rows)))


def confirm_by_rerun(
    first: CompareReport, sides: Sides, plan: Suite | Finding, how: Rerun, write: Callable[[CompareReport], object]
) -> tuple[CompareReport, bool]:
    """The report after its rerun, and whether the rerun was interrupted; the first report if a rerun cannot help.

    `write` writes a report's files. It is called with the unconfirmed verdict before anything is sent, so that a failed
    rerun does not lose it; the report then says what went wrong.
    """
    if isinstance(plan, Finding):
        report = unconfirmed(first, plan)
        write(report)
        return report, False
    write(unconfirmed(first, PENDING))
    try:
        report = _rerun(first, sides, plan, how)
        write(report)
    except KeyboardInterrupt:
        return _written_if_possible(unconfirmed(first, STOPPED), write), True
    except Exception as error:
        finding = _finding(error)
        kept = "worse is not confirmed" if first.verdict == "worse" else "no rerun has decided what is open"
        print(f"warning: {kept}: {sentence(finding)}", file=sys.stderr)
        return _written_if_possible(unconfirmed(first, finding), write), False
    return report, False


def _written_if_possible(report: CompareReport, write: Callable[[CompareReport], object]) -> CompareReport:
    """The same report. If it cannot be written, the files still hold the unconfirmed verdict, without the reason."""
    try:
        write(report)
    except (HarnessError, OSError) as error:
        print(f"warning: {error}; the files say only that the rerun had not finished", file=sys.stderr)
    return report


def _rerun(first: CompareReport, sides: Sides, plan: Suite, how: Rerun) -> CompareReport:
    """Ask both targets of what is worse or open again, in one run, and confirm `worse` only if both runs agree.

    Of a target that both runs asked only the candidate's side can be asked again: it is compared with the earlier run.
    """
    chosen, arms = _plan_arms(first, sides, plan, how)
    if not chosen:
        return first
    metrics = metrics_to_rerun(chosen)
    seed = sides.run.read_manifest().seed + 1  # with the same seed, the embedded Bedrock would repeat its answers
    check_storable(arms.suite)
    make_subfolder(sides.run.path / FOLDER)
    _announce(arms.suite, metrics, seed=seed)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if how.quiet else cast(TextIO, sys.stderr)):
        code = run_suite(arms.suite, RunContext(out=sides.run.path / FOLDER, seed=seed, quiet=how.quiet))
    if code == INTERRUPTED_CODE:
        raise KeyboardInterrupt
    margins = {metric: written for metric, written in _margins(first).items() if metric in metrics}
    return confirm(first, _compare(latest_run(sides.run.path / FOLDER), sides, arms, margins))


def _plan_arms(first: CompareReport, sides: Sides, plan: Suite, how: Rerun) -> tuple[list[Comparison], BothArms]:
    """The comparisons that a rerun can say something about, and what it asks."""
    earlier = None if sides.earlier is None else sides.earlier.read_suite()
    apart = sides.earlier is not None and how.endpoint is None and not _same_endpoint(sides.run, sides.earlier)
    arms = rerun_suite(plan, earlier, [_pair(c) for c in first.comparisons], apart=apart)
    alone = {new for _, new in arms.candidate_alone}
    chosen = [
        c
        for c in first.comparisons
        if c.verdict == "worse" or (any(map(is_open, c.differences)) and c.candidate.target not in alone)
    ]
    return chosen, rerun_suite(plan, earlier, [_pair(c) for c in chosen], apart=apart)


def _pair(c: Comparison) -> tuple[str, str]:
    return c.baseline.target, c.candidate.target


def _same_endpoint(one: RunFolder, other: RunFolder) -> bool:
    return len({(m.endpoint, m.simulated) for m in (one.read_manifest(), other.read_manifest())}) == 1


def _compare(folder: RunFolder, sides: Sides, arms: BothArms, margins: dict[str, str]) -> list[Comparison]:
    """The rerun's comparisons. Unconfirmable: the rerun does not count."""
    manifest = folder.read_manifest()
    if manifest.state != "complete":
        ended = Finding(what=f"the rerun is {manifest.state}, not complete", remedy=AGAIN)
        raise Unconfirmable(next(iter(manifest.findings), ended))
    rerun = load_finished_run(folder)
    if (lost := outage(rerun.data)) is not None:
        raise Unconfirmable(lost)
    reports = []
    if arms.in_one_run:
        reports.append(compare_targets(rerun, pairs=arms.in_one_run, gate=margins))
    if arms.candidate_alone and sides.earlier is not None:
        earlier = load_finished_run(sides.earlier)
        history = find_history(load_finished_run(sides.run), earlier)
        reports.append(compare_targets(earlier, rerun, pairs=arms.candidate_alone, gate=margins, history=history))
    invalid = [finding for report in reports for finding in report.findings if finding.invalidates]
    if invalid:
        raise Unconfirmable(invalid[0])
    return [c for report in reports for c in report.comparisons]


def _margins(report: CompareReport) -> dict[str, str]:
    """The gate: metric → margin as written."""
    rows = (d for c in report.comparisons for d in c.differences if not d.exploratory)
    return {d.metric: d.margin_written for d in rows if d.margin_written is not None}


def _stored_suite(sides: Sides, how: Rerun) -> Suite:
    """The run's suite with its files, and the rerun's endpoint and budget. Unconfirmable: its files are missing."""
    suite = sides.run.read_suite()
    if not suite.texts_as_sent:
        raise Unconfirmable(
            Finding(
                what="the run stores no prompts, or redacted ones (load.store_text, load.redact)",
                remedy="run the suite again and compare the two runs",
            )
        )
    if how.suite_file is not None:
        suite = restore_files(suite, how.suite_file.parent)
    elif lost := missing_files(suite):
        raise Unconfirmable(
            Finding(
                what=f"the run stores only digests of the suite's files ({lost[0]})",
                remedy="pass the suite file next to them with --suite FILE",
            )
        )
    return msgspec.structs.replace(
        suite,
        endpoint=trusted_endpoint(sides.run.read_manifest().endpoint, how.endpoint, sides.run.path),
        budget_usd=how.budget_usd if how.budget_usd is not None else suite.budget_usd,
    )


def _names(suite: Suite) -> list[str]:
    return [target.name for target in suite.targets]


def _baseline(sides: Sides, suite: Suite) -> list[str]:
    """The baseline target, if it is run again."""
    name = sides.baseline or suite.baseline
    return [name] if sides.earlier is None and name is not None else []


def _finding(error: Exception) -> Finding:
    """The error as a finding."""
    leaf = first_leaf(error)
    match leaf:
        case Unconfirmable():
            return leaf.finding
        case HarnessError():
            return Finding(what=str(leaf), remedy=AGAIN)
        case OSError():
            return Finding(what=f"{leaf.filename or 'the rerun'}: {leaf.strerror or leaf}", remedy=AGAIN)
    return Finding(
        what=f"internal error, a bug in harness: {type(leaf).__name__}: {leaf}", remedy="please report it with its run"
    )


def _announce(suite: Suite, metrics: list[str], *, seed: int) -> None:
    """Print what the rerun will send and, unless it is free, the most that it will cost."""
    expected = forecast(suite, seed=seed)
    cost = "an unknown cost" if expected.cost_usd_at_most is None else f"up to about ${expected.cost_usd_at_most:.4f}"
    budget = "" if suite.budget_usd is None else f", budget ${suite.budget_usd:g}"
    free = suite.endpoint == "simulator" or is_loopback(suite.endpoint)
    paid = "" if free else f" for {cost}{budget}"
    print(
        f"confirming {', '.join(metrics)}: {expected.requests:,} more requests to {suite.endpoint}{paid}",
        file=sys.stderr,
    )
