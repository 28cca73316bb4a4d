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


def escape_json(text: str) -> str:
    """JSON that a terminal may show: control characters, line separators and what turns a text's direction are
    escaped, and it is still the same JSON."""
    separated = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return replace_dangerous(separated, lambda character: json.dumps(character)[1:-1])


def print_json(value: Any) -> None:
    """What every `--json` prints: indented JSON, safe for a terminal whoever wrote the texts in it."""
    import msgspec

    print(escape_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def guard_output() -> None:
    """Make this process's standard output and error such streams: messages, tables, tracebacks, the SDKs' warnings."""
    remember_environment()
    out, err = (Outliving(cast(TextIO, RedactedStream(stream))) for stream in (sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = out, err
