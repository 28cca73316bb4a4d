"""Files and sockets that this process may have open: every stream of a load is one."""

from __future__ import annotations

import os

from harness.errors import EndpointError

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

SPARE = 64
"""For everything but the load's connections: journal, pipes, libraries, the loop's own."""


def open_files_limit() -> int | None:
    """The soft limit. None: there is none, or this system does not say."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def count_open_files() -> int | None:
    """How many are open now; None where the system has no list of them."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return None


def allow_connections(wanted: int, *, at_least: int | None = None) -> int:
    """Raise the soft limit as far as `wanted` connections need, and return how many are then possible.

    EndpointError: fewer than `at_least` (by default, than `wanted`) can be open at once.
    """
    limit = _raise_limit(wanted + SPARE)
    possible = wanted if limit is None else min(wanted, limit - SPARE)
    if possible < (wanted if at_least is None else at_least):
        raise EndpointError(
            f"this load opens up to {wanted:,} connections, and this process may have {limit:,} files open, which is "
            f"{max(0, possible):,} connections: lower load.concurrency, share the load with --workers, or raise the "
            "limit (`ulimit -n`)"
        )
    return possible


def _raise_limit(files: int) -> int | None:
    limit = open_files_limit()
    if resource is None or limit is None or limit >= files:
        return limit
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = files if hard == resource.RLIM_INFINITY else min(files, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):
        return limit
    return raised
