"""Counts a PDF's pages in a separate process, as a hostile file may make the parser loop, crash or exhaust memory.

Run as a script, it reads a PDF from stdin and prints the number of pages or what is wrong. It imports nothing from the
harness, so that it starts fast.
"""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

TIMEOUT_S = 20
MEMORY_BYTES = 1_000_000_000


class PdfMistake(Exception):
    """A PDF whose pages cannot be counted. The message says why."""


def count_pages(content: bytes, *, timeout_s: float = TIMEOUT_S) -> int:
    """The number of pages of a PDF. Raises PdfMistake: encrypted, without pages, damaged, or too slow to read."""
    command = [sys.executable, "-P", __file__]
    try:
        result = subprocess.run(command, input=content, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise PdfMistake(f"takes more than {timeout_s:g} s to read; print it to a new PDF") from None
    message = result.stdout.decode("ascii", "replace").strip()
    if result.returncode == 0 and message.isdecimal():
        return int(message)
    raise PdfMistake(
        message if result.returncode == 0 and message else "cannot be read as a PDF; print it to a new PDF"
    )


def _limit_resources() -> None:
    """Limit memory and CPU time, if the system supports it."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_S, TIMEOUT_S))


def _main() -> None:
    import logging

    from pypdf import PdfReader

    logging.disable()
    _limit_resources()
    reader = PdfReader(BytesIO(sys.stdin.buffer.read()), strict=False)
    if reader.is_encrypted:
        print("is encrypted; save it without a password")
        return
    print(len(reader.pages) or "has no pages")


if __name__ == "__main__":
    _main()
