"""Gets credentials from botocore's chain, and registers them as secrets, including those of later refreshes."""

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
"""Exceptions for credentials that are missing or cannot be obtained. ResponseParserError: not an AWS service."""


def guard_credentials(session: Any) -> None:
    """Register the secrets in the environment and the shared AWS files, and make sure that they go to AWS only.

    `session`: botocore's or aiobotocore's. The STS and SSO clients that a session opens to get credentials can only be
    configured through the environment.
    """
    remember_environment()
    with suppress(BotoCoreError):  # an unreadable file, which is reported when credentials are needed
        for profile in session.full_config["profiles"].values():
            remember(*(profile.get(key) for key in _KEYS))
    if IGNORE_CONFIGURED_URLS:
        os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"


async def find_credentials(session: Any) -> Any:
    """The credentials of an aiobotocore or aioboto3 session. None: none found. Raises botocore's exceptions.

    Signers get frozen credentials, which may refresh them, so each new set is registered as secrets then.
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
