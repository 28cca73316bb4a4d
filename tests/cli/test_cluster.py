"""A load sent from the nodes of a Ray cluster: the same plan, journaled here while it runs, and no request lost."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.load.cluster.cluster import ENVIRONMENT, LOOPBACK, OBJECT_STORE_BYTES
from harness.load.plan import make_plan
from harness.store.run_folder import RunFolder
from tests.cli.conftest import Bedrock, environment
from tests.processes import descendants, is_running, only_run, wait_for_attempts, wait_until

SLOW = """\
suite: slow
targets: [{model: claude-haiku-4-5, routing: global, api: converse}]
load: {concurrency: 8, repeats: 48, warmup: 2}
prompts: [{id: a, prompt: Say a., expect: a}]
"""
OPEN = """\
suite: open
targets: [{model: claude-haiku-4-5, routing: global, api: converse}]
load: {arrival: constant, rate: 20/s, requests: 40}
prompts: [{id: a, prompt: Say a.}, {id: b, prompt: Say b.}]
"""
HASTY = """\
import sys
from contextlib import ExitStack
from pathlib import Path
from harness.cli.options import RunContext
from harness.cli.running.overrides import Overrides, load_for_run
from harness.cli.running.send_load import send_load
from harness.load.cluster.pool import open_cluster_pool

suite = load_for_run(Path(sys.argv[1]), Overrides(endpoint=sys.argv[2]))
with ExitStack() as locks:
    open_pool = lambda url, stop: open_cluster_pool(suite, url, sys.argv[3], workers=4, replace_s=1.0)
    send_load(suite, RunContext(), open_pool, locks=locks)
"""
"""Sends a suite from four workers of a cluster; the part of a lost node waits one second for a free CPU."""
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 200, "health_check_failure_threshold": 3}
"""How soon a node is taken for lost: Ray's own values make that a quarter of a minute."""


class Nodes:
    """A cluster of this machine: a head without CPUs, and two nodes with two each."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address: str = cluster.address

    def add(self, *, address: str = LOOPBACK, wait: bool = True, **environment: str) -> Any:
        return self._cluster.add_node(
            wait=wait, num_cpus=2, object_store_memory=OBJECT_STORE_BYTES, node_ip_address=address, env_vars=environment
        )

    def replace_lost(self) -> None:
        """Add nodes until there are two again."""
        for _ in range(2 - len(self._cluster.worker_nodes)):
            self.add()

    def remove(self, node: Any) -> None:
        """Kill the processes of a node."""
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_one_that_sends(self) -> None:
        for node in list(self._cluster.worker_nodes):
            raylets = node.all_processes["raylet"]
            if any(map(workers_of, (each.process.pid for each in raylets))):
                self.remove(node)
                return
        raise AssertionError("no node has a worker")


@contextmanager
def alone() -> Iterator[None]:
    """One cluster at a time, whichever of pytest's processes has it."""
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    """Two nodes, whatever became of those of the test before."""
    cluster.replace_lost()
    return cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with alone(), pytest.MonkeyPatch.context() as environment_of_nodes:
        for name, value in ENVIRONMENT.items():
            environment_of_nodes.setenv(name, value)
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": LOOPBACK, "_system_config": QUICK}
        started = Cluster(initialize_head=True, head_node_args={**head, "object_store_memory": OBJECT_STORE_BYTES})
        try:
            made = Nodes(started)
            made.add(wait=False)
            made.add()
            started.wait_for_nodes()
            yield made
        finally:
            started.shutdown()


