"""How the process of a command ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COLLECTED = """
import sys
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): print("collected")
import harness.__main__
sys.modules["kept"] = Cycle()
sys.argv = ["harness", *sys.argv[1:]]
harness.__main__.run()
"""


def run_and_collect(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COLLECTED, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["validate", "nowhere.yaml"], 2), (["nix"], 2)])
def test_a_command_ends_with_its_exit_code_and_no_last_collection(arguments: list[str], code: int) -> None:
    """The last collection can crash in msgspec: a gate's verdict would be lost with the exit code."""
    done = run_and_collect(*arguments)
    assert code == done.returncode, done.stderr
    assert "collected" not in done.stdout
    assert done.stdout or done.stderr


def test_what_is_to_be_done_at_the_end_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import atexit; atexit.register(print, 'last')" + COLLECTED, "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "last" == done.stdout.splitlines()[-1]


def test_an_output_that_cannot_be_written_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (4, "error: output: No space left on device\n") == (done.returncode, done.stderr)
