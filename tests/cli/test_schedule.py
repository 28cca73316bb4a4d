"""The real command keeps its schedule on a real event loop, whose timers are coarser than the timestamps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.processes import only_run

SUITE = """\
suite: due
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire}
  - {model: claude-haiku-4-5, routing: us, api: converse, client: aioboto3, stream: false}
load: {arrival: poisson, rate: 100/s, duration: 1s, warmup: 20}
retries: {max_attempts: 3, base: 20ms}
prompts: [{id: a, prompt: Say a.}]
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_no_attempt_is_sent_before_it_is_due(harness: Any, make_bedrock: Any, tmp_path: Path, workers: int) -> None:
    bedrock = make_bedrock("--fixed", "5ms,1ms,2", "--throttle-rate", "0.3")
    (tmp_path / "s.yaml").write_text(SUITE)
    harness("run", "s.yaml", "--endpoint", bedrock.url, "--quiet", "--workers", str(workers))
    [counted] = duckdb.execute(
        "SELECT count(*) FILTER (phase = 'warmup') > 0, count(*) FILTER (try_no > 1) > 0, "
        "count(*) FILTER (sent_ns < due_ns) FROM read_parquet(?)",
        [str(only_run(tmp_path) / "attempts.parquet")],
    ).fetchall()
    assert (True, True, 0) == counted
