import msgspec
import pytest

from harness.endpoints.dialects.messages import fold_event, read_body
from harness.endpoints.reply import Citation, Reply, StreamFailure, ToolCall


def _read(*events):
    """Events folded one after another, the nth one stamped n."""
    reply = Reply()
    for at_ns, event in enumerate(events):
        fold_event(msgspec.json.encode(event), at_ns, reply)
    return reply


def _delta(**delta):
    return {"type": "content_block_delta", "index": 0, "delta": delta}


START = {
    "type": "message_start",
    "message": {
        "id": "msg_bdrk_1",
        "content": [],
        "usage": {
            "input_tokens": 14,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 6,
            "output_tokens": 3,
        },
    },
}
FINISH = [
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 10},
    },
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 14,
            "outputTokenCount": 10,
            "invocationLatency": 597,
            "firstByteLatency": 293,
        },
    },
]


def test_a_whole_stream_gives_text_usage_stop_reason_and_the_servers_latencies():
    reply = _read(
        START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        _delta(type="text_delta", text="Par"),
        _delta(type="text_delta", text="is"),
        *FINISH,
    )
    assert reply == Reply(
        texts=["Par", "is"],
        chunk_ns=[3, 4],
        input_tokens=14,
        output_tokens=10,
        cache_read_tokens=6,
        cache_write_tokens=5,
        stop_reason="end_turn",
        server_latency_ms=597,
        server_first_byte_ms=293,
        complete=True,
    )


def test_thinking_and_tool_input_are_chunks_but_not_text_and_empty_deltas_are_neither():
    reply = _read(
        START,
        _delta(type="thinking_delta", thinking="hm"),
        _delta(type="signature_delta", signature="abc"),
        _delta(type="input_json_delta", partial_json=""),
        _delta(type="input_json_delta", partial_json='{"a"'),
        _delta(type="text_delta", text=""),
    )
    assert (reply.texts, reply.chunk_ns, reply.complete) == ([], [1, 4], False)


def test_the_placeholder_of_output_tokens_at_the_start_is_not_a_count():
    assert (_read(START).input_tokens, _read(START).output_tokens) == (14, None)


def test_text_in_the_start_of_a_block_counts():
    reply = _read({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Par"}})
    assert (reply.texts, reply.chunk_ns) == (["Par"], [0])


def test_an_error_event_inside_a_stream_is_raised_with_its_code():
    with pytest.raises(StreamFailure) as caught:
        _read(START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    assert (caught.value.code, caught.value.message) == ("overloaded_error", "Overloaded")


@pytest.mark.parametrize("payload", [b"", b"{}", b"hello", b"[]", b"\xff\xfe"])
def test_a_payload_that_is_not_an_event_is_refused(payload):
    with pytest.raises(msgspec.DecodeError):
        fold_event(payload, 0, Reply())


@pytest.mark.parametrize("count", [-1, 10**30, "many", 1.5])
def test_a_token_count_that_no_table_could_hold_is_refused(count):
    with pytest.raises(msgspec.DecodeError):
        _read({"type": "message_delta", "delta": {}, "usage": {"output_tokens": count}})


def test_a_whole_answer_arrives_at_one_moment():
    body = {
        "id": "msg_bdrk_1",
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Par"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {}},
            {"type": "text", "text": "is", "citations": None},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 14, "output_tokens": 10, "cache_read_input_tokens": 0},
    }
    reply = Reply()
    read_body(msgspec.json.encode(body), 5, reply)
    assert reply == Reply(
        texts=["Par", "is"],
        tools={2: ToolCall(name="n")},
        chunk_ns=[5],
        input_tokens=14,
        output_tokens=10,
        cache_read_tokens=0,
        stop_reason="end_turn",
        complete=True,
    )


def test_an_empty_answer_is_complete_and_has_no_chunk():
    reply = Reply()
    read_body(b'{"content":[],"stop_reason":"refusal"}', 5, reply)
    assert (reply.texts, reply.chunk_ns, reply.complete) == ([], [], True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"content":"text"}'])
def test_a_body_that_is_not_an_answer_is_refused(body):
    with pytest.raises(msgspec.DecodeError):
        read_body(body, 5, Reply())


CALL = {"type": "tool_use", "id": "t", "name": "look_up", "input": {}}
PAGES = {
    "type": "page_location",
    "cited_text": "Revenue rose.",
    "document_index": 0,
    "document_title": "report",
    "start_page_number": 2,
    "end_page_number": 3,
}
CITED = Citation(document="report", start_page=2, end_page=3, text="Revenue rose.")


def test_a_tool_call_is_put_together_from_its_pieces_and_its_name_is_the_first_of_its_chunks():
    reply = _read(
        _delta(type="text_delta", text="Let me look."),
        {"type": "content_block_start", "index": 1, "content_block": CALL},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city": '}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"Paris"}'}},
        {"type": "content_block_start", "index": 2, "content_block": CALL},
    )
    assert reply.join_texts() == (
        'Let me look.\n{"tool":"look_up","input":{"city":"Paris"}}\n{"tool":"look_up","input":{}}'
    )
    assert reply.chunk_ns == [0, 1, 2, 3, 4]


def test_citations_are_kept_from_a_stream_and_from_a_whole_answer():
    whole = Reply()
    block = {"type": "text", "text": "It rose.", "citations": [PAGES]}
    read_body(msgspec.json.encode({"content": [block]}), 0, whole)
    assert whole.cited == _read(_delta(type="citations_delta", citation=PAGES)).cited == [CITED]


def test_a_citation_of_a_text_document_has_no_pages():
    place = {"type": "char_location", "cited_text": "x", "document_title": "notes", "start_char_index": 4}
    reply = _read(_delta(type="citations_delta", citation=place))
    assert reply.cited == [Citation(document="notes", text="x")]
