"""`harness gate --confirm`: asks the two targets again before a fall is reported."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO, cast

import msgspec

from harness.analysis.comparison import CompareReport
from harness.analysis.confirm import confirm, fallen
from harness.cli.comparing import compare_sides
from harness.cli.sending import INTERRUPTED
from harness.cli.sides import Sides
from harness.cli.work import perform
from harness.endpoints.address import is_loopback
from harness.errors import CompareError, HarnessError
from harness.load.forecast import forecast
from harness.store.files import make_subfolder
from harness.store.run_folder import latest_run
from harness.suite.digest import digest_suite
from harness.suite.loader import load_frozen
from harness.suite.schema import Suite

FOLDER = "confirm"
"""In the candidate's run folder: a rerun is no run of its own to `history`."""


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask again."""

    suite_file: Path | None = None
    """None: the frozen suite, which has no documents' bytes."""
    budget_usd: float | None = None
    """None: the suite's."""
    quiet: bool = False


def confirm_by_rerun(report: CompareReport, sides: Sides, how: Rerun) -> CompareReport:
    """Run the targets that fell once more, against the same baseline, and say `worse` only where both say so.

    The baseline target is asked again too where it is of the same run; where it is of an earlier one, that run stands.
    HarnessError before anything is sent; KeyboardInterrupt where the rerun was interrupted.
    """
    fell = [c for c in report.comparisons if c.verdict == "worse"]
    candidates = tuple(c.candidate.target for c in fell)
    baselines = {c.baseline.target for c in fell}
    metrics = fallen(report)
    seed = sides.run.read_manifest().seed + 1  # with the run's own, the embedded Bedrock would answer the same again
    suite = _suite(sides, {*candidates, *(baselines if sides.earlier is None else ())}, how)
    make_subfolder(sides.run.path / FOLDER)
    _announce(suite, metrics, seed=seed)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if how.quiet else cast(TextIO, sys.stderr)):
        code = perform(suite, out=sides.run.path / FOLDER, seed=seed, workers=1, as_json=False, quiet=how.quiet)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    again = Sides(
        run=latest_run(sides.run.path / FOLDER),
        earlier=sides.earlier,
        baseline=sides.baseline if sides.earlier is not None else next(iter(baselines)),
        candidates=candidates,
    )
    margins = {metric: written for metric, written in _margins(report).items() if metric in metrics}
    try:
        found = compare_sides(again, gate=margins)
    except CompareError as error:  # the budget was spent before a target had answered
        print(f"warning: the rerun tells nothing: {error}", file=sys.stderr)
        return confirm(report, None)
    return confirm(report, found if found.valid else None)


def _margins(report: CompareReport) -> dict[str, str]:
    """Metric → margin as written, of what decides."""
    rows = (d for c in report.comparisons for d in c.differences if not d.exploratory)
    return {d.metric: d.margin_written for d in rows if d.margin_written is not None}


def _suite(sides: Sides, names: set[str], how: Rerun) -> Suite:
    """What was run, of the named targets alone."""
    frozen = load_frozen(sides.run.suite_path)
    suite = frozen if how.suite_file is None else _from_file(how.suite_file, frozen)
    lost = [p.id for p in suite.prompts if any(a.path is None for a in (*p.documents, *p.images))]
    if lost:
        raise HarnessError(
            f"{sides.run.path}: its suite's documents are kept by digest alone (prompt {lost[0]}); "
            "name the suite to ask again: --confirm --suite FILE"
        )
    if any(file.source is None for file in suite.graders.check_files):
        raise HarnessError(
            f"{sides.run.path}: check functions are never run from a run's folder; "
            "name the suite to ask again: --confirm --suite FILE"
        )
    suite = msgspec.structs.replace(
        suite,
        endpoint=sides.run.read_manifest().endpoint,
        targets=tuple(target for target in suite.targets if target.name in names),
        baseline=suite.baseline if suite.baseline in names else None,
        budget_usd=how.budget_usd if how.budget_usd is not None else suite.budget_usd,
    )
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def _from_file(path: Path, frozen: Suite) -> Suite:
    from harness.cli.overrides import load_checked

    suite = load_checked(path)
    if suite.name != frozen.name or {p.id for p in suite.prompts} != {p.id for p in frozen.prompts}:
        raise HarnessError(f"--suite {path}: is not the suite that was run ({frozen.name}); name that one")
    return msgspec.structs.replace(suite, load=frozen.load)


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
