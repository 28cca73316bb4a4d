"""The made-up AWS account: who calls, its application inference profiles, where its log goes."""

from __future__ import annotations

from typing import Any

import msgspec

ACCOUNT = "123456789012"
CALLER_ARN = f"arn:aws:iam::{ACCOUNT}:user/simulated"
CALLER_ID = "AIDASIMULATEDCALLER01"


class ApplicationProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that the account made, over one of Bedrock's own."""

    id: str
    name: str
    copied_from: str
    """A system-defined profile's id."""


APPLICATION_PROFILES = (
    ApplicationProfile(
        id="a1b2c3d4e5f6",
        name="support-triage",
        copied_from="global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ApplicationProfile(
        id="f6e5d4c3b2a1",
        name="invoice-reading",
        copied_from="us.anthropic.claude-haiku-4-5-20251001-v1:0",
    ),
)


def find_application_profile(reference: str) -> ApplicationProfile | None:
    """The profile of this id or ARN."""
    last = reference.rpartition("/")[2]
    return next((profile for profile in APPLICATION_PROFILES if profile.id == last), None)


def read_logging(written: str) -> dict[str, Any] | None:
    """`s3://bucket/prefix`, `logs:GROUP` or `none` → `loggingConfig`. Raises ValueError for anything else."""
    if written == "none":
        return None
    delivered = {f"{kind}DataDeliveryEnabled": True for kind in ("text", "image", "embedding", "video")}
    if written.startswith("logs:") and (group := written.removeprefix("logs:")):
        role = f"arn:aws:iam::{ACCOUNT}:role/bedrock-log"
        return {"cloudWatchConfig": {"logGroupName": group, "roleArn": role}, **delivered}
    bucket, _, prefix = written.removeprefix("s3://").partition("/")
    if not written.startswith("s3://") or not bucket:
        raise ValueError(f"{written!r} is none of s3://BUCKET/PREFIX, logs:GROUP, none")
    place = {"bucketName": bucket, "keyPrefix": prefix.rstrip("/")} if prefix.rstrip("/") else {"bucketName": bucket}
    return {"s3Config": place, **delivered}
