"""Who signed a request, for which Region and service, and whether the signature is right (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime

import msgspec

from harness.clock import utc_now
from harness.simulator.faults import BAD_SIGNATURE, EXPIRED_SIGNATURE, UNAUTHENTICATED, UNKNOWN_KEY, Refused
from harness.simulator.http.connection import HttpRequest

DEFAULT_REGION = "us-east-1"
_SCOPE = re.compile(rb"AWS4-HMAC-SHA256 .*?Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_SIGNATURE = re.compile(r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})")
_BEARER = b"Bearer "
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_MAX_SKEW_S = 900


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature is for. A bearer key says none of it: `key_id` is None then."""

    key_id: str | None = None
    region: str = DEFAULT_REGION
    service: str = ""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signatures are taken. `secret` None: anyone's, unread. `key_id` None: the secret goes with any."""

    secret: str | None = None
    key_id: str | None = None

    def __repr__(self) -> str:
        return "Keys(…)"


def read_scope(request: HttpRequest) -> Scope:
    """The credential scope of a request; the defaults where there is none that can be read."""
    match = _SCOPE.match(request.headers.get(b"authorization", b""))
    if match is None:
        return Scope()
    key_id, region, service = (part.decode("latin-1") for part in match.groups())
    return Scope(key_id=key_id, region=region, service=service)


def check_signature(request: HttpRequest, scope: Scope, keys: Keys) -> None:
    """Raise Refused for a request that nobody signed or, when a secret is given, that was not signed with it.

    A bearer key is right when it is the secret.
    """
    written = request.headers.get(b"authorization")
    if written is None:
        raise Refused(UNAUTHENTICATED)
    if keys.secret is None:
        return
    if written.startswith(_BEARER):
        if not hmac.compare_digest(written.removeprefix(_BEARER), keys.secret.encode()):
            raise Refused(UNKNOWN_KEY)
        return
    if keys.key_id is not None and scope.key_id != keys.key_id:
        raise Refused(UNKNOWN_KEY)
    _verify(request, scope, keys.secret, written.decode("latin-1"))


def _verify(request: HttpRequest, scope: Scope, secret: str, written: str) -> None:
    match = _SIGNATURE.search(written)
    timestamp = request.headers.get(b"x-amz-date", b"").decode("latin-1")
    if match is None or scope.key_id is None or not _holds_body(request):
        raise Refused(BAD_SIGNATURE)
    _check_age(timestamp)
    expected = _sign(request, scope, secret, timestamp=timestamp, signed_headers=match["headers"].split(";"))
    if not hmac.compare_digest(expected, match["signature"]):
        raise Refused(BAD_SIGNATURE)


def _sign(request: HttpRequest, scope: Scope, secret: str, *, timestamp: str, signed_headers: list[str]) -> str:
    """What botocore's own signer makes of the request as it arrived: it encodes a path's `%3A` once more, as AWS."""
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


def _holds_body(request: HttpRequest) -> bool:
    """Whether the digest that the request names, if it does, is the body's."""
    named = request.headers.get(b"x-amz-content-sha256")
    return named is None or named == hashlib.sha256(request.body).hexdigest().encode()


def _check_age(timestamp: str) -> None:
    try:
        signed = datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(BAD_SIGNATURE) from error
    if abs((utc_now() - signed).total_seconds()) > _MAX_SKEW_S:
        raise Refused(EXPIRED_SIGNATURE)
