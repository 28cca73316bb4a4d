"""Faults of the head: redirects, and header fields that are too many, too long, or not as they should be."""

from __future__ import annotations

from collections.abc import Callable

from harness.simulator.http.connection import encode_head
from harness.simulator.injection.response import Response, Script

ELSEWHERE = "http://localhost:9/model/m/converse"
"""Another host, which must not see a request that was signed for this one."""


def _redirect(response: Response) -> Script:
    return Script(pieces=[encode_head(307, {"Location": ELSEWHERE, "Content-Length": "0"})])


def _many_headers(response: Response) -> Script:
    """One field 3,000 times, together shorter than what clients accept."""
    return _with_lines(response, b"x-amzn-note: a\r\n" * 3000)


def _long_header(response: Response) -> Script:
    return _with_lines(response, b"x-amzn-note: %b\r\n" % (b"a" * 20_000))


def _folded_header(response: Response) -> Script:
    return _with_lines(response, b"x-amzn-note: one\r\n two\r\n")


def _non_utf8_header(response: Response) -> Script:
    return _with_lines(response, b"x-amzn-note: caf\xe9 \xff\xfe\r\n")


def _control_character(response: Response) -> Script:
    return _with_lines(response, b"x-amzn-note: one\x01two\r\n")


def _endless_head(response: Response) -> Script:
    lines = b"".join(b"x-amzn-note-%05d: filler\r\n" % number for number in range(5000))
    return Script(pieces=[encode_head(200, response.headers).removesuffix(b"\r\n") + lines], ending="hold")


def _conflicting_lengths(response: Response) -> Script:
    lines = encode_head(200, {**response.headers, "Content-Length": "7"})
    fields = lines.removesuffix(b"\r\n") + b"Content-Length: 9\r\n\r\n"
    return Script(pieces=[fields + b"".join(response.frames())], ending="close")


def _unreadable_length(response: Response) -> Script:
    lines = encode_head(200, {**response.headers, "Content-Length": "many"})
    return Script(pieces=[lines + b"".join(response.frames())], ending="close")


def _with_lines(response: Response, lines: bytes) -> Script:
    """The response with additional header lines."""
    first, *rest = response.whole()
    status, _, others = first.partition(b"\r\n")
    return Script(pieces=[b"%b\r\n%b%b" % (status, lines, others), *rest])


HEADS: dict[str, Callable[[Response], Script]] = {
    "redirect": _redirect,
    "many_headers": _many_headers,
    "long_header": _long_header,
    "folded_header": _folded_header,
    "non_utf8_header": _non_utf8_header,
    "control_character": _control_character,
    "endless_head": _endless_head,
    "conflicting_lengths": _conflicting_lengths,
    "unreadable_length": _unreadable_length,
}
