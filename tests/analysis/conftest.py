"""Builders: requests as columns, suites, manifests, and whole runs written by the store itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns
from harness.catalog.target import Target
from harness.store.manifest import Manifest, new_manifest
from harness.store.parquet import write_parquet
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Check, Load, Message, Prompt, Suite

MakeColumns = Callable[..., Columns]


@pytest.fixture
def make_target() -> Callable[[str], Target]:
    def build(name: str) -> Target:
        return Target(
            name=name,
            model=name,
            base_model=f"anthropic.{name}",
            model_id=f"global.anthropic.{name}",
            routing="global",
            api="converse",
            client="aioboto3",
            region="us-east-1",
        )

    return build


@pytest.fixture
def make_suite(make_target: Callable[[str], Target]) -> Callable[..., Suite]:
    def build(targets: Sequence[str] = ("a",), prompts: int = 10, **changes: Any) -> Suite:
        suite = Suite(
            name="trial",
            digest="0123456789ab",
            endpoint="simulator",
            targets=tuple(make_target(name) for name in targets),
            prompts=tuple(
                Prompt(
                    id=f"p{i}",
                    messages=(Message(role="user", content="?"),),
                    checks=(Check(type="exact"),),
                    tags=("even" if i % 2 == 0 else "odd",),
                )
                for i in range(prompts)
            ),
            load=Load(warmup=1),
        )
        return msgspec.structs.replace(suite, **changes)

    return build


@pytest.fixture
def make_run_manifest() -> Callable[..., Manifest]:
    def build(suite: Suite, **changes: Any) -> Manifest:
        manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None)
        return msgspec.structs.replace(manifest, **{"state": "complete", **changes})

    return build


@pytest.fixture
def make_columns() -> MakeColumns:
    """`n` requests, one a second, sent at once: TTFT 0.5 s, 11 tokens in 1 s, passed, $0.01; any array may be given."""

    def build(n: int = 10, target: str = "a", **changes: Any) -> Columns:
        due = np.arange(n, dtype=np.float64)
        prompts = np.array([f"p{i % 10}" for i in range(n)], dtype=object)
        arrays: dict[str, Any] = {
            "request_id": np.array([f"{i:06d}-00" for i in range(n)], dtype=object),
            "prompt_id": prompts,
            "group_id": prompts,
            "repeat": np.arange(n) // 10,
            "due_s": due,
            "first_try_sent_s": due,
            "sent_s": due,
            "first_s": due + 0.5,
            "last_s": due + 1.5,
            "done_s": due + 1.6,
            "attempts": np.ones(n, dtype=np.int64),
            "ok": np.ones(n, dtype=np.bool_),
            "error_kind": np.full(n, None, dtype=object),
            "input_tokens": np.full(n, 20.0),
            "output_tokens": np.full(n, 11.0),
            "cost_usd": np.full(n, 0.01),
            "passed": np.ones(n),
        }
        return Columns(target=target, **{**arrays, **changes})

    return build


@pytest.fixture
def count_attempts() -> Callable[[Columns], AttemptCounts]:
    """The counts that belong to columns whose failed attempts were all of the last try's kind."""

    def build(c: Columns) -> AttemptCounts:
        kinds = [kind for kind in c.error_kind if kind is not None]
        return AttemptCounts(
            attempts=int(c.attempts.sum()),
            error_kinds={kind: kinds.count(kind) for kind in sorted(set(kinds), key=kinds.count, reverse=True)},
            input_tokens=int(np.nansum(c.input_tokens)),
            output_tokens=int(np.nansum(c.output_tokens)),
            cache_read_tokens=0,
            cache_write_tokens=0,
            cost_usd=None if np.isnan(c.cost_usd).all() else float(np.nansum(c.cost_usd)),
        )

    return build


@pytest.fixture
def make_attempt() -> Callable[..., Attempt]:
    """A measured first try of target `a` that went well; due at 1 s, all stamps in ns."""

    def build(request_id: str, **changes: Any) -> Attempt:
        try_no = changes.get("try_no", 1)
        row: dict[str, Any] = {
            "run_id": "run",
            "request_id": request_id,
            "attempt_id": f"{request_id}-{try_no}",
            "try_no": 1,
            "target": "a",
            "base_model": "anthropic.a",
            "model_id": "global.anthropic.a",
            "routing": "global",
            "api": "converse",
            "client": "aioboto3",
            "region": "us-east-1",
            "stream": True,
            "prompt_id": "p0",
            "repeat": 0,
            "phase": "measure",
            "due_ns": 1_000_000_000,
            "sent_ns": 1_100_000_000,
            "headers_ns": 1_200_000_000,
            "first_ns": 1_500_000_000,
            "last_ns": 2_500_000_000,
            "done_ns": 2_600_000_000,
            "chunk_us": [400_000, 1_400_000],
            "input_tokens": 20,
            "output_tokens": 11,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
            "ok": True,
            "cost_usd": 0.01,
        }
        return Attempt(**{**row, **changes})

    return build


@pytest.fixture
def write_run(tmp_path: Path, make_run_manifest: Callable[..., Manifest]) -> Callable[..., RunFolder]:
    """A finished run on disk: journal, then Parquet, by the store's own hand."""

    def build(suite: Suite, attempts: Sequence[Attempt], scores: Sequence[Score] | None = None) -> RunFolder:
        run = create_run(tmp_path, make_run_manifest(suite, state="running"), suite)
        own = [msgspec.structs.replace(attempt, run_id=run.path.name) for attempt in attempts]
        run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(own))
        run.finalise("complete")
        if scores is not None:
            lines = tmp_path / "scores.jsonl"
            lines.write_bytes(msgspec.json.Encoder().encode_lines(scores))
            write_parquet(Score, [lines], run.scores_path)
        return run

    return build
