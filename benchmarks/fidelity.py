"""How close the clock is: the harness's stamps, and other load testers', against the server's own.

    python benchmarks/fidelity.py                              # 50, 300 and 1,000 streams, each client
    python benchmarks/fidelity.py --streams 1000 --client wire
    python benchmarks/fidelity.py --streams 300 --llmeter VENV --aiperf VENV --guidellm VENV --tokenizer DIR

The server is `harness simulate` on the second core: 100 chunks, TTFT 200 ms, 15 ms between them; the client has the
first core. `truth` are the server's stamps of the same requests, joined by request id; `error` is what the client adds
to the truth's percentile. The rate is streams / mean E2E from due (Little's law, so that the run's ramps do not count),
a peer's what it reports; `of ideal` is that against streams / the server's answer time. CPU is the client's, over the
load alone; a peer's is that of its process or processes. Goals: wire at 1,000 streams within 5 ms at p99, 97 % of the
ideal rate, 1.5 ms CPU a request. Peers are measured where an environment of theirs is named, each on the same work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from measure import print_table
from peers import Reported, aiperf, guidellm, llmeter
from truth import ANSWER_S, CHUNKS, TruthServer, core, truth_server

APIS = {"wire": ("converse", "invoke", "messages", "openai"), "aioboto3": ("converse",), "anthropic": ("invoke",)}
HEADINGS = (
    "client", "api", "streams", "n", "truth p50", "p50 error", "truth p99", "p99 error", "from due", "E2E p99 error",
    "req/s", "of ideal", "CPU ms", "events/s",
)  # fmt: skip
SUITE = """\
suite: fidelity
targets: [{{model: claude-haiku-4-5, routing: global, api: {api}, client: {client}, label: t}}]
load: {{arrival: closed, concurrency: {streams}, repeats: {repeats}, warmup: {streams}}}
prompts:
{prompts}
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run beside the truth. Seconds; `due_p99_s` is TTFT as the harness reports it, the others count from sent."""

    n: int
    truth_s: np.ndarray
    ttft_s: np.ndarray
    due_s: np.ndarray
    truth_e2e_s: np.ndarray
    e2e_s: np.ndarray
    rate: float
    cpu_s: float

    def row(self, client: str, api: str, streams: int) -> tuple[str, ...]:
        p50, p99 = (np.quantile(self.truth_s, q) for q in (0.5, 0.99))
        ideal = streams / ANSWER_S
        return (
            client, api, str(streams), str(self.n), ms(p50), ms(np.quantile(self.ttft_s, 0.5) - p50), ms(p99),
            ms(np.quantile(self.ttft_s, 0.99) - p99), ms(np.quantile(self.due_s, 0.99) - p99),
            ms(np.quantile(self.e2e_s, 0.99) - np.quantile(self.truth_e2e_s, 0.99)), f"{self.rate:.0f}",
            f"{self.rate / ideal:.1%}", f"{1e3 * self.cpu_s / self.n:.2f}", f"{self.rate * CHUNKS:,.0f}",
        )  # fmt: skip


def ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"


def measure(server: TruthServer, client: str, api: str, streams: int, rounds: int) -> Measured:
    """One run of the real command on the first core, joined with the server's stamps."""
    with tempfile.TemporaryDirectory() as folder:
        count = min(streams, 100)
        prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(count))
        text = SUITE.format(api=api, client=client, streams=streams, repeats=rounds * streams // count, prompts=prompts)
        (Path(folder) / "s.yaml").write_text(text)
        server.reset()
        command = [sys.executable, "-m", "harness", "run", "s.yaml", "--endpoint", server.url, "--quiet"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, core(0))
        )
        if done.returncode not in (0, 4):
            raise SystemExit(done.stderr)
        (run,) = Path(folder, "results").glob("*/")  # beside the index
        return _join(run, server, streams)


