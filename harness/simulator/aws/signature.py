"""Reads and verifies the signature of a request (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime

import msgspec

from harness.clock import utc_now
from harness.simulator.faults import BAD_SIGNATURE, EXPIRED_SIGNATURE, UNAUTHENTICATED, UNKNOWN_KEY, ServiceError
from harness.simulator.http.connection import HttpRequest

DEFAULT_REGION = "us-east-1"
_SCOPE = re.compile(rb"AWS4-HMAC-SHA256 .*?Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_SIGNATURE = re.compile(r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})")
_BEARER = b"Bearer "
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_MAX_SKEW_S = 900


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The credential scope of a signature. A bearer key has none; `key_id` is None then."""

    key_id: str | None = None
    region: str = DEFAULT_REGION
    service: str = ""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The accepted credentials. `secret` None: any signature, unchecked. `key_id` None: any key id with the secret."""

    secret: str | None = None
    key_id: str | None = None

    def __repr__(self) -> str:
        return "Keys(…)"


def read_scope(request: HttpRequest) -> Scope:
    """The credential scope of a request, or the defaults if it has none that can be parsed."""
    match = _SCOPE.match(request.headers.get(b"authorization", b""))
    if match is None:
        return Scope()
    key_id, region, service = (part.decode("latin-1") for part in match.groups())
    return Scope(key_id=key_id, region=region, service=service)


def check_signature(request: HttpRequest, scope: Scope, keys: Keys) -> None:
    """Raise ServiceError for an unsigned request or, if a secret is set, one not signed with it.

    A bearer key must equal the secret.
    """
    written = request.headers.get(b"authorization")
    if written is None:
        raise ServiceError(UNAUTHENTICATED)
    if keys.secret is None:
        return
    if written.startswith(_BEARER):
        if not hmac.compare_digest(written.removeprefix(_BEARER), keys.secret.encode()):
            raise ServiceError(UNKNOWN_KEY)
        return
    if keys.key_id is not None and scope.key_id != keys.key_id:
        raise ServiceError(UNKNOWN_KEY)
    _verify(request, scope, keys.secret, written.decode("latin-1"))


def _verify(request: HttpRequest, scope: Scope, secret: str, written: str) -> None:
    match = _SIGNATURE.search(written)
    timestamp = request.headers.get(b"x-amz-date", b"").decode("latin-1")
    if match is None or scope.key_id is None or not _matches_body(request):
        raise ServiceError(BAD_SIGNATURE)
    _check_age(timestamp)
    expected = _sign(request, scope, secret, timestamp=timestamp, signed_headers=match["headers"].split(";"))
    if not hmac.compare_digest(expected, match["signature"]):
        raise ServiceError(BAD_SIGNATURE)


def _sign(request: HttpRequest, scope: Scope, secret: str, *, timestamp: str, signed_headers: list[str]) -> str:
    """botocore's signature of the request as it arrived. Like AWS, it encodes a `%3A` in the path once more."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {name: request.headers.get(name.encode("latin-1"), b"").decode("latin-1") for name in signed_headers}
    path = request.target.decode("latin-1")
    arrived = AWSRequest(
        method=request.method.decode("latin-1"), url=f"http://loopback{path}", headers=headers, data=request.body
    )
    arrived.context["timestamp"] = timestamp
    signer = SigV4Auth(Credentials(scope.key_id, secret), scope.service, scope.region)
    to_sign = signer.string_to_sign(arrived, signer.canonical_request(arrived))
    signature: str = signer.signature(to_sign, arrived)
    return signature


def _matches_body(request: HttpRequest) -> bool:
    """Whether the body matches the digest in the request, if it has one."""
    named = request.headers.get(b"x-amz-content-sha256")
    return named is None or named == hashlib.sha256(request.body).hexdigest().encode()


def _check_age(timestamp: str) -> None:
    try:
        signed = datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise ServiceError(BAD_SIGNATURE) from error
    if abs((utc_now() - signed).total_seconds()) > _MAX_SKEW_S:
        raise ServiceError(EXPIRED_SIGNATURE)
