"""How a process ends that has imported the harness."""

from __future__ import annotations

import subprocess
import sys

ENDS = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 0, flush=True))  # called last: what is registered first
import harness
"""


def test_nothing_is_collected_after_the_end() -> None:
    """The last collection can crash in msgspec, and then a gate's verdict is lost with the exit code."""
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True, timeout=60)
    assert "True\n" == done.stdout
