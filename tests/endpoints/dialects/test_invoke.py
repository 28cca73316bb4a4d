from base64 import b64encode

import msgspec
import pytest

from harness.endpoints.dialects.invoke import read_event
from harness.endpoints.reply import Content

EVENT = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Par"}}'


def test_a_chunk_holds_one_event_and_padding():
    content = Content()
    read_event("chunk", msgspec.json.encode({"bytes": b64encode(EVENT).decode(), "p": "abc"}), 7, content)
    assert (content.texts, content.chunk_ns) == (["Par"], [7])


def test_a_frame_that_is_no_chunk_is_passed_over():
    content = Content()
    read_event("initial-response", b"{}", 0, content)
    assert content == Content()


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"bytes":"!"}', b'{"bytes":"aGVsbG8="}', b'{"bytes":"W10="}', b"\xff\xfe"]
)
def test_a_chunk_that_is_no_event_is_refused(payload):
    with pytest.raises(msgspec.DecodeError):
        read_event("chunk", payload, 0, Content())
