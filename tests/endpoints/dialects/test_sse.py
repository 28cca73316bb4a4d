from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.endpoints.dialects.eventstream import Frame
from harness.endpoints.dialects.sse import SseDecoder

STREAM = b'event: message_start\ndata: {"a":1}\n\n: a comment\n\nevent: ping\r\ndata: one\r\ndata:two\r\n\r\n'
FRAMES = [
    Frame({":message-type": "event", ":event-type": "message_start"}, b'{"a":1}'),
    Frame({":message-type": "event", ":event-type": "ping"}, b"one\ntwo"),
]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_how_the_bytes_are_cut_changes_no_event(cuts):
    decoder = SseDecoder()
    ends = [0, *sorted(cuts), len(STREAM)]
    frames = [frame for a, b in pairwise(ends) for frame in decoder.feed(STREAM[a:b])]
    assert (frames, decoder.pending) == (FRAMES, 0)


@pytest.mark.parametrize(("rest", "pending"), [(b"data: x", 7), (b"data: x\n", 1), (b"event: e\n", 0), (b": hm\n", 0)])
def test_what_is_left_of_an_event_is_pending_and_a_comment_is_nothing(rest, pending):
    decoder = SseDecoder()
    assert (list(decoder.feed(STREAM + rest)), decoder.pending) == (FRAMES, pending)


@given(data=st.binary())
def test_no_bytes_are_refused(data):
    list(SseDecoder().feed(data))
