"""What the dry run names is what the analysis asks for: prompts, groups and minutes of a latency."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.compare.sample_size.detectable import Stalls, find_detectable
from harness.analysis.validity import check_validity
from harness.store.manifest import Manifest
from harness.suite.suite import Load, Suite

MakeSuite = Callable[..., Suite]


@pytest.mark.parametrize(
    ("groups", "repeats", "needed", "clusters"),
    [
        ([1] * 40, 1, 72, None),
        ([1] * 12, 6, 144, 24),
        ([1] * 20, 5, 120, 24),
        ([6] * 10, 2, 288, 24),
        ([50, *[1] * 30], 1, 640, 24),  # count as 3
        ([20, *[1] * 20, 8], 3, 692, 24),  # 48² / (20² + 20 + 8²) = 4.8, rounded to 5; × 3 repeats
    ],
)
def test_dry_run_finding_and_comparison_ask_for_the_same(
    groups: Sequence[int],
    repeats: int,
    needed: int,
    clusters: int | None,
    make_suite: MakeSuite,
    make_columns: Callable[..., Columns],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> None:
    names = [f"g{at}" for at, size in enumerate(groups) for _ in range(size)]
    suite = make_suite(
        ("a", "b"), prompts=len(names), baseline="a", gate={"e2e_p95": "25%"}, load=Load(repeats=repeats)
    )
    grouped = tuple(msgspec.structs.replace(p, group=g) for p, g in zip(suite.prompts, names, strict=True))
    suite = msgspec.structs.replace(suite, prompts=grouped)
    ids, n = [p.id for p in suite.prompts], len(names) * repeats
    arrays = {
        "prompt_id": np.array(ids * repeats, dtype=object),
        "group_id": np.array(names * repeats, dtype=object),
        "done_s": np.arange(n) + np.linspace(1.0, 2.0, n),
    }
    columns = {name: make_columns(n, name, **arrays) for name in ("a", "b")}
    counts = {name: count_attempts(c) for name, c in columns.items()}
    data = RunData(columns=columns, counts=counts, recorded=2 * n)
    manifest = make_run_manifest(suite)
    report = compare_targets(FinishedRun(manifest=manifest, suite=suite, data=data))
    (row,) = (d for d in report.comparisons[0].differences if d.metric == "e2e_p95")
    assert (needed, clusters) == (row.n_needed, row.clusters_needed)
    (finding,) = (f for f in check_validity(manifest, suite, data) if f.what.startswith("p95"))
    assert finding.remedy.startswith(f"collect at least {needed}")
    (foreseen,) = find_detectable(suite).metrics
    assert f"of {math.ceil(needed / repeats)} prompts" in foreseen.note
    assert foreseen.minimum_detectable is None
    for which in ({}, None):  # the default gate of both leaves the p95 out
        bare = msgspec.structs.replace(suite, gate=which)
        default = compare_targets(FinishedRun(manifest=manifest, suite=bare, data=data)).comparisons[0].differences
        gate = {d.metric for d in default if not d.exploratory}
        assert gate == {each.metric for each in find_detectable(bare).metrics}
        assert "e2e_p50" in gate


def test_minutes_are_named_with_the_prompts_and_stalls_cost_both(make_suite: MakeSuite) -> None:
    suite = make_suite(("a", "b"), prompts=400, gate={"ttft_p50": "15%", "ttft_p95": "15%", "pass_rate": "5pp"})
    calm, often = (find_detectable(suite, rate_per_s=4.0, stalls=Stalls(a_minute=each)).metrics for each in (0.1, 2.0))
    for each in (*calm[:1], *often[:1]):
        assert each.prompts_for_worse is not None
        assert each.minutes_for_worse == pytest.approx(each.prompts_for_worse / 4 / 60)
    assert (calm[0].prompts_for_worse or 0) < (often[0].prompts_for_worse or 0)
    assert calm[1].minutes_for_worse is not None
    assert (None, True) == (often[1].minutes_for_worse, "with 2 stalls a minute of 4 s no n finds it" in often[1].note)
    assert {None} == {each[2].minutes_for_worse for each in (calm, often)}


def test_the_same_prompts_in_less_time_do_not_do(make_suite: MakeSuite) -> None:
    suite = make_suite(("a", "b"), prompts=400, gate={"ttft_p50": "15%"})
    slow, fast = (find_detectable(suite, rate_per_s=rate).metrics[0] for rate in (1.0, 20.0))
    assert (slow.prompts_for_worse or 0) < (fast.prompts_for_worse or 0)
    assert (slow.minutes_for_worse or 0) > (fast.minutes_for_worse or 0) > 1
    assert (
        "each target has 1 stall a minute of 4 s (assumed) and 1 requests a second"
        in find_detectable(suite, rate_per_s=1.0).assumptions
    )
    assert "stall" not in find_detectable(suite).assumptions
