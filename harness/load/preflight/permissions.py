"""The IAM permissions that a suite needs: for its targets and judges, for the preflight, and for results in S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from harness.catalog.models import find_model
from harness.catalog.names import APPLICATION, IN_REGION, US_GOV
from harness.catalog.regions import regions_of
from harness.catalog.target import Target
from harness.store.bucket.address import BucketAddress, parse_address
from harness.suite.suite import Suite

Kind = Literal["profile", "behind", "model", "mantle", "preflight", "list", "object"]
"""`behind`: a model that is called through a profile."""
ANY_ACCOUNT = "*"
"""In an ARN, since neither a suite nor a policy file says whose account it is for."""
PROFILE_KEY = "bedrock:InferenceProfileArn"
REGION_KEY = "aws:RequestedRegion"
PREFIX_KEY = "s3:prefix"
UNSPECIFIED = "unspecified"
"""The Region in which a global profile calls its model, as IAM sees it."""
PREFLIGHT = (
    "bedrock:GetFoundationModelAvailability",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "bedrock:ListFoundationModels",
    "bedrock:ListInferenceProfiles",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListServiceQuotas",
)
"""What the checks before a run read. `sts:GetCallerIdentity` needs no permission."""
OBJECTS = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """One action on one resource. `target` None: it is not for one target alone."""

    kind: Kind
    action: str
    resource: str
    """An ARN, with `*` as the account; or `*` for an action that knows no resources."""
    context: dict[str, str] = {}
    """Condition key → its value in such a request."""
    target: str | None = None


def permissions_of(suite: Suite, results: str | None = None) -> list[Permission]:
    """What runs of a suite need. `results`: the `s3://BUCKET/PREFIX` where they are kept. HarnessError: it is none."""
    targets = [*suite.targets, *(judge.target for judge in suite.graders.judges)]
    regions = dict.fromkeys(target.region for target in targets)
    needed = [each for target in targets for each in _of_target(target)]
    needed += [
        Permission(kind="preflight", action=action, resource="*", context={REGION_KEY: region})
        for action in PREFLIGHT
        for region in regions
    ]
    if results is not None:
        needed += _of_results(parse_address(results), next(iter(regions)))
    return needed


def _of_target(target: Target) -> Iterator[Permission]:
    if target.api == "mantle":
        project = f"arn:{partition(target.region)}:bedrock-mantle:{target.region}:{ANY_ACCOUNT}:project/default"
        yield Permission(
            kind="mantle",
            action="bedrock-mantle:CreateInference",
            resource=project,
            context={REGION_KEY: target.region, "bedrock-mantle:Model": target.model_id},
            target=target.name,
        )
        return
    action = "bedrock:InvokeModelWithResponseStream" if target.stream else "bedrock:InvokeModel"
    for kind, resource, context in _models(target):
        yield Permission(kind=kind, action=action, resource=resource, context=context, target=target.name)


def _models(target: Target) -> Iterator[tuple[Kind, str, dict[str, str]]]:
    """(kind, resource, context) of each resource that one call of a target touches."""
    profile = _profile(target)
    if profile is None:
        yield "model", model_arn(target.region, target.base_model), {REGION_KEY: target.region}
        return
    yield "profile", profile, {REGION_KEY: target.region, PROFILE_KEY: profile}
    for region in _serving_regions(target):
        context = {REGION_KEY: region or UNSPECIFIED, PROFILE_KEY: profile}
        yield "behind", model_arn(region, target.base_model), context


def _profile(target: Target) -> str | None:
    """The ARN of a target's inference profile. None: it calls the model itself."""
    if target.routing == IN_REGION:
        return None
    is_arn = target.model_id.startswith("arn:")
    profile = target.model_id.split(":", 5)[5] if is_arn else f"inference-profile/{target.model_id}"
    return f"arn:{partition(target.region)}:bedrock:{target.region}:{ANY_ACCOUNT}:{profile}"


def _serving_regions(target: Target) -> list[str]:
    """Where a profile may call its model: the target's Region and those of its geography; '' for any Region."""
    if target.routing == "global":
        return [target.region, ""]
    if target.routing == APPLICATION:
        return [target.region]
    return sorted({target.region, *regions_of(find_model(target.base_model), target.routing)})


def model_arn(region: str, base_model: str) -> str:
    """The ARN of a foundation model, which belongs to no account."""
    return f"arn:{partition(region)}:bedrock:{region}::foundation-model/{base_model}"


def partition(region: str) -> str:
    """The part of AWS that a Region is in: `aws`, `aws-us-gov`, `aws-cn`."""
    return f"aws-{US_GOV}" if region.startswith(US_GOV) else "aws-cn" if region.startswith("cn-") else "aws"


def _of_results(results: BucketAddress, region: str) -> Iterator[Permission]:
    """What results in a bucket need. `region`: one of the suite's, for the part of AWS that the bucket is in too."""
    bucket, below = f"arn:{partition(region)}:s3:::{results.bucket}", results.key("*")
    yield Permission(kind="list", action="s3:ListBucket", resource=bucket, context={PREFIX_KEY: below})
    for action in OBJECTS:
        yield Permission(kind="object", action=action, resource=f"{bucket}/{below}")
