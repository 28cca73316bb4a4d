"""`harness gate --confirm`: asks the two targets again before a fall is reported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO, cast

import msgspec

from harness.analysis.comparison import CompareReport
from harness.analysis.confirm import confirm, fallen
from harness.cli.comparing import compare_pairs
from harness.cli.sides import Pair, Side
from harness.cli.work import INTERRUPTED, perform
from harness.errors import HarnessError
from harness.load.forecast import forecast
from harness.store.run_folder import RunFolder, latest_run
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


def confirm_by_rerun(report: CompareReport, pairs: Sequence[Pair], how: Rerun) -> CompareReport:
    """Run the targets that fell once more, against the same baseline, and say `worse` only where both say so.

    The fall of a target within one run is asked of the baseline target too; against another run, that run stands.
    HarnessError before anything is sent; KeyboardInterrupt where the rerun was interrupted.
    """
    worse = {c.candidate.target for c in report.comparisons if c.verdict == "worse"}
    concerned = [pair for pair in pairs if pair.candidate.target in worse]
    metrics = fallen(report)
    run = concerned[0].candidate.run
    suite = _suite(run, concerned, how)
    _announce(suite, metrics, seed=_seed(run))
    with redirect_stdout(cast(TextIO, sys.stderr)):
        code = perform(suite, out=run.path / FOLDER, seed=_seed(run), as_json=False, quiet=how.quiet)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    again = latest_run(run.path / FOLDER)
    found = compare_pairs([_again(pair, again) for pair in concerned], metrics=metrics)
    return confirm(report, found if found.valid else None)


def _suite(run: RunFolder, pairs: Sequence[Pair], how: Rerun) -> Suite:
    """What was run, of the targets concerned alone."""
    frozen = load_frozen(run.suite_path)
    suite = frozen if how.suite_file is None else _from_file(how.suite_file, frozen)
    lost = [p.id for p in suite.prompts if any(a.path is None for a in (*p.documents, *p.images))]
    if lost:
        raise HarnessError(
            f"{run.path}: its suite's documents are kept by digest alone (prompt {lost[0]}); "
            "name the suite to ask again: --confirm --suite FILE"
        )
    names = {pair.candidate.target for pair in pairs} | {p.baseline.target for p in pairs if _same_run(p)}
    suite = msgspec.structs.replace(
        suite,
        endpoint=run.read_manifest().endpoint,
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


def _announce(suite: Suite, metrics: Sequence[str], *, seed: int) -> None:
    found = forecast(suite, seed=seed)
    cost = "an unknown cost" if found.cost_usd_at_most is None else f"up to about ${found.cost_usd_at_most:.4f}"
    budget = "" if suite.budget_usd is None else f", budget ${suite.budget_usd:g}"
    paid = f" for {cost}{budget}" if suite.endpoint == "aws" else ""
    print(
        f"confirming {', '.join(metrics)}: {found.requests:,} more requests to {suite.endpoint}{paid}", file=sys.stderr
    )


def _seed(run: RunFolder) -> int:
    """Not the run's own: the embedded Bedrock would answer the same again."""
    return run.read_manifest().seed + 1


def _again(pair: Pair, again: RunFolder) -> Pair:
    baseline = Side(run=again, target=pair.baseline.target) if _same_run(pair) else pair.baseline
    return Pair(baseline=baseline, candidate=Side(run=again, target=pair.candidate.target))


def _same_run(pair: Pair) -> bool:
    return pair.baseline.run.path == pair.candidate.run.path
