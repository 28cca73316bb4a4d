from base64 import b64encode
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.endpoints.base import ErrorKind, Tape, WireRequest
from harness.endpoints.dialects.eventstream import encode_event, encode_exception, encode_frame
from harness.endpoints.read_tape import read_tape

INVOKE = WireRequest(api="invoke", model_id="m", stream=True, body={})
CONVERSE = WireRequest(api="converse", model_id="m", stream=True, body={})
MANTLE = WireRequest(api="mantle", model_id="m", stream=True, body={})
WHOLE = WireRequest(api="invoke", model_id="m", stream=False, body={})


def _tape(*pieces, status=200, headers=None):
    """A tape whose nth piece arrived at time n."""
    tape = Tape()
    tape.mark_head(status, headers or {})
    tape.pieces, tape.stamps = list(pieces), list(range(len(pieces)))
    return tape


def _chunk(event):
    return encode_event("chunk", msgspec.json.encode({"bytes": b64encode(msgspec.json.encode(event)).decode()}))


def _text(text):
    return _chunk({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


START = _chunk({"type": "message_start", "message": {"usage": {"input_tokens": 14, "output_tokens": 1}}})
STOP = _chunk({"type": "message_stop"})


class ClientError(Exception):
    """Stands in for aiohttp's."""

    __module__ = "aiohttp.client_exceptions"


def test_a_complete_stream_is_a_good_reply():
    reply = read_tape(INVOKE, _tape(START, _text("Par"), _text("is"), STOP, headers={"x-amzn-requestid": "r-1"}))
    assert (reply.ok, reply.text, reply.error_kind, reply.http_status) == (True, "Paris", None, 200)
    assert (reply.chunk_ns, reply.first_ns, reply.last_ns) == ([1, 2], 1, 2)
    assert (reply.aws_request_id, reply.input_tokens) == ("r-1", 14)


def test_a_frame_has_the_stamp_of_the_piece_that_completed_it():
    data = START + _text("a") + _text("b") + STOP
    cut_a, cut_b = len(START) + 5, len(START + _text("a")) + 5
    reply = read_tape(INVOKE, _tape(data[:cut_a], data[cut_a:cut_b], data[cut_b:]))
    assert reply.chunk_ns == [1, 2]


@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_the_text_does_not_depend_on_how_the_bytes_are_split(cuts):
    data = START + _text("Par") + _text("is") + STOP
    ends = sorted({*(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    reply = read_tape(INVOKE, _tape(*pieces))
    assert (reply.ok, reply.text, len(reply.chunk_ns)) == (True, "Paris", 2)


@pytest.mark.parametrize("keep", [0, len(START), len(START + _text("Par")), len(START + _text("Par")) + 9])
def test_a_stream_that_ends_cleanly_without_its_terminal_event_is_truncated(keep):
    reply = read_tape(INVOKE, _tape((START + _text("Par") + STOP)[:keep]))
    assert (reply.ok, reply.error_kind) == (False, "stream_truncated")


def test_what_had_arrived_of_a_broken_stream_is_kept():
    reply = read_tape(INVOKE, _tape(START, _text("Par")))
    assert (reply.text, reply.chunk_ns, reply.input_tokens, reply.output_tokens) == ("Par", [1], 14, None)


def test_half_a_frame_after_the_terminal_event_is_a_truncation():
    assert read_tape(INVOKE, _tape(START, STOP, START[:20])).error_kind == "stream_truncated"


def test_an_exception_frame_classifies_the_failure_and_keeps_the_text():
    frame = encode_exception("throttlingException", b'{"message":"Too many tokens"}')
    reply = read_tape(INVOKE, _tape(START, _text("Par"), frame), error=RuntimeError("the SDK's own words"))
    assert (reply.error_kind, reply.error_code, reply.error_message, reply.text) == (
        "throttled",
        "throttlingException",
        "Too many tokens",
        "Par",
    )


def test_an_error_event_classifies_the_failure():
    event = _chunk({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    reply = read_tape(INVOKE, _tape(START, event))
    assert (reply.error_kind, reply.error_code, reply.error_message) == (
        "unavailable",
        "overloaded_error",
        "Overloaded",
    )


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>not an event stream</html>",
        START[:-1] + bytes([START[-1] ^ 1]),
        encode_event("chunk", b"not JSON"),
        encode_frame({":event-type": "chunk"}, b"{}"),
    ],
    ids=["html", "checksum", "payload", "no message type"],
)
def test_malformed_bytes_are_a_protocol_error(garbage):
    reply = read_tape(INVOKE, _tape(START, _text("Par"), garbage), error=RuntimeError("the SDK's own words"))
    assert (reply.error_kind, reply.text) == ("protocol", "Par")


def test_a_connection_lost_after_the_headers_truncates_a_stream_but_is_a_connection_error_otherwise():
    lost = ClientError("reset by peer")
    assert read_tape(INVOKE, _tape(START), error=lost).error_kind == "stream_truncated"
    assert read_tape(WHOLE, _tape(b'{"content":'), error=lost).error_kind == "connection"


def test_a_connection_lost_before_the_headers_is_a_connection_error():
    reply = read_tape(INVOKE, Tape(), error=ClientError("reset by peer"))
    assert (reply.error_kind, reply.http_status, reply.text) == ("connection", None, None)


def test_an_http_error_takes_precedence_over_the_clients_exception():
    headers = {"x-amzn-errortype": "ThrottlingException:http://x/", "x-amzn-requestid": "r-1"}
    tape = _tape(b'{"message":', b'"Too many"}', status=429, headers=headers)
    reply = read_tape(INVOKE, tape, error=ClientError("429"))
    assert (reply.error_kind, reply.error_code, reply.error_message) == ("throttled", "ThrottlingException", "Too many")
    assert (reply.http_status, reply.aws_request_id) == (429, "r-1")


def test_a_good_answer_that_the_client_fails_to_parse_is_internal_and_names_the_error():
    reply = read_tape(INVOKE, _tape(START, _text("Paris"), STOP), error=KeyError("usage"))
    assert (reply.ok, reply.error_kind, reply.error_message) == (False, "internal", "KeyError: 'usage'")
    assert reply.text == "Paris"


def test_a_client_that_returns_without_an_answer_is_internal():
    assert read_tape(INVOKE, Tape()).error_kind == "internal"


@pytest.mark.parametrize("reason", ["first_token_timeout", "total_timeout", "cancelled"])
def test_the_harnesss_own_reason_is_the_error_kind_and_what_had_arrived_is_kept(reason):
    reply = read_tape(INVOKE, _tape(START, _text("Par")), reason=reason)
    assert (reply.ok, reply.error_kind, reply.error_code, reply.text) == (False, reason, None, "Par")
    assert read_tape(INVOKE, Tape(), reason=reason).error_kind == reason


@pytest.mark.parametrize(("reason", "kind"), [("total_timeout", "protocol"), ("cancelled", "cancelled")])
def test_a_stream_that_cannot_be_decoded_has_failed_before_its_deadline(reason, kind):
    damaged = _text("is")[:-1] + b"?"
    reply = read_tape(INVOKE, _tape(START, _text("Par"), damaged), reason=reason)
    assert (reply.error_kind, reply.text) == (kind, "Par")


def test_an_error_response_that_does_not_end_is_a_timeout_streamed_or_not():
    unended = [_tape(b'{"message":', status=500) for _ in range(2)]
    replies = [
        read_tape(each, tape, reason="total_timeout") for each, tape in zip((INVOKE, WHOLE), unended, strict=True)
    ]
    assert [reply.error_kind for reply in replies] == ["total_timeout"] * 2


@pytest.mark.parametrize(("kind", "found"), [("text/html; charset=utf-8", "protocol"), ("", "stream_truncated")])
def test_a_web_page_in_place_of_events_is_not_a_stream_that_was_cut_off(kind, found):
    request = WireRequest(api="mantle", model_id="m", stream=True, body={})
    reply = read_tape(request, _tape(b"<!doctype html>\n<p>Sign in.\n", headers={"content-type": kind}))
    assert (reply.error_kind, reply.text) == (found, None)


def test_an_answer_without_a_stream_has_the_stamp_of_its_last_piece_and_the_latency_header():
    body = b'{"content":[{"type":"text","text":"Paris"}],"stop_reason":"end_turn"}'
    reply = read_tape(WHOLE, _tape(body[:9], body[9:], headers={"x-amzn-bedrock-invocation-latency": "597"}))
    assert (reply.ok, reply.text, reply.chunk_ns, reply.server_latency_ms) == (True, "Paris", [1], 597.0)


@pytest.mark.parametrize("latency", ["soon", "nan", "inf", "-1", ""])
def test_an_invalid_latency_header_is_not_recorded(latency):
    reply = read_tape(WHOLE, _tape(b'{"content":[]}', headers={"x-amzn-bedrock-invocation-latency": latency}))
    assert (reply.ok, reply.server_latency_ms) == (True, None)


@pytest.mark.parametrize("body", [[], [b""], [b"{}"], [b"<html>"]])
def test_an_invalid_answer_without_a_stream_is_a_protocol_error(body):
    assert read_tape(WHOLE, _tape(*body)).error_kind == "protocol"


@pytest.mark.parametrize("request_", [INVOKE, CONVERSE, MANTLE, WHOLE])
def test_json_that_is_nested_too_deeply_is_a_protocol_error(request_):
    deep = b'{"type":"x","content":[{"input":%b' % (b"[" * 100_000)
    framed = {
        "invoke": encode_event("chunk", b'{"bytes":"%b"}' % b64encode(deep)),
        "converse": encode_event("contentBlockDelta", deep),
        "mantle": b"data: %b\n\n" % deep,
    }
    data = framed[request_.api] if request_.stream else deep
    assert read_tape(request_, _tape(data)).error_kind == "protocol"


def test_the_request_id_is_read_from_either_header_and_the_one_that_aws_logs_takes_precedence():
    headers = {"request-id": "req-1"}
    assert read_tape(MANTLE, _tape(headers=headers)).aws_request_id == "req-1"
    assert read_tape(MANTLE, _tape(headers=headers | {"x-amzn-requestid": "r-1"})).aws_request_id == "r-1"


def test_a_refusal_is_an_answer():
    events = [
        {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    reply = read_tape(MANTLE, _tape(*(b"data: %b\n\n" % msgspec.json.encode(event) for event in events)))
    assert (reply.ok, reply.text, reply.stop_reason, reply.output_tokens) == (True, "", "refusal", 3)


@given(data=st.binary(max_size=300), status=st.integers(100, 599))
def test_no_bytes_make_reading_fail(data, status):
    for request in (INVOKE, CONVERSE, MANTLE, WHOLE):
        reply = read_tape(request, _tape(data, status=status))
        assert reply.error_kind in get_args(ErrorKind)
        assert msgspec.json.encode(reply)


HOSTILE_BODIES = [
    b'{"message":"caf\xe9"}',
    b"[" * 5000,
    b'{"content":[{"text":"\xff"}]}',
    b'{"output":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
]


@pytest.mark.parametrize("request_", [INVOKE, CONVERSE, WHOLE], ids=["invoke", "converse", "whole"])
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("body", HOSTILE_BODIES, ids=["latin-1", "deep list", "bad text", "deep object"])
def test_any_broken_body_can_be_recorded(request_, status, body):
    framed = encode_event("contentBlockDelta", body) if request_.stream and status == 200 else body
    assert not read_tape(request_, _tape(framed, status=status)).ok


@given(st.lists(st.binary(max_size=200), max_size=4), st.sampled_from([200, 400, 503]))
def test_any_bytes_at_all_are_read_without_an_exception(pieces, status):
    for request_ in (INVOKE, CONVERSE, WHOLE):
        read_tape(request_, _tape(*pieces, status=status))


@given(st.binary(max_size=300))
def test_any_payload_in_a_good_frame_is_read_without_an_exception(payload):
    for request_ in (INVOKE, CONVERSE):
        for event in ("chunk", "messageStart", "contentBlockDelta", "metadata"):
            read_tape(request_, _tape(encode_event(event, payload)))


def test_a_connection_that_breaks_after_a_complete_answer_does_not_spoil_it():
    reply = read_tape(INVOKE, _tape(START, _text("hi"), STOP), error=ClientError("reset"))
    assert (True, "hi") == (reply.ok, reply.text)
