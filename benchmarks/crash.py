"""Kills `harness run` at random moments, resumes it until it is complete, and counts what is lost, doubled or missing.

Every kill is a SIGKILL of the whole process tree, while the load is sent, stored, graded or drawn. What the journals
and attempts.parquet hold right after a kill must be there in the end; a resumed run may be killed again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import duckdb
from measure import print_table

from harness.load.plan import make_plan
from harness.store.run_folder import RunFolder

SUITE = """\
suite: crash
targets: [{model: claude-haiku-4-5, routing: [global, us], api: converse}]
load: {concurrency: 6, repeats: 5, warmup: 2}
retries: {max_attempts: 3, on: [throttled], base: 50ms, cap: 200ms}
judges: {strict: {model: claude-opus-4-5, routing: global, api: converse, max_tokens: 200}}
prompts:
  - {id: plain, prompt: Capital of France? One word., expect: Paris}
  - {id: graded, prompt: Say hello., expect: Hello, checks: [{type: python, file: checks.py, function: long}]}
  - {id: judged, prompt: Say why., expect: Because., checks: [{type: judge, judge: strict, rubric: Gives a reason.}]}
"""
CHECKS = """\
def long(case):
    return len(case["answer"]) > 3
"""
PHASES = ("send", "finalise", "grade", "draw")
REACHED: dict[str, Callable[[RunFolder], bool]] = {
    "send": lambda run: True,
    "finalise": lambda run: _lines(run) >= 2 * (2 + 15) - 2,
    "grade": lambda run: run.attempts_path.exists() and not run.journals(),
    "draw": lambda run: run.scores_path.exists(),
}
WITHIN_S = {"send": 2.0, "finalise": 0.6, "grade": 0.8, "draw": 1.2}
"""A kill comes at a random moment so long after its phase was reached."""
AGAIN = 0.4
"""How often a resumed run is killed as well."""
LONGEST_S = 120.0


@dataclass
class Count:
    """What all runs together had."""

    kills: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By phase and number of workers."""
    runs: int = 0
    attempts: int = 0
    lost: int = 0
    """Attempts that were on disk after a kill and are not in the completed run."""
    doubled: int = 0
    """Attempts that are there twice, requests that were answered twice, verdicts that were asked for again."""
    missing: int = 0
    """Requests of the plan without a final attempt, and requests that are in no plan."""

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.missing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, count = Random(options.seed), Count()
    with tempfile.TemporaryDirectory(prefix="harness-crash-") as name, _bedrock(Path(name)) as url:
        folder = Path(name)
        (folder / "crash.yaml").write_text(SUITE)
        (folder / "checks.py").write_text(CHECKS)
        while count.kills.total() < options.kills:
            _crash_one(folder, url, rng, count)
    _print(count)
    sys.exit(0 if count.is_clean else 1)


def _crash_one(folder: Path, url: str, rng: Random, count: Count) -> None:
    """Start a run, kill it, resume it until it is complete, and count."""
    results = folder / f"results-{count.runs}"
    count.runs += 1
    line = ["run", "crash.yaml", "--endpoint", url, "--out", str(results), "--seed", str(rng.randrange(1000))]
    on_disk = _run(folder, results, line, rng, count, kill=True)
    while (run := _only_run(results)) is None:  # killed before there was a folder
        on_disk = _run(folder, results, line, rng, count, kill=False)
    resume = ["run", "crash.yaml", "--resume", str(run.path), "--endpoint", url]
    while True:
        kill = rng.random() < AGAIN
        on_disk |= _run(folder, results, resume, rng, count, kill=kill)
        if not kill:
            break
    _check(run, on_disk, count)


