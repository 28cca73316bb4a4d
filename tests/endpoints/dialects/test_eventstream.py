"""Event stream frames: our bytes are the service's bytes, however they are cut up, and damage never passes."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from harness.endpoints.dialects.eventstream import (
    MAX_FRAME,
    Frame,
    FrameDecoder,
    FrameError,
    encode_event,
    encode_exception,
    encode_frame,
)

GOLDEN = bytes.fromhex(
    "0000003d0000002007fd8396"  # 61 bytes, 32 of them headers
    "0c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"  # content-type: application/json
    "7b27666f6f273a27626172277d"  # {'foo':'bar'}
    "8d9c08b1"
)

names = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40)
values = st.text(max_size=60)
frames = st.builds(Frame, st.dictionaries(names, values, max_size=4), st.binary(max_size=200))


def decode(data: bytes) -> list[Frame]:
    return list(FrameDecoder().feed(data))


def raw_frame(headers: bytes, payload: bytes = b"") -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def test_a_frame_is_the_published_one_byte_for_byte() -> None:
    assert encode_frame({"content-type": "application/json"}, b"{'foo':'bar'}") == GOLDEN
    assert decode(GOLDEN) == [Frame({"content-type": "application/json"}, b"{'foo':'bar'}")]


def test_botocore_reads_our_events() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(encode_event("chunk", b'{"bytes":""}') + encode_exception("throttlingException", b"{}"))
    assert [(event.headers, event.payload) for event in buffer] == [
        ({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, b'{"bytes":""}'),
        (
            {
                ":exception-type": "throttlingException",
                ":content-type": "application/json",
                ":message-type": "exception",
            },
            b"{}",
        ),
    ]


@given(st.lists(frames, max_size=5), st.data())
def test_any_split_of_the_bytes_yields_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    wire = b"".join(encode_frame(frame.headers, frame.payload) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=10)))
    decoder = FrameDecoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        received += decoder.feed(wire[start:end])
    assert received == sent
    assert decoder.pending == 0


@given(frames, st.data())
def test_a_flipped_bit_never_passes(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(encode_frame(frame.headers, frame.payload))
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        decode(bytes(wire))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_frames_or_a_frame_error(data: bytes) -> None:
    decoder = FrameDecoder()
    try:
        decoded = list(decoder.feed(data))
    except FrameError:
        return
    assert sum(16 + len(frame.payload) for frame in decoded) + decoder.pending <= len(data)


@given(st.binary(max_size=60))
def test_arbitrary_headers_behind_right_checksums_are_read_or_refused(headers: bytes) -> None:
    try:
        (frame,) = decode(raw_frame(headers, b"payload"))
    except FrameError:
        return
    assert frame.payload == b"payload"


def test_a_frame_cut_short_stays_pending() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(GOLDEN[:-1])) == []
    assert decoder.pending == len(GOLDEN) - 1


def test_headers_that_are_no_strings_are_skipped() -> None:
    headers = b"\x01a\x00" + b"\x01b\x04\x00\x00\x00\x07" + b"\x01c\x06\x00\x02hi" + b"\x01d\x07\x00\x02ok"
    assert decode(raw_frame(headers)) == [Frame({"d": "ok"}, b"")]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (b"\x01a\x0a", "unknown type 10"),
        (b"\x01a\x07\x00\x09short", "runs past the end"),
        (b"\x05a", "cannot be read"),
        (b"\x01\xff\x00", "cannot be read"),
    ],
)
def test_headers_that_cannot_be_read_are_refused(headers: bytes, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        decode(raw_frame(headers))


@pytest.mark.parametrize("lengths", [(MAX_FRAME + 1, 0), (15, 0), (20, 5)])
def test_an_impossible_length_is_refused_at_once(lengths: tuple[int, int]) -> None:
    prelude = struct.pack(">II", *lengths)
    with pytest.raises(FrameError, match="length"):
        decode(prelude + struct.pack(">I", crc32(prelude)))
