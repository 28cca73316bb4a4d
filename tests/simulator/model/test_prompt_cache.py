"""The prompt cache on its own: what is read, what is written, when it is forgotten."""

from __future__ import annotations

from harness.simulator.model.prompt_cache import KEEP_NS, PromptCache, Segment, Usage

A = Segment(tokens=10, content="a", ttl="1h")
B = Segment(tokens=20, content="b", ttl="5m")
C = Segment(tokens=5, content="c")


def kept(*segments: Segment, ready_ns: int = 0) -> PromptCache:
    cache = PromptCache()
    cache.keep("place", segments, now_ns=0, ready_ns=ready_ns)
    return cache


def test_tokens_between_cache_points_are_written_for_as_long_as_the_point_says() -> None:
    assert Usage(uncached=5, write_1h=10, write_5m=20) == PromptCache().charge("place", (A, B, C), 0)


def test_the_longest_prefix_that_is_kept_is_read() -> None:
    assert Usage(uncached=5, read=30) == kept(A, B, C).charge("place", (A, B, C), 1)
    assert Usage(uncached=5, read=10, write_5m=20) == kept(A).charge("place", (A, B, C), 1)


def test_a_later_point_reads_what_an_earlier_one_kept() -> None:
    later = Segment(tokens=7, content="d", ttl="5m")
    assert Usage(uncached=0, read=30, write_5m=12) == kept(A, B).charge("place", (A, B, C, later), 1)


def test_another_place_or_another_beginning_has_nothing() -> None:
    cache = kept(A, B)
    assert cache.charge("elsewhere", (A, B), 1).read == 0
    assert cache.charge("place", (B,), 1).read == 0


def test_what_is_not_ready_is_written_again() -> None:
    assert kept(B, ready_ns=100).charge("place", (B,), 99).read == 0
    assert kept(B, ready_ns=100).charge("place", (B,), 100).read == 20


def test_a_prefix_is_forgotten_after_its_time_unless_it_is_used() -> None:
    cache = kept(B)
    assert cache.charge("place", (B,), KEEP_NS["5m"]).read == 0
    cache.keep("place", (B,), now_ns=KEEP_NS["5m"] - 1, ready_ns=KEEP_NS["5m"])
    assert cache.charge("place", (B,), KEEP_NS["5m"]).read == 20
    assert kept(A).charge("place", (A,), KEEP_NS["1h"] - 1).read == 10


def test_without_a_cache_point_nothing_is_kept() -> None:
    assert Usage(uncached=5) == kept(C).charge("place", (C,), 1)
