"""What the tests of processes that are signalled or killed share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for something that another process does; fails after a minute."""
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def wait_for_attempts(folder: Path, child: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Wait until a journal holds something."""

    def journaled() -> bool:
        assert child.poll() is None, child.communicate()
        return any(path.stat().st_size for path in folder.glob("results/*/attempts*.jsonl"))

    wait_until(journaled)


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """The processes that a process and its children started."""
    children = [int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]
    return children + [each for child in children for each in descendants(child)]


def only_run(folder: Path) -> Path:
    """The folder of the only run in `results/`."""
    (run,) = (folder / "results").glob("*/")
    return run
