"""The text format, read by Prometheus's own parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.load.limits.errors import StoppedTarget
from harness.load.progress import Histogram, Progress, Tally
from harness.report.live.exposition import render_progress
from harness.suite.suite import Suite


def parse(text: str) -> dict[tuple[str, str, str], float]:
    """(sample, target, other label) → value."""
    return {
        (sample.name, sample.labels.get("target", ""), sample.labels.get("kind", sample.labels.get("le", ""))): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def histogram(*durations_s: float) -> Histogram:
    made = Histogram()
    for each in durations_s:
        made.add(round(each * 1e9))
    return made


def test_the_counts_of_each_target_can_be_parsed(
    make_suite: Callable[..., Suite], make_progress: Callable[..., Progress]
) -> None:
    tally = Tally(done=3, in_flight=2, answered=2, output_tokens=70, cost_usd=0.25, errors={"throttled": 4},
                  wait=histogram(0.3, 0.5, 3.0), late=histogram(0.0002))  # fmt: skip
    progress = make_progress({"a/global": tally, "b/global": Tally()}, planned=40)
    progress.earlier_usd = 1.0
    progress.stopped["b/global"] = StoppedTarget(target="b/global", requests=5, failures={"timeout": 5})
    suite = make_suite("a/global", "b/global", budget_usd=5)
    found = parse(render_progress(progress, suite, simulated=True))
    expected = {
        ("harness_requests_planned", "a/global", ""): 40,
        ("harness_requests_done_total", "a/global", ""): 3,
        ("harness_requests_in_flight", "a/global", ""): 2,
        ("harness_requests_answered_total", "a/global", ""): 2,
        ("harness_attempt_errors_total", "a/global", "throttled"): 4,
        ("harness_output_tokens_total", "a/global", ""): 70,
        ("harness_cost_usd_total", "a/global", ""): 0.25,
        ("harness_spent_usd", "", ""): 1.25,
        ("harness_budget_usd", "", ""): 5,
        ("harness_target_stopped", "a/global", ""): 0,
        ("harness_target_stopped", "b/global", ""): 1,
        ("harness_ttft_seconds_bucket", "a/global", "0.16"): 0,
        ("harness_ttft_seconds_bucket", "a/global", "0.32"): 1,
        ("harness_ttft_seconds_bucket", "a/global", "0.64"): 2,
        ("harness_ttft_seconds_bucket", "a/global", "+Inf"): 3,
        ("harness_ttft_seconds_count", "a/global", ""): 3,
        ("harness_send_delay_seconds_bucket", "a/global", "0.0003"): 1,
    }
    assert expected == {key: found.get(key) for key in expected}
    assert pytest.approx(3.8, rel=0.016) == found["harness_ttft_seconds_sum", "a/global", ""]
    assert "harness_e2e_seconds_count" not in {name for name, _, _ in found}


def test_a_target_that_does_not_stream_has_e2e_latencies(make_suite: Any, make_progress: Any) -> None:
    suite = make_suite("a/global", stream=False)
    found = parse(render_progress(make_progress({"a/global": Tally(wait=histogram(0.5))}), suite, simulated=False))
    assert 1 == found["harness_e2e_seconds_count", "a/global", ""]
    assert "harness_ttft_seconds_count" not in {name for name, _, _ in found}
    assert "harness_requests_planned" not in {name for name, _, _ in found}


@pytest.mark.parametrize("name", ['a"b', "a\\nb", "a\\", "模型", 'x"} 1\n# TYPE y counter', "a\nb"])
def test_any_name_stays_in_its_label(make_suite: Any, make_progress: Any, name: str) -> None:
    found = parse(render_progress(make_progress({name: Tally(done=1)}), make_suite(name), simulated=False))
    assert 1 == found["harness_requests_done_total", " ".join(name.split()), ""]
