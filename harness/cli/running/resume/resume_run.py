"""Completes a run that ended early: sends the requests that are missing, grades all answers, reports."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from harness.cli.index import update_index
from harness.cli.options import RunContext
from harness.cli.places import uploaded_run
from harness.cli.running.grade_and_report import grade_and_write, print_summary
from harness.cli.running.overrides import check_budget
from harness.cli.running.reporter import Reporter, WrittenReport, open_reporter
from harness.cli.running.resume.checks import finish_journals, read_own_suite, require_documents, same_endpoint
from harness.cli.running.resume.missing import Missing, find_missing
from harness.cli.running.run_suite import open_sender
from harness.cli.running.send_load import RunToResume, SentLoad, send_load, without_settled
from harness.endpoints.address import aws_settings_restored
from harness.errors import INTERRUPTED_CODE, HarnessError
from harness.store.files import one_writer, remove_leftovers
from harness.store.finding import Finding
from harness.store.manifest import Manifest, read_versions
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """How to resume a run. Everything comes from the user; the run's folder may be somebody else's."""

    suite: Suite | None = None
    """The run's suite, for its documents and check files. None: without them."""
    endpoint: str | None = None
    budget_usd: float | None = None
    """Of the whole run. None: the suite's."""
    seed: int | None = None
    """None: the run's."""


def resume_run(run: Path, resume: Resume, context: RunContext) -> int:
    """Send what a run lacks of its plan, grade and report it; returns the exit code.

    May be repeated until the run is complete, whatever ended it. Judges and check functions are asked only about
    answers without a stored judgement. HarnessError: before anything is sent. RunInvalid: the run failed after that.
    """
    check_budget(resume.budget_usd)
    with aws_settings_restored(), open_reporter() as reporter:
        with one_writer(run, wait=False):
            done = _resume(RunFolder(run), resume, context, reporter)
        reporter(update_index, run.resolve().parent)
    if done is None:
        return INTERRUPTED_CODE
    report, interrupted = done
    code = print_summary(report, as_json=context.as_json)
    return uploaded_run(context.bucket, run, INTERRUPTED_CODE if interrupted else code, quiet=context.quiet)


def _resume(
    folder: RunFolder, resume: Resume, context: RunContext, reporter: Reporter
) -> tuple[WrittenReport, bool] | None:
    """The report, and whether an interrupt ended the load. None: stopped at once."""
    before = folder.read_manifest()
    if resume.seed not in (None, before.seed):
        raise HarnessError(f"{folder.path}: was planned with seed {before.seed}, not {resume.seed}; leave out --seed")
    suite = read_own_suite(folder, resume.suite)
    remove_leftovers(folder.path)
    finish_journals(folder)
    missing = find_missing(folder, suite)
    interrupted = False
    if missing.is_nothing:
        if not context.quiet:
            print(f"{folder.path.name}: every request is recorded; grading and reporting", file=sys.stderr)
        _complete(folder, before)
    else:
        suite = _suite_to_send(suite, folder, missing, resume)
        sent = _send(folder, suite, before, missing, replace(context, seed=before.seed))
        if sent is None:
            return None
        interrupted = sent.interrupted
    check_files = () if resume.suite is None else resume.suite.graders.check_files
    report = grade_and_write(
        folder,
        context,
        judge=not interrupted,
        endpoint=resume.endpoint,
        check_files=check_files,
        reporter=reporter,
    )
    return report, interrupted


def _suite_to_send(suite: Suite, folder: RunFolder, missing: Missing, resume: Resume) -> Suite:
    """The suite with the rest of its duration and the user's endpoint and budget. HarnessError: it cannot be sent."""
    require_documents(suite, folder)
    budget_usd = suite.budget_usd if resume.budget_usd is None else resume.budget_usd
    if budget_usd is not None and missing.charged_usd >= budget_usd:
        raise HarnessError(
            f"{folder.path}: has spent ${missing.charged_usd:,.4f} of its budget of ${budget_usd:g}; "
            "raise it with --budget"
        )
    load = suite.load
    if missing.left_s is not None:
        load = msgspec.structs.replace(load, duration_s=missing.left_s)
    endpoint = same_endpoint(suite, folder.read_manifest(), resume.endpoint, folder)
    return msgspec.structs.replace(suite, endpoint=endpoint, load=load, budget_usd=budget_usd)


def _send(folder: RunFolder, suite: Suite, before: Manifest, missing: Missing, context: RunContext) -> SentLoad | None:
    if not context.quiet:
        print(f"resuming {folder.path.name}: {_amount(missing)}", file=sys.stderr)
    to_resume = RunToResume(
        folder=folder,
        planned=missing.planned,
        cost_usd=missing.cost_usd,
        charged_usd=missing.charged_usd,
        last_ns=missing.last_ns,
        findings=(*_killed(before), *_differences(before, suite)),
    )
    with ExitStack() as locks:
        sender = partial(open_sender, suite, context.workers, recorded=missing.recorded)
        return send_load(suite, context, sender, resumed=to_resume, locks=locks)


def _amount(missing: Missing) -> str:
    """`372 requests are recorded, 208 are missing`."""
    left = "are recorded" if missing.left_s is None else f"are recorded, {missing.left_s:.1f} s are left"
    more = "" if missing.planned is None else f", {sum(missing.planned.values()):,} are missing"
    return f"{len(missing.recorded.done):,} requests {left}{more}"


def _complete(folder: RunFolder, before: Manifest) -> None:
    """Record that a run with all of its plan is complete, such as one that was killed as its load had ended."""
    if before.state != "complete":
        manifest = without_settled(folder.read_manifest(), _killed(before))
        folder.write_manifest(msgspec.structs.replace(manifest, state="complete"))


def _killed(before: Manifest) -> tuple[Finding, ...]:
    """What is unknown about a run whose processes did not end by themselves."""
    if before.clients and before.state != "running":
        return ()
    what = "the run was stopped before it recorded how busy its processes were"
    return (Finding(what=what, remedy="if this machine may have been the bottleneck, run the suite again"),)


def _differences(before: Manifest, suite: Suite) -> tuple[Finding, ...]:
    """What is not the same for all requests of the run."""
    now = read_versions()
    changed = [
        f"{name} {before.versions.get(name, 'none')} → {now.get(name, 'none')}"
        for name in sorted(before.versions.keys() | now.keys())
        if before.versions.get(name) != now.get(name)
    ]
    if suite.endpoint != before.endpoint:
        changed.append(f"endpoint {before.endpoint} → {suite.endpoint}")
    if not changed:
        return ()
    what = f"the run was resumed with other versions or at another endpoint: {', '.join(changed)}"
    return (Finding(what=what, remedy="run the suite again if that may matter"),)
