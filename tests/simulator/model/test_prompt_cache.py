"""The prompt cache on its own: reads, writes, expiry."""

from __future__ import annotations

from harness.simulator.model.prompt_cache import TTL_NS, PromptCache, Segment, Usage

A = Segment(tokens=10, content="a", ttl="1h")
B = Segment(tokens=20, content="b", ttl="5m")
C = Segment(tokens=5, content="c")


def filled_cache(*segments: Segment, ready_ns: int = 0) -> PromptCache:
    cache = PromptCache()
    cache.store("place", segments, now_ns=0, ready_ns=ready_ns)
    return cache


def test_tokens_before_a_cache_point_are_written_with_its_ttl() -> None:
    assert Usage(uncached=5, write_1h=10, write_5m=20) == PromptCache().charge("place", (A, B, C), 0)


def test_the_longest_stored_prefix_is_read() -> None:
    assert Usage(uncached=5, read=30) == filled_cache(A, B, C).charge("place", (A, B, C), 1)
    assert Usage(uncached=5, read=10, write_5m=20) == filled_cache(A).charge("place", (A, B, C), 1)


def test_a_later_cache_point_reads_what_an_earlier_one_stored() -> None:
    later = Segment(tokens=7, content="d", ttl="5m")
    assert Usage(uncached=0, read=30, write_5m=12) == filled_cache(A, B).charge("place", (A, B, C, later), 1)


def test_another_place_or_another_prefix_does_not_hit() -> None:
    cache = filled_cache(A, B)
    assert cache.charge("elsewhere", (A, B), 1).read == 0
    assert cache.charge("place", (B,), 1).read == 0


def test_a_prefix_that_is_not_ready_is_written_again() -> None:
    assert filled_cache(B, ready_ns=100).charge("place", (B,), 99).read == 0
    assert filled_cache(B, ready_ns=100).charge("place", (B,), 100).read == 20


def test_a_prefix_expires_unless_it_is_used() -> None:
    cache = filled_cache(B)
    assert cache.charge("place", (B,), TTL_NS["5m"]).read == 0
    cache.store("place", (B,), now_ns=TTL_NS["5m"] - 1, ready_ns=TTL_NS["5m"])
    assert cache.charge("place", (B,), TTL_NS["5m"]).read == 20
    assert filled_cache(A).charge("place", (A,), TTL_NS["1h"] - 1).read == 10


def test_without_a_cache_point_nothing_is_stored() -> None:
    assert Usage(uncached=5) == filled_cache(C).charge("place", (C,), 1)