def _run(folder: Path, results: Path, line: list[str], rng: Random, count: Count, *, kill: bool) -> set[str]:
    """Run the command to its end or to a kill; returns the ids of the attempts on disk then."""
    workers, phase = rng.choice((1, 2)), rng.choice(PHASES)
    command = [sys.executable, "-m", "harness", *line, "--workers", str(workers), "--quiet", "--figures", "errors"]
    errors = folder / "stderr"
    with errors.open("w") as file, subprocess.Popen(command, cwd=folder, stdout=file, stderr=file) as child:
        if kill and _killed(child, results, phase, rng):
            count.kills[phase, workers] += 1
    if child.returncode not in (0, 4, -signal.SIGKILL):
        raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}\n{errors.read_text()}")
    run = _only_run(results)
    return set() if run is None else _attempts_on_disk(run)


def _killed(child: subprocess.Popen[bytes], results: Path, phase: str, rng: Random) -> bool:
    """Kill the command at a random moment of a phase; False if it ended before."""
    until = time.monotonic() + LONGEST_S
    while (run := _only_run(results)) is None or not REACHED[phase](run):
        if child.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        child.wait(rng.uniform(0, WITHIN_S[phase]))
        return False
    for pid in [*_descendants(child.pid), child.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


def _descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for each in map(int, children.read_text().split()):
                yield each
                yield from _descendants(each)


def _only_run(results: Path) -> RunFolder | None:
    """The run in a folder, once it has a manifest."""
    return next((RunFolder(path.parent) for path in results.glob("*/manifest.json")), None)


def _lines(run: RunFolder) -> int:
    with suppress(OSError):  # finalised in this moment
        return sum(journal.read_bytes().count(b"\n") for journal in run.journals())
    return 0


def _attempts_on_disk(run: RunFolder) -> set[str]:
    """The ids of the attempts with a whole line in a journal, or a row in attempts.parquet."""
    ids = set()
    for journal in run.journals():
        ids.update(
            json.loads(line)["attempt_id"] for line in journal.read_bytes().splitlines(True) if line[-1:] == b"\n"
        )
    if run.attempts_path.exists():
        ids.update(each[0] for each in _rows(run, "SELECT attempt_id FROM ATTEMPTS"))
    return ids


def _rows(run: RunFolder, sql: str) -> list[tuple[str, ...]]:
    return duckdb.execute(sql.replace("ATTEMPTS", f"read_parquet('{run.attempts_path}')")).fetchall()


def _check(run: RunFolder, on_disk: set[str], count: Count) -> None:
    """Compare a completed run with what was on disk before, and with its plan."""
    manifest, suite = run.read_manifest(), run.read_suite()
    attempts = [each[0] for each in _rows(run, "SELECT attempt_id FROM ATTEMPTS")]
    final = f"ok OR error_kind NOT IN ('throttled', 'cancelled') OR try_no >= {suite.retries.max_attempts}"
    finals = [each[0] for each in _rows(run, f"SELECT request_id FROM ATTEMPTS WHERE {final}")]
    planned = {one.request_id for each in make_plan(suite, seed=manifest.seed) for one in each.requests}
    verdicts = [json.loads(line)["key"] for line in run.judgements_path.read_text().splitlines()]
    count.attempts += len(attempts)
    count.lost += len(on_disk - set(attempts))
    count.doubled += sum(len(each) - len(set(each)) for each in (attempts, finals, verdicts))
    count.missing += len(planned ^ set(finals)) + (manifest.state != "complete")
    complete = run.scores_path.exists() and (run.path / "report.html").exists()
    count.missing += not complete


@contextmanager
def _bedrock(folder: Path) -> Iterator[str]:
    """The embedded Bedrock, which throttles a tenth of the requests; yields its URL."""
    options = ("--port", "0", "--json", "--stop-with-stdin", "--speed", "4", "--throttle-rate", "0.1")
    command, pipe = [sys.executable, "-m", "harness", "simulate", *options], subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())["url"]
        finally:
            child.stdin.close()


def _print(count: Count) -> None:
    print_table(
        ("killed while it would", "1 worker", "2 workers"),
        [(phase, str(count.kills[phase, 1]), str(count.kills[phase, 2])) for phase in PHASES],
    )
    print(f"{count.kills.total()} kills in {count.runs} runs of {count.attempts} attempts")
    print(f"lost {count.lost}, doubled {count.doubled}, missing {count.missing}")


if __name__ == "__main__":
    main()
