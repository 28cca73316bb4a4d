"""Standard output and error without secrets, safe against a closed pipe (`harness … | head`); JSON output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO, cast

from harness.characters import replace_dangerous
from harness.secrets import RedactedStream, remember_environment


class PipeSafeStream:
    """A text stream that discards output instead of raising once its pipe is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def escape_json(text: str) -> str:
    """The same JSON, safe for a terminal: escapes control characters, line separators and bidirectional marks."""
    separated = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return replace_dangerous(separated, lambda character: json.dumps(character)[1:-1])


def print_json(value: Any) -> None:
    """Print indented JSON, safe for a terminal."""
    import msgspec

    print(escape_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def guard_output() -> None:
    """Redact secrets from this process's standard output and error, and make both safe against a closed pipe."""
    remember_environment()
    out, err = (PipeSafeStream(cast(TextIO, RedactedStream(stream))) for stream in (sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = out, err
