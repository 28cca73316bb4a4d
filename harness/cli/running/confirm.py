"""`harness gate --confirm`: runs the two targets again before `worse` is reported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO, cast

import msgspec

from harness.analysis.compare.comparison import CompareReport
from harness.analysis.compare.confirm import confirm, outage, unconfirmed, worse_metrics
from harness.analysis.loader import load_run
from harness.cli.options import RunContext
from harness.cli.running.compare_runs import Sides, compare_sides
from harness.cli.running.endpoint import trusted_endpoint
from harness.cli.running.run_suite import run_suite
from harness.cli.running.send_load import INTERRUPTED_CODE
from harness.endpoints.address import is_loopback
from harness.errors import HarnessError, first_leaf
from harness.load.forecast import forecast
from harness.report.wording import sentence
from harness.store.files import make_subfolder
from harness.store.finding import Finding
from harness.store.run_folder import latest_run
from harness.suite.derived import find_files, keep_targets, lost_files
from harness.suite.stored import check_storable
from harness.suite.suite import Suite

FOLDER = "confirm"
"""In the candidate's run folder: a rerun is no run of its own to `history`."""
AGAIN = "mend that, and gate the run again"
PENDING = Finding(what="the rerun had not ended when this was written", remedy="wait for it, or gate the run again")
STOPPED = Finding(what="the rerun was interrupted", remedy="gate the run again")


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """How to make the rerun."""

    suite_file: Path | None = None
    """The suite's own file, beside which documents and check files are; a stored suite has their digests alone."""
    endpoint: str | None = None
    """None: the run's, where that is AWS or this machine."""
    budget_usd: float | None = None
    """None: the suite's."""
    quiet: bool = False


class Unconfirmable(Exception):
    """Why there can be no rerun, or why it does not count."""

    def __init__(self, why: Finding) -> None:
        super().__init__(why.what)
        self.why = why


def plan_rerun(sides: Sides, how: Rerun) -> Suite | Finding:
    """The suite that a rerun would send, with all targets; or why there can be none, which goes to stderr, too."""
    try:
        suite = _stored_suite(sides, how)
        check_storable(keep_targets(suite, {*(sides.candidates or _names(suite)), *_baseline(sides, suite)}))
    except Exception as error:
        why = _reason(error)
        print(f"warning: a `worse` could not be confirmed: {sentence(why)}", file=sys.stderr)
        return why
    return suite


def confirm_by_rerun(
    first: CompareReport, sides: Sides, plan: Suite | Finding, how: Rerun, keep: Callable[[CompareReport], object]
) -> tuple[CompareReport, bool]:
    """What the gate reports of a run that is worse, after a rerun; True: the rerun was interrupted.

    `keep` writes a report's files. It is called with the unconfirmed verdict before anything is sent, so that nothing
    that goes wrong in a rerun loses it; the report says what went wrong.
    """
    if isinstance(plan, Finding):
        return _kept(unconfirmed(first, plan), keep), False
    keep(unconfirmed(first, PENDING))
    try:
        report = _ask_again(first, sides, plan, how)
        keep(report)
    except KeyboardInterrupt:
        return _kept_if_possible(unconfirmed(first, STOPPED), keep), True
    except Exception as error:
        why = _reason(error)
        print(f"warning: worse is not confirmed: {sentence(why)}", file=sys.stderr)
        return _kept_if_possible(unconfirmed(first, why), keep), False
    return report, False


def _kept(report: CompareReport, keep: Callable[[CompareReport], object]) -> CompareReport:
    keep(report)
    return report


def _kept_if_possible(report: CompareReport, keep: Callable[[CompareReport], object]) -> CompareReport:
    """The files hold the unconfirmed verdict already, without the reason."""
    try:
        keep(report)
    except (HarnessError, OSError) as error:
        print(f"warning: {error}; the files say only that the rerun had not ended", file=sys.stderr)
    return report


