"""Serves the counts of a running load to Prometheus, from the event loop that sends the load.

It does nothing until it is asked, and counts what it is asked for at most RENDERS_PER_S times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from harness import clock
from harness.errors import HarnessError
from harness.load.progress import Progress
from harness.report.live.exposition import CONTENT_TYPE, render_progress
from harness.suite.suite import Suite

RENDERS_PER_S = 4
MOST_CONNECTIONS = 16
PATIENCE_S = 5.0
"""For a request to arrive and its answer to be read."""
MOST_HEAD = 8_192


@asynccontextmanager
async def serve_metrics(
    progress: Progress, suite: Suite, host: str, port: int, *, simulated: bool
) -> AsyncIterator[str]:
    """Serve inside this context, and yield the address. Port 0: any free one. HarnessError: it cannot be bound."""
    endpoint = _Metrics(progress, suite, simulated)
    try:
        server = await asyncio.start_server(endpoint.answer, host, port, limit=MOST_HEAD)
    except OSError as error:
        raise HarnessError(
            f"--prometheus {host}:{port}: cannot be served ({error.strerror or error}); choose another port or host"
        ) from None
    try:
        bound = server.sockets[0].getsockname()
        yield f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}/metrics"
    finally:
        server.close()
        endpoint.close()


class _Metrics:
    """Answers `GET /metrics`."""

    def __init__(self, progress: Progress, suite: Suite, simulated: bool) -> None:
        self._progress = progress
        self._suite = suite
        self._simulated = simulated
        self._rendered = b""
        self._rendered_ns: int | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        if len(self._open) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._reply(head))
                    await writer.drain()
        finally:
            self._open.discard(writer)
            writer.close()

    def close(self) -> None:
        """Drop the connections that are still open."""
        for writer in self._open:
            writer.transport.abort()

    def _reply(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _http("405 Method Not Allowed", b"use GET\n", "text/plain")
        if path != b"/metrics":
            return _http("404 Not Found", b"the metrics are at /metrics\n", "text/plain")
        body = self._metrics()
        return _http("200 OK", b"" if method == b"HEAD" else body, CONTENT_TYPE)

    def _metrics(self) -> bytes:
        """The metrics of now, or of less than 1 / RENDERS_PER_S ago."""
        now_ns = clock.now_ns()
        if self._rendered_ns is None or now_ns - self._rendered_ns >= 1e9 / RENDERS_PER_S:
            self._rendered = render_progress(self._progress, self._suite, simulated=self._simulated).encode()
            self._rendered_ns = now_ns
        return self._rendered


def _http(status: str, body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
