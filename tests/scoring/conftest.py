"""Finished runs to score: two targets, one prompt, any answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.catalog.target import Target
from harness.store.manifest import new_manifest
from harness.store.query import connect
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Check, Graders, Judge, Label, Message, Prompt, Suite

WriteRun = Callable[..., RunFolder]
MakeSuite = Callable[..., Suite]


def make_target(name: str, model: str = "claude-haiku-4-5-20251001-v1:0") -> Target:
    return Target(
        name=name,
        model=model.partition("-20")[0],
        base_model=f"anthropic.{model}",
        model_id=f"global.anthropic.{model}",
        routing="global",
        api="converse",
        client="aioboto3",
        region="us-east-1",
        stream=False,
    )


@pytest.fixture
def make_suite() -> MakeSuite:
    """`make_suite([check, …])`: prompt `p`, which expects Paris; targets `base` and `cand`; a judge per name."""

    def build(
        checks: Sequence[Check], *, judges: Sequence[str] = (), labels: Sequence[Label] = (), **more: Any
    ) -> Suite:
        prompt = Prompt(
            id="p",
            messages=(Message(role="user", content="Capital of France?"),),
            expect="Paris",
            checks=tuple(checks),
        )
        judging = [
            Judge(name=name, target=make_target(name, "claude-opus-4-5-20251101-v1:0"), labels=tuple(labels))
            for name in judges
        ]
        given: dict[str, Any] = {
            "name": "s",
            "digest": "d",
            "endpoint": "simulator",
            "targets": (make_target("base"), make_target("cand", "claude-sonnet-4-6")),
            "baseline": "base",
            "prompts": (prompt,),
            "graders": Graders(judges=tuple(judging)),
        }
        return Suite(**{**given, **more})

    return build


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """`write_run(suite, ("cand", "Paris"), ("base", None), …)`: each target's answers in order; None is a failure."""

    def build(suite: Suite, *answers: tuple[str, str | None]) -> RunFolder:
        manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None)
        run = create_run(tmp_path, manifest, suite)
        repeats: dict[str, int] = {}
        rows = []
        for at, (target, text) in enumerate(answers):
            repeat = repeats[target] = repeats.get(target, -1) + 1
            rows.append(make_attempt(manifest.run_id, f"{at:06d}-00", target, text, repeat=repeat))
        run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(rows))
        run.finalise("complete")
        return run

    return build


def make_attempt(run_id: str, request_id: str, target: str, text: str | None, *, repeat: int) -> Attempt:
    return Attempt(
        run_id=run_id,
        request_id=request_id,
        attempt_id=f"{request_id}-1",
        try_no=1,
        target=target,
        **dict.fromkeys(("base_model", "model_id", "routing", "api", "client", "region"), "x"),
        stream=True,
        prompt_id="p",
        repeat=repeat,
        phase="measure",
        due_ns=0,
        ok=text is not None,
        text=text,
        error_kind=None if text is not None else "throttled",
        cost_usd=0.01,
    )


@pytest.fixture
def read_scores() -> Callable[[RunFolder], list[Score]]:
    """The rows of a scored run, by request and scorer."""

    def read(run: RunFolder) -> list[Score]:
        with closing(connect([run])) as connection:
            found = connection.execute("SELECT * EXCLUDE (run_id) FROM scores ORDER BY request_id, scorer")
            names = [column[0] for column in found.description or ()]
            return [Score(**dict(zip(names, row, strict=True))) for row in found.fetchall()]

    return read
