"""Two workers on a Ray cluster against two local ones, and what becomes of the plan when a node is killed.

    python benchmarks/ray_scaling.py                  # client anthropic, which costs the most CPU a request
    python benchmarks/ray_scaling.py --pairs 5 --kills 3

The cluster is Ray's own helper: a head and two nodes on this machine, whose idle processes run during the local runs as
well. Runs alternate, local, Ray, local, Ray, and the ratio is taken pair by pair, since server, workers and Ray share
the machine's cores. Goal: at least 0.9. Then the requests that the nodes recorded are compared with the plan, of whole
runs, and of runs of which one node was killed or which were killed themselves and resumed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from measure import print_table
from scaling import rate
from truth import truth_server

from harness.load.cluster.cluster import ENVIRONMENT, LOOPBACK, OBJECT_STORE_BYTES
from harness.load.plan import make_plan
from harness.store.run_folder import RunFolder

SUITE = """\
suite: nodes
targets: [{model: claude-haiku-4-5, routing: [global, us], api: converse}]
load: {concurrency: 20, repeats: 400, warmup: 20}
prompts: [{id: a, prompt: Say a.}]
"""
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 200, "health_check_failure_threshold": 3}
LONGEST_S = 180.0


class Nodes:
    """The cluster."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address: str = cluster.address
        self._nodes = [self._add(), self._add()]

    def _add(self) -> Any:
        return self._cluster.add_node(num_cpus=2, object_store_memory=OBJECT_STORE_BYTES, node_ip_address=LOOPBACK)

    def kill_one(self) -> None:
        self._cluster.remove_node(self._nodes.pop(0), allow_graceful=False)

    def replace(self) -> None:
        self._nodes.append(self._add())


@contextmanager
def ray_cluster() -> Iterator[Nodes]:
    """A head without CPUs and two nodes with two each."""
    os.environ.update(ENVIRONMENT)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": LOOPBACK, "_system_config": QUICK}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "object_store_memory": OBJECT_STORE_BYTES})
    try:
        yield Nodes(cluster)
    finally:
        cluster.shutdown()


def send(folder: Path, url: str, nodes: Nodes, kill: str = "") -> Path:
    """Send the suite from two nodes. `kill`: `node`, or `main` (this end), which is then resumed; returns the run."""
    (folder / "nodes.yaml").write_text(SUITE)
    options = ("--endpoint", url, "--ray", nodes.address, "--workers", "2", "--quiet", "--figures", "errors")
    command = [sys.executable, "-m", "harness", "run"]
    with subprocess.Popen([*command, "nodes.yaml", *options], cwd=folder, stdout=subprocess.DEVNULL) as child:
        if kill:
            _wait_for_rows(folder, child)
        if kill == "node":
            nodes.kill_one()
        elif kill == "main":
            child.kill()
        child.wait(LONGEST_S)
    if kill == "main":
        subprocess.run([*command, "--resume", "latest", *options], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    (run,) = (folder / "results").glob("*/")
    return run


def _wait_for_rows(folder: Path, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + LONGEST_S
    while child.poll() is None and time.monotonic() < end:
        sizes = [path.stat().st_size for path in folder.glob("results/*/attempts*.jsonl")]
        if len(sizes) == 2 and min(sizes) > 50_000:
            return
        time.sleep(0.05)
    raise SystemExit("the run ended before it could be killed")


def count(run: Path) -> tuple[int, int, int, int, int]:
    """Requests of the plan; answered once; answered more than once; never answered; attempts that were cancelled."""
    folder = RunFolder(run)
    plan = make_plan(folder.read_suite(), seed=folder.read_manifest().seed)
    planned = {each.request_id for one in plan for each in one.requests}
    rows = duckdb.execute(
        "SELECT request_id, count(*) FILTER (ok), count(*) FILTER (error_kind = 'cancelled') FROM read_parquet(?) "
        "GROUP BY request_id",
        [str(folder.attempts_path)],
    ).fetchall()
    times = {request: answers for request, answers, _ in rows}
    if times.keys() - planned:
        raise SystemExit(f"not in the plan: {sorted(times.keys() - planned)}")
    once, more = (sum(is_so(times.get(each, 0)) for each in planned) for is_so in ((1).__eq__, (1).__lt__))
    return len(planned), once, more, len(planned) - once - more, sum(each for *_, each in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", choices=["wire", "aioboto3", "anthropic"], default="anthropic")
    parser.add_argument("--streams", type=int, default=60)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--kills", type=int, default=2, help="of a node, and as many of the command itself")
    asked = parser.parse_args()
    rows, ratios, counts = [], [], []
    load = {"client": asked.client, "streams": asked.streams, "requests": asked.requests, "workers": 2}
    with ray_cluster() as nodes, truth_server(fixed="50ms,0.01ms,100") as server:
        for pair in range(asked.pairs):
            rates = []
            for where, more in (("local", ()), ("Ray", ("--ray", nodes.address))):
                found, cpu_s = rate(server.url, **load, more=more)
                rates.append(found)
                rows.append((str(pair + 1), where, f"{found:.1f}", f"{1e3 * cpu_s:.1f}", ""))
            ratios.append(rates[1] / rates[0])
            rows[-1] = (*rows[-1][:-1], f"{ratios[-1]:.2f}")
        print_table(("pair", "workers", "req/s", "CPU ms a request", "Ray / local"), rows)
        print(f"client {asked.client}: median ratio {median(ratios):.2f} (goal 0.9)\n", flush=True)
        with truth_server(fixed="200ms,2ms,50") as slower:
            for kill in ("", *["node", "main"] * asked.kills):
                with tempfile.TemporaryDirectory() as folder:
                    run = send(Path(folder), slower.url, nodes, kill)
                    counts.append((kill or "nothing", *count(run)))
                if kill == "node":
                    nodes.replace()
    print_table(
        ("killed", "planned", "answered once", "more than once", "never", "cancelled"),
        [tuple(map(str, each)) for each in counts],
    )
    sys.exit(0 if all(planned == once for _, planned, once, *_ in counts) else 1)


if __name__ == "__main__":
    main()
