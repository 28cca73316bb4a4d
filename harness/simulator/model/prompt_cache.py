"""The prompt cache: prefixes of prompts that are stored for five minutes or an hour.

Two things are simpler than in the service: a prefix of any length is stored (the service ignores a cache point before
1,024 to 4,096 tokens, depending on the model), and every block is searched for a hit, not only the last twenty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

TTL_NS = {"5m": 300_000_000_000, "1h": 3_600_000_000_000}
_SWEEP_ABOVE = 10_000


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a prompt, in the order of the prefix: tools, system, messages."""

    tokens: int
    content: Any
    """Identifies the segment; anything that msgspec can encode."""
    ttl: str | None = None
    """`5m` or `1h` if a cache point follows."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Input tokens by how they are charged; `uncached` ones are neither read from the cache nor written to it."""

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


class _Entry(msgspec.Struct, frozen=True, gc=False):
    ready_ns: int
    ends_ns: int
    ttl: str


class PromptCache:
    """Prefixes by digest. Times are CLOCK_MONOTONIC, ns."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}

    def charge(self, place: str, segments: Sequence[Segment], now_ns: int) -> Usage:
        """How a prompt's tokens are charged. Each `place`, a model in a Region, has its own cache."""
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

    def store(self, place: str, segments: Sequence[Segment], *, now_ns: int, ready_ns: int) -> None:
        """Store each prefix that ends at a cache point, usable from `ready_ns` on; a stored one is renewed."""
        points = [at for at, segment in enumerate(segments) if segment.ttl]
        if not points:
            return
        self._sweep(now_ns)
        digests = _digests(place, segments[: points[-1] + 1])
        for at, digest in enumerate(digests):
            old = self._entries.get(digest) if self._is_alive(digest, now_ns) else None
            ttl = segments[at].ttl
            if old is not None:
                self._entries[digest] = _Entry(min(old.ready_ns, ready_ns), now_ns + TTL_NS[old.ttl], old.ttl)
            elif ttl is not None:
                self._entries[digest] = _Entry(ready_ns, ready_ns + TTL_NS[ttl], ttl)

    def _is_alive(self, digest: bytes, now_ns: int) -> bool:
        entry = self._entries.get(digest)
        return entry is not None and now_ns < entry.ends_ns

    def _is_ready(self, digest: bytes, now_ns: int) -> bool:
        return self._is_alive(digest, now_ns) and self._entries[digest].ready_ns <= now_ns

    def _sweep(self, now_ns: int) -> None:
        if len(self._entries) > _SWEEP_ABOVE:
            self._entries = {digest: entry for digest, entry in self._entries.items() if now_ns < entry.ends_ns}


def _digests(place: str, segments: Sequence[Segment]) -> list[bytes]:
    """The digest of the prefix that ends with each segment."""
    running = hashlib.sha256(place.encode())
    digests = []
    for segment in segments:
        piece = msgspec.json.encode(segment.content)
        running.update(b"%d:" % len(piece))
        running.update(piece)
        digests.append(running.digest())
    return digests
