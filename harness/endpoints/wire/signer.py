"""Signs what the client `wire` sends: botocore's Signature Version 4 with credentials that renew themselves, or a key.

Of botocore's signer two things are kept from one request to the next: the digest of a body that is sent again, and the
key that is derived for a day, a Region and a service.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.exceptions import NoCredentialsError

from harness.endpoints.base import MADE_UP_KEY_ID, MADE_UP_SECRET, Connection
from harness.endpoints.credentials import BEARER_VARIABLE, find_credentials, guard_credentials
from harness.errors import EndpointError


class ToSign:
    """As much of a request as botocore's signer reads."""

    __slots__ = ("context", "headers", "method", "params", "payload", "url")

    def __init__(self, url: str, headers: dict[str, str], payload: str) -> None:
        """`headers` are those that are signed, `Host` among them; the signer adds its own. `payload`: SHA-256, hex."""
        self.method = "POST"
        self.url = url
        self.headers = headers
        self.payload = payload
        self.params = None
        self.context: dict[str, Any] = {}


class Signer(Protocol):
    """Adds the sender's authorization to a request's headers."""

    async def sign(self, request: ToSign, service: str) -> None:
        """botocore's exceptions: credentials that could not be renewed."""
        ...


class BearerSigner:
    """A Bedrock API key."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def sign(self, request: ToSign, service: str) -> None:
        request.headers["Authorization"] = f"Bearer {self._token}"


class SigV4Signer:
    """Keys, whichever provider of botocore's chain they come from."""

    def __init__(self, credentials: Any, region: str) -> None:
        self._credentials = credentials
        self._region = region
        self._auths: dict[str, _Auth] = {}

    async def sign(self, request: ToSign, service: str) -> None:
        frozen = await self._credentials.get_frozen_credentials()
        auth = self._auths.get(service)
        if auth is None or auth.credentials != frozen:
            auth = self._auths[service] = _Auth(frozen, service, self._region)
        auth.add_auth(request)


class _Auth(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer with what repeats kept. One for each set of keys and service."""

    _day = ""
    _key = b""

    def payload(self, request: ToSign) -> str:
        return request.payload

    def signature(self, string_to_sign: str, request: ToSign) -> str:
        day = request.context["timestamp"][:8]
        if day != self._day:
            key = f"AWS4{self.credentials.secret_key}".encode()
            for part in (day, self._region_name, self._service_name, "aws4_request"):
                key = self._sign(key, part)
            self._key, self._day = key, day
        signed: str = self._sign(self._key, string_to_sign, hex=True)
        return signed


async def open_signer(session: AioSession, connection: Connection) -> Signer:
    """Who signs for this connection: made-up keys, the environment's API key, or the AWS chain.

    The credentials are fetched now, and something is signed once, so that the first request need not pay for what that
    loads. EndpointError and botocore's exceptions: credentials are missing or cannot be obtained.
    """
    if connection.made_up_credentials:
        return await _rehearsed(AioCredentials(MADE_UP_KEY_ID, MADE_UP_SECRET), connection)
    guard_credentials(session)
    token = os.environ.get(BEARER_VARIABLE)
    if token:
        if not token.isascii() or not token.isprintable():
            raise EndpointError(f"client wire: {BEARER_VARIABLE} does not hold an API key; set it again")
        return BearerSigner(token)
    credentials = await find_credentials(session)
    if credentials is None:
        raise NoCredentialsError
    return await _rehearsed(credentials, connection)


async def _rehearsed(credentials: Any, connection: Connection) -> Signer:
    signer = SigV4Signer(credentials, connection.region)
    await signer.sign(ToSign("https://rehearsal/", {"Host": "rehearsal"}, ""), "bedrock")
    return signer
