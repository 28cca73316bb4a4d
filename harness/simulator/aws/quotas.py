"""Service Quotas (JSON 1.1): the token quotas of every model in a Region, named in words as AWS names them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.catalog.names import IN_REGION
from harness.simulator.aws.account import ACCOUNT
from harness.simulator.aws.control_plane import paginate
from harness.simulator.aws.offers import Offer, offers_in, title
from harness.simulator.faults import Fault, Refused

TARGET = "ServiceQuotasV20190624."
_MINUTES_OF_A_DAY = 1_440
_ON_DEMAND, _GEOGRAPHY, _GLOBAL = 400_000, 2_000_000, 5_000_000
"""Tokens per minute; what accounts have been seen to have of Sonnet 4.5, and a fifth of it without a profile."""


class _Input(msgspec.Struct, frozen=True, rename="pascal"):
    service_code: str
    next_token: str | None = None
    max_results: int | None = None


def list_quotas(operation: str, body: bytes, region: str) -> dict[str, Any]:
    """ListServiceQuotas or ListAWSDefaultServiceQuotas. Raises Refused for anything else."""
    if operation not in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        raise Refused(Fault(status=400, code="UnknownOperationException", message=f"Unknown operation {operation}"))
    try:
        asked = msgspec.json.decode(body, type=_Input)
    except msgspec.DecodeError as error:
        raise Refused(Fault(status=400, code="SerializationException", message=str(error))) from error
    if asked.service_code != "bedrock":
        message = f"The request failed because the specified service does not exist: {asked.service_code}"
        raise Refused(Fault(status=400, code="NoSuchResourceException", message=message))
    quotas = [_quota(name, value, region) for offer in offers_in(region) for name, value in _quotas(offer)]
    page, token = paginate(quotas, size=asked.max_results or 100, token=asked.next_token)
    return {"Quotas": page, **({"NextToken": token} if token else {})}


def _quotas(offer: Offer) -> Iterator[tuple[str, int]]:
    """Name and value of each."""
    version = re.search(r"-v(\d+)(?::\d+)?$", offer.model.base_id)
    model = f"Anthropic {title(offer.model)}" + (f" V{version[1]}" if version else "")
    if IN_REGION in offer.routings:
        yield f"On-demand model inference tokens per minute for {model}", _ON_DEMAND
    if "global" in offer.routings:
        yield f"Global cross-region model inference tokens per minute for {model}", _GLOBAL
    if {*offer.profiles} - {"global"}:
        yield f"Cross-region model inference tokens per minute for {model}", _GEOGRAPHY
    yield f"Model invocation max tokens per day for {model}", _GEOGRAPHY * _MINUTES_OF_A_DAY
    yield f"Bedrock Mantle input tokens per minute for {model}", _GLOBAL
    yield f"Bedrock Mantle output tokens per minute for {model}", _ON_DEMAND


def _quota(name: str, value: int, region: str) -> dict[str, Any]:
    code = "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    unit = "DAY" if "per day" in name else "MINUTE"
    return {
        "ServiceCode": "bedrock",
        "ServiceName": "Amazon Bedrock",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:bedrock/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "Period": {"PeriodValue": 1, "PeriodUnit": unit},
    }
