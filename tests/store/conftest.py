"""Runs on disk for the store's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.catalog.target import Target
from harness.store.manifest import new_manifest
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Suite

TARGET = Target(
    name="t",
    model="m",
    base_model="b",
    model_id="m",
    routing="global",
    api="converse",
    client="aioboto3",
    region="us-east-1",
)


@pytest.fixture
def make_attempt() -> Callable[..., Attempt]:
    """`make_attempt(7, ok=False)`: attempt 7 with the fields given."""

    def make(number: int = 0, **changed: Any) -> Attempt:
        values: dict[str, Any] = {
            "run_id": "r",
            "request_id": f"{number}-0",
            "attempt_id": f"{number}-0-1",
            "try_no": 1,
            "target": "t",
            "base_model": "b",
            "model_id": "m",
            "routing": "global",
            "api": "converse",
            "client": "aioboto3",
            "region": "us-east-1",
            "stream": True,
            "prompt_id": "p",
            "repeat": 0,
            "phase": "measure",
            "due_ns": number,
            "ok": True,
        }
        return Attempt(**{**values, **changed})

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """`make_run(name)`: a folder of a run that has just started."""

    def make(name: str = "quickstart", results: Path = tmp_path) -> RunFolder:
        suite = Suite(name=name, digest="0123456789ab", endpoint="simulator", targets=(TARGET,), prompts=())
        manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=2)
        return create_run(results, manifest, suite)

    return make


@pytest.fixture
def write_journal() -> Callable[..., None]:
    """`write_journal(path, attempts)`: a journal as a process that has ended leaves it, of attempts of its own run."""

    def write(path: Path, attempts: list[Attempt]) -> None:
        own = [msgspec.structs.replace(attempt, run_id=path.parent.name) for attempt in attempts]
        path.write_bytes(msgspec.json.Encoder().encode_lines(own))

    return write
