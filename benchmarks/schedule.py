"""Whether an open schedule is kept: how late requests leave at a high rate, from the raw records.

    python benchmarks/schedule.py                         # 500 requests a second for 20 s, client wire
    python benchmarks/schedule.py --rate 200 --seconds 10

The server is `harness simulate` on the second core with short answers (5 chunks), so that the rate is the load and not
the streams. Lateness is sent − due of every measured request; `early` counts requests, warm-up included, that left
before they were due. CPU is the command's, from start to report. Goals: none early, p99 under 2 ms at 500 requests a
second.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

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


class Kept(NamedTuple):
    """How one run of the real command kept its schedule."""

    late_ms: np.ndarray
    """Sent − due of every measured request."""
    early: int
    """Attempts, warm-up included, that were sent before they were due."""
    cpu_s: float


def run_schedule(url: str, *, client: str, arrival: str, rate: int, seconds: int) -> Kept:
    """One run of the real command on the first core."""
    with tempfile.TemporaryDirectory() as folder:
        prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(50))
        text = SUITE.format(client=client, arrival=arrival, rate=rate, seconds=seconds, prompts=prompts)
        (Path(folder) / "s.yaml").write_text(text)
        before_s = children_cpu_s()
        done = subprocess.run(
            [sys.executable, "-m", "harness", "run", "s.yaml", "--endpoint", url, "--quiet"],
            cwd=folder,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core(0)),
        )
        cpu_s = children_cpu_s() - before_s
        if done.returncode not in (0, 4):
            raise SystemExit(done.stderr)
        (path,) = Path(folder, "results").glob("*/attempts.parquet")
        found = duckdb.execute("SELECT phase, (sent_ns - due_ns) / 1e6 AS ms FROM read_parquet(?)", [str(path)])
        rows = found.fetchnumpy()
        late_ms = np.asarray(rows["ms"], dtype=float)
        return Kept(late_ms[np.asarray(rows["phase"]) == "measure"], int((late_ms < 0).sum()), cpu_s)


def children_cpu_s() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--client", default="wire")
    asked = parser.parse_args()
    rows = []
    with truth_server(fixed="50ms,5ms,5") as server:
        for arrival in ("constant", "poisson"):
            kept = run_schedule(
                server.url, client=asked.client, arrival=arrival, rate=asked.rate, seconds=asked.seconds
            )
            late = kept.late_ms
            quantiles = [f"{np.quantile(late, q):.2f}" for q in (0.5, 0.9, 0.99, 0.999)]
            goal = f"{np.quantile(late, 0.99) / GOAL_MS:.2f}"
            counted = (f"{asked.rate}/s", str(len(late)), str(kept.early), f"{late.min():.3f}")
            rows.append((arrival, *counted, *quantiles, f"{late.max():.2f}", goal, f"{kept.cpu_s:.1f}"))
    headings = ("arrival", "rate", "n", "early", "late min", "p50", "p90", "p99", "p99.9", "max", "p99 / goal", "CPU s")
    print_table(headings, rows)
    print(f"lateness (sent − due) in ms; goal: p99 {GOAL_MS:g} ms, none early")


if __name__ == "__main__":
    main()
