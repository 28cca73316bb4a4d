"""How long `harness --help` takes, against an interpreter that does nothing and one that loads typer.

    python benchmarks/startup.py
    python benchmarks/startup.py --runs 50

Medians of runs that take turns, so that whatever else the machine does falls on all of them alike. Goal: 150 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from measure import print_table

GOAL_S = 0.150
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    'python -c "import typer"': ["-c", "import typer"],
    "harness --help": ["-m", "harness", "--help"],
    "harness run --help": ["-m", "harness", "run", "--help"],
    "harness --version": ["-m", "harness", "--version"],
}


def time_once(arguments: list[str]) -> float:
    """Seconds from start to end of one interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, arguments in COMMANDS.items():
            took[name].append(time_once(arguments))
    medians = {name: statistics.median(each[1:]) for name, each in took.items()}  # the first run warms the disk's cache
    nothing = medians["python -c pass"]
    rows = [
        (name, f"{1000 * s:.0f}", f"{1000 * min(took[name][1:]):.0f}", f"{s / nothing:.1f}", f"{s / GOAL_S:.2f}")
        for name, s in medians.items()
    ]
    print_table(("command", "median ms", "least ms", "× pass", "of the goal"), rows)


if __name__ == "__main__":
    main()
