"""The guide's own calls in Python, unmodified but for the address: anthropic's sync client, and boto3."""

from __future__ import annotations

import json
import os

import boto3
import pytest
from anthropic import AnthropicBedrock

SONNET = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROMPT = "Capital of France? One word."
VERSION = {"anthropic_version": "bedrock-2023-05-31"}


@pytest.fixture(autouse=True)
def only_made_up_credentials(clean_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    for name, value in clean_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def client(bedrock_url: str, monkeypatch: pytest.MonkeyPatch) -> AnthropicBedrock:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")  # the client takes either a token or keys
    return AnthropicBedrock(
        aws_access_key="MADEUPKEYID",
        aws_secret_key="made-up-secret",
        aws_session_token="made-up-token",
        aws_region="us-west-2",
        base_url=bedrock_url,
    )


def test_row_6_messages_create_answers(client: AnthropicBedrock) -> None:
    with client:
        message = client.messages.create(
            model=SONNET, max_tokens=256, messages=[{"role": "user", "content": PROMPT}], extra_body=VERSION
        )
    assert "end_turn" == message.stop_reason
    assert message.usage.output_tokens > 0
    assert message.content[0].type == "text"


def test_row_6_messages_stream_answers(client: AnthropicBedrock) -> None:
    with (
        client,
        client.messages.stream(
            model=SONNET, max_tokens=256, messages=[{"role": "user", "content": PROMPT}], extra_body=VERSION
        ) as stream,
    ):
        text = "".join(stream.text_stream)
        assert text == stream.get_final_text() != ""


def test_row_6_the_default_chain_and_aws_region_are_used(bedrock_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", bedrock_url)
    with AnthropicBedrock() as client:
        assert "eu-central-1" == client.aws_region
        message = client.messages.create(
            model=SONNET, max_tokens=64, messages=[{"role": "user", "content": PROMPT}], extra_body=VERSION
        )
    assert "assistant" == message.role


def test_row_7_invoke_model_answers_in_the_response_body(bedrock_url: str) -> None:
    bedrock = boto3.client("bedrock-runtime", region_name="us-west-2", endpoint_url=bedrock_url)
    body = json.dumps(VERSION | {"max_tokens": 256, "messages": [{"role": "user", "content": PROMPT}]})
    response = bedrock.invoke_model(body=body, modelId=SONNET)
    answer = json.loads(response.get("body").read())
    assert ("message", "assistant", "end_turn") == (answer["type"], answer["role"], answer["stop_reason"])
    bedrock.close()


def test_row_7_a_stream_comes_in_chunks_to_its_end(bedrock_url: str) -> None:
    bedrock = boto3.client("bedrock-runtime", region_name="us-west-2", endpoint_url=bedrock_url)
    body = json.dumps(VERSION | {"max_tokens": 256, "messages": [{"role": "user", "content": PROMPT}]})
    stream = bedrock.invoke_model_with_response_stream(body=body, modelId=SONNET)["body"]
    events = [json.loads(each["chunk"]["bytes"]) for each in stream]
    assert ("message_start", "message_stop") == (events[0]["type"], events[-1]["type"])
    assert "amazon-bedrock-invocationMetrics" in events[-1]
    bedrock.close()


def test_row_9_converse_answers(bedrock_url: str) -> None:
    bedrock = boto3.client("bedrock-runtime", region_name="us-west-2", endpoint_url=bedrock_url)
    response = bedrock.converse(modelId=SONNET, messages=[{"role": "user", "content": [{"text": PROMPT}]}])
    assert "end_turn" == response["stopReason"]
    assert response["output"]["message"]["content"][0]["text"]
    bedrock.close()


def test_row_5_list_foundation_models_by_provider(bedrock_url: str) -> None:
    bedrock = boto3.client("bedrock", region_name="us-west-2", endpoint_url=bedrock_url)
    summaries = bedrock.list_foundation_models(byProvider="anthropic")["modelSummaries"]
    assert "anthropic.claude-sonnet-4-5-20250929-v1:0" in {each["modelId"] for each in summaries}
    assert {"Anthropic"} == {each["providerName"] for each in summaries}
    bedrock.close()
