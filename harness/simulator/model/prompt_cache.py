"""The prompt cache: prefixes of prompts that are kept for five minutes or an hour.

Two things are simpler than on the service: a prefix of any length is kept (the service passes over a cache point before
1,024 to 4,096 tokens, which depends on the model), and a hit is looked for at every block, not only the last twenty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

KEEP_NS = {"5m": 300_000_000_000, "1h": 3_600_000_000_000}
_SWEEP_ABOVE = 10_000


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a prompt, in the order of the prefix: tools, system, messages."""

    tokens: int
    content: Any
    """What the cache knows it by; anything that msgspec encodes."""
    ttl: str | None = None
    """`5m` or `1h`: a cache point comes after it."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Input tokens by how they are charged: `uncached` are neither read from the cache nor written to it."""

    uncached: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0

    @property
    def write(self) -> int:
        return self.write_5m + self.write_1h

    @property
    def total(self) -> int:
        return self.uncached + self.read + self.write


class _Kept(msgspec.Struct, frozen=True, gc=False):
    ready_ns: int
    ends_ns: int
    ttl: str


class PromptCache:
    """Prefixes by digest. Times are CLOCK_MONOTONIC, ns."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def charge(self, place: str, segments: Sequence[Segment], now_ns: int) -> Usage:
        """How a prompt's tokens are charged. `place` is what has a cache of its own: a model in a Region."""
        points = [at for at, segment in enumerate(segments) if segment.ttl]
        total = sum(segment.tokens for segment in segments)
        if not points:
            return Usage(uncached=total)
        digests = _digests(place, segments[: points[-1] + 1])
        hit = max((at for at, digest in enumerate(digests) if self._is_ready(digest, now_ns)), default=-1)
        written = {"5m": 0, "1h": 0}
        start = hit + 1
        for point in points:
            if point > hit:
                ttl = "1h" if segments[point].ttl == "1h" else "5m"
                written[ttl] += sum(segment.tokens for segment in segments[start : point + 1])
                start = point + 1
        read = sum(segment.tokens for segment in segments[: hit + 1])
        write_5m, write_1h = written["5m"], written["1h"]
        return Usage(uncached=total - read - write_5m - write_1h, read=read, write_5m=write_5m, write_1h=write_1h)

    def keep(self, place: str, segments: Sequence[Segment], *, now_ns: int, ready_ns: int) -> None:
        """Keep each prefix that ends at a cache point, from `ready_ns` on; one that is there is kept anew."""
        points = [at for at, segment in enumerate(segments) if segment.ttl]
        if not points:
            return
        self._sweep(now_ns)
        digests = _digests(place, segments[: points[-1] + 1])
        for at, digest in enumerate(digests):
            old = self._kept.get(digest) if self._is_alive(digest, now_ns) else None
            ttl = segments[at].ttl
            if old is not None:
                self._kept[digest] = _Kept(min(old.ready_ns, ready_ns), now_ns + KEEP_NS[old.ttl], old.ttl)
            elif ttl is not None:
                self._kept[digest] = _Kept(ready_ns, ready_ns + KEEP_NS[ttl], ttl)

    def _is_alive(self, digest: bytes, now_ns: int) -> bool:
        kept = self._kept.get(digest)
        return kept is not None and now_ns < kept.ends_ns

    def _is_ready(self, digest: bytes, now_ns: int) -> bool:
        return self._is_alive(digest, now_ns) and self._kept[digest].ready_ns <= now_ns

    def _sweep(self, now_ns: int) -> None:
        if len(self._kept) > _SWEEP_ABOVE:
            self._kept = {digest: kept for digest, kept in self._kept.items() if now_ns < kept.ends_ns}


def _digests(place: str, segments: Sequence[Segment]) -> list[bytes]:
    """The digest of the prefix up to and with each segment."""
    running = hashlib.sha256(place.encode())
    digests = []
    for segment in segments:
        piece = msgspec.json.encode(segment.content)
        running.update(b"%d:" % len(piece))
        running.update(piece)
        digests.append(running.digest())
    return digests
