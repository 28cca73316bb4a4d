"""PDFs, images and citations in all dialects: input tokens, citations, rejected requests."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.simulator.model.answers import prompt_digest
from harness.simulator.model.attachments import count_pages

Start = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Any]]

MODEL = "us.anthropic.claude-opus-4-5-20251101-v1:0"
QUESTION = "Which bar is the tallest?"


def pdf(pages: int) -> bytes:
    return b"%PDF-1.4\n<< /Type /Pages /Count 9 >>\n" + b"<< /Type /Page >>\n" * pages


def converse(content: bytes, *, citations: bool = False, **more: Any) -> dict[str, Any]:
    document = {"format": "pdf", "name": "chart", "source": {"bytes": content}}
    if citations:
        document["citations"] = {"enabled": True}
    blocks = [{"document": document | more}, {"text": QUESTION}]
    return {"modelId": MODEL, "messages": [{"role": "user", "content": blocks}]}


def invoke(content: bytes, *, citations: bool = False) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "application/pdf", "data": b64encode(content).decode()}
    document = {"type": "document", "source": source, "title": "chart", "citations": {"enabled": citations}}
    blocks = [document, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": blocks}]
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": messages}
    return {"modelId": MODEL, "body": json.dumps(body)}


async def ask_invoke(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await (await client.invoke_model(**request))["body"].read())
    return answer


@pytest.mark.parametrize(
    ("content", "pages"),
    [(pdf(3), 3), (b"%PDF-1.7\n/Type/Page/Parent", 1), (b"%PDF-1.7 << /Count 12 >>", 12), (b"%PDF-1.7", 1)],
)
def test_pages_are_counted(content: bytes, pages: int) -> None:
    assert count_pages(content) == pages


async def test_a_visual_page_has_seven_times_the_tokens_of_its_text(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock-runtime", await simulator(speed=1000))
    text = (await client.converse(**converse(pdf(3))))["usage"]["inputTokens"]
    cited = (await client.converse(**converse(pdf(3), citations=True)))["usage"]["inputTokens"]
    invoked = (await ask_invoke(client, invoke(pdf(3))))["usage"]["input_tokens"]
    assert (text, cited, invoked) == (3 * 328 + 7, 3 * 2300 + 7, 3 * 2300 + 7)


async def test_a_visual_question_is_wrong_only_over_converse_without_citations(
    simulator: Start, boto: Open, tmp_path: Path
) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps({prompt_digest(QUESTION): {"answer": "1987", "visual": True}}))
    client = await boto("bedrock-runtime", await simulator(speed=1000, answer_key=key, seed=3))
    read = (await client.converse(**converse(pdf(1))))["output"]["message"]["content"][0]["text"]
    cited = (await client.converse(**converse(pdf(1), citations=True)))["output"]["message"]["content"][0]
    invoked = (await ask_invoke(client, invoke(pdf(1))))["content"][0]["text"]
    assert read.strip() != "1987"
    assert cited["citationsContent"]["content"][0]["text"].strip() == invoked.strip() == "1987"


async def test_citations_point_at_the_first_page_in_every_dialect(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock-runtime", await simulator(speed=1000))
    (block,) = (await client.converse(**converse(pdf(1), citations=True)))["output"]["message"]["content"]
    (cited,) = block["citationsContent"]["citations"]
    assert cited["location"] == {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}
    assert cited["title"] == "chart"
    assert cited["sourceContent"][0]["text"]
    (page,) = (await ask_invoke(client, invoke(pdf(1), citations=True)))["content"][0]["citations"]
    assert page["type"] == "page_location"
    assert (page["document_index"], page["start_page_number"], page["end_page_number"]) == (
        0,
        1,
        2,
    )
    assert (page["document_title"], page["cited_text"]) == (
        "chart",
        cited["sourceContent"][0]["text"],
    )


async def test_streams_have_the_same_citations_as_complete_answers(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock-runtime", await simulator(speed=1000))
    whole = (await client.converse(**converse(pdf(1), citations=True)))["output"]["message"]["content"][0]
    stream = (await client.converse_stream(**converse(pdf(1), citations=True)))["stream"]
    deltas = [event["contentBlockDelta"]["delta"] async for event in stream if "contentBlockDelta" in event]
    assert [delta["citation"] for delta in deltas if "citation" in delta] == whole["citationsContent"]["citations"]
    assert "".join(delta.get("text", "") for delta in deltas) == whole["citationsContent"]["content"][0]["text"]
    response = await client.invoke_model_with_response_stream(**invoke(pdf(1), citations=True))
    events = [json.loads(event["chunk"]["bytes"]) async for event in response["body"]]
    (delta,) = [event["delta"] for event in events if event.get("delta", {}).get("type") == "citations_delta"]
    assert delta["citation"]["type"] == "page_location"


async def test_a_text_document_is_cited_by_characters(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock-runtime", await simulator(speed=1000))
    request = converse(b"The total is 118.40.", citations=True, format="txt")
    (block,) = (await client.converse(**request))["output"]["message"]["content"]
    (cited,) = block["citationsContent"]["citations"]
    assert cited["location"] == {"documentChar": {"documentIndex": 0, "start": 0, "end": 20}}
    assert cited["sourceContent"] == [{"text": "The total is 118.40."}]


@pytest.mark.filterwarnings("ignore:Sending a large body")
@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([{"document": {"format": "pdf", "name": "a", "source": {"bytes": b"no pdf"}}}], "not valid"),
        ([{"document": {"format": "pdf", "name": "a.pdf", "source": {"bytes": pdf(1)}}}], "alphanumeric"),
        ([{"document": {"format": "pdf", "name": "a", "source": {"bytes": pdf(101)}}}], "100 PDF pages"),
        ([{"document": {"format": "pdf", "name": "a", "source": {"bytes": pdf(1).ljust(4_500_001)}}}], r"4\.5 MB"),
        ([{"document": {"format": "pdf", "name": str(at), "source": {"bytes": pdf(1)}}} for at in range(6)], "5 doc"),
        ([{"image": {"format": "png", "source": {"bytes": b"x"}}}] * 21, "20 images"),
        ([{"image": {"format": "png", "source": {"bytes": b"x" * 3_750_003}}}], r"3\.75 MB"),
        (
            [
                {"document": {"format": "pdf", "name": "a", "source": {"bytes": pdf(1)}, "citations": {"enabled": on}}}
                for on in (True, False)
            ],
            "all or none",
        ),
    ],
)
async def test_converse_rejects_invalid_attachments(
    simulator: Start, boto: Open, blocks: list[dict[str, Any]], message: str
) -> None:
    client = await boto("bedrock-runtime", await simulator())
    with pytest.raises(ClientError, match=message) as refused:
        await client.converse(modelId=MODEL, messages=[{"role": "user", "content": [*blocks, {"text": QUESTION}]}])
    assert refused.value.response["Error"]["Code"] == "ValidationException"


async def test_a_document_needs_accompanying_text(simulator: Start, boto: Open) -> None:
    client = await boto("bedrock-runtime", await simulator())
    request = converse(pdf(1))
    del request["messages"][0]["content"][1]
    with pytest.raises(ClientError, match="text block must accompany"):
        await client.converse(**request)
