"""Ctrl-C and SIGTERM during a run: the first lets the requests in flight finish, the second stops at once."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.load.stop import INTERRUPTED, Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Counts the signals of a run. The second one cancels the task that watches."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.count = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While inside, the signals are taken here."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def take() -> None:
            self.count += 1
            if self.count == 1:
                self._stop.ask(INTERRUPTED)
                print("\ninterrupted: finishing what is in flight; once more stops at once", file=sys.stderr)
            else:
                task.cancel()

        for each in SIGNALS:
            loop.add_signal_handler(each, take)
        try:
            yield
        finally:
            for each in SIGNALS:
                loop.remove_signal_handler(each)
