import pytest

from harness.catalog.names import Reference, dated_name, generation, is_claude, read_reference, short_name
from harness.errors import CatalogError

BASE = "anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("base_id", "short", "dated", "numbers"),
    [
        (BASE, "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", (4, 5)),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4", "claude-sonnet-4-20250514", (4, 0)),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet", "claude-3-5-sonnet-20241022", (3, 5)),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku", "claude-3-haiku-20240307", (3, 0)),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6", "claude-opus-4-6", (4, 6)),
        ("anthropic.claude-opus-5", "claude-opus-5", "claude-opus-5", (5, 0)),
        ("anthropic.claude-fable-5-1", "claude-fable-5-1", "claude-fable-5-1", (5, 1)),
    ],
)
def test_a_base_id_yields_names_and_generation(base_id: str, short: str, dated: str, numbers: tuple[int, int]) -> None:
    assert (short, dated, numbers) == (short_name(base_id), dated_name(base_id), generation(base_id))


@pytest.mark.parametrize("text", ["amazon.nova-pro-v1:0", "claude-sonnet-4-5", "anthropic.other", f"us.{BASE}"])
def test_other_ids_are_not_base_ids_of_claude(text: str) -> None:
    assert not is_claude(text)


PROFILE_ARN = f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{BASE}"
GLOBAL_ARN = f"arn:aws:bedrock:us-west-2:123456789012:inference-profile/global.{BASE}"
GOV_ARN = f"arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.{BASE}"
OWN_ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
MODEL_ARN = f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("claude-sonnet-4-5", Reference(model="claude-sonnet-4-5")),
        (BASE, Reference(model=BASE)),
        (f"us.{BASE}", Reference(model=BASE, routing="us")),
        (f"us-gov.{BASE}", Reference(model=BASE, routing="us-gov")),
        (PROFILE_ARN, Reference(model=BASE, routing="eu", region="eu-west-1", arn=PROFILE_ARN)),
        (GLOBAL_ARN, Reference(model=BASE, routing="global", region="us-west-2", arn=GLOBAL_ARN)),
        (GOV_ARN, Reference(model=BASE, routing="us-gov", region="us-gov-west-1", arn=GOV_ARN)),
        (OWN_ARN, Reference(model=None, routing="application", region="us-east-1", arn=OWN_ARN)),
        (MODEL_ARN, Reference(model=BASE, routing="in-region", region="us-east-1", arn=MODEL_ARN)),
    ],
)
def test_every_way_of_naming_a_model_is_understood(text: str, expected: Reference) -> None:
    assert expected == read_reference(text)


@pytest.mark.parametrize(
    ("arn", "part"),
    [
        ("arn:aws:bedrock::123456789012:application-inference-profile/abc123", "not the ARN of a Claude"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", "not the ARN of a Claude"),
        ("arn:aws:s3:::bucket", "not the ARN of a Claude"),
        ("arn:", "not the ARN of a Claude"),
    ],
)
def test_other_arns_are_refused_with_what_was_expected(arn: str, part: str) -> None:
    with pytest.raises(CatalogError, match=part):
        read_reference(arn)
