"""Interrupting a run: by Ctrl-C, SIGTERM or SIGHUP, or by a call from another thread."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


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

        In the main thread, Ctrl-C, SIGTERM and SIGHUP are interrupts; Python delivers signals to no other. SIGHUP is
        none if it is ignored, as with `nohup`. After a second one the process is about to end, and ignores all of them.
        """
        loop = asyncio.get_running_loop()
        before = _handlers() if threading.current_thread() is threading.main_thread() else {}
        self._pass_on = partial(loop.call_soon_threadsafe, handle)
        for each in before:
            loop.add_signal_handler(each, self.interrupt)
        try:
            yield
        finally:
            for each, handler in before.items():
                loop.remove_signal_handler(each)
                signal.signal(each, handler if self.count < 2 else signal.SIG_IGN)
            self._pass_on = None


def _handlers() -> dict[signal.Signals, Any]:
    """The handlers of the signals that interrupt."""
    handlers = {each: signal.getsignal(each) for each in SIGNALS}
    ignored = [each for each in handlers if each != signal.SIGINT and handlers[each] is signal.SIG_IGN]
    return {each: handler for each, handler in handlers.items() if each not in ignored}
