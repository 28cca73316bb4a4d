"""What a second worker brings: requests per second of one process against two, where the client is the bottleneck.

    python benchmarks/scaling.py                      # client anthropic, which costs the most CPU a request
    python benchmarks/scaling.py --client aioboto3 --pairs 5

Server and workers share the machine's cores (nothing is pinned), and the server's CPU is told, since on two cores it is
taken from the second worker. Runs alternate, one worker, two, one, two, and the ratio is taken pair by pair. Goal: at
least 1.8.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
from fidelity import middle_rate
from measure import print_table
from truth import truth_server

APIS = {"wire": "converse", "aioboto3": "converse", "anthropic": "invoke"}
SUITE = """\
suite: scaling
targets: [{{model: claude-haiku-4-5, routing: global, api: {api}, client: {client}, label: t}}]
load: {{arrival: closed, concurrency: {streams}, repeats: {repeats}, warmup: {streams}}}
prompts:
{prompts}
"""


def rate(
    url: str, *, client: str, streams: int, requests: int, workers: int, more: Sequence[str] = ()
) -> tuple[float, float]:
    """Requests per second in the middle of one run of the real command, and its CPU seconds a request.

    `more`: options of the command.
    """
    with tempfile.TemporaryDirectory() as folder:
        prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(50))
        text = SUITE.format(api=APIS[client], client=client, streams=streams, repeats=requests // 50, prompts=prompts)
        (Path(folder) / "s.yaml").write_text(text)
        command = ["run", "s.yaml", "--endpoint", url, "--quiet", "--workers", str(workers), *more]
        done = subprocess.run([sys.executable, "-m", "harness", *command], cwd=folder, capture_output=True, text=True)
        if done.returncode not in (0, 4):
            raise SystemExit(done.stderr)
        (run,) = Path(folder, "results").glob("*/")  # beside the index
        found = duckdb.execute(
            "SELECT done_ns / 1e9 FROM read_parquet(?) WHERE ok", [str(run / "attempts.parquet")]
        ).fetchnumpy()
        clients = json.loads((run / "manifest.json").read_text())["clients"]
        cpu_s = sum(each["cpu_share"] * each["wall_ns"] for each in clients) / 1e9
        times = np.asarray(next(iter(found.values())), dtype=float)
        return middle_rate(times), cpu_s / len(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", choices=list(APIS), default="anthropic")
    parser.add_argument("--streams", type=int, default=60)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    rows, ratios = [], []
    with truth_server(fixed="50ms,0.01ms,100") as server:
        for pair in range(asked.pairs):
            rates = []
            for workers in (1, 2):
                before_s = server.cpu_s()
                found, cpu_s = rate(
                    server.url, client=asked.client, streams=asked.streams, requests=asked.requests, workers=workers
                )
                rates.append(found)
                served = f"{1e3 * (server.cpu_s() - before_s) / asked.requests:.1f}"
                rows.append((str(pair + 1), str(workers), f"{found:.1f}", f"{1e3 * cpu_s:.1f}", served, ""))
            ratios.append(rates[1] / rates[0])
            rows[-1] = (*rows[-1][:-1], f"{ratios[-1]:.2f}")
    print_table(("pair", "workers", "req/s", "CPU ms a request", "the server's", "two / one"), rows)
    print(f"client {asked.client}: median ratio {median(ratios):.2f} (goal 1.8)")
    left = 2 - median(float(rate) * float(served) / 1e3 for _, workers, rate, _, served, _ in rows if workers == "2")
    print(f"on two cores the server leaves {left:.2f} to two workers: {median(ratios) / left:.2f} of what there was")


if __name__ == "__main__":
    main()
