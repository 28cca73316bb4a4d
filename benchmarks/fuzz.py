"""Feeds whatever reads other people's files with hostile input: it may be refused, and nothing else may happen.

    python benchmarks/fuzz.py --inputs 100000
    python benchmarks/fuzz.py --inputs 2000 --seed 7 manifest journal

An input fails if its reader raises anything but HarnessError, uses a second of CPU more than for undamaged files, runs
a program, opens a connection, or writes outside the input's folder. Failing inputs are kept in a temporary folder,
whose path is printed. Each job of 1,000 inputs is a process of its own with its own seed, one for each core at a time;
a job that dies or waits longer than a minute on one input is a failure of that input.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fuzzing import replies, runs, suites
from fuzzing.target import LIMIT_S, Files, Target, try_input, write_files
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from measure import print_table

TARGETS: dict[str, Target] = {**runs.TARGETS, **suites.TARGETS, **replies.TARGETS}
"""Everything that reads what others made."""
JOB = 1_000
"""Inputs of one process."""
STUCK_S = 60
"""Wall seconds on one input, after which its process is ended. Also catches what no signal interrupts."""


@dataclass(kw_only=True)
class Tally:
    """What the inputs of one target led to."""

    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)
    """One line for each: where the input is kept, and the last line of the traceback."""

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.refused += other.refused
        self.accepted += other.accepted
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.failures += other.failures


@dataclass(frozen=True, kw_only=True)
class Job:
    """Inputs of one target, from one seed."""

    target: str
    seed: int
    inputs: int
    limit_s: float = LIMIT_S
    """CPU seconds that an input may take more than the undamaged files."""


def make_jobs(names: list[str], inputs: int, seed: int) -> Iterator[Job]:
    """The inputs over the targets by their shares, in jobs of at most JOB."""
    shares = sum(TARGETS[name].share for name in names)
    for name in names:
        left = max(round(inputs * TARGETS[name].share / shares), 1)
        for number, start in enumerate(range(0, left, JOB)):
            yield Job(target=name, seed=seed + number, inputs=min(JOB, left - start))


def run_job(job: Job, kept: Path, before: Callable[[], object] = lambda: None) -> Tally:
    """Try the inputs in this process. `before` is called before each."""
    target, tally, folder = TARGETS[job.target], Tally(), kept / f".{job.target}-{job.seed}" / "input"

    def one(files: Files) -> None:
        before()
        outcome = try_input(target, files, folder, limit_s=limit_s)
        tally.inputs += 1
        tally.slowest_s = max(tally.slowest_s, outcome.seconds)
        if outcome.failure is not None:
            place = kept / f"{job.target}-{job.seed}-{tally.inputs}"
            write_files(files, place / "input")
            (place / "failure.txt").write_text(outcome.failure, errors="replace")
            tally.failures.append(f"{place}: {outcome.failure.strip().splitlines()[-1]}")
        elif outcome.refused is None:
            tally.accepted += 1
        else:
            tally.refused += 1

    limit_s = job.limit_s + read_whole(target, folder)
    seeded(job.seed)(_settings(job.inputs)(given(target.inputs())(one)))()
    return tally


def read_whole(target: Target, folder: Path) -> float:
    """CPU seconds that the undamaged files take. The first reading also loads the libraries."""
    first, second = (try_input(target, target.whole(), folder, limit_s=STUCK_S) for _ in range(2))
    if first.refused or first.failure:
        raise AssertionError(f"the undamaged files are not accepted: {first.refused or first.failure}")
    return second.seconds


def _settings(inputs: int) -> settings:
    """Only new inputs, nothing shrunk or stored: a failure is kept, and the next input tried."""
    return settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def run_apart(job: Job, kept: Path) -> Tally:
    """Try the inputs in a process of their own. If it dies, the input that it died of is in its folder."""
    line = [sys.executable, __file__, "--job", job.target, str(job.seed), str(job.inputs), str(kept)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Tally(**json.loads(done.stdout.splitlines()[-1]))
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    died = f"{kept / f'.{job.target}-{job.seed}'}: the process ended with {done.returncode}: {last}"
    return Tally(inputs=1, failures=[died])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--inputs", type=int, default=10_000, help="over all targets")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)), help="of the first job")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--job", nargs=4, metavar=("TARGET", "SEED", "INPUTS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        name, seed, inputs, kept = options.job
        job = Job(target=name, seed=int(seed), inputs=int(inputs))
        print(json.dumps(vars(run_job(job, Path(kept), _end_if_stuck))))
        return 0
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    kept = Path(tempfile.mkdtemp(prefix="harness-fuzz-"))
    jobs = list(make_jobs(names, options.inputs, options.seed))
    tallies = {name: Tally() for name in names}
    print(f"seeds from {options.seed}, failing inputs in {kept}", file=sys.stderr)
    with ThreadPoolExecutor(options.processes) as pool:
        for job, tally in zip(jobs, pool.map(partial(run_apart, kept=kept), jobs), strict=True):
            tallies[job.target].add(tally)
    return report(tallies)


def _end_if_stuck() -> None:
    """End this process in STUCK_S, unless it is called again."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True)


def report(tallies: dict[str, Tally]) -> int:
    """Print the counts; returns the exit code."""
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    print_table(
        ("target", "inputs", "refused", "accepted", "failed", "slowest, CPU s"),
        [
            (name, f"{t.inputs:,}", f"{t.refused:,}", f"{t.accepted:,}", f"{len(t.failures):,}", f"{t.slowest_s:.2f}")
            for name, t in {**tallies, "all": total}.items()
        ],
    )
    print(*total.failures, sep="\n")
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
