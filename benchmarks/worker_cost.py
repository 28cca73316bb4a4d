"""What one worker costs: CPU a request and an event, memory a stream, bytes an attempt. The figures of docs/scale.md.

    python benchmarks/worker_cost.py
    python benchmarks/worker_cost.py --client aioboto3 --rounds 3
    python benchmarks/worker_cost.py --streams 500 2000 --chunks 1 50

The real command on the first core against `harness simulate` on the second. CPU is the client's over the load alone,
for answers of several lengths at a fixed number of streams; a line through them gives the cost of a request and of an
event. Memory is the most that the process has resident while it sends, at several numbers of streams that all wait for
their first byte; a line through them gives the cost of a stream.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from measure import print_table
from truth import core, truth_server

from harness.store.parquet import count_rows

APIS = {"wire": "converse", "aioboto3": "converse", "anthropic": "invoke"}
CPU_STREAMS, REQUESTS = 200, 2_000
SUITE = """\
suite: worker-cost
targets: [{{model: claude-haiku-4-5, routing: global, api: {api}, client: {client}, label: t}}]
load: {{arrival: closed, concurrency: {streams}, repeats: {repeats}}}
prompts:
{prompts}
"""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One load. `resident_mb`: the most while it was sent; the sizes are of all attempts, bytes."""

    attempts: int
    cpu_s: float
    resident_mb: float
    journal: int
    parquet: int


def send(url: str, *, client: str, streams: int, requests: int) -> Sent:
    """One run of the real command on the first core."""
    with tempfile.TemporaryDirectory() as folder:
        prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(50))
        text = SUITE.format(
            api=APIS[client], client=client, streams=streams, repeats=-(-requests // 50), prompts=prompts
        )
        (Path(folder) / "s.yaml").write_text(text)
        command = [sys.executable, "-m", "harness", "run", "s.yaml", "--endpoint", url, "--quiet"]
        with subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, core(0)),
        ) as child:
            resident_mb, journal = _watch(child, Path(folder))
        if child.returncode not in (0, 4):
            raise SystemExit(f"harness run ended with {child.returncode}")
        (parquet,) = Path(folder).glob("results/*/attempts.parquet")
        (health,) = json.loads(parquet.with_name("manifest.json").read_text())["clients"]
        return Sent(
            attempts=count_rows(parquet)[0],
            cpu_s=health["cpu_share"] * health["wall_ns"] / 1e9,
            resident_mb=resident_mb,
            journal=journal,
            parquet=parquet.stat().st_size,
        )


def _watch(child: subprocess.Popen[bytes], folder: Path) -> tuple[float, int]:
    """(Most resident MB, bytes of journal) until the load is stored."""
    most, journal, page_mb = 0.0, 0, os.sysconf("SC_PAGE_SIZE") / 1e6
    while child.poll() is None and not any(folder.glob("results/*/attempts.parquet")):
        try:
            pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
            journal = max(journal, sum(each.stat().st_size for each in folder.glob("results/*/*.jsonl")))
        except (OSError, IndexError):  # it has ended, or the journal has become Parquet
            continue
        most = max(most, pages * page_mb)
        time.sleep(0.02)
    return most, journal


def cost_of_answers(client: str, lengths: Sequence[int], rounds: int) -> None:
    """CPU and bytes of attempts by the number of their chunks."""
    rows, cpu_us = [], []
    for chunks in lengths:
        with truth_server(fixed=f"200ms,15ms,{chunks}") as server:
            loads = [send(server.url, client=client, streams=CPU_STREAMS, requests=REQUESTS) for _ in range(rounds)]
        cpu_us.append(median(1e6 * load.cpu_s / load.attempts for load in loads))
        last = loads[-1]
        sizes = (f"{size / last.attempts:,.0f}" for size in (last.journal, last.parquet))
        rows.append((str(chunks), f"{cpu_us[-1]:,.0f}", f"{1e6 / cpu_us[-1]:,.0f}", *sizes))
    print(f"client {client}, {CPU_STREAMS} streams, {REQUESTS:,} requests, median of {rounds}")
    print_table(("chunks", "µs CPU", "requests/s a core", "journal bytes", "Parquet bytes"), rows)
    event_us, request_us = np.polyfit(lengths, cpu_us, 1)
    print(f"a request {request_us:,.0f} µs, an event {event_us:.1f} µs: {1e6 / event_us:,.0f} events/s a core\n")


def memory_of_streams(client: str, counts: Sequence[int]) -> None:
    """Resident memory by the number of streams that wait at once."""
    with truth_server(fixed="4000ms,1ms,10") as server:
        most = [send(server.url, client=client, streams=streams, requests=streams).resident_mb for streams in counts]
    print_table(("streams", "resident MB"), [(f"{n:,}", f"{mb:.0f}") for n, mb in zip(counts, most, strict=True)])
    stream_mb, base_mb = np.polyfit(counts, most, 1)
    print(f"a worker {base_mb:.0f} MB, a stream {1e3 * stream_mb:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", choices=list(APIS), default="wire")
    parser.add_argument("--chunks", type=int, nargs="+", default=[1, 10, 100, 300])
    parser.add_argument("--streams", type=int, nargs="+", default=[100, 1000, 3000])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    cost_of_answers(asked.client, asked.chunks, asked.rounds)
    memory_of_streams(asked.client, asked.streams)


if __name__ == "__main__":
    main()
