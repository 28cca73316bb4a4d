"""How many exchanges a client has under way, against the connections that it may open."""

from __future__ import annotations

from types import TracebackType


class Connections:
    """Entered around each exchange of one client; counts in nanoseconds, so it may stand on the hot path."""

    __slots__ = ("busy", "most", "size", "waits")

    def __init__(self, size: int) -> None:
        self.size = size
        """The width of the client's pool."""
        self.busy = 0
        self.most = 0
        self.waits = 0
        """Exchanges that began while every connection was taken."""

    def __enter__(self) -> None:
        self.busy += 1
        if self.busy > self.most:
            self.most = self.busy
        if self.busy > self.size:
            self.waits += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.busy -= 1
