"""Whether caching parts of a signature changes it: compared with botocore's unmodified signer."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from harness.endpoints.base import Connection
from harness.endpoints.wire.signer import SignableRequest, SigV4Signer, open_signer
from harness.errors import EndpointError

URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/us.anthropic.m-v1%3A0/converse-stream"
HEADERS = {"Host": "bedrock-runtime.eu-west-1.amazonaws.com", "Content-Type": "application/json", "anthropic-beta": "a"}


def _as_botocore_signs(body, service, token):
    request = AWSRequest(method="POST", url=URL, headers=HEADERS, data=body)
    auth.SigV4Auth(Credentials("AKID", "SECRET", token), service, "eu-west-1").add_auth(request)
    return request.headers["Authorization"]


async def _as_we_sign(signer, body, service):
    request = SignableRequest(URL, dict(HEADERS), sha256(body).hexdigest())
    await signer.sign(request, service)
    return request.headers["Authorization"]


@pytest.mark.parametrize("token", [None, "session"])
async def test_a_signature_equals_botocores_whatever_was_signed_before(monkeypatch, token):
    """Over midnight, with a clock of its own: botocore's signers read the system's."""
    now = [datetime(2026, 11, 25, 23, 59, 58, tzinfo=UTC)]
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_, **__: now[0])
    signer = SigV4Signer(AioCredentials("AKID", "SECRET", token), "eu-west-1")
    for _ in range(4):
        for body in (b"{}", b'{"messages": []}'):
            for service in ("bedrock", "bedrock-mantle"):
                expected = _as_botocore_signs(body, service, token)
                assert expected == await _as_we_sign(signer, body, service)
        now[0] += timedelta(seconds=1)


async def test_new_credentials_are_used_from_the_next_request_on():
    credentials = AioCredentials("old", "SECRET")
    signer = SigV4Signer(credentials, "eu-west-1")
    assert "Credential=old/" in await _as_we_sign(signer, b"", "bedrock")
    credentials.access_key = "new"
    assert "Credential=new/" in await _as_we_sign(signer, b"", "bedrock")


@pytest.mark.parametrize("token", ["broken\r\nX-Injected: yes", "schlüssel"])
async def test_a_key_that_does_not_fit_in_a_header_is_rejected_without_quoting_it(monkeypatch, token):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", token)
    with pytest.raises(EndpointError, match="AWS_BEARER_TOKEN_BEDROCK is not a valid API key") as raised:
        await open_signer(AioSession(), Connection(region="eu-west-1"))
    assert token not in str(raised.value)
