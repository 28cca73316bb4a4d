"""The same answer through every client and api: the same record."""

from base64 import b64encode
from hashlib import sha256

import msgspec
import pytest

from harness.catalog.target import Options, Target, Tool
from harness.endpoints import APIS
from harness.endpoints.base import MADE_UP_KEY_ID, MADE_UP_SECRET, WireRequest
from harness.endpoints.dialects.eventstream import encode_event
from harness.endpoints.request import build_request
from harness.suite.suite import Attachment, Message, Prompt

SPOKEN = [(client, api) for client, apis in APIS.items() for api in apis]
TURN = [{"role": "user", "content": "What rose?"}]
BODIES = {
    "invoke": {"max_tokens": 9, "messages": TURN},
    "messages": {"max_tokens": 9, "messages": TURN},
    "mantle": {"max_tokens": 9, "messages": TURN},
    "openai": {"max_tokens": 9, "messages": TURN},
    "converse": {"messages": [{"role": "user", "content": [{"text": "What rose?"}]}]},
}

PAGES = {
    "type": "page_location",
    "cited_text": "Revenue rose.",
    "document_index": 0,
    "document_title": "report",
    "start_page_number": 2,
    "end_page_number": 3,
}
USAGE = {"input_tokens": 14, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 300}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": None, "stop_sequence": None}
WHOLE_MESSAGE = {
    **MESSAGE,
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "It rose.", "citations": [PAGES]},
        {"type": "tool_use", "id": "t", "name": "look_up", "input": {"year": 2025, "of": ["a", 1.5]}},
    ],
    "stop_reason": "tool_use",
    "usage": USAGE | {"output_tokens": 9},
}


def _delta(index, kind, **members):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **members}}


def _start(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def _stop(index):
    return {"type": "content_block_stop", "index": index}


EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": USAGE | {"output_tokens": 1}}},
    _start(0, type="thinking", thinking="", signature=""),
    _delta(0, "thinking_delta", thinking="hm"),
    _delta(0, "signature_delta", signature="s"),
    _stop(0),
    _start(1, type="text", text="", citations=[]),
    _delta(1, "text_delta", text="It rose."),
    _delta(1, "citations_delta", citation=PAGES),
    _stop(1),
    _start(2, type="tool_use", id="t", name="look_up", input={}),
    _delta(2, "input_json_delta", partial_json=""),
    _delta(2, "input_json_delta", partial_json='{"year": 2025, '),
    _delta(2, "input_json_delta", partial_json='"of": ["a", 1.5]}'),
    _stop(2),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 9},
    },
    {"type": "message_stop"},
]
CITED = {
    "title": "report",
    "sourceContent": [{"text": "Revenue rose."}],
    "location": {"documentPage": {"documentIndex": 0, "start": 2, "end": 3}},
}
METADATA = {
    "usage": {
        "inputTokens": 14,
        "outputTokens": 9,
        "totalTokens": 2323,
        "cacheReadInputTokens": 2000,
        "cacheWriteInputTokens": 300,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 300}],
    },
    "metrics": {"latencyMs": 5},
}
WHOLE_CONVERSE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                {"citationsContent": {"content": [{"text": "It rose."}], "citations": [CITED]}},
                {"toolUse": {"toolUseId": "t", "name": "look_up", "input": {"year": 2025, "of": ["a", 1.5]}}},
            ],
        }
    },
    "stopReason": "tool_use",
    **METADATA,
}
CONVERSE_EVENTS = [
    ("messageStart", {"role": "assistant"}),
    *(
        ("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})
        for index, delta in [
            (0, {"reasoningContent": {"text": "hm"}}),
            (0, {"reasoningContent": {"signature": "s"}}),
            (1, {"text": "It rose."}),
            (1, {"citation": CITED}),
        ]
    ),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "look_up"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"year": 2025, '}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '"of": ["a", 1.5]}'}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", METADATA),
]


COUNTED = {
    "prompt_tokens": 2014,
    "completion_tokens": 9,
    "total_tokens": 2023,
    "prompt_tokens_details": {"cached_tokens": 2000},
}


def _call(index, **function):
    return {"index": index, "function": function}


WHOLE_COMPLETION = {
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "It rose.",
                "reasoning_content": "hm",
                "tool_calls": [_call(0, name="look_up", arguments='{"year": 2025, "of": ["a", 1.5]}')],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": COUNTED,
}
COMPLETION_EVENTS = [
    *(
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in [
            {"role": "assistant", "content": ""},
            {"reasoning_content": "hm"},
            {"content": "It rose."},
            {"tool_calls": [_call(0, name="look_up", arguments="")]},
            {"tool_calls": [_call(0, arguments='{"year": 2025, ')]},
            {"tool_calls": [_call(0, arguments='"of": ["a", 1.5]}')]},
        ]
    ),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": COUNTED},
]