def _ask_again(first: CompareReport, sides: Sides, plan: Suite, how: Rerun) -> CompareReport:
    """Run the targets that fell once more, against the same baseline, and say `worse` only where both say so.

    The baseline target is asked again too where it is of the same run; where it is of an earlier one, that run stands.
    """
    fell = [c for c in first.comparisons if c.verdict == "worse"]
    candidates = tuple(c.candidate.target for c in fell)
    baselines = {c.baseline.target for c in fell}
    metrics = worse_metrics(first)
    seed = sides.run.read_manifest().seed + 1  # with the run's own, the embedded Bedrock would answer the same again
    suite = keep_targets(plan, {*candidates, *(baselines if sides.earlier is None else ())})
    check_storable(suite)
    make_subfolder(sides.run.path / FOLDER)
    _announce(suite, metrics, seed=seed)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if how.quiet else cast(TextIO, sys.stderr)):
        code = run_suite(suite, RunContext(out=sides.run.path / FOLDER, seed=seed, quiet=how.quiet))
    if code == INTERRUPTED_CODE:
        raise KeyboardInterrupt
    again = Sides(
        run=latest_run(sides.run.path / FOLDER),
        earlier=sides.earlier,
        baseline=sides.baseline if sides.earlier is not None else next(iter(baselines)),
        candidates=candidates,
    )
    margins = {metric: written for metric, written in _margins(first).items() if metric in metrics}
    return confirm(first, _compare(again, margins))


def _compare(again: Sides, margins: dict[str, str]) -> CompareReport:
    """The rerun's comparison. Unconfirmable: nothing can be said of it."""
    manifest = again.run.read_manifest()
    if manifest.state != "complete":
        ended = Finding(what=f"the rerun is {manifest.state}, not complete", remedy=AGAIN)
        raise Unconfirmable(next(iter(manifest.findings), ended))
    if (lost := outage(load_run(again.run))) is not None:
        raise Unconfirmable(lost)
    found = compare_sides(again, gate=margins)
    if not found.valid:
        raise Unconfirmable(next(finding for finding in found.findings if finding.invalidates))
    return found


def _margins(report: CompareReport) -> dict[str, str]:
    """Metric → margin as written, of what decides."""
    rows = (d for c in report.comparisons for d in c.differences if not d.exploratory)
    return {d.metric: d.margin_written for d in rows if d.margin_written is not None}


def _stored_suite(sides: Sides, how: Rerun) -> Suite:
    """What was run, where it was run, with its files."""
    suite = sides.run.read_suite()
    if how.suite_file is not None:
        suite = find_files(suite, how.suite_file.parent)
    elif lost := lost_files(suite):
        raise Unconfirmable(
            Finding(
                what=f"the run keeps its files by digest alone ({lost[0]})",
                remedy="name the suite file, beside which they are: --suite FILE",
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
    """The baseline's name where it is asked again."""
    name = sides.baseline or suite.baseline
    return [name] if sides.earlier is None and name is not None else []


def _reason(error: Exception) -> Finding:
    """What went wrong, for people."""
    leaf = first_leaf(error)
    match leaf:
        case Unconfirmable():
            return leaf.why
        case HarnessError():
            return Finding(what=str(leaf), remedy=AGAIN)
        case OSError():
            return Finding(what=f"{leaf.filename or 'the rerun'}: {leaf.strerror or leaf}", remedy=AGAIN)
    return Finding(
        what=f"internal error, a bug in harness: {type(leaf).__name__}: {leaf}", remedy="please report it with its run"
    )


def _announce(suite: Suite, metrics: list[str], *, seed: int) -> None:
    """What is going to be asked, and what it costs at most where it costs something."""
    found = forecast(suite, seed=seed)
    cost = "an unknown cost" if found.cost_usd_at_most is None else f"up to about ${found.cost_usd_at_most:.4f}"
    budget = "" if suite.budget_usd is None else f", budget ${suite.budget_usd:g}"
    free = suite.endpoint == "simulator" or is_loopback(suite.endpoint)
    paid = "" if free else f" for {cost}{budget}"
    print(
        f"confirming {', '.join(metrics)}: {found.requests:,} more requests to {suite.endpoint}{paid}", file=sys.stderr
    )
