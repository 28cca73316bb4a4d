"""The Ray cluster: connects to it, checks its nodes, and places workers on them."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from harness.characters import printable
from harness.endpoints.address import is_loopback
from harness.errors import HarnessError
from harness.load.cluster.host import Host
from harness.load.cluster.versions import make_probe, mismatch

LOCAL = "local"
LOOPBACK = "127.0.0.2"
"""The address of a cluster of this machine alone. Ray takes 127.0.0.1 for the address that others reach."""
OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""Of a local cluster: it holds pieces of journals on their way."""
REACH_S = 5.0
PLACE_S = 30.0
"""How long a worker waits for a free CPU."""
PROBE_S = 60.0
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # a cluster that is started here reports nothing to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do by itself; until then it warns
}


class Cluster:
    """A cluster whose nodes can run workers."""

    def __init__(self, ray: Any, url: str, workers: int, replace_s: float = PLACE_S) -> None:
        self.url = url
        """Of the endpoint, or `aws`."""
        self.replace_s = replace_s
        """How long the part of a lost node waits for a free CPU."""
        self._ray = ray
        self._workers = workers

    def place(self) -> Any:
        """An actor on the node with the most room, once it has a free CPU. It ends with this process."""
        options = {"num_cpus": 1, "scheduling_strategy": "SPREAD", "max_restarts": 0, "max_task_retries": -1}
        return self._ray.remote(Host).options(**options).remote()

    def discard(self, actor: Any) -> None:
        """End an actor, wherever it is, and free its CPU."""
        self._ray.kill(actor, no_restart=True)

    def crowded(self) -> HarnessError:
        """Why not every worker found a place."""
        cpus, free = (
            int(each.get("CPU", 0)) for each in (self._ray.cluster_resources(), self._ray.available_resources())
        )
        return HarnessError(
            f"--workers {self._workers}: each needs a CPU of the Ray cluster, which has {cpus} ({free} free); use "
            "fewer workers, add nodes, or wait until others are done"
        )


@asynccontextmanager
async def open_cluster(address: str, url: str, *, workers: int, replace_s: float = PLACE_S) -> AsyncIterator[Cluster]:
    """Connect to a cluster, or start one on this machine (`local`), for as long as inside.

    `url`: the endpoint's, or `aws`. `replace_s`: how long the part of a lost node waits for a free CPU. HarnessError:
    Ray is not installed, the cluster cannot be reached or is too small, or a node has other versions or cannot reach
    the endpoint.
    """
    ray = _import_ray(address)
    connected = ray.is_initialized()  # by the user's own program
    if not connected:
        await asyncio.to_thread(_connect, ray, address, workers)
    try:
        cluster = Cluster(ray, url, workers, replace_s)
        if int(ray.cluster_resources().get("CPU", 0)) < workers:
            raise cluster.crowded()
        await _check_nodes(ray, url)
        yield cluster
    finally:
        if not connected:
            await asyncio.to_thread(ray.shutdown)


def _import_ray(address: str) -> Any:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if address == LOCAL:  # Ray listens on every address, and runs what it is sent
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        how = "in a clone of harness, `pip install -c constraints.txt '.[ray]'` installs it"
        raise HarnessError(f"--ray: Ray is not installed; {how}") from None
    return ray


def _connect(ray: Any, address: str, workers: int) -> None:
    from ray._private import worker
    from ray.job_config import JobConfig

    class OwnPaths(JobConfig):
        """Workers import what is installed on their node, and nothing from the folder that this process is in."""

        def _runtime_env_has_working_dir(self) -> bool:
            return True

    worker.print_to_stdstream = lambda *_, **__: None  # it prints among the results
    shared = {"job_config": OwnPaths(), "log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == LOCAL:
        started = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        where = {"_node_ip_address": LOOPBACK} if sys.platform == "linux" else {}
        with _deaf_to_hangups():
            ray.init(address="local", **started, **where, **shared)
        return
    _check_reachable(address)
    try:
        ray.init(address=address, **shared)
    except Exception as error:  # Ray raises many kinds, some of them bare
        raise _connection_error(address, error) from error


@contextmanager
def _deaf_to_hangups() -> Iterator[None]:
    """What this thread starts does not hear that the terminal was closed: the load finishes first, then ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_reachable(address: str) -> None:
    """HarnessError: nobody listens at the address. Ray itself would try for minutes."""
    if "://" in address:
        raise HarnessError(
            f"--ray {printable(address)}: Ray Client is not supported; run the command on a node of the cluster, for "
            "example with `ray job submit`, and use --ray auto"
        )
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except (ValueError, OverflowError):
        raise HarnessError(f"--ray {printable(address)}: write HOST:PORT, auto or local") from None
    except OSError as error:
        raise HarnessError(
            f"--ray {printable(address)}: cannot be reached ({error.strerror or error}); check the address that "
            f"`ray start --head` printed, and that port {port} is open to this machine"
        ) from None


def _connection_error(address: str, error: Exception) -> HarnessError:
    text = " ".join(printable(str(error)).split()).removesuffix(".")
    if "ersion mismatch" in text:
        remedy = "install the same versions of Ray and Python here and on every node"
    elif address == "auto":
        if "any running Ray instance" in text:  # Ray's own advice names options of other commands
            text = "this machine is not a node of a running cluster"
        remedy = "start Ray on this machine (`ray start --address HEAD:6379 --num-cpus 0`), or use --ray local"
    else:
        remedy = f"this machine must be a node of the cluster: `ray start --address {printable(address)} --num-cpus 0`"
    if "ailed to connect" in text:
        remedy += "; if the cluster asks for a token, set RAY_AUTH_MODE=token"
    return HarnessError(f"--ray {printable(address)}: {text[:600]}; {remedy}")


async def _check_nodes(ray: Any, url: str) -> None:
    """HarnessError: a node lacks the harness, has another one, or cannot reach an endpoint on this machine."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [each for each in ray.nodes() if each["Alive"] and each["Resources"].get("CPU", 0) >= 1]
    here = ray.util.get_node_ip_address()
    probe = make_probe()
    task = ray.remote(probe)
    found = []
    for node in nodes:
        if is_loopback(url) and node["NodeManagerAddress"] != here:
            raise HarnessError(
                f"the endpoint {url} is on this machine, and node {node['NodeManagerAddress']} of the Ray cluster is "
                "another one; use --endpoint aws or an https:// URL, or --ray local"
            )
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        found.append(task.options(num_cpus=0, scheduling_strategy=strategy, max_retries=1).remote())
    own = probe()
    for node, answer in zip(nodes, found, strict=True):
        _compare(node["NodeManagerAddress"], await _answer(node["NodeManagerAddress"], answer), own)


async def _answer(address: str, answer: Any) -> Mapping[str, str]:
    from ray.exceptions import RayError

    try:
        async with asyncio.timeout(PROBE_S):
            found: Mapping[str, str] = await answer
    except (TimeoutError, RayError) as error:
        raise HarnessError(
            f"node {address} of the Ray cluster does not answer ({type(error).__name__}); remove it from the cluster, "
            "or wait until it is up"
        ) from error
    return found


def _compare(address: str, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    if (told := mismatch(there, here)) is not None:
        raise HarnessError(f"node {address} of the Ray cluster {told}; install the same on every node")
