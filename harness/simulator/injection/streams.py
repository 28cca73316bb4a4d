"""Faults inside a stream: events that are missing, doubled, damaged, or that report an error."""

from __future__ import annotations

import struct
from collections.abc import Callable
from zlib import crc32

from harness.endpoints.dialects.eventstream import encode_exception, encode_frame
from harness.simulator.faults import INTERRUPTED, Fault
from harness.simulator.http.connection import LAST_CHUNK, encode_chunk
from harness.simulator.injection.response import Response, Script


def _no_terminal_event(response: Response) -> Script:
    return Script(pieces=response.whole(response.frames([*response.before, *response.content])))


def _cut_event(response: Response) -> Script:
    """A clean end in the middle of the last event."""
    *frames, last = response.frames()
    return Script(pieces=response.whole([*frames, last[: len(last) // 2]]))


def _duplicate_events(response: Response) -> Script:
    return Script(pieces=response.whole([frame for frame in response.frames() for _ in range(2)]))


def _error_after_90_percent(response: Response) -> Script:
    most = response.content[: max(1, len(response.content) * 9 // 10)]
    frames = response.frames([*response.before, *most])
    return Script(pieces=response.whole([*frames, response.interruption(INTERRUPTED)]))


def _error_then_silence(response: Response) -> Script:
    """The error arrives in two parts, and the connection stays open."""
    error = response.interruption(INTERRUPTED)
    half = len(error) // 2
    pieces = [*response.first_half(), encode_chunk(error[:half]), encode_chunk(error[half:])]
    return Script(pieces=pieces, ending="hold")


_THROTTLED = Fault(status=429, code="throttlingException", message="Too many tokens.")
_UNKNOWN = Fault(status=418, code="teapotException", message="This has no name yet.")


def _throttled_in_stream(response: Response) -> Script:
    return _ending_in(response, response.interruption(_THROTTLED))


def _unknown_exception(response: Response) -> Script:
    return _ending_in(response, encode_exception(_UNKNOWN.code, b'{"message":"This has no name yet."}'))


def _error_frame(response: Response) -> Script:
    headers = {":error-code": "InternalError", ":error-message": "Failed.", ":message-type": "error"}
    return _ending_in(response, encode_frame(headers, b""))


def _bad_checksum(response: Response) -> Script:
    return Script(pieces=[*response.first_half(), encode_chunk(_damaged(response)), LAST_CHUNK])


def _bad_checksum_then_silence(response: Response) -> Script:
    return Script(pieces=[*response.first_half(), encode_chunk(_damaged(response))], ending="hold")


def _oversized_frame(response: Response) -> Script:
    """A frame that announces 1 GiB."""
    lengths = struct.pack(">II", 2**30, 16)
    frame = lengths + struct.pack(">I", crc32(lengths)) + bytes(100)
    return _ending_in(response, frame)


def _damaged(response: Response) -> bytes:
    """The last frame of the text, with one bit of its checksum flipped."""
    frame = response.frame(response.content[-1])
    return frame[:-1] + bytes((frame[-1] ^ 1,))


def _ending_in(response: Response, frame: bytes) -> Script:
    """Half of the text, a frame, and the end of the body."""
    return Script(pieces=[*response.first_half(), encode_chunk(frame), LAST_CHUNK])


STREAMS: dict[str, Callable[[Response], Script]] = {
    "no_terminal_event": _no_terminal_event,
    "cut_event": _cut_event,
    "duplicate_events": _duplicate_events,
    "error_after_90_percent": _error_after_90_percent,
    "error_then_silence": _error_then_silence,
    "throttled_in_stream": _throttled_in_stream,
}
"""Faults of streamed answers only."""

FRAMES: dict[str, Callable[[Response], Script]] = {
    "unknown_exception": _unknown_exception,
    "error_frame": _error_frame,
    "bad_checksum": _bad_checksum,
    "bad_checksum_then_silence": _bad_checksum_then_silence,
    "oversized_frame": _oversized_frame,
}
"""Faults of streams of InvokeModel and Converse only, whose frames are binary."""
