"""The real command against a server whose capacity is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.canary import NO_CREDENTIALS
from tests.processes import only_run

SUITE = """\
suite: swept
targets: [{model: claude-haiku-4-5, routing: [us, global], api: converse, client: wire}]
slo: {ttft: 160ms}
prompts: [{id: a, prompt: Say a., expect: a}, {id: b, prompt: Say b., expect: b}]
"""
QUICK = ("--by", "concurrency", "--from", "4", "--to", "12", "--percentile", "90", "--requests", "36")


def test_the_knee_is_where_the_capacity_ends(harness: Any, make_bedrock: Any, tmp_path: Path) -> None:
    bedrock = make_bedrock("--fixed", "100ms,1ms,3", "--capacity", "us=4", "--capacity", "global=1000")
    (tmp_path / "s.yaml").write_text(SUITE)
    done = harness("sweep", "s.yaml", "--endpoint", bedrock.url, *QUICK, "--quiet")
    assert (0, "") == (done.returncode, done.stderr)
    run = only_run(tmp_path)
    report = json.loads((run / "sweep.json").read_text())
    us, everywhere = report["targets"]
    assert ("found", "at_least") == (us["ending"], everywhere["ending"])
    assert (12.0, None) == (everywhere["met"], everywhere["missed"])
    assert 4 <= us["met"] < us["missed"] <= 8
    assert "SIMULATED" in done.stdout
    assert "claude-haiku-4-5/global/converse meets the SLO up to the top of the sweep, 12 streams" in done.stdout
    assert f"claude-haiku-4-5/us/converse meets the SLO up to {us['met']:g} streams; at {us['missed']:g}" in done.stdout
    assert "sweep" == json.loads((run / "manifest.json").read_text())["kind"]
    assert {"sweep.json", "sweep.md", "attempts.parquet", "plots"} <= {path.name for path in run.iterdir()}
    reported = harness("report", run)
    assert (2, True) == (reported.returncode, "is a sweep" in reported.stderr)
    assert "holds no runs" in harness("report").stderr
    early = [step["outcome"] for step in us["steps"] if step["outcome"]["ended_early"]]
    assert early
    assert all(each["requests"] - each["good"] > 3 for each in early)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--slo-ttft", "2"), "error: --slo-ttft 2: '2' has no unit"),
        (("--requests", "20"), "error: --requests 20: the 95th percentile needs at least 72 requests a step"),
        (("--by", "rte"), "Invalid value for '--by': 'rte' is not one of rate, concurrency"),
        (("--from", "8", "--to", "4"), "--from 8 is above --to 4; start lower, or raise --to"),
        (("--to", "nan"), "Invalid value for '--to'"),
        (("--from", "nan"), "Invalid value for '--from'"),
        (("--percentile", "nan"), "Invalid value for '--percentile'"),
        (("--resolution", "nan"), "Invalid value for '--resolution'"),
        (("--to", "20000"), "error: --to 20000 is more than a client can send; use at most 10,000"),
        (("--step-time", "2h"), "error: --step-time 2h: a step lasts at most 1 h"),
        (("--step-time", "999999999h"), "error: --step-time 999999999h: must be at most 8,784h (a year)"),
        (("--to", "9999", "--step-time", "1h"), "error: --to 9999: a step at that level takes 35,996,400 requests"),
        (("--budget", "nan"), "error: --budget nan: must be finite and more than 0"),
        (("--budget", "inf"), "error: --budget inf: must be finite and more than 0"),
        (("--target", "claude-haiku-4-5/us/convers"), "did you mean 'claude-haiku-4-5/us/converse'?"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_sent(command: Any, tmp_path: Path, options: Any, message: str) -> None:
    (tmp_path / "s.yaml").write_text(SUITE)
    done = command("sweep", "s.yaml", *options)
    assert 2 == done.returncode
    assert message in done.stderr
    assert not (tmp_path / "results").exists()


def test_without_an_slo_a_sweep_is_rejected(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SUITE.replace("slo: {ttft: 160ms}\n", ""))
    done = harness("sweep", "s.yaml")
    assert 2 == done.returncode
    assert "has no slo, so a sweep has nothing to meet" in done.stderr


def test_a_target_that_rejects_everything_is_swept_only_once(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SUITE)
    done = harness("sweep", "s.yaml", "--endpoint", "http://127.0.0.1:9", "--from", "64", "--quiet")
    assert 4 == done.returncode
    report = json.loads((only_run(tmp_path) / "sweep.json").read_text())
    assert [("refused", 1)] * 2 == [(each["ending"], len(each["steps"])) for each in report["targets"]]
    assert "claude-haiku-4-5/us/converse answered no requests" in done.stdout
    assert "every request failed, most often with connection" in done.stdout


def test_the_doctor_checks_before_a_sweep_against_aws(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SUITE)
    nowhere = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    looked, went = (
        harness("sweep", "s.yaml", "--endpoint", "aws", *more, **nowhere, **NO_CREDENTIALS)
        for more in ((), ("--no-preflight",))
    )
    assert (2, 2) == (looked.returncode, went.returncode)
    assert "error: no AWS credentials were found; set AWS_PROFILE" in looked.stderr
    assert "error: client wire:" in went.stderr
    assert not (tmp_path / "results").exists()


def test_the_suites_own_quota_is_named_as_the_bound(harness: Any, make_bedrock: Any, tmp_path: Path) -> None:
    bedrock = make_bedrock("--fixed", "20ms,1ms,3")
    one = SUITE.replace("[us, global]", "us").replace("slo:", "quota: {requests_per_minute: 3000}\nslo:")
    (tmp_path / "s.yaml").write_text(one)
    options = ("--from", "64", "--to", "64", "--resolution", "100", "--step-time", "1s", *QUICK[6:])
    done = harness("sweep", "s.yaml", "--endpoint", bedrock.url, *options, "--quiet", "--slo-ttft", "2s")
    assert (0, "") == (done.returncode, done.stderr)
    assert "at 64 req/s it does not (the suite's quota sustains 50.0 req/s)" in done.stdout
    assert "it sets the limit, and the endpoint may handle more; raise or remove the quota" in done.stdout
    assert "took less than a minute" not in done.stdout


def test_steps_too_short_for_a_quota_of_the_endpoint_say_so(harness: Any, make_bedrock: Any, tmp_path: Path) -> None:
    bedrock = make_bedrock("--fixed", "20ms,1ms,3", "--tokens-per-minute", "100000")
    (tmp_path / "s.yaml").write_text(SUITE)
    options = ("--from", "32", "--to", "32", "--step-time", "1s", *QUICK[6:])
    done = harness("sweep", "s.yaml", "--endpoint", bedrock.url, *options, "--quiet", "--slo-ttft", "2s")
    assert (0, "") == (done.returncode, done.stderr)
    assert "took less than a minute and nothing was throttled" in done.stdout
    assert "sweep with --step-time 120s or longer" in done.stdout