def workers_of(pid: int) -> list[int]:
    """The harness's workers among the descendants of a process."""

    def is_worker(child: int) -> bool:
        try:
            return "harness.load.workers.worker" in Path(f"/proc/{child}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    return list(filter(is_worker, descendants(pid)))


def journaled(folder: Path, workers: int = 2) -> bool:
    journals = list(folder.glob("results/*/attempts*.jsonl"))
    return len(journals) == workers and all(journal.read_bytes().count(b"\n") > 2 for journal in journals)


def query(run: Path, sql: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(sql.replace("ATTEMPTS", f"read_parquet('{run / 'attempts.parquet'}')")).fetchall()


def plan_of(run: Path) -> list[tuple[Any, ...]]:
    rounds = make_plan(RunFolder(run).read_suite(), seed=RunFolder(run).read_manifest().seed)
    planned = (each for one in rounds for each in one.requests)
    return sorted((each.request_id, each.target, each.prompt_id, each.repeat, each.phase) for each in planned)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / "slow.yaml"
    path.write_text(SLOW)
    return path


def test_a_local_cluster_keeps_one_schedule_lets_nobody_else_in_and_ends_with_the_run(
    start_harness: Any, bedrock: Bedrock, tmp_path: Path
) -> None:
    (tmp_path / "open.yaml").write_text(OPEN)
    child = start_harness("run", "open.yaml", "--endpoint", bedrock.url, "--ray", "local", "--workers", "2", "--quiet")
    wait_for_attempts(tmp_path, child)
    family = descendants(child.pid)
    (server,) = [pid for pid in family if Path(f"/proc/{pid}/comm").read_text().strip() == "gcs_server"]
    variables = Path(f"/proc/{server}/environ").read_bytes().split(b"\0")
    assert b"RAY_AUTH_MODE=token" in variables
    assert 1 == sum(each.startswith(b"RAY_AUTH_TOKEN=") for each in variables)  # not the user's own, in a file
    out, err = child.communicate(timeout=60)
    assert child.returncode in (0, 4), out + err
    assert not any(map(is_running, family))
    run = only_run(tmp_path)
    offsets_s = {each.requests[0].request_id: each.offset_s for each in make_plan(RunFolder(run).read_suite(), seed=1)}
    rows = query(run, "SELECT request_id, due_ns, sent_ns FROM ATTEMPTS ORDER BY ALL")
    assert sorted(offsets_s) == [request for request, *_ in rows]
    starts_ns = [due_ns - int((offsets_s[request] or 0) * 1e9) for request, due_ns, _ in rows]
    apart_ns = sum(each.node_clock.uncertainty_ns for each in RunFolder(run).read_manifest().clients if each.node_clock)
    assert max(starts_ns) - min(starts_ns) <= apart_ns
    assert all(sent_ns >= due_ns for _, due_ns, sent_ns in rows)


def test_two_nodes_send_exactly_the_plan(
    process: Any, suite: Path, nodes: Nodes, bedrock: Bedrock, tmp_path: Path
) -> None:
    line = ("run", suite, "--endpoint", bedrock.url, "--ray", nodes.address, "--workers", "2", "--quiet", "--json")
    done = process(*line)
    assert done.returncode in (0, 4), done.stderr
    assert "" == done.stderr
    assert json.loads(done.stdout)["suite"] == "tiny"
    run = only_run(tmp_path)
    assert plan_of(run) == query(run, "SELECT request_id, target, prompt_id, repeat, phase FROM ATTEMPTS ORDER BY ALL")
    assert [(0,)] == query(run, "SELECT count(*) FROM ATTEMPTS WHERE NOT ok OR sent_ns < due_ns OR first_ns < sent_ns")
    clients = RunFolder(run).read_manifest().clients
    assert [0, 1] == [each.worker for each in clients]
    for each in clients:
        assert each.lag_samples > 0
        assert each.node_clock is not None
        assert abs(each.node_clock.ahead_ns) <= each.node_clock.uncertainty_ns  # one machine, one clock
    assert not list(run.glob("*.jsonl"))


def test_ctrl_c_finishes_what_every_node_has_in_flight(
    start_harness: Any, slow: Path, nodes: Nodes, bedrock: Bedrock, tmp_path: Path
) -> None:
    child = start_harness("run", slow, "--endpoint", bedrock.url, "--ray", nodes.address, "--workers", "2")
    wait_until(lambda: journaled(tmp_path))
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert 130 == child.returncode, err
    run = only_run(tmp_path)
    ((ok, rows),) = query(run, "SELECT count(*) FILTER (ok), count(*) FROM ATTEMPTS")
    assert 0 < ok == rows < len(plan_of(run))


def test_when_this_process_is_killed_its_workers_end_and_resuming_completes_the_run(
    start_harness: Any, harness: Any, slow: Path, nodes: Nodes, bedrock: Bedrock, tmp_path: Path
) -> None:
    child = start_harness("run", slow, "--endpoint", bedrock.url, "--ray", nodes.address, "--workers", "2", "--quiet")
    wait_until(lambda: journaled(tmp_path))
    workers = workers_of(os.getpid())
    assert 2 == len(workers)
    child.kill()
    child.wait()
    wait_until(lambda: not any(map(is_running, workers)))
    run = only_run(tmp_path)
    kept = [json.loads(line)["attempt_id"] for path in run.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert kept
    done = harness("run", "--resume", run, "--endpoint", bedrock.url, "--quiet")
    assert done.returncode in (0, 4), done.stderr
    recorded = query(run, "SELECT attempt_id, request_id FROM ATTEMPTS WHERE ok")
    assert set(kept) <= {attempt for attempt, _ in recorded}
    assert [each[0] for each in plan_of(run)] == sorted(request for _, request in recorded)


def test_more_workers_than_the_cluster_has_cpus_are_rejected(process: Any, slow: Path, nodes: Nodes) -> None:
    done = process("run", slow, "--ray", nodes.address, "--workers", "5", "--quiet")
    assert 2 == done.returncode
    assert done.stderr.startswith("error: --workers 5: each needs a CPU of the Ray cluster, which has 4 (")
    assert 1 == len(done.stderr.splitlines())


def test_what_a_lost_node_had_not_completed_is_sent_from_another(
    start_harness: Any, slow: Path, nodes: Nodes, bedrock: Bedrock, tmp_path: Path
) -> None:
    line = ("--endpoint", bedrock.url, "--ray", nodes.address, "--workers", "2", "--quiet", "--budget", "1")
    child = start_harness("run", slow, *line)
    wait_until(lambda: journaled(tmp_path))
    nodes.kill_one_that_sends()
    out, err = child.communicate(timeout=60)
    assert child.returncode in (0, 4), err
    assert ("", True) == (err, out.startswith("SIMULATED"))  # Ray prints nothing
    run = only_run(tmp_path)
    rows = query(run, "SELECT request_id, try_no, ok, error_kind FROM ATTEMPTS ORDER BY ALL")
    assert [each[0] for each in plan_of(run)] == [request for request, _, ok, _ in rows if ok]
    cancelled = [request for request, _, ok, _ in rows if not ok]
    assert {"cancelled"} == {kind for *_, ok, kind in rows if not ok}
    assert Counter(cancelled) == Counter(request for request, number, ok, _ in rows if ok and number == 2)
    (lost,) = [each for client in RunFolder(run).read_manifest().clients for each in client.lost_nodes]
    assert len(cancelled) == lost.cancelled
    assert lost.paused_ns is not None
    assert f"its node was lost {lost.at_ns / 1e9:.0f} s into the run with {lost.cancelled} requests in flight" in out


def test_without_a_free_cpu_the_others_finish_what_they_have_in_flight_and_resuming_completes_the_run(
    harness: Any, slow: Path, nodes: Nodes, bedrock: Bedrock, tmp_path: Path
) -> None:
    line = [sys.executable, "-c", HASTY, slow, bedrock.url, nodes.address]
    with subprocess.Popen(line, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        try:
            wait_until(lambda: journaled(tmp_path, 4))
            nodes.kill_one_that_sends()
            _, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert 0 == child.returncode, err
    run = only_run(tmp_path)
    manifest = RunFolder(run).read_manifest()
    assert "interrupted" == manifest.state
    told = "the run ended early: a node of the cluster was lost, and no other had a free CPU for its part"
    assert [told] == [each.what for each in manifest.findings]
    assert [None, None] == [each.paused_ns for client in manifest.clients for each in client.lost_nodes]
    assert {"cancelled"} == {kind for (kind,) in query(run, "SELECT error_kind FROM ATTEMPTS WHERE NOT ok")}
    done = harness("run", "--resume", run, "--endpoint", bedrock.url, "--quiet")
    assert done.returncode in (0, 4), done.stderr
    recorded = query(run, "SELECT request_id FROM ATTEMPTS WHERE ok ORDER BY ALL")
    assert [each[0] for each in plan_of(run)] == [request for (request,) in recorded]


@pytest.fixture
def stranger(nodes: Nodes, tmp_path: Path) -> Iterator[None]:
    """A node with another address and another harness."""
    (tmp_path / "other" / "harness").mkdir(parents=True)
    (tmp_path / "other" / "harness" / "__init__.py").write_text('__version__ = "0.0.9"\n')
    node = nodes.add(address="127.0.0.3", PYTHONPATH=str(tmp_path / "other"))
    yield
    nodes.remove(node)


@pytest.mark.usefixtures("stranger")
def test_a_node_that_cannot_take_part_is_named_with_the_remedy(
    process: Any, slow: Path, nodes: Nodes, bedrock: Bedrock, tmp_path: Path
) -> None:
    line = ("run", slow, "--ray", nodes.address, "--quiet", "--no-preflight")
    other_versions = process(*line, "--endpoint", "aws")
    assert 2 == other_versions.returncode
    assert "node 127.0.0.3 of the Ray cluster has harness 0.0.9 (Python 3." in other_versions.stderr
    assert "and this machine has harness 0.1.0" in other_versions.stderr
    other_machine = process(*line, "--endpoint", bedrock.url)
    assert 2 == other_machine.returncode
    assert f"the endpoint {bedrock.url} is on this machine, and node 127.0.0.3" in other_machine.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", "--ray 127.0.0.1:1: cannot be reached (Connection refused); check the address"),
        ("127.0.0.1:1", "and that port 1 is open to this machine"),
        ("ray://head:10001", "--ray ray://head:10001: Ray Client is not supported; run the command on a node"),
        ("head", "--ray head: write HOST:PORT, auto or local"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_a_clear_mistake(
    harness: Any, slow: Path, tmp_path: Path, address: str, told: str
) -> None:
    done = harness("run", slow, "--ray", address, "--quiet")
    assert 2 == done.returncode
    assert told in done.stderr
    assert not (tmp_path / "results").exists()


def test_without_ray_the_extra_is_named(process: Any, slow: Path) -> None:
    slow.with_name("ray.py").write_text("raise ImportError")  # before the installed one on the path of such a process
    done = process("run", slow, "--ray", "local", "--quiet")
    how = "in a clone of harness, `pip install -c constraints.txt '.[ray]'` installs it"
    assert (2, f"error: --ray: Ray is not installed; {how}\n") == (done.returncode, done.stderr)
