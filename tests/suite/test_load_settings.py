"""What a load may say: every arrival process as written, and every load that cannot be, told where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite.loader import load_suite
from harness.suite.outline import describe_load
from harness.suite.suite import Load, Quota, Step

HEAD = "suite: x\ntargets: [{model: claude-haiku-4-5, routing: [global, us]}]\nprompts: [{id: a, prompt: Hi}]\n"
GLOBAL, US = "claude-haiku-4-5/global/converse", "claude-haiku-4-5/us/converse"


def load(folder: Path, text: str) -> Load:
    (folder / "x.yaml").write_text(f"{HEAD}load: {text}\n", encoding="utf-8")
    return load_suite(folder / "x.yaml").load


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{requests: 9}", Load(requests=9)),
        ("{arrival: poisson, rate: 90/min}", Load(arrival="poisson", rate_per_s=1.5)),
        (
            "{arrival: gamma, rate: 5/s, burstiness: 0.25, burst: 3, max_in_flight: 40}",
            Load(arrival="gamma", rate_per_s=5.0, burstiness=0.25, burst=3, max_in_flight=40),
        ),
        (
            "{arrival: ramp, rate: 1/s, to: 20/s, duration: 1m}",
            Load(arrival="ramp", rate_per_s=1.0, to_per_s=20.0, duration_s=60.0),
        ),
        (
            "{arrival: steps, steps: [{rate: 1/s, duration: 5s}, {rate: 2/s, duration: 1m}]}",
            Load(
                arrival="steps",
                steps=(Step(rate_per_s=1.0, duration_s=5.0), Step(rate_per_s=2.0, duration_s=60.0)),
            ),
        ),
        (
            f"{{arrival: constant, rate: 1/s, rates: {{{US}: 2/s}}}}",
            Load(arrival="constant", rate_per_s=1.0, rates_per_s={US: 2.0}),
        ),
        (
            f"{{arrival: constant, rates: {{{US}: 2/s, {GLOBAL}: 3/s}}}}",
            Load(arrival="constant", rates_per_s={US: 2.0, GLOBAL: 3.0}),
        ),
    ],
)
def test_what_is_written_is_loaded_in_seconds_and_per_second(tmp_path: Path, text: str, expected: Load) -> None:
    assert expected == load(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{arrival: poisson, rate: 0/s}", "load.rate: must be more than 0, got 0/s"),
        ("{arrival: poisson, rate: -5/s}", "load.rate: '-5/s' is not a rate; for example 5/s or 300/min"),
        (
            "{arrival: poisson, rate: 1000000000/s}",
            "load.rate: 1000000000/s is more than a client can send; use at most",
        ),
        ("{arrival: ramp, rate: 1/s, to: 0/s, duration: 9s}", "load.to: must be more than 0, got 0/s"),
        ("{arrival: ramp, rate: 1/s, to: 99999/s, duration: 9s}", "load.to: 99999/s is more than a client can send"),
        ("{arrival: ramp, rate: 1/s, duration: 9s}", "load: arrival 'ramp' needs 'to'; for example to: 20/s"),
        (
            "{arrival: ramp, rate: 1/s, to: 2/s}",
            "load: arrival 'ramp' needs 'duration'; for example",
        ),
        ("{arrival: gamma, rate: 1/s}", "load: arrival 'gamma' needs 'burstiness'; for example burstiness: 0.5"),
        ("{arrival: gamma, rate: 1/s, burstiness: 0}", "load.burstiness: must be at least 0.001, got 0"),
        ("{arrival: poisson}", "load: arrival 'poisson' needs 'rate'; for example rate: 5/s"),
        ("{arrival: steps}", "load: arrival 'steps' needs 'steps'; for example steps: [{rate: 5/s"),
        ("{arrival: steps, steps: []}", "load.steps: must not be empty"),
        (
            "{arrival: steps, steps: [{rate: 1/s, duration: 1s}, {rate: 0/s, duration: 1s}]}",
            "load.steps[1].rate: must be more than 0, got 0/s",
        ),
        (
            "{arrival: steps, steps: [{rate: 1/s, duration: 1s}, {rate: 99999/s, duration: 1s}]}",
            "load.steps[1].rate: 99999/s is more than a client can send; use at most 10,000/s",
        ),
        ("{arrival: steps, steps: [{rate: 1/s}]}", "load.steps[0]: missing key 'duration'"),
        ("{arrival: trace}", "load: arrival 'trace' needs 'trace'; for example trace: my.trace.jsonl"),
        (
            "{arrival: constant, rate: 9000/s, duration: 10h}",
            "load: has about 648,000,002 requests, more than the 10,000,000 allowed; lower the rate",
        ),
        ("{repeats: 5000001}", "load: has about 10,000,002 requests, more than the 10,000,000 allowed"),
        ("{repeats: 1000000000}", "load.repeats: must be at most 10,000,000, got 1000000000"),
        ("{requests: 1000000000}", "load.requests: must be at most 10,000,000, got 1000000000"),
        ("{warmup: 1000000000}", "load.warmup: must be at most 10,000,000, got 1000000000"),
        ("{concurrency: 1000000000}", "load.concurrency: must be at most 100,000, got 1000000000"),
        ("{duration: 999999999h}", "load.duration: must be at most 8,784h (a year), got 999999999h"),
        (
            "{arrival: poisson, rate: 1/s, burst: 1000000000}",
            "load.burst: must be at most 100,000, got 1000000000",
        ),
        (
            "{arrival: poisson, rate: 1/s, max_in_flight: 1000000000}",
            "load.max_in_flight: must be at most 100,000, got 1000000000",
        ),
        (
            "{arrival: gamma, rate: 1/s, burstiness: 1.0e-9, duration: 1s}",
            "load.burstiness: must be at least 0.001, got 1e-09",
        ),
        ("{arrival: gamma, rate: 1/s, burstiness: 1.0e+9}", "load.burstiness: must be at most 1,000, got"),
        ("{arrival: poisson, rate: 0.00001/min}", "load.rate: 0.00001/min is less than one request a day"),
        ("{arrival: poisson, rate: 0.001/min, requests: 2000}", "load: would take about 1,389 days, more than the 366"),
        ("{arrival: trace, trace: t.csv, speed: 1.0e-300}", "load.speed: must be at least 0.001, got 1e-300"),
        (
            "{arrival: steps, steps: [{rate: 1/s, duration: 9999h}]}",
            "load.steps[0].duration: must be at most 8,784h (a year), got 9999h",
        ),
        (
            "{max_in_flight: 5}",
            "load.max_in_flight: only open arrivals take 'max_in_flight', but",
        ),
        ("{burst: 5}", "load.burst: only arrivals 'constant', 'poisson', 'gamma', 'ramp' and 'steps' take 'burst'"),
        ("{arrival: constant, rate: 1/s, burst: 0}", "load.burst: must be at least 1, got 0"),
        (
            "{arrival: constant, rate: 1/s, rates: {nobody: 2/s}}",
            "load.rates.nobody: no target has this name",
        ),
        (
            f"{{arrival: constant, rates: {{{US}: 2/s}}}}",
            f"load.rates: no rate for {GLOBAL}; add it here, or set `rate`",
        ),
        (f"{{arrival: constant, rates: {{{US}: 2}}}}", f"load.rates.{US}: '2' has no unit; write 2/s"),
    ],
)
def test_a_load_that_is_impossible_is_reported_where_it_is(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_text("offset_s\n1\n9\n")
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, text)
    assert [True] == [each.startswith(f"{tmp_path / 'x.yaml'}:4: {told}") for each in caught.value.mistakes], caught


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{requests: 9}", "closed, 8 slots, paired, 9 requests for each target at most"),
        ("{arrival: poisson, rate: 5/s, burst: 3}", "poisson, 5/s for each target, 3 at a time, each prompt 1 ×"),
        (
            "{arrival: ramp, rate: 1/s, to: 20/s, duration: 1m, burstiness: 1}",
            "ramp, 1/s to 20/s for each target, burstiness 1, 60 s at most",
        ),
        (
            "{arrival: steps, steps: [{rate: 1/s, duration: 5s}, {rate: 2/s, duration: 1m}], max_in_flight: 4}",
            "steps, 1/s for 5 s, 2/s for 60 s, at most 4 in flight",
        ),
        ("{arrival: trace, trace: t.csv, speed: 2}", "trace, 2 calls in 8 s, 2 times as fast"),
    ],
)
def test_a_load_is_summarised(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_text("offset_s\n1\n9\n")
    assert told == describe_load(load(tmp_path, text))


def test_a_trace_takes_no_repeats(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("offset_s\n1\n")
    with pytest.raises(SuiteError, match="'repeats', but this load is 'trace'; use requests or duration instead"):
        load(tmp_path, "{arrival: trace, trace: t.csv, repeats: 2}")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("quota: {requests_per_minute: 1.0e-300}", "quota.requests_per_minute: must be at least 0.01, got 1e-300"),
        ("quota: {tokens_per_minute: 1.0e+300}", "quota.tokens_per_minute: must be at most 1,000,000,000,000, got"),
        ("quota: {tokens_per_minute: .nan}", "quota.tokens_per_minute: expected a number, got"),
        ("quota: {tokens_per_minute: .inf}", "quota.tokens_per_minute: expected a number, got"),
        ("timeouts: {total: 999999999999h}", "timeouts.total: must be at most 8,784h (a year), got 999999999999h"),
        ("retries: {max_attempts: 2, cap: 9999h}", "retries.cap: must be at most 8,784h (a year), got 9999h"),
        ("slo: {ttft: 9999h}", "slo.ttft: must be at most 8,784h (a year), got 9999h"),
        (
            "synthetic: {prompts: 9, input_tokens: {mean: 9, min: 1000000000}}",
            "synthetic.input_tokens.min: must be at most 1,000,000, got 1000000000",
        ),
        (
            "synthetic: {prompts: 100000, input_tokens: {mean: 9, min: 900000}}",
            "synthetic.prompts: about 360,000 MB of generated text is more than the 400 MB allowed",
        ),
    ],
)
def test_a_bound_that_nothing_would_end_within_is_refused(tmp_path: Path, section: str, told: str) -> None:
    (tmp_path / "x.yaml").write_text(f"{HEAD}{section}\n", encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        load_suite(tmp_path / "x.yaml")
    assert [True] == [each.startswith(f"{tmp_path / 'x.yaml'}:4: {told}") for each in caught.value.mistakes], caught


def test_a_quota_of_tokens_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(HEAD + "quota: {tokens_per_minute: 9000}\n", encoding="utf-8")
    assert Quota(tokens_per_minute=9000.0) == load_suite(tmp_path / "x.yaml").quota
