"""Killed and resumed runs lose nothing: the benchmark in short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "crash.py"


def test_a_few_kills_lose_nothing_and_double_nothing() -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "2", "--seed", "3"], capture_output=True, text=True, check=False
    )
    assert (0, "lost 0, doubled 0, missing 0") == (ran.returncode, ran.stdout.strip().splitlines()[-1]), ran.stderr
