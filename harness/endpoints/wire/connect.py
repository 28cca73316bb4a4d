"""How the client `wire` connects: verified TLS, proxies from the environment, and the exceptions it raises."""

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from harness.endpoints.address import PORTS
from harness.errors import EndpointError

if TYPE_CHECKING:
    from aiobotocore.session import AioSession


class ConnectTimeout(Exception):
    """No connection, including TLS, within the deadline."""


class ConnectFailed(ConnectionError):
    """No connection: unknown host, refused, or an untrusted certificate."""


class ConnectionLost(ConnectionError):
    """The server hung up before its answer was complete."""


def make_tls(session: AioSession) -> ssl.SSLContext:
    """A verifying TLS context with `ca_bundle` (AWS_CA_BUNDLE), REQUESTS_CA_BUNDLE or the default CAs.

    Raises OSError if the bundle cannot be read or contains no certificate.
    """
    from botocore.httpsession import get_cert_path

    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=bundle or get_cert_path(True))
    context.set_alpn_protocols(["http/1.1"])
    return context


MAX_HEAD = 64 * 1024
_END = b"\r\n\r\n"


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy to tunnel through. `authorization` is a header value, and secret."""

    scheme: str
    host: str
    port: int
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


def find_proxy(url: str) -> Proxy | None:
    """The proxy for an https URL, from HTTPS_PROXY and NO_PROXY as the SDKs interpret them. None if there is none.

    Raises EndpointError for a malformed value.
    """
    from botocore.utils import get_environ_proxies

    named = get_environ_proxies(url).get("https")
    if not named:
        return None
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        raise EndpointError("client wire: HTTPS_PROXY is not the URL of an http or https proxy; fix or unset it")
    secret = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        secret = f"Basic {b64encode(login.encode()).decode()}"
    return Proxy(scheme=parts.scheme, host=parts.hostname, port=port, authorization=secret)


async def open_tunnel(proxy: Proxy, host: str, port: int, *, tls: ssl.SSLContext) -> asyncio.Transport:
    """Open a transport that the proxy tunnels to `host`. `tls` is used to reach an https proxy.

    Raises ConnectFailed if the proxy refuses, OSError if it cannot be reached.
    """
    transport, tunnel = await asyncio.get_running_loop().create_connection(
        _Tunnel, proxy.host, proxy.port, ssl=tls if proxy.scheme == "https" else None
    )
    try:
        destination = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        authorization = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
        transport.write(
            f"CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\n{authorization}\r\n".encode("latin-1")
        )
        status = await tunnel.answered
    except BaseException:
        transport.abort()
        raise
    if not status.startswith("2"):
        transport.abort()
        raise ConnectFailed(f"the proxy {proxy.host}:{proxy.port} refused a tunnel to {destination}: {status}")
    return transport


class _Tunnel(asyncio.Protocol):
    """Waits for the proxy's answer; `answered` resolves to its status code and reason."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self.answered.done() or (_END not in self._head and len(self._head) <= MAX_HEAD):
            return
        version, _, status = self._head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        self.answered.set_result(status if version.startswith("HTTP/1.") else "its answer is not HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectFailed("the proxy hung up before it answered"))
