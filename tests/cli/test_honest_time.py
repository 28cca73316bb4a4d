"""An invalid run says so (a starved client), and a stalled server shows in the latencies."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.processes import only_run, wait_until

STARVED = """\
suite: starved
targets: [{model: claude-haiku-4-5, routing: global, api: converse, client: wire}]
load: {arrival: constant, rate: 40/s, duration: 2s, warmup: 20}
prompts: [{id: a, prompt: Say a.}]
"""
STALLED = """\
suite: stalled
targets: [{model: claude-haiku-4-5, routing: global, api: converse, client: wire}]
load: {arrival: constant, rate: 100/s, duration: 3s, max_in_flight: 2, warmup: 20}
prompts: [{id: a, prompt: Say a.}]
"""


@pytest.mark.alone
def test_a_starved_client_says_that_it_was_the_bottleneck(
    start_harness: Any, make_bedrock: Any, tmp_path: Path
) -> None:
    bedrock = make_bedrock("--fixed", "50ms,1ms,5")
    (tmp_path / "s.yaml").write_text(STARVED)
    child = start_harness("run", "s.yaml", "--endpoint", bedrock.url, "--quiet")
    wait_until(lambda: [path for path in tmp_path.glob("results/*/attempts.jsonl") if path.stat().st_size])
    child.send_signal(signal.SIGSTOP)
    time.sleep(1.0)  # starves the client
    child.send_signal(signal.SIGCONT)
    out, _ = child.communicate(timeout=60)
    assert 4 == child.returncode
    assert "the client was a bottleneck" in out
    assert "INVALID: This run is invalid" in out


@pytest.mark.alone
def test_a_stall_of_two_seconds_shows_in_p99_from_due_and_not_from_sent(
    harness: Any, make_bedrock: Any, tmp_path: Path
) -> None:
    bedrock = make_bedrock("--fixed", "5ms,1ms,2", "--stall", "500ms,2s")
    (tmp_path / "s.yaml").write_text(STALLED)
    done = harness("run", "s.yaml", "--endpoint", bedrock.url, "--quiet")
    assert 4 == done.returncode, done.stderr
    (target,) = json.loads((only_run(tmp_path) / "summary.json").read_text())["targets"]
    assert 300 == target["succeeded"]
    assert target["ttft_s"]["p99"]["value"] > 1.5
    assert target["ttft_from_sent_s"]["p99"]["value"] < 1.0
    assert "the client fell behind its schedule" in done.stdout
    assert "max_in_flight (2) held back" in done.stdout
