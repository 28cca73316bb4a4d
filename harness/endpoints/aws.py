"""AWS SDK sessions and clients for a connection, with made-up credentials for loopback, else the normal chain."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.loaders import create_loader

from harness.endpoints.base import IGNORE_CONFIGURED_URLS, MADE_UP_KEY_ID, MADE_UP_SECRET, Connection
from harness.endpoints.credentials import find_credentials, guard_credentials


def open_session(connection: Connection, *, models: Path | None = None) -> Any:
    """An aioboto3 session for the connection's Region. Raises botocore's exceptions, such as for an unknown profile.

    `models`: a folder with additional service models for botocore.
    """
    core = get_session()
    if models is not None:
        folders = [each for each in (core.get_config_variable("data_path"), str(models)) if each]
        core.register_component("data_loader", create_loader(os.pathsep.join(folders)))
    keys: dict[str, str] = {}
    if connection.made_up_credentials:
        keys = {"aws_access_key_id": MADE_UP_KEY_ID, "aws_secret_access_key": MADE_UP_SECRET}
    session = aioboto3.Session(region_name=connection.region, botocore_session=core, **keys)
    if not connection.made_up_credentials:
        guard_credentials(core)
    return session


async def make_client(session: Any, service: str, connection: Connection, **settings: Any) -> Any:
    """A client for a service, to be entered. `settings`: additional settings for botocore's Config."""
    config = {
        "connect_timeout": connection.connect_timeout_s,
        "ignore_configured_endpoint_urls": IGNORE_CONFIGURED_URLS,
        **settings,
    }
    if connection.made_up_credentials:
        # A signature version set in code is the only thing that overrides AWS_BEARER_TOKEN_BEDROCK.
        config |= {"signature_version": "v4", "proxies": {}, "s3": {"addressing_style": "path"}}
    else:
        await find_credentials(session)
    # A loopback URL stands for all of AWS; any other URL for bedrock-runtime only.
    use_url = connection.made_up_credentials or service == "bedrock-runtime"
    return session.client(service, endpoint_url=connection.url if use_url else None, config=AioConfig(**config))


class AwsServices:
    """The clients of one connection by service, opened on first use and shared.

    They send no load, so they may retry.
    """

    def __init__(self, connection: Connection, stack: AsyncExitStack, **settings: Any) -> None:
        self.connection = connection
        self.session = open_session(connection)
        self._stack = stack
        self._settings = settings
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()

    async def client(self, service: str) -> Any:
        async with self._opening:
            if service not in self._clients:
                opened = await make_client(self.session, service, self.connection, **self._settings)
                self._clients[service] = await self._stack.enter_async_context(opened)
            return self._clients[service]
