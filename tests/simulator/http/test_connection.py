"""The simulator at the level of bytes: keep-alive, pipelining, errors, disconnects, the truth."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from harness.clock import now_ns
from harness.endpoints.dialects.eventstream import Frame, FrameDecoder

Start = Callable[..., Awaitable[str]]

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
INVOKE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 20,
    "messages": [{"role": "user", "content": "Say something."}],
}
CONVERSE = {
    "messages": [{"role": "user", "content": [{"text": "Say something."}]}],
    "inferenceConfig": {"maxTokens": 20},
}
ERROR_TYPE = "{}:http://internal.amazon.com/coral/com.amazon.bedrock/"


class Response(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def frames(self) -> list[Frame]:
        decoder = FrameDecoder()
        frames = list(decoder.feed(self.body))
        assert decoder.pending == 0
        return frames


class Wire:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, raw: bytes) -> Response:
        self.writer.write(raw)
        return await self.response()

    async def response(self, *, has_body: bool = True) -> Response:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status_line, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if not has_body:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join([chunk async for chunk in self.chunks()])
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Response(int(status_line.split()[1]), headers, body)

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Wire]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def request(operation: str, body: object, *, model: str = MODEL, method: str = "POST", more: str = "") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} /model/{model}/{operation} HTTP/1.1\r\nHost: x\r\nAuthorization: made-up\r\n{more}"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def ask(url: str, raw: bytes) -> Response:
    async with connected(url) as wire:
        return await wire.ask(raw)


async def truth(url: str) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = (await ask(url, get("/_simulator/truth"))).json()["requests"]
    return requests


async def test_invoke_answers_with_the_documented_headers_and_body(simulator: Start) -> None:
    response = await ask(await simulator(speed=1000), request("invoke", INVOKE))
    body = response.json()
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-amzn-requestid"]
    assert response.headers["x-amzn-bedrock-invocation-latency"].isdigit()
    assert response.headers["x-amzn-bedrock-input-token-count"] == str(body["usage"]["input_tokens"]) == "4"
    assert response.headers["x-amzn-bedrock-output-token-count"] == str(body["usage"]["output_tokens"]) == "20"
    assert list(body) == ["model", "id", "type", "role", "content", "stop_reason", "stop_sequence", "usage"]
    assert body["model"] == "claude-haiku-4-5-20251001"
    assert body["id"].startswith("msg_bdrk_")
    assert body["stop_reason"] == "max_tokens"


async def test_converse_sorts_its_keys_and_spells_cache_tokens_both_ways(simulator: Start) -> None:
    response = await ask(await simulator(speed=1000), request("converse", CONVERSE))
    body = response.json()
    assert list(body) == ["metrics", "output", "stopReason", "usage"]
    assert body["usage"] == {
        "cacheReadInputTokenCount": 0,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokenCount": 0,
        "cacheWriteInputTokens": 0,
        "inputTokens": 4,
        "outputTokens": 20,
        "serverToolUsage": {},
        "totalTokens": 24,
    }
    assert not any(name.startswith("x-amzn-bedrock") for name in response.headers)


async def test_an_invoke_stream_is_base64_chunks_with_padding(simulator: Start) -> None:
    response = await ask(await simulator(speed=1000), request("invoke-with-response-stream", INVOKE))
    assert response.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert response.headers["x-amzn-bedrock-content-type"] == "application/json"
    frames = response.frames()
    assert {frame.headers[":event-type"] for frame in frames} == {"chunk"}
    payloads = [json.loads(frame.payload) for frame in frames]
    assert all("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".startswith(p["p"]) for p in payloads)
    assert len({len(payload["p"]) for payload in payloads}) > 1
    events = [json.loads(b64decode(payload["bytes"])) for payload in payloads]
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert events[-2]["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (4, 20)
    assert 0 <= metrics["firstByteLatency"] <= metrics["invocationLatency"]


async def test_a_converse_stream_has_one_event_type_a_frame_and_no_start_of_a_text_block(simulator: Start) -> None:
    response = await ask(await simulator(speed=1000), request("converse-stream", CONVERSE))
    kinds = [frame.headers[":event-type"] for frame in response.frames()]
    assert kinds[0] == "messageStart"
    assert set(kinds[1:-3]) == {"contentBlockDelta"}
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    for frame in response.frames():
        payload = json.loads(frame.payload)
        assert list(payload) == sorted(payload)
        assert payload["p"]


async def test_streamed_and_unstreamed_answers_have_the_same_text(simulator: Start) -> None:
    url = await simulator(speed=1000)
    whole = (await ask(url, request("converse", CONVERSE))).json()["output"]["message"]["content"][0]["text"]
    frames = (await ask(url, request("converse-stream", CONVERSE))).frames()
    deltas = [json.loads(frame.payload)["delta"]["text"] for frame in frames if b'"delta"' in frame.payload]
    assert "".join(deltas) == whole


async def test_an_empty_answer_streams_to_its_end(simulator: Start) -> None:
    url = await simulator(speed=1000)
    body = INVOKE | {"stop_sequences": list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}  # filler begins with a capital letter
    assert len((await ask(url, request("invoke-with-response-stream", body))).frames()) == 5
    (served,) = await truth(url)
    assert (served["chunks"], served["first_ns"], served["last_ns"]) == (0, None, None)
    assert served["done_ns"] > served["received_ns"]


@pytest.mark.parametrize(
    "model",
    [
        MODEL.replace(":", "%3A"),
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile%2F" + MODEL,
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile/" + MODEL,
    ],
)
async def test_a_model_id_may_be_encoded_in_any_way(simulator: Start, model: str) -> None:
    assert (await ask(await simulator(speed=1000), request("invoke", INVOKE, model=model))).status == 200


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        ("invoke", b"{", "Malformed input request, please"),
        ("invoke", b'"\xff"', "Malformed input request"),
        ("invoke", INVOKE | {"max_tokens": "many"}, "Expected `int | null`, got `str`"),
        ("invoke", {k: v for k, v in INVOKE.items() if k != "max_tokens"}, "max_tokens: Field required"),
        ("invoke", {k: v for k, v in INVOKE.items() if k != "anthropic_version"}, "anthropic_version: Field required"),
        ("invoke", INVOKE | {"anthropic_version": "2026-10-21"}, "anthropic_version: '2026-10-21' is not supported"),
        ("invoke", INVOKE | {"max_tokens": 0}, "max_tokens: must be greater than"),
        ("invoke", INVOKE | {"messages": []}, "at least one message"),
        ("invoke", INVOKE | {"messages": [{"role": "user", "content": " "}]}, "must be non-empty"),
        ("invoke", INVOKE | {"messages": [{"role": "user", "content": []}]}, "must be non-empty"),
        ("invoke", INVOKE | {"messages": [{"role": "assistant", "content": "Hi"}]}, '"user" role'),
        ("invoke", INVOKE | {"messages": [{"role": "robot", "content": "Hi"}]}, "Invalid enum value"),
        ("converse", b"[]", "Malformed input request"),
        ("converse", CONVERSE | {"messages": []}, "must start with a user message"),
        ("converse", CONVERSE | {"messages": [{"role": "user", "content": []}]}, "content field"),
        ("converse", CONVERSE | {"messages": [{"role": "user", "content": [{"text": ""}]}]}, "is blank"),
        ("converse", CONVERSE | {"messages": [{"role": "user", "content": "text"}]}, "Expected `array`"),
    ],
)
async def test_a_bad_body_is_a_validation_exception(
    simulator: Start, operation: str, body: object, message: str
) -> None:
    response = await ask(await simulator(speed=1000), request(operation, body))
    assert response.status == 400
    assert response.headers["x-amzn-errortype"] == ERROR_TYPE.format("ValidationException")
    assert message in response.json()["message"]


async def test_the_new_anthropic_version_is_limited_to_models_that_support_it(simulator: Start) -> None:
    body = INVOKE | {"anthropic_version": "2026-10-21"}
    model = "us.anthropic.claude-opus-4-8"
    assert (await ask(await simulator(speed=1000), request("invoke", body, model=model))).status == 200


@pytest.mark.parametrize(
    ("raw", "status", "code", "message"),
    [
        (
            request("invoke", INVOKE, model="nope"),
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (
            request("invoke", INVOKE, model="anthropic.claude-sonata-9"),
            404,
            "ResourceNotFoundException",
            "Could not resolve the foundation model from the provided model identifier.",
        ),
        (
            request("invoke", INVOKE).replace(b"Authorization: made-up\r\n", b""),
            403,
            "AccessDeniedException",
            "Missing Authentication Token",
        ),
        (
            request("invoke", INVOKE, method="GET"),
            404,
            "UnknownOperationException",
            "The requested operation is not recognized by the service.",
        ),
        (
            get("/nowhere"),
            404,
            "UnknownOperationException",
            "The requested operation is not recognized by the service.",
        ),
    ],
)
async def test_an_error_has_the_services_format(
    simulator: Start, raw: bytes, status: int, code: str, message: str
) -> None:
    response = await ask(await simulator(), raw)
    assert (response.status, response.json()) == (status, {"message": message})
    assert response.headers["x-amzn-errortype"] == ERROR_TYPE.format(code)
    assert response.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("option", "status", "code"),
    [("throttle_rate", 429, "ThrottlingException"), ("unavailable_rate", 503, "ServiceUnavailableException")],
)
async def test_faults_have_the_services_format(simulator: Start, option: str, status: int, code: str) -> None:
    url = await simulator(**{option: 1.0})
    response = await ask(url, request("converse-stream", CONVERSE))
    assert response.status == status
    assert response.headers["x-amzn-errortype"] == ERROR_TYPE.format(code)
    assert response.headers["content-type"] == "application/json"
    (served,) = await truth(url)
    assert (served["status"], served["chunks"], served["first_ns"]) == (status, 0, None)
    assert served["done_ns"] >= served["received_ns"]


async def test_a_head_request_gets_no_body(simulator: Start) -> None:
    async with connected(await simulator()) as wire:
        wire.writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.response(has_body=False)).status == 404
        assert (await wire.ask(get("/_simulator/health"))).json() == {"status": "ok", "under_way": 0}


async def test_pipelined_requests_are_answered_in_order(simulator: Start) -> None:
    url = await simulator(speed=1000)
    async with connected(url) as wire:
        wire.writer.write(
            request("invoke-with-response-stream", INVOKE) + request("invoke", INVOKE, model="nope") + get("/nowhere")
        )
        assert [(await wire.response()).status for _ in range(3)] == [200, 400, 404]


async def test_a_request_may_arrive_byte_by_byte(simulator: Start) -> None:
    async with connected(await simulator(speed=1000)) as wire:
        for byte in request("invoke", INVOKE):
            wire.writer.write(bytes((byte,)))
            await wire.writer.drain()
            await asyncio.sleep(0)
        assert (await wire.response()).status == 200


async def test_a_client_that_expects_a_continue_gets_one(simulator: Start) -> None:
    raw = request("invoke", INVOKE, more="Expect: 100-continue\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    async with connected(await simulator(speed=1000)) as wire:
        for _ in range(2):
            wire.writer.write(head + b"\r\n\r\n")
            assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await wire.ask(body)).status == 200


async def test_a_continue_waits_for_the_reply_before_it(simulator: Start) -> None:
    head, _, body = request("invoke", INVOKE, more="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    async with connected(await simulator(speed=1000)) as wire:
        wire.writer.write(request("converse-stream", CONVERSE) + head + b"\r\n\r\n")
        assert (await wire.response()).frames()
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await wire.ask(body)).status == 200


async def test_a_connection_closes_when_the_client_asks(simulator: Start) -> None:
    async with connected(await simulator(speed=1000)) as wire:
        assert (await wire.ask(request("invoke", INVOKE, more="Connection: close\r\n"))).status == 200
        assert await wire.reader.read() == b""


async def test_garbage_gets_a_400_and_the_connection_is_closed(simulator: Start) -> None:
    async with connected(await simulator()) as wire:
        assert (await wire.ask(b"what is this\r\n\r\n")).status == 400
        assert await wire.reader.read() == b""


async def test_a_body_over_the_services_limit_is_rejected(simulator: Start) -> None:
    response = await ask(await simulator(), request("invoke", b" " * 25_000_001))
    assert response.status == 400
    assert "longer than 25000000 bytes" in response.json()["message"]


async def test_a_client_that_leaves_in_mid_stream_frees_its_stream(simulator: Start) -> None:
    url = await simulator(fixed=(0.0, 600.0, 3))
    async with connected(url) as watch:
        async with connected(url) as wire:
            wire.writer.write(request("converse-stream", CONVERSE))
            await wire.reader.readuntil(b"tic ")
            assert (await watch.ask(get("/_simulator/health"))).json()["under_way"] == 1
        while (await watch.ask(get("/_simulator/health"))).json()["under_way"]:
            pass
    (served,) = await truth(url)
    assert (served["chunks"], served["last_ns"], served["done_ns"]) == (1, None, None)


async def test_the_truth_has_the_stamps_of_every_request_in_order(simulator: Start) -> None:
    url = await simulator(fixed=(0.01, 0.001, 10))
    before = now_ns()
    response = await ask(url, request("invoke-with-response-stream", INVOKE))
    after = now_ns()
    (served,) = await truth(url)
    assert served["request_id"] == response.headers["x-amzn-requestid"]
    assert (served["model_id"], served["api"], served["stream"], served["status"]) == (MODEL, "invoke", True, 200)
    assert (served["chunks"], served["output_tokens"]) == (10, 10)
    stamps = [served[name] for name in ("received_ns", "first_ns", "last_ns", "done_ns")]
    assert [before, *stamps, after] == sorted([before, *stamps, after])
    assert served["first_ns"] - served["received_ns"] >= 10_000_000
    assert served["last_ns"] - served["received_ns"] >= 19_000_000


async def test_an_unstreamed_answer_is_one_chunk(simulator: Start) -> None:
    url = await simulator(speed=1000)
    await ask(url, request("invoke", INVOKE))
    (served,) = await truth(url)
    assert served["chunks"] == 1
    assert served["first_ns"] == served["last_ns"] == served["done_ns"]


async def test_the_truth_can_be_reset(simulator: Start) -> None:
    url = await simulator(speed=1000)
    await ask(url, request("invoke", INVOKE))
    assert len((await ask(url, get("/_simulator/truth?reset"))).json()["requests"]) == 1
    assert await truth(url) == []


async def test_the_same_seed_gives_the_same_answers_in_any_order_of_arrival(simulator: Start) -> None:
    prompts = [INVOKE | {"messages": [{"role": "user", "content": f"Question {n}?"}]} for n in range(5)]

    async def texts(seed: int, order: list[int]) -> dict[int, list[str]]:
        url = await simulator(speed=1000, seed=seed)
        answers: dict[int, list[str]] = {}
        for at in order:
            answer = (await ask(url, request("invoke", prompts[at]))).json()["content"][0]["text"]
            answers.setdefault(at, []).append(answer)
        return answers

    forwards, backwards = await texts(7, [0, 1, 2, 3, 4, 0]), await texts(7, [4, 3, 2, 0, 1, 0])
    assert forwards == backwards
    assert forwards[0][0] != forwards[0][1]
    assert forwards != await texts(8, [0, 1, 2, 3, 4, 0])


async def test_the_same_model_answers_alike_through_every_routing(simulator: Start) -> None:
    url = await simulator(speed=1000)
    answers = [
        (await ask(url, request("invoke", INVOKE, model=f"{prefix}.anthropic.claude-sonnet-4-6"))).json()["content"]
        for prefix in ("global", "us", "eu")
    ]
    assert answers[0] == answers[1] == answers[2]
