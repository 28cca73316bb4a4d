"""Signals: SIGTERM and SIGHUP end a command as Ctrl-C does, and nothing cuts its end short."""

from __future__ import annotations

import signal
from types import FrameType

LIKE_CTRL_C = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def handle_signals() -> None:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread, unless they are ignored, as with `nohup`."""
    for each in LIKE_CTRL_C:
        if signal.getsignal(each) is signal.SIG_DFL:
            signal.signal(each, _interrupt)


def ignore_signals() -> None:
    """Ignore further interrupts, since the process is about to end."""
    for each in (signal.SIGINT, *LIKE_CTRL_C):
        signal.signal(each, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it in the background of a script
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
