"""A number with its noun."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """`1 request`, `1,024 requests`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
