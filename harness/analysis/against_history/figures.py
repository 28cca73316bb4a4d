"""What a stored run measured of a target, and which runs of a suite cannot be compared with another one."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.analysis.against_history.rows import LeftOut
from harness.analysis.history import target_differences
from harness.analysis.metrics import metric_of
from harness.analysis.past_runs import StoredRun, read_stored_run
from harness.analysis.summary.summary import TargetSummary, figure_of
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
    """A gate metric's figure from the run's summary. `suite`: whose prompts the run asked.

    None: it has none, or one that cannot be: a folder may be anybody's.
    """
    figure = _measure(run, target, metric, suite)
    if figure is None or figure.answers < 1 or not math.isfinite(figure.value):
        return None
    share = metric_of(metric).unit == "share"
    return figure if 0 <= figure.value <= (1 if share else math.inf) else None


def _measure(run: StoredRun, target: str, metric: str, suite: Suite) -> Figure | None:
    targets = run.summary.targets if run.summary is not None else ()
    t = next((each for each in targets if each.target == target), None)
    if t is None:
        return None
    tag = metric_tag(metric)
    if tag is not None:
        rate = t.pass_rate_by_tag.get(tag)
        return None if rate is None else Figure(value=rate.value, answers=_answers_of_tag(t, tag, suite))
    if metric == "throttle_rate":
        return Figure(value=t.throttled_attempts / t.attempts, answers=t.attempts) if t.attempts else None
    figure = figure_of(t, metric_of(metric))
    if figure is None:
        return None
    return Figure(value=figure.value, answers=t.scored if metric == "pass_rate" else t.requests)


def _answers_of_tag(t: TargetSummary, tag: str, suite: Suite) -> int:
    """A summary has no count of its own for a tag: its share of the prompts, of the scored answers."""
    share = sum(tag in prompt.tags for prompt in suite.prompts) / len(suite.prompts)
    return max(1, round(share * t.scored))


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
