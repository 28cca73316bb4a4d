"""Loads in progress, as the live view sees them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.catalog.target import Target
from harness.load.progress import Progress, Tally
from harness.suite.suite import Load, Suite


def make_target(name: str, stream: bool) -> Target:
    return Target(
        name=name, model="claude-haiku-4-5", base_model="anthropic.claude-haiku-4-5", model_id="haiku",
        routing="global", api="converse", client="wire", region="us-east-1", stream=stream,
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_suite() -> Callable[..., Suite]:
    """`make_suite("a/global", "b/global", load=…, budget_usd=…, stream=…)`."""

    def make(*names: str, load: Load | None = None, budget_usd: float | None = None, stream: bool = True) -> Suite:
        return Suite(
            name="live", digest="", endpoint="simulator", prompts=(), load=load or Load(), budget_usd=budget_usd,
            targets=tuple(make_target(name, stream) for name in names),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def make_progress() -> Callable[..., Progress]:
    """`make_progress({"a/global": Tally(done=3)}, planned=40)`."""

    def make(tallies: dict[str, Tally], planned: int | None = None) -> Progress:
        return Progress(planned=planned, tallies=tallies)

    return make
