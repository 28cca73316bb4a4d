"""An evaluation of 1,000 prompts from the command line to the finished report, and where its time goes.

    python benchmarks/evaluate.py                 # 500 prompts at 2 targets, 50 in flight at each
    python benchmarks/evaluate.py --quick         # one round, for a glance
    INSPECT_VENV=DIR python benchmarks/evaluate.py    # inspect_ai beside it, from the environment in DIR

`harness run` runs as its users run it, in a process of its own, against a server on loopback in another that answers
after 100 ms. Nothing is instrumented: the parts are read off the attempts' stamps and the times at which the run's
files were written. What comes after the load is also timed step by step, in this process. Goal: 2.5 s of wall time, of
which the server takes at least 1.0.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from analyse import time_report
from measure import Steps, cpu_s, print_table
from truth import TruthServer, truth_server

from harness.store.query import connect
from harness.store.run_folder import RunFolder

GOAL_S = 2.5
ANSWER_S = 0.1
INVALID_CODE = 4
"""The exit code of a run that was disturbed: a busy machine makes the client a bottleneck, but not the report."""
TARGETS = ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-sonnet-4-6")
SUITE = """\
suite: evaluate
targets:
  - {{model: [claude-haiku-4-5, claude-sonnet-4-6], routing: us, api: converse, client: {client}}}
load: {{arrival: closed, concurrency: {slots}, repeats: 1, warmup: 0}}
slo: {{ttft: 1s, e2e: 2s}}
prompts:
"""

INSPECT = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
@task
def evaluate():
    asked = [Sample(input=f"Question {{i}}: what is {{i}} plus 1?", target=str(i + 1)) for i in range({prompts})]
    return Task(dataset=asked, scorer=includes())
"""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is evaluated."""

    prompts: int
    slots: int
    client: str

    @property
    def ideal_s(self) -> float:
        """How long the server takes if every slot is always in use."""
        return ANSWER_S * self.prompts / self.slots


def write_suite(path: Path, work: Work) -> Path:
    """The suite file; every prompt has an expected answer."""
    lines = (
        f'  - {{id: p{i}, prompt: "Question {i}: what is {i} plus 1?", expect: "{i + 1}", tags: [tag{i % 4}]}}\n'
        for i in range(work.prompts)
    )
    path.write_text(SUITE.format(client=work.client, slots=work.slots) + "".join(lines))
    return path


def run_harness(server: TruthServer, suite: Path, work: Work, out: Path) -> dict[str, float]:
    """One `harness run` into `out`: part → seconds, in order, then `wall`, `CPU`, `loop lag p99` and `loop lag max`."""
    command = [sys.executable, "-m", "harness", "run", str(suite), "--endpoint", server.url, "--out", str(out)]
    cpu_before_s, started_s, start = cpu_s(), time.time(), time.perf_counter()
    done = subprocess.run(command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall_s, ended_s, used_s = time.perf_counter() - start, time.time(), cpu_s() - cpu_before_s
    if done.returncode not in (0, INVALID_CODE):
        raise SystemExit(f"harness run ended with {done.returncode}: {done.stderr}")
    run = only_run(out)
    parts = read_parts(run, work, started_s, ended_s)
    (client,) = run.read_manifest().clients
    lag = {"loop lag p99": client.lag_p99_ns / 1e9, "loop lag max": client.lag_max_ns / 1e9}
    return {**parts, "wall": wall_s, "CPU": used_s, **lag}


def only_run(out: Path) -> RunFolder:
    """The run in this folder."""
    (manifest,) = out.glob("*/manifest.json")
    return RunFolder(manifest.parent)


def read_parts(run: RunFolder, work: Work, started_s: float, ended_s: float) -> dict[str, float]:
    """How long each part of a run took that started and ended at these UTC times, seconds."""
    origin_s = run.read_manifest().origin_utc_ns / 1e9
    with closing(connect([run])) as connection:
        stamps = connection.execute("SELECT due_ns / 1e9, done_ns / 1e9 FROM attempts ORDER BY due_ns").fetchall()
    due, done = ([row[i] for row in stamps] for i in range(2))
    written = {
        "start, suite and imports": origin_s + due[0],
        "load": origin_s + max(done),
        "store": _written_s(run.attempts_path),
        "grade": _written_s(run.scores_path),
        "summarise and draw": _written_s(run.summary_path),
        "write": max(_written_s(each) for each in run.path.rglob("*")),
        "end": ended_s,
    }
    ends = list(written.values())
    parts = {name: end - before for (name, end), before in zip(written.items(), [started_s, *ends], strict=False)}
    return {**parts, "load, until the slots are in use": _time_to_fill(due, done, work.slots * len(TARGETS))}


def _time_to_fill(due: list[float], done: list[float], slots: int) -> float:
    """Seconds from the first request until 95 % of the slots were in use at once for the first time."""
    in_flight = 0
    for at, change in sorted([(each, 1) for each in due] + [(each, -1) for each in done]):
        in_flight += change
        if in_flight >= 0.95 * slots:
            return at - due[0]
    return max(done) - due[0]


def _written_s(path: Path) -> float:
    return path.stat().st_mtime_ns / 1e9


def _environment(**variables: str) -> dict[str, str]:
    """This one's, but modules are compiled once, as in an installation, even where tests run without."""
    return {name: each for name, each in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | variables


def time_imports() -> float:
    """Seconds that everything takes to import that a run needs, one after the other, in an interpreter of its own."""
    took = []
    for code in ("pass", "import harness.cli.running.run_suite, harness.report.write, harness.store.query"):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=_environment(), check=True)
        took.append(time.perf_counter() - start)
    return took[1] - took[0]


