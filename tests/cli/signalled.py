"""What the tests of a run that is signalled or killed share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def only_run(folder: Path) -> Path:
    """The folder of the only run in `results/`."""
    (run,) = (folder / "results").glob("*/")
    return run


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    while not is_so():
        time.sleep(0.02)


def wait_for_attempts(folder: Path, child: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Wait until a journal holds something."""

    def journaled() -> bool:
        assert child.poll() is None, child.communicate()
        return any(path.stat().st_size for path in folder.glob("results/*/attempts*.jsonl"))

    wait_until(journaled)
