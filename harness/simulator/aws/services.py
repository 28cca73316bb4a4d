"""The other AWS services that the harness calls: Service Quotas, STS, and log retention in S3 and CloudWatch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4
from xml.sax.saxutils import escape

import msgspec

from harness.catalog.names import IN_REGION
from harness.simulator.aws.account import ACCOUNT, CALLER_ARN, CALLER_ID, Offer, offers_in, title
from harness.simulator.aws.control_plane import paginate
from harness.simulator.faults import BAD_SIGNATURE, UNKNOWN_KEY, Fault, ServiceError
from harness.simulator.http.connection import HttpRequest

TARGET = "ServiceQuotasV20190624."
_MINUTES_OF_A_DAY = 1_440
_ON_DEMAND, _GEOGRAPHY, _GLOBAL = 400_000, 2_000_000, 5_000_000
"""Tokens per minute, as seen in accounts for Sonnet 4.5; without a profile, a fifth of it."""


class _Input(msgspec.Struct, frozen=True, rename="pascal"):
    service_code: str
    next_token: str | None = None
    max_results: int | None = None


def list_quotas(operation: str, body: bytes, region: str) -> dict[str, Any]:
    """ListServiceQuotas or ListAWSDefaultServiceQuotas. Raises ServiceError for anything else."""
    if operation not in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        raise ServiceError(
            Fault(status=400, code="UnknownOperationException", message=f"Unknown operation {operation}")
        )
    try:
        request = msgspec.json.decode(body, type=_Input)
    except msgspec.DecodeError as error:
        raise ServiceError(Fault(status=400, code="SerializationException", message=str(error))) from error
    if request.service_code != "bedrock":
        message = f"The request failed because the specified service does not exist: {request.service_code}"
        raise ServiceError(Fault(status=400, code="NoSuchResourceException", message=message))
    quotas = [_quota(name, value, region) for offer in offers_in(region) for name, value in _quotas(offer)]
    page, token = paginate(quotas, size=request.max_results or 100, token=request.next_token)
    return {"Quotas": page, **({"NextToken": token} if token else {})}


def _quotas(offer: Offer) -> Iterator[tuple[str, int]]:
    """Name and value of each quota."""
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


_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_LOGS = "Logs_20140328."
_STS_CODES = {BAD_SIGNATURE.code: "SignatureDoesNotMatch", UNKNOWN_KEY.code: "InvalidClientTokenId"}
JSON_1_1 = "application/x-amz-json-1.1"
XML = "text/xml"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A reply of one of these services."""

    status: int = 200
    content_type: str
    body: bytes


def handles(request: HttpRequest) -> bool:
    """Whether the request is for one of these services."""
    path, _, query = request.target.partition(b"?")
    if request.method == b"POST":
        return path == b"/"
    return request.method == b"GET" and query.split(b"&")[0].rstrip(b"=") == b"lifecycle"


def answer(request: HttpRequest, region: str, fault: Fault | None) -> Page:
    """The reply. `fault` says what is wrong with the request's signature, if anything."""
    if request.method == b"GET":
        return _lifecycle(request.target.partition(b"?")[0].decode("latin-1"))
    target = request.headers.get(b"x-amz-target", b"").decode("latin-1")
    return _json(target, request.body, region, fault) if target else _sts(request.body, fault)


def _json(target: str, body: bytes, region: str, fault: Fault | None) -> Page:
    try:
        if fault is not None:
            raise ServiceError(fault)
        content = _dispatch(target, body, region)
    except ServiceError as error:
        content = {"__type": error.fault.code, "message": error.fault.message}
        status = error.fault.status
        return Page(status=status, content_type=JSON_1_1, body=msgspec.json.encode(content))
    return Page(content_type=JSON_1_1, body=msgspec.json.encode(content))


def _dispatch(target: str, body: bytes, region: str) -> dict[str, Any]:
    if target.startswith(TARGET):
        return list_quotas(target.removeprefix(TARGET), body, region)
    if target == f"{_LOGS}DescribeLogGroups":
        return _log_groups(body, region)
    raise ServiceError(Fault(status=400, code="UnknownOperationException", message=f"Unknown operation {target}"))


def _log_groups(body: bytes, region: str) -> dict[str, Any]:
    """The requested group, without an expiry."""
    name = str(msgspec.json.decode(body).get("logGroupNamePrefix", "/aws/bedrock"))
    return {"logGroups": [{"logGroupName": name, "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}:*"}]}


def _lifecycle(path: str) -> Page:
    """No bucket has a lifecycle rule."""
    details = f"<BucketName>{escape(path.strip('/'))}</BucketName><RequestId>{uuid4()}</RequestId>"
    error = "<Code>NoSuchLifecycleConfiguration</Code><Message>The lifecycle configuration does not exist</Message>"
    return Page(status=404, content_type=XML, body=f"<Error>{error}{details}</Error>".encode())


def _sts(body: bytes, fault: Fault | None) -> Page:
    action = parse_qs(body.decode("latin-1")).get("Action", [""])[0]
    if fault is None and action != "GetCallerIdentity":
        fault = Fault(status=400, code="InvalidAction", message=f"Could not find operation {action}")
    if fault is not None:
        code = _STS_CODES.get(fault.code, fault.code)
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(fault.message)}</Message></Error>"
        return Page(status=fault.status, content_type=XML, body=_xml("ErrorResponse", error + _request_id()))
    who = f"<Arn>{CALLER_ARN}</Arn><UserId>{CALLER_ID}</UserId><Account>{ACCOUNT}</Account>"
    result = f"<GetCallerIdentityResult>{who}</GetCallerIdentityResult>"
    metadata = f"<ResponseMetadata>{_request_id()}</ResponseMetadata>"
    return Page(content_type=XML, body=_xml("GetCallerIdentityResponse", result + metadata))


def _xml(name: str, content: str) -> bytes:
    return f'<{name} xmlns="{_STS}">{content}</{name}>'.encode()


def _request_id() -> str:
    return f"<RequestId>{uuid4()}</RequestId>"
