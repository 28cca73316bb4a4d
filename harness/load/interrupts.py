"""Interrupting a run: by Ctrl-C or SIGTERM, or by a call from another thread."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Counts interrupts, and passes each on to whatever handles them at the time."""

    def __init__(self) -> None:
        self.count = 0
        self._pass_on: Callable[[], object] | None = None

    def interrupt(self) -> None:
        """Interrupt the run, from any thread."""
        self.count += 1
        if (pass_on := self._pass_on) is not None:
            pass_on()

    @contextmanager
    def handled(self, handle: Callable[[], object]) -> Iterator[None]:
        """Call `handle` in the running loop at each interrupt inside this context.

        In the main thread, Ctrl-C and SIGTERM are interrupts; Python delivers signals to no other.
        """
        loop = asyncio.get_running_loop()
        signals = SIGNALS if threading.current_thread() is threading.main_thread() else ()
        self._pass_on = partial(loop.call_soon_threadsafe, handle)
        for each in signals:
            loop.add_signal_handler(each, self.interrupt)
        try:
            yield
        finally:
            for each in signals:
                loop.remove_signal_handler(each)
            self._pass_on = None
