import msgspec
import pytest

from harness.endpoints.dialects.converse import read_body, read_event
from harness.endpoints.reply import Citation, Reply, ToolCall

USAGE = {
    "cacheReadInputTokenCount": 6,
    "cacheReadInputTokens": 6,
    "cacheWriteInputTokenCount": 5,
    "cacheWriteInputTokens": 5,
    "inputTokens": 14,
    "outputTokens": 10,
    "serverToolUsage": {},
    "totalTokens": 29,
}


def _read(*events):
    """Events folded one after another, the nth one stamped n."""
    reply = Reply()
    for at_ns, (event_type, event) in enumerate(events):
        read_event(event_type, msgspec.json.encode({"p": "abc", **event}), at_ns, reply)
    return reply


def _delta(**delta):
    return "contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}


STOP = ("messageStop", {"stopReason": "max_tokens"})
METADATA = ("metadata", {"metrics": {"latencyMs": 597}, "usage": USAGE})


def test_a_whole_stream_gives_text_usage_stop_reason_and_the_servers_latency():
    reply = _read(
        ("messageStart", {"role": "assistant"}),
        _delta(text="Par"),
        _delta(text="is"),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        STOP,
        METADATA,
    )
    assert reply == Reply(
        texts=["Par", "is"],
        chunk_ns=[1, 2],
        input_tokens=14,
        output_tokens=10,
        cache_read_tokens=6,
        cache_write_tokens=5,
        stop_reason="max_tokens",
        server_latency_ms=597,
        complete=True,
    )


def test_thinking_and_tool_input_are_chunks_but_not_text_and_empty_deltas_are_neither():
    reply = _read(
        _delta(reasoningContent={"text": "hm"}),
        _delta(reasoningContent={"signature": "abc"}),
        _delta(toolUse={"input": ""}),
        _delta(toolUse={"input": '{"a"'}),
        _delta(text=""),
    )
    assert (reply.texts, reply.chunk_ns) == ([], [0, 3])


@pytest.mark.parametrize("events", [(STOP,), (METADATA,), ()])
def test_a_stream_is_complete_only_with_both_of_its_last_events(events):
    assert not _read(_delta(text="x"), *events).complete
    assert _read(STOP, METADATA).complete


@pytest.mark.parametrize("payload", [b"", b"[]", b"nonsense", b'{"delta":{"text":5}}', b'{"usage":{"inputTokens":-1}}'])
def test_a_payload_that_is_not_an_event_is_refused(payload):
    with pytest.raises(msgspec.DecodeError):
        read_event("contentBlockDelta", payload, 0, Reply())


def test_a_whole_answer_arrives_at_one_moment_and_cited_text_is_text():
    body = {
        "metrics": {"latencyMs": 597},
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                    {"text": "Par"},
                    {"citationsContent": {"content": [{"text": "is"}], "citations": []}},
                    {"toolUse": {"toolUseId": "t", "name": "n", "input": {}}},
                ],
            }
        },
        "stopReason": "end_turn",
        "usage": USAGE,
    }
    reply = Reply()
    read_body(msgspec.json.encode(body), 5, reply)
    assert reply == Reply(
        texts=["Par", "is"],
        tools={3: ToolCall(name="n", pieces=["{}"])},
        chunk_ns=[5],
        input_tokens=14,
        output_tokens=10,
        cache_read_tokens=6,
        cache_write_tokens=5,
        stop_reason="end_turn",
        server_latency_ms=597,
        complete=True,
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"output":{"message":{"content":[]}}}'])
def test_a_body_that_is_not_an_answer_is_refused(body):
    with pytest.raises(msgspec.DecodeError):
        read_body(body, 5, Reply())


PAGES = {
    "title": "report",
    "sourceContent": [{"text": "Revenue "}, {"text": "rose."}],
    "location": {"documentPage": {"documentIndex": 0, "start": 2, "end": 3}},
}
CITED = Citation(document="report", start_page=2, end_page=3, text="Revenue rose.")


def test_a_tool_call_is_put_together_from_its_pieces_and_its_name_is_the_first_of_its_chunks():
    reply = _read(
        _delta(text="Let me look."),
        ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "look_up"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"city": '}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '"Paris"}'}}}),
    )
    assert reply.join_texts() == 'Let me look.\n{"tool":"look_up","input":{"city":"Paris"}}'
    assert reply.chunk_ns == [0, 1, 2, 3]


def test_citations_are_kept_from_a_stream_and_from_a_whole_answer():
    whole = Reply()
    block = {"citationsContent": {"content": [{"text": "It rose."}], "citations": [PAGES]}}
    read_body(msgspec.json.encode({"output": {"message": {"content": [block]}}, "stopReason": "end_turn"}), 0, whole)
    assert whole.cited == _read(_delta(citation=PAGES)).cited == [CITED]


def test_a_citation_of_a_text_document_has_no_pages():
    place = {"title": "notes", "sourceContent": [{"text": "x"}], "location": {"documentChar": {"start": 1, "end": 2}}}
    assert _read(_delta(citation=place)).cited == [Citation(document="notes", text="x")]
