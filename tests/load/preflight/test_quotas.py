from __future__ import annotations

import pytest

from harness.catalog.target import Api, Options, Target
from harness.endpoints.account.account import QuotaValue
from harness.load.preflight.quotas import day_quotas, minute_quota

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NAMES = [
    "Bedrock Mantle input tokens per minute for Anthropic Claude Sonnet 4.5",
    "Bedrock Mantle output tokens per minute for Anthropic Claude Sonnet 4.5",
    "Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1",
    "Cross-region model inference tokens per minute for Anthropic Claude 3.5 Sonnet",
    "Cross-region model inference tokens per minute for Anthropic Claude 3.5 Sonnet V2",
    "Cross-region model inference tokens per minute for Anthropic Claude Opus 4.5",
    "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1",
    "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
    "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 1M Context Length",
    "Global cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
    "On-demand model inference tokens per minute for Anthropic Claude 3 Haiku",
    "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for cross-region calls)",
    "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1",
]
QUOTAS = [QuotaValue(name=name, value=1, default=None) for name in NAMES]


def target(base_model: str, routing: str, api: Api = "invoke", beta: list[str] | None = None) -> Target:
    return Target(name="t", model="m", base_model=base_model, model_id="i", routing=routing, api=api, client="c",
                  region="us-east-1", options=Options(beta=beta))  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (target(SONNET, "us"), NAMES[7]),
        (target(SONNET, "eu", "converse"), NAMES[7]),
        (target(SONNET, "global"), NAMES[9]),
        (target(SONNET, "global", "mantle"), NAMES[0]),
        (target(SONNET, "us", beta=["context-1m-2025-08-07"]), NAMES[8]),
        (target(SONNET, "global", beta=["context-1m-2025-08-07"]), NAMES[9]),
        (target(SONNET, "in-region"), None),
        (target("anthropic.claude-sonnet-4-20250514-v1:0", "apac"), NAMES[6]),
        (target("anthropic.claude-opus-4-5-20251101-v1:0", "us"), NAMES[5]),
        (target("anthropic.claude-3-5-sonnet-20240620-v1:0", "us"), NAMES[3]),
        (target("anthropic.claude-3-5-sonnet-20241022-v2:0", "us"), NAMES[4]),
        (target("anthropic.claude-3-haiku-20240307-v1:0", "in-region"), NAMES[10]),
        (target("anthropic.claude-opus-5", "us"), None),
    ],
)
def test_a_target_finds_its_minute_quota_by_routing_and_model(asked: Target, name: str | None) -> None:
    found = minute_quota(asked, QUOTAS)
    assert name == (found.name if found else None)


def test_a_target_finds_the_day_quotas_of_its_model() -> None:
    assert [NAMES[11], NAMES[12]] == [each.name for each in day_quotas(target(SONNET, "us"), QUOTAS)]
