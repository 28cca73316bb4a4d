"""A worker on a cluster, as far as no cluster is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import StoreError
from harness.load.cluster.cluster import Cluster
from harness.load.cluster.worker import ClusterWorker
from harness.load.plan import Part
from harness.load.session import Job
from harness.load.workers.messages import StartOrder
from harness.suite.suite import Load


class NoCluster(Cluster):
    """Places its actors nowhere."""

    def place(self) -> Any:
        return None

    def discard(self, actor: Any) -> None:
        pass


async def test_a_worker_whose_journal_cannot_be_opened_here_can_be_ended(make_suite: Any, tmp_path: Path) -> None:
    worker = ClusterWorker(NoCluster(None, "aws", 1), Part(suite=make_suite(Load())))
    start = StartOrder(
        job=Job(run_id="r", seed=1, origin_ns=0), journal=tmp_path / "gone" / "attempts.jsonl", share=None
    )
    with pytest.raises(StoreError, match="No such file or directory"):
        await worker.order(start)
    await worker.end()
