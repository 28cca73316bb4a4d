"""What a stored run measured of a target, and which runs of a suite cannot be compared with another one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.analysis.against_history.rows import LeftOut
from harness.analysis.history import target_differences
from harness.analysis.past_runs import StoredRun, plausible_figure, read_stored_run
from harness.analysis.summary.summary import TargetSummary
from harness.store.manifest import Manifest
from harness.store.run_folder import list_runs
from harness.suite.grammar.gate import metric_tag
from harness.suite.suite import Suite


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of one target in one run."""

    value: float
    answers: int
    """Behind a rate: answers that were scored, requests, or attempts."""


def measure(run: StoredRun, target: str, metric: str, suite: Suite) -> Figure | None:
    """A gate metric's figure from the run's summary; None: it has none that can be. `suite`: whose prompts it asked."""
    t = run.of(target)
    figure = None if t is None else plausible_figure(t, metric)
    if t is None or figure is None:
        return None
    answers = _answers(t, metric, suite)
    return Figure(value=figure.value, answers=answers) if answers > 0 else None


def _answers(t: TargetSummary, metric: str, suite: Suite) -> int:
    """A summary has no count of its own for a tag: its share of the prompts, of the scored answers."""
    tag = metric_tag(metric)
    if tag is not None:
        share = sum(tag in prompt.tags for prompt in suite.prompts) / len(suite.prompts)
        return max(1, round(share * t.scored))
    match metric:
        case "throttle_rate":
            return t.attempts
        case "pass_rate":
            return t.scored
        case _:
            return t.requests


def find_left_out(results: Path, today: Manifest, counted: Collection[str]) -> list[LeftOut]:
    """The earlier runs of the same suite in a results folder that are not among those that count, by their reason.

    `counted`: the ids of those that do. A run that lacks some of today's targets counts for the others; its reason
    then names the target.
    """
    reasons: dict[str, list[str]] = {}
    for folder in list_runs(results):
        manifest = folder.read_manifest()
        if manifest.suite != today.suite or manifest.origin_utc_ns >= today.origin_utc_ns:
            continue
        whys = (
            _changed_targets(manifest, today) if manifest.run_id in counted else [_why(read_stored_run(folder), today)]
        )
        for why in whys:
            reasons.setdefault(why, []).append(manifest.run_id)
    return [LeftOut(why=why, run_ids=tuple(dict.fromkeys(ids))) for why, ids in reasons.items()]


def _why(run: StoredRun, today: Manifest) -> str:
    if run.manifest.simulated != today.simulated:
        return "simulated, and today's run is not" if run.manifest.simulated else "not simulated, and today's run is"
    if run.manifest.endpoint != today.endpoint:
        return f"another endpoint ({run.manifest.endpoint}, today {today.endpoint})"
    if run.trouble is not None:
        return run.trouble
    return (
        f"other prompts, load, retries or quota, or a suite that is not kept with the run (suite digest "
        f"{run.manifest.suite_digest}, today {today.suite_digest})"
    )


def _changed_targets(before: Manifest, today: Manifest) -> list[str]:
    now = {target.name: target for target in today.targets}
    return [
        f"another {target.name} ({', '.join(target_differences(target, now[target.name])) or 'its options differ'})"
        for target in before.targets
        if target.name in now and target != now[target.name]
    ]
