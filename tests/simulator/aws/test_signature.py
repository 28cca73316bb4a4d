"""Verification of signatures: every client's own, with the right secret and with a wrong one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest
from botocore.exceptions import ClientError

Start = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Any]]

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{MODEL}"
MESSAGES: Any = [{"role": "user", "content": "Hi"}]
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
VERSION = {"anthropic_version": "bedrock-2023-05-31"}
CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("bedrock-runtime", "converse", {"modelId": MODEL, **CONVERSE}, "InvalidSignatureException"),
    ("bedrock-runtime", "converse", {"modelId": ARN, **CONVERSE}, "InvalidSignatureException"),
    ("bedrock", "list_inference_profiles", {"maxResults": 3, "typeEquals": "APPLICATION"}, "InvalidSignatureException"),
    ("service-quotas", "list_service_quotas", {"ServiceCode": "bedrock"}, "InvalidSignatureException"),
    ("sts", "get_caller_identity", {}, "SignatureDoesNotMatch"),
]


@pytest.mark.parametrize(("service", "operation", "arguments", "code"), CALLS)
async def test_botos_signature_is_accepted_with_the_right_secret_only(
    simulator: Start, boto: Open, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    url = await simulator(secret="the secret", speed=1000)
    right = await boto(service, url, aws_secret_access_key="the secret", aws_session_token="token")
    assert await getattr(right, operation)(**arguments)
    wrong = await boto(service, url, aws_secret_access_key="another")
    with pytest.raises(ClientError) as refused:
        await getattr(wrong, operation)(**arguments)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("model", [MODEL, ARN])
async def test_the_sdks_signature_over_a_raw_colon_is_accepted(simulator: Start, model: str) -> None:
    url = await simulator(secret="the secret", speed=1000)
    for secret, taken in (("the secret", True), ("another", False)):
        async with anthropic.AsyncAnthropicBedrock(
            aws_access_key="MADEUP", aws_secret_key=secret, aws_region="us-east-1", base_url=url, max_retries=0
        ) as client:
            call = client.messages.create(model=model, max_tokens=5, messages=MESSAGES, extra_body=VERSION)
            if taken:
                assert (await call).content
            else:
                with pytest.raises(anthropic.PermissionDeniedError, match="signature we calculated"):
                    await call


async def test_mantles_signature_is_verified_too(simulator: Start, mantle: Open) -> None:
    url = await simulator(secret="the secret", speed=1000)
    request: Any = {"model": "anthropic.claude-opus-4-8", "max_tokens": 5, "messages": MESSAGES}
    assert (await (await mantle(url, secret="the secret")).messages.create(**request)).content
    with pytest.raises(anthropic.PermissionDeniedError):
        await (await mantle(url, secret="another")).messages.create(**request)


async def test_an_unknown_key_id_is_not_recognised(simulator: Start, boto: Open) -> None:
    url = await simulator(secret="up", key_id="KNOWN", speed=1000)
    assert await (await boto("bedrock", url, aws_access_key_id="KNOWN")).list_foundation_models()
    for service, operation, code in (
        ("bedrock", "list_foundation_models", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError) as refused:
            await getattr(await boto(service, url, aws_access_key_id="STRANGE"), operation)()
        assert refused.value.response["Error"]["Code"] == code


async def test_a_bearer_key_must_be_the_secret(simulator: Start) -> None:
    url = await simulator(secret="the secret", speed=1000)
    for key, taken in (("the secret", True), ("another", False)):
        async with anthropic.AsyncAnthropicBedrock(
            api_key=key, aws_region="us-east-1", base_url=url, max_retries=0
        ) as client:
            call = client.messages.create(model=MODEL, max_tokens=5, messages=MESSAGES, extra_body=VERSION)
            if taken:
                assert (await call).content
            else:
                with pytest.raises(anthropic.PermissionDeniedError):
                    await call


async def test_without_a_secret_any_signature_is_accepted(simulator: Start, boto: Open) -> None:
    client = await boto("sts", await simulator(), aws_secret_access_key="whatever")
    assert await client.get_caller_identity()
