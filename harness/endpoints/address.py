"""Turns an endpoint (`aws` or a URL) into a Connection."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from harness.endpoints.base import Connection
from harness.errors import EndpointError


def is_loopback(url: str) -> bool:
    """Whether the URL's host is loopback, in any notation. Does not look up names. False: also what is not a URL."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _is_short_loopback(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _is_short_loopback(host: str) -> bool:
    """Whether the host is loopback in a short notation that the C library accepts: `127.1`, `2130706433`."""
    try:
        address = ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return False
    return address.is_loopback or address.is_unspecified


AWS_DOMAIN = "amazonaws.com"
PORTS = {"http": 80, "https": 443}


def runtime_url(region: str) -> str:
    """AWS's bedrock-runtime endpoint in a Region."""
    return f"https://bedrock-runtime.{region}.{AWS_DOMAIN}"


def mantle_url(region: str) -> str:
    """AWS's bedrock-mantle endpoint in a Region."""
    return f"https://bedrock-mantle.{region}.api.aws"


REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def forget_aws() -> None:
    """Remove all AWS settings except the Region from the environment, as loopback must not depend on them.

    Even with made-up keys, a missing profile or an invalid configuration file would stop the SDKs.
    """
    for name in [name for name in os.environ if name.startswith("AWS_") and name not in REGION_VARIABLES]:
        del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def aws_settings_restored() -> Iterator[None]:
    """Restore AWS's settings in the environment at the end, whatever is removed or set inside this context."""
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("AWS_") and name not in before]:
            del os.environ[name]
        os.environ |= before


def make_connection(endpoint: str, *, region: str, pool_size: int, connect_timeout_s: float) -> Connection:
    """The connection for `aws` or a URL. A loopback URL gets made-up credentials, any other URL the user's own.

    EndpointError: not a usable endpoint.
    """
    url = None if endpoint == "aws" else _checked(endpoint)
    return Connection(
        url=url,
        region=region,
        made_up_credentials=url is not None and is_loopback(url),
        pool_size=pool_size,
        connect_timeout_s=connect_timeout_s,
    )


def _checked(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        is_http = endpoint.startswith(("http://", "https://")) and not any(c.isspace() for c in endpoint)
        usable = is_http and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise EndpointError(
            f"endpoint {endpoint!r} is neither 'simulator', 'aws' nor a URL; write for example http://127.0.0.1:9000"
        )
    if parts.username or parts.password:
        raise EndpointError(
            "the endpoint's URL contains a user name or password; remove it, as credentials come from the AWS chain"
        )
    if parts.scheme == "http" and not is_loopback(endpoint):
        raise EndpointError(
            f"endpoint {endpoint!r} would send signed requests unencrypted; use https:// for any host but loopback"
        )
    return endpoint.rstrip("/")
