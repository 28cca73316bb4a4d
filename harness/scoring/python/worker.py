"""The process in which a user's check functions run. It is started by path and imports nothing from the harness.

It reads lines of JSON from standard input: first `{"source", "name", "memory_bytes"}`, then for each answer
`{"function", "given", "timeout_s"}`. It replies to each with one line: `{}`, `{"value", "reason"}` or `{"error"}`.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

MAX_REASON_CHARS = 1000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ORPHAN_S = 5.0
"""Grace period after a call's timeout, then the process exits. The parent kills on timeout, so only orphans need it."""


def main() -> None:
    """Serve until standard input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    _silence()
    _yield_to_parent()
    first = json.loads(requests.readline())
    _bound_memory(first["memory_bytes"])
    module = ModuleType("checks")
    try:
        exec(compile(first["source"], first["name"], "exec"), module.__dict__)
    except BaseException as error:
        replies.write(_line({"error": _describe(error)}))
        return
    replies.write(_line({}))
    for line in requests:
        request = json.loads(line)
        _set_alarm(request["timeout_s"] + ORPHAN_S)
        replies.write(_line(_call(getattr(module, request["function"], None), request["given"])))
        _set_alarm(0)


def _silence() -> None:
    """Point stdin, stdout and stderr at /dev/null, so that the functions cannot disturb the protocol."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


def _yield_to_parent() -> None:
    """On Linux: end when the parent is killed, even inside a function, and be the first to go if memory runs out.

    Also stay the ancestor of what a function leaves behind, so that the parent finds it.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")


def _bound_memory(limit: int) -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _set_alarm(seconds: float) -> None:
    """Schedule SIGALRM, which ends the process whatever it is doing; 0 cancels it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _call(function: Callable[[Any], Any] | None, given: Any) -> dict[str, Any]:
    try:
        if function is None:
            raise LookupError("there is no such function")
        return _read(function(given))
    except MemoryError:
        return {"error": "MemoryError: the function exceeded the memory limit"}
    except BaseException as error:
        return {"error": _describe(error)}


def _read(returned: Any) -> dict[str, Any]:
    """Validate the return value: a bool, a number from 0 to 1, or a tuple of one of these and a reason."""
    value, reason = returned, ""
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], str):
        value, reason = returned
    if isinstance(value, bool):
        return {"value": float(value), "reason": reason[:MAX_REASON_CHARS]}
    if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
        return {"value": float(value), "reason": reason[:MAX_REASON_CHARS]}
    shown = repr(returned)[:100]
    return {"error": f"returned {shown}; return a bool, a number from 0 to 1, or a tuple of one of these and a reason"}


def _describe(error: BaseException) -> str:
    """The error and its line in the check file: `ValueError: no such thing (line 7)`."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == "checks":
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f" (line {line})" if line is not None else ""
    return f"{type(error).__name__}: {str(error)[:MAX_REASON_CHARS]}{where}"


def _line(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply).encode() + b"\n"


if __name__ == "__main__":
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    main()
