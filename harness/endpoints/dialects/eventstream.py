"""Encodes and decodes AWS event stream frames, checking their CRCs.

A frame is `total_len u32 | headers_len u32 | crc32(first 8 bytes) | headers | payload | crc32(all before)`, big-endian;
a header is `len u8, name, type 0x07, len u16, value`. Only string headers occur on bedrock-runtime.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from zlib import crc32

import msgspec

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_STRING = 7
_FIXED_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
SHORT_HEADERS = 256
"""Bytes. A stream repeats a few kinds of headers, all of them shorter, so their decoding is cached."""
MAX_FRAME = 24 * 1024 * 1024
"""Bytes, the same as botocore's limit. A larger length means that the data is not a frame."""


class FrameError(Exception):
    """An invalid frame: a wrong checksum, length or header."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One decoded frame."""

    headers: dict[str, str]
    payload: bytes


def encode_frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Encode a frame with string headers, in the given order."""
    return _join(_encode_headers(headers), payload)


def encode_event(event_type: str, payload: bytes) -> bytes:
    """Encode a frame of `:message-type: event`, with headers in the service's order."""
    return _join(_event_headers(event_type), payload)


def encode_exception(exception_type: str, payload: bytes) -> bytes:
    """Encode a frame of `:message-type: exception`. `exception_type`: in lower camel case (`throttlingException`)."""
    return encode_frame(
        {":exception-type": exception_type, ":content-type": "application/json", ":message-type": "exception"}, payload
    )


@lru_cache(maxsize=64)
def _event_headers(event_type: str) -> bytes:
    return _encode_headers({":event-type": event_type, ":content-type": "application/json", ":message-type": "event"})


def _encode_headers(headers: dict[str, str]) -> bytes:
    return b"".join(_encode_header(name.encode(), value.encode()) for name, value in headers.items())


def _encode_header(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + bytes((_STRING,)) + _U16.pack(len(value)) + value


def _join(headers: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(16 + len(headers) + len(payload), len(headers))
    body = b"".join((lengths, _U32.pack(crc32(lengths)), headers, payload))
    return body + _U32.pack(crc32(body))


class FrameDecoder:
    """Takes bytes as they arrive, and yields complete frames.

    `pending`: bytes of an incomplete frame, which must be 0 at the end of a stream.
    """

    __slots__ = ("_buffer", "_needed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames completed by `data`. FrameError: an invalid frame."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        at, size = 0, len(data)
        self._needed = 0
        while size - at >= _PRELUDE.size:
            total, headers_len, checksum = _PRELUDE.unpack_from(data, at)
            if crc32(data[at : at + 8]) != checksum:
                raise FrameError("prelude checksum does not match")
            if not 16 + headers_len <= total <= MAX_FRAME:
                raise FrameError(f"frame length {total} with {headers_len} bytes of headers")
            if size - at < total:
                self._needed = total
                break
            headers_at, payload_at, end = at + 12, at + 12 + headers_len, at + total - 4
            if crc32(data[at:end]) != _U32.unpack_from(data, end)[0]:
                raise FrameError("message checksum does not match")
            decode = _recall_headers if headers_len <= SHORT_HEADERS else _decode_headers
            at += total
            yield Frame(decode(data[headers_at:payload_at]), data[payload_at:end])
        self._buffer += data[at:]


def _decode_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(block):
            name_end = at + 1 + block[at]
            name, kind = block[at + 1 : name_end].decode(), block[name_end]
            at = name_end + 1
            if kind in (6, _STRING):  # bytes and strings have a length of their own
                size = _U16.unpack_from(block, at)[0]
                at += 2
            elif kind in _FIXED_SIZES:
                size = _FIXED_SIZES[kind]
            else:
                raise FrameError(f"header {name!r} has unknown type {kind}")
            if at + size > len(block):
                raise FrameError(f"header {name!r} runs past the end of the headers")
            if kind == _STRING:
                headers[name] = block[at : at + size].decode()
            at += size
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"headers cannot be read: {error}") from error
    return headers


_recall_headers = lru_cache(maxsize=256)(_decode_headers)
