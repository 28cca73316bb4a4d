"""Credentials found by botocore's chain and known as secrets from then on, those of every later refresh included."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import harness.endpoints.aiohttp_session  # noqa: F401  whoever is asked for credentials cannot send them elsewhere
from harness.endpoints.base import IGNORE_CONFIGURED_URLS
from harness.secrets import remember, remember_environment

BEARER_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token")

NOT_FOUND = (BotoCoreError, ClientError, ResponseParserError, RuntimeError)
"""What is raised where there are no credentials, or none to be had. The third: what answered is no service of AWS."""


def guard_credentials(session: Any) -> None:
    """Know what the environment and the shared AWS files hold, and let it go to AWS alone.

    `session`: botocore's or aiobotocore's. The clients of STS and SSO that a session makes for itself, to get
    credentials, take no setting but the environment's.
    """
    remember_environment()
    with suppress(BotoCoreError):  # a file that cannot be parsed, which is told where credentials are asked for
        for profile in session.full_config["profiles"].values():
            remember(*(profile.get(key) for key in _KEYS))
    if IGNORE_CONFIGURED_URLS:
        os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"


async def find_credentials(session: Any) -> Any:
    """The credentials of an aiobotocore or aioboto3 session, watched; None: there are none. botocore's exceptions.

    Whoever signs with them asks for the frozen ones, which is when they are refreshed.
    """
    found = await session.get_credentials()
    if found is not None:
        found.get_frozen_credentials = _remembering(found.get_frozen_credentials)
    return found


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
