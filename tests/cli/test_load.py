"""Loads through the command line: the dry run's picture, a trace from a log, and what is rejected before sending."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Harness = Callable[..., Any]
SUITE = """\
suite: x
targets: [{model: claude-haiku-4-5, routing: [global, us]}]
synthetic: {prompts: 5, input_tokens: 50}
"""


def write(folder: Path, more: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(SUITE + more, encoding="utf-8")
    return path


def test_a_dry_run_draws_the_offered_load(harness: Harness, tmp_path: Path) -> None:
    suite = write(tmp_path, "load: {arrival: ramp, rate: 1/s, to: 9/s, duration: 20s}\n")
    done = harness("run", suite, "--dry-run")
    assert 0 == done.returncode, done.stderr
    assert "\n▂▃▃▄▅▅▆▇▇█ 1.5 to 8.5/s to each target, 100 requests in 20 s\n" in done.stdout


def test_a_dry_run_of_a_slow_load_writes_long_times_in_full(harness: Harness, tmp_path: Path) -> None:
    load = "load: {arrival: constant, rate: 1/min, duration: 2h}\nbaseline: claude-haiku-4-5/global/converse\n"
    done = harness("run", write(tmp_path, load + "gate: {ttft_p50: 5%}\n"), "--dry-run")
    assert 0 == done.returncode, done.stderr
    assert "0.0167/s to each target, 120 requests in 7,200 s\n" in done.stdout
    assert " in 1,100 min " in done.stdout
    assert "e+0" not in done.stdout


def test_a_run_that_is_held_back_and_capped_says_so(harness: Harness, tmp_path: Path, bedrock: Any) -> None:
    load = (
        "load: {arrival: poisson, rate: 200/s, requests: 20, max_in_flight: 2}\nquota: {tokens_per_minute: 1000000}\n"
    )
    done = harness("run", write(tmp_path, load), "--endpoint", bedrock.url, "--json")
    summary = json.loads(done.stdout)
    assert [20, 20] == [target["succeeded"] for target in summary["targets"]]
    held = [finding["what"] for finding in summary["findings"] if "max_in_flight (2) held back" in finding["what"]]
    assert 2 == len(held)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("load: {arrival: trace, trace: t.csv}\n", "t.csv:3: comes 2 s before the call of line 2"),
        ("quota: {tokens_per_minute: 900}\n", "input and max_tokens are about 1,074 tokens"),
        (
            "load: {arrival: poisson, rate: 0.0001/s, duration: 1s}\n",
            "no request is due in 1 s",
        ),
    ],
)
def test_what_cannot_be_sent_is_rejected_beforehand(harness: Harness, tmp_path: Path, more: str, message: str) -> None:
    (tmp_path / "t.csv").write_text("offset_s\n3\n1\n")
    done = harness("run", write(tmp_path, more))
    assert (2, True) == (done.returncode, message in done.stderr), done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("repeats", "message"), [(10**9, "--repeats"), (10**7, "--repeats 10000000: the load has about")]
)
def test_more_repeats_than_can_be_planned_are_rejected_at_once(
    command: Any, suite: Path, repeats: int, message: str
) -> None:
    for more in ((), ("--dry-run",)):
        done = command("run", suite, "--repeats", str(repeats), *more)
        assert (2, True) == (done.returncode, message in done.stderr)
    assert not (suite.parent / "results").exists()