def _join(run: Path, server: TruthServer, streams: int) -> Measured:
    truth = {each["request_id"]: each for each in server.requests()}
    manifest = json.loads((run / "manifest.json").read_text())
    origin, (health,) = manifest["origin_monotonic_ns"], manifest["clients"]
    rows = duckdb.execute(
        "SELECT aws_request_id, due_ns, sent_ns, first_ns, done_ns FROM read_parquet(?) WHERE ok AND phase = 'measure'",
        [str(run / "attempts.parquet")],
    ).fetchall()
    due, sent, first, done = (np.array([row[i] + origin for row in rows]) / 1e9 for i in range(1, 5))
    own = [truth[row[0]] for row in rows]
    received, begun, ended = (np.array([each[k] for each in own]) / 1e9 for k in ("received_ns", "first_ns", "done_ns"))
    asked = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(run / "attempts.parquet")]).fetchall()[0][0]
    return Measured(
        n=len(rows),
        truth_s=begun - received,
        ttft_s=first - sent,
        due_s=first - due,
        truth_e2e_s=ended - received,
        e2e_s=done - sent,
        rate=streams / float(np.mean(done - due)),
        cpu_s=health["cpu_share"] * health["wall_ns"] / 1e9 * len(rows) / asked,
    )


def middle_rate(done: np.ndarray) -> float:
    """Completions per second between the 20th and the 80th percentile of the run's time: without ramps at its ends."""
    start, end = np.quantile(done, 0.2), np.quantile(done, 0.8)
    return float(((done > start) & (done <= end)).sum() / (end - start))


def peer_row(server: TruthServer, name: str, streams: int, reported: Reported) -> tuple[str, ...]:
    """What a peer reports beside what the server stamped of the same requests, warm-up and all."""
    own = [each for each in server.requests() if each["first_ns"]]
    truth = np.array([(each["first_ns"] - each["received_ns"]) / 1e9 for each in own])
    e2e = np.array([(each["done_ns"] - each["received_ns"]) / 1e9 for each in own if each["done_ns"]])
    p50, p99 = (np.quantile(truth, q) for q in (0.5, 0.99))
    error = "" if reported.e2e_p99_s is None else ms(reported.e2e_p99_s - np.quantile(e2e, 0.99))
    cpu = "" if reported.cpu_s is None else f"{1e3 * reported.cpu_s / reported.n:.2f}"
    return (
        name, reported.api, str(streams), str(reported.n), ms(p50), ms(reported.ttft_p50_s - p50), ms(p99),
        ms(reported.ttft_p99_s - p99), "", error, f"{reported.rate:.0f}", f"{reported.rate * ANSWER_S / streams:.1%}",
        cpu, f"{reported.rate * CHUNKS:,.0f}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 300, 1000])
    parser.add_argument("--client", nargs="+", choices=list(APIS), default=list(APIS))
    parser.add_argument("--api", help="only this api of the wire client (default: converse)", default="converse")
    parser.add_argument("--rounds", type=int, default=5, help="measured requests a stream")
    parser.add_argument("--llmeter", type=Path, metavar="VENV")
    parser.add_argument("--aiperf", type=Path, metavar="VENV")
    parser.add_argument("--guidellm", type=Path, metavar="VENV")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="for aiperf and guidellm; made where missing")
    asked = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    with truth_server() as server:
        for streams in asked.streams:
            for client in asked.client:
                api = asked.api if client == "wire" else APIS[client][0]
                rows.append(measure(server, client, api, streams, asked.rounds).row(client, api, streams))
                print(*rows[-1], file=sys.stderr)
            for name, peer in (("llmeter", llmeter), ("aiperf", aiperf), ("guidellm", guidellm)):
                if (venv := getattr(asked, name)) is not None:
                    server.reset()
                    reported = peer(server, venv, streams, asked.rounds, tokenizer=asked.tokenizer)
                    rows.append(peer_row(server, name, streams, reported))
                    print(*rows[-1], file=sys.stderr)
    print_table(HEADINGS, rows)
    print("ms unless said otherwise; p50 and p99 are of TTFT from sent, `from due` the p99 of TTFT as reported")


if __name__ == "__main__":
    main()
