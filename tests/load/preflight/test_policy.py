"""IAM policies: the least one for a suite, and what another lacks or grants beyond need, judged as IAM does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.models import find_model
from harness.catalog.regions import regions_of
from harness.errors import HarnessError
from harness.load.preflight.permissions import Permission, permissions_of
from harness.load.preflight.policy import check_policy, least_policy, policy_json, read_policy, resource_matches
from harness.suite.loader import load_suite

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
STREAM, WHOLE = "bedrock:InvokeModelWithResponseStream", "bedrock:InvokeModel"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
TARGETS = {
    "geography": "{model: claude-haiku-4-5, routing: us, region: us-east-1}",
    "global": "{model: claude-haiku-4-5, routing: global, region: eu-west-1}",
    "in-region": "{model: claude-sonnet-4-6, routing: in-region, stream: false}",
    "application": f"{{model: claude-haiku-4-5, routing: '{APPLICATION}'}}",
    "mantle": "{model: claude-sonnet-4-6, api: mantle, client: wire, region: us-east-1}",
    "gov": "{model: claude-sonnet-4-5, routing: us-gov, region: us-gov-west-1}",
}
Needs = Callable[..., list[Permission]]


@pytest.fixture
def needs(tmp_path: Path) -> Needs:
    """`needs("global", "mantle")`: what a suite with these targets needs."""

    def load(*names: str, results: str | None = None) -> list[Permission]:
        targets = "".join(f"  - {TARGETS[name]}\n" for name in names)
        (tmp_path / "suite.yaml").write_text(f"suite: x\ntargets:\n{targets}prompts: [{{id: a, prompt: Say a.}}]\n")
        return permissions_of(load_suite(tmp_path / "suite.yaml"), results)

    return load


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    """The statuses and messages for a policy of these statements."""

    def run(needed: list[Permission], *statements: dict[str, Any]) -> list[str]:
        path = tmp_path / "policy.json"
        path.write_text(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        return [f"{each.status}: {each.message}" for each in check_policy(read_policy(path), needed)]

    return run


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def calls(needed: list[Permission]) -> set[tuple[str, str]]:
    return {(each.action, each.resource) for each in needed if each.kind != "preflight"}


def test_a_profile_needs_itself_and_its_model_in_every_region_that_may_serve_it(needs: Needs) -> None:
    profile = f"arn:aws:bedrock:us-east-1:*:inference-profile/us.{HAIKU}"
    regions = regions_of(find_model("claude-haiku-4-5"), "us")
    assert len(regions) > 2
    models = {(STREAM, f"arn:aws:bedrock:{region}::foundation-model/{HAIKU}") for region in regions}
    assert {(STREAM, profile), *models} == calls(needs("geography"))


def test_a_global_profile_needs_its_model_at_home_and_in_no_named_region(needs: Needs) -> None:
    needed = needs("global")
    models = {each.resource: each.context for each in needed if each.kind == "behind"}
    assert {f"arn:aws:bedrock:{region}::foundation-model/{HAIKU}" for region in ("eu-west-1", "")} == set(models)
    assert "unspecified" == models[f"arn:aws:bedrock:::foundation-model/{HAIKU}"]["aws:RequestedRegion"]


def test_other_routings_and_endpoints(needs: Needs) -> None:
    assert {(WHOLE, "arn:aws:bedrock:eu-west-2::foundation-model/anthropic.claude-sonnet-4-6")} == calls(
        needs("in-region")
    )
    mantle = "arn:aws:bedrock-mantle:us-east-1:*:project/default"
    assert {("bedrock-mantle:CreateInference", mantle)} == calls(needs("mantle"))
    assert (STREAM, APPLICATION.replace("123456789012", "*")) in calls(needs("application"))
    gov = calls(needs("gov", results="s3://my-bench"))
    assert all(resource.startswith("arn:aws-us-gov:") for _, resource in gov)
    assert ("s3:GetObject", "arn:aws-us-gov:s3:::my-bench/*") in gov


@pytest.mark.parametrize("names", [*([name] for name in TARGETS), list(TARGETS)], ids=lambda names: "+".join(names))
def test_the_least_policy_grants_what_is_needed_and_nothing_beyond(
    needs: Needs, names: list[str], tmp_path: Path
) -> None:
    needed = needs(*names, results="s3://my-bench/results")
    (tmp_path / "policy.json").write_text(policy_json(least_policy(needed)))
    (diagnosis,) = check_policy(read_policy(tmp_path / "policy.json"), needed)
    assert "ok" == diagnosis.status, diagnosis


def test_every_permission_taken_out_of_it_is_missed(needs: Needs, check: Callable[..., list[str]]) -> None:
    needed = needs(*TARGETS, results="s3://my-bench/results")
    whole = json.loads(policy_json(least_policy(needed)))["Statement"]
    for i, statement in enumerate(whole):
        for key in ("Action", "Resource"):
            for value in statement[key]:
                rest = {**statement, key: [each for each in statement[key] if each != value]}
                found = check(needed, *whole[:i], rest, *whole[i + 1 :])
                missed = "warning" if statement["Sid"] == "Preflight" else "problem"
                assert any(each.startswith(f"{missed}: does not allow ") for each in found), (value, found)


def test_a_model_may_be_called_only_through_its_profile(needs: Needs) -> None:
    """The least policy grants the model in every Region, so the condition is what keeps it least."""
    needed = needs("geography")
    policy = least_policy(needed)
    direct = Permission(
        kind="model", action=STREAM, resource=f"arn:aws:bedrock:eu-west-1::foundation-model/{HAIKU}",
        context={"bedrock:InferenceProfileArn": "arn:aws:bedrock:eu-west-1:*:inference-profile/eu." + HAIKU},
    )  # fmt: skip
    assert "problem" == check_policy(policy, [*needed, direct])[0].status


def test_what_nothing_needs_and_what_is_wider_than_needed_are_warnings(
    needs: Needs, check: Callable[..., list[str]]
) -> None:
    needed = needs("geography")
    whole = json.loads(policy_json(least_policy(needed)))["Statement"]
    more = [
        allow("s3:PutObject", "arn:aws:s3:::my-bench/*"),
        allow(STREAM, "arn:aws:bedrock:us-east-1::foundation-model/*"),
        allow("bedrock:Invoke*", f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"),
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    ]
    found = check(needed, *whole, *more)
    assert [
        "warning: grants s3:PutObject on arn:aws:s3:::my-bench/*, which nothing in this suite needs",
        f"warning: grants {STREAM} on arn:aws:bedrock:us-east-1::foundation-model/*, which is more than needed",
        f"warning: grants bedrock:Invoke* on arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}, "
        "which is more than needed",
        "warning: grants all but what NotAction or NotResource names",
    ] == found


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"StringEquals": {"AWS:requestedRegion": ["eu-west-2", "us-east-1"]}}, "ok"),
        ({"StringEquals": {"aws:RequestedRegion": "eu-*"}}, "problem"),
        ({"StringLike": {"aws:RequestedRegion": "eu-*"}}, "ok"),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, "problem"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "unknown"),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "Bool": {"aws:SecureTransport": True}}, "problem"),
    ],
)
def test_conditions_are_judged_where_they_can_be(
    needs: Needs, check: Callable[..., list[str]], condition: dict[str, Any], status: str
) -> None:
    needed = [each for each in needs("in-region") if each.kind == "model"]
    (found,) = check(needed, allow(WHOLE, needed[0].resource, Condition=condition))
    assert found.startswith(f"{status}: ")


def test_one_denial_outweighs_every_grant(needs: Needs, check: Callable[..., list[str]]) -> None:
    needed = [each for each in needs("in-region") if each.kind == "model"]
    granted = allow(WHOLE.upper(), needed[0].resource)
    assert check(needed, granted)[0].startswith("ok: ")
    deny = {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}
    assert check(needed, granted, deny)[0].startswith("problem: ")
    elsewhere = {**deny, "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-2"}}}
    assert check(needed, granted, elsewhere)[0].startswith("unknown: ")


def test_a_resource_matches_part_by_part_with_any_account() -> None:
    arn = "arn:aws:bedrock:us-east-1:*:inference-profile/us.x-v1:0"
    matching = ["*", "arn:aws:bedrock:*:123456789012:inference-profile/*", "arn:*:bedrock:us-*:*:*"]
    others = ["arn:aws:bedrock:*::inference-profile/*", "arn:aws:*/us.x-v1:0", arn.replace("us.x", "us.y"), ""]
    assert ([True] * 3, [False] * 4) == (
        [resource_matches(each, arn) for each in matching],
        [resource_matches(each, arn) for each in others],
    )
    assert not resource_matches("arn:aws:s3:::b[a]d", "arn:aws:s3:::bad")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not an IAM policy for a role: Input data was truncated"),
        ("[" * 100_000, "is not an IAM policy for a role"),
        ('{"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}', "Perhaps"),
        (
            '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:Assume*"}}',
            "a policy with a Principal belongs to a resource or is a trust policy",
        ),
        (" " * (1 << 20) + "{}", "is larger than 1024 KiB"),
    ],
    ids=["truncated", "deep", "effect", "trust", "large"],
)
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(HarnessError, match=told):
        read_policy(tmp_path / "policy.json")
    with pytest.raises(HarnessError, match="cannot be read: Is a directory"):
        read_policy(tmp_path)
