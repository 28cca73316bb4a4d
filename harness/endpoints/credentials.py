"""Credentials from botocore's chain, remembered as secrets, including those of every later refresh."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import harness.endpoints.aiohttp_session  # noqa: F401  a credential service cannot redirect the request
from harness.endpoints.base import IGNORE_CONFIGURED_URLS
from harness.secrets import remember, remember_environment

BEARER_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token")

NOT_FOUND = (BotoCoreError, ClientError, ResponseParserError, RuntimeError)
"""Raised if credentials are missing or cannot be obtained. ResponseParserError: the server is not an AWS service."""


def guard_credentials(session: Any) -> None:
    """Remember the secrets in the environment and the shared AWS files, and send them to AWS only.

    `session`: botocore's or aiobotocore's. The clients of STS and SSO that a session makes for itself, to get
    credentials, take no setting but the environment's.
    """
    remember_environment()
    with suppress(BotoCoreError):  # an unreadable file, which is reported when credentials are needed
        for profile in session.full_config["profiles"].values():
            remember(*(profile.get(key) for key in _KEYS))
    if IGNORE_CONFIGURED_URLS:
        os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"


async def find_credentials(session: Any) -> Any:
    """The credentials of an aiobotocore or aioboto3 session, remembered on each refresh. None: none found.

    Raises botocore's exceptions. Signers ask for the frozen credentials, which is when they are refreshed.
    """
    credentials = await session.get_credentials()
    if credentials is not None:
        credentials.get_frozen_credentials = _remembering(credentials.get_frozen_credentials)
    return credentials


def _remembering(ask: Any) -> Any:
    last: Any = None

    async def ask_and_remember() -> Any:
        nonlocal last
        frozen = await ask()
        if frozen != last:
            last = frozen
            remember(frozen.access_key, frozen.secret_key, frozen.token)
        return frozen

    return ask_and_remember
