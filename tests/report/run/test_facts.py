"""What ran, where, when and how, in a run's report."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.catalog.target import resolve_target
from harness.report.markdown import render_markdown
from harness.report.run.facts import facts_section
from harness.report.run.sections import run_report
from harness.store.manifest import Manifest, new_manifest
from harness.suite.suite import Load, Message, Prompt, Retries, Slo, Step, Suite

TARGET = resolve_target(model="claude-haiku-4-5", routing="global", api="converse", client="wire", region="us-east-1")
ORIGIN_NS = 1_763_779_500_000_000_000
"""2025-11-22 02:45:00 UTC."""


def make_suite(**facts: Any) -> Suite:
    prompts = (Prompt(id="p", messages=(Message(role="user", content="?"),)),)
    return Suite(name="quick", digest="0123456789ab", endpoint="simulator", targets=(TARGET,), prompts=prompts, **facts)


def make_manifest(suite: Suite) -> Manifest:
    manifest = new_manifest(suite, endpoint="https://me:secret@host/", simulated=False, seed=7, planned=1)
    return msgspec.structs.replace(manifest, origin_utc_ns=ORIGIN_NS)


def facts_of(suite: Suite, columns: Any = None) -> dict[str, str]:
    return {note.label: note.text for note in facts_section(make_manifest(suite), suite, columns or {}).notes}


def test_the_facts_are_those_that_it_takes_to_run_it_again(make_run: Any) -> None:
    suite = make_suite(
        load=Load(concurrency=4, repeats=3, warmup=8), retries=Retries(max_attempts=3), slo=Slo(ttft_s=2, e2e_s=20),
        budget_usd=5.0,
    )  # fmt: skip
    view = make_run(requests=20, failure_rate=0.0)
    found = facts_of(suite, view.columns)
    assert "quick, digest 0123456789ab, seed 7" == found["suite"]
    assert "closed, concurrency 4, 3 repeats, warm-up 8" == found["load"]
    assert ("TTFT 2 s, E2E 20 s", "$5", "at most 3 attempts") == (found["SLOs"], found["budget"], found["retries"])
    assert found["window"].startswith("2025-11-22 02:45:0")
    assert found["window"].endswith(" UTC")
    assert "https://host/" == found["endpoint"]
    assert "numpy " in found["packages"]
    assert "harness " not in found["packages"]


def test_what_was_not_set_is_left_out() -> None:
    assert not {"SLOs", "budget", "retries", "window"} & set(facts_of(make_suite()))


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(arrival="poisson", rate_per_s=5, duration_s=60), "poisson, 5/s, 60 s, warm-up 0"),
        (Load(arrival="ramp", rate_per_s=1, to_per_s=20, duration_s=60), "ramp, 1/s to 20/s, 60 s, warm-up 0"),
        (
            Load(arrival="steps", steps=(Step(rate_per_s=5, duration_s=60), Step(rate_per_s=10, duration_s=30))),
            "steps, 5/s for 60 s, 10/s for 30 s, warm-up 0",
        ),
        (Load(arrival="trace", trace="t.jsonl", speed=2), "trace, t.jsonl, speed 2, warm-up 0"),
        (
            Load(arrival="gamma", rates_per_s={"a": 20.0}, burstiness=0.5, burst=4, requests=100, max_in_flight=9),
            "gamma, a 20/s, burstiness 0.5, bursts of 4, 100 requests, at most 9 in flight, warm-up 0",
        ),
        (Load(paired=False), "closed, concurrency 8, not paired, warm-up 0"),
    ],
)
def test_a_load_is_described_by_what_it_sets(load: Load, told: str) -> None:
    assert told == facts_of(make_suite(load=load))["load"]


def test_each_target_has_its_model_id_and_region_in_the_report(make_run: Any) -> None:
    suite = make_suite()
    run = facts_section(make_manifest(suite), suite, {})
    text = render_markdown(run_report(make_run(requests=5).summary, run=run))
    assert f"| {TARGET.name} | {TARGET.model_id} | us-east-1 | converse | wire |" in text
    assert text.index("## The run") < text.index("## What the numbers mean")
