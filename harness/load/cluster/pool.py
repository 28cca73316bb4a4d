"""Opens a pool of workers on a Ray cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.load.cluster.cluster import PLACE_S, open_cluster
from harness.load.cluster.worker import HEAD_START_NS, ClusterWorker
from harness.load.plan import NOTHING, Part, Recorded
from harness.load.workers.pool import WorkerPool, open_worker_pool
from harness.suite.suite import Suite


@asynccontextmanager
async def open_cluster_pool(
    suite: Suite, url: str, address: str, *, workers: int, recorded: Recorded = NOTHING, replace_s: float = PLACE_S
) -> AsyncIterator[WorkerPool]:
    """Start workers on the nodes of a cluster, or of one that is started here (`local`); see `open_worker_pool`.

    `replace_s`: how long the part of a lost node waits for a free CPU.
    """
    async with open_cluster(address, url, workers=workers, replace_s=replace_s) as cluster:

        async def start(part: Part) -> ClusterWorker:
            return ClusterWorker(cluster, part)

        async with open_worker_pool(
            suite, start, workers=workers, recorded=recorded, head_start_ns=HEAD_START_NS
        ) as pool:
            yield pool
