"""The services beside Bedrock that a harness asks: STS, Service Quotas, and what says how long the log is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4
from xml.sax.saxutils import escape

import msgspec

from harness.simulator.aws.account import ACCOUNT, CALLER_ARN, CALLER_ID
from harness.simulator.aws.quotas import TARGET, list_quotas
from harness.simulator.faults import BAD_SIGNATURE, UNKNOWN_KEY, Fault, Refused
from harness.simulator.http.connection import HttpRequest

_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_LOGS = "Logs_20140328."
_STS_CODES = {BAD_SIGNATURE.code: "SignatureDoesNotMatch", UNKNOWN_KEY.code: "InvalidClientTokenId"}
JSON_1_1 = "application/x-amz-json-1.1"
XML = "text/xml"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that is not Bedrock's."""

    status: int = 200
    content_type: str
    body: bytes


def is_asked(request: HttpRequest) -> bool:
    """Whether the request is for one of these services."""
    path, _, query = request.target.partition(b"?")
    if request.method == b"POST":
        return path == b"/"
    return request.method == b"GET" and query.split(b"&")[0].rstrip(b"=") == b"lifecycle"


def answer(request: HttpRequest, region: str, fault: Fault | None) -> Page:
    """The reply; `fault`: what is wrong with the request's signature."""
    if request.method == b"GET":
        return _lifecycle(request.target.partition(b"?")[0].decode("latin-1"))
    target = request.headers.get(b"x-amz-target", b"").decode("latin-1")
    return _json(target, request.body, region, fault) if target else _sts(request.body, fault)


def _json(target: str, body: bytes, region: str, fault: Fault | None) -> Page:
    try:
        if fault is not None:
            raise Refused(fault)
        told = _ask(target, body, region)
    except Refused as refused:
        told = {"__type": refused.fault.code, "message": refused.fault.message}
        status = refused.fault.status
        return Page(status=status, content_type=JSON_1_1, body=msgspec.json.encode(told))
    return Page(content_type=JSON_1_1, body=msgspec.json.encode(told))


def _ask(target: str, body: bytes, region: str) -> dict[str, Any]:
    if target.startswith(TARGET):
        return list_quotas(target.removeprefix(TARGET), body, region)
    if target == f"{_LOGS}DescribeLogGroups":
        return _log_groups(body, region)
    raise Refused(Fault(status=400, code="UnknownOperationException", message=f"Unknown operation {target}"))


def _log_groups(body: bytes, region: str) -> dict[str, Any]:
    """The group that was asked for, kept for ever."""
    name = str(msgspec.json.decode(body).get("logGroupNamePrefix", "/aws/bedrock"))
    return {"logGroups": [{"logGroupName": name, "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}:*"}]}


def _lifecycle(path: str) -> Page:
    """Every bucket keeps its objects for ever."""
    said = f"<BucketName>{escape(path.strip('/'))}</BucketName><RequestId>{uuid4()}</RequestId>"
    error = "<Code>NoSuchLifecycleConfiguration</Code><Message>The lifecycle configuration does not exist</Message>"
    return Page(status=404, content_type=XML, body=f"<Error>{error}{said}</Error>".encode())


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
