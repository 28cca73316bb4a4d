"""Two runs at two times: without a history what time can move stays open; with one the spread between runs counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import Comparison, Difference
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.metrics import METRICS
from harness.analysis.past_runs import StoredRun
from harness.analysis.summary.summarise import summarise
from harness.store.manifest import Manifest
from harness.store.run_folder import RunFolder
from harness.suite.suite import Load, Suite

GATE = {"pass_rate": "10pp", "error_rate": "2pp", "throttle_rate": "2pp", "ttft_p50": "20%", "cost_per_request": "10%"}
TIMED = ("error_rate", "throttle_rate", "ttft_p50")
MakeRun = Callable[..., FinishedRun]


@pytest.fixture
def make_run(
    make_suite: Callable[..., Suite],
    make_columns: Callable[..., Columns],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> MakeRun:
    """A run of 120 prompts: `slow` times as slow, `failed` of them fail."""

    def build(
        seed: int, *, slow: float = 1.0, failed: int = 0, targets: Sequence[str] = ("a",), **changes: Any
    ) -> FinishedRun:
        suite = make_suite(targets, prompts=120, **{"gate": GATE, "baseline": targets[0], **changes})
        columns = {}
        for at, name in enumerate(targets):
            rng, n = np.random.default_rng([seed, at]), 120
            due, ttft = np.arange(n) / 2, 0.5 * slow * rng.lognormal(0, 0.3, n)
            ids = np.array([f"p{i}" for i in range(n)], dtype=object)
            ok = np.arange(n) * failed % n >= failed  # evenly over the run
            columns[name] = make_columns(
                n, target=name, prompt_id=ids, group_id=ids, repeat=np.zeros(n, dtype=np.int64), due_s=due, sent_s=due,
                first_try_sent_s=due, first_s=due + ttft, last_s=due + ttft + 1, done_s=due + ttft + 1, ok=ok,
                error_kind=np.where(ok, None, "throttled"), passed=ok.astype(float),
            )  # fmt: skip
        counts = {name: count_attempts(c) for name, c in columns.items()}
        manifest = make_run_manifest(suite, run_id=f"run-{seed}")
        return FinishedRun(manifest=manifest, suite=suite, data=RunData(columns=columns, counts=counts, recorded=120))

    return build


def past(run: FinishedRun) -> StoredRun:
    summary = summarise(run.manifest, run.suite, run.data)
    return StoredRun(folder=RunFolder(Path("unread")), manifest=run.manifest, summary=summary, trouble=None)


def compare(old: FinishedRun, new: FinishedRun, history: Sequence[StoredRun] = (), **how: Any) -> Comparison:
    (comparison,) = compare_targets(old, new, history=history, **how).comparisons
    return comparison


def rows(c: Comparison) -> dict[str, Difference]:
    return {d.metric: d for d in c.differences}


def test_latencies_throughput_errors_and_throttles_move_with_time_and_nothing_else() -> None:
    moved = {key for key, metric in METRICS.items() if metric.moves_with_time}
    assert {
        "pass_rate", "cost_per_request", "cost_per_correct", "cost_per_prompt_geometric", "list_price",
    } == METRICS.keys() - moved  # fmt: skip


def test_in_one_run_the_hour_cancels(make_run: MakeRun) -> None:
    (c,) = compare_targets(make_run(1, targets=("a", "b"))).comparisons
    assert "cancels" == c.time
    assert all(d.between_runs is None for d in c.differences)


def test_two_runs_without_a_history_leave_open_what_time_can_move(make_run: MakeRun) -> None:
    c = compare(make_run(1), make_run(2, slow=2.0), [past(make_run(seed)) for seed in range(3, 7)])
    assert ("unknown", "inconclusive") == (c.time, c.verdict)
    found = rows(c)
    for name in TIMED:
        d = found[name]
        assert ("inconclusive", None, None, None) == (d.verdict, d.low, d.high, d.p_value), name
        assert d.between_runs is not None
        assert (4, None) == (d.between_runs.runs, d.between_runs.spread)
        assert "4 of 5 earlier runs to tell the hour from the target: make 1 more run of this suite" in d.note
        assert (None, None) == (d.n_needed, d.clusters_needed)
    assert "no_worse" == found["pass_rate"].verdict == found["cost_per_request"].verdict
    slower = found["ttft_p50"]
    assert math.log(2) == pytest.approx(slower.estimate, abs=0.15)
    assert slower.between_runs is not None
    assert 0 < (slower.between_runs.within_low or 0) < (slower.between_runs.within_high or 0)
    assert "inconclusive" == found["e2e_p50_equal_length"].verdict


def test_another_target_is_told_to_run_both_in_one_suite(make_run: MakeRun) -> None:
    c = compare(make_run(1), make_run(2, targets=("b",)), baseline_target="a", candidate_targets=("b",))
    assert (
        "no earlier runs to tell the hour from the target: run both targets in one suite, or gate with --confirm"
        in (rows(c)["ttft_p50"].note)
    )


@pytest.mark.parametrize(("spread", "verdict"), [(0.02, "worse"), (0.4, "inconclusive")])
def test_with_a_history_the_spread_between_runs_counts(make_run: MakeRun, spread: float, verdict: str) -> None:
    shifts = np.exp(spread * np.array([-1.2, -0.6, 0.1, 0.5, 1.2]))
    history = [past(make_run(10 + i, slow=float(shift))) for i, shift in enumerate(shifts)]
    c = compare(make_run(1), make_run(2, slow=1.5), history)
    assert "counted" == c.time
    d = rows(c)["ttft_p50"]
    assert d.between_runs is not None
    assert (verdict, 5) == (d.verdict, d.between_runs.runs)
    assert d.low is not None
    assert d.between_runs.within_low is not None
    assert 0 < d.between_runs.within_low
    assert (d.low < 0) == (verdict == "inconclusive")
    if verdict == "inconclusive":
        assert spread == pytest.approx(d.between_runs.spread, rel=0.3)
        assert d.between_runs.decides
        assert d.n_needed is None
        assert "so more prompts do not narrow this" in d.note


def test_a_margin_in_seconds_has_the_spread_in_seconds(make_run: MakeRun) -> None:
    history = [past(make_run(10 + i, slow=slow)) for i, slow in enumerate((0.7, 0.85, 1.0, 1.2, 1.4))]
    relative, seconds = (
        rows(compare(make_run(1), make_run(2, slow=1.5), history, gate={"ttft_p50": margin}))["ttft_p50"].between_runs
        for margin in ("20%", "100ms")
    )
    assert relative is not None
    assert seconds is not None
    mean_s = math.sqrt((0.5**2 + 0.75**2) / 2)
    assert seconds.spread == pytest.approx(mean_s * (relative.spread or 0), rel=0.1)


def test_a_burst_of_errors_beside_five_quiet_runs_is_no_verdict_yet_beside_thirty_it_is(make_run: MakeRun) -> None:
    quiet = [past(make_run(10 + i)) for i in range(30)]
    d, c = (rows(compare(make_run(1), make_run(2, failed=50), quiet[:k]))["error_rate"] for k in (5, 30))
    assert ("inconclusive", "worse") == (d.verdict, c.verdict)
    assert 0 == d.baseline
    calm = rows(compare(make_run(1), make_run(2), quiet[:5]))["error_rate"]
    assert (0.0, 0.0, "inconclusive") == (calm.baseline, calm.candidate, calm.verdict)
    assert calm.between_runs is not None
    assert not calm.between_runs.decides


def test_runs_of_another_load_or_endpoint_have_no_history_in_common(make_run: MakeRun) -> None:
    history = [past(make_run(10 + i)) for i in range(6)]
    other = make_run(1, load=Load(warmup=1, concurrency=2), digest="abcdef012345")
    assert "unknown" == compare(other, make_run(2), history).time
    old = make_run(1)
    moved = FinishedRun(manifest=msgspec.structs.replace(old.manifest, endpoint="aws"), suite=old.suite, data=old.data)
    assert "unknown" == compare(moved, make_run(2), history).time
    assert "counted" == compare(old, make_run(2), history).time


def test_a_gate_on_the_pass_rate_alone_asks_nothing_of_time(make_run: MakeRun) -> None:
    c = compare(make_run(1), make_run(2), gate={"pass_rate": "10pp"})
    assert (None, "no_worse") == (c.time, c.verdict)
