"""Standard output and error: without secrets, and safe against a closed pipe or a lost terminal; JSON output."""

from __future__ import annotations

import errno
import json
import os
import sys
from io import TextIOWrapper
from typing import Any, TextIO, cast

from harness.characters import replace_dangerous
from harness.secrets import RedactedStream, remember_environment

UNREAD = (errno.EPIPE, errno.EIO)
"""Errors of a stream whose pipe is closed, or whose terminal is gone."""


class UnreadStream:
    """A text stream that discards output instead of raising once nobody can read it.

    That is if its pipe was closed or its terminal is gone. `whatever`: also for any other reason, such as a full disk.
    """

    def __init__(self, stream: TextIO, *, whatever: bool = False) -> None:
        self._stream = stream
        self._whatever = whatever

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        if not self._whatever and error.errno not in UNREAD:
            raise error
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
    """Redact secrets from this process's standard output and error, and make both safe against a lost reader.

    Messages are optional: a standard error that cannot be written does not end the command. Results are not. Characters
    that the stream's encoding lacks are replaced.
    """
    remember_environment()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    out, err = (cast(TextIO, RedactedStream(stream)) for stream in (sys.stdout, sys.stderr))
    sys.stdout = cast(TextIO, UnreadStream(out))
    sys.stderr = cast(TextIO, UnreadStream(err, whatever=True))


def _open_closed_streams() -> None:
    """Point standard streams that were closed (`>&-`) at nothing, or the next file opened would get their number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
