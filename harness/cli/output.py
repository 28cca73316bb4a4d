"""Standard output and error: they show no secret, and outlive their reader (`harness … | head` ends as it should)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO, cast

from harness.characters import replace_dangerous
from harness.secrets import RedactedStream, remember_environment


class Outliving:
    """A text stream that goes to nowhere once nobody reads it, instead of raising."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._go_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._go_nowhere()

    def _go_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def defused_json(text: str) -> str:
    """JSON as a terminal may show it: what could move its cursor is escaped, and it is still the same JSON."""
    return replace_dangerous(text, lambda c: json.dumps(c)[1:-1])


def guard_output() -> None:
    """Make this process's standard output and error such streams: messages, tables, tracebacks, the SDKs' warnings."""
    remember_environment()
    out, err = (Outliving(cast(TextIO, RedactedStream(stream))) for stream in (sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = out, err
