"""The server that the benchmarks measure against: the embedded Bedrock with a fixed timing and stamps of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TTFT_S, GAP_S, CHUNKS = 0.2, 0.015, 100
ANSWER_S = TTFT_S + (CHUNKS - 1) * GAP_S
"""How long an answer takes on the server: what makes the ideal rate."""


def core(index: int) -> set[int]:
    """The `index`-th core that this process may use; the last one where there are fewer."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[min(index, len(cores) - 1)]}


@dataclass(frozen=True, kw_only=True)
class TruthServer:
    """A server that runs."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds that the server has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reset(self) -> None:
        """Forget every request so far."""
        self.requests()

    def requests(self) -> list[dict[str, Any]]:
        """The server's stamps of every request since the last call, ns on CLOCK_MONOTONIC."""
        with urllib.request.urlopen(f"{self.url}/_simulator/truth?reset") as answer:
            found: list[dict[str, Any]] = json.load(answer)["requests"]
        return found


@contextmanager
def truth_server(
    *options: str, fixed: str = f"{TTFT_S * 1000:g}ms,{GAP_S * 1000:g}ms,{CHUNKS}"
) -> Iterator[TruthServer]:
    """`harness simulate` on the second core for as long as inside; it ends with this process, whatever happens."""
    command = [sys.executable, "-m", "harness", "simulate", "--port", "0", "--json", "--stop-with-stdin"]
    if fixed:
        command += ["--fixed", fixed]
    with subprocess.Popen([*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        os.sched_setaffinity(child.pid, core(1))
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            url = json.loads(child.stdout.readline())["url"]
            yield TruthServer(url=url, pid=child.pid)
        finally:
            child.stdin.close()
