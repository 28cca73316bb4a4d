"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from harness.catalog.target import Target
from harness.suite.suite import Load, Message, Prompt, Suite, Timeouts


class _JumpingSelector(selectors.SelectSelector):
    """Never blocks: an idle wait moves the loop's clock on by as much."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("the loop waits for something that no timer will bring")
        self.loop.now_s += max(0.0, timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 1000 s and moves only when every task sleeps."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        self.now_s = 1000.0
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self.now_s


class MillisecondLoop(VirtualTimeLoop):
    """Rounds its timers to whole milliseconds, as uvloop does: one fires up to half a millisecond before its time."""

    def call_at(self, when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        whole_ms = round((when - self.time()) * 1000)
        return super().call_at(self.time() + whole_ms / 1000, *args, **kwargs)


PATIENT = Timeouts(first_token_s=3600.0, total_s=3600.0)


def run_on(loop_factory: Callable[[], VirtualTimeLoop], coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end while the loop's time is that of every clock."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        patch.setattr("harness.clock.now_ns", lambda: round(loop.time() * 1e9))
        patch.setattr("asyncio_throttle.throttler.time.monotonic", loop.time)
        return runner.run(coroutine)


@pytest.fixture(scope="session")
def run_virtual() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end in virtual time."""

    return partial(run_on, VirtualTimeLoop)


@pytest.fixture(scope="session")
def run_in_milliseconds() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine to its end in virtual time that timers keep to the millisecond only."""

    return partial(run_on, MillisecondLoop)


@pytest.fixture(scope="session")
def make_suite() -> Callable[..., Suite]:
    """A suite of so many prompts and targets; `**changes` go to the suite."""

    def make(load: Load, *, prompts: int | tuple[Prompt, ...] = 4, targets: int = 1, **changes: Any) -> Suite:
        asked = (Message(role="user", content="?"),)
        if isinstance(prompts, int):
            prompts = tuple(Prompt(id=f"p{at}", messages=asked) for at in range(prompts))
        return Suite(
            name="s",
            digest="0" * 12,
            endpoint="simulator",
            targets=tuple(
                Target(
                    name=f"t{at}",
                    model="claude-haiku-4-5",
                    base_model="b",
                    model_id="m",
                    routing="global",
                    api="invoke",
                    client="aioboto3",
                    region="us-east-1",
                    stream=False,
                )
                for at in range(targets)
            ),
            prompts=prompts,
            load=load,
            **{"timeouts": PATIENT, **changes},
        )

    return make
