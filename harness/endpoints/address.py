"""Where clients connect: an endpoint's word or URL turned into a Connection."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from harness.endpoints.base import Connection
from harness.errors import EndpointError


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine's loopback, by name or number. No name is looked up."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def make_connection(endpoint: str, *, region: str, pool_size: int, connect_timeout_s: float) -> Connection:
    """`aws` or a URL. A loopback URL gets made-up credentials and never a real one; any other is AWS elsewhere.

    Raises EndpointError for anything that is neither.
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
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise EndpointError(
            f"endpoint {endpoint!r} is neither 'simulator', 'aws' nor a URL; write for example http://127.0.0.1:9000"
        )
    if parts.username or parts.password:
        raise EndpointError("the endpoint's URL carries a user name or password; credentials come from the AWS chain")
    if parts.scheme == "http" and not is_loopback(endpoint):
        raise EndpointError(
            f"endpoint {endpoint!r} would send signed requests unencrypted; use https:// for any host but loopback"
        )
    return endpoint.rstrip("/")
