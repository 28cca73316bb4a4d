"""Whether an open schedule is kept: how late requests leave at a high rate, from the raw records.

    python benchmarks/schedule.py                         # 500 requests a second for 20 s, client wire
    python benchmarks/schedule.py --rate 200 --seconds 10

The server is `harness simulate` on the second core with short answers (5 chunks), so that the rate is the load and not
the streams. Lateness is sent − due of every measured request. Goal: p99 under 2 ms at 500 requests a second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
from measure import print_table
from truth import core, truth_server

SUITE = """\
suite: schedule
targets: [{{model: claude-haiku-4-5, routing: global, api: converse, client: {client}, label: t}}]
load: {{arrival: {arrival}, rate: {rate}/s, duration: {seconds}s, warmup: {rate}}}
prompts:
{prompts}
"""
GOAL_MS = 2.0


def lateness_ms(url: str, *, client: str, arrival: str, rate: int, seconds: int) -> np.ndarray:
    """Sent − due of every measured request of one run of the real command on the first core, ms."""
    with tempfile.TemporaryDirectory() as folder:
        prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(50))
        text = SUITE.format(client=client, arrival=arrival, rate=rate, seconds=seconds, prompts=prompts)
        (Path(folder) / "s.yaml").write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "harness", "run", "s.yaml", "--endpoint", url, "--quiet"],
            cwd=folder,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core(0)),
        )
        if done.returncode not in (0, 4):
            raise SystemExit(done.stderr)
        (path,) = Path(folder, "results").glob("*/attempts.parquet")
        found = duckdb.execute(
            "SELECT (sent_ns - due_ns) / 1e6 FROM read_parquet(?) WHERE phase = 'measure'", [str(path)]
        ).fetchnumpy()
        return np.asarray(next(iter(found.values())), dtype=float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--client", default="wire")
    asked = parser.parse_args()
    rows = []
    with truth_server(fixed="50ms,5ms,5") as server:
        for arrival in ("constant", "poisson"):
            late = lateness_ms(server.url, client=asked.client, arrival=arrival, rate=asked.rate, seconds=asked.seconds)
            quantiles = [f"{np.quantile(late, q):.2f}" for q in (0.5, 0.9, 0.99, 0.999)]
            goal = f"{np.quantile(late, 0.99) / GOAL_MS:.2f}"
            rows.append((arrival, f"{asked.rate}/s", str(len(late)), *quantiles, f"{late.max():.2f}", goal))
    print_table(("arrival", "rate", "n", "late p50", "p90", "p99", "p99.9", "max", "p99 / goal of 2 ms"), rows)
    print("lateness (sent − due) in ms")


if __name__ == "__main__":
    main()