def _to_chunk(event):
    return encode_event("chunk", msgspec.json.encode({"bytes": b64encode(msgspec.json.encode(event)).decode()}))


def _to_sse(event):
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))


MESSAGE_EVENTS = b"".join(map(_to_sse, EVENTS))
ANSWERS = {
    ("messages", False): msgspec.json.encode(WHOLE_MESSAGE),
    ("messages", True): MESSAGE_EVENTS,
    ("openai", False): msgspec.json.encode(WHOLE_COMPLETION),
    ("openai", True): b"".join(b"data: %b\n\n" % msgspec.json.encode(event) for event in COMPLETION_EVENTS)
    + b"data: [DONE]\n\n",
    ("invoke", False): msgspec.json.encode(WHOLE_MESSAGE),
    ("mantle", False): msgspec.json.encode(WHOLE_MESSAGE),
    ("converse", False): msgspec.json.encode(WHOLE_CONVERSE),
    ("invoke", True): b"".join(map(_to_chunk, EVENTS)),
    ("mantle", True): MESSAGE_EVENTS,
    ("converse", True): b"".join(encode_event(kind, msgspec.json.encode(event)) for kind, event in CONVERSE_EVENTS),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("name", "api"), SPOKEN)
async def test_tools_citations_and_the_cache_are_recorded_alike_by_every_client_and_api(
    serve, exchange, name, api, stream
):
    answer = ANSWERS[api, stream]
    kind = b"text/event-stream" if api == "mantle" and stream else b"application/json"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nx-amzn-RequestId: r-1\r\nContent-Length: %d\r\n\r\n"
    served = await serve(head % (kind, len(answer)) + answer)
    reply, _ = await exchange(name, served.url, WireRequest(api=api, model_id="m", stream=stream, body=BODIES[api]))
    assert (reply.ok, reply.error_message) == (True, None)
    assert reply.text == 'It rose.\n{"tool":"look_up","input":{"year":2025,"of":["a",1.5]}}'
    cited = '[{"document":"report","start_page":2,"end_page":3,"text":"Revenue rose."}]'
    assert reply.citations == (None if api == "openai" else cited)
    assert (reply.input_tokens, reply.output_tokens) == (14, 9)
    assert (reply.cache_read_tokens, reply.cache_write_tokens) == (2000, None if api == "openai" else 300)
    assert (reply.stop_reason, len(reply.chunk_ns)) == ("tool_use", 5 if stream else 1)


WEATHER = Tool(
    name="get_weather",
    input_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.fixture
def prompt(tmp_path):
    """A question about a document that is long enough to be cached."""
    path = tmp_path / "in.txt"
    path.write_text("Revenue rose in the north and fell in the south. " * 200)
    data = path.read_bytes()
    document = Attachment(
        name="q3_report.txt", media_type="text/plain", digest=sha256(data).hexdigest(), size=len(data), path=path
    )
    return Prompt(id="p", messages=(Message(role="user", content="Where did it rise?"),), documents=(document,))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("name", "api"), [each for each in SPOKEN if each[1] != "openai"])
async def test_the_simulator_calls_tools_cites_and_caches_for_every_client_and_api(
    simulator, exchange, prompt, name, api, stream
):
    url = await simulator(speed=1000.0, secret=MADE_UP_SECRET, key_id=MADE_UP_KEY_ID)

    async def ask(**options):
        target = Target(
            name="t",
            model="claude-sonnet-4-5",
            base_model="anthropic.claude-sonnet-4-5-20250929-v1:0",
            model_id="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            routing="us",
            api=api,
            client=name,
            region="us-east-1",
            stream=stream,
            options=Options(max_tokens=60, **options),
        )
        reply, _ = await exchange(name, url, build_request(target, prompt))
        assert (reply.ok, reply.error_message) == (True, None)
        return reply

    called = await ask(tools=[WEATHER], tool_choice="any")
    assert (called.stop_reason, called.text) == ("tool_use", '{"tool":"get_weather","input":{"city":"something"}}')
    written, read = await ask(citations=True, cache="1h"), await ask(citations=True, cache="1h")
    assert written.cache_write_tokens == read.cache_read_tokens > 1024
    assert (written.cache_read_tokens, read.cache_write_tokens) == (0, 0)
    [citation, *_] = msgspec.json.decode(read.citations)
    assert citation["document"] == "q3 report"
    assert citation["text"].startswith("Revenue rose")
