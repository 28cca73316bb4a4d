from base64 import b64encode

import msgspec
import pytest

from harness.endpoints.dialects.invoke import read_event
from harness.endpoints.reply import Reply

EVENT = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Par"}}'


def test_a_chunk_holds_one_event_and_padding():
    reply = Reply()
    read_event("chunk", msgspec.json.encode({"bytes": b64encode(EVENT).decode(), "p": "abc"}), 7, reply)
    assert (reply.texts, reply.chunk_ns) == (["Par"], [7])


def test_a_frame_that_is_no_chunk_is_passed_over():
    reply = Reply()
    read_event("initial-response", b"{}", 0, reply)
    assert reply == Reply()


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"bytes":"!"}', b'{"bytes":"aGVsbG8="}', b'{"bytes":"W10="}', b"\xff\xfe"]
)
def test_a_chunk_that_is_not_an_event_is_refused(payload):
    with pytest.raises(msgspec.DecodeError):
        read_event("chunk", payload, 0, Reply())