def run_inspect(server: TruthServer, venv: Path, work: Work, folder: Path) -> dict[str, float]:
    """One `inspect eval` of the same prompts and models, at as many connections: `wall` and `CPU`, seconds."""
    (folder / "task.py").write_text(INSPECT.format(prompts=work.prompts))
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    models = ",".join(f"bedrock/{model}" for model in TARGETS)
    command = [
        *(venv / "bin/inspect", "eval", "task.py", "--model", models, "--model-base-url", server.url),
        *("--max-connections", work.slots, "--max-samples", work.slots, "--max-tasks", len(TARGETS)),
        *("--display", "none", "--log-dir", "logs"),
    ]
    cpu_before_s, start = cpu_s(), time.perf_counter()
    done = subprocess.run(list(map(str, command)), cwd=folder, env=_environment(**keys), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"inspect ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return {"wall": time.perf_counter() - start, "CPU": cpu_s() - cpu_before_s}


def repeat(rounds: int, job: Callable[[Path], dict[str, float]]) -> list[dict[str, float]]:
    """The results of `rounds` runs, each in a folder of its own, after one that fills the disk's cache."""
    results = []
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            results.append(job(Path(folder)))
    return results[1:]


def print_steps(steps: Steps) -> None:
    """How long each step of grading and reporting takes, one after the other."""
    rows = [(step.name, f"{1000 * step.wall_s:,.0f}", f"{1000 * step.cpu_s:,.0f}") for step in steps.done]
    print_table(("step", "wall ms", "CPU ms"), rows)


def print_results(title: str, results: list[dict[str, float]], goal_s: float) -> None:
    """Least, median and most of each figure."""
    print(f"\n{title}, {len(results)} round{'s' * (len(results) > 1)}")
    rows = []
    for name in results[0]:
        values = [each[name] for each in results]
        middle = statistics.median(values)
        of_goal = f"{middle / goal_s:.2f}" if name == "wall" else ""
        rows.append((name, *(f"{1000 * v:,.0f}" for v in (min(values), middle, max(values))), of_goal))
    print_table(("ms", "min", "median", "max", "of the goal"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=500, help="prompts of the suite; each is sent to two targets")
    parser.add_argument("--slots", type=int, default=50, help="requests in flight at each target")
    parser.add_argument("--client", default="wire", choices=["wire", "aioboto3", "anthropic"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    work = Work(prompts=options.prompts, slots=options.slots, client=options.client)
    print(
        f"{work.prompts} prompts × {len(TARGETS)} targets × {work.slots} in flight, client {work.client}; answers "
        f"after {1000 * ANSWER_S:.0f} ms: at least {work.ideal_s:.2f} s; load average {os.getloadavg()[0]:.1f} "
        f"on {os.cpu_count()} cores; imports one after the other {time_imports():.2f} s"
    )
    with tempfile.TemporaryDirectory() as folder, truth_server(fixed=f"{1000 * ANSWER_S:g}ms,1ms,1") as server:
        suite = write_suite(Path(folder) / "evaluate.yaml", work)
        run_harness(server, suite, work, Path(folder))
        print_steps(time_report(only_run(Path(folder))))
        found = repeat(rounds, lambda out: run_harness(server, suite, work, out))
        print_results("harness run", found, GOAL_S)
        if venv := os.environ.get("INSPECT_VENV"):
            peer = repeat(rounds, lambda out: run_inspect(server, Path(venv).absolute(), work, out))
            print_results("inspect eval", peer, GOAL_S)


if __name__ == "__main__":
    main()
