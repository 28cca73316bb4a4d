"""Faults of the connection: silence, a trickle, and connections that end too early."""

from __future__ import annotations

from collections.abc import Callable

from harness.simulator.http.connection import encode_chunk
from harness.simulator.injection.response import Response, Script


def _never_answers(response: Response) -> Script:
    return Script(pieces=[b""], ending="hold")


def _head_then_silence(response: Response) -> Script:
    return Script(pieces=[response.head(length=100)], ending="hold")


def _half_then_silence(response: Response) -> Script:
    return Script(pieces=response.first_half(), ending="hold")


def _byte_a_second(response: Response) -> Script:
    body = b"".join(response.frames())
    first, *rest = (body[at : at + 1] for at in range(len(body)))
    if response.stream:
        pieces = [response.head() + encode_chunk(first), *map(encode_chunk, rest)]
    else:
        pieces = [response.head(len(body)) + first, *rest]
    return Script(pieces=pieces, gap_ns=1_000_000_000, ending="close")


def _closed_before(response: Response) -> Script:
    return Script(pieces=[b""], ending="close")


def _closed_during(response: Response) -> Script:
    return Script(pieces=response.first_half(), ending="close")


def _reset_before(response: Response) -> Script:
    return Script(pieces=[b""], ending="reset")


def _reset_during(response: Response) -> Script:
    return Script(pieces=response.first_half(), ending="reset")


def _not_http(response: Response) -> Script:
    """A banner, after which the server waits as other protocols have it."""
    return Script(pieces=[b"SSH-2.0-OpenSSH_9.2p1\r\n"], ending="hold")


CONNECTIONS: dict[str, Callable[[Response], Script]] = {
    "never_answers": _never_answers,
    "head_then_silence": _head_then_silence,
    "half_then_silence": _half_then_silence,
    "byte_a_second": _byte_a_second,
    "closed_before": _closed_before,
    "closed_during": _closed_during,
    "reset_before": _reset_before,
    "reset_during": _reset_during,
    "not_http": _not_http,
}
