"""Signs the requests of the client `wire`: botocore's Signature Version 4 with refreshable credentials, or an API key.

Two parts of a signature are cached across requests: the digest of a body, and the signing key derived for a day, a
Region and a service.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from botocore.auth import SigV4Auth

from harness.endpoints.base import MADE_UP_KEY_ID, MADE_UP_SECRET, Connection
from harness.errors import EndpointError

if TYPE_CHECKING:
    from aiobotocore.session import AioSession


class SignableRequest:
    """The parts of a request that botocore's signer uses."""

    __slots__ = ("context", "headers", "method", "params", "payload", "url")

    def __init__(self, url: str, headers: dict[str, str], payload: str) -> None:
        """`headers`: those to sign, including `Host`; the signer adds its own. `payload`: SHA-256 of the body, hex."""
        self.method = "POST"
        self.url = url
        self.headers = headers
        self.payload = payload
        self.params = None
        self.context: dict[str, Any] = {}


class Signer(Protocol):
    """Adds the sender's authorization to a request's headers."""

    async def sign(self, request: SignableRequest, service: str) -> None:
        """Add the headers. Raises botocore's exceptions if credentials cannot be refreshed."""
        ...


class BearerSigner:
    """Signs with a Bedrock API key."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def sign(self, request: SignableRequest, service: str) -> None:
        request.headers["Authorization"] = f"Bearer {self._token}"


class SigV4Signer:
    """Signs with AWS credentials from any provider of botocore's chain."""

    def __init__(self, credentials: Any, region: str) -> None:
        self._credentials = credentials
        self._region = region
        self._auths: dict[str, _Auth] = {}

    async def sign(self, request: SignableRequest, service: str) -> None:
        frozen = await self._credentials.get_frozen_credentials()
        auth = self._auths.get(service)
        if auth is None or auth.credentials != frozen:
            auth = self._auths[service] = _Auth(frozen, service, self._region)
        auth.add_auth(request)


class _Auth(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer with cached digest and signing key. One per set of credentials and service."""

    _day = ""
    _key = b""

    def payload(self, request: SignableRequest) -> str:
        return request.payload

    def signature(self, string_to_sign: str, request: SignableRequest) -> str:
        day = request.context["timestamp"][:8]
        if day != self._day:
            key = f"AWS4{self.credentials.secret_key}".encode()
            for part in (day, self._region_name, self._service_name, "aws4_request"):
                key = self._sign(key, part)
            self._key, self._day = key, day
        signed: str = self._sign(self._key, string_to_sign, hex=True)
        return signed


class MadeUpCredentials:
    """Credentials for a stand-in on this machine, as botocore's signer takes them."""

    access_key = MADE_UP_KEY_ID
    secret_key = MADE_UP_SECRET
    token = None

    async def get_frozen_credentials(self) -> MadeUpCredentials:
        return self


async def open_made_up_signer(connection: Connection) -> Signer:
    """A signer with made-up credentials."""
    return await _warm_signer(MadeUpCredentials(), connection)


async def open_signer(session: AioSession, connection: Connection) -> Signer:
    """The signer for a connection to AWS: with the API key in the environment, or credentials of the AWS chain.

    Fetches the credentials and signs once, so that the first request does not pay for loading them. Raises
    EndpointError or botocore's exceptions if credentials are missing or cannot be obtained.
    """
    from botocore.exceptions import NoCredentialsError

    from harness.endpoints.credentials import BEARER_VARIABLE, find_credentials, guard_credentials

    guard_credentials(session)
    token = os.environ.get(BEARER_VARIABLE)
    if token:
        if not token.isascii() or not token.isprintable():
            raise EndpointError(f"client wire: {BEARER_VARIABLE} is not a valid API key; set it again")
        return BearerSigner(token)
    credentials = await find_credentials(session)
    if credentials is None:
        raise NoCredentialsError
    return await _warm_signer(credentials, connection)


async def _warm_signer(credentials: Any, connection: Connection) -> Signer:
    signer = SigV4Signer(credentials, connection.region)
    await signer.sign(SignableRequest("https://warm-up/", {"Host": "warm-up"}, ""), "bedrock")
    return signer
