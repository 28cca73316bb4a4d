from hashlib import sha256

import msgspec
import pytest

from harness.catalog.target import Options, Tool
from harness.endpoints.base import Tape, WireRequest
from harness.endpoints.dialects.openai import STOP_REASONS, build_body
from harness.endpoints.read_tape import read_tape
from harness.suite.suite import Attachment, Message, Prompt

DONE = b"data: [DONE]\n\n"
PROMPT = Prompt(
    id="p",
    messages=(
        Message(role="user", content="2+2?"),
        Message(role="assistant", content="4"),
        Message(role="user", content="3+3?"),
    ),
)


def _event(delta=None, finish_reason=None, **more):
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish_reason}]
    return b"data: %b\n\n" % msgspec.json.encode({"id": "c", "choices": choices, **more})


def _reply(*pieces, stream=True, status=200):
    tape = Tape()
    tape.mark_sent()
    tape.mark_head(status, {})
    for at_ns, piece in enumerate(pieces, start=1):
        tape.add(piece, at_ns)
    tape.mark_done()
    return read_tape(WireRequest(api="openai", model_id="m", stream=stream, body={}), tape)


def test_each_piece_of_content_is_a_chunk_and_what_carries_none_is_not():
    reply = _reply(
        _event({"role": "assistant", "content": ""}, usage=None),
        _event({"reasoning": "hm"}),
        _event({"content": "Par"}),
        b": a comment\r\n\r\n",
        _event({"content": "is", "tool_calls": None}),
        _event({"content": None}, "stop"),
        b'data: {"choices":[],"usage":{"prompt_tokens":14,"completion_tokens":2,"prompt_tokens_details":null}}\n\n',
        DONE,
    )
    assert (reply.ok, reply.text, reply.chunk_ns, reply.stop_reason) == (True, "Paris", [2, 3, 5], "end_turn")
    assert (reply.input_tokens, reply.output_tokens, reply.cache_read_tokens) == (14, 2, None)


@pytest.mark.parametrize(("said", "recorded"), [*STOP_REASONS.items(), ("eos", "eos")])
def test_why_an_answer_stopped_is_said_in_the_words_of_the_other_apis(said, recorded):
    assert _reply(_event({"content": "x"}, said), DONE).stop_reason == recorded


@pytest.mark.parametrize(
    "pieces",
    [
        (_event({"content": "x"}),),
        (_event({"content": "x"}, "stop"),),
        (_event({"content": "x"}), DONE),
        (_event({"content": "x"}, "stop"), DONE[:-1]),
    ],
    ids=["nothing", "no end", "no reason", "half an end"],
)
def test_a_stream_without_reason_and_end_is_truncated(pieces):
    reply = _reply(*pieces)
    assert (reply.error_kind, reply.text) == ("stream_truncated", "x")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"message": "slow down", "type": "rate_limit_error", "code": None}, "throttled", "slow down"),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, "throttled", "slow down"),
        ({"message": "full", "type": "overloaded_error"}, "unavailable", "full"),
        ({"message": "odd", "type": "BadThing", "code": 500}, "stream_error", "odd"),
        ("it broke", "stream_error", "it broke"),
    ],
)
def test_an_error_in_a_stream_is_named_and_what_had_come_is_kept(error, kind, message):
    reply = _reply(_event({"content": "Par"}), b"data: %b\n\n" % msgspec.json.encode({"error": error}), DONE)
    assert (reply.error_kind, reply.error_message, reply.text) == (kind, message, "Par")


@pytest.mark.parametrize(
    "garbage", [b"data: <html>\n\n", b'data: {"choices": 5}\n\n', b"data: " + b"[" * 9999 + b"\n\n"]
)
def test_what_is_not_an_event_is_a_protocol_error(garbage):
    assert _reply(_event({"content": "Par"}), garbage).error_kind == "protocol"


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, {"error": {"message": "no", "type": "invalid_request_error", "code": None}}, "validation", "no"),
        (429, {"error": {"message": "no", "type": "requests", "code": "rate_limit_exceeded"}}, "throttled", "no"),
        (404, {"object": "error", "message": "no such model", "code": 404}, "not_found", "no such model"),
        (404, {"error": "model not found"}, "not_found", '{"error":"model not found"}'),
        (503, {"detail": "loading"}, "unavailable", '{"detail":"loading"}'),
    ],
)
def test_the_error_bodies_of_many_servers_are_read(status, body, kind, message):
    reply = _reply(msgspec.json.encode(body), stream=False, status=status)
    assert (reply.error_kind, reply.error_message) == (kind, message)


def test_every_option_has_its_place():
    options = Options(max_tokens=7, system="Be brief.", temperature=0.5, top_p=0.9, stop_sequences=["END"])
    assert build_body(PROMPT, options) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": "4"},
            {"role": "user", "content": "3+3?"},
        ],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
    }


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ("none", "none"),
        ("look_up", {"type": "function", "function": {"name": "look_up"}}),
    ],
)
def test_tools_are_functions(choice, sent):
    tool = Tool(name="look_up", description="Looks it up.", input_schema={"type": "object"})
    body = build_body(PROMPT, Options(tools=[tool], tool_choice=choice))
    function = {"name": "look_up", "description": "Looks it up.", "parameters": {"type": "object"}}
    assert (body["tools"], body["tool_choice"]) == ([{"type": "function", "function": function}], sent)


def test_files_stand_before_the_text_of_the_last_question(tmp_path):
    def attach(name, media_type, data):
        path = tmp_path / name
        path.write_bytes(data)
        return Attachment(name=name, media_type=media_type, digest=sha256(data).hexdigest(), size=len(data), path=path)

    prompt = msgspec.structs.replace(
        PROMPT,
        documents=(attach("q3_report.pdf", "application/pdf", b"%PDF"), attach("notes.txt", "text/plain", b"rose")),
        images=(attach("chart.png", "image/png", b"\x89PNG"),),
    )
    *_, last = build_body(prompt, Options())["messages"]
    assert last == {
        "role": "user",
        "content": [
            {
                "type": "file",
                "file": {"filename": "q3 report.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
            },
            {"type": "text", "text": "notes:\nrose"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            {"type": "text", "text": "3+3?"},
        ],
    }
